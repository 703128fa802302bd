"""Sums of what was sent and received: written once when details close, and equal to the details and to the carrier."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random

import pytest

from reports.ruled import list_ruled
from sms.message import ReceiptState
from sms.outcome import Done, Unknown
from sms.route import Failover
from sms.serialise import freeze_settings
from sms.settings import Settings
from store.answers import Rules
from store.sums import SumStep, add_sums
from store.sums_tables import JobSumRow, TrafficSumRow
from store.views import load_reports
from tests.kit.inbound_harness import piece, pieces
from tests.kit.reports_harness import RecordingCarrier, ReportsHarness
from tests.kit.store_harness import LOST

NUMBER, AUSTRIAN = "447700900101", "436601234567"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RULES = Rules(
    failover={"alpha": Failover.UNDELIVERED, "beta": Failover.REFUSED},
    resends={"alpha": 1},
    receipt_grace={"alpha": HOUR},
)


@pytest.fixture(name="world")
def _world(database_url):
    world = ReportsHarness(database_url, RULES)
    world.furnish()
    yield world
    world.database.close()


async def test_a_job_counts_when_its_last_message_has_ended_by_all_that_it_is_asked_for(world):
    settings = freeze_settings(Settings(cost_centre="4711"))
    world.deliver(NUMBER, AUSTRIAN, parts=2, settings=settings, service="rest", user_address="", mail=None, login="erp")
    open_job = world.add(NUMBER)
    await world.sum_all()
    (row, other) = world.stored(TrafficSumRow)
    assert other == row._replace(country={"GB": "AT", "AT": "GB"}[row.country])
    assert row._replace(country="") == (
        *(world.customer, "2026-11-23", "UTC", "sent", "rest", "4711", "erp", "", "alpha", "delivered", ""),
        *(1, 2, 2, 0),
    )
    world.cancel(open_job.public_id)
    await world.sum_all()
    assert world.sums("state", service="mail") == {("cancelled", "messages"): 1, ("cancelled", "parts"): 1}


REFUSED = ("alpha_registration", "refused", "required")
DELAYED = ("quiet_hours", "delayed", "Mo-Su 20:00-08:00")
NOTED = ("replaced_by", "noted", "local numeric")


async def test_what_rules_did_is_summed_once_by_day_and_agrees_with_the_details(world):
    for findings in ((DELAYED, NOTED), (DELAYED, REFUSED), (NOTED,), ()):
        world.deliver(NUMBER, "447700900102", findings=findings)
    await world.sum_all()
    world.deliver(NUMBER, findings=(DELAYED,))
    await world.sum_all()
    details: Counter = Counter()
    for key in (job.key for job in world.jobs()):
        report = world.database.read_now(lambda tx, key=key: load_reports(tx, [key])[key])
        for message in report.messages:
            for rule, effect, _ in message.findings:
                details[message.country, rule, effect] += effect != "noted"
    found = world.database.read_now(lambda tx: list_ruled(tx, "Example Ltd", "2026-11"))
    assert {(row["country"], row["rule"], row["effect"]): row["messages"] for row in found} == +details
    assert [(row["month"], row["rule"], row["messages"]) for row in found] == [
        ("2026-11", "alpha_registration", 2),
        ("2026-11", "quiet_hours", 5),
    ]
    [first, *_] = world.database.read_now(lambda tx: list_ruled(tx, country="gb", by_day=True))
    assert first["day"] == "2026-11-23"
    assert world.database.read_now(lambda tx: list_ruled(tx, country="de")) == []


async def test_what_was_summed_is_never_added_again(world):
    world.deliver(NUMBER)
    await world.book.refresh()
    step = await world.database.read(lambda tx: world.summing._count(tx, world.clock.now()))
    first, second = [await world.database.write(add_sums, step) for _ in range(2)]
    assert (first, second) == (1, 0)
    await world.sum_all()
    assert world.sums()["messages",] == 1


async def test_of_two_nodes_that_sum_the_same_one_counts(world, database_url):
    other = ReportsHarness(database_url, RULES, node=2, alone=False)
    try:
        for _ in range(3):
            world.deliver(NUMBER)
        await asyncio.gather(world.book.refresh(), other.book.refresh())
        for _ in range(3):  # who has no turn comes again
            await asyncio.gather(world.summing.step(), other.summing.step())
        assert world.sums()["messages",] == 3
    finally:
        other.database.close()


async def test_what_changes_between_reading_and_adding_is_read_again(world):
    job = world.deliver_late(NUMBER)
    await world.book.refresh()
    step = await world.database.read(lambda tx: world.summing._count(tx, world.clock.now()))
    world.receipt(job, ReceiptState.DELIVERED)
    assert await world.database.write(add_sums, step) == 0
    await world.sum_all()
    assert world.sums("state", "corrected_on") == {
        ("delivered", "", "messages"): 1,
        ("delivered", "", "parts"): 1,
        ("delivered", "", "billed"): 1,
    }


async def test_a_late_receipt_is_a_correction_dated_on_its_day_and_counted_on_that_of_its_job(world):
    carrier_id = world.deliver_late(NUMBER)
    await world.sum_all()
    world.pass_time(3 * DAY)
    world.receipt(carrier_id, ReceiptState.DELIVERED)
    await world.sum_all()
    rows = {
        (row.state, row.corrected_on): (row.messages, row.parts, row.billed)
        for row in world.stored(TrafficSumRow, day="2026-11-25")
    }
    assert rows == {
        ("unknown", ""): (1, 1, 1),
        ("unknown", "2026-11-28"): (-1, -1, -1),
        ("delivered", "2026-11-28"): (1, 1, 1),
    }


async def test_a_day_is_that_of_the_customers_time_zone_at_the_end_of_the_job(world):
    world.go_to(datetime(2026, 11, 30, 20, 30, tzinfo=UTC))
    world.deliver(NUMBER)
    await world.sum_all()
    world.set("time_zone", "Asia/Tokyo")
    world.deliver(NUMBER)
    await world.sum_all()
    assert {(row.day, row.zone) for row in world.stored(TrafficSumRow)} == {
        ("2026-11-30", "UTC"),
        ("2026-12-01", "Asia/Tokyo"),
    }


async def test_a_dry_run_counts_nothing(world):
    world.add(NUMBER, dry_run=True)
    await world.sum_all()
    assert world.stored(TrafficSumRow) == []
    assert [row.changes for row in world.stored(JobSumRow)] == [0]


async def test_a_part_whose_answer_was_lost_is_told_apart_from_those_that_are_billed(world):
    world.add(NUMBER, receipt_wanted=True)
    for _ in range(2):  # it is sent again once
        (part,) = world.take()
        world.settle((part.part_key, Unknown(problem=LOST)))
        world.pass_time(HOUR / 2)
    await world.sum_all()
    assert world.sums("state") == {("unknown", "messages"): 1, ("unknown", "parts"): 1, ("unknown", "unanswered"): 2}


async def test_a_part_that_a_carrier_took_and_gave_back_is_billed_there_too(world):
    world.add(NUMBER, receipt_wanted=True)
    world.execute("UPDATE message SET route = 'alpha>beta'")
    (part,) = world.take(route="alpha>beta")
    world.settle((part.part_key, Done(reference="a1")))
    world.receipt("a1", ReceiptState.UNDELIVERABLE)
    (part,) = world.take(carrier="beta", route="beta")
    world.settle((part.part_key, Done(reference="b1")), carrier="beta")
    world.receipt("b1", ReceiptState.DELIVERED, carrier="beta")
    await world.sum_all()
    assert world.sums("carrier") == {
        ("alpha", "billed"): 1,
        ("beta", "billed"): 1,
        ("beta", "messages"): 1,
        ("beta", "parts"): 1,
    }


async def test_inbound_sms_count_by_the_parts_that_came_and_a_late_part_is_no_further_sms(world):
    *came, late = pieces("One ", "two ", "three")
    await world.arrive(*came, piece("Alone"), piece("Nobody's", destination="+447700900555"))
    await world.handle(DAY / 2)
    await world.arrive(late)
    await world.handle()
    await world.sum_all()
    found = world.sums("direction", "service", "state", "country", customer_key=world.customer)
    place = ("received", "inbound", "received", "GB")
    assert found == {(*place, "messages"): 2, (*place, "parts"): 4, (*place, "billed"): 4}
    assert world.sums(customer_key=0)["parts",] == 1
    await world.sum_all()
    assert world.sums(customer_key=0)["parts",] == 1


@pytest.mark.parametrize("seed", range(3))
async def test_a_month_of_everything_equals_its_details_and_what_its_carriers_count_to_the_part(world, seed):
    chance = Random(seed)
    carriers = [RecordingCarrier(name, chance) for name in ("alpha", "beta")]
    jobs = []
    for day in range(28):
        world.go_to(datetime(2026, 11, 1, 8, tzinfo=UTC) + day * DAY)
        for _ in range(3):
            numbers = [f"4477009{chance.randrange(100000):05}" for _ in range(chance.randint(1, 3))]
            job = world.add(
                *numbers,
                parts=chance.randint(1, 3),
                receipt_wanted=chance.random() < 0.8,
                expires_at=world.now + 6 * 3600 * 1_000_000,
            )
            jobs.append(job.key)
        world.execute("UPDATE message SET route = 'alpha>beta' WHERE route = 'alpha'")
        for _ in range(12):
            for carrier in carriers:
                carrier.submit(world)
                carrier.report(world, share=0.15)
            world.pass_time(HOUR)
            world.sweep()
        await world.arrive(*pieces(*["text"] * chance.randint(1, 3), reference=day))
        await world.handle()
        await world.sum_all()
    world.sweep(5 * DAY)
    for carrier in carriers:
        carrier.report(world, share=0.5)  # corrections of what had ended
    await world.sum_all()
    assert {row.settled_at is None for row in world.jobs()} == {False}

    details: Counter = Counter()
    reports = world.database.read_now(partial(load_reports, job_keys=jobs))
    for message in (message for report in reports.values() for message in report.messages):
        details[message.state.value, "messages"] += 1
        details[message.state.value, "parts"] += len(message.parts)
        details[message.state.value, "billed"] += sum(part.billed for part in message.parts)
    for state, given_back in world.rows(
        "SELECT m.state, count(*) FROM message m JOIN part p ON p.message_key = m.key"
        " JOIN part_attempt a ON a.part_key = p.key WHERE a.carrier_id <> '' GROUP BY m.state"
    ):
        details[state, "billed"] += given_back
    sums = world.sums("state", direction="sent")
    assert {key: count for key, count in sums.items() if key[-1] != "unanswered"} == +details

    by_carrier = world.sums("carrier", direction="sent")
    for carrier in carriers:
        billed = by_carrier[carrier.name, "billed"]
        assert billed == len(carrier.known)
        assert billed <= len(carrier.taken) <= billed + by_carrier[carrier.name, "unanswered"]
    (received,) = world.rows("SELECT count(*), sum(total) FROM inbound_sms")
    assert (world.sums(direction="received")["messages",], world.sums(direction="received")["billed",]) == tuple(
        received
    )
    assert any(row.corrected_on for row in world.stored(TrafficSumRow))


async def test_a_step_with_nothing_writes_nothing(world):
    await world.book.refresh()
    assert await world.summing.step() is False
    assert await world.database.write(add_sums, SumStep()) == 0
