"""One writer, shared commits, and a bad call that fails alone."""

import asyncio
import contextlib
import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from store.engine.database import Database, DatabaseInUseError, StorageError, StorageFullError, connect
from store.engine.opening import sqlite_file
from store.engine.statements import Insert
from store.tables import MetaRow


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


async def test_postgresql_compiles_no_query_which_takes_longer_than_most_queries(database):
    def compiles(tx):
        return tx.postgresql and tx.value("SELECT current_setting('jit')") != "off"

    assert not await database.read(compiles)
    assert not await database.read_long(compiles)


async def test_one_bad_call_fails_alone(database):
    wanted = ["call-1", "call-2", "call-1", "call-3"]
    results = await asyncio.gather(*(database.write(put, name) for name in wanted), return_exceptions=True)
    failed = [result for result in results if isinstance(result, Exception)]
    assert len(failed) == 1
    assert await database.read(names) == ["call-1", "call-2", "call-3"]


async def test_a_call_whose_statement_fails_when_nobody_waits_for_it_fails_alone_and_nothing_of_it_is_kept(database):
    insert = Insert(MetaRow, "name", "value")

    def put_twice(tx, items):
        tx.insert(insert, [(f"{item}-first", "x") for item in items])
        tx.insert(insert, [(item, "x") for item in items])
        return items

    await database.write(put, "call-2")
    wanted = ["call-1", "call-2", "call-3"]
    results = await asyncio.gather(*(database.write(put_twice, name) for name in wanted), return_exceptions=True)
    assert [isinstance(result, Exception) for result in results] == [False, True, False]
    assert await database.read(names) == ["call-1", "call-1-first", "call-2", "call-3", "call-3-first"]
    assert await database.write(put, "call-4") == "call-4!"


@pytest.mark.parametrize("count", [1, 2, 7, 15, 16, 17, 31, 45])
async def test_any_number_of_rows_is_stored_and_those_that_are_there_are_left_out_or_replaced(database, count):
    rows = [(f"call-{n:02}", str(n)) for n in range(count)]
    again = Insert(MetaRow, "name", "value", replace=True), Insert(MetaRow, "name", "value", if_new=True)

    def put_all(tx, items):
        tx.insert(Insert(MetaRow, "name", "value"), rows)
        tx.insert(again[0], [(name, f"{value}!") for name, value in rows])
        tx.insert(again[1], [*((name, "old") for name, _ in rows), ("call-zz", "new")])
        return items

    await database.write(put_all, "x")
    stored = await database.read(lambda tx: tx.rows("SELECT name, value FROM meta WHERE name LIKE 'call-%' ORDER BY 1"))
    assert [tuple(row) for row in stored] == [*((name, f"{value}!") for name, value in rows), ("call-zz", "new")]


@pytest.mark.parametrize("place", [0, 5, 16, 30])
async def test_one_bad_row_of_many_takes_all_of_its_call_and_none_of_the_others(database, place):
    def put_all(tx, items):
        tx.insert(Insert(MetaRow, "name", "value"), [(name, "x") for rows in items for name in rows])
        return items

    good, bad = [f"call-a{n}" for n in range(31)], [f"call-b{n}" for n in range(31)]
    bad[place] = "call-a3"
    results = await asyncio.gather(
        *(database.write(put_all, rows) for rows in (good, bad, ["call-c"])), return_exceptions=True
    )
    assert [isinstance(result, Exception) for result in results] == [False, True, False]
    assert await database.read(names) == sorted([*good, "call-c"])


