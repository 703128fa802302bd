"""The schedule of directories: each due one is read by one process, a few at a time, and killed when the gateway stops."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.admin.customers import set_customer_active
from gateway.admin.options import set_options
from gateway.directory import DirectoryFollower
from process.dirsync_schedule import DirectorySchedule
from store.directories import add_directory, find_directory_by_key
from store.engine.keys import to_stored
from tests.kit.admin_harness import NOW
from tests.kit.patience import PATIENCE
from tests.kit.sync_harness import OPTIONS, SyncHarness

SAYS = "import sys; open({file!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n'); {then}"
APPLIED = """print('{"key": 7, "state": "applied", "counts": {"add": 3}, "faults": [], "problem": null}')"""


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def now(self):
        return self.at


class House:
    """The customer Example with the directory head-office, which is due, and schedules that start a program of ours."""

    def __init__(self, url: str, folder: Path) -> None:
        self.office = SyncHarness(url)
        self.file = folder / "started"
        self.clock = Clock()
        self.book = DirectoryFollower(self.office.database, {})
        self.told = 0

    def schedule(self, then: str = APPLIED) -> DirectorySchedule:
        return DirectorySchedule(
            database=self.office.database,
            book=self.book,
            clock=self.clock,
            file=Path("/etc/mail2sms.toml"),
            command=(sys.executable, "-c", SAYS.format(file=str(self.file), then=then)),
            written=self.written,
        )

    def written(self) -> None:
        self.told += 1

    def started(self) -> list[str]:
        return self.file.read_text().splitlines() if self.file.exists() else []

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.01)


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    made = House(database_url, tmp_path)
    await made.book.load()
    yield made
    made.office.database.close()


@pytest.fixture
def log() -> Iterator[list]:
    with capture_logs() as entries:
        yield entries


async def test_a_due_directory_is_read_by_one_of_two_nodes_and_its_outcome_is_logged(house, log):
    nodes = [house.schedule(), house.schedule()]
    for node in nodes:
        await node.step()
    for node in nodes:
        await node.stop(60)
    assert house.started() == ["head-office --customer Example --config /etc/mail2sms.toml --json --scheduled"]
    (said,) = [entry for entry in log if entry["event"] == "directory_read"]
    assert (said["state"], said["counts"], said["directory"]) == ("applied", {"add": 3}, "head-office")
    assert house.told == 1
    due = house.office.look(find_directory_by_key, 7).due_at
    assert due == to_stored(NOW + timedelta(minutes=60))


async def test_it_is_read_again_when_it_is_due_again(house):
    schedule = house.schedule()
    for later, count in ((0, 1), (59, 1), (60, 2)):
        house.clock.at = NOW + timedelta(minutes=later)
        await schedule.step()
        await house.until(lambda count=count: house.told == count)
    await schedule.stop(60)
    assert len(house.started()) == 2


async def test_two_are_read_at_a_time(house):
    for key in (8, 9):
        name = f"branch-{key}"
        house.office.write(add_directory, house.office.directory_of(key, name), OPTIONS, key)
    schedule = house.schedule("import time; time.sleep(3600)")
    await schedule.step()
    await house.until(lambda: len(house.started()) == 2)
    await schedule.step()
    await schedule.stop(0)
    assert [line.split()[0] for line in sorted(house.started())] == ["branch-8", "head-office"]


async def test_what_still_reads_when_the_gateway_stops_is_killed(house, tmp_path):
    file = tmp_path / "pid"
    schedule = house.schedule(f"import os, time; open({str(file)!r}, 'w').write(str(os.getpid())); time.sleep(3600)")
    await schedule.step()
    await house.until(lambda: file.exists() and file.read_text() != "")
    await schedule.stop(0)
    with pytest.raises(ProcessLookupError):
        os.kill(int(file.read_text()), 0)


async def test_a_run_that_breaks_is_logged_with_its_last_words(house, log):
    schedule = house.schedule("sys.exit('no database')")
    await schedule.step()
    await schedule.stop(60)
    (said,) = [entry for entry in log if entry["event"] == "directory_run_broke"]
    assert (said["code"], said["cause"], said["log_level"]) == (1, "no database", "error")


@pytest.mark.parametrize("unwanted", ["inactive", "option"])
async def test_a_customer_that_may_have_no_directory_is_not_read(house, unwanted):
    if unwanted == "inactive":
        house.office.do(set_customer_active, "Example", active=False)
    else:
        house.office.do(set_options, "Example", (), ("directory",))
    await house.book.load()
    schedule = house.schedule()
    await schedule.step()
    await schedule.stop(60)
    assert house.started() == []
