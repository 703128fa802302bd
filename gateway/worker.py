"""The one loop that everything due goes through: work while there is something, then wait for a kick or the next look.

A step that raises is logged and tried again after a pause, since one poisonous row must not stop the queue; the pause
grows to a bound, and where the step fails for long, whoever listens is told once, and once when it works again. Not
here: what is done (dispatch, track, notify), and how the administrator is told (alerts).
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from time import monotonic

import structlog

from sms.retry import Ladder

log = structlog.get_logger()

PAUSES = Ladder.of_seconds(1, 1, 2, 4, 8, 15)
"""How long a step that failed rests."""
_TOLD_AFTER = 60.0
_LONGEST_CAUSE = 300
_LONGEST_REST = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A worker whose step has failed for `seconds` in a row, or that works again after it (`over`).

    `kind` is the name of the error, `cause` that and its words.
    """

    worker: str
    kind: str
    cause: str
    seconds: float
    over: bool


troubles: ContextVar[Callable[[Trouble], None] | None] = ContextVar("troubles", default=None)
"""Who is told of the troubles of workers that are started in this context."""


class Worker:
    """Runs `step` until stopped. A step returns whether it did something, in which case it is run again at once.

    A part that does nothing else when it starts and stops has it as `worker`, and the list of services runs that.
    """

    def __init__(  # noqa: PLR0913 - all but three have a default
        self,
        name: str,
        step: Callable[[], Awaitable[bool]],
        *,
        look_every: float,
        pauses: Ladder = PAUSES,
        told_after: float = _TOLD_AFTER,
        kicked: asyncio.Event | None = None,
        rest: float = 0.0,
    ) -> None:
        """Name what it runs; `kicked` is for who may be kicked by what is made before it.

        After a step that did something it rests `rest` times as long as that took, for those who use the same.
        """
        self.name = name
        self._step = step
        self._look_every = look_every
        self._pauses = pauses
        self._told_after = told_after
        self._rest = rest
        self._kicked = kicked or asyncio.Event()
        self._stopped = asyncio.Event()
        self._failures = 0
        self._failing_since = 0.0
        self._told: Trouble | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin in the running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=self.name)

    def kick(self) -> None:
        """Say that there may be something to do; cheap, and may be said at any time from the loop's thread."""
        self._kicked.set()

    async def stop(self) -> None:
        """Let the step under way end, then no other begins."""
        self._stopped.set()
        self._kicked.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while not self._stopped.is_set():
            self._kicked.clear()
            began = monotonic()
            try:
                is_done = not await self._step()
            except Exception as error:
                log.exception("step_failed", worker=self.name, cause=_cause_of(error))
                self._note_failure(error)
                pause = self._pauses.wait(self._failures)
                await _rest(
                    self._stopped, pause.total_seconds()
                )  # not cut short by a kick: work that comes in would undo it
            else:
                self._note_success()
                if is_done and not self._stopped.is_set():
                    await _rest(self._kicked, self._look_every)
                elif self._rest:
                    await _rest(self._stopped, min((monotonic() - began) * self._rest, _LONGEST_REST))

    def _note_failure(self, error: Exception) -> None:
        now = asyncio.get_running_loop().time()
        if not self._failures:
            self._failing_since = now
        self._failures += 1
        if self._told is None and now - self._failing_since >= self._told_after:
            self._told = Trouble(
                worker=self.name,
                kind=type(error).__name__,
                cause=_cause_of(error),
                seconds=now - self._failing_since,
                over=False,
            )
            _tell(self._told)

    def _note_success(self) -> None:
        if self._told is not None:
            seconds = asyncio.get_running_loop().time() - self._failing_since
            _tell(replace(self._told, seconds=seconds, over=True))
        self._failures, self._told = 0, None


def _cause_of(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:_LONGEST_CAUSE]


def _tell(trouble: Trouble) -> None:
    tell = troubles.get()
    if tell is not None:
        tell(trouble)


async def _rest(until: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await until.wait()
    except TimeoutError:
        pass
