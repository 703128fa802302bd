"""The doors at which ESMEs bind: one listening socket each, in clear or under TLS from the first octet.

Not here: one connection (connection), what the operator's file says of doors (process.smpp_server).
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence

import structlog

from addressbook.people import IpNetwork
from gateway.handshake import HandshakeFirst
from gateway.listener import ConnectionLimits, Listener
from gateway.proxied import Proxied
from smpp.server.connection import EsmeConnection, EsmeService

log = structlog.get_logger()


class EsmeDoor:
    """A listener at `host`:`port` (0: any free port), under TLS where `contexts` is given.

    Connections from `proxies` begin with the header of the PROXY protocol.
    """

    def __init__(  # noqa: PLR0913 - all by name
        self,
        service: EsmeService,
        *,
        host: str,
        port: int,
        connections: ConnectionLimits,
        contexts: Callable[[], ssl.SSLContext] | None = None,
        proxies: Sequence[IpNetwork] = (),
    ) -> None:
        self._service = service
        self._host = host
        self._port = port
        self._connections = connections
        self._contexts = contexts
        self._proxies = proxies
        self._listener: Listener | None = None

    @property
    def port(self) -> int:
        """The port on which it listens, once started."""
        return self._listener.addresses[0][1] if self._listener is not None else self._port

    async def start(self) -> None:
        """Listen. Raises OSError where that can't be."""
        listener = Listener(self._connections, asyncio.get_running_loop(), self._proxies)
        contexts = self._contexts

        def make(proxied: Proxied | None) -> asyncio.Protocol:
            return EsmeConnection(self._service, listener, proxied).link

        def first(proxied: Proxied | None) -> asyncio.Protocol:
            return make(proxied) if contexts is None else HandshakeFirst(listener, contexts, make, proxied)

        await listener.open(first, host=self._host, port=self._port, sock=None)
        self._listener = listener
        log.info("esme_listening", addresses=[f"{host}:{port}" for host, port in listener.addresses])

    async def stop(self, grace_seconds: float) -> None:
        """Take nothing new, answer what was asked, unbind every ESME up to the grace, then end them."""
        if self._listener is not None:
            await self._listener.close(grace_seconds)
