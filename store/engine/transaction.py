"""One open transaction: the few ways to run SQL in it, in the dialect of its database.

SQL is written with `?`, `IN (??)` and, at its end, locks such as FOR UPDATE; what a dialect has otherwise is made here.
Not here: when it begins and ends (database).
"""

import re
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain
from typing import Any, cast

import peewee

from store.engine.rows import R, decode
from store.engine.statements import MOST_ROWS, Insert, Row, Update

__all__ = ["Row", "StorageError", "StorageFullError", "Transaction", "is_full"]

_LONGEST_LIST = 512
_PORTION = 100
_PQTRANS_IDLE = 0
_DISK_FULL = "53100"
_LOCK = re.compile(r" FOR (NO KEY )?(UPDATE|SHARE)( SKIP LOCKED)?$")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class StorageError(Exception):
    """The database could not keep a call: nothing of it is stored. The cause is chained."""


class StorageFullError(StorageError):
    """The same, for want of room."""


def is_full(error: BaseException) -> bool:
    """Return whether a database says that its disk has no room."""
    return getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL or getattr(error, "sqlstate", "") == _DISK_FULL


@lru_cache(maxsize=1024)
def _for_sqlite(sql: str) -> str:
    """Return a query without its lock: with SQLite there is one writer. Its LIKE finds ASCII letters in any case."""
    return _LOCK.sub("", sql).replace(" ILIKE ", " LIKE ")


@lru_cache(maxsize=1024)
def _for_postgresql(sql: str) -> str:
    return sql.replace("%", "%%").replace("IN (??)", "= ANY(%b)").replace("?", "%s")


