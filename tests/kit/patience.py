"""How long a test waits for what it waits for before it gives up: a safety net, which says nothing of how fast it is.

What runs behind the others (a password's check, a directory's reading) has a hundredth of a busy machine's CPU.
"""

from typing import Final

PATIENCE: Final = 300  # seconds; a test as a whole has four times as long
