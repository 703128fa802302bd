"""The address book in memory follows the database.

Other processes change the directory: `refresh` follows. Accepting compares versions in its own transaction, so an old
snapshot can never decide a job. Not here: changes (admin), what it answers (addressbook.snapshot).
"""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial

import structlog

from addressbook.hierarchy import Layer, LayerKey, LayerKind, Layers, LayersChange, layer_of
from addressbook.lists import DistributionLists, ListMember
from addressbook.numbers import OwnNumbers
from addressbook.options import ALL_OPTIONS, Option
from addressbook.people import Customer, Directory, User
from addressbook.registrations import Registrations
from addressbook.snapshot import Snapshot
from countries.judge import Judge
from gateway.worker import Worker
from inbound.actions import InboundRules
from inbound.stop_list import StopList
from sms.message import Origin
from sms.settings import SettingsPatch
from store.awaited_runs import find_ready, read_awaited, users_of_run
from store.directory import NOTHING_AWAITED, AwaitedRun, load_directory, refresh
from store.engine.database import Database, Transaction
from store.inbound_rules import load_numbers, load_rules
from store.lists import load_lists, read_members
from store.registrations import load_registrations
from store.stop_list import stops_in_force

log = structlog.get_logger()

_LOOK_EVERY = 1.0
_PORTION = 250


_Stored = tuple[Directory, Layers, DistributionLists, OwnNumbers, InboundRules, Registrations]


class DirectoryFollower:
    """Holds the snapshot in force, `current`, and what customers want done with inbound SMS, `rules`.

    `system` is the operator's system layer, weaker than the stored one; `default_options` are what customers have
    contracted of whom nothing else is stored. Without `allow_reject` no mail is refused for its characters. `taken` is
    given each new snapshot before it is in force. Its `judge` knows the rules of countries; without it there are none.
    """

    def __init__(  # noqa: PLR0913 - what a snapshot is made of
        self,
        database: Database,
        system: SettingsPatch,
        default_options: frozenset[Option] = ALL_OPTIONS,
        taken: Callable[[Snapshot], None] = lambda _: None,
        *,
        allow_reject: bool = False,
        judge: Judge | None = None,
    ) -> None:
        self._database = database
        self.judge = judge or Judge()
        self._taken = taken
        self._default_options = default_options
        self._allow_reject = allow_reject
        self._operator = layer_of(LayerKind.SYSTEM, system, "operator's file")
        self._layers = Layers()
        self.rules = InboundRules()
        self.current = Snapshot(Directory(), self._with_operator(self._layers), DistributionLists(), judge=self.judge)
        self._refreshing = asyncio.Lock()
        self._awaited = NOTHING_AWAITED
        self._asked = self._answered = 0
        self._worker = Worker("address-book", self._look, look_every=_LOOK_EVERY)

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

    async def is_stopped(self, customer: Customer, named: Origin | None, number: str) -> bool:
        """Return whether stop lists hold back a customer's mails to a number, whatever service they may be of.

        Asks the database, but only for a customer that has, or had, a stop list.
        """
        if not customer.stop_listed:
            return False
        services = self.current.services_of_mail(customer, named)
        entries = await self._database.read(partial(stops_in_force, numbers=(number,)))
        return all(StopList(entries).blocks(number, customer.key, service.value) for service in services)

    async def stops_of(self, customer: Customer, numbers: Iterable[str]) -> StopList:
        """Return who of these numbers wants no more SMS; asks the database as `is_stopped` does."""
        if not customer.stop_listed:
            return StopList()
        return StopList(await self._database.read(partial(stops_in_force, numbers=numbers)))

    def stops_now(self, numbers: Iterable[str]) -> StopList:
        """Return who of these numbers wants no more SMS, as it is stored now; waits for the database."""
        return StopList(self._database.read_now(partial(stops_in_force, numbers=numbers)))

    def members_now(self, list_id: int) -> list[ListMember]:
        """Return the members of a list as they are stored now; waits for the database, so not for the event loop."""
        return self._database.read_now(lambda tx: read_members(tx, list_id))

    def _refreshed(self, tx: Transaction) -> _Stored | None:
        before = self.current.directory
        directory, layers = refresh(tx, before, self._layers, self._awaited)
        return None if directory is before else (directory, layers, *_load_rest(tx))

    def _take(self, stored: _Stored | None) -> None:
        if stored is None:
            return
        directory, self._layers, lists, numbers, self.rules, registrations = stored
        snapshot = Snapshot(
            directory,
            self._with_operator(self._layers),
            lists,
            numbers=numbers,
            default_options=self._default_options,
            allow_reject=self._allow_reject,
            judge=self.judge,
            registrations=registrations,
        )
        self._taken(snapshot)
        self.current = snapshot
        log.debug("address_book_loaded", version=self.current.version)

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
        await self.prepare()
        return False

    async def prepare(self) -> None:
        """Read what a large run of a directory is about to change, so that nobody waits for that once it has."""
        run = await self._database.read(find_ready)
        if run == self._awaited.key:
            return
        users: dict[int, User | None] = {}
        layers: dict[LayerKey, Layer | None] = {}
        keys = await self._database.read(partial(users_of_run, run_key=run)) if run else []
        for start in range(0, len(keys), _PORTION):
            portion = keys[start : start + _PORTION]
            part = await self._database.read(partial(read_awaited, run_key=run, user_keys=portion))
            users.update(part.users)
            layers.update(part.layers)
        self._awaited = AwaitedRun(key=run, users=users, layers=layers)


def _load(tx: Transaction) -> _Stored:
    return *load_directory(tx), *_load_rest(tx)


def _load_rest(tx: Transaction) -> tuple[DistributionLists, OwnNumbers, InboundRules, Registrations]:
    return load_lists(tx), load_numbers(tx), load_rules(tx), load_registrations(tx)
