"""What transactions gave to this process, and is held by somebody here until its end is recorded.

A transaction may be committed although its caller never learns of it (store.engine.database), and a caller may fail
between the commit and its work: then rows are this process's that nothing here holds. Whoever looks for them waits
until nobody takes, for then what is held is known exactly; what is not held reached nobody and is given back.
Not here: taking, recording and giving back (dispatch, outbox).
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

LOOK_EVERY = 60.0
"""Seconds between two looks for rows of this process that nothing holds."""


class Held:
    """The keys that are held, each as part of a row: several parts of one message are several keys of one row."""

    def __init__(self) -> None:
        self._rows: dict[int, int] = {}
        self._taking = 0
        self._nobody_takes = asyncio.Event()
        self._nobody_takes.set()
        self._may_take = asyncio.Event()
        self._may_take.set()

    @asynccontextmanager
    async def taking(self) -> AsyncGenerator[None]:
        """Take rows in this block, and `hold` them before it ends."""
        await self._may_take.wait()
        self._taking += 1
        self._nobody_takes.clear()
        try:
            yield
        finally:
            self._taking -= 1
            if not self._taking:
                self._nobody_takes.set()

    @asynccontextmanager
    async def at_rest(self) -> AsyncGenerator[frozenset[int]]:
        """Give the rows that are held, none of which is taken while this block lasts; one such block at a time."""
        self._may_take.clear()
        try:
            await self._nobody_takes.wait()
            yield frozenset(self._rows.values())
        finally:
            self._may_take.set()

    def hold(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Hold these (key, row)."""
        self._rows.update(pairs)

    def let_go(self, keys: Iterable[int]) -> None:
        """Hold these keys no longer: their end is recorded."""
        for key in keys:
            self._rows.pop(key, None)
