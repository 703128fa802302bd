"""Starts coroutines without a task: a task costs as much as an SMTP command, and most never wait.

They must wait only for futures of the loop; code that needs the current task (asyncio.timeout) fails in them.
"""

from collections.abc import Generator
from typing import Any


class Unfinished:
    """The rest of a coroutine that had to wait; await it in a task, once."""

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
    """Run a coroutine until it must wait and return its rest, None if it ended."""
    try:
        return Unfinished(work, work.send(None))
    except StopIteration:
        return None
