"""Finds inbound SMS by number, phone, reader, keyword, time, and by whether anybody got them, newest first.

Not here: one of them with all that followed (inbound_views).
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

from store.details import DetailPlace
from store.engine.database import Transaction
from store.engine.keys import to_instant
from store.engine.rows import query
from store.inbound_views import places_of


class Handed(StrEnum):
    """Whether somebody got an inbound SMS by mail or push, as far as it was to be: `NO` where all of it failed."""

    YES = "yes"
    WAITS = "waits"
    NO = "no"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundFilter:
    """Which inbound SMS are wanted; what is empty or None asks for nothing.

    `number` is ours and `phone` the handset's, in digits; `user` is an address in small letters that a mail of it went
    to. Instants are microseconds, `until` is not within.
    """

    customer_key: int | None = None
    number: str = ""
    phone: str = ""
    user: str = ""
    keyword: str = ""
    handed: frozenset[Handed] = frozenset()
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSms:
    """An inbound SMS in a list. `handed` is None where it was for no mail and no push; `reason` why it is nobody's."""

    place: DetailPlace
    public_id: str
    received_at: datetime
    source: str
    destination: str
    customer: str
    carrier: str
    keyword: str
    total: int
    missing: tuple[int, ...]
    reason: str
    handed: Handed | None


class _ListedSms(Struct, frozen=True, array_like=True):
    key: int
    public_id: str
    received_at: int
    source: str
    destination: str
    customer: str
    carrier: str
    keyword: str
    total: int
    missing: str
    reason: str
    sent: int
    waiting: int
    ended: int


_STATES = "(SELECT count(*) FROM outbox o WHERE o.sms_key = s.key AND o.state {})"
_SENT, _WAITS = _STATES.format("= 'sent'"), _STATES.format("IN ('queued', 'sending', 'held')")
_ENDED = _STATES.format("IN ('failed', 'dropped')")
_LISTED = query(
    _ListedSms,
    "FROM inbound_sms s",
    "s",
    sent=_SENT,
    waiting=_WAITS,
    ended=_ENDED,
)
_HANDED: Final = {
    Handed.NOBODY: "s.reason <> ''",
    Handed.YES: f"(s.reason = '' AND {_SENT} > 0)",
    Handed.WAITS: f"(s.reason = '' AND {_SENT} = 0 AND {_WAITS} > 0)",
    Handed.NO: f"(s.reason = '' AND {_SENT} = 0 AND {_WAITS} = 0 AND {_ENDED} > 0)",
}
_MAILED = "EXISTS (SELECT 1 FROM inbound_effect e WHERE e.sms_key = s.key AND e.kind = 'mail' AND lower(e.target) = ?)"


def search_inbound(
    tx: Transaction, wanted: InboundFilter, most: int, after: DetailPlace | None = None
) -> list[ListedSms]:
    """Return the newest inbound SMS that fit, at most so many; those `after` a place are older than what is there."""
    conditions, values = _conditions(wanted)
    if after is not None:
        conditions.append("(s.received_at, s.key) < (?, ?)")
        values += after
    sql = f"{_LISTED} WHERE {' AND '.join(conditions)} ORDER BY s.received_at DESC, s.key DESC LIMIT ?"
    return [_listed(row) for row in tx.select(_ListedSms, sql, (*values, most))]


def count_inbound(tx: Transaction, wanted: InboundFilter, most: int) -> int:
    """Return how many inbound SMS fit, `most` where there are more."""
    conditions, values = _conditions(wanted)
    fitting = f"SELECT 1 FROM inbound_sms s WHERE {' AND '.join(conditions)} LIMIT ?"  # noqa: S608 - ours
    return int(tx.value(f"SELECT count(*) FROM ({fitting}) c", (*values, most)))  # noqa: S608 - ours


def _conditions(wanted: InboundFilter) -> tuple[list[str], list[Any]]:
    asked: list[tuple[str, Any]] = [
        ("s.customer_key = ?", wanted.customer_key),
        ("s.phone = ?", wanted.phone or None),
        ("ltrim(s.destination, '+') = ?", wanted.number or None),
        ("s.keyword = ?", wanted.keyword or None),
        (_MAILED, wanted.user or None),
        ("s.received_at >= ?", wanted.since),
        ("s.received_at < ?", wanted.until),
    ]
    conditions = ["s.received_at >= 0", *(sql for sql, value in asked if value is not None)]
    values = [value for _, value in asked if value is not None]
    if wanted.handed:
        conditions.append(f"({' OR '.join(_HANDED[one] for one in sorted(wanted.handed))})")
    return conditions, values


def find_inbound_of(tx: Transaction, customer_key: int, public_id: str) -> int | None:
    """Return the key of a customer's inbound SMS."""
    key = tx.value("SELECT key FROM inbound_sms WHERE public_id = ? AND customer_key = ?", (public_id, customer_key))
    return None if key is None else int(key)


def _listed(row: _ListedSms) -> ListedSms:
    handed = None
    if row.reason:
        handed = Handed.NOBODY
    elif row.sent:
        handed = Handed.YES
    elif row.waiting:
        handed = Handed.WAITS
    elif row.ended:
        handed = Handed.NO
    return ListedSms(
        place=DetailPlace(row.received_at, row.key),
        public_id=row.public_id,
        received_at=to_instant(row.received_at),
        source=row.source,
        destination=row.destination,
        customer=row.customer,
        carrier=row.carrier,
        keyword=row.keyword,
        total=row.total,
        missing=places_of(row.missing),
        reason=row.reason,
        handed=handed,
    )
