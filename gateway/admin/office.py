"""Where doors with an event loop ask and change what administration has: the same use cases as the command line's.

Not here: any use case, who may ask what (the doors).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from addressbook.snapshot import Snapshot
from gateway.admin.edit import Administration, Change, Changed
from gateway.directory import DirectoryFollower
from gateway.ports import Clock
from store.engine.database import Database, Transaction
from store.engine.keys import Keys

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminOffice:
    """What it works on."""

    database: Database
    keys: Keys
    book: DirectoryFollower
    clock: Clock

    def now(self) -> datetime:
        """Return the present instant."""
        return self.clock.now()

    @property
    def snapshot(self) -> Snapshot:
        """The address book in force."""
        return self.book.current

    async def look(self, query: Callable[[Transaction], R]) -> R:
        """Return what a query of gateway.admin finds."""
        return await self.database.read(query)

    async def change(self, who: str, *changes: Change) -> list[Changed]:
        """Carry out all changes in the name of `who`, or none; in force when this returns. Raises AdminFault."""
        known = self.snapshot
        administration = Administration(
            self.database, self.keys, who, self.clock.now, known.default_options, judge=known.judge
        )
        done = await administration.change(*changes)
        await self.book.refresh()
        return done
