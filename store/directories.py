"""The customers' directories as they are stored: how each is configured, and how far it was read.

Not here: what a key of the options means (addressbook.source_options), the runs (directory_runs), whether a change is
allowed (gateway.admin.directories). The functions run inside the caller's transaction.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from msgspec import Struct

from addressbook.canonical import canonical_name
from addressbook.source_options import load_options, read_options, write_options
from addressbook.sources import CustomerDirectory, FolderSource, SourceKind
from store.directory_tables import DirectoryRow
from store.engine.database import Transaction
from store.engine.log import log
from store.engine.rows import query
from store.engine.statements import Insert, Update
from store.versions import IN_FORCE

_NEW = Insert(DirectoryRow)
_SET = Update(DirectoryRow, "options", "active")
_COUNT_USERS = f"SELECT COUNT(*) FROM mail_user WHERE directory_key = ? AND {IN_FORCE}"  # noqa: S608 - a condition of ours


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDirectory:
    """A directory, the options that were given, and how far it was read. Instants are microseconds.

    `digest` is that of the options by which the users in force were read; `due_at` is when it is read next, and
    `failures` how often in a row it could not be.
    """

    directory: CustomerDirectory
    options: Mapping[str, str]
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


def watched_folders(tx: Transaction) -> list[str]:
    """Return the folders of all active directories that read files."""
    found = _stored(tx.select(_Row, _ROWS + " WHERE active AND kind = ? ORDER BY key", (SourceKind.FOLDER,)))
    return [item.directory.source.folder for item in found if isinstance(item.directory.source, FolderSource)]


def due_directories(tx: Transaction, now: int) -> list[StoredDirectory]:
    """Return the directories that are to be read by now, the longest due first."""
    return _stored(tx.select(_Row, _ROWS + " WHERE active AND due_at <= ? ORDER BY due_at, key", (now,)))


def claim_directory(tx: Transaction, stored: StoredDirectory, due_at: int) -> bool:
    """Say when a due directory is due again; False where another process said so before: then it reads it."""
    return tx.execute(_CLAIM, (due_at, stored.directory.key, stored.due_at)) == 1


def postpone_directory(tx: Transaction, key: int, due_at: int) -> bool:
    """Say when a directory is read next; False where it is gone."""
    return tx.execute("UPDATE directory SET due_at = ? WHERE key = ?", (due_at, key)) == 1


def add_directory(tx: Transaction, directory: CustomerDirectory, options: Mapping[str, str], due_at: int) -> None:
    """Store a new directory, which these options make."""
    row = _NEW.row(
        key=directory.key,
        customer_key=directory.customer_id,
        name=directory.name,
        canonical=canonical_name(directory.name),
        kind=directory.kind.value,
        options=write_options(options),
        active=directory.active,
        due_at=due_at,
    )
    tx.insert(_NEW, [row])


def set_directory(tx: Transaction, directory: CustomerDirectory, options: Mapping[str, str]) -> None:
    """Store the options of a directory; how far it was read stays."""
    tx.update(_SET, [_SET.row(options=write_options(options), active=directory.active, key=directory.key)])


def count_directory_users(tx: Transaction, key: int) -> int:
    """Return how many users of a directory are in force."""
    return int(tx.value(_COUNT_USERS, (key,)))


def remove_directory(tx: Transaction, key: int) -> None:
    """Delete a directory; its users, lists and runs are the caller's."""
    tx.execute("DELETE FROM directory WHERE key = ?", (key,))


def _stored(rows: Iterable[_Row]) -> list[StoredDirectory]:
    return [found for row in rows if (found := _read(row)) is not None]


def _read(row: _Row) -> StoredDirectory | None:
    """Return a directory; None for one that this version of the program cannot read, which the log names."""
    options = load_options(row.options)
    directory = read_options(row.kind, options, key=row.key, customer_id=row.customer_key, name=row.name)
    if not isinstance(directory, CustomerDirectory):
        log.error("stored_directory_unreadable", directory=row.name, faults=[fault.code.value for fault in directory])
        return None
    return StoredDirectory(
        directory=directory,
        options=options,
        cookie=row.cookie,
        digest=row.digest,
        full_at=row.full_at,
        synced_at=row.synced_at,
        due_at=row.due_at,
        failures=row.failures,
    )
