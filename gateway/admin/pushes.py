"""Pushes looked at and sent again: the one view for those of jobs and of inbound SMS.

Not here: what they say and where they go (gateway.pushes), actions (push_actions).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.admin.edit import AuditAction, Changed, Edit, Subject
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import get_customer
from sms.facts import Fact
from sms.outbox import WAITING, OutboxState
from store.engine.database import Transaction
from store.engine.keys import to_instant, to_instant_if_set, to_stored
from store.outbox_views import TracedOutboxAttempt, trace_push
from store.pushes import ListedPush, PushFilter, failed_pushes, find_push, message_ids, replay
from store.pushes import list_pushes as find_pushes
from store.tables import FAR

View = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class PushesWanted:
    """Which pushes of a customer: in one state, of the jobs of one user, before a place; empty and 0: all."""

    state: str = ""
    user: str = ""
    before: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldPush:
    """A push as its customer may see it: `of` a job or an inbound SMS, or of the one SMS `sms` of a job.

    `place` is where it stands in the order of all; `due_at` is None where it waits for another one, or is over.
    """

    push: str
    place: int
    event: str
    of: str
    sms: str
    url: str
    state: OutboxState
    problem: str
    written_at: datetime
    due_at: datetime | None
    ended_at: datetime | None
    attempts: tuple[TracedOutboxAttempt, ...] = ()


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


def pushes_before(tx: Transaction, customer: str, wanted: PushesWanted, limit: int) -> list[ToldPush]:
    """Return some pushes of a customer, the newest first."""
    whose = PushFilter(
        customer_key=_customer_key(tx, customer), state=wanted.state, user=wanted.user, before=wanted.before or FAR
    )
    found = find_pushes(tx, whose, limit)
    messages = message_ids(tx, found)
    return [_told(push, messages) for push in found]


def push_of(tx: Transaction, customer: str, name: str) -> ToldPush:
    """Return one push of a customer with its attempts. Raises AdminFault, for another customer's too."""
    push = _own_push(tx, customer, name)
    return _told(push, message_ids(tx, [push]), trace_push(tx, push.public_id))


def replay_push_of(edit: Edit, customer: str, name: str) -> Changed:
    """Send a push of a customer that has ended again."""
    return replay_push(edit, _own_push(edit.tx, customer, name).public_id)


def replay_push(edit: Edit, name: str) -> Changed:
    """Send one push that has ended again: the same event with the same id."""
    push = find_push(edit.tx, _public_id(name))
    if push is None:
        raise AdminFault(FaultCode.NO_PUSH, name=name)
    if push.state in WAITING or not replay(edit.tx, [push.key], to_stored(edit.now)):
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


def _own_push(tx: Transaction, customer: str, name: str) -> ListedPush:
    push = find_push(tx, _public_id(name))
    if push is None or push.customer_key != get_customer(tx, customer).key:
        raise AdminFault(FaultCode.NO_PUSH, name=name)
    return push


def _told(push: ListedPush, messages: Mapping[int, str], attempts: tuple[TracedOutboxAttempt, ...] = ()) -> ToldPush:
    return ToldPush(
        push=push.public_id,
        place=push.key,
        event=push.kind,
        of=push.subject,
        sms=messages.get(push.message_key or 0, ""),
        url=push.recipient,
        state=push.state,
        problem=push.problem,
        written_at=to_instant(push.created_at),
        due_at=to_instant(push.due_at) if push.ended_at is None and push.due_at < FAR else None,
        ended_at=to_instant_if_set(push.ended_at),
        attempts=attempts,
    )


def _public_id(name: str) -> str:
    """Return the id of a push that is named by it, or by the event id that its receiver saw."""
    return name.replace("_", ".")


def _customer_key(tx: Transaction, customer: str) -> int:
    return get_customer(tx, customer).key if customer else 0


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


def _attempt(attempt: TracedOutboxAttempt) -> str:
    facts = (attempt.host, attempt.address, attempt.tls, attempt.reply)
    return ", ".join([f"{attempt.at.isoformat(timespec='seconds')} {attempt.outcome}", *filter(None, facts)])


def _shown(at: int) -> str:
    return to_instant(at).isoformat(timespec="seconds")
