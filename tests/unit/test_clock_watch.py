"""A clock that is put back keeps nothing waiting: neither what was due, nor what waited for another attempt."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from gateway.clock_watch import ClockWatch
from sms.outbox import OutboxEvent
from sms.outcome import Failed, Retry
from store.answers import Rules
from store.engine.keys import to_stored
from tests.kit.clock import Clock
from tests.kit.store_harness import BUSY, SECOND, WRONG, StoreHarness

HOUR = 3600 * SECOND
DAY = 24 * HOUR


@pytest.fixture
def world(database_url):
    world = StoreHarness(database_url, Rules())
    yield world
    world.database.close()


def waits(world, now: int) -> dict[str, int]:
    """Return in how many seconds each number is due."""
    return {message.number: (message.due_at - now) // SECOND for message in world.messages()}


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_was_queued_before_the_clock_was_put_back_is_due_as_if_it_had_not_been(restarted, world):
    clock = Clock()
    watch = ClockWatch(database=world.database, clock=clock)
    await watch.step()
    world.add("447700900101")
    (part,) = world.take()
    world.settle((part.part_key, Retry(problem=BUSY, after=timedelta(minutes=10))))
    later = waits(world, world.now)["447700900101"]
    assert later >= 600
    world.add("447700900102")
    world.add("447700900103", due_at=world.now + HOUR, expires_at=world.now + 4 * DAY)  # its sender chose the time
    world.add("447700900104", mail=None)
    world.hold(world.messages(number="447700900104")[0].public_id)
    clock.move(timedelta(days=-1))
    now = to_stored(clock.now())
    if restarted:
        watch = ClockWatch(database=world.database, clock=clock)
    with capture_logs() as logs:
        await watch.step()
        await watch.step()
    (warned,) = logs
    assert (warned["event"], warned["seconds"], warned["made_due"]) == ("clock_put_back", 86_400, 2)
    found = waits(world, now)
    assert found["447700900101"] == later
    assert found["447700900102"] == 0
    assert found["447700900103"] == 3600 + 86_400
    assert found["447700900104"] > 10**9


async def test_mail_that_waited_goes_out_by_the_new_clock(world):
    clock = Clock()
    watch = ClockWatch(database=world.database, clock=clock)
    await watch.step()
    world.add("447700900101")
    (part,) = world.take()
    world.settle((part.part_key, Failed(problem=WRONG)))
    (notice,) = world.notices()
    world.end_notice(notice, OutboxEvent.DEFER, due_at=world.now + HOUR)
    clock.move(timedelta(days=-1))
    await watch.step()
    world.now = to_stored(clock.now()) + HOUR
    assert len(world.notices()) == 1


async def test_a_small_correction_changes_nothing(world):
    clock = Clock()
    watch = ClockWatch(database=world.database, clock=clock)
    await watch.step()
    world.add("447700900101")
    clock.move(timedelta(seconds=-59))
    with capture_logs() as logs:
        await watch.step()
    assert logs == []
