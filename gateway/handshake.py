"""TLS from the first octet: the handshake comes first, counted and bounded, then the protocol behind it begins.

A context is asked for at each handshake, so that a new certificate is used from the next connection on. Works on
asyncio's own loop and on uvloop. Not here: what is said under TLS, where contexts come from (tls.contexts). RFC 9325.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

import structlog

from gateway.listener import Listener
from gateway.proxied import MakeConnection, Proxied

log = structlog.get_logger()


def feed_tls(transport: asyncio.Transport, encrypted: bytes) -> None:
    """Give a transport's TLS layer the octets from before it: uvloop reads after `connection_made`, even if paused."""
    layer = cast("asyncio.BufferedProtocol", transport.get_protocol())
    while encrypted:
        room = memoryview(layer.get_buffer(len(encrypted)))
        count = min(len(room), len(encrypted))
        room[:count] = encrypted[:count]
        layer.buffer_updated(count)
        encrypted = encrypted[count:]


class HandshakeFirst(asyncio.Protocol):
    """Fulfils gateway.listener.ListenerConnection until the handshake is done; `make` makes the protocol behind it."""

    def __init__(
        self,
        listener: Listener,
        contexts: Callable[[], ssl.SSLContext],
        make: MakeConnection,
        proxied: Proxied | None,
    ) -> None:
        self._listener = listener
        self._contexts = contexts
        self._make = make
        self._proxied = proxied
        self._transport: asyncio.Transport | None = None
        self._encrypted: list[bytes] | None = []
        self._decrypted: list[bytes] = []
        self._ended = False
        self.waiting_since: float | None = listener.loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake, unless there are too many connections or handshakes."""
        self._transport = cast("asyncio.Transport", transport)
        peer = self._proxied.client if self._proxied else transport.get_extra_info("peername")
        address = str(peer[0]) if isinstance(peer, tuple) else ""
        if self._listener.admit(self, address, self._proxied) is not None or not self._listener.begin_handshake(self):
            self._transport.abort()
            return
        self._transport.pause_reading()
        self._listener.start(self._begin(self._transport, address))

    def data_received(self, data: bytes) -> None:
        """Keep what comes before the handshake begins, and what comes under TLS before its end was noticed."""
        (self._decrypted if self._encrypted is None else self._encrypted).append(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - how it ended makes no difference
        """Count the connection out."""
        self._ended = True
        self._listener.release(self)

    def tick(self, now: float) -> None:
        """Leave the time to the handshake, which has a bound of its own."""

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

    async def _begin(self, transport: asyncio.Transport, address: str) -> None:
        loop = self._listener.loop
        try:
            loop.call_soon(self._pass_on_encrypted)
            secured = await loop.start_tls(
                transport,
                self,
                self._contexts(),
                server_side=True,
                ssl_handshake_timeout=self._listener.limits.handshake_seconds,
            )
        except OSError as error:
            write = log.debug if isinstance(error, ConnectionError) else log.info
            write("tls_handshake_failed", rip=address, error=str(error)[:200])
            secured = None
        finally:
            self._listener.end_handshake(self)
        if secured is None or self._ended:
            self.abort()
            self._listener.release(self)
            return
        self._listener.release(self)  # the protocol behind counts the same connection
        behind = self._make(self._proxied)
        secured.set_protocol(behind)
        behind.connection_made(secured)
        for data in self._decrypted:
            behind.data_received(data)

    def _pass_on_encrypted(self) -> None:
        encrypted, self._encrypted = b"".join(self._encrypted or ()), None
        if not self._ended and self._transport is not None:
            feed_tls(self._transport, encrypted)
