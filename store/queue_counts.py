"""How much waits and since when, counted through narrow indexes: the same cost per row with ten or a million of them.

Not here: what waits, one by one (queue, outbox_views).
"""

from dataclasses import dataclass
from datetime import datetime

from msgspec import Struct

from store.engine.database import Transaction
from store.engine.keys import to_instant
from store.engine.rows import query
from store.tables import FAR


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueCount:
    """How many rows of one kind wait; `late` of them could go out, `oldest_at` is since when the first could."""

    name: str
    waiting: int
    late: int = 0
    held: int = 0
    oldest_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxCount:
    """How many rows of the outbox wait by one channel; `oldest_at` is since when the first is due, None: none is."""

    channel: str
    kind: str
    state: str
    rows: int
    oldest_at: datetime | None = None


class _CountedRows(Struct, frozen=True, array_like=True):
    channel: str
    kind: str
    state: str
    rows: int
    oldest: int


class _Counted(Struct, frozen=True, array_like=True):
    name: str
    waiting: int
    late: int
    held: int
    oldest: int | None


_LATE = "SUM(CASE WHEN due_at <= ? THEN 1 ELSE 0 END)"
_HELD = f"SUM(CASE WHEN due_at >= {FAR} THEN 1 ELSE 0 END)"
_COUNTED = {"waiting": "COUNT(*)", "late": _LATE, "held": _HELD, "oldest": "MIN(due_at)"}
_MESSAGES = query(
    _Counted, "FROM message WHERE state = 'queued' GROUP BY route ORDER BY route", name="route", **_COUNTED
)
_NOTICES = query(
    _Counted,
    "FROM outbox WHERE state = 'queued' GROUP BY channel, destination ORDER BY 3 DESC, 1",
    name="destination",
    **_COUNTED,
)
# Each half has its own narrow index.
_ROWS = (
    "SELECT channel, kind, 'queued', COUNT(*), MIN(due_at) FROM outbox WHERE state = 'queued' GROUP BY channel, kind"
    " UNION ALL "
    "SELECT channel, kind, 'sending', COUNT(*), MIN(due_at) FROM outbox WHERE state = 'sending' GROUP BY channel, kind"
    " ORDER BY 1, 2, 3"
)
_OUT = "SELECT COUNT(*) FROM message WHERE state = 'submitting'"


def count_messages(tx: Transaction, late: int) -> list[QueueCount]:
    """Return what is queued, by the carriers that may take it; late is what was due before `late` (microseconds)."""
    return _counted(tx, _MESSAGES, late)


def count_notices(tx: Transaction, late: int) -> list[QueueCount]:
    """Return the mails and pushes that wait, by the domain or host that they go to, the most late ones first."""
    return _counted(tx, _NOTICES, late)


def count_outbox(tx: Transaction, now: int) -> list[OutboxCount]:
    """Return what waits in the outbox or is being sent, at an instant (microseconds)."""
    return [
        OutboxCount(
            channel=row.channel,
            kind=row.kind,
            state=row.state,
            rows=row.rows,
            oldest_at=to_instant(row.oldest) if row.oldest <= now else None,
        )
        for row in tx.select(_CountedRows, _ROWS)
    ]


def count_submitting(tx: Transaction) -> int:
    """Return how many messages carriers are being given now."""
    return int(tx.value(_OUT))


def _counted(tx: Transaction, sql: str, late: int) -> list[QueueCount]:
    return [
        QueueCount(
            name=row.name,
            waiting=row.waiting,
            late=row.late,
            held=row.held,
            oldest_at=to_instant(row.oldest) if row.late and row.oldest is not None else None,
        )
        for row in tx.select(_Counted, sql, (late,))
    ]


def count_fragments(tx: Transaction) -> int:
    """Return how many parts of inbound SMS wait for their others."""
    return int(tx.value("SELECT count(*) FROM inbound_fragment"))


def has_directories(tx: Transaction) -> bool:
    """Return whether any customer has a directory."""
    return bool(tx.rows("SELECT 1 FROM directory LIMIT 1"))
