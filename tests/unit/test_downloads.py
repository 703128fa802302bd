"""Long tables: asked for, written beside the portal portion by portion, told of by mail once, and gone in time."""

import csv
import io
import json
import stat
import zipfile
from datetime import timedelta
from functools import partial

import pytest

from gateway.admin.erase import Erasing
from gateway.admin.faults import AdminFault, FaultCode
from reports import downloads
from reports.details import COLUMNS, DetailFilter
from reports.download_writer import DownloadWriter
from reports.downloads import KEPT, MOST_OPEN, SHARE, ask_download, end_download, get_download, list_downloads
from reports.inbound_details import INBOUND_COLUMNS, InboundFilter
from reports.tables import TableForm
from sms.lifecycle import MessageState
from store.downloads import DownloadRow, DownloadState
from tests.kit.inbound_harness import piece
from tests.kit.reports_harness import ReportsHarness

NUMBER = "447700900101"
ANNA = "anna"  # in whose name the harness administers


@pytest.fixture(name="world")
def _world(database_url):
    world = ReportsHarness(database_url)
    world.furnish()
    yield world
    world.database.close()


@pytest.fixture(name="new_writer")
def _new_writer(world, tmp_path):
    """Return what makes a worker of the node, as a start of the gateway does."""
    return partial(
        DownloadWriter,
        database=world.database,
        keys=world.keys,
        clock=world.clock,
        node=0,
        data_dir=tmp_path,
        reserve=0,
        address="https://sms.example.net",
        heads=lambda _, columns: columns,
        written=lambda: None,
    )


def ask(world, wanted=None, form=TableForm.CSV):
    given = {"form": form, "language": "de", "zone": "Europe/Berlin"}
    wanted = DetailFilter(customer_key=world.customer) if wanted is None else wanted
    (done,) = world.admin.change_now(partial(ask_download, customer="Example Ltd", wanted=wanted, **given))
    return done.facts["download"]


def look(world, name):
    return world.database.read_now(partial(get_download, customer_key=world.customer, name=name))


async def write_all(writer):
    while await writer.step():
        pass


def letters(world):
    return world.letters()


def lines_of(folder, download):
    return list(csv.reader(io.StringIO((folder / download.place).read_text("utf-8-sig"), newline=""), delimiter=";"))


async def test_a_table_is_written_as_it_was_asked_for_and_whoever_asked_is_told_where_it_is(
    world, new_writer, tmp_path
):
    world.deliver(NUMBER, "447700900102", reference="=1+1")
    world.add("447700900103")
    name = ask(world, DetailFilter(customer_key=world.customer, states=frozenset({MessageState.DELIVERED})))
    await write_all(new_writer())
    done = look(world, name)
    assert (done.state, done.lines, done.about) == (DownloadState.READY, 2, 2)
    heads, *lines = lines_of(tmp_path, done)
    assert tuple(heads) == COLUMNS
    assert {line[heads.index("to")] for line in lines} == {f"'+{NUMBER}", "'+447700900102"}
    assert {line[heads.index("reference")] for line in lines} == {"'=1+1"}
    path = tmp_path / done.place
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)
    assert done.octets == path.stat().st_size
    ((recipient, about),) = letters(world)
    assert (recipient, about["words"], about["language"]) == (ANNA, "download-ready", "de")
    link = f"https://sms.example.net/portal/c/{world.customer}/reports/downloads/{name}"
    assert json.loads(about["fields"])["link"] == link


async def test_a_workbook_and_a_table_of_what_came_are_written_too(world, new_writer, tmp_path):
    world.deliver(NUMBER)
    await world.arrive(piece("Hello"))
    await world.handle()
    book, received = ask(world, form=TableForm.XLSX), ask(world, InboundFilter(customer_key=world.customer))
    await write_all(new_writer())
    with zipfile.ZipFile(tmp_path / look(world, book).place) as file:
        assert f"+{NUMBER}" in file.read("xl/worksheets/sheet1.xml").decode()
    heads, line = lines_of(tmp_path, look(world, received))
    assert tuple(heads) == INBOUND_COLUMNS
    assert line[0].startswith("I.")


