"""HTTP in: one listener that serves an ASGI application in the gateway's own loop.

uvicorn speaks HTTP/1.1, and our listener counts and ends its connections; uvicorn's own server is not used, since it
takes over signals, exits the process where a port is taken, and wakes ten times a second. Proxies are not trusted: no
header changes who the client is. Not here: what is served (the applications), what answers have in common (web.front).
"""

import asyncio
import ssl
from collections.abc import Callable, Collection, Sequence

import structlog
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp
from uvicorn import Config
from uvicorn.server import ServerState

from addressbook.people import IpNetwork
from gateway.handshake import HandshakeFirst
from gateway.listener import Listener
from gateway.proxied import Proxied
from sms.setting_texts import is_loopback
from web.body_limit import BodyLimit
from web.connection import HttpConnection, HttpLimits, make_logger
from web.front import Front, Seen, answer_failure

log = structlog.get_logger()

Routes = Sequence[BaseRoute]
"""What a service answers."""

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})


def names_of(host: str, names: Collection[str]) -> Collection[str]:
    """Return the names under which a listener at `host` answers: `names`, and this machine's own names for itself."""
    return {*names, *LOOPBACK_NAMES} if is_loopback(host) else names


class HttpServer:
    """A listener at `host`:`port` (0: any free port), under TLS where `contexts` is given.

    `hosts` are the names under which it answers, besides its own address. Connections from `proxies` begin with the
    header of the PROXY protocol.
    """

    def __init__(  # noqa: PLR0913 - all by name
        self,
        routes: Routes,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        hosts: Collection[str] = LOOPBACK_NAMES,
        limits: HttpLimits | None = None,
        seen: Seen = lambda *_: None,
        forwarded_from: Sequence[IpNetwork] = (),
        contexts: Callable[[], ssl.SSLContext] | None = None,
        proxies: Sequence[IpNetwork] = (),
    ) -> None:
        self._limits = limits or HttpLimits()
        app = BodyLimit(Starlette(routes=routes, exception_handlers={Exception: answer_failure}), self._limits.body)
        named = {*hosts, f"[{host}]" if ":" in host else host}
        self._app = Front(app, hosts=named, seen=seen, forwarded_from=forwarded_from)
        self._host = host
        self._port = port
        self._contexts = contexts
        self._proxies = proxies
        self._listener: Listener | None = None
        self._state = ServerState()

    @property
    def port(self) -> int:
        """The port on which it listens, once started."""
        return self._listener.addresses[0][1] if self._listener is not None else self._port

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return self._listener.connections if self._listener is not None else 0

    async def start(self) -> None:
        """Listen. Raises OSError, naming the address, where that can't be."""
        loop = asyncio.get_running_loop()
        listener = Listener(self._limits.connections, loop, self._proxies)
        config = _configure(self._app, self._limits)
        logger = make_logger()

        def make(proxied: Proxied | None) -> asyncio.Protocol:
            return HttpConnection(config, self._state, listener, self._limits, logger, proxied)

        contexts = self._contexts
        first = make if contexts is None else lambda proxied: HandshakeFirst(listener, contexts, make, proxied)
        await listener.open(first, host=self._host, port=self._port, sock=None)
        self._listener = listener
        log.info("http_listening", addresses=[f"{host}:{port}" for host, port in listener.addresses])

    async def stop(self, grace_seconds: float) -> None:
        """Take no more requests, let those under way finish up to the grace, then end them."""
        if self._listener is not None:
            await self._listener.close(grace_seconds)
        for task in self._state.tasks:
            task.cancel()
        await asyncio.gather(*self._state.tasks, return_exceptions=True)


def _configure(app: ASGIApp, limits: HttpLimits) -> Config:
    config = Config(
        app,
        interface="asgi3",
        lifespan="off",
        ws="none",
        workers=1,  # else read from the environment
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=limits.keep_alive_seconds,
        h11_max_incomplete_event_size=limits.head,
    )
    config.load()
    return config
