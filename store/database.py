"""Open, migrate, and one writer thread: calls that arrive while a commit runs share the next transaction.

A write is a pair (batch function, item). Calls with the same function that meet in one transaction are given to it as
one list, in order of arrival; it returns one result per item. Futures resolve after the commit, so one fsync serves many
and a lone call waits for nobody. Only a failing batch is redone, call by call in savepoints, so one bad call fails alone.
Reads run on a connection of their own. Not here: any table (tables, directory_tables) or statement (outbound, …).
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast
from urllib.parse import unquote, urlsplit

import peewee
import structlog
from playhouse.migrations import Runner

log = structlog.get_logger()

A = TypeVar("A")
R = TypeVar("R")
Row = tuple[Any, ...]

_MIGRATIONS = Path(__file__).with_name("migrations")
_MOST_CALLS = 2_000
_PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": "full",  # NORMAL may lose the last commits at power loss, and 250 means kept
    "foreign_keys": 1,
    "busy_timeout": 10_000,
    "wal_autocheckpoint": 4_000,
    "cache_size": -65_536,
}


class StorageError(Exception):
    """The database could not keep a call: nothing of it is stored. The cause is chained."""


class Transaction:
    """One open transaction of the writer thread, or one consistent read. SQL uses `?`; PostgreSQL's marks are made here."""

    def __init__(self, database: peewee.Database) -> None:
        self._connection: Any = database.connection()  # type: ignore[no-untyped-call]
        self.postgresql = isinstance(database, peewee.PostgresqlDatabase)
        self._translated: dict[str, str] = {}

    def _sql(self, sql: str) -> str:
        if not self.postgresql:
            return sql
        if sql not in self._translated:
            self._translated[sql] = sql.replace("%", "%%").replace("?", "%s")
        return self._translated[sql]

    def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run one statement and return how many rows it changed."""
        cursor = self._connection.cursor()
        cursor.execute(self._sql(sql), values)
        return int(cursor.rowcount)

    def execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement for every row; does nothing for no rows."""
        if rows:
            self._connection.cursor().executemany(self._sql(sql), rows)

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Run one query and return all its rows."""
        cursor = self._connection.cursor()
        cursor.execute(self._sql(sql), values)
        return cast("list[Row]", cursor.fetchall())

    def rows_in(self, sql: str, values: Iterable[Any]) -> list[Row]:
        """Run a query whose `(??)` is a list, in portions, and return the rows of all; no order across portions."""
        wanted = list(values)
        found: list[Row] = []
        for start in range(0, len(wanted), 500):
            portion = wanted[start : start + 500]
            found += self.rows(sql.replace("??", ",".join("?" * len(portion))), portion)
        return found


BatchFunction = Callable[[Transaction, list[A]], list[R]]


@dataclass(slots=True)
class _Call(Generic[A, R]):
    """One item on its way through the writer thread; `loop` is None for a caller that blocks on the future."""

    batch: BatchFunction[A, R]
    item: A
    loop: asyncio.AbstractEventLoop | None
    future: Any
    result: R | None = None
    error: BaseException | None = None

    def resolve(self) -> None:
        if self.future.cancelled() or self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


def connect(url: str, password: str = "") -> peewee.Database:
    """Return an unopened peewee database for `sqlite:///path` or `postgresql://user@host:port/name`.

    Raises ValueError for any other URL.
    """
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        path = unquote(parts.path)
        return peewee.SqliteDatabase(path, pragmas=_PRAGMAS, thread_safe=True)
    if parts.scheme in ("postgresql", "postgres"):
        options: dict[str, Any] = {"prefer_psycopg3": True}
        for name, value in (("host", parts.hostname), ("port", parts.port), ("user", parts.username)):
            if value is not None:
                options[name] = value
        secret = password or (unquote(parts.password) if parts.password else "")
        if secret:
            options["password"] = secret
        return peewee.PostgresqlDatabase(unquote(parts.path.lstrip("/")), **options)
    raise ValueError(f"database {url!r}: use sqlite:///PATH or postgresql://USER@HOST/NAME")


def migrate(database: peewee.Database) -> list[str]:
    """Apply the numbered migrations that this database has not seen, each in a transaction; return their names."""
    with database.connection_context():
        return list(Runner(database, directory=str(_MIGRATIONS)).up())


class Database:
    """The database of one process: `write` and `read` from the event loop, `write_now` and `read_now` from a command."""

    def __init__(self, url: str, *, password: str = "") -> None:
        self._url = url
        self._password = password
        self._peewee = connect(url, password)
        self._calls: queue.SimpleQueue[_Call[Any, Any] | None] = queue.SimpleQueue()
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-read")
        self._reader_database: peewee.Database | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self.commits = 0

    @property
    def models(self) -> peewee.Database:
        """The peewee database that batch functions bind models to; only inside the writer's or reader's thread."""
        return self._peewee

    def open(self) -> list[str]:
        """Migrate and start the writer thread; returns the names of the migrations applied now."""
        applied = migrate(self._peewee)
        self._thread = threading.Thread(target=self._run, name="store-write", daemon=True)
        self._thread.start()
        return applied

    def close(self) -> None:
        """Finish the calls that wait, then close both connections."""
        if self._thread is None or self._closed:
            return
        self._closed = True
        self._calls.put(None)
        self._thread.join()
        self._reader.submit(self._close_reader).result()
        self._reader.shutdown()

    async def write(self, batch: BatchFunction[A, R], item: A) -> R:
        """Give one item to its batch function and return its result after the commit.

        A cancelled caller changes nothing: the call still runs. Raises what the batch function raised for this item, or
        StorageError if the transaction could not be committed.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._put(_Call(batch, item, loop, future))
        return await future

    def write_now(self, batch: BatchFunction[A, R], item: A) -> R:
        """Do the same for a caller without an event loop."""
        future: Future[R] = Future()
        self._put(_Call(batch, item, None, future))
        return future.result()

    async def read(self, query: Callable[[Transaction], R]) -> R:
        """Run a query on the reading connection, in one consistent snapshot, without holding up the writer."""
        return await asyncio.get_running_loop().run_in_executor(self._reader, self._read, query)

    def read_now(self, query: Callable[[Transaction], R]) -> R:
        """Do the same for a caller without an event loop."""
        return self._reader.submit(self._read, query).result()

    def _put(self, call: _Call[Any, Any]) -> None:
        if self._closed or self._thread is None:
            raise StorageError("the database is not open")
        self._calls.put(call)

    def _read(self, query: Callable[[Transaction], R]) -> R:
        if self._reader_database is None:
            self._reader_database = connect(self._url, self._password)
            self._reader_database.connect()
        transaction = Transaction(self._reader_database)
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if transaction.postgresql else "BEGIN"
        transaction.execute(begin)
        try:
            return query(transaction)
        finally:
            transaction.execute("ROLLBACK")

    def _close_reader(self) -> None:
        if self._reader_database is not None:
            self._reader_database.close()

    def _run(self) -> None:
        self._peewee.connect()
        stopping = False
        while not stopping:
            calls = self._gather()
            stopping = calls[-1] is None
            todo = [call for call in calls if call is not None]
            if todo:
                self._commit(todo)
                self._tell(todo)
        self._peewee.close()

    def _gather(self) -> list[_Call[Any, Any] | None]:
        calls = [self._calls.get()]
        while calls[-1] is not None and len(calls) < _MOST_CALLS:
            try:
                calls.append(self._calls.get_nowait())
            except queue.Empty:
                break
        return calls

    def _commit(self, calls: list[_Call[Any, Any]]) -> None:
        try:
            self._attempt(calls, self._all_together)
        except Exception as error:  # noqa: BLE001 - whatever a call raises must not reach its neighbours
            log.warning("batch_redone", calls=len(calls), cause=str(error)[:300])
            try:
                self._attempt(calls, self._one_by_one)
            except Exception as again:  # noqa: BLE001 - the commit itself failed: nobody may be told «kept»
                log.error("commit_failed", calls=len(calls), cause=str(again)[:300])
                for call in calls:
                    call.error = StorageError("the transaction could not be committed")
                    call.error.__cause__ = again

    def _attempt(self, calls: list[_Call[Any, Any]], run: Callable[[Transaction, list[_Call[Any, Any]]], None]) -> None:
        self._reconnect_if_lost()
        transaction = Transaction(self._peewee)
        transaction.execute("BEGIN" if transaction.postgresql else "BEGIN IMMEDIATE")
        try:
            run(transaction, calls)
            transaction.execute("COMMIT")
        except BaseException:
            self._roll_back(transaction)
            raise
        self.commits += 1

    def _reconnect_if_lost(self) -> None:
        if self._peewee.is_closed():
            self._peewee.connect()

    def _roll_back(self, transaction: Transaction) -> None:
        try:
            transaction.execute("ROLLBACK")
        except (peewee.DatabaseError, sqlite3.Error) as error:
            log.warning("rollback_failed", cause=str(error)[:300])
            self._peewee.close()
        except Exception as error:  # noqa: BLE001 - a lost server connection has driver-specific errors
            log.warning("connection_lost", cause=str(error)[:300])
            self._peewee.close()

    def _all_together(self, transaction: Transaction, calls: list[_Call[Any, Any]]) -> None:
        groups: dict[BatchFunction[Any, Any], list[_Call[Any, Any]]] = {}
        for call in calls:
            groups.setdefault(call.batch, []).append(call)
        for batch, members in groups.items():
            results = batch(transaction, [call.item for call in members])
            for call, result in zip(members, results, strict=True):
                call.result, call.error = result, None

    def _one_by_one(self, transaction: Transaction, calls: list[_Call[Any, Any]]) -> None:
        for call in calls:
            transaction.execute("SAVEPOINT one_call")
            try:
                (call.result,) = call.batch(transaction, [call.item])
                call.error = None
            except Exception as error:  # noqa: BLE001 - handed to the caller of this one call
                transaction.execute("ROLLBACK TO SAVEPOINT one_call")
                call.error = error
            transaction.execute("RELEASE SAVEPOINT one_call")

    def _tell(self, calls: list[_Call[Any, Any]]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[_Call[Any, Any]]] = {}
        for call in calls:
            if call.loop is None:
                call.resolve()
            else:
                by_loop.setdefault(call.loop, []).append(call)
        for loop, members in by_loop.items():
            try:
                loop.call_soon_threadsafe(_resolve_all, members)
            except RuntimeError:
                log.warning("loop_closed_before_result", calls=len(members))


def _resolve_all(calls: list[_Call[Any, Any]]) -> None:
    for call in calls:
        call.resolve()
