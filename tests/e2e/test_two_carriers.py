"""Two ways to the handsets: while the preferred one fails the other takes over, express overtakes, nothing goes twice.

What the preferred one refuses for good, or reports undelivered, goes by the other where the operator's file says so.
"""

import asyncio
import json
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count, islice, pairwise

import pytest

from gateway.health import BREAKER
from process.clock import SystemClock
from smpp.simulator.script import Cut, Script, Treatment
from smpp.simulator.simulator import Simulator
from smpp.wire.statuses import Status
from sms.message import ReceiptState
from tests.kit.installation import SENDER, addresses, mail
from tests.kit.patience import PATIENCE


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


@pytest.mark.slow
@pytest.mark.parametrize(
    "treatment",
    [Treatment(status=Status.RTHROTTLED), Treatment(status=Status.RSYSERR), Treatment(status=Status.RMSGQFUL)],
    ids=["throttles", "has a system error", "has a full queue"],
)
async def test_what_the_preferred_carrier_refuses_for_now_goes_out_by_the_other(site, backup, treatment):
    await open_with_backup(site, backup, Script(treat=lambda _: treatment))
    await asyncio.to_thread(send_many, site, NUMBERS)
    await site.until_all_told()
    assert taken_by(site.carrier) == {}
    assert taken_by(backup) == Counter(number.removeprefix("+") for number in NUMBERS)
    assert set(site.states()) == {"delivered"}


@pytest.mark.slow
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


@pytest.mark.slow
async def test_a_preferred_carrier_that_hangs_is_left_alone_and_what_it_had_is_unknown(site, backup):
    # The other takes over after 3 s: long before what hangs is given up and leaves room for more.
    await open_with_backup(site, backup, Script(hang_at=6), window=4, response_timeout="12s")
    await asyncio.to_thread(send_many, site, NUMBERS)
    await site.until(lambda: sum(taken_by(backup).values()) >= 30)
    await site.until_all_told()
    states = site.states()
    assert states["unknown"] <= 8
    assert states["delivered"] == 40 - states["unknown"]
    assert sum(taken_by(backup).values()) >= 30
    assert max((taken_by(site.carrier) + taken_by(backup)).values()) == 1


@pytest.mark.slow
async def test_a_preferred_carrier_whose_link_breaks_again_and_again_loses_and_doubles_nothing(site, backup):
    cuts = {4: Cut.AFTER_STORING, 9: Cut.BEFORE_STORING, 13: Cut.MID_ANSWER, 18: Cut.AFTER_STORING}
    await open_with_backup(site, backup, Script(cuts=cuts), window=3)
    await asyncio.to_thread(send_many, site, NUMBERS)
    await site.until_all_told()
    by_number = {message.number: message.state for message in site.messages()}
    taken = taken_by(site.carrier) + taken_by(backup)
    assert set(by_number.values()) <= {"delivered", "unknown"}
    assert {number for number, state in by_number.items() if state == "delivered"} <= set(taken)
    assert max(taken.values()) == 1
    assert set(by_number) - set(taken) <= {number for number, state in by_number.items() if state == "unknown"}
    assert taken_by(site.carrier)


@pytest.mark.slow
async def test_a_preferred_carrier_that_refuses_to_bind_is_passed_over(site, backup):
    await open_with_backup(site, backup, Script(bind_status=Status.RBINDFAIL))
    await asyncio.to_thread(send_many, site, NUMBERS[:10])
    await site.until_all_told()
    assert sum(taken_by(backup).values()) == 10
    await site.until(lambda: any("smpp_bind_refused" in line or "ESME_RBINDFAIL" in line for line in site.log))


async def test_a_carrier_out_of_its_hours_is_passed_over_and_one_without_another_waits_for_them(site, backup):
    now = datetime.now(UTC)
    closed = f"{now + timedelta(hours=2):%H:%M}-{now + timedelta(hours=3):%H:%M}"
    open_now = f"{now - timedelta(hours=1):%H:%M}-{now - timedelta(hours=2):%H:%M}"
    site.more_carriers = [
        {"name": "beta", "port": backup.port, "priority": 20, "hours": open_now},
        {"name": "gamma", "prefixes": ["49"], "hours": closed},
    ]
    await site.open(Script(), priority=10, hours=closed)
    await site.start()
    await asyncio.to_thread(send_many, site, [*NUMBERS[:3], "+4915550123456"])
    await site.until(lambda: sum(taken_by(backup).values()) == 3)
    assert taken_by(site.carrier) == {}
    assert [message.state for message in site.messages() if message.number.startswith("49")] == ["queued"]
    assert "closed until" in await site.command("route", NUMBERS[0])


@pytest.mark.slow
async def test_a_carrier_that_failed_is_remembered_and_gets_its_place_back(site, backup):
    offers: list[float] = []
    fails = True

    def treat(_):
        offers.append(time.monotonic())
        return Treatment(status=Status.RSYSERR) if fails else None

    numbers = (f"+44770090{n:04}" for n in count())
    await open_with_backup(site, backup, Script(treat=treat))
    while not any("event=carrier_rests" in line for line in site.log):
        await asyncio.to_thread(send_many, site, islice(numbers, 10))
        await site.until_all_told()
    assert taken_by(site.carrier) == {}
    fails = False
    while not taken_by(site.carrier):
        await asyncio.to_thread(send_many, site, [next(numbers)])
        await site.until_all_told()
    assert sum(taken_by(site.carrier).values()) == 1
    assert max(after - before for before, after in pairwise(offers)) >= BREAKER.rests.wait(1).total_seconds()
    await asyncio.to_thread(send_many, site, ["+447700909999"])
    await site.until_all_told()
    assert taken_by(site.carrier)["447700909999"] == 1
    assert max((taken_by(site.carrier) + taken_by(backup)).values()) == 1


