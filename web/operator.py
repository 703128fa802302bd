"""What the operator's machine may ask by HTTP: does the process live, does it take mail, what needs a hand, how much.

Not here: what is a concern (gateway.admin.health), the words for it (`mail2sms health`).
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.admin.health import Concern, HealthReport

log = structlog.get_logger()

# With these no mail is taken; all else is for somebody to look at.
_NOT_READY = frozenset({Concern.NOT_SERVING, Concern.DISK_FULL})
_OPENMETRICS = "application/openmetrics-text"
_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
MetricsOf = Callable[[HealthReport | None, bool], str]
"""Makes the text of all metrics, of OpenMetrics where it is true; without a report those of the process alone."""
_FRESH_SECONDS = 1.0
_PATIENCE_SECONDS = 5.0


class OperatorPages:
    """Answers from a report that is a second old at most, so that no caller costs more than one."""

    def __init__(self, report: Callable[[], Awaitable[HealthReport]], metrics: MetricsOf) -> None:
        self._report = report
        self._metrics = metrics
        self._asking = asyncio.Lock()
        self._known: tuple[float, HealthReport] | None = None

    def routes(self) -> list[BaseRoute]:
        """Return the routes of the service `operator`."""
        return [Route("/health", self._health), Route("/ready", self._ready), Route("/metrics", self._measure)]

    async def _health(self, _: Request) -> Response:
        return _answer(200, {"status": "ok"})

    async def _ready(self, _: Request) -> Response:
        report = await self._read()
        if report is None:
            return _answer(503, {"status": "not-ready", "cause": "the database does not answer"})
        concerns = [{"code": item.code.value, **item.facts} for item in report.concerns]
        ready = not any(item.code in _NOT_READY for item in report.concerns)
        links = [{"carrier": link.carrier, "link": link.link, "up": link.is_up} for link in report.links]
        said = {"status": "ready" if ready else "not-ready", "database": "ok", "links": links, "concerns": concerns}
        return _answer(200 if ready else 503, said)

    async def _measure(self, request: Request) -> Response:
        openmetrics = _OPENMETRICS in request.headers.get("accept", "")
        media_type = f"{_OPENMETRICS}; version=1.0.0; charset=utf-8" if openmetrics else _PROMETHEUS
        text = self._metrics(await self._read(), openmetrics)
        return Response(text, headers={"Content-Type": media_type})

    async def _read(self) -> HealthReport | None:
        """Return the report, None where the database does not answer in time."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await self._fresh()
        except Exception as error:  # noqa: BLE001 - whatever keeps it from being read is what makes us unready
            log.warning("not_ready", cause=f"{type(error).__name__}: {error}"[:300])
            return None

    async def _fresh(self) -> HealthReport:
        async with self._asking:
            if self._known is None or monotonic() - self._known[0] > _FRESH_SECONDS:
                self._known = monotonic(), await self._report()
            return self._known[1]


def _answer(status: int, content: Mapping[str, object]) -> Response:
    return Response(json.dumps(content, ensure_ascii=False, default=str), status, media_type="application/json")