async def test_a_statement_that_failed_with_others_while_it_was_prepared_is_usable_again(database):
    insert = Insert(MetaRow, "name", "value")

    def count_up(tx, items):
        tx.insert(insert, [(item, "x") for item in items])
        tx.send("UPDATE meta SET value = value || 'y' WHERE name = ?", ("counter",))
        return items

    await database.write(put, "counter")
    with pytest.raises(Exception, match=r"(?i)unique"):
        await database.write(put, "counter")
    for n in range(12):  # psycopg prepares what comes for the sixth time; each then fails once behind another
        await database.write(count_up, f"call-{n}")
        with pytest.raises(Exception, match=r"(?i)unique"):
            await database.write(count_up, "counter")
    await database.write(count_up, "last")
    assert await database.read(lambda tx: tx.rows("SELECT value FROM meta WHERE name = 'counter'")) == [
        ("1" + 13 * "y",)
    ]


async def test_a_call_runs_although_its_caller_was_cancelled(database):
    task = asyncio.ensure_future(database.write(put, "call-1"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await database.write(put, "call-2")
    assert await database.read(names) == ["call-1", "call-2"]


async def test_a_call_given_just_before_the_end_is_kept(database_url):
    closing = Database(database_url)
    closing.open()
    task = asyncio.ensure_future(closing.write(put, "call-1"))
    await asyncio.sleep(0)
    closing.close()
    assert await task == "call-1!"


async def test_a_transaction_that_cannot_be_committed_is_told_to_every_caller(database):
    def stuck(tx, items):
        tx.execute("COMMIT")  # the writer's own COMMIT then has nothing to commit
        return items

    with pytest.raises(StorageError):
        await database.write(stuck, "x")
    assert await database.write(put, "call-9") == "call-9!"


async def test_a_failed_statement_that_a_call_passes_over_is_not_taken_for_a_commit(database):
    def careless(tx, items):
        with contextlib.suppress(Exception):
            tx.execute("INSERT INTO no_such_table VALUES (1)")
        return put(tx, items)

    said = []
    with contextlib.suppress(Exception):
        said.append(await database.write(careless, "call-1"))
    stored = await database.read(names)
    assert [f"{name}!" for name in stored] == said


async def test_text_that_a_database_cannot_hold_is_stored_without_what_it_cannot_hold(database):
    await asyncio.gather(*(database.write(put, name) for name in ("call-1\0x", "call-2\ud800", "call-3")))
    assert [name.replace("\ufffd", "\0") for name in await database.read(names)] == ["call-1\0x", "call-2\0", "call-3"]


def test_a_list_longer_than_a_statement_takes_is_read_in_portions(database):
    wanted = [f"call-{n}" for n in range(1300)]
    database.write_now(lambda tx, items: [put(tx, wanted) for _ in items], None)

    def query(tx):
        return tx.rows_in("SELECT name FROM meta WHERE name IN (??)", [*wanted[:1205], "missing"])

    assert sorted(name for (name,) in database.read_now(query)) == sorted(wanted[:1205])
    assert database.read_now(lambda tx: tx.rows_in("SELECT name FROM meta WHERE name IN (??)", [])) == []


def test_a_closed_database_takes_no_call(database_url):
    database = Database(database_url)
    database.open()
    database.close()
    with pytest.raises(StorageError):
        database.write_now(put, "call-1")


def test_every_commit_survives_a_power_loss_whatever_the_defaults_are(database):
    query = "SHOW synchronous_commit" if database.postgresql else "PRAGMA synchronous"
    (found,) = database.write_now(lambda tx, items: [tx.rows(query) for _ in items], None)
    assert found == (("on",) if database.postgresql else (2,))


def test_a_sqlite_file_is_private_and_has_one_serving_process(new_sqlite_url):
    database, second, command = (Database(new_sqlite_url) for _ in range(3))
    database.open(serving=True)
    file = Path(new_sqlite_url.removeprefix("sqlite://"))
    assert {path.stat().st_mode & 0o777 for path in file.parent.glob("test.db*")} == {0o600}
    with pytest.raises(DatabaseInUseError, match=rf"served by process {os.getpid()} already.*PostgreSQL"):
        second.open(serving=True)
    command.open()
    assert command.write_now(put, "call-1") == "call-1!"
    command.close()
    database.close()
    second.open(serving=True)
    second.close()


def test_the_lock_of_a_killed_process_is_gone_with_it(new_sqlite_url):
    program = f"from store.engine.database import Database; Database({new_sqlite_url!r}).open(serving=True); print(1, flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(DatabaseInUseError, match=str(process.pid)):
            Database(new_sqlite_url).open(serving=True)
        process.kill()
    database = Database(new_sqlite_url)
    database.open(serving=True)
    database.close()


@pytest.mark.parametrize("instead", [False, True], ids=["deleted", "replaced"])
def test_nothing_is_committed_to_a_file_that_was_deleted_or_replaced(instead, new_sqlite_url):
    file = sqlite_file(new_sqlite_url)
    assert file is not None
    database = Database(new_sqlite_url)
    database.open()
    database.write_now(put, "call-1")
    away = file.rename(file.with_name("away.db"))
    if instead:
        file.touch()
    with pytest.raises(StorageError, match="was deleted or replaced while it is open: put it back"):
        database.write_now(put, "lost")
    away.rename(file)
    database.write_now(put, "call-2")
    assert database.read_now(names) == ["call-1", "call-2"]
    database.close()


@pytest.mark.parametrize("url", ["sqlite:///no/such/folder/x.db", "postgresql://nobody@127.0.0.1:1/x"])
def test_a_database_that_cannot_be_opened_is_told_with_its_cause(url):
    with pytest.raises(StorageError, match="cannot be opened: "):
        Database(url).open()


def test_processes_that_start_at_once_migrate_once(database_url):
    databases = [Database(database_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as starts:
        applied = list(starts.map(Database.open, databases))
    for database in databases:
        database.close()
    assert sum(bool(names) for names in applied) <= 1


def test_an_unknown_database_url_is_refused_with_what_is_expected():
    with pytest.raises(ValueError, match="sqlite:///PATH or postgresql"):
        connect("mysql://example.com/x")
    assert sqlite3.sqlite_version_info >= (3, 35)


async def test_a_database_without_room_says_so_and_goes_on_when_it_has_some(database_url):
    database = Database(database_url)
    database.open()

    def fill(tx, items):
        if tx.postgresql:
            tx.execute("DO $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = 'disk_full'; END $$")
        ((pages,),) = tx.rows("PRAGMA page_count")
        tx.rows(f"PRAGMA max_page_count = {pages}")
        tx.execute("INSERT INTO meta (name, value) VALUES ('big', hex(zeroblob(1000000)))")
        return items

    with pytest.raises(StorageFullError):
        await database.write(fill, "x")
    if not database.postgresql:
        await database.write(lambda tx, items: [tx.rows("PRAGMA max_page_count = 100000") for _ in items], None)
    assert await database.write(put, "call-1") == "call-1!"
    database.close()


def durability(tx, items):
    asked = "SHOW synchronous_commit" if tx.postgresql else "PRAGMA synchronous"
    return [tx.value(asked) for _ in items]


def test_what_may_be_done_again_is_committed_without_waiting_for_the_disk_and_the_next_is_durable(database):
    durable, at_leisure = ("on", "off") if database.postgresql else (2, 1)
    assert database.write_now(durability, None) == durable
    with database.commits_at_leisure():
        assert database.write_now(durability, None) == at_leisure
    assert database.write_now(durability, None) == durable


def test_a_writer_waits_until_another_process_has_written(tmp_path):
    url = f"sqlite:///{tmp_path}/shared.db"
    database = Database(url)
    database.open()
    other = sqlite3.connect(tmp_path / "shared.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(max_workers=1) as pool:
        written = pool.submit(database.write_now, put, "call-1")
        with pytest.raises(TimeoutError):
            written.result(0.1)
        other.execute("COMMIT")
        assert written.result() == "call-1!"
    other.close()
    database.close()