async def test_a_number_that_one_carrier_refuses_for_good_is_not_offered_to_the_other(site, backup):
    await open_with_backup(site, backup, Script(treat=lambda _: Treatment(status=Status.RINVDSTADR)))
    await asyncio.to_thread(send_many, site, NUMBERS[:1])
    await site.until_all_told()
    assert [(message.state, message.reason) for message in site.messages()] == [("failed", "number-refused")]
    assert taken_by(backup) == {}


@pytest.mark.slow
async def test_express_overtakes_ten_thousand_normal_ones(site, thorough):
    each = 1_000 if thorough else 200
    await site.open(Script(throttle_until=10**9), window=50)
    await site.start()

    def fill():
        with site.client() as client:
            for batch in range(10):
                numbers = [f"+4477{batch}0{n:06}"[:13] for n in range(each)]
                client.sendmail(
                    SENDER, addresses(*numbers), mail(f"Batch {batch}", message_id=f"<{batch}@example.com>")
                )

    await asyncio.to_thread(fill)
    states = site.states()
    assert states["queued"] + states["submitting"] == 10 * each
    site.carrier.script = replace(site.carrier.script, throttle_until=0, throttle_rate=each / 10, receipt_delay=0.0)
    await site.until(lambda: len(site.carrier.record.taken) > 20)

    def send_express():
        with site.client() as client:
            client.sendmail(
                SENDER, addresses("+447700900999"), b"Importance: high\r\n" + mail("Fire", message_id="<e@example.com>")
            )

    now = int(time.time() * 1_000_000)
    due = [message for message in site.messages(state="queued") if message.due_at <= now]
    assert len(due) > 9 * each, "the normal ones are to be overtaken, not away"
    await asyncio.to_thread(send_express)
    await site.until(lambda: any(one.submitted.number == "447700900999" for one in site.carrier.record.taken))
    assert len(site.carrier.record.taken) < 5 * each
    assert max(taken_by(site.carrier).values()) == 1


async def test_two_carriers_on_one_account_and_what_is_stored_against_itself_are_warned_of_at_the_start(site):
    site.more_carriers = [{"name": "beta"}]
    await site.open()
    await site.command("customer", "set", "demo", "status_channel=push")
    await site.start()
    await site.until(lambda: sum("event=configuration" in line for line in site.log) == 2)
    warned = [line for line in site.log if "event=configuration" in line]
    assert 'the account of carrier \\"alpha\\" too' in warned[0]
    assert "status_channel = push of customer «demo» is without effect" in warned[1]
    assert all("level=warning" in line for line in warned)


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


async def test_what_the_preferred_carrier_refuses_for_good_goes_by_the_other_where_the_file_says_so(site, backup):
    refused = NUMBERS[0].removeprefix("+")
    script = Script(refusals={refused: Status.RINVSRCADR})
    await open_with_backup(site, backup, script, failover="refused", cost="cheap")
    job = await site.send("Twice the parts of one text " * 10, to=(NUMBERS[0],))
    await site.until(lambda: site.state(job) == {refused: "delivered"})
    assert "cut" not in await site.told()
    assert taken_by(site.carrier) == {}
    assert [shown.missing for shown in backup.record.shown()] == [()]
    said = await site.command("status", job)
    for part in (1, 2):
        assert f"part {part}/2: failed at alpha, cost cheap, error sender-refused, given to the next" in said
        assert f"part {part}/2: delivered at beta, id " in said
    attempts = json.loads(await site.command("status", job, "--json"))["attempts"]
    assert [(attempt["part"], attempt["carrier"], attempt["state"]) for attempt in attempts] == [
        (1, "alpha", "failed"),
        (2, "alpha", "failed"),
    ]


async def test_what_the_preferred_carrier_reports_undelivered_goes_by_the_other_and_its_sender_reads_one_end(
    site, backup
):
    script = Script(state=ReceiptState.UNDELIVERABLE, error="021")
    await open_with_backup(site, backup, script, failover="undelivered")
    await asyncio.to_thread(send_many, site, NUMBERS[:10])
    await site.until_all_told()
    assert set(site.states()) == {"delivered"}
    assert taken_by(site.carrier) == taken_by(backup) == Counter(number.removeprefix("+") for number in NUMBERS[:10])
    assert len(await site.box.wait_for_mails(10, PATIENCE)) == 10
    (job, *_rest) = [job for (job,) in site.rows("SELECT public_id FROM job")]
    assert "part 1/1: undelivered at alpha, id " in await site.command("status", job)


async def test_a_status_of_the_carriers_own_has_its_waits_its_count_and_the_next_carrier(site, backup):
    row = {
        "verdict": "retry",
        "code": "carrier-busy",
        "text": "The carrier is busy.",
        "waits": ["100ms"],
        "attempts": 3,
        "failover": True,
    }
    script = Script(treat=lambda _: Treatment(status=0x401))
    await open_with_backup(site, backup, script, dialect={"statuses": {"0x401": row}})
    job = await site.send("Three times here, then there")
    await site.until(lambda: set(site.state(job).values()) == {"delivered"})
    assert site.carrier.statuses == {0x401: 3}
    said = await site.command("status", job)
    assert "part 1/1: failed at alpha, error retries-exhausted, given to the next" in said