@pytest.mark.parametrize("form", list(TableForm))
async def test_what_a_killed_process_had_begun_is_written_anew_and_told_once(world, new_writer, tmp_path, form):
    world.deliver(NUMBER)
    name = ask(world, form=form)
    killed = new_writer()
    await killed.step()  # it has begun, and ends no more
    begun = look(world, name)
    assert begun.state is DownloadState.WRITING
    await write_all(new_writer())
    done = look(world, name)
    assert done.state is DownloadState.READY
    assert len(letters(world)) == 1
    assert done.place != begun.place
    assert not (tmp_path / begun.place).exists()
    await killed.step()  # one that only slept changes nothing
    assert (look(world, name), len(letters(world))) == (done, 1)
    await killed.stop()
    assert (tmp_path / done.place).exists()


async def test_another_node_writes_what_nobody_was_heard_of_for_long_and_not_before(world, new_writer):
    name = ask(world)
    first, second = new_writer(), new_writer(node=1)
    await first.step()
    assert not await second.step()
    world.pass_time(timedelta(minutes=16))
    await write_all(second)
    assert look(world, name).state is DownloadState.READY
    await first.stop()


async def test_a_file_goes_when_it_expires_or_is_deleted_and_nothing_of_another_account_is_deleted(
    world, new_writer, tmp_path
):
    deleted, expired = ask(world), ask(world)
    writer = new_writer()
    await write_all(writer)
    places = [tmp_path / look(world, name).place for name in (deleted, expired)]
    world.admin.change_now(partial(end_download, customer="Example Ltd", name=deleted))
    await writer.step()
    assert [place.exists() for place in places] == [False, True]
    world.admin.who = "ben"
    with pytest.raises(AdminFault) as refused:
        world.admin.change_now(partial(end_download, customer="Example Ltd", name=expired))
    assert refused.value.code is FaultCode.NOTHING_OF_THIS_ID
    assert world.database.read_now(partial(list_downloads, customer_key=world.customer, account="ben")) == []
    world.pass_time(KEPT)
    await write_all(writer)
    await writer.step()
    assert look(world, expired) is None
    assert list((tmp_path / "downloads").iterdir()) == []


async def test_a_download_that_is_deleted_while_it_is_written_is_told_to_nobody(world, new_writer, tmp_path):
    name = ask(world)
    writer = new_writer()
    await writer.step()
    world.admin.change_now(partial(end_download, customer="Example Ltd", name=name))
    await write_all(writer)
    assert letters(world) == []
    assert list((tmp_path / "downloads").iterdir()) == []


async def test_a_customer_has_a_bounded_share_of_the_disk_and_is_told_so(world, new_writer):
    for _ in range(MOST_OPEN):
        ask(world)
    with pytest.raises(AdminFault) as refused:
        ask(world)
    assert refused.value.code is FaultCode.DOWNLOADS_WAIT
    await write_all(new_writer())
    world.execute(f"UPDATE download SET octets = {SHARE}")
    with pytest.raises(AdminFault) as refused:
        ask(world)
    assert (refused.value.code, refused.value.facts) == (FaultCode.DOWNLOADS_FULL, {"most": 1024})


async def test_a_table_that_is_larger_than_what_is_left_fails_with_the_reason_and_is_told(world, new_writer):
    first, second = ask(world), ask(world)
    world.execute(f"UPDATE download SET state = 'ready', octets = {SHARE - 10} WHERE public_id = '{first}'")
    await write_all(new_writer())
    assert (look(world, second).state, look(world, second).problem) == (DownloadState.FAILED, "too-large")
    assert [about["words"] for _, about in letters(world)] == ["download-failed"]


async def test_no_table_takes_the_disk_from_what_is_accepted(world, new_writer):
    name = ask(world)
    await write_all(new_writer(reserve=1 << 60))
    assert (look(world, name).state, look(world, name).problem) == (DownloadState.FAILED, "no-room")


async def test_erasing_takes_back_files_and_filters_that_may_name_whom_it_erases(world, new_writer, tmp_path):
    job = world.deliver(NUMBER)
    while due := world.notices():
        for row in due:
            world.end_notice(row)
    assert job
    ready = ask(world)
    writer = new_writer()
    await write_all(writer)
    waiting = ask(world, DetailFilter(customer_key=world.customer, number=NUMBER))
    while due := world.notices():
        for row in due:
            world.end_notice(row)
    done = Erasing(world.database, world.admin, world.clock.now).erase_number(f"+{NUMBER}")
    assert done.downloads == 1
    assert {look(world, name).state for name in (ready, waiting)} == {DownloadState.ERASED}
    assert downloads.sweep_files(tmp_path, world.database) == 1
    assert not any(row.wanted for row in world.stored(DownloadRow))
    assert not await writer.step()
