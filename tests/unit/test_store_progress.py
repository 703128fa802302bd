"""The corners of progress: parts that disagree, receipts that come at odd times, administrators in between."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sms.lifecycle import INTERMEDIATE, MessageState
from sms.message import Receipt, ReceiptState
from sms.number import SenderId, SenderKind, parse_sender_id
from sms.outcome import Done, Failed, Retry, Unknown
from sms.report import NoticeKind
from store.answers import Rules
from store.receipts import Arrived, forget_orphans
from tests.kit.store_harness import BUSY, LOST, SECOND, WRONG, StoreHarness, empty

NUMBER = "447700900101"


@pytest.fixture(name="world")
def _world(database_url):
    world = StoreHarness(database_url, Rules(resends={"generous": 2}, without_receipts=frozenset({"mute"})))
    yield world
    world.database.close()


def only_message(world, job):
    (message,) = world.report(job.public_id).messages
    return message


def test_an_ended_message_never_reads_as_open_again(world):
    job = world.add(NUMBER, parts=2, receipt_wanted=True)
    first, second = world.take()
    world.settle((first.part_key, Unknown(problem=LOST)), (second.part_key, Done(reference="r2")))
    assert only_message(world, job).state is MessageState.UNKNOWN
    world.receipt("r1", ReceiptState.DELIVERED, NUMBER)
    assert only_message(world, job).state is MessageState.UNKNOWN
    assert [part.state for part in only_message(world, job).parts] == [MessageState.DELIVERED, MessageState.SUBMITTED]
    world.receipt("r2", ReceiptState.DELIVERED)
    assert only_message(world, job).state is MessageState.DELIVERED
    assert [notice.kind for notice in world.notices()] == [NoticeKind.RESULT, NoticeKind.CORRECTION]


def test_what_follows_after_the_end_without_changing_it_is_no_correction(world):
    job = world.add(NUMBER, parts=2, receipt_wanted=True)
    first, second = world.take()
    world.settle((first.part_key, Done(reference="r1")), (second.part_key, Done(reference="r2")))
    world.receipt("r1", ReceiptState.UNDELIVERABLE)
    world.receipt("r2", ReceiptState.DELIVERED)
    world.receipt("r2", ReceiptState.REJECTED)
    assert only_message(world, job).state is MessageState.UNDELIVERED
    assert [notice.kind for notice in world.notices()] == [NoticeKind.RESULT]


def test_an_unasked_receipt_of_delivery_is_recorded_and_corrects_nothing(world):
    job = world.add(NUMBER)
    (part,) = world.take()
    world.settle((part.part_key, Done(reference="r1")))
    world.receipt("r1", ReceiptState.DELIVERED)
    assert only_message(world, job).state is MessageState.DELIVERED
    assert [notice.kind for notice in world.notices()] == [NoticeKind.RESULT]


def test_news_about_an_ended_message_before_its_job_settles_needs_no_correction(world):
    job = world.add(NUMBER, "447700900102", receipt_wanted=True)
    first, second = world.take()
    world.settle((first.part_key, Done(reference="r1")), (second.part_key, Done(reference="r2")))
    world.receipt("r1", ReceiptState.EXPIRED)
    world.receipt("r1", ReceiptState.DELIVERED)
    world.receipt("r2", ReceiptState.DELIVERED)
    assert [message.state for message in world.report(job.public_id).messages] == [MessageState.DELIVERED] * 2
    assert [notice.kind for notice in world.notices()] == [NoticeKind.RESULT]


@pytest.mark.parametrize("last", [Retry(problem=BUSY), Failed(problem=WRONG)], ids=["refused for now", "refused"])
def test_after_a_permanent_refusal_no_other_part_is_tried_again(world, last):
    job = world.add(NUMBER, parts=3)
    first, second = world.take(2)
    world.settle((first.part_key, Failed(problem=WRONG)))
    assert only_message(world, job).state is MessageState.SUBMITTING
    world.settle((second.part_key, last))
    message = only_message(world, job)
    assert (message.state, message.reason) == (MessageState.FAILED, "number-refused")
    assert [part.state for part in message.parts] == [MessageState.FAILED] * 3
    assert [part.error for part in message.parts][2] == "parts-incomplete"
    world.now += 3600 * SECOND // 2
    assert world.take() == []


def test_a_generous_carrier_gets_nothing_again_of_a_message_that_has_failed(world):
    job = world.add(NUMBER, parts=2)
    first, second = world.take(carrier="generous")
    world.settle((first.part_key, Failed(problem=WRONG)), carrier="generous")
    world.settle((second.part_key, Unknown(problem=LOST)), carrier="generous")
    assert only_message(world, job).state is MessageState.FAILED
    assert world.take(carrier="generous") == []


def test_what_was_cancelled_while_a_part_was_out_is_not_tried_again(world):
    job = world.add(NUMBER, parts=2)
    (first,) = world.take(1)
    world.cancel(job.public_id)
    assert only_message(world, job).state is MessageState.SUBMITTING
    world.settle((first.part_key, Retry(problem=BUSY)))
    message = only_message(world, job)
    assert (message.state, message.reason) == (MessageState.CANCELLED, "cancelled")
    assert world.cancel(job.public_id) == 0
    assert len(world.notices()) == 1


def test_parts_that_still_wait_expire_with_the_validity_although_others_wait_for_receipts(world):
    job = world.add(NUMBER, parts=2, receipt_wanted=True)
    (first,) = world.take(1)
    world.settle((first.part_key, Done(reference="r1")))
    world.sweep(timedelta(minutes=61))
    message = only_message(world, job)
    assert message.state is MessageState.EXPIRED
    assert [part.state for part in message.parts] == [MessageState.SUBMITTED, MessageState.EXPIRED]
    assert len(world.notices()) == 1


def test_a_carrier_that_owes_its_answer_past_the_validity_is_waited_for_without_being_looked_at_all_the_time(world):
    job = world.add(NUMBER, receipt_wanted=True)
    (part,) = world.take()
    assert world.sweep(timedelta(hours=3)) == 1
    assert world.sweep() == 0
    assert world.sweep(timedelta(seconds=61)) == 1
    assert only_message(world, job).state is MessageState.SUBMITTING
    world.settle((part.part_key, Done(reference="r1")))
    assert only_message(world, job).state is MessageState.SUBMITTED
    assert world.sweep(timedelta(seconds=61)) == 1
    assert only_message(world, job).reason == "no-receipt"


def test_more_messages_than_one_sweep_takes_all_end(world):
    world.add(*(f"4477009{n:05}" for n in range(1200)))
    assert [world.sweep(timedelta(minutes=61)), world.sweep(), world.sweep()] == [1000, 200, 0]
    assert len(world.notices()) == 1


def test_a_held_message_is_not_taken_until_released_and_its_validity_runs_on(world):
    held, other = world.add(NUMBER), world.add(NUMBER)
    assert world.hold(held.public_id) == 1
    assert [part.message_id for part in world.take()] == [only_message(world, other).public_id]
    assert world.release(held.public_id) == 1
    assert len(world.take()) == 1
    late = world.add(NUMBER)
    world.hold(late.public_id)
    world.sweep(timedelta(minutes=61))
    assert only_message(world, late).state is MessageState.EXPIRED
    assert world.release(late.public_id) == 0


def test_a_receipt_that_came_before_a_lost_answer_settles_its_part_if_only_that_fits(world):
    world.receipt("too-old", ReceiptState.UNDELIVERABLE, NUMBER)
    world.now += SECOND
    job = world.add(NUMBER, receipt_wanted=True)
    world.take()
    world.now += SECOND
    world.receipt("r1", ReceiptState.DELIVERED, NUMBER)
    assert only_message(world, job).state is MessageState.SUBMITTING
    world.recover(owner="next")
    message = only_message(world, job)
    assert (message.state, message.parts[0].carrier_id) == (MessageState.DELIVERED, "r1")
    assert [notice.kind for notice in world.notices()] == [NoticeKind.RESULT]


async def test_two_strange_receipts_for_one_lost_answer_name_it_only_once(world):
    job = world.add(NUMBER)
    (part,) = world.take()
    world.settle((part.part_key, Unknown(problem=LOST)))
    arrived = [
        Arrived(receipt=Receipt(carrier="alpha", carrier_id=f"r{n}", state=state, number=NUMBER), at=world.now)
        for n, state in enumerate((ReceiptState.ENROUTE, ReceiptState.DELIVERED))
    ]
    await asyncio.gather(*(world.database.write(world.progress.report, item) for item in arrived))
    message = only_message(world, job)
    assert (message.state, message.parts[0].carrier_id) == (MessageState.UNKNOWN, "r0")
    world.receipt("r0", ReceiptState.DELIVERED)
    assert only_message(world, job).state is MessageState.DELIVERED


def test_what_a_carrier_repeats_without_end_is_written_down_a_few_times_only(world):
    job = world.add(NUMBER, receipt_wanted=True)
    (part,) = world.take()
    world.settle((part.part_key, Done(reference="r1")))
    for _ in range(10):
        world.receipt("r1", ReceiptState.ENROUTE)
    world.receipt("r1", ReceiptState.DELIVERED)
    arrived = [
        Arrived(
            receipt=Receipt(carrier="alpha", carrier_id="r1", state=state, number=NUMBER, error=error), at=world.now
        )
        for state, error in [(ReceiptState.DELIVERED, "")] * 10 + [(ReceiptState.ACCEPTED, f"{n}") for n in range(200)]
    ]
    world.database.write_now(lambda tx, _: [world.progress.report(tx, arrived)], None)
    world.receipt("r1", ReceiptState.DELIVERED)
    kept = Counter(receipt.state for receipt in world.receipts() if receipt.part_key is not None)
    assert (kept["enroute"], kept["delivered"], kept["accepted"]) == (3, 3, 94)
    assert only_message(world, job).state is MessageState.DELIVERED


def test_news_that_moves_a_part_is_written_down_however_many_others_are(world):
    job = world.add(NUMBER, receipt_wanted=True)
    (part,) = world.take()
    world.settle((part.part_key, Done(reference="r1")))
    for n in range(101):
        world.receipt("r1", ReceiptState.ENROUTE, error=f"{n}")
    world.receipt("r1", ReceiptState.UNDELIVERABLE)
    world.receipt("r1", ReceiptState.DELIVERED)
    kept = Counter(receipt.state for receipt in world.receipts())
    assert (kept["enroute"], kept["undeliverable"], kept["delivered"]) == (100, 1, 1)
    assert only_message(world, job).state is MessageState.DELIVERED


def test_a_part_keeps_the_label_of_the_carrier_that_was_last_offered_it(world):
    job = world.add(NUMBER, parts=2)
    assert [part.cost_label for part in only_message(world, job).parts] == ["", ""]
    first, second = world.take(cost_label="domestic")
    world.settle((first.part_key, Retry(problem=BUSY)), (second.part_key, Retry(problem=BUSY)))
    world.now += 3600 * SECOND // 2
    (again,) = world.take(1, "beta", cost_label="premium")
    world.settle((again.part_key, Done(reference="r1")), carrier="beta")
    world.receipt("r1", ReceiptState.DELIVERED, carrier="beta")
    parts = only_message(world, job).parts
    assert [(part.carrier, part.cost_label) for part in parts] == [("beta", "premium"), ("alpha", "domestic")]


def snapshot(world):
    """Return all that decides: everything of jobs, messages and notices, and of parts what is no name."""
    return [
        [(job.key, job.open_messages, job.settled_at, job.corrected) for job in world.jobs()],
        [(m.key, m.state, m.reason, m.problem, m.ended, m.from_network, m.due_at) for m in world.messages()],
        [(part.key, part.state, part.error, part.reported_at) for part in world.parts()],
        [(notice.key, notice.kind) for notice in world.outbox_rows()],
    ]


def in_every_state(world):
    """Store messages whose parts are in all the states that there are, and return their carrier's ids for them."""
    names = [f"r{n}" for n in range(7)]
    world.add(*(f"4477009001{n:02}" for n in range(11)), receipt_wanted=True)
    taken = world.take(10)
    world.settle(*((part.part_key, Done(reference=name)) for part, name in zip(taken, names, strict=False)))
    ends = (
        *(ReceiptState.DELIVERED, ReceiptState.UNDELIVERABLE, ReceiptState.EXPIRED, ReceiptState.REJECTED),
        ReceiptState.UNKNOWN,
    )
    for name, state in zip(names, ends, strict=False):
        world.receipt(name, state)
    world.settle((taken[7].part_key, Failed(problem=WRONG)), (taken[8].part_key, Unknown(problem=LOST)))
    return names


