"""The moment at which it is known exactly what this process holds of what transactions gave it.

A transaction may be committed although its caller never learns of it (store.engine.database), and a caller may fail
between the commit and its work: then rows are this process's that nothing here holds, and nobody was given them.
Whoever looks for them waits until nobody takes. Not here: taking, recording and giving back (dispatch, outbox).
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

LOOK_EVERY = 60.0
"""Seconds between two looks for rows of this process that nothing holds."""


class Taking:
    """Who takes rows, and who must see that nobody does."""

    def __init__(self) -> None:
        self._takers = 0
        self._nobody_takes = asyncio.Event()
        self._nobody_takes.set()
        self._may_take = asyncio.Event()
        self._may_take.set()

    @asynccontextmanager
    async def under_way(self) -> AsyncGenerator[None]:
        """Take rows in this block, and hold them before it ends."""
        await self._may_take.wait()
        self._takers += 1
        self._nobody_takes.clear()
        try:
            yield
        finally:
            self._takers -= 1
            if not self._takers:
                self._nobody_takes.set()

    @asynccontextmanager
    async def at_rest(self) -> AsyncGenerator[None]:
        """Begin this block when nobody takes, and let nobody while it lasts; one such block at a time."""
        self._may_take.clear()
        try:
            await self._nobody_takes.wait()
            yield
        finally:
            self._may_take.set()
