"""One writer, shared commits, and a bad call that fails alone."""

import asyncio
import sqlite3

import pytest

from store.database import Database, StorageError, connect


@pytest.fixture(name="database")
def _database(database_url):
    database = Database(database_url)
    database.open()
    yield database
    database.close()


def put(tx, items):
    tx.execute_many("INSERT INTO meta (name, value) VALUES (?, ?)", [(item, str(len(items))) for item in items])
    return [f"{item}!" for item in items]


def names(tx):
    return sorted(name for (name,) in tx.rows("SELECT name FROM meta WHERE name LIKE 'call-%'"))


async def test_calls_that_arrive_together_share_a_transaction_and_each_gets_its_own_result(database):
    commits = database.commits
    results = await asyncio.gather(*(database.write(put, f"call-{n}") for n in range(200)))
    assert results == [f"call-{n}!" for n in range(200)]
    assert database.commits - commits < 100
    assert len(await database.read(names)) == 200


async def test_one_bad_call_fails_alone(database):
    wanted = ["call-1", "call-2", "call-1", "call-3"]
    results = await asyncio.gather(*(database.write(put, name) for name in wanted), return_exceptions=True)
    failed = [result for result in results if isinstance(result, Exception)]
    assert len(failed) == 1
    assert await database.read(names) == ["call-1", "call-2", "call-3"]


async def test_a_call_runs_although_its_caller_was_cancelled(database):
    task = asyncio.ensure_future(database.write(put, "call-1"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await database.write(put, "call-2")
    assert await database.read(names) == ["call-1", "call-2"]


async def test_a_transaction_that_cannot_be_committed_is_told_to_every_caller(database):
    def stuck(tx, items):
        tx.execute("COMMIT")  # the writer's own COMMIT then has nothing to commit and fails
        return items

    if database.models.__class__.__name__ == "PostgresqlDatabase":
        pytest.skip("PostgreSQL answers a second COMMIT with a warning")
    with pytest.raises(StorageError):
        await database.write(stuck, "x")
    assert await database.write(put, "call-9") == "call-9!"


def test_a_closed_database_takes_no_call(database_url):
    database = Database(database_url)
    database.open()
    database.close()
    with pytest.raises(StorageError):
        database.write_now(put, "call-1")


def test_sqlite_keeps_every_commit_through_a_power_loss(database):
    def pragmas(tx):
        return tx.rows("PRAGMA synchronous")[0][0], tx.rows("PRAGMA journal_mode")[0][0]

    if not database.models.__class__.__name__.startswith("Sqlite"):
        pytest.skip("a setting of SQLite")
    (found,) = database.write_now(lambda tx, items: [[pragmas(tx)] for _ in items], None)
    assert found == (2, "wal")


def test_an_unknown_database_url_is_refused_with_what_is_expected():
    with pytest.raises(ValueError, match="sqlite:///PATH or postgresql"):
        connect("mysql://example.com/x")
    assert sqlite3.sqlite_version_info >= (3, 35)