STRANGE = ("r7", "", "stray")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 11), st.sampled_from(sorted(INTERMEDIATE))), max_size=8))
def test_no_news_on_the_way_changes_a_state_or_settles_anything(world, news):
    world.database.write_now(empty, None)
    names = [*in_every_state(world), *STRANGE]
    before = snapshot(world)
    world.now += SECOND
    begin = world.now
    for name, number, state in news:
        world.receipt(names[name], state, f"4477009001{number:02}" if number < 11 else "")
        world.now += SECOND
    assert snapshot(world) == before
    arrived = Counter((names[name], state.value) for name, _, state in news)
    kept = Counter((receipt.carrier_id, receipt.state) for receipt in world.receipts() if receipt.received_at >= begin)
    assert kept == {news: count if news[0] in STRANGE else min(count, 3) for news, count in arrived.items()}


def test_news_on_the_way_that_came_before_the_answer_belong_to_its_part_afterwards(world):
    job = world.add(NUMBER, receipt_wanted=True)
    (part,) = world.take()
    world.receipt("r1", ReceiptState.ENROUTE)
    assert [receipt.part_key for receipt in world.receipts()] == [None]
    world.settle((part.part_key, Done(reference="r1")))
    assert [receipt.part_key for receipt in world.receipts()] == [part.part_key]
    assert only_message(world, job).state is MessageState.SUBMITTED
    assert world.notices() == []


def test_news_on_the_way_that_fit_nothing_are_forgotten_like_other_orphans(world):
    world.receipt("stray", ReceiptState.ENROUTE, NUMBER)
    for later, forgotten in ((47, 0), (2, 1)):
        world.now += later * 3600 * SECOND
        assert world.database.write_now(forget_orphans, world.now) == forgotten


@pytest.mark.parametrize("text", ["+4477009", "+447700900123", "12345", "81234567", "Example Ltd"])
def test_a_sender_id_comes_to_the_carrier_as_the_kind_that_it_was(world, text):
    sender = parse_sender_id(text)
    world.add(NUMBER, sender=sender)
    (part,) = world.take()
    assert part.sender == sender


def test_a_short_number_as_sender_is_not_a_short_code(world):
    sender = SenderId(value="4477009", kind=SenderKind.NUMERIC)
    job = world.add(NUMBER, sender=sender)
    (part,) = world.take()
    assert part.sender == sender
    assert only_message(world, job).sender_id == "+4477009"
