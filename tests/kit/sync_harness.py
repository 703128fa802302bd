"""A customer with a directory on a database of its own: readings made by hand, put in force, held, approved, killed."""

import random
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from addressbook.changes import Reading, ReadList, UserChange
from addressbook.hierarchy import LayerKey, LayerKind, Layers
from addressbook.lists import ListMember
from addressbook.people import User
from addressbook.runs import RunMode, RunResult
from addressbook.source_options import read_options
from addressbook.sources import CustomerDirectory, SourceKind
from gateway.admin.customers import add_customer
from gateway.admin.profiles import add_profile
from gateway.directory_sync import DirectorySync, SyncRun
from sms.settings import parse_setting
from store.directories import StoredDirectory, add_directory, find_directory_by_key, set_directory
from store.directory_changes import read_cells_of
from store.directory_lookup import find_customer, users_of
from store.engine.keys import Keys
from store.lists import find_list, read_members
from tests.kit.admin_harness import NOW, AdminHarness

OPTIONS = {
    "host": "ldap.example.com",
    "base": "dc=example,dc=com",
    "bind_dn": "cn=reader",
    "password_file": "/etc/secret",
}
SHORT_LIFE = timedelta(milliseconds=60)
CELLS = {"cost_centre": "departmentNumber", "sender_id": "mobile"}


def entry(name: str, place: int = 0, *, anchor: str = "", **values: str | bool | None) -> UserChange:
    """Return the change of a user: `name` is the address without its domain, and the anchor unless one is given."""
    cells = {field: parse_setting(field, str(values.pop(field))) for field in CELLS if field in values}
    return UserChange(
        place=place or next(_PLACES),
        address=f"{name}@example.com",
        anchor=anchor or f"anchor-of-{name}",
        cells=cells,
        columns={field: CELLS[field] for field in cells},
        **{"name": name.title(), **values},  # type: ignore[arg-type]
    )


_PLACES = count(1)


class SyncHarness(AdminHarness):
    """The customer «Example» with the profile «Sales» and a directory called head-office; `at` is the present."""

    def __init__(
        self, url: str, *, fresh: bool = True, portion: int = 200, life: timedelta = timedelta(seconds=60)
    ) -> None:
        super().__init__(url)
        self.at = NOW
        self.keys = Keys(2, time.time)
        if fresh:
            self.do(add_customer, "Example")
            self.do(add_profile, "Example", "Sales")
        self.customer = self.look(find_customer, "Example").key
        self.directory = self.directory_of(7, "head-office")
        if fresh:
            self.write(add_directory, self.directory, OPTIONS, 0)
        self.sync = DirectorySync(self.database, self.keys, self._now, pause=lambda _: None, portion=portion, life=life)

    def _now(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at

    def write(self, step: Callable[..., Any], *values: object) -> Any:
        return self.database.write_now(lambda tx, _: [step(tx, *values)], None)

    def directory_of(self, key: int, name: str, **options: str) -> CustomerDirectory:
        """Return a directory of the customer with these options beside the usual ones."""
        made = read_options(SourceKind.OPENLDAP, {**OPTIONS, **options}, key=key, customer_id=self.customer, name=name)
        assert isinstance(made, CustomerDirectory), made
        return made

    def configure(self, **options: str) -> None:
        """Store other options of the directory."""
        self.directory = self.directory_of(7, "head-office", **options)
        self.write(set_directory, self.directory, {**OPTIONS, **options})

    def begin(self, mode: RunMode = RunMode.FULL, directory: CustomerDirectory | None = None) -> SyncRun:
        begun = self.sync.begin(directory or self.directory, mode, "timer")
        assert isinstance(begun, SyncRun)
        return begun

    def run(self, reading: Reading, *, dry_run: bool = False, directory: CustomerDirectory | None = None) -> RunResult:
        """Carry out a whole run."""
        with self.begin(RunMode.FULL if reading.complete else RunMode.DELTA, directory) as run:
            return run.apply(reading, dry_run=dry_run)

    def full(self, *entries: UserChange, lists: Iterable[ReadList] = (), dry_run: bool = False) -> RunResult:
        """Carry out a run with everything that the directory has."""
        return self.run(reading_of(*entries, lists=lists), dry_run=dry_run)

    def delta(self, *entries: UserChange, gone: Iterable[str] = ()) -> RunResult:
        """Carry out a run with what changed."""
        return self.run(Reading(source="ldap:head-office", complete=False, changes=entries, gone=frozenset(gone)))

    def approve(self, digest: str) -> RunResult:
        found = self.sync.approve(digest, "anna")
        assert isinstance(found, RunResult)
        return found

    def users(self) -> dict[str, User]:
        """Return the users in force by the part of their address before the @."""
        return {user.address.partition("@")[0]: user for user in self.look(users_of, self.customer)}

    def cells(self, name: str) -> Mapping[str, str]:
        """Return what the directory, or a file, says of a user."""
        found: dict[int, dict[str, str]] = self.look(read_cells_of, self.customer, LayerKind.USER)
        return found.get(self.users()[name].key, {})

    def members(self, name: str) -> list[ListMember]:
        found = self.look(find_list, self.customer, name)
        return [] if found is None else self.look(read_members, found.key)

    def stored(self) -> StoredDirectory:
        """Return the directory as it is stored, with its cookie."""
        found = self.look(find_directory_by_key, self.directory.key)
        assert isinstance(found, StoredDirectory)
        return found

    def in_force(self) -> object:
        """Return all that a mail could meet, to be compared."""
        directory, layers = self.load()
        known = {user.key: user for user in directory.users()}
        return (
            sorted(
                (user.address, user.name, user.phone, user.may_send, user.profile_id, self._values(layers, user.key))
                for user in known.values()
            ),
            {name: self.members(name) for name in ("alarm",)},
        )

    @staticmethod
    def _values(layers: Layers, key: int) -> list[tuple[str, str, str]]:
        layer = layers.layer(LayerKey(LayerKind.USER, key))
        return sorted((name, str(cell.value), cell.origin) for name, cell in layer.cells.items()) if layer else []


def reading_of(*entries: UserChange, lists: Iterable[ReadList] = (), cookie: str = "") -> Reading:
    """Return a complete reading."""
    return Reading(
        source="ldap:head-office",
        complete=True,
        changes=entries,
        lists=tuple(lists),
        cookie=cookie or f"c{len(entries)}",
    )


def chance_reading(seed: str) -> Reading:
    """Return a complete reading of up to 40 entries, always the same for a seed."""
    chance = random.Random(seed)
    chosen = [number for number in range(40) if chance.random() < 0.8]
    entries = [
        entry(
            f"u{number:02}",
            number + 1,
            anchor=f"anchor-{number}-{chance.random() < 0.1}",
            cost_centre=str(chance.randrange(3) * 1000 + 1),
            phone=f"447700900{chance.randrange(10):03}",
            active=chance.random() < 0.9,
        )
        for number in chosen
    ]
    members = [ListMember(number=f"447700900{chance.randrange(100):03}") for _ in range(30)]
    listed = ReadList(name="alarm", members=tuple({member.number: member for member in members}.values()))
    return reading_of(*entries, lists=[listed], cookie=seed)
