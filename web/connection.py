"""One HTTP connection: uvicorn's protocol, counted by our listener and bounded in time.

uvicorn bounds how long an idle connection is kept and how large a head may be, and nothing else; what bounds a slow or
silent peer is here. Not here: what is answered (web.front and the applications), counting (gateway.listener), TLS
(gateway.handshake). RFC 9112.
"""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import cast

import h11
import structlog
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from gateway.listener import ConnectionLimits, Listener
from gateway.proxied import Proxied

log = structlog.get_logger()

_TOO_MANY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """What one connection may cost. Sizes are octets, times are seconds; a head is the request line with its headers.

    `head_seconds` also bounds how long a new connection may say nothing, `stalled_seconds` how long a peer may read
    nothing of an answer.
    """

    head: int = 16 * 1024
    body: int = 1024 * 1024
    head_seconds: float = 10.0
    body_seconds: float = 60.0
    keep_alive_seconds: int = 20
    stalled_seconds: float = 60.0
    connections: ConnectionLimits = field(default_factory=lambda: ConnectionLimits(total=500, per_address=50))


class _ToStructlog(logging.Handler):
    """uvicorn's lines about wrong requests, which any peer can cause, as ours at the level debug."""

    def emit(self, record: logging.LogRecord) -> None:
        log.debug("http_incident", incident=record.getMessage())


def make_logger() -> logging.Logger:
    """Return the logger of a server's connections; the program's own arrangement of `logging` is left as it is."""
    logger = logging.Logger("http")  # noqa: LOG001 - of one server, not of the process
    logger.setLevel(logging.INFO)
    logger.addHandler(_ToStructlog())
    return logger


class HttpConnection(H11Protocol):
    """Fulfils gateway.listener.ListenerConnection."""

    def __init__(  # noqa: PLR0913, PLR0917 - uvicorn's and ours
        self,
        config: Config,
        state: ServerState,
        listener: Listener,
        limits: HttpLimits,
        logger: logging.Logger,
        proxied: Proxied | None,
    ) -> None:
        super().__init__(config, state, {}, _loop=listener.loop)
        self.logger = logger
        self.access_log = False  # it would show queries
        self._listener = listener
        self._limits = limits
        self._proxied = proxied
        self._refused = False
        self._awaited: tuple[str, object] | None = None
        self._awaited_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Count the connection; beyond the bounds it hears 503."""
        peer = self._proxied.client if self._proxied else transport.get_extra_info("peername")
        address = str(peer[0]) if isinstance(peer, tuple) else ""
        if self._listener.admit(self, address, self._proxied) is not None:
            self._refused = True
            transport.write(_TOO_MANY)
            transport.close()
            return
        super().connection_made(transport)
        self.client = self._proxied.client if self._proxied else self.client
        self._awaited, self._awaited_since = ("head", None), self.loop.time()

    def data_received(self, data: bytes) -> None:
        """Read on; of a refused connection nothing."""
        if not self._refused:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count the connection out."""
        if not self._refused:
            self._unset_keepalive_if_required()
            super().connection_lost(exc)
            self._listener.release(self)

    def tick(self, now: float) -> None:
        """Cut a peer that lets us wait too long for one thing: a head, a body, or that it reads."""
        awaited = self._find_awaited()
        if awaited is None or awaited != self._awaited:
            self._awaited, self._awaited_since = awaited, now
            return
        bounds = {"head": self._limits.head_seconds, "body": self._limits.body_seconds}
        if now - self._awaited_since > bounds.get(awaited[0], self._limits.stalled_seconds):
            log.debug("http_incident", incident=f"{awaited[0]} too slow", rip=self.client and self.client[0])
            self.abort()

    def shut_down(self) -> None:
        """Close now if no answer is under way, else after it."""
        self.shutdown()

    @property
    def waiting_since(self) -> float | None:
        """Since when it waits for a head; None while it may not be given up."""
        return self._awaited_since if self._awaited is not None and self._awaited[0] == "head" else None

    def give_way(self) -> None:
        """Close now, for one who needs the place."""
        self.abort()

    def abort(self) -> None:
        """Drop the connection now."""
        self.transport.abort()

    def _find_awaited(self) -> tuple[str, object] | None:
        """Return what we wait for, and of which request; the time between requests is uvicorn's to bound."""
        if self.flow.write_paused:
            return "reading", self.cycle
        if self.conn.their_state is h11.SEND_BODY:
            return "body", self.cycle
        begun = bool(self.conn.trailing_data[0])
        if self.conn.their_state is h11.IDLE and (begun or cast("object | None", self.cycle) is None):
            return "head", self.cycle
        return None
