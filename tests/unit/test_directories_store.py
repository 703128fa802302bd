"""store.directories on a real database: what is stored of a directory is read back, and one process claims each run."""

from collections.abc import Iterator

import pytest

from addressbook.sources import (
    CustomerDirectory,
    FolderSource,
    GroupList,
    GroupRule,
    Guard,
    LdapSource,
    LdapTls,
    SourceKind,
)
from store.directories import (
    add_directory,
    claim_directory,
    directories_of,
    due_directories,
    find_directory,
    find_directory_by_key,
    remove_directory,
    set_directory,
)
from store.engine.database import Database
from tests.kit.readers import DatabaseReaders

LDAP = CustomerDirectory(
    key=11,
    customer_id=1,
    name="Head office",
    kind=SourceKind.OPENLDAP,
    source=LdapSource(
        host="ldap.example.com",
        port=636,
        tls=LdapTls.LDAPS,
        base="dc=example,dc=com",
        filter="(mail=*)",
        pins=("K7ik",),
        answer_seconds=12.5,
    ),
    mapping={"address": "mail", "cost_centre": "departmentNumber"},
    profiles=(GroupRule(group="cn=sales,dc=example,dc=com", profile="Sales"),),
    lists=(GroupList(group="cn=fire,dc=example,dc=com", name="fire", authors=("*",)),),
    guard=Guard(percent=3, count=40),
    every=15,
)
FOLDER = CustomerDirectory(
    key=12,
    customer_id=1,
    name="files",
    kind=SourceKind.FOLDER,
    source=FolderSource(folder="/srv/acme", end_marker="END"),
    active=False,
)


class World(DatabaseReaders):
    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.database.open()

    def write(self, step: object, *values: object) -> object:
        return self.database.write_now(lambda tx, _: [step(tx, *values)], None)  # type: ignore[operator]

    def look(self, query: object, *values: object) -> object:
        return self.database.read_now(lambda tx: query(tx, *values))  # type: ignore[operator]


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    made = World(database_url)
    yield made
    made.database.close()


@pytest.mark.parametrize("directory", [LDAP, FOLDER], ids=lambda item: item.kind)
def test_a_stored_directory_is_read_back_as_it_was(world, directory):
    world.write(add_directory, directory, 5)
    found = world.look(find_directory, 1, directory.name.upper())
    assert found.directory == directory == world.look(find_directory_by_key, directory.key).directory
    assert (found.due_at, found.failures, found.synced_at, found.digest) == (5, 0, None, "")


def test_a_changed_directory_keeps_how_far_it_was_read(world):
    world.write(add_directory, FOLDER, 5)
    changed = CustomerDirectory(
        key=12, customer_id=1, name="files", kind=SourceKind.FOLDER, source=FolderSource(folder="/srv/other")
    )
    world.database.write_now(lambda tx, _: [tx.execute("UPDATE directory SET cookie = 'c', failures = 2")], None)
    world.write(set_directory, changed, 9)
    found = world.look(find_directory, 1, "files")
    assert (found.directory, found.cookie, found.failures, found.due_at) == (changed, "c", 2, 9)
    world.write(remove_directory, 12)
    assert world.look(directories_of, 1) == []


def test_of_two_processes_one_claims_a_due_directory(world):
    world.write(add_directory, LDAP, 5)
    world.write(add_directory, FOLDER, 1)
    assert world.look(due_directories, 4) == []
    (due,) = world.look(due_directories, 5)
    assert due.directory == LDAP
    assert [world.write(claim_directory, due, 100), world.write(claim_directory, due, 100)] == [True, False]
    assert world.look(due_directories, 99) == []
