"""The clock of the tests: it stands still until a test moves it. And the clock of an event loop, which a test may put on."""

import asyncio
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)


class Clock:
    """Fulfils gateway.ports.Clock; `monotonic` returns seconds that move with it."""

    def __init__(self, instant: datetime = START) -> None:
        self.instant = instant
        self._began = instant

    def now(self) -> datetime:
        return self.instant

    def monotonic(self) -> float:
        return 1000.0 + (self.instant - self._began).total_seconds()

    def move(self, by: timedelta) -> None:
        self.instant += by


def leap(seconds: float) -> None:
    """Put on the clock of the running loop, which is asyncio's own: what waits for a time until then happens at once.

    So a bound may be so long that a busy machine never reaches it, and a test need not wait for it.
    """
    loop = asyncio.get_running_loop()
    setattr(loop, "time", lambda then=loop.time: then() + seconds)  # noqa: B010  (a loop has it as a method)
