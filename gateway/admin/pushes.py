"""Pushes looked at and sent again: the one view for those of jobs and of inbound SMS.

Not here: what they say and where they go (gateway.pushes), actions (push_actions).
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from gateway.admin.edit import AuditAction, Changed, Edit, Subject
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import get_customer
from sms.facts import Fact
from sms.outbox import WAITING, OutboxState
from store.engine.database import Transaction
from store.engine.keys import to_instant, to_stored
from store.outbox_views import TracedAttempt, trace_push
from store.pushes import ListedPush, PushFilter, failed_pushes, find_push, message_ids, push_key_of, replay
from store.pushes import list_pushes as find_pushes
from store.tables import FAR

View = dict[str, object]
_BEGINNING = datetime.fromtimestamp(0, UTC)


def list_pushes(
    tx: Transaction, customer: str = "", state: str | None = None, since: datetime | None = None, limit: int = 100
) -> list[View]:
    """Return pushes, the newest first: of one customer, in one state, written since."""
    wanted = PushFilter(
        customer_key=_customer_key(tx, customer), state=state or "", since=to_stored(since or _BEGINNING)
    )
    found = find_pushes(tx, wanted, limit)
    messages = message_ids(tx, found)
    return [_view(push, messages) for push in found]


def show_push(tx: Transaction, name: str) -> View:
    """Return one push with its attempts. Raises AdminFault."""
    push = find_push(tx, _public_id(name))
    if push is None:
        raise AdminFault(FaultCode.NO_PUSH, name=name)
    return {
        **_view(push, message_ids(tx, [push])),
        "attempts": [_attempt(attempt) for attempt in trace_push(tx, push.public_id)],
    }


def replay_push(edit: Edit, name: str) -> Changed:
    """Send one push that has ended again: the same event with the same id."""
    push, key = find_push(edit.tx, _public_id(name)), push_key_of(edit.tx, _public_id(name))
    if push is None or key is None:
        raise AdminFault(FaultCode.NO_PUSH, name=name)
    if push.state in WAITING or not replay(edit.tx, [key], to_stored(edit.now)):
        raise AdminFault(FaultCode.PUSH_NOT_OVER, name=name, state=push.state.value)
    whose = _customer_key(edit.tx, push.customer)
    return edit.done(AuditAction.REPLAY_PUSH, Subject(push.public_id, whose), name=push.public_id)


def replay_failed(edit: Edit, since: datetime, customer: str = "") -> Changed:
    """Send all pushes that failed since again, in the order in which they were written."""
    key = _customer_key(edit.tx, customer)
    count = replay(
        edit.tx, failed_pushes(edit.tx, PushFilter(customer_key=key, since=to_stored(since))), to_stored(edit.now)
    )
    shown = since.isoformat(timespec="seconds")
    detail = f"{count} since {shown}"
    facts: dict[str, Fact] = {"customer": customer, "since": shown, "pushes": count}
    return edit.done(AuditAction.REPLAY_FAILED_PUSHES, Subject(customer, key, detail), **facts)


def _public_id(name: str) -> str:
    """Return the id of a push that is named by it, or by the event id that its receiver saw."""
    return name.replace("_", ".")


def _customer_key(tx: Transaction, customer: str) -> int:
    return get_customer(tx, customer).id if customer else 0


def _view(push: ListedPush, messages: Mapping[int, str]) -> View:
    waits = push.ended_at is None
    return {
        "push": push.public_id,
        "customer": push.customer,
        "event": push.kind,
        "of": push.subject,
        "sms": messages.get(push.message_key or 0, ""),
        "url": push.recipient,
        "state": push.state.value,
        "attempts": push.attempts,
        "written_at": _shown(push.created_at),
        "due_at": _due(push) if waits else "",
        "ended_at": "" if push.ended_at is None else _shown(push.ended_at),
        "problem": push.problem,
    }


def _due(push: ListedPush) -> str:
    if push.due_at < FAR:
        return _shown(push.due_at)
    return "behind an earlier one" if push.state is OutboxState.QUEUED else push.state.value


def _attempt(attempt: TracedAttempt) -> str:
    facts = (attempt.host, attempt.address, attempt.tls, attempt.reply)
    return ", ".join([f"{attempt.at.isoformat(timespec='seconds')} {attempt.outcome}", *filter(None, facts)])


def _shown(at: int) -> str:
    return to_instant(at).isoformat(timespec="seconds")
