"""The log of the store, loaded when there is something to write: commands that only ask mostly have nothing."""

from typing import Any


class _Log:
    """Structlog's logger of whoever asks it."""

    def __getattr__(self, name: str) -> Any:
        import structlog  # noqa: PLC0415 - a third of what a command that only asks may cost

        return getattr(structlog.get_logger(), name)


log = _Log()
