"""A sharp rise of a customer's traffic: told once and once when over, and never of who sends what it always sends."""

from datetime import timedelta

import pytest

from gateway.traffic_rise import TrafficRises, is_rise
from tests.kit.clock import Clock
from tests.kit.testbed import judge, open_core

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("now", "before", "rises"),
    [(500, [100, 20], True), (400, [100], False), (99, [1], False), (5_000, [], False), (101, [25], True)],
    ids=["five times", "four times", "few", "never sent before", "just above"],
)
def test_a_rise_is_more_than_four_times_the_busiest_hour_and_not_few(now, before, rises):
    assert is_rise(now, before) is rises


async def test_what_rises_is_found_until_it_falls_and_a_day_later_it_is_what_the_customer_sends(house):
    clock, rises = Clock(), TrafficRises()
    core = open_core(house, clock)

    async def send(count):
        to = tuple(f"+4477009{n:05}" for n in range(count))
        await core.acceptance.keep(judge(core, "acme", to=to, message_id=f"<{clock.now():%s%f}@example.com>").plan)

    def found():
        return [
            (item.customer, item.now, item.before)
            for item in core.database.read_now(lambda tx: rises.find(tx, clock.now()))
        ]

    try:
        await send(20)
        clock.move(2 * DAY)
        await send(110)
        clock.move(timedelta(seconds=1))
        assert found() == [("acme", 110, 20)]
        clock.move(2 * HOUR)
        assert found() == []
        clock.move(2 * DAY)
        await send(110)
        clock.move(timedelta(seconds=1))
        assert found() == []
        assert core.database.read_now(lambda tx: TrafficRises().find(tx, clock.now())) == []
    finally:
        core.database.close()
