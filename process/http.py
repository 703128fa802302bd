"""The operator's HTTP listeners as services. Not here: the server and what it serves (web)."""

import asyncio
import os
from collections.abc import Iterator

from config.http import HttpOptions, HttpService
from config.model import Config
from gateway.admin.health import HealthReport, report_health
from gateway.listener import ConnectionLimits
from gateway.ports import Clock
from process.contexts import ListenerContexts
from process.services import Service
from process.surroundings import look_around
from store.engine.database import Database


def http_services(config: Config, database: Database, clock: Clock, tls: ListenerContexts) -> Iterator[Service]:
    """Yield a service for each HTTP listener. Its start raises OSError, which names it, where its address is taken.

    Raises ContextError for a certificate that can't be used.
    """
    if not config.http:
        return
    from web.connection import HttpLimits  # noqa: PLC0415  (starlette and uvicorn: only who serves HTTP needs them)
    from web.operator import OperatorPages  # noqa: PLC0415
    from web.server import HttpServer  # noqa: PLC0415

    async def report() -> HealthReport:
        around = await asyncio.to_thread(look_around, config, "this process")
        return await database.read(lambda tx: report_health(tx, around, clock.now(), config.alerts))

    routes = {HttpService.OPERATOR: OperatorPages(report).routes()}
    for options in config.http:
        contexts = tls.make(options.asked_tls)
        connections = ConnectionLimits(total=options.max_connections, per_address=options.max_connections_per_client)
        server = HttpServer(
            [route for service in options.serves for route in routes[service]],
            host=options.address.host,
            port=options.address.port,
            limits=HttpLimits(connections=connections),
            contexts=contexts.current if contexts is not None else None,
            proxies=options.proxy_from,
        )

        async def start(server: HttpServer = server, options: HttpOptions = options) -> None:
            try:
                await server.start()
            except OSError as error:
                cause = os.strerror(error.errno) if error.errno else str(error)
                raise OSError(f"[[http]] {options.name} can't listen at {options.address}: {cause}") from error

        yield Service(name=f"http {options.name}", start=start, stop=server.stop)
