"""store.directories on a real database: what is stored of a directory is read back, and one process claims each run."""

from collections.abc import Iterator, Mapping

import pytest
from structlog.testing import capture_logs

from addressbook.source_options import read_options
from addressbook.sources import CustomerDirectory, SourceKind
from store.directories import (
    add_directory,
    claim_directory,
    directories_of,
    due_directories,
    find_directory,
    find_directory_by_key,
    postpone_directory,
    remove_directory,
    set_directory,
)
from store.engine.database import Database
from tests.kit.readers import DatabaseReaders

_LDAP = {
    "host": "ldap.example.com",
    "base": "dc=example,dc=com",
    "bind_dn": "cn=reader,dc=example,dc=com",
    "password_file": "/etc/mail2sms/ldap.secret",
    "map.cost_centre": "departmentNumber",
    "profile.1": "cn=sales,dc=example,dc=com => Sales",
    "list.crew": "cn=crew,dc=example,dc=com",
    "guard_percent": "3",
    "every": "15",
}
_FOLDER = {"folder": "/srv/acme", "end_marker": "END", "active": "off"}


def directory(key: int, name: str, kind: SourceKind, options: Mapping[str, str]) -> CustomerDirectory:
    read = read_options(kind, options, key=key, customer_id=1, name=name)
    assert isinstance(read, CustomerDirectory)
    return read


LDAP = directory(11, "Head office", SourceKind.OPENLDAP, _LDAP)
FOLDER = directory(12, "files", SourceKind.FOLDER, _FOLDER)
OPTIONS = {LDAP.key: _LDAP, FOLDER.key: _FOLDER}


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


@pytest.mark.parametrize("known", [LDAP, FOLDER], ids=lambda item: item.kind)
def test_a_stored_directory_is_read_back_as_it_was(world, known):
    world.write(add_directory, known, OPTIONS[known.key], 5)
    found = world.look(find_directory, 1, known.name.upper())
    assert found.directory == known == world.look(find_directory_by_key, known.key).directory
    assert found.options == dict(sorted(OPTIONS[known.key].items()))
    assert (found.due_at, found.failures, found.synced_at, found.digest) == (5, 0, None, "")


def test_a_changed_directory_keeps_how_far_it_was_read(world):
    world.write(add_directory, FOLDER, _FOLDER, 5)
    changed = directory(12, "files", SourceKind.FOLDER, {"folder": "/srv/other"})
    world.database.write_now(lambda tx, _: [tx.execute("UPDATE directory SET cookie = 'c', failures = 2")], None)
    world.write(set_directory, changed, {"folder": "/srv/other"})
    found = world.look(find_directory, 1, "files")
    assert (found.directory, found.cookie, found.failures, found.due_at) == (changed, "c", 2, 5)
    world.write(remove_directory, 12)
    assert world.look(directories_of, 1) == []


def test_of_two_processes_one_claims_a_due_directory(world):
    world.write(add_directory, LDAP, _LDAP, 5)
    world.write(add_directory, FOLDER, _FOLDER, 1)
    assert world.look(due_directories, 4) == []
    (due,) = world.look(due_directories, 5)
    assert due.directory == LDAP
    assert [world.write(claim_directory, due, 100), world.write(claim_directory, due, 100)] == [True, False]
    assert world.look(due_directories, 99) == []
    world.write(postpone_directory, LDAP.key, 50)
    assert [found.directory for found in world.look(due_directories, 99)] == [LDAP]


def test_a_directory_that_this_version_cannot_read_is_left_out_and_named_in_the_log(world):
    world.write(add_directory, LDAP, {**_LDAP, "page_size": "enormous"}, 5)
    world.write(add_directory, FOLDER, _FOLDER, 1)
    with capture_logs() as logs:
        assert [found.directory for found in world.look(directories_of, 1)] == [FOLDER]
    assert logs == [
        {
            "event": "stored_directory_unreadable",
            "log_level": "error",
            "directory": "Head office",
            "faults": ["bad-directory-option"],
        }
    ]
