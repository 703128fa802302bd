"""What waits in the queue, as an administrator sees it. Not here: what is done with it (queue)."""

from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from msgspec import Struct
from msgspec.structs import asdict

from store.engine.database import Transaction
from store.engine.keys import to_instant
from store.engine.rows import query
from store.serialise import thaw_blackouts
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
    cause: str
    blackouts: tuple[tuple[datetime, datetime], ...]
    due_at: datetime
    expires_at: datetime

    def blackout_ends(self, now: datetime) -> datetime | None:
        """Return when the period ends in which it may not go out now, None outside of all."""
        return next((end for start, end in self.blackouts if start <= now < end), None)


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
    cause: str
    blackouts: str | None
    priority: int
    due_at: int
    key: int
    expires_at: int


_WAITING = query(
    _WaitingMessage,
    "FROM message m JOIN job j ON j.key = m.job_key WHERE ",
    "m",
    job_id="j.public_id",
    message_id="m.public_id",
    customer="j.customer",
    express="m.priority = 0",
)
# Through the index of what is claimed next, so that the first of a million are found at once.
_QUEUED = _WAITING + "m.state = 'queued' AND m.route = ? AND m.priority = ? ORDER BY m.due_at, m.key LIMIT ?"
_WITH_CARRIERS = _WAITING + "NOT ended AND m.state <> 'queued' ORDER BY m.watch_at LIMIT ?"
# Each route by one look into that index: «DISTINCT» would read all of it.
_ROUTES = (
    "WITH RECURSIVE r(route) AS (SELECT MIN(route) FROM message WHERE state = 'queued' UNION ALL"
    " SELECT (SELECT MIN(m.route) FROM message m WHERE m.state = 'queued' AND m.route > r.route) FROM r"
    " WHERE r.route IS NOT NULL) SELECT route FROM r WHERE route IS NOT NULL"
)


def list_routes(tx: Transaction) -> list[str]:
    """Return the routes on which messages are queued."""
    return [route for (route,) in tx.rows(_ROUTES)]


def list_messages(tx: Transaction, limit: int) -> list[WaitingMessage]:
    """Return messages that have not ended: what is queued in the order in which it will be taken, then the others."""
    rows: list[_WaitingMessage] = []
    for route in list_routes(tx):
        for priority in (0, 1):
            rows += tx.select(_WaitingMessage, _QUEUED, (route, priority, limit))
    rows = sorted(rows, key=attrgetter("priority", "due_at", "key"))[:limit]
    if len(rows) < limit:
        rows += tx.select(_WaitingMessage, _WITH_CARRIERS, (limit - len(rows),))
    return [_waiting(row) for row in rows]


def _waiting(row: _WaitingMessage) -> WaitingMessage:
    values = asdict(row)
    del values["priority"], values["key"]
    return WaitingMessage(
        **values
        | {
            "due_at": to_instant(when_due(row.due_at)),
            "expires_at": to_instant(row.expires_at),
            "blackouts": tuple(
                (to_instant(start), to_instant(end)) for start, end in thaw_blackouts(row.blackouts or "[]")
            ),
        }
    )


def when_due(stored: int) -> int:
    """Return when a message is due, or would be if it were not held, in microseconds."""
    return stored - FAR if stored >= FAR else stored
