"""Read-only views of inbound SMS: what is told of one, with what was exchanged before in its conversation.

Not here: how it is stored (inbound), what is owed for it (outbox_views).
"""

from collections.abc import Iterable

from msgspec import Struct

from inbound.report import Direction, Exchanged, InboundReport
from store.engine.database import Transaction
from store.engine.keys import to_instant
from store.engine.rows import query

_MOST_EARLIER = 20
# Of a handset that others text too: so many of its last SMS are looked at.
_LOOKED_AT = 200


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


class _Exchanged(Struct, frozen=True, array_like=True):
    at: int
    text: str
    by: str
    state: str


_SMS = query(
    _Sms,
    "FROM inbound_sms s LEFT JOIN conversation c ON c.key = s.conversation_key"
    " WHERE s.key IN (??) AND s.customer_key IS NOT NULL",
    "s",
    own_number="coalesce(c.own_number, ltrim(s.destination, '+'))",
)
_CAME = query(
    _Exchanged,
    "FROM (SELECT * FROM inbound_sms WHERE phone = ? AND key < ? ORDER BY key DESC LIMIT ?) AS s"
    " WHERE s.conversation_key = ? ORDER BY s.key DESC LIMIT ?",
    at="s.received_at",
    text="s.shown",
    by="''",
    state="''",
)
# What a carrier took, or will: neither a dry run nor what was refused or cancelled.
_WENT = query(
    _Exchanged,
    "FROM (SELECT * FROM message WHERE number = ? AND key < ? ORDER BY key DESC LIMIT ?) AS m"
    " JOIN job j ON j.key = m.job_key WHERE j.customer_key = ? AND ltrim(m.sender, '+') = ?"
    " AND m.state NOT IN ('rejected', 'cancelled') ORDER BY m.key DESC LIMIT ?",
    at="j.accepted_at",
    text="m.body",
    by="CASE WHEN j.header_sender <> '' THEN j.header_sender WHEN j.user_address <> '' THEN j.user_address"
    " ELSE j.header_from END",
    state="m.state",
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
        missing=tuple(int(place) for place in row.missing.split(",") if place),
        is_late=row.late_of is not None,
        conversation_key=row.conversation_key,
        earlier=_earlier(tx, row) if row.conversation_key is not None else (),
    )


def _earlier(tx: Transaction, row: _Sms) -> tuple[Exchanged, ...]:
    before = (row.phone, row.key, _LOOKED_AT)
    came = tx.select(_Exchanged, _CAME, (*before, row.conversation_key, _MOST_EARLIER))
    went = tx.select(_Exchanged, _WENT, (*before, row.customer_key, row.own_number, _MOST_EARLIER))
    both = [(Direction.IN, item) for item in came] + [(Direction.OUT, item) for item in went]
    both.sort(key=lambda one: one[1].at, reverse=True)
    return tuple(
        Exchanged(direction=direction, at=to_instant(item.at), text=item.text, by=item.by, state=item.state)
        for direction, item in both[:_MOST_EARLIER]
    )
