"""A PostgreSQL that crashes, cuts connections, loses answers and locks up: what is said to be kept is kept, once."""

import asyncio
import contextlib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest
from structlog.testing import capture_logs

from gateway.dispatch import Dispatch
from gateway.handed import HandedMessages
from gateway.outbox import ChannelRules, OutboxLoop
from gateway.ports import MailAttempt
from gateway.routing import CarrierRoute, CarrierRoutes
from sms.outcome import Done
from sms.report import Channel
from sms.retry import Ladder
from store.answers import Rules
from store.engine import database as store_database
from store.engine.database import Database, StorageError
from tests.kit.clock import Clock
from tests.kit.databases import PostgresqlServer
from tests.kit.fakes import FakeCarrier, FakeMailbox, until
from tests.kit.patience import PATIENCE
from tests.kit.store_harness import StoreHarness

pytestmark = pytest.mark.postgresql


@pytest.fixture(name="server", scope="module")
def _server(postgresql_programs):
    server = PostgresqlServer(postgresql_programs)
    server.start()
    yield server
    server.stop()


@pytest.fixture(name="database")
def _database(server):
    with psycopg.connect(server.url, autocommit=True) as admin:
        admin.execute("DROP SCHEMA public CASCADE")
        admin.execute("CREATE SCHEMA public")
    database = Database(server.url)
    database.open()
    yield database
    database.close()


def put(tx, items):
    tx.execute_many("INSERT INTO meta (name, value) VALUES (?, ?)", [(item, "x") for item in items])
    return [f"{item}!" for item in items]


def names(tx):
    return sorted(name for (name,) in tx.rows("SELECT name FROM meta"))


class Proxy:
    """Passes bytes between the client and the server, and cuts the connection at the next COMMIT when told to.

    `cut` is «before» the server sees it, or «after» it was carried out and before the client learns that; «amid» lets
    it be carried out until `leave`, after which the client learns nothing. «late» keeps the whole transaction back
    until `bring_late`.
    """

    def __init__(self, port: int) -> None:
        self.cut = ""
        self.away = False
        self._target = port
        self._late: tuple[socket.socket, bytes] | None = None
        self._left: socket.socket | None = None
        self._ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.away:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._target))
            swallow = threading.Event()
            threading.Thread(target=self._pass_on, args=(client, server, swallow), daemon=True).start()
            threading.Thread(target=self._pass_back, args=(client, server, swallow), daemon=True).start()

    def _pass_on(self, client: socket.socket, server: socket.socket, swallow: threading.Event) -> None:
        kept = b""
        while data := _receive(client):
            if self.cut == "late" and (kept or b"BEGIN" in data):
                kept += data
                if b"COMMIT" not in kept:
                    continue
                self._late = server, kept
                self.cut = ""
                swallow.set()
                _close(client)
                return
            if self.cut and b"COMMIT" in data:
                when, self.cut = self.cut, ""
                if when == "before":
                    break
                swallow.set()
                if when == "amid":
                    self._left = client
                    server.sendall(data)
                    return
            server.sendall(data)
        if not swallow.is_set():
            _close(client, server)

    def _pass_back(self, client: socket.socket, server: socket.socket, swallow: threading.Event) -> None:
        while data := _receive(server):
            if not swallow.is_set():
                client.sendall(data)
            elif self._late is None:
                break
        _close(client, server)
        if self._late is not None:
            self._ended.set()

    def leave(self) -> None:
        """Cut the client off from a server that is still at its transaction."""
        assert self._left is not None
        _close(self._left)

    def bring_late(self) -> None:
        """Bring what was kept back, and then the end of the connection; returns when the server has ended it too."""
        assert self._late is not None
        server, kept = self._late
        server.sendall(kept)
        server.shutdown(socket.SHUT_WR)
        assert self._ended.wait(PATIENCE)

    def close(self) -> None:
        self._listener.close()


def _receive(end: socket.socket) -> bytes:
    try:
        return end.recv(65536)
    except OSError:
        return b""


