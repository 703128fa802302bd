"""One listening socket and its connections: their number, origin, clock, and end.

Every door has one: SMTP (mta.smtp.server), HTTP (web). Not here: what is said on a connection.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from addressbook.people import IpNetwork
from gateway.limits import Rate, client_network, client_networks
from gateway.proxied import HeaderFirst, MakeConnection, Proxied

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """How many at once, and `per_minute` from one client. The /64 of an IPv6 client counts as one. Times are seconds.

    Twice as many may come from the /56 around it, and four times as many from the /48. A client that proves whose it is
    does not count for the minute. Where all places are taken, the one that has proven nothing and lets us wait longest
    makes room, after `spare_seconds` at least; so with handshakes. `handshakes` and `handshake_seconds` bound open TLS
    handshakes, `header_seconds` how long a proxy may take to name its client, `linger_seconds` how long a refused peer
    may take to read its last reply, `sweep_seconds` is the resolution of every timer of a dialogue.
    """

    total: int = 2000
    per_address: int = 200
    per_minute: int = 0
    spare_seconds: float = 5.0
    handshakes: int = 200
    handshake_seconds: float = 20.0
    header_seconds: float = 5.0
    linger_seconds: float = 5.0
    sweep_seconds: float = 1.0


class ListenerConnection(Protocol):
    """What a listener needs from its connections."""

    @property
    def waiting_since(self) -> float | None:
        """Since when it waits for a peer that has proven nothing; None while it may not be given up."""

    def give_way(self) -> None:
        """Close now, for one who needs the place; it is no longer counted."""

    def tick(self, now: float) -> None:
        """Take the time of the loop's clock."""

    def shut_down(self) -> None:
        """Close once nothing of the peer is under way."""

    def abort(self) -> None:
        """Drop the connection now."""


