"""What waits in the queue, as an administrator sees it. Not here: what is done with it (queue)."""

from dataclasses import dataclass
from datetime import datetime

from msgspec import Struct
from msgspec.structs import asdict

from store.engine.database import Transaction
from store.engine.keys import to_instant
from store.engine.rows import query
from store.tables import FAR


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingMessage:
    """One message that has not ended. `due_at` is when it goes out, for a held one that is released as well."""

    job_id: str
    message_id: str
    customer: str
    number: str
    state: str
    held: bool
    express: bool
    route: str
    attempts: int
    reason: str
    problem: str
    due_at: datetime
    expires_at: datetime


class _WaitingMessage(Struct, array_like=True):
    """The same as it is stored."""

    job_id: str
    message_id: str
    customer: str
    number: str
    state: str
    held: bool
    express: bool
    route: str
    attempts: int
    reason: str
    problem: str
    due_at: int
    expires_at: int


_WAITING = query(
    _WaitingMessage,
    "FROM message m JOIN job j ON j.key = m.job_key WHERE NOT m.ended ORDER BY m.priority, m.due_at, m.key LIMIT ?",
    "m",
    job_id="j.public_id",
    message_id="m.public_id",
    customer="j.customer",
    express="m.priority = 0",
)


def list_messages(tx: Transaction, limit: int) -> list[WaitingMessage]:
    """Return messages that have not ended, in the order in which they will be taken."""
    return [
        WaitingMessage(
            **asdict(row) | {"due_at": to_instant(when_due(row.due_at)), "expires_at": to_instant(row.expires_at)}
        )
        for row in tx.select(_WaitingMessage, _WAITING, (limit,))
    ]


def when_due(stored: int) -> int:
    """Return when a message is due, or would be if it were not held, in microseconds."""
    return stored - FAR if stored >= FAR else stored
