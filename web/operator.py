"""What the operator's machine may ask by HTTP: does the process live, does it take mail, and what needs a hand.

Not here: what is a concern (gateway.admin.health), the words for it (`mail2sms health`).
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from time import monotonic

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.admin.health import Concern, HealthReport

log = structlog.get_logger()

# With these no mail is taken; all else is for somebody to look at.
_NOT_READY = frozenset({Concern.NOT_SERVING, Concern.DISK_FULL})
_FRESH_SECONDS = 1.0
_PATIENCE_SECONDS = 5.0


class OperatorPages:
    """Answers from a report that is a second old at most, so that no caller costs more than one."""

    def __init__(self, report: Callable[[], Awaitable[HealthReport]]) -> None:
        self._report = report
        self._asking = asyncio.Lock()
        self._known: tuple[float, HealthReport] | None = None

    def routes(self) -> list[BaseRoute]:
        """Return the routes of the service `operator`."""
        return [Route("/health", self._health), Route("/ready", self._ready)]

    async def _health(self, _: Request) -> Response:
        return _answer(200, {"status": "ok"})

    async def _ready(self, _: Request) -> Response:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                report = await self._fresh()
        except Exception as error:  # noqa: BLE001 - whatever keeps it from being read is what makes us unready
            log.warning("not_ready", cause=f"{type(error).__name__}: {error}"[:300])
            return _answer(503, {"status": "not-ready", "cause": "the database does not answer"})
        concerns = [{"code": item.code.value, **item.facts} for item in report.concerns]
        ready = not any(item.code in _NOT_READY for item in report.concerns)
        return _answer(200 if ready else 503, {"status": "ready" if ready else "not-ready", "concerns": concerns})

    async def _fresh(self) -> HealthReport:
        async with self._asking:
            if self._known is None or monotonic() - self._known[0] > _FRESH_SECONDS:
                self._known = monotonic(), await self._report()
            return self._known[1]


def _answer(status: int, content: dict[str, object]) -> Response:
    return Response(json.dumps(content, ensure_ascii=False, default=str), status, media_type="application/json")
