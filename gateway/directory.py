"""The address book in memory: who may send and with which layers, as of one version of the database.

Other processes change the directory: `refresh` follows. Accepting compares versions in its own transaction, so an old
copy can never decide a job. Not here: changes (admin), what a layer is (addressbook.hierarchy).
"""

import asyncio

import structlog

from addressbook.hierarchy import Layer, LayerKey, LayerKind, Layers, LayersChange, layer_of
from addressbook.lists import DistributionLists, ListMember
from addressbook.people import Directory
from gateway.worker import Worker
from sms.settings import SettingsPatch
from store.directory import load_directory, refresh
from store.engine.database import Database, Transaction
from store.lists import load_lists, read_members

log = structlog.get_logger()

_LOOK_EVERY = 1.0


class DirectoryFollower:
    """The directory, lists and layers in force. `system` is the operator's system layer, weaker than the stored one."""

    def __init__(self, database: Database, system: SettingsPatch) -> None:
        self._database = database
        self._operator = layer_of(LayerKind.SYSTEM, system, "operator's file")
        self._stored: tuple[Directory, Layers, DistributionLists] = (Directory(), Layers(), DistributionLists())
        self.directory = Directory()
        self.lists = DistributionLists()
        self.layers = Layers()
        self._refreshing = asyncio.Lock()
        self._asked = self._answered = 0
        self._worker = Worker("address-book", self._look, look_every=_LOOK_EVERY)

    @property
    def version(self) -> int:
        """The version that this copy stands for.

        The layers are replaced last: who remembers this before it looks anything up, in whatever thread, remembers none
        that is newer than what it then sees.
        """
        return self.layers.version

    def load_now(self) -> None:
        """Read everything, for a caller without an event loop."""
        self._take(self._database.read_now(_load))

    async def load(self) -> None:
        """Read everything."""
        self._take(await self._database.read(_load))

    async def refresh(self) -> None:
        """Catch up with the database; costs one small query where nothing changed."""
        async with self._refreshing:
            self._take(await self._database.read(self._refreshed))

    async def confirm(self) -> bool:
        """Catch up before something is refused for good; False where the database can't be asked now.

        One look serves all who asked before it began, so that there is never more than one under way.
        """
        self._asked += 1
        mine = self._asked
        async with self._refreshing:
            if self._answered < mine:
                asked = self._asked
                try:
                    self._take(await self._database.read(self._refreshed))
                except Exception as error:  # noqa: BLE001 - whatever is wrong with it, nothing is known for certain
                    log.warning("address_book_unconfirmed", cause=str(error)[:300])
                    return False
                self._answered = asked
        return True

    def start(self) -> None:
        """Follow the database from now on, once a second: a change of an administrator is in force within that."""
        self._worker.start()

    async def stop(self) -> None:
        """Follow no more."""
        await self._worker.stop()

    def members_now(self, list_id: int) -> list[ListMember]:
        """Return the members of a list as they are stored now; waits for the database, so not for the event loop."""
        return self._database.read_now(lambda tx: read_members(tx, list_id))

    def _refreshed(self, tx: Transaction) -> tuple[Directory, Layers, DistributionLists]:
        before, layers, lists = self._stored
        directory, layers = refresh(tx, before, layers)
        return directory, layers, lists if directory is before else load_lists(tx)

    def _take(self, stored: tuple[Directory, Layers, DistributionLists]) -> None:
        if stored[0] is self._stored[0] and self.layers.version == stored[1].version and self.directory is stored[0]:
            return
        self._stored = stored
        self.directory = stored[0]
        self.lists = stored[2]
        self.layers = self._with_operator(stored[1])
        log.debug("address_book_loaded", version=self.version)

    def _with_operator(self, layers: Layers) -> Layers:
        """Lay the stored system cells over the operator's: both are the system layer, the database's is newer."""
        if not self._operator.cells:
            return layers
        key = LayerKey(LayerKind.SYSTEM)
        stored = layers.layer(key)
        cells = {**self._operator.cells, **(stored.cells if stored is not None else {})}
        merged = Layer(kind=LayerKind.SYSTEM, cells=cells)
        return layers.apply(LayersChange(version=layers.version, layers={key: merged}))

    async def _look(self) -> bool:
        await self.refresh()
        return False


def _load(tx: Transaction) -> tuple[Directory, Layers, DistributionLists]:
    return *load_directory(tx), load_lists(tx)