def _close(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


@pytest.fixture(name="proxied")
def _proxied(server, database):
    proxy = Proxy(server.port)
    behind = Database(server.url.replace(str(server.port), str(proxy.port)))
    behind.open()
    yield proxy, behind
    behind.close()
    proxy.close()


@pytest.mark.parametrize("cut", ["before", "after"])
def test_a_commit_whose_answer_was_lost_is_neither_forgotten_nor_repeated(proxied, cut):
    proxy, behind = proxied
    proxy.cut = cut
    assert behind.write_now(put, "call-1") == "call-1!"
    assert proxy.cut == ""
    assert behind.write_now(put, "call-2") == "call-2!"
    assert behind.read_now(names) == ["call-1", "call-2"]


def append(tx, items):
    for item in items:
        tx.send("UPDATE meta SET value = value || ? WHERE name = 'text'", (item,))
    return items


def wait_until_stuck(admin, count):
    """Ask the server again and again how many connections wait for a lock; fails after ten seconds."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    for _ in range(1000):
        if admin.execute(query).fetchone() == (count,):
            return
        admin.execute("SELECT pg_sleep(0.01)")
    raise AssertionError(count)


FIRST = pytest.mark.parametrize("is_first", [True, False], ids=["first", "later"])


@FIRST
def test_a_transaction_that_is_still_carried_out_when_it_is_asked_for_is_not_repeated(
    server, database, proxied, is_first
):
    proxy, behind = proxied
    database.write_now(put, "text")
    if not is_first:
        behind.write_now(put, "other")
    with psycopg.connect(server.url, autocommit=True) as admin, ThreadPoolExecutor(1) as callers:
        with psycopg.connect(server.url) as other:
            other.execute("UPDATE meta SET value = 'x' WHERE name = 'text'")
            proxy.cut = "amid"
            called = callers.submit(behind.write_now, append, "y")
            wait_until_stuck(admin, 1)
            proxy.leave()
            wait_until_stuck(admin, 2)
        assert called.result() == "y"
    assert behind.read_now(lambda tx: tx.rows("SELECT value FROM meta WHERE name = 'text'")) == [("xy",)]


@FIRST
def test_a_transaction_that_the_server_reads_only_after_it_was_asked_for_comes_too_late(
    server, database, proxied, is_first
):
    proxy, behind = proxied
    database.write_now(put, "text")
    if not is_first:
        behind.write_now(put, "other")
    proxy.cut = "late"
    assert behind.write_now(append, "y") == "y"
    proxy.bring_late()
    assert behind.write_now(append, "z") == "z"
    assert behind.read_now(lambda tx: tx.rows("SELECT value FROM meta WHERE name = 'text'")) == [("xyz",)]


@pytest.mark.parametrize("cut", ["before", "after"])
def test_parts_taken_in_a_commit_whose_answer_was_lost_are_those_that_are_submitted(proxied, cut):
    proxy, behind = proxied
    world = StoreHarness("", Rules(), database=behind)
    world.add("447700900101", "447700900102")
    proxy.cut = cut
    (part,) = world.take(1)
    assert [row.key for row in world.parts(state="submitting")] == [part.part_key]


async def test_parts_whose_taking_was_committed_and_never_answered_are_sent_once_when_the_server_is_back(
    proxied, monkeypatch, tmp_path
):
    monkeypatch.setattr(store_database, "_PATIENCE", 0.2)
    proxy, behind = proxied
    world = StoreHarness("", Rules(), database=behind)
    world.add(*(f"4477009001{n:02}" for n in range(7)), parts=2)
    carrier = FakeCarrier(window=0)
    dispatch = Dispatch(
        database=behind,
        outbound=world.outbound,
        progress=world.progress,
        carriers=[carrier],
        routes=CarrierRoutes([CarrierRoute(carrier="alpha")]),
        clock=Clock(),
        owner=world.owner,
        notices_written=lambda: None,
        handed=HandedMessages(tmp_path / "handed", world.owner),
    )
    before = behind.commits
    dispatch.start()
    await until(lambda: behind.commits > before)  # the first look found nothing
    proxy.away, proxy.cut, carrier.window = True, "after", 20
    with capture_logs() as logs:
        dispatch.window_changed("alpha")
        await until(lambda: any(entry["event"] == "commit_failed" for entry in logs))
        assert carrier.given == []
        proxy.away = False
        parts = await carrier.has(14)
    assert len({part.part_key for part in parts}) == len(parts) == 14
    assert [entry["parts"] for entry in logs if entry["event"] == "parts_given_back"] == [14]
    for part in parts:
        dispatch.answered("alpha", part.part_key, Done(reference=str(part.part_key)))
    await dispatch.stop_feeding()
    await dispatch.stop()
    assert set(world.states()) == {"submitted"}


@pytest.fixture(name="sending")
def _sending(proxied, monkeypatch):
    """Give the proxy, a store behind it with one settled job, and a loop that sends its notice when it is told to."""
    monkeypatch.setattr(store_database, "_PATIENCE", 0.2)
    monkeypatch.setattr("gateway.outbox._RECORD_AGAIN", Ladder.of_seconds(0.05))
    proxy, behind = proxied
    world = StoreHarness("", Rules(), database=behind)
    world.add("447700900101")
    (part,) = world.take()
    world.settle((part.part_key, Done(reference="r1")))
    box, clock = FakeMailbox(), Clock()
    loop = OutboxLoop(
        database=behind,
        outbox=world.outbox,
        channels={Channel.MAIL: ChannelRules(sender=box, ladder=Ladder.of_seconds(1))},
        clock=clock,
        owner=world.owner,
        chance=lambda: 0.0,
    )
    return proxy, world, loop, box, clock


def ended(world):
    return [(row.state, row.attempts) for row in world.outbox_rows()]


async def test_a_notice_whose_taking_was_committed_and_never_answered_is_sent_once_when_the_server_is_back(sending):
    proxy, world, loop, box, _ = sending
    proxy.away, proxy.cut = True, "after"
    with pytest.raises(StorageError):
        await loop.step()
    proxy.away = False
    assert ended(world) == [("sending", 1)]
    await loop.give_back()
    assert await loop.step()
    await loop.stop(60)
    assert (ended(world), len(box.told)) == ([("sent", 1)], 1)


async def test_a_notice_whose_job_cannot_be_read_after_it_was_taken_is_given_back_and_sent_once(server, sending):
    proxy, world, loop, box, clock = sending
    (reader,) = world.rows("SELECT pg_backend_pid()")[0]
    with psycopg.connect(server.url, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(%s, 10000)", (reader,))
    proxy.away = True  # from here on nobody reads; the writer goes on
    assert await loop.step()
    await loop.stop(60)
    proxy.away = False
    assert (ended(world), len(box.told)) == ([("queued", 0)], 0)
    clock.move(timedelta(seconds=30))
    assert await loop.step()
    await loop.stop(60)
    assert (ended(world), len(box.told)) == ([("sent", 1)], 1)


async def test_the_end_of_a_notice_is_recorded_however_long_the_server_is_away(sending):
    proxy, world, loop, box, _ = sending

    def answer(_):
        proxy.away, proxy.cut = True, "before"
        return MailAttempt(outcome=Done())

    box.answer = answer
    with capture_logs() as logs:
        assert await loop.step()
        await until(lambda: sum(entry["event"] == "notice_not_recorded" for entry in logs) > 6)
        proxy.away = False
        await loop.stop(60)
    assert (ended(world), len(box.told)) == ([("sent", 1)], 1)


def test_a_crash_of_the_server_between_two_calls_is_not_noticed_by_the_callers(server, database):
    database.write_now(put, "call-1")
    assert database.read_now(names) == ["call-1"]
    server.crash()
    server.start()
    assert database.write_now(put, "call-2") == "call-2!"
    assert database.read_now(names) == ["call-1", "call-2"]


def test_calls_wait_for_a_server_that_comes_back_soon(server, database):
    database.write_now(put, "call-1")
    server.crash()
    with ThreadPoolExecutor(2) as callers:
        waiting = callers.map(lambda name: database.write_now(put, name), ["call-2", "call-3"])
        server.start()
        assert list(waiting) == ["call-2!", "call-3!"]
    assert database.read_now(names) == ["call-1", "call-2", "call-3"]


def test_a_server_that_stays_away_is_told_to_the_callers_and_taken_up_again_when_it_is_back(
    server, database, monkeypatch
):
    monkeypatch.setattr(store_database, "_PATIENCE", 0.2)
    database.write_now(put, "call-1")
    server.crash()
    for name in ("call-2", "call-3"):
        with pytest.raises(StorageError):
            database.write_now(put, name)
    server.start()
    assert database.write_now(put, "call-4") == "call-4!"
    assert database.read_now(names) == ["call-1", "call-4"]


def test_every_mail_that_was_said_to_be_kept_while_the_server_crashed_is_kept_once(server, database, monkeypatch):
    monkeypatch.setattr(store_database, "_PATIENCE", 5.0)
    kept, stop = [], threading.Event()

    def accept(worker):
        number = 0
        while not stop.is_set():
            name = f"call-{worker}-{number}"
            try:
                database.write_now(put, name)
            except StorageError:
                pass
            else:
                kept.append(name)
            number += 1

    threads = [threading.Thread(target=accept, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for crashes in range(1, 4):
        while len(kept) < crashes * 20:
            assert threads[0].is_alive()
            time.sleep(0.01)
        server.crash()
        server.start()
    stop.set()
    for thread in threads:
        thread.join()
    stored = database.read_now(names)
    assert set(kept) <= set(stored)
    assert len(stored) - len(kept) <= len(threads) * 3


def test_two_nodes_that_lock_each_other_up_both_get_through(server, database):
    other = Database(server.url)
    other.open()
    for name in ("call-a", "call-b"):
        database.write_now(put, name)
    both = threading.Barrier(2, timeout=PATIENCE)
    tries = []

    def lock(tx, orders):
        for order in orders:
            tries.append(order)
            for place, name in enumerate(order):
                tx.execute("UPDATE meta SET value = value || 'x' WHERE name = ?", (f"call-{name}",))
                if place == 0 and len(tries) <= 2:
                    both.wait()
        return orders

    thread = threading.Thread(target=other.write_now, args=(lock, "ba"))
    thread.start()
    database.write_now(lock, "ab")
    thread.join()
    other.close()
    assert len(tries) >= 3  # one of them was thrown back and began again
    assert database.read_now(lambda tx: tx.rows("SELECT value FROM meta")) == [("xxx",), ("xxx",)]


async def test_the_same_mail_at_two_nodes_at_once_is_one_job(server, database):
    other = Database(server.url)
    other.open()
    worlds = [StoreHarness("", Rules(), database=one, node=n) for n, one in enumerate((database, other))]
    jobs = [world.new_job("447700900101", digest=b"mail:") for world in worlds for _ in range(20)]
    added = await asyncio.gather(
        *(world.database.write(world.outbound.add_jobs, job) for world, job in zip(worlds * 20, jobs, strict=True))
    )
    other.close()
    assert sum(not one.repeated for one in added) == 1
    assert len({one.public_id for one in added}) == 1
