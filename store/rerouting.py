"""Queued messages that are given another route: at the start where no carrier of today is on theirs, or by hand.

Not here: which route a number has (gateway.routing), which message may go by which route (gateway.rerouting).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import peewee
from msgspec import Struct
from msgspec.structs import asdict

from sms.message import Alphabet
from store.engine.database import Transaction
from store.engine.keys import Keys, to_instant
from store.engine.rows import query
from store.engine.statements import Insert, Update
from store.queue_views import list_routes
from store.tables import FAR, KeyedRow, MessageRow

PORTION: Final = 1_000
"""So many messages are read, or given a route, in one transaction."""


class MessageRerouteRow(KeyedRow):
    """That a message which waited was given another route by hand: by whom, and when."""

    message_key = peewee.BigIntegerField(index=True)
    before = peewee.TextField()
    after = peewee.TextField()
    who = peewee.TextField()
    rerouted_at = peewee.BigIntegerField()

    class Meta:  # noqa: D106 - configuration, the docstring is the model's
        table_name = "message_reroute"


class StrandedRoute(Struct, frozen=True, kw_only=True, array_like=True):
    """One queued message on a route that nobody serves; `tried` has given it back."""

    key: int
    number: str
    sender: str
    tried: str
    customer: str
    customer_key: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRoute:
    """The route that a message gets."""

    key: int
    route: str


_STRANDED = query(
    StrandedRoute,
    "FROM message m JOIN job j ON j.key = m.job_key WHERE m.state = 'queued' AND m.route = ? LIMIT ?",
    "m",
    customer="j.customer",
    customer_key="j.customer_key",
)


def find_stranded(tx: Transaction, known: frozenset[str]) -> list[StrandedRoute]:
    """Return up to a thousand queued messages whose route is not a known one."""
    strays: list[StrandedRoute] = []
    for route in sorted(set(list_routes(tx)) - known):
        strays += tx.select(StrandedRoute, _STRANDED, (route, PORTION - len(strays)))
    return strays


def reroute(tx: Transaction, batches: list[list[NewRoute]]) -> list[int]:
    """Give messages their new routes; returns how many each batch changed."""
    for batch in batches:
        changes = [(item.route, item.key) for item in batch]
        tx.execute_many("UPDATE message SET route = ? WHERE key = ? AND state = 'queued'", changes)
    return [len(batch) for batch in batches]


def look_again(tx: Transaction, routes: list[str]) -> list[int]:
    """Take a route away from the queued messages that have it, so that `find_stranded` finds them; returns how many."""
    return [
        tx.execute("UPDATE message SET route = '' WHERE state = 'queued' AND route = ?", (route,)) for route in routes
    ]


class QueuedMessage(Struct, frozen=True, kw_only=True, array_like=True):
    """One queued message with all that a route must bear; `divided` says that only its carrier may divide it.

    A part of it `is_begun` where a carrier has it, or may have it.
    """

    key: int
    number: str
    sender: str
    route: str
    tried: str
    customer: str
    customer_key: int
    body: str
    alphabet: Alphabet
    parameters: str
    locking_shift: int
    single_shift: int
    divided: bool
    is_begun: bool
    attempts: int
    priority: int
    due_at: int

    @property
    def place(self) -> tuple[int, int, int]:
        """Where it stands in the queue of its route."""
        return self.priority, self.due_at, self.key


@dataclass(frozen=True, slots=True, kw_only=True)
class RerouteBatch:
    """Messages that get another route at an instant (microseconds), in the name of somebody."""

    messages: Sequence[QueuedMessage]
    route: str
    who: str
    now: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedReroute:
    """That a message was given another route, in a trace."""

    message_id: str
    before: str
    after: str
    who: str
    rerouted_at: datetime


class _Reroute(Struct, array_like=True):
    message_id: str
    before: str
    after: str
    who: str
    rerouted_at: int


_QUEUED = query(
    QueuedMessage,
    "FROM message m JOIN job j ON j.key = m.job_key WHERE m.state = 'queued' AND ",
    "m",
    customer="j.customer",
    customer_key="j.customer_key",
    divided="j.esme <> '' AND m.part_count > 1 AND m.udh = ''",
    # A part that waits to be sent again for want of an answer may be with its carrier.
    is_begun="(SELECT 1 FROM part p WHERE p.message_key = m.key AND (p.state <> 'queued' OR p.resends > 0) LIMIT 1)"
    " IS NOT NULL",
)
# In the order of the index of what is claimed next.
_NEXT = (
    _QUEUED + "m.route = ? AND (m.priority, m.due_at, m.key) > (?, ?, ?) ORDER BY m.priority, m.due_at, m.key LIMIT ?"
)
_THESE = _QUEUED + "m.key IN (??)"
_FREE = "SELECT key FROM message WHERE state = 'queued' AND key IN (??) FOR UPDATE SKIP LOCKED"
_REROUTES = query(
    _Reroute,
    "FROM message_reroute r JOIN message m ON m.key = r.message_key WHERE m.job_key = ? ORDER BY r.key",
    "r",
    message_id="m.public_id",
)
_MOVED = Update(MessageRow, "route", "due_at", also="repeats = 0")
_REROUTED = Insert(MessageRerouteRow)
FIRST_PLACE: Final = (-1, 0, 0)


def find_queued(tx: Transaction, route: str, after: tuple[int, int, int]) -> list[QueuedMessage]:
    """Return the next thousand that are queued on a route, behind a place."""
    return tx.select(QueuedMessage, _NEXT, (route, *after, PORTION))


def find_queued_of(tx: Transaction, keys: Collection[int]) -> list[QueuedMessage]:
    """Return those of these messages that are queued."""
    return tx.select_in(QueuedMessage, _THESE, keys)


def lock_queued(tx: Transaction, keys: Collection[int]) -> list[QueuedMessage]:
    """Return those of these messages that are queued and that no other transaction works on, and keep them so."""
    return find_queued_of(tx, [key for (key,) in tx.rows_in(_FREE, keys)])


def move(tx: Transaction, keys: Keys, batch: RerouteBatch) -> None:
    """Give locked messages a route: what failed on the old one is due now, all others when they were.

    Each is remembered for its trace.
    """
    moved, told = [], []
    for item in batch.messages:
        waits_again = item.attempts and batch.now < item.due_at < FAR
        moved.append(_MOVED.row(route=batch.route, due_at=batch.now if waits_again else item.due_at, key=item.key))
        told.append(
            _REROUTED.row(
                key=keys.take(),
                message_key=item.key,
                before=item.route,
                after=batch.route,
                who=batch.who,
                rerouted_at=batch.now,
            )
        )
    tx.update(_MOVED, moved)
    tx.insert(_REROUTED, told)


def load_reroutes(tx: Transaction, job_key: int) -> tuple[TracedReroute, ...]:
    """Return how the messages of a job were given other routes, oldest first."""
    return tuple(
        TracedReroute(**asdict(row) | {"rerouted_at": to_instant(row.rerouted_at)})
        for row in tx.select(_Reroute, _REROUTES, (job_key,))
    )