class Listener:
    """Counts and ends the connections of one socket. Its doors make the connections.

    Connections from `proxies` begin with the header of the PROXY protocol.
    """

    def __init__(
        self, limits: ConnectionLimits, loop: asyncio.AbstractEventLoop, proxies: Sequence[IpNetwork] = ()
    ) -> None:
        self.limits = limits
        self.loop = loop
        self._proxies = proxies
        self._server: asyncio.AbstractServer | None = None
        self._addresses: list[tuple[str, int]] = []
        self._connections: dict[ListenerConnection, tuple[tuple[str, int], ...]] = {}
        self._per_network: Counter[str] = Counter()
        self._handshakes: dict[ListenerConnection, float] = {}
        self._rate = Rate(limits.per_minute)
        self._told = Rate(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._emptied = asyncio.Event()
        self._sweeper: asyncio.TimerHandle | None = None

    @property
    def addresses(self) -> Sequence[tuple[str, int]]:
        """Host and real port of every socket."""
        return self._addresses

    @property
    def connections(self) -> int:
        """How many connections are open now."""
        return len(self._connections)

    async def open(self, make: MakeConnection, *, host: str | None, port: int, sock: socket.socket | None) -> None:
        """Listen on host and port, or on a given socket; `make` makes the protocol of each connection."""

        def factory() -> asyncio.Protocol:
            if not self._proxies:
                return make(None)
            return HeaderFirst(self, self._proxies, self.limits.header_seconds, make)

        if sock is None:
            server = await self.loop.create_server(factory, host, port, backlog=1024)
        else:
            server = await self.loop.create_server(factory, sock=sock, backlog=1024)
        self._server = server
        self._addresses = [opened.getsockname()[:2] for opened in server.sockets]
        self._sweep()

    def admit(self, connection: ListenerConnection, address: str, proxied: Proxied | None = None) -> str | None:
        """Count a new connection in, or return the limit that forbids it; an admitted one must be released.

        A proxy that speaks for itself is bounded by the total alone: it must not take us for dead for asking often.
        """
        networks = () if proxied is not None and proxied.is_proxy else client_networks(address)
        reached = self._limit_reached(networks)
        if reached is None:
            self._count_in(connection, networks)
        elif self._told.take(client_network(address), self.loop.time()):  # once a minute, or a flood would fill the log
            log.warning("connection_refused", rip=address, limit=reached)
        return reached

    def admit_proxy(self, connection: ListenerConnection) -> bool:
        """Count in a connection that has not named its client yet, unless there are too many in all."""
        if not self._has_room():
            return False
        self._count_in(connection, ())
        return True

    def forgive(self, address: str) -> None:
        """Let a connection of this client not count for its minute: it proved whose it is."""
        self._rate.give_back(client_networks(address), self.loop.time())

    def release(self, connection: ListenerConnection) -> None:
        """Count a connection out; one never admitted, or released before, is ignored."""
        for key, _ in self._connections.pop(connection, ()):
            self._per_network[key] -= 1
            if not self._per_network[key]:
                del self._per_network[key]
        if not self._connections:
            self._emptied.set()

    def begin_handshake(self, connection: ListenerConnection) -> bool:
        """Count a handshake in, unless too many are open."""
        now = self.loop.time()
        if len(self._handshakes) >= self.limits.handshakes:
            longest, since = next(iter(self._handshakes.items()))
            if now - since < self.limits.spare_seconds:
                return False
            self._give_up(longest)
        self._handshakes[connection] = now
        return True

    def end_handshake(self, connection: ListenerConnection) -> None:
        """Count a handshake out; one that ended before is ignored."""
        self._handshakes.pop(connection, None)

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a connection's work as a task that outlives the connection and ends by itself."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def stop_accepting(self) -> None:
        """Close the listening sockets; connections stay."""
        if self._server is not None:
            self._server.close()

    async def close(self, grace_seconds: float) -> None:
        """Stop accepting, close idle connections, let what is under way finish up to the grace, then cut.

        Returns after the last handler has returned, which may be later than the grace: handlers are never cancelled.
        """
        self.stop_accepting()
        for connection in list(self._connections):
            connection.shut_down()
        if self._connections:
            self._emptied.clear()
            try:
                await asyncio.wait_for(self._emptied.wait(), grace_seconds)
            except TimeoutError:
                for connection in list(self._connections):
                    connection.abort()
        while self._tasks:
            await asyncio.wait(self._tasks)
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None

    def _limit_reached(self, networks: tuple[tuple[str, int], ...]) -> str | None:
        limits = self.limits
        if any(self._per_network[key] >= limits.per_address * times for key, times in networks):
            return f"at most {limits.per_address} at a time from one client"
        if not self._rate.take_all(networks, self.loop.time()):
            return f"at most {limits.per_minute} a minute from one client that proves nothing"
        return None if self._has_room() else f"at most {limits.total} at a time"

    def _has_room(self) -> bool:
        """Return whether there is a place, or one was made."""
        if len(self._connections) < self.limits.total:
            return True
        waiting = [(since, one) for one in self._connections if (since := one.waiting_since) is not None]
        since, longest = min(waiting, key=lambda pair: pair[0], default=(0.0, None))
        if longest is None or self.loop.time() - since < self.limits.spare_seconds:
            return False
        self._give_up(longest)
        return True

    def _give_up(self, connection: ListenerConnection) -> None:
        self.end_handshake(connection)
        self.release(connection)
        connection.give_way()

    def _count_in(self, connection: ListenerConnection, networks: tuple[tuple[str, int], ...]) -> None:
        self._connections[connection] = networks
        self._per_network.update(key for key, _ in networks)

    def _sweep(self) -> None:
        # Plan the next sweep first: an error in one connection must not stop the others' clocks.
        self._sweeper = self.loop.call_later(self.limits.sweep_seconds, self._sweep)
        now = self.loop.time()
        for connection in list(self._connections):
            connection.tick(now)
