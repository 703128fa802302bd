"""A database from its URL: connected with what 250 needs, migrated, and kept from a second process where it must be.

Not here: what runs in it (database).
"""

import contextlib
import fcntl
import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import peewee

from store.engine.arrays import teach
from store.engine.transaction import StorageError

_MIGRATIONS = Path(__file__).parents[1] / "migrations"
_HISTORY = "schema_migration"
_BEFORE_THE_FIRST_RELEASE = "0001_initial"
# A migration is written with PostgreSQL's types, and what only SQLite knows.
_OF_SQLITE = {"BIGINT": "INTEGER", "SMALLINT": "INTEGER", "BOOLEAN": "INTEGER", "BYTEA": "BLOB"}
_OF_POSTGRESQL = {" WITHOUT ROWID": ""}
_MIGRATION_LOCK = 0x6D61696C32736D73  # any number that no other program of the same database takes
_PREPARED = 512  # statements that stay prepared: an insert has one for each number of rows
_PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": "full",  # NORMAL may lose the last commits at power loss, and 250 means kept
    "foreign_keys": 1,
    "busy_timeout": 10_000,
    "wal_autocheckpoint": 4_000,
    "secure_delete": 1,  # what is deleted or erased is overwritten in the file, however the library was built
    "cache_size": -16_384,  # KiB for each of two connections; with four times as much nothing is faster
}
# A peer that vanished without a word is found within a minute; without these, never.
_LIBPQ = {
    "application_name": "mail2sms",
    "connect_timeout": 10,
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 40_000,
}


class DatabaseInUseError(StorageError):
    """Another process serves this SQLite file; several processes need PostgreSQL."""


class _Postgresql(peewee.PostgresqlDatabase):
    """PostgreSQL whose commits are durable whatever the server's default is; it takes arrays (store.engine.arrays).

    Nothing is compiled for a query that is run once: with JIT, a filter of reports that takes 0.5 s took 4 s more.
    """

    def _initialize_connection(self, conn: Any) -> None:
        teach(conn)
        conn.execute("SELECT set_config(name, 'off', false) FROM pg_settings WHERE name = 'jit'")
        conn.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )


def connect(url: str, password: str = "") -> peewee.Database:
    """Return an unopened peewee database for `sqlite:///path` or `postgresql://user@host:port/name?option=value`.

    What follows `postgresql:` is read by libpq: several hosts, `sslmode`, `target_session_attrs` and the like work.
    Raises ValueError for any other URL, and where the driver for PostgreSQL is not installed.
    """
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return peewee.SqliteDatabase(
            unquote(parts.path), pragmas=_PRAGMAS, thread_safe=True, cached_statements=_PREPARED
        )
    if parts.scheme not in ("postgresql", "postgres"):
        raise ValueError(f"database {url!r}: use sqlite:///PATH or postgresql://USER@HOST/NAME")
    if find_spec("psycopg") is None:
        raise ValueError("PostgreSQL needs the package psycopg: install mail2sms[postgresql]")
    options: dict[str, Any] = {name: value for name, value in _LIBPQ.items() if name not in parse_qs(parts.query)}
    if password:
        options["password"] = password
    return _Postgresql("postgresql:" + url.partition(":")[2], prefer_psycopg3=True, **options)


def migrate(database: peewee.Database) -> list[str]:
    """Apply the numbered migrations that this database has not seen, in one transaction; return their names.

    Several processes may do so at once. Raises StorageError where another version of this program made its tables.
    """
    with database.connection_context():
        if not find_pending(database):
            return []
        with database.atomic() if isinstance(database, peewee.PostgresqlDatabase) else database.atomic("IMMEDIATE"):
            if isinstance(database, peewee.PostgresqlDatabase):
                database.connection().execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATION_LOCK,))  # type: ignore[no-untyped-call]
            pending = find_pending(database)
            for migration in pending:
                _apply(database, migration)
            return [migration.stem for migration in pending]


def find_pending(database: peewee.Database) -> list[Path]:
    """Return the migrations that a connected database has not seen.

    Raises StorageError where another version of this program made its tables.
    """
    applied = set()
    if database.table_exists(_HISTORY):
        applied = {name for (name,) in database.execute_sql(f"SELECT name FROM {_HISTORY}")}  # type: ignore[no-untyped-call]  # noqa: S608 - ours
    if _BEFORE_THE_FIRST_RELEASE in applied:
        raise StorageError(
            "a version of mail2sms from before the first release made these tables, and this one cannot read them:"
            " write the users down with that version (mail2sms people export), name a new SQLite file or an empty"
            " PostgreSQL database in [server] database, then enter customers and people anew"
        )
    migrations = sorted(_MIGRATIONS.glob("[0-9]*.sql"))
    if later := sorted(applied - {migration.stem for migration in migrations}):
        raise StorageError(f"a later version of mail2sms has migrated this database: {', '.join(later)}")
    return [migration for migration in migrations if migration.stem not in applied]


def _apply(database: peewee.Database, migration: Path) -> None:
    """Run the statements of a migration, and write down that it was applied."""
    words = _OF_POSTGRESQL if isinstance(database, peewee.PostgresqlDatabase) else _OF_SQLITE
    text = re.sub("|".join(words), lambda found: words[found[0]], migration.read_text("utf-8"))
    history = f"CREATE TABLE IF NOT EXISTS {_HISTORY} (name TEXT NOT NULL PRIMARY KEY)"
    note = f"INSERT INTO {_HISTORY} (name) VALUES ('{migration.stem}')"  # noqa: S608 - names of ours
    for statement in (history, *filter(None, map(str.strip, text.split(";\n"))), note):
        database.execute_sql(statement)  # type: ignore[no-untyped-call]


def sqlite_file(url: str) -> Path | None:
    """Return the file of a SQLite URL, None for another database."""
    parts = urlsplit(url)
    return Path("/" + unquote(parts.path).lstrip("/")) if parts.scheme == "sqlite" else None


def make_private(file: Path) -> None:
    """Create a database file that only this user reads, unless it exists; SQLite's other files get the same mode."""
    with contextlib.suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))


class WatchedFile:
    """A SQLite file that is open: who deletes or replaces it takes away what is committed from then on."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known = self._identity()

    def check(self) -> None:
        """Raise StorageError where the file is no longer the one that was opened."""
        if self._identity() != self._known:
            raise StorageError(
                f"{self._file} was deleted or replaced while it is open: put it back, or stop and restore it"
            )

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self._file.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino


def find_server(file: Path) -> str | None:
    """Return the number of the process that serves a SQLite file, None where none does."""
    try:
        descriptor = os.open(f"{file}.lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
    else:
        return None
    finally:
        os.close(descriptor)


def serve_alone(file: Path) -> int:
    """Lock a SQLite file against a second serving process and return the descriptor that holds the lock.

    The lock is on `FILE.lock` and ends with the process; short commands do not ask for it. Raises DatabaseInUseError.
    """
    descriptor = os.open(f"{file}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise DatabaseInUseError(
            f"{file} is served by process {holder or 'unknown'} already; several processes need PostgreSQL"
        ) from None
    os.truncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor
