"""The state per destination: open connections for reuse, a bound on their number, and a breaker.

A destination is one domain under one policy; two never share anything. Not here: making and using a connection
(mta.sending.deliver). A dead destination takes only its own places, so it never delays another.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from sms.outcome import Problem
from sms.retry import CLOSED, Breaker


class PooledConnection(Protocol):
    """An open connection that can take several mails in turn."""

    @property
    def usable(self) -> bool:
        """Whether it can take another mail."""

    async def close(self) -> None:
        """Close it soon, with QUIT; never raises for faults of the peer."""


C = TypeVar("C", bound=PooledConnection)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLimits:
    """Connections per destination at a time, seconds to wait for a place, seconds an idle connection is kept."""

    connections: int = 5
    waiting: int = 100
    wait_seconds: float = 10.0
    idle_seconds: float = 20.0
    destinations: int = 10_000


@dataclass(slots=True)
class Destination(Generic[C]):
    """One destination's places, idle connections and breaker.

    `problem` is its last failure; `failures` counts its TLS policy failures in a row.
    """

    places: asyncio.Semaphore
    breaker: Breaker = CLOSED
    problem: Problem | None = None
    failures: int = 0
    waiting: int = 0
    active: int = 0
    idle: dict[Hashable, list[tuple[C, asyncio.TimerHandle]]] = field(default_factory=dict)


class Destinations(Generic[C]):
    """All destinations; the least recently used are forgotten first, never one in use."""

    def __init__(self, limits: PoolLimits) -> None:
        self.limits = limits
        self._known: OrderedDict[Hashable, Destination[C]] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()

    def get(self, key: Hashable) -> Destination[C]:
        """Return the destination of this key, new ones empty."""
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = Destination(places=asyncio.Semaphore(self.limits.connections))
            self._forget()
        self._known.move_to_end(key)
        return found

    def _forget(self) -> None:
        surplus = len(self._known) - self.limits.destinations
        for key, destination in list(self._known.items())[: max(surplus, 0)]:
            if not destination.active and not destination.waiting and not destination.idle:
                del self._known[key]

    async def enter(self, destination: Destination[C]) -> bool:
        """Take a place, after a short wait if needed; False if the destination is too busy."""
        if destination.waiting >= self.limits.waiting:
            return False
        destination.waiting += 1
        try:
            async with asyncio.timeout(self.limits.wait_seconds):
                await destination.places.acquire()
        except TimeoutError:
            return False
        finally:
            destination.waiting -= 1
        destination.active += 1
        return True

    def leave(self, destination: Destination[C]) -> None:
        """Give the place back."""
        destination.active -= 1
        destination.places.release()

    def take(self, destination: Destination[C], key: Hashable) -> C | None:
        """Remove and return the last used idle connection of exactly this key."""
        while kept := destination.idle.get(key):
            connection, timer = kept.pop()
            timer.cancel()
            if not kept:
                del destination.idle[key]
            if connection.usable:
                return connection
            self.discard(connection)
        return None

    def keep(self, destination: Destination[C], key: Hashable, connection: C) -> None:
        """Keep a connection for a while for the next mail of this key."""
        if not connection.usable:
            self.discard(connection)
            return
        expire: Callable[[], None] = lambda: self._expire(destination, key, connection)  # noqa: E731 - named for its type
        timer = asyncio.get_running_loop().call_later(self.limits.idle_seconds, expire)
        destination.idle.setdefault(key, []).append((connection, timer))

    def _expire(self, destination: Destination[C], key: Hashable, connection: C) -> None:
        rest = [pair for pair in destination.idle.get(key, []) if pair[0] is not connection]
        if rest:
            destination.idle[key] = rest
        else:
            destination.idle.pop(key, None)
        self.discard(connection)

    def discard(self, connection: C) -> None:
        """Close a connection without waiting for it."""
        task = asyncio.get_running_loop().create_task(connection.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close every idle connection and wait until all are closed."""
        for destination in self._known.values():
            for kept in destination.idle.values():
                for connection, timer in kept:
                    timer.cancel()
                    self.discard(connection)
            destination.idle.clear()
        if self._closing:
            await asyncio.wait(self._closing)
