"""A customer's files in a watched folder, read one after the other into a real database."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from addressbook.hierarchy import LayerKey, LayerKind
from addressbook.runs import RunResult, RunState
from addressbook.source_options import read_options
from addressbook.sources import CustomerDirectory, FolderSource, SourceKind
from dirsync.folder import WatchedFolder
from process.dirsync import RunRequest, run_directory
from sms.settings import Settings
from store.directories import add_directory, postpone_directory
from store.directory_runs import find_run
from store.engine.keys import to_stored
from store.lists import find_list
from tests.kit.admin_harness import NOW
from tests.kit.sync_harness import SyncHarness

PEOPLE = [f"user{number}@example.com,Name {number},CC{number},+4477009001{number:02}" for number in range(30)]


class World(SyncHarness):
    """The customer with a watched folder; files are older than the present, each newer than the one before."""

    def __init__(self, url: str, folder: Path, **options: str) -> None:
        super().__init__(url)
        folder.mkdir(mode=0o750)
        self.folder = folder
        given = {"folder": str(folder)} | options
        made = read_options(SourceKind.FOLDER, given, key=8, customer_id=self.customer, name="files")
        assert isinstance(made, CustomerDirectory), made
        self.directory = made
        self.write(add_directory, self.directory, given, 0)
        self._written = NOW - timedelta(days=1)

    def put(self, *rows: str, name: str = "users.csv", header: str = "e-mail,name,cost-centre,phone") -> None:
        self._written += timedelta(minutes=1)
        file = self.folder / name
        file.write_text("\n".join([header, *rows, ""]))
        os.utime(file, (self._written.timestamp(), self._written.timestamp()))

    def take(self, *, dry_run: bool = False, is_scheduled: bool = False, language: str = "en") -> RunResult | None:
        settings = Settings(default_country="GB", language=language)
        request = RunRequest(
            stored=self.stored(), asked_by="timer", settings=settings, dry_run=dry_run, is_scheduled=is_scheduled
        )
        result = run_directory(self.sync, request, self._now, self._open)
        assert result is None or isinstance(result, RunResult)
        return result

    def _open(self, source: FolderSource) -> WatchedFolder:
        return WatchedFolder(source, self._now, lambda: None)

    def state(self, *, is_scheduled: bool = False) -> RunState | None:
        result = self.take(is_scheduled=is_scheduled)
        return None if result is None else result.state

    def files(self, folder: str = "") -> list[str]:
        return sorted(file.name for file in (self.folder / folder).iterdir() if file.is_file())


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    made = World(database_url, tmp_path / "in", keep_days="30")
    yield made
    made.close()


def test_a_file_becomes_users_with_their_origins_and_is_put_aside(world: World) -> None:
    assert world.state() is None
    world.put(*PEOPLE)
    result = world.take()
    assert result is not None
    assert (result.state, result.counts["add"], result.faults) == (RunState.APPLIED, 30, ())
    assert (world.users()["user7"].phone, dict(world.cells("user7"))) == ("447700900107", {"cost_centre": "CC7"})
    _, layers = world.load()
    layer = layers.layer(LayerKey(LayerKind.USER, world.users()["user7"].key))
    assert layer is not None
    written = NOW - timedelta(days=1) + timedelta(minutes=1)
    assert layer.cells["cost_centre"].origin == f"file:users.csv {written:%Y-%m-%d %H:%M} UTC, line 9, cost-centre"
    assert (world.files(), [name.partition("-")[2] for name in world.files("done")]) == ([], ["users.csv"])
    assert world.state() is None


def test_the_same_file_again_changes_nothing(world: World) -> None:
    for state in (RunState.APPLIED, RunState.UNCHANGED, RunState.UNCHANGED):
        world.put(*PEOPLE)
        assert world.state() is state


def test_a_file_that_was_not_moved_after_its_run_is_not_read_twice(world: World) -> None:
    world.put(*PEOPLE)
    world.take()
    world.put(*PEOPLE[:29])
    world.take()
    moved = sorted((world.folder / "done").iterdir())
    moved[-1].rename(world.folder / "users.csv")  # as it is when the process is killed before the move
    before = world.in_force()
    assert world.state() is RunState.DISCARDED
    assert (world.files(), world.in_force()) == ([], before)
    assert world.users()["user29"].may_send, "who was missing in one file was not missing twice"


def test_who_is_not_in_two_files_in_a_row_cannot_send_and_comes_back_with_a_later_one(world: World) -> None:
    world.put(*PEOPLE)
    world.take()
    key = world.users()["user29"].key
    for sends in (True, False, False):
        world.put(*PEOPLE[:29])
        world.take()
        assert world.users()["user29"].may_send is sends
    world.put(*PEOPLE)
    world.take()
    assert (world.users()["user29"].may_send, world.users()["user29"].key) == (True, key)


def test_a_file_that_is_not_complete_takes_nobody_away(database_url: str, tmp_path: Path) -> None:
    world = World(database_url, tmp_path / "in", complete="off")
    world.put(*PEOPLE)
    world.take()
    for _ in range(3):
        world.put(PEOPLE[0])
        assert world.state() is RunState.UNCHANGED
    assert all(user.may_send for user in world.users().values())
    world.close()


def test_a_damaged_file_changes_nothing_and_is_put_aside_with_the_reason_in_the_customers_language(
    world: World,
) -> None:
    world.put(*PEOPLE)
    world.take()
    before, cookie = world.in_force(), world.stored().cookie
    world.put(*PEOPLE[:10], "cut@example.com,Na")
    result = world.take(language="de")
    assert result is not None
    assert result.state is RunState.FAILED
    assert result.problem is not None
    assert (result.problem.section, result.problem.code) == ("row", "ragged")
    assert [(fault.line, fault.reason.code) for fault in result.faults] == [(0, "ragged")]
    assert world.look(find_run, result.key).source == "users.csv"
    assert (world.in_force(), world.stored().cookie) == (before, cookie)
    moved, told = world.files("refused")
    assert (moved.endswith("-users.csv"), told) == (True, f"{moved}.txt")
    said = (world.folder / "refused" / told).read_text()
    assert "4 Spalten werden erwartet" in said
    assert said.endswith("diese Zeilen haben eine andere Zahl: 12\n")


def test_a_row_that_cannot_be_read_leaves_its_user_as_it_was_and_the_others_change(world: World) -> None:
    world.put(*PEOPLE)
    world.take()
    world.put(
        PEOPLE[0].replace("Name", "New").replace("+44770090010", "6.1E+1"), *PEOPLE[1:29], "user29@example.com,New,,"
    )
    result = world.take()
    assert result is not None
    assert [(fault.line, fault.column, fault.who) for fault in result.faults] == [(2, "phone", "user0@example.com")]
    assert (world.users()["user0"].name, world.users()["user0"].phone) == ("Name 0", "447700900100")
    assert world.users()["user29"].name == "New"
    assert world.files("refused") == []


def test_an_older_file_is_refused_after_a_newer_one(world: World) -> None:
    world.put(*PEOPLE, name="users-20261129T1200.csv")
    world.take()
    world.put(*PEOPLE[:3], name="users-20261129T1100.csv")
    result = world.take()
    assert result is not None
    assert result.problem is not None
    assert (result.state, result.problem.code) == (RunState.FAILED, "older-file")
    assert len(world.users()) == 30
    assert world.files() == []


def test_files_are_read_one_at_a_time_the_oldest_first_and_the_next_is_due_at_once(world: World) -> None:
    for number in (1, 2, 3):
        world.put(*(row.replace("Name", f"Name {number}") for row in PEOPLE), name=f"users-{number}.csv")
    later = to_stored(world.at + timedelta(days=1))
    for number in (1, 2, 3):
        world.write(postpone_directory, 8, later)
        assert world.state() is RunState.APPLIED
        assert world.users()["user5"].name == f"Name {number} 5"
        assert len(world.files()) == 3 - number
        assert (world.stored().due_at == later) is (number == 3)


def test_a_file_that_would_change_too_much_waits_and_its_approval_is_that_file(world: World) -> None:
    world.put(*PEOPLE)
    world.take()
    world.put(*(row.replace(",CC", ",X") for row in PEOPLE))
    held = world.take()
    assert held is not None
    assert (held.state, world.cells("user3")["cost_centre"], world.files()) == (RunState.HELD, "CC3", [])
    assert world.approve(held.digest).state is RunState.APPLIED
    assert world.cells("user3")["cost_centre"] == "X3"
    world.put(*(row.replace(",CC", ",X") for row in PEOPLE))
    assert world.state() is RunState.UNCHANGED


def test_a_dry_run_moves_nothing_and_tells_what_is_wrong(world: World) -> None:
    world.put(*PEOPLE)
    dry = world.take(dry_run=True)
    assert dry is not None
    assert (dry.state, len(dry.lines), world.users(), world.files()) == (RunState.DISCARDED, 30, {}, ["users.csv"])
    world.put("x")
    wrong = world.take(dry_run=True)
    assert wrong is not None
    assert wrong.problem is not None
    assert (wrong.state, wrong.problem.code, world.files()) == (RunState.FAILED, "ragged", ["users.csv"])


def test_a_file_that_is_being_written_is_looked_at_again_soon_and_not_at_once(
    database_url: str, tmp_path: Path
) -> None:
    world = World(database_url, tmp_path / "in", end_marker="#END")
    world.put(*PEOPLE)
    file = world.folder / "users.csv"
    os.utime(file, (world.at.timestamp(), world.at.timestamp()))
    world.write(postpone_directory, 8, to_stored(world.at + timedelta(days=1)))
    assert world.state() is RunState.DISCARDED
    assert world.stored().due_at == to_stored(world.at + timedelta(minutes=1))
    assert world.files() == ["users.csv"]
    world.close()


def test_a_folder_that_is_gone_is_a_failure_and_not_an_empty_address_book(world: World) -> None:
    world.put(*PEOPLE)
    world.take()
    world.folder.rename(world.folder.with_name("away"))
    result = world.take()
    assert result is not None
    assert result.problem is not None
    assert (result.state, result.problem.code) == (RunState.FAILED, "folder-unusable")
    assert all(user.may_send for user in world.users().values())


NUMBERS = [f"+4477009002{number:02},Name {number}" for number in range(30)]


@pytest.fixture
def lists(database_url: str, tmp_path: Path) -> Iterator[World]:
    made = World(database_url, tmp_path / "in", form="list", authors="anna@example.com")
    yield made
    made.close()


def put_list(world: World, name: str, *rows: str) -> None:
    world.put(*rows, name=f"{name}.csv", header="number,name")


def test_a_file_of_a_list_takes_the_place_of_its_members(lists: World) -> None:
    put_list(lists, "alarm", *NUMBERS)
    put_list(lists, "crew", *NUMBERS[:2])
    assert [lists.state(), lists.state(), lists.state()] == [RunState.APPLIED, RunState.APPLIED, None]
    assert len(lists.members("alarm")) == 30
    assert [(member.number, member.values["name"]) for member in lists.members("crew")] == [
        ("447700900200", "Name 0"),
        ("447700900201", "Name 1"),
    ]
    found = lists.look(find_list, lists.customer, "crew")
    assert (found.authors, found.columns) == (frozenset({"anna@example.com"}), ("number", "name"))
    put_list(lists, "alarm", *NUMBERS[1:])
    assert lists.state() is RunState.APPLIED
    assert len(lists.members("alarm")) == 29
    assert len(lists.members("crew")) == 2


def test_a_bad_row_leaves_a_list_as_it_was(lists: World) -> None:
    put_list(lists, "alarm", *NUMBERS)
    lists.take()
    put_list(lists, "alarm", *NUMBERS[:5], "12,nobody")
    result = lists.take()
    assert result is not None
    assert [(fault.line, fault.reason.code) for fault in result.faults] == [(7, "bad-number")]
    assert len(lists.members("alarm")) == 30


def test_the_files_of_other_lists_wait_while_one_waits_for_approval(lists: World) -> None:
    put_list(lists, "alarm", *NUMBERS)
    lists.take()
    put_list(lists, "alarm", *NUMBERS[:3])
    held = lists.take()
    assert held is not None
    assert held.state is RunState.HELD
    put_list(lists, "crew", *NUMBERS[:2])
    assert lists.state(is_scheduled=True) is None
    assert lists.files() == ["crew.csv"]
    assert lists.approve(held.digest).state is RunState.APPLIED
    assert lists.state(is_scheduled=True) is RunState.APPLIED
    assert (len(lists.members("alarm")), len(lists.members("crew"))) == (3, 2)
