"""The clock of the tests: it stands still until a test moves it."""

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
