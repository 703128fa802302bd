"""Connections through a proxy: from a listed address they begin with its header, which says whose they are.

From any other address nothing is read here: what looks like a header is then what the client says. Not here: the
header's form (gateway.proxy_header).
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Protocol, cast

import structlog

from addressbook.people import IpNetwork
from gateway.proxy_header import MalformedHeaderError, read_proxy_header

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxied:
    """The client behind a proxy, and whether it spoke before it could hear us.

    A proxy that speaks for itself, to see whether we live, is its own client (`is_proxy`).
    """

    client: tuple[str, int]
    early: bool
    is_proxy: bool


MakeConnection = Callable[[Proxied | None], asyncio.Protocol]


class _Door(Protocol):
    """What is needed of a listener."""

    def admit_proxy(self, connection: "HeaderFirst") -> bool: ...

    def release(self, connection: "HeaderFirst") -> None: ...


class HeaderFirst(asyncio.Protocol):
    """Fulfils gateway.listener.ListenerConnection until the header is read; `make` makes the connection behind it."""

    def __init__(self, door: _Door, proxies: Sequence[IpNetwork], seconds: float, make: MakeConnection) -> None:
        self._door = door
        self._proxies = proxies
        self._seconds = seconds
        self._make = make
        self._transport: asyncio.Transport | None = None
        self._data = b""
        self.waiting_since: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Await the header of a listed proxy; another peer's connection begins at once."""
        self._transport = cast("asyncio.Transport", transport)
        if not self._is_listed():
            self._begin(None)
        elif not self._door.admit_proxy(self):
            log.warning("proxy_connection_refused", proxy=self._peer()[0])
            self.abort()

    def data_received(self, data: bytes) -> None:
        """Read the header; what follows it is the client's."""
        self._data += data
        try:
            header = read_proxy_header(self._data)
        except MalformedHeaderError as error:
            log.warning("proxy_header_malformed", proxy=self._peer()[0], why=str(error))
            self.abort()
            return
        if header is not None:
            self._door.release(self)
            rest = self._data[header.octets :]
            client, own = header.client or self._peer(), header.client is None
            behind = self._begin(Proxied(client=client, early=bool(rest), is_proxy=own))
            if rest:
                behind.data_received(rest)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - how it ended makes no difference
        """Count the connection out."""
        self._door.release(self)

    def tick(self, now: float) -> None:
        """Cut a proxy that takes too long; the first tick begins its time."""
        self.waiting_since = now if self.waiting_since is None else self.waiting_since
        if now - self.waiting_since > self._seconds:
            log.warning("proxy_header_missing", proxy=self._peer()[0])
            self.abort()

    def shut_down(self) -> None:
        """Nothing is under way."""
        self.abort()

    def give_way(self) -> None:
        """Close now, for one who needs the place."""
        self.abort()

    def abort(self) -> None:
        """Drop the connection now."""
        if self._transport is not None:
            self._transport.abort()

    def _begin(self, proxied: Proxied | None) -> asyncio.Protocol:
        assert self._transport is not None
        behind = self._make(proxied)
        self._transport.set_protocol(behind)
        behind.connection_made(self._transport)
        return behind

    def _peer(self) -> tuple[str, int]:
        peer = self._transport.get_extra_info("peername") if self._transport is not None else None
        return (str(peer[0]), int(peer[1])) if isinstance(peer, tuple) else ("", 0)

    def _is_listed(self) -> bool:
        try:
            address = ip_address(self._peer()[0].partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._proxies)
