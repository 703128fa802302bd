"""The customers' directories as they are stored: how each is configured, and how far it was read.

Not here: what a key of the options means (addressbook.source_options), the runs (directory_runs), whether a change is
allowed (gateway.admin.directories). The functions run inside the caller's transaction.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import Struct

from addressbook.people import canonical_name
from addressbook.sources import CustomerDirectory, FolderSource, GroupList, GroupRule, Guard, LdapSource, SourceKind
from store.directory_tables import DirectoryRow
from store.engine.database import Transaction
from store.engine.rows import query
from store.engine.statements import Insert, Update

_NEW = Insert(DirectoryRow)
_SET = Update(DirectoryRow, "kind", "options", "active")
_OF_ROW: Final = ("key", "customer_id", "name", "kind", "active")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDirectory:
    """A directory and how far it was read. Instants are microseconds.

    `digest` is that of the options by which the users in force were read; `due_at` is when it is read next, and
    `failures` how often in a row it could not be.
    """

    directory: CustomerDirectory
    cookie: str = ""
    digest: str = ""
    full_at: int | None = None
    synced_at: int | None = None
    due_at: int | None = None
    failures: int = 0


class _Row(Struct, frozen=True, array_like=True):
    key: int
    customer_key: int
    name: str
    kind: SourceKind
    options: str
    active: bool
    cookie: str
    digest: str
    full_at: int | None
    synced_at: int | None
    due_at: int | None
    failures: int


_ROWS = query(_Row, "FROM directory")
_CLAIM = "UPDATE directory SET due_at = ? WHERE key = ? AND due_at = ?"


def directories_of(tx: Transaction, customer_key: int) -> list[StoredDirectory]:
    """Return a customer's directories by name."""
    return _stored(tx.select(_Row, _ROWS + " WHERE customer_key = ? ORDER BY canonical", (customer_key,)))


def find_directory(tx: Transaction, customer_key: int, name: str) -> StoredDirectory | None:
    """Return the customer's directory of this name."""
    found = _ROWS + " WHERE customer_key = ? AND canonical = ?"
    return next(iter(_stored(tx.select(_Row, found, (customer_key, canonical_name(name))))), None)


def find_directory_by_key(tx: Transaction, key: int) -> StoredDirectory | None:
    """Return the directory with this key."""
    return next(iter(_stored(tx.select(_Row, _ROWS + " WHERE key = ?", (key,)))), None)


def due_directories(tx: Transaction, now: int) -> list[StoredDirectory]:
    """Return the directories that are to be read by now, the longest due first."""
    return _stored(tx.select(_Row, _ROWS + " WHERE active AND due_at <= ? ORDER BY due_at, key", (now,)))


def claim_directory(tx: Transaction, stored: StoredDirectory, due_at: int) -> bool:
    """Say when a due directory is due again; False where another process said so before: then it reads it."""
    return tx.execute(_CLAIM, (due_at, stored.directory.key, stored.due_at)) == 1


def add_directory(tx: Transaction, directory: CustomerDirectory, due_at: int) -> None:
    """Store a new directory."""
    row = _NEW.row(
        key=directory.key,
        customer_key=directory.customer_id,
        name=directory.name,
        canonical=canonical_name(directory.name),
        kind=directory.kind.value,
        options=_text_of(directory),
        active=directory.active,
        due_at=due_at,
    )
    tx.insert(_NEW, [row])


def set_directory(tx: Transaction, directory: CustomerDirectory, due_at: int) -> None:
    """Store how a directory is configured now, and when it is read next; how far it was read stays."""
    values = {"kind": directory.kind.value, "options": _text_of(directory), "active": directory.active}
    tx.update(_SET, [_SET.row(**values, key=directory.key)])
    tx.execute("UPDATE directory SET due_at = ? WHERE key = ?", (due_at, directory.key))


def remove_directory(tx: Transaction, key: int) -> None:
    """Delete a directory; its users, lists and runs are the caller's."""
    tx.execute("DELETE FROM directory WHERE key = ?", (key,))


def _stored(rows: Iterable[_Row]) -> list[StoredDirectory]:
    return [
        StoredDirectory(
            directory=_directory(row),
            cookie=row.cookie,
            digest=row.digest,
            full_at=row.full_at,
            synced_at=row.synced_at,
            due_at=row.due_at,
            failures=row.failures,
        )
        for row in rows
    ]


def _directory(row: _Row) -> CustomerDirectory:
    options = msgspec.json.decode(row.options)
    source = FolderSource if row.kind is SourceKind.FOLDER else LdapSource
    shapes: dict[str, Any] = {
        "source": source,
        "profiles": tuple[GroupRule, ...],
        "lists": tuple[GroupList, ...],
        "guard": Guard,
    }
    read: dict[str, Any] = {name: msgspec.convert(value, shapes.get(name, Any)) for name, value in options.items()}
    return CustomerDirectory(
        key=row.key, customer_id=row.customer_key, name=row.name, kind=row.kind, active=row.active, **read
    )


def _text_of(directory: CustomerDirectory) -> str:
    plain = msgspec.to_builtins(directory)
    return msgspec.json.encode({name: plain[name] for name in plain if name not in _OF_ROW}).decode()
