"""Coroutines that are begun without a task: making one costs as much as an SMTP command, and most never wait.

What they wait for must be a future of the loop; what asks for the current task (asyncio.timeout) fails in them.
"""

from collections.abc import Generator
from typing import Any


class Unfinished:
    """What is left of a coroutine that had to wait; await it in a task, once."""

    def __init__(self, work: Any, waits_for: Any) -> None:
        self._work = work
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, None]:
        try:
            yield self._waits_for
            yield from self._work.__await__()
        finally:
            self._work.close()


def begin(work: Any) -> Unfinished | None:
    """Run a coroutine up to where it must wait and return what is left of it, None where it ended."""
    try:
        return Unfinished(work, work.send(None))
    except StopIteration:
        return None