class Transaction:
    """One open transaction of the writer thread, or one consistent read.

    `careful` replaces what a database cannot hold in a text (NUL, lone surrogates) by U+FFFD before every statement:
    wanted where a batch is redone, so that no text is refused forever.
    """

    def __init__(self, database: peewee.Database, *, careful: bool = False) -> None:
        self._connection: Any = database.connection()  # type: ignore[no-untyped-call]
        self._careful = careful
        self._pipeline: Any = None
        self._ended = False
        self._committing: Any = None
        self.postgresql = isinstance(database, peewee.PostgresqlDatabase)

    def _run(self, sql: str, values: Sequence[Any]) -> Any:
        if self._careful:
            values = [_storable(value) for value in values]
        cursor = self._connection.cursor()
        cursor.execute(_for_postgresql(sql) if self.postgresql else _for_sqlite(sql), values)
        return cursor

    @contextmanager
    def sent_together(self) -> Iterator[None]:
        """Send statements without waiting for the answer to each, where the database can (PostgreSQL's pipeline).

        Only what returns something waits. A statement's error is raised by it, by a later one, or at the end.
        """
        if not self.postgresql:
            yield
            return
        try:
            with self._connection.pipeline() as self._pipeline:
                yield
        finally:
            self._pipeline = None

    def send(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Run one statement of which nobody asks how many rows it changed."""
        self._run(sql, values)

    def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run one statement and return how many rows it changed."""
        cursor = self._run(sql, values)
        if self._pipeline is not None:
            self._pipeline.sync()
        if self.postgresql:
            self._ended = self._connection.pgconn.transaction_status == _PQTRANS_IDLE
        return int(cursor.rowcount)

    def commit(self) -> None:
        """Commit; whether that was done is known after `check_committed`."""
        if self._ended:  # to COMMIT the server would say only a warning
            raise StorageError("the transaction has ended already")
        self._committing = self._run("COMMIT", ())

    def check_committed(self) -> None:
        """Raise StorageError where the commit was none: PostgreSQL says ROLLBACK, and no error, after a failure."""
        if self.postgresql and self._committing.statusmessage != "COMMIT":
            raise StorageError(f"the transaction was not committed: {self._committing.statusmessage}")

    def execute_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement for every row; does nothing for no rows. `insert` and `update` are faster on PostgreSQL."""
        if not rows:
            return
        if self._careful:
            rows = [[_storable(value) for value in row] for row in rows]
        self._connection.cursor().executemany(_for_postgresql(sql) if self.postgresql else sql, rows)

    def insert(self, statement: Insert, rows: Sequence[Row]) -> None:
        """Insert rows; does nothing for no rows."""
        self._write(statement, rows)

    def update(self, statement: Update, rows: Sequence[Row]) -> None:
        """Update rows, each key at most once; does nothing for no rows."""
        self._write(statement, rows)

    def _write(self, statement: Insert | Update, rows: Sequence[Row]) -> None:
        if not rows:
            return
        if self._careful:
            rows = [tuple(_storable(value) for value in row) for row in rows]
        cursor = self._connection.cursor()
        if self.postgresql:
            cursor.execute(statement.postgresql, statement.arrays(rows))
        elif isinstance(statement, Insert):
            for start in range(0, len(rows), MOST_ROWS):
                portion = rows[start : start + MOST_ROWS]
                cursor.execute(statement.sqlite_of(len(portion)), list(chain.from_iterable(portion)))
        else:
            cursor.executemany(statement.sqlite, rows)

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Run one query, or a statement with RETURNING, and return all its rows."""
        return cast("list[Row]", self._run(sql, values).fetchall())

    def rows_each(self, sql: str, values: Iterable[Sequence[Any]]) -> list[list[Row]]:
        """Run one query for each row of values and return the rows of each; PostgreSQL is asked all at once."""
        with self.sent_together():
            cursors = [self._run(sql, each) for each in values]
            return [cast("list[Row]", cursor.fetchall()) for cursor in cursors]

    def value(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """Run a query of one column and return its first value, None where it has no row."""
        return next((value for (value,) in self.rows(sql, values)), None)

    def rows_in(self, sql: str, values: Iterable[Any], rest: Sequence[Any] = ()) -> list[Row]:
        """Run a query whose first mark is `IN (??)`, a list of unlike values, and return its rows.

        `rest` is for the marks after it. There is no order across portions of a long list.
        """
        return [row for portion in self._portions(sql, values, rest) for row in self.rows(*portion)]

    def _portions(self, sql: str, values: Iterable[Any], rest: Sequence[Any]) -> Iterator[tuple[str, Sequence[Any]]]:
        """Yield a query of a list as one that the database takes, or several, each with its values."""
        wanted = list(values)
        if self.postgresql:
            if wanted:
                yield sql, [wanted, *rest]
            return
        for start in range(0, len(wanted), _LONGEST_LIST):
            portion = wanted[start : start + _LONGEST_LIST]
            # Few lengths make few statements, which stay prepared: the last value fills the list.
            length = 1 << (len(portion) - 1).bit_length()
            portion += portion[-1:] * (length - len(portion))
            yield sql.replace("??", ",".join("?" * length)), [*portion, *rest]

    def select(self, record: type[R], sql: str, values: Sequence[Any] = ()) -> list[R]:
        """Run one query of a record's columns and return its rows as records."""
        return decode(record, self.rows(sql, values))

    def each(self, record: type[R], sql: str, values: Sequence[Any] = ()) -> Iterator[R]:
        """Run such a query of very many rows: they are made in portions, and other threads get their turns between."""
        cursor = self._run(sql, values)
        while portion := cursor.fetchmany(_PORTION):
            yield from decode(record, portion)
            time.sleep(0)  # lets go of the interpreter: an event loop that waits for it goes first

    def each_in(self, record: type[R], sql: str, values: Iterable[Any], rest: Sequence[Any] = ()) -> Iterator[R]:
        """Run such a query of a list, of very many rows."""
        for portion in self._portions(sql, values, rest):
            yield from self.each(record, *portion)

    def select_in(self, record: type[R], sql: str, values: Iterable[Any], rest: Sequence[Any] = ()) -> list[R]:
        """Run such a query as `rows_in` does."""
        return decode(record, self.rows_in(sql, values, rest))

    def now(self) -> int:
        """Return the time of the one clock that all processes of this database share, in microseconds since 1970."""
        if not self.postgresql:
            return time.time_ns() // 1000
        return int(self.value("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"))


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_storable(item) for item in value]
    return value
