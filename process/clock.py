"""The system's clock, for the process; everything below is given a clock or an instant."""

from datetime import UTC, datetime


class SystemClock:
    """Fulfils gateway.ports.Clock."""

    def now(self) -> datetime:
        """Return the present instant in UTC."""
        return datetime.now(UTC)
