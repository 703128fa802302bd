"""The process: what the operator's file says, built, started in order, stopped in reverse. It decides nothing.

Not here: what it consists of (process.build), and how that is started and stopped (process.services).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog

from config.model import Config
from gateway.directory import DirectoryFollower
from gateway.worker import troubles
from process.build import build
from process.carriers import build_sandboxes
from process.clock import SystemClock
from process.services import running
from smpp.simulator.simulator import Simulator
from store.engine.database import Database

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A gateway that runs.

    `sandboxes` are the message centres that it plays itself, by carrier. `lost` is set when another node has taken
    over: then it must be stopped. `reload` reads the listeners' certificates again.
    """

    directory: DirectoryFollower
    sandboxes: Mapping[str, Simulator]
    lost: asyncio.Event
    reload: Callable[[], None]


@asynccontextmanager
async def running_gateway(config: Config, database: Database, *, only_http: bool = False) -> AsyncIterator[Gateway]:
    """Run the gateway, or only what answers by HTTP, until the body is left.

    Raises ContextError, UnusableKeyError, StorageError, ValueError or OSError where it can't start; then all of it is
    stopped.
    """
    async with AsyncExitStack() as stack:
        sandboxes = build_sandboxes(config.carriers, SystemClock())
        for played in sandboxes.values():
            stack.push_async_callback(played.simulator.stop)
            await played.simulator.start()
        parts = build(config, database, sandboxes, only_http=only_http)
        troubles.set(parts.tell_trouble)
        await stack.enter_async_context(running(parts.stages, config.server.stop_grace.total_seconds()))
        yield Gateway(
            directory=parts.accept_path.book,
            sandboxes={name: played.simulator for name, played in sandboxes.items()},
            lost=parts.lost,
            reload=parts.reload,
        )
    log.info("stopped")
