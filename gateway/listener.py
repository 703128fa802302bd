"""One listening socket and its connections: their number, origin, clock, and end.

Every door has one: SMTP (mta.smtp.server), HTTP (web). Not here: what is said on a connection.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from addressbook.people import IpNetwork
from gateway.limits import client_network
from gateway.proxied import HeaderFirst, MakeConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """How many at once. The /64 of an IPv6 client counts as one. Times are seconds.

    `handshakes` and `handshake_seconds` bound open TLS handshakes, `header_seconds` how long a proxy may take to name
    its client, `linger_seconds` how long a refused peer may take to read its last reply, `sweep_seconds` is the
    resolution of every timer of a dialogue.
    """

    total: int = 2000
    per_address: int = 200
    handshakes: int = 200
    handshake_seconds: float = 20.0
    header_seconds: float = 5.0
    linger_seconds: float = 5.0
    sweep_seconds: float = 1.0


class ListenerConnection(Protocol):
    """What a listener needs from its connections."""

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
        self._connections: dict[ListenerConnection, str] = {}
        self._per_address: Counter[str] = Counter()
        self._handshakes = 0
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

    def admit(self, connection: ListenerConnection, address: str) -> bool:
        """Count a new connection in, unless there are too many; an admitted one must be released."""
        key = client_network(address)
        limits = self.limits
        if len(self._connections) >= limits.total or self._per_address[key] >= limits.per_address:
            return False
        self._connections[connection] = key
        self._per_address[key] += 1
        return True

    def admit_proxy(self, connection: ListenerConnection) -> bool:
        """Count in a connection that has not named its client yet, unless there are too many in all."""
        if len(self._connections) >= self.limits.total:
            return False
        self._connections[connection] = ""
        self._per_address[""] += 1
        return True

    def release(self, connection: ListenerConnection) -> None:
        """Count a connection out; one never admitted, or released before, is ignored."""
        key = self._connections.pop(connection, None)
        if key is None:
            return
        self._per_address[key] -= 1
        if not self._per_address[key]:
            del self._per_address[key]
        if not self._connections:
            self._emptied.set()

    def begin_handshake(self) -> bool:
        """Count a handshake in, unless too many are open."""
        if self._handshakes >= self.limits.handshakes:
            return False
        self._handshakes += 1
        return True

    def end_handshake(self) -> None:
        """Count a handshake out."""
        self._handshakes -= 1

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

    def _sweep(self) -> None:
        # Plan the next sweep first: an error in one connection must not stop the others' clocks.
        self._sweeper = self.loop.call_later(self.limits.sweep_seconds, self._sweep)
        now = self.loop.time()
        for connection in list(self._connections):
            connection.tick(now)
