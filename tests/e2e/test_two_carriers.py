"""Two ways to the handsets: while the preferred one fails the other takes over, express overtakes, nothing goes twice."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from mta.clock import SystemClock
from smpp.script import Script, Treatment
from smpp.simulator import Simulator
from smpp.statuses import Status
from tests.e2e.site import SENDER, addresses, mail


@pytest.fixture
async def backup():
    simulator = Simulator(accounts={"gateway": "secret"}, clock=SystemClock())
    await simulator.start()
    yield simulator
    await simulator.stop()


async def open_with_backup(site, backup, script, **options):
    site.more_carriers = [{"name": "beta", "port": backup.port, "priority": 20}]
    await site.open(script, priority=10, **options)
    await site.start()


def send_many(site, numbers, *, headers=b""):
    with site.client() as client:
        for number in numbers:
            client.sendmail(
                SENDER, addresses(number), headers + mail(f"To {number}", message_id=f"<{number}@example.com>")
            )


def taken_by(simulator):
    return Counter(one.submitted.number for one in simulator.record.taken)


NUMBERS = [f"+44770090{n:04}" for n in range(40)]


@pytest.mark.parametrize(
    "treatment",
    [Treatment(status=Status.RTHROTTLED), Treatment(status=Status.RSYSERR), Treatment(status=Status.RMSGQFUL)],
    ids=["throttles", "has a system error", "has a full queue"],
)
async def test_what_the_preferred_carrier_refuses_for_now_goes_out_by_the_other(site, backup, treatment):
    await open_with_backup(site, backup, Script(treat=lambda _: treatment))
    await asyncio.to_thread(send_many, site, NUMBERS)
    await site.until_all_told(90)
    assert taken_by(site.carrier) == {}
    assert taken_by(backup) == Counter(number.removeprefix("+") for number in NUMBERS)
    assert {state for (state,) in site.rows("SELECT state FROM message")} == {"delivered"}


async def test_a_preferred_carrier_that_dies_leaves_its_messages_to_the_other_and_gets_new_ones_when_it_is_back(
    site, backup
):
    await open_with_backup(site, backup, Script())
    await asyncio.to_thread(send_many, site, NUMBERS[:10])
    await site.until_all_told()
    assert sum(taken_by(site.carrier).values()) == 10
    port = site.carrier.port
    await site.carrier.stop()
    await asyncio.to_thread(send_many, site, NUMBERS[10:20])
    await site.until(lambda: sum(taken_by(backup).values()) == 10)
    again = Simulator(accounts={"gateway": "secret"}, clock=SystemClock())
    await again.start(port=port)
    try:
        await site.until(lambda: again.bound == 1)
        await asyncio.to_thread(send_many, site, NUMBERS[20:30])
        await site.until_all_told()
        assert sum(taken_by(again).values()) == 10
    finally:
        await again.stop()
    assert max((taken_by(site.carrier) + taken_by(backup) + taken_by(again)).values()) == 1


async def test_a_preferred_carrier_that_hangs_is_left_alone_and_what_it_had_is_unknown(site, backup):
    await open_with_backup(site, backup, Script(hang_at=6), window=4, response_timeout="4s")
    await asyncio.to_thread(send_many, site, NUMBERS)
    await site.until_all_told(90)
    states = Counter(state for (state,) in site.rows("SELECT state FROM message"))
    assert states["unknown"] <= 8
    assert states["delivered"] == 40 - states["unknown"]
    assert sum(taken_by(backup).values()) >= 30
    assert max((taken_by(site.carrier) + taken_by(backup)).values()) == 1


async def test_a_number_that_one_carrier_refuses_for_good_is_not_offered_to_the_other(site, backup):
    await open_with_backup(site, backup, Script(treat=lambda _: Treatment(status=Status.RINVDSTADR)))
    await asyncio.to_thread(send_many, site, NUMBERS[:1])
    await site.until_all_told()
    assert site.rows("SELECT state, reason FROM message") == [("failed", "number-refused")]
    assert taken_by(backup) == {}


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_express_overtakes_ten_thousand_normal_ones_in_under_two_seconds(site):
    await site.open(Script(throttle_until=10**9), window=50)
    await site.start()

    def fill():
        with site.client() as client:
            for batch in range(10):
                numbers = [f"+4477{batch}0{n:06}"[:13] for n in range(1000)]
                client.sendmail(
                    SENDER, addresses(*numbers), mail(f"Batch {batch}", message_id=f"<{batch}@example.com>")
                )

    await asyncio.to_thread(fill)
    assert site.rows("SELECT count(*) FROM message WHERE state IN ('queued', 'submitting')")[0][0] == 10_000
    site.carrier.script = replace(site.carrier.script, throttle_until=0, throttle_rate=200.0, receipt_delay=0.0)
    await site.until(lambda: len(site.carrier.record.taken) > 20)

    def send_express():
        with site.client() as client:
            client.sendmail(
                SENDER, addresses("+447700900999"), b"Importance: high\r\n" + mail("Fire", message_id="<e@example.com>")
            )

    loop = asyncio.get_running_loop()
    await asyncio.to_thread(send_express)
    began = loop.time()
    await site.until(lambda: any(one.submitted.number == "447700900999" for one in site.carrier.record.taken))
    assert loop.time() - began < 2
    assert len(site.carrier.record.taken) < 5_000
    assert max(taken_by(site.carrier).values()) == 1


async def test_what_waits_for_a_carrier_that_the_operator_took_away_goes_out_by_those_that_are_left(site, backup):
    await open_with_backup(site, backup, Script(throttle_until=10**9))
    await backup.stop()
    await asyncio.to_thread(send_many, site, NUMBERS[:3])
    assert await site.stop() == 0
    left = Simulator(accounts={"gateway": "secret"}, clock=SystemClock())
    await left.start()
    try:
        text = site.file.read_text()
        site.file.write_text(
            text.replace('name = "alpha"', 'name = "gamma"').replace(
                f"port = {site.carrier.port}", f"port = {left.port}"
            )
        )
        await site.start()
        await site.until_all_told()
        assert taken_by(left) == Counter(number.removeprefix("+") for number in NUMBERS[:3])
    finally:
        await left.stop()
