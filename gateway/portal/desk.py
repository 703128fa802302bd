"""The desk from which the portal's pages ask and change: the same use cases as the command line's.

Not here: any use case (gateway.admin), who may ask what (addressbook.rights).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from addressbook.snapshot import Snapshot
from gateway.admin.edit import Administration, Change, Changed
from gateway.applications import Applications
from gateway.directory import DirectoryFollower
from gateway.ports import Clock
from store.engine.database import Database, Transaction
from store.engine.keys import Keys

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What all pages share. `address` is where people reach the portal, such as https://sms.example.net."""

    database: Database
    keys: Keys
    book: DirectoryFollower
    clock: Clock
    applications: Applications
    address: str

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
        options = self.snapshot.default_options
        administration = Administration(self.database, self.keys, who, self.clock.now, options)
        done = await administration.change(*changes)
        await self.book.refresh()
        return done
