"""A connection that only reads, in a thread of its own. Not here: what is written (database)."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any, TypeVar

import peewee

from store.engine.log import log
from store.engine.opening import connect
from store.engine.transaction import Transaction
from store.engine.turns import short_turns

R = TypeVar("R")


class ReadingConnection:
    """Runs one query after the other, each in one consistent snapshot; it connects with the first.

    Where what it is asked takes `long`, all threads take short turns meanwhile.
    """

    def __init__(self, url: str, password: str, name: str, *, long: bool = False) -> None:
        self._url = url
        self._turns = short_turns if long else nullcontext
        self._password = password
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._peewee: peewee.Database | None = None

    async def read(self, query: Callable[[Transaction], R]) -> R:
        """Run a query for the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._read, query)

    def read_now(self, query: Callable[[Transaction], R]) -> R:
        """Run a query for a caller without an event loop."""
        return self._thread.submit(self._read, query).result()

    def close(self) -> None:
        """Close the connection, once what was asked is answered."""
        self._thread.submit(self._close).result()
        self._thread.shutdown()

    def _read(self, query: Callable[[Transaction], R]) -> R:
        database = self._peewee
        if database is None:
            database = self._peewee = connect(self._url, self._password)
        fresh = database.is_closed()
        try:
            return self._read_from(database, query)
        except Exception as error:
            if fresh or not is_lost(database):
                raise
            log.warning("connection_lost", reading=True, cause=str(error)[:300])
            database.close()
            return self._read_from(database, query)

    def _read_from(self, database: peewee.Database, query: Callable[[Transaction], R]) -> R:
        if database.is_closed():
            database.connect()
        transaction = Transaction(database)
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if transaction.postgresql else "BEGIN"
        transaction.execute(begin)
        try:
            with self._turns():
                return query(transaction)
        finally:
            if not is_lost(database):
                transaction.execute("ROLLBACK")

    def _close(self) -> None:
        if self._peewee is not None:
            self._peewee.close()


def raw(database: peewee.Database) -> Any:
    """Return the driver's connection."""
    return database.connection()  # type: ignore[no-untyped-call]


def is_lost(database: peewee.Database) -> bool:
    """Return whether the server has gone from the other end of an open connection."""
    return isinstance(database, peewee.PostgresqlDatabase) and bool(raw(database).closed)
