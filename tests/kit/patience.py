"""How long a test waits for what it waits for before it gives up: a safety net, which says nothing of how fast it is.

What runs behind the others (a password's check, a directory's reading) has a hundredth of a busy machine's CPU.
"""

import time
from collections.abc import Callable
from typing import Final

PATIENCE: Final = 300  # seconds; a test as a whole has four times as long


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Wait for what another process does; `what` is said where it does not."""
    ends = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < ends, what
        time.sleep(0.02)
