"""The database of one process: one writer thread, in which calls that arrive while a commit runs share the next one.

A write is a pair (batch function, item). Calls with the same function that meet in one transaction are given to it as
one list, in order of arrival; it returns one result per item. Futures resolve after the commit, so one fsync serves
many and a lone call waits for nobody. Only a failing batch is redone, call by call in savepoints, so one bad call fails
alone; what the server itself threw away (a deadlock, a lost connection) is redone together, and a COMMIT whose answer
was lost is asked for, never repeated. Reads run on connections of their own. Not here: how a connection is made
(opening), any table or statement.
"""

import asyncio
import contextlib
import os
import queue
import secrets
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext
from typing import Any, Generic, TypeVar

import peewee
from msgspec import Struct

from store.engine.log import log
from store.engine.opening import (
    DatabaseInUseError,
    WatchedFile,
    connect,
    find_pending,
    make_private,
    migrate,
    serve_alone,
    sqlite_file,
)
from store.engine.reading import ReadingConnection, is_lost, raw
from store.engine.transaction import Row, StorageError, StorageFullError, Transaction, is_full

__all__ = [
    "BatchFunction",
    "Database",
    "DatabaseInUseError",
    "Row",
    "StorageError",
    "StorageFullError",
    "Transaction",
    "connect",
    "migrate",
]


A = TypeVar("A")
R = TypeVar("R")

_MOST_CALLS = 2_000
_MOST_TRIES = 5
_PATIENCE = 10.0
_PAUSE = 0.1
# Every statement of the writer finds its rows by an index. PostgreSQL's planner, whose statistics of a queue are always
# of another time, must not think that it knows better, nor compile (jit) what looks dear to it then.
_BY_INDEX = (
    "SELECT set_config('enable_seqscan', 'off', false), set_config('enable_hashjoin', 'off', false),"
    " set_config('enable_mergejoin', 'off', false), set_config('jit', 'off', false)"
)
_LOOK_OFTEN = "PRAGMA busy_timeout = 3"
_MARKS_KEPT = 30 * 86_400 * 1_000_000
# A transaction that was given up may still lie unread before the server: it must fail (22012) when its turn comes.
_MARK = (
    "INSERT INTO writer_mark (writer, number, written_at) VALUES (?, ?, ?) ON CONFLICT (writer) DO UPDATE"
    " SET number = excluded.number / (writer_mark.number < excluded.number)::int, written_at = excluded.written_at"
)
# An insert, since it waits for one that is under way too; its number bars what was asked for from then on.
_ASK = (
    "INSERT INTO writer_mark (writer, number, written_at) VALUES (?, ?, ?) ON CONFLICT (writer) DO UPDATE"
    " SET number = excluded.number + (writer_mark.number = excluded.number)::int RETURNING number"
)
# PostgreSQL errors of which the same transaction, begun again, is free: serialization failure, deadlock.
_TRANSIENT = frozenset({"40001", "40P01"})


BatchFunction = Callable[[Transaction, list[A]], list[R]]


class _CommitUnknownError(StorageError):
    """The connection was lost in COMMIT and the server cannot be asked what became of it: nothing may be redone."""


class _Call(Struct, Generic[A, R]):
    """One item on its way through the writer thread; `loop` is None for a caller that blocks on the future."""

    batch: BatchFunction[A, R]
    item: A
    loop: asyncio.AbstractEventLoop | None
    future: Any
    result: R | None = None
    error: BaseException | None = None

    def resolve(self) -> None:
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


