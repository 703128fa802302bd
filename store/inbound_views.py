"""Read-only views of inbound SMS: what is told of one, with what was exchanged before; lists and traces for people.

Not here: how it is stored (inbound), what is owed for it (outbox_views).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from msgspec import Struct
from msgspec.structs import asdict

from inbound.report import Exchanged, InboundReport, TurnDirection
from store.conversations import read_exchanged
from store.engine.database import Transaction
from store.engine.keys import to_instant
from store.engine.rows import query
from store.outbox_views import TracedNotice, trace_notices_of_sms
from store.views import Trace, find_job, load_trace

_MOST_EARLIER = 20


class _Sms(Struct, frozen=True, array_like=True):
    key: int
    public_id: str
    customer_key: int
    customer: str
    carrier: str
    phone: str
    own_number: str
    shown: str
    keyword: str
    received_at: int
    total: int
    missing: str
    late_of: int | None
    conversation_key: int | None


_SMS = query(
    _Sms,
    "FROM inbound_sms s LEFT JOIN conversation c ON c.key = s.conversation_key"
    " WHERE s.key IN (??) AND s.customer_key IS NOT NULL",
    "s",
    own_number="coalesce(c.own_number, ltrim(s.destination, '+'))",
)


def load_inbound_reports(tx: Transaction, sms_keys: Iterable[int]) -> dict[int, InboundReport]:
    """Return the report of each inbound SMS that exists and is a customer's, by key."""
    return {row.key: _report(tx, row) for row in tx.select_in(_Sms, _SMS, sms_keys)}


def _report(tx: Transaction, row: _Sms) -> InboundReport:
    return InboundReport(
        key=row.key,
        public_id=row.public_id,
        customer_key=row.customer_key,
        customer=row.customer,
        carrier=row.carrier,
        phone=row.phone,
        own_number=row.own_number,
        text=row.shown,
        keyword=row.keyword,
        received_at=to_instant(row.received_at),
        total=row.total,
        missing=places_of(row.missing),
        is_late=row.late_of is not None,
        late_of=_find_late_of(tx, row.late_of) if row.late_of is not None else None,
        conversation_key=row.conversation_key,
        earlier=_earlier(tx, row, row.conversation_key) if row.conversation_key is not None else (),
    )


def _find_late_of(tx: Transaction, key: int) -> Exchanged | None:
    """Return the SMS that went out without a late part."""
    found = tx.rows("SELECT received_at, shown FROM inbound_sms WHERE key = ?", (key,))
    return next((Exchanged(direction=TurnDirection.IN, at=to_instant(at), text=text) for at, text in found), None)


def _earlier(tx: Transaction, row: _Sms, conversation_key: int) -> tuple[Exchanged, ...]:
    return read_exchanged(
        tx, row.customer_key, conversation_key, row.phone, row.own_number, before=row.key, limit=_MOST_EARLIER
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedEffect:
    """One effect; `action` is the name of its action, `made` the id of the notice or job that it made."""

    kind: str
    action: str
    target: str
    note: str
    made: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundTrace:
    """Everything remembered of one inbound SMS. `late_of` is the id of the SMS that it is a late part of."""

    public_id: str
    carrier: str
    source: str
    destination: str
    text: str
    customer: str
    keyword: str
    reason: str
    received_at: datetime
    handled_at: datetime
    total: int
    missing: tuple[int, ...]
    late_of: str
    effects: tuple[TracedEffect, ...]
    notices: tuple[TracedNotice, ...]
    jobs: tuple[Trace, ...]


class _TracedEffect(Struct, frozen=True, array_like=True):
    public_id: str
    carrier: str
    source: str
    destination: str
    text: str
    customer: str
    keyword: str
    reason: str
    received_at: int
    handled_at: int
    total: int
    missing: str
    late_of: str


class _Effect(Struct, frozen=True, array_like=True):
    kind: str
    action: str
    target: str
    note: str
    outbox_id: str
    job_id: str


_TRACED = query(
    _TracedEffect,
    "FROM inbound_sms s WHERE s.key = ?",
    "s",
    text="s.body",
    late_of="coalesce((SELECT o.public_id FROM inbound_sms o WHERE o.key = s.late_of), '')",
)
_EFFECTS = query(
    _Effect,
    "FROM inbound_effect e LEFT JOIN inbound_action a ON a.key = e.action_key"
    " LEFT JOIN outbox o ON o.key = e.outbox_key WHERE e.sms_key = ? ORDER BY e.key",
    "e",
    action="coalesce(a.name, '')",
    outbox_id="coalesce(o.public_id, '')",
)


def find_inbound(tx: Transaction, name: str, customer_key: int | None = None) -> int | None:
    """Return the key of the inbound SMS with this public id, or to which the row of the outbox with this id belongs.

    With a customer, SMS of others are as if they were not there.
    """
    own, whose = ("", ()) if customer_key is None else (" AND s.customer_key = ?", (customer_key,))
    key = tx.value(f"SELECT s.key FROM inbound_sms s WHERE s.public_id = ?{own}", (name, *whose))  # noqa: S608 - ours
    if key is None:
        of_row = "SELECT s.key FROM outbox o JOIN inbound_sms s ON s.key = o.sms_key WHERE o.public_id = ?"
        key = tx.value(of_row + own, (name, *whose))
    return None if key is None else int(key)


def load_inbound_trace(tx: Transaction, key: int) -> InboundTrace | None:
    """Return an inbound SMS with its effects, and what became of each; None if it is gone."""
    found = tx.select(_TracedEffect, _TRACED, (key,))
    if not found:
        return None
    effects = tx.select(_Effect, _EFFECTS, (key,))
    jobs = [job for effect in effects if effect.job_id and (job := find_job(tx, effect.job_id)) is not None]
    facts = asdict(found[0]) | {
        "received_at": to_instant(found[0].received_at),
        "handled_at": to_instant(found[0].handled_at),
        "missing": places_of(found[0].missing),
    }
    return InboundTrace(
        **facts,
        effects=tuple(
            TracedEffect(
                kind=effect.kind,
                action=effect.action,
                target=effect.target,
                note=effect.note,
                made=effect.outbox_id or effect.job_id,
            )
            for effect in effects
        ),
        notices=trace_notices_of_sms(tx, key),
        jobs=tuple(load_trace(tx, job) for job in jobs),
    )


def places_of(stored: str) -> tuple[int, ...]:
    """Return the places of fragments as they are stored, joined by commas."""
    return tuple(int(place) for place in stored.split(",") if place)
