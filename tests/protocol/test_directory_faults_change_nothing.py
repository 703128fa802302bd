"""Whatever fails in the middle of a reading changes no row of anybody; what is read whole afterwards does."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from addressbook.runs import RunResult, RunState
from process.dirsync import RunRequest, run_directory
from sms.settings import Settings
from store.engine.database import Transaction
from tests.kit.ldap_server import LdapServer, Manner
from tests.kit.sync_harness import SyncHarness

RESULTS = (3, 4, 10, 11, 32, 51)
MANNERS = (
    Manner.CLOSES,
    Manner.CUTS,
    Manner.RESETS,
    Manner.HANGS,
    Manner.REPEATS,
    Manner.STARTS_AGAIN,
    Manner.FORGETS_PAGING,
    Manner.REFERS,
    Manner.NAMELESS,
)
PAGE = 2
USERS, LATER = 10, 8


class Sync(SyncHarness):
    """A directory on a server that can be told to fail, read whole once; after that the server has fewer users."""

    def __init__(self, url: str, server: LdapServer) -> None:
        super().__init__(url)
        self.server = server
        self.options = {
            "host": "127.0.0.1",
            "port": str(server.port),
            "tls": "none",
            "page_size": "3",
            "password_file": str(server.password_file),
        }
        self.configure(**self.options)
        assert self.read().state is RunState.APPLIED
        assert self.read().state is RunState.UNCHANGED  # and has cleaned up after the first
        assert len(self.users()) == USERS
        server.entries = LATER

    def read(self, pause: Callable[[float], None] = lambda _: None) -> RunResult:
        """Read everything and put it in force."""
        request = RunRequest(stored=self.stored(), asked_by="timer", settings=Settings(), full=True, pause=pause)
        result = run_directory(self.sync, request, self._now)
        assert isinstance(result, RunResult)
        return result

    def rows(self) -> object:
        """Return all rows that a run may change, but those that say of a run that it failed."""
        tables = [self.look(all_of, table) for table in ("mail_user", "setting", "distribution_list")]
        stored = self.stored()
        return tables, self.version, self.in_force(), (stored.cookie, stored.digest, stored.full_at)


def all_of(tx: Transaction, table: str) -> list[str]:
    return sorted(map(repr, tx.rows(f"SELECT * FROM {table}")))


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[Sync]:
    password_file = tmp_path / "reader.password"
    password_file.touch(0o600)
    password_file.write_text("what the reader knows")
    with LdapServer(entries=USERS, password_file=password_file) as server:
        made = Sync(database_url, server)
        yield made
        made.close()


@pytest.mark.parametrize("manner", [*RESULTS, *MANNERS], ids=str)
def test_a_fault_on_a_page_changes_no_row(world, manner):
    if manner is Manner.HANGS:
        world.configure(**world.options | {"deadline_seconds": "1"})
    before = world.rows()
    world.server.on_page = {PAGE: manner}
    result = world.read()
    assert result.state is RunState.FAILED
    assert result.problem.section == "read"
    assert world.rows() == before


def test_what_is_read_whole_changes_rows(world):
    before = world.rows()
    assert world.read().state is RunState.APPLIED
    assert world.rows() != before


def test_a_server_that_was_busy_for_a_moment_is_read_again_from_the_first_page(world):
    world.server.on_page = {PAGE: 51}
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        world.server.on_page = {}

    result = world.read(pause)
    assert (result.state, len(pauses)) == (RunState.APPLIED, 1)
    assert len([word for word in world.server.asked if word == "bind"]) == 4


def test_a_refused_password_is_not_tried_again(world):
    world.server.bind_code = 49
    before, asked = world.rows(), len(world.server.asked)
    assert world.read().problem.code == "bind-refused"
    assert [word for word in world.server.asked[asked:] if word != "unbind"] == ["bind"]
    assert world.rows() == before