class Database:
    """`write` and `read` are for the event loop, `write_now` and `read_now` for a command."""

    def __init__(self, url: str, *, password: str = "") -> None:
        self._url = url
        self._password = password
        self._peewee = connect(url, password)
        self._calls: queue.SimpleQueue[_Call[Any, Any] | None] = queue.SimpleQueue()
        self._given: deque[_Call[Any, Any]] = deque()
        self._reader = ReadingConnection(url, password, "store-read")
        self._long_reader = ReadingConnection(url, password, "store-read-long", long=True)
        self._thread: threading.Thread | None = None
        self._closed = False
        self._lock: int | None = None
        self._file: WatchedFile | None = None
        self._lost_at: float | None = None
        self._writer = secrets.token_hex(8)
        self._number = 0
        self._durable = self._sqlite_durable = True
        self.commits = 0

    @property
    def postgresql(self) -> bool:
        """Whether several processes may serve this database."""
        return isinstance(self._peewee, peewee.PostgresqlDatabase)

    def open(self, *, serving: bool = False) -> list[str]:
        """Migrate and start the writer thread; returns the names of the migrations applied now.

        `serving` is for the process that takes and submits: there is only one for a SQLite file. Raises
        DatabaseInUseError where there is one already, StorageError where the database cannot be opened.
        """
        file = sqlite_file(self._url)
        try:
            if file is not None:
                make_private(file)
                self._lock = serve_alone(file) if serving else None
            applied = migrate(self._peewee)
            self._file = WatchedFile(file) if file is not None else None
        except StorageError:
            self._unlock()
            raise
        except (OSError, peewee.PeeweeException) as error:
            self._unlock()
            raise StorageError(f"the database cannot be opened: {error}") from error
        self._thread = threading.Thread(target=self._run, name="store-write", daemon=True)
        self._thread.start()
        return applied

    @contextmanager
    def commits_at_leisure(self) -> Iterator[None]:
        """Commit without waiting for the disk, what may be done again: a power cut takes the last commits, in order.

        The first commit after it is durable, with all before.
        """
        self._durable = False
        try:
            yield
        finally:
            self._durable = True

    def pending(self) -> list[str]:
        """Return the migrations that `open` would apply, which changes nothing.

        Raises StorageError where another version of this program made the tables.
        """
        with self._peewee.connection_context():
            return [migration.stem for migration in find_pending(self._peewee)]

    def close(self) -> None:
        """Finish the calls that wait, then close the connections; one that was only read need not be open."""
        if self._closed:
            return
        self._closed = True
        if self._thread is not None:
            self._hand_over()
            self._calls.put(None)
            self._thread.join()
        self._reader.close()
        self._long_reader.close()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def write(self, batch: BatchFunction[A, R], item: A) -> R:
        """Give one item to its batch function and return its result after the commit.

        A cancelled caller changes nothing: the call still runs. Raises what the batch function raised for this item, or
        StorageError if the transaction could not be committed, StorageFullError for want of room.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._check_open()
        self._given.append(_Call(batch, item, loop, future))
        loop.call_soon(self._hand_over)
        return await future

    def _hand_over(self) -> None:
        """Wake the writer once for all that was given in one turn of the loop: the first would go alone otherwise."""
        while self._given:
            self._calls.put(self._given.popleft())

    def write_now(self, batch: BatchFunction[A, R], item: A) -> R:
        """Do the same for a caller without an event loop."""
        future: Future[R] = Future()
        self._check_open()
        self._calls.put(_Call(batch, item, None, future))
        return future.result()

    async def read(self, query: Callable[[Transaction], R]) -> R:
        """Run a query on the reading connection, in one consistent snapshot, without holding up the writer."""
        return await self._reader.read(query)

    def read_now(self, query: Callable[[Transaction], R]) -> R:
        """Do the same for a caller without an event loop."""
        return self._reader.read_now(query)

    async def read_long(self, query: Callable[[Transaction], R]) -> R:
        """Run a query that may take long, such as a report's, so that it holds up no other than those alike."""
        return await self._long_reader.read(query)

    def read_long_now(self, query: Callable[[Transaction], R]) -> R:
        """Do the same for a caller without an event loop."""
        return self._long_reader.read_now(query)

    def _check_open(self) -> None:
        if self._closed or self._thread is None:
            raise StorageError("the database is not open")

    def _run(self) -> None:
        stopping = False
        while not stopping:
            calls = self._gather()
            stopping = calls[-1] is None
            todo = [call for call in calls if call is not None]
            if todo:
                self._commit(todo)
                self._tell(todo)
        self._forget_mark()
        self._peewee.close()

    def _forget_mark(self) -> None:
        """Delete this writer's mark, and those that crashed writers left a month ago."""
        if self._number and not self._peewee.is_closed():
            with contextlib.suppress(Exception):  # it is of no use to anybody, whether it goes or stays
                statement = "DELETE FROM writer_mark WHERE writer = ? OR written_at < ?"
                before = time.time_ns() // 1000 - _MARKS_KEPT
                Transaction(self._peewee).execute(statement, (self._writer, before))

    def _gather(self) -> list[_Call[Any, Any] | None]:
        calls = [self._calls.get()]
        while calls[-1] is not None and len(calls) < _MOST_CALLS:
            try:
                calls.append(self._calls.get_nowait())
            except queue.Empty:
                break
        return calls

    def _commit(self, calls: list[_Call[Any, Any]]) -> None:
        """Run and commit all calls; redo them where that is safe, one by one where one of them may be bad."""
        alone = False
        failure: Exception = StorageError("not tried")
        for _ in range(_MOST_TRIES):
            try:
                self._attempt(calls, alone=alone)
            except _CommitUnknownError as error:
                failure = error
                break
            except Exception as error:  # noqa: BLE001 - whatever a call raises must not reach its neighbours
                failure = error
                again = self._is_transient(error)
                log.warning("batch_redone", calls=len(calls), alone=alone or not again, cause=str(error)[:300])
                if alone and not again:
                    break
                alone = alone or not again
                if self._peewee.is_closed() and self._lost_at is None:
                    break
            else:
                return
        log.error("commit_failed", calls=len(calls), cause=str(failure)[:300])
        kind = StorageFullError if is_full(failure) else StorageError
        sentence = f"the transaction could not be committed: {str(failure).strip()[:300]}"
        if self.postgresql and self._peewee.is_closed():
            sentence += "; does the PostgreSQL server of [server] database run, and may this user connect to it?"
        for call in calls:
            call.error = kind(sentence)
            call.error.__cause__ = failure

    def _is_transient(self, error: BaseException) -> bool:
        return self._peewee.is_closed() or getattr(error, "sqlstate", None) in _TRANSIENT

    def _attempt(self, calls: list[_Call[Any, Any]], *, alone: bool) -> None:
        self._connect_if_lost()
        transaction = Transaction(self._peewee, careful=alone)
        committing = False
        try:
            # One by one, each error must be raised by the statement whose it is.
            with nullcontext() if alone else transaction.sent_together():
                self._begin(transaction)
                (self._one_by_one if alone else self._all_together)(transaction, calls)
                if self._file is not None:
                    self._file.check()
                committing = True
                transaction.commit()
            transaction.check_committed()
        except BaseException as error:
            self._roll_back()
            answer_lost = committing and self.postgresql and self._peewee.is_closed()
            if not answer_lost or not isinstance(error, Exception) or not self._was_committed(error):
                raise
        self.commits += 1

    def _begin(self, transaction: Transaction) -> None:
        """Begin a transaction; PostgreSQL gets a mark by which it is known, should the answer to COMMIT be lost."""
        if not transaction.postgresql:
            self._begin_sqlite(transaction)
            return
        transaction.send("BEGIN")
        if not self._durable:
            transaction.send("SET LOCAL synchronous_commit = off")
        self._number += 1
        transaction.send(_MARK, self._mark())

    def _begin_sqlite(self, transaction: Transaction) -> None:
        """Begin once no other process writes.

        SQLite's own wait grows to a tenth of a second between two looks, so that who looks more often is always first.
        """
        if self._durable is not self._sqlite_durable:
            transaction.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'NORMAL'}")
            self._sqlite_durable = self._durable
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                transaction.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
            else:
                return

    def _mark(self) -> tuple[str, int, int]:
        return self._writer, self._number, time.time_ns() // 1000

    def _was_committed(self, cause: Exception) -> bool:
        """Ask the server what became of a transaction whose COMMIT was not answered.

        One that is still carried out is waited for, one that has not begun never will be.
        """
        try:
            self._connect_if_lost()
            transaction = Transaction(self._peewee)
            transaction.execute(f"SET lock_timeout = '{_PATIENCE}s'")
            ((number,),) = transaction.rows(_ASK, self._mark())
            transaction.execute("RESET lock_timeout")
        except Exception as error:  # noqa: BLE001 - whatever the answer would have been, it is not known
            self._peewee.close()
            self._number += 1  # the question may have been heard
            raise _CommitUnknownError(f"lost in COMMIT ({cause}); asking failed ({error})") from cause
        committed = bool(number > self._number)
        self._number = number
        log.warning("commit_asked_for", committed=committed, cause=str(cause)[:300])
        return committed

    def _connect_if_lost(self) -> None:
        """Connect again; after a loss, for ten seconds as often as it takes, later once per batch."""
        while self._peewee.is_closed():
            try:
                self._peewee.connect()
                raw(self._peewee).execute(_BY_INDEX if self.postgresql else _LOOK_OFTEN)
                self._sqlite_durable = True
            except Exception:
                self._peewee.close()
                if self._lost_at is None or time.monotonic() - self._lost_at > _PATIENCE:
                    self._lost_at = None
                    raise
                time.sleep(_PAUSE)

    def _roll_back(self) -> None:
        try:
            if not is_lost(self._peewee):
                # By a statement psycopg may not learn of it, and would take for prepared what failed with the rest.
                raw(self._peewee).rollback()
                return
        except Exception as error:  # noqa: BLE001 - the connection is useless, whatever is wrong with it
            log.warning("rollback_failed", cause=str(error)[:300])
        self._lost_at = time.monotonic()
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
            except Exception as error:
                if is_lost(self._peewee) or is_full(error) or getattr(error, "sqlstate", None) in _TRANSIENT:
                    raise  # SQLite has thrown the whole transaction away where it is full
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
