"""The one loop that everything due goes through: work while there is something, then wait for a kick or the next look.

Not here: what is done (dispatch, track, notify). A step that raises is logged and tried again after a pause: one
poisonous row must not stop the queue.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger()


class Worker:
    """Runs `step` until stopped. A step returns whether it did something, in which case it is run again at once."""

    def __init__(
        self, name: str, step: Callable[[], Awaitable[bool]], *, look_every: float, pause: float = 1.0
    ) -> None:
        self._name = name
        self._step = step
        self._look_every = look_every
        self._pause = pause
        self._kicked = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin in the running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=self._name)

    def kick(self) -> None:
        """Say that there may be something to do; cheap, and may be said at any time from the loop's thread."""
        self._kicked.set()

    async def stop(self) -> None:
        """Let the step under way end, then no other begins."""
        self._stopping = True
        self._kicked.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while not self._stopping:
            self._kicked.clear()
            try:
                if await self._step():
                    continue
                wait = self._look_every
            except Exception as error:
                log.exception("step_failed", worker=self._name, cause=f"{type(error).__name__}: {error}"[:300])
                wait = self._pause
            if not self._stopping:
                await self._rest(wait)

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._kicked.wait()
        except TimeoutError:
            pass
