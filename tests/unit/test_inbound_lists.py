"""The daily lists of inbound SMS: when, to whom, what of it, and that no spreadsheet runs it."""

import asyncio
import csv
import io
from datetime import UTC, datetime, time, timedelta

import pytest

from gateway.inbound_lists import InboundLists, next_instant
from gateway.postmaster import unpack
from inbound.actions import ActionKind, ListAction, ListMode
from store.inbound_mail import INBOUND_LIST
from tests.kit.inbound_harness import OWN, PHONE, InboundHarness, piece

TO = ("office@example.com", "boss@example.com")
DAY = timedelta(days=1)


@pytest.fixture
def world(database_url):
    world = InboundHarness(database_url)
    world.furnish()
    world.clock.instant = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    yield world
    world.database.close()


@pytest.fixture
async def lists(world):
    """The worker of lists, which has seen all lists once."""
    await world.book.load()
    return InboundLists(
        database=world.database, keys=world.keys, book=world.book, clock=world.clock, written=lambda: None
    )


async def day(world: InboundHarness, lists: InboundLists, *texts: str) -> list[list[list[str]]]:
    """Let SMS come, then let a day pass; returns the new lists that office gets, without their first lines."""
    await world.book.refresh()
    await lists.step()
    before = len(world.outbox_rows(kind=INBOUND_LIST, recipient=TO[0]))
    for text in texts:
        await world.arrive(piece(text))
        await world.handle()
    world.clock.move(DAY)
    while await lists.step():
        pass
    new = world.outbox_rows(kind=INBOUND_LIST, recipient=TO[0])[before:]
    return [list(csv.reader(io.StringIO(unpack(bytes(row.content)).decode("utf-8-sig"))))[1:] for row in new]


async def test_changes_are_mailed_once_a_day_to_every_address_and_only_if_something_came(world, lists):
    world.add_action(world.customer, ListAction(addresses=TO), ActionKind.LIST)
    ((one, two),) = await day(world, lists, "One", "Two")
    assert one[1:] == ["2026-11-23 09:00:00", PHONE[1:], OWN[1:], "", "One", ""]
    assert one[0] == world.inbound_sms()[0].public_id
    assert two[5] == "Two"
    assert [row.recipient for row in world.outbox_rows(kind=INBOUND_LIST)] == list(TO)
    assert await day(world, lists) == []
    assert [[line[5] for line in lines] for lines in await day(world, lists, "Three")] == [["Three"]]


async def test_a_full_list_has_everything_and_comes_only_if_something_is_new(world, lists):
    world.add_action(world.customer, ListAction(addresses=TO, mode=ListMode.FULL), ActionKind.LIST)
    await day(world, lists, "One")
    assert await day(world, lists) == []
    assert [[line[5] for line in lines] for lines in await day(world, lists, "Two")] == [["One", "Two"]]


async def test_a_cell_that_looks_like_a_formula_begins_with_an_apostrophe(world, lists):
    world.add_action(world.customer, ListAction(addresses=TO), ActionKind.LIST)
    (lines,) = await day(world, lists, "=1+1", "+44", "-1", "@SUM(1)", "a=b")
    assert [line[5] for line in lines] == ["'=1+1", "'+44", "'-1", "'@SUM(1)", "a=b"]


async def test_what_is_not_contracted_any_more_is_not_mailed(world, lists):
    world.add_action(world.customer, ListAction(addresses=TO), ActionKind.LIST)
    await lists.step()
    await world.arrive(piece("One"))
    await world.handle()
    world.execute("UPDATE customer SET options = 'mail2sms'")
    await world.book.load()
    assert await day(world, lists) == []


async def test_two_nodes_write_one_list(world, lists):
    world.add_action(world.customer, ListAction(addresses=TO[:1]), ActionKind.LIST)
    await lists.step()
    await world.arrive(piece("One"))
    await world.handle()
    world.clock.move(DAY)
    other = InboundLists(
        database=world.database, keys=world.keys, book=world.book, clock=world.clock, written=lambda: None
    )
    await asyncio.gather(lists.step(), other.step())
    assert len(world.outbox_rows(kind=INBOUND_LIST)) == 1


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-11-23T09:59", "2026-11-23T10:00"),
        ("2026-11-23T10:00", "2026-11-24T10:00"),
        ("2026-12-31T23:00", "2027-01-01T10:00"),
    ],
)
def test_a_list_is_due_at_its_time_in_utc(now, expected):
    action = ListAction(addresses=TO, at=time(10, 0))
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert next_instant(action, at) == datetime.fromisoformat(expected).replace(tzinfo=UTC)
