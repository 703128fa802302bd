"""What runs, as a list: started in order, stopped in reverse, within one bound.

Not here: which services there are (process.build).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import structlog

log = structlog.get_logger()

# How long after the operator's grace what needs no peer may still take: the last answers are written down.
_LAST_RECORDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A part that runs. `stop` is given the seconds for which it may wait for peers, and works after a failed start."""

    name: str
    start: Callable[[], Awaitable[None] | None]
    stop: Callable[[float], Awaitable[None]]


class Part(Protocol):
    """What waits for no peer."""

    def start(self) -> None:
        """Begin in the running event loop."""

    async def stop(self) -> None:
        """End when the step under way has ended."""


def service_of(name: str, part: Part) -> Service:
    """Return the service of a part that waits for no peer."""
    return Service(name=name, start=part.start, stop=lambda _: part.stop())


Stage = Sequence[Service]
"""Services that are started in order and stopped side by side, so that each has the whole of the bound."""


@asynccontextmanager
async def running(stages: Sequence[Stage], grace_seconds: float) -> AsyncIterator[None]:
    """Run all services until the body is left; where one cannot start, those before it are stopped.

    Peers are waited for as long as the grace, counted once for the whole stop; what has not ended a little later is
    cancelled and named in the log.
    """
    begun: list[list[Service]] = []
    try:
        for stage in stages:
            begun.append([])
            for service in stage:
                begun[-1].append(service)  # one whose start fails halfway is stopped too
                starting = service.start()
                if starting is not None:
                    await starting
        yield
    finally:
        peers_until = asyncio.get_running_loop().time() + grace_seconds
        for services in reversed(begun):
            await asyncio.gather(*(_stop(service, peers_until) for service in services))


async def _stop(service: Service, peers_until: float) -> None:
    """Stop one service; whatever it raises is logged, since the others must be stopped too."""
    left = max(peers_until - asyncio.get_running_loop().time(), 0.0)
    try:
        async with asyncio.timeout_at(peers_until + _LAST_RECORDS):
            await service.stop(left)
    except TimeoutError:
        log.warning("stop_impatient", service=service.name)
    except Exception as error:
        log.exception("stop_failed", service=service.name, cause=f"{type(error).__name__}: {error}"[:300])
