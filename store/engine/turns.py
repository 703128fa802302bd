"""Short turns of threads, while one of them computes for long: a report, a table of a million rows, a month's sums.

A mail needs the interpreter's lock some thirty times from its first octet to its «250», and each time another thread
that computes may keep it for a turn, 5 ms by default. Short turns at all times would cost a sixth of what a gateway
takes.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

_SHORT: Final = 0.0001
"""Seconds."""


class _Turns:
    """How many threads compute for long, and how long turns were before the first of them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._count = 0
        self._usual = 0.0

    def begin(self) -> None:
        with self._lock:
            if not self._count:
                self._usual = sys.getswitchinterval()
                sys.setswitchinterval(_SHORT)
            self._count += 1

    def end(self) -> None:
        with self._lock:
            self._count -= 1
            if not self._count:
                sys.setswitchinterval(self._usual)


_TURNS: Final = _Turns()


@contextmanager
def short_turns() -> Iterator[None]:
    """Have all threads of the process take short turns until the body is left."""
    _TURNS.begin()
    try:
        yield
    finally:
        _TURNS.end()
