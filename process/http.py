"""The operator's HTTP listeners as services.

Not here: the server and what it serves (web), what applications may call (process.api).
"""

import asyncio
import os
from collections.abc import Iterator
from importlib.metadata import version

import structlog

from config.http import HttpOptions, HttpService
from config.model import Config
from gateway.admin.health import HealthReport, report_health
from gateway.gauges import read_report
from gateway.listener import ConnectionLimits
from gateway.metrics import Metric, Sample
from process.accept_path import AcceptPath
from process.contexts import ListenerContexts
from process.services import Service
from process.surroundings import look_around
from store.acme import find_challenge
from web.acme import AcmePages
from web.connection import HttpLimits
from web.operator import MetricsOf, OperatorPages
from web.server import HttpServer, Routes, names_of

log = structlog.get_logger()


def http_services(
    config: Config, core: AcceptPath, tls: ListenerContexts, api: Routes, portal: Routes
) -> Iterator[Service]:
    """Yield a service for each HTTP listener; `api` and `portal` are the routes of the services of these names.

    Raises ContextError for a certificate that can't be used. The start of a listener that the operator's file names
    raises OSError where its address is taken.
    """

    async def report() -> HealthReport:
        around = await asyncio.to_thread(look_around, config, "this process")
        return await core.database.read(lambda tx: report_health(tx, around, core.clock.now(), config.alerts))

    def seen(method: str, status: int, seconds: float) -> None:
        core.metrics.count(Metric.HTTP, method, f"{status // 100}xx")
        core.metrics.observe(Metric.HTTP_SECONDS, seconds, method)

    async def answer_of(token: str) -> str | None:
        return await core.database.read(lambda tx: find_challenge(tx, token))

    routes = {
        HttpService.ACME: AcmePages(answer_of).routes(),
        HttpService.API: api,
        HttpService.OPERATOR: OperatorPages(report, _metrics_of(config, core)).routes(),
        HttpService.PORTAL: portal,
    }
    for options in config.http_listeners:
        contexts = tls.make(options.asked_tls)
        names = (*options.host_names, *(config.acme.domains if HttpService.ACME in options.serves else ()))
        connections = ConnectionLimits(total=options.max_connections, per_address=options.max_connections_per_client)
        server = HttpServer(
            [route for service in options.serves for route in routes[service]],
            host=options.address.host,
            port=options.address.port,
            hosts=names_of(options.address.host, (config.server.hostname, *names)),
            limits=HttpLimits(connections=connections),
            seen=seen,
            forwarded_from=options.forwarded_from,
            contexts=contexts.current if contexts is not None else None,
            proxies=options.proxy_from,
        )

        async def start(server: HttpServer = server, options: HttpOptions = options) -> None:
            try:
                await server.start()
            except OSError as error:
                cause = os.strerror(error.errno) if error.errno else str(error)
                if config.http:
                    raise OSError(f"[[http]] {options.name} can't listen at {options.address}: {cause}") from error
                log.warning("http_not_served", address=str(options.address), cause=cause, remedy="name an [[http]]")

        yield Service(name=f"http {options.name}", start=start, stop=server.stop)


def _metrics_of(config: Config, core: AcceptPath) -> MetricsOf:
    started = core.clock.now().timestamp()

    def gauges(report: HealthReport | None) -> Iterator[Sample]:
        yield Metric.INFO, (version("mail2sms"), config.server.node), 1
        yield Metric.START, (), started
        yield Metric.DIRECTORY, (), core.book.current.version
        yield Metric.DATABASE, (), report is not None
        if report is not None:
            yield from read_report(report, core.clock.now())

    return lambda report, openmetrics: core.metrics.render(gauges(report), openmetrics=openmetrics)
