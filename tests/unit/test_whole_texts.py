"""A carrier that splits texts itself gets a long one in one submit, whose answer and receipt are those of all its parts."""

from datetime import timedelta

import pytest

from sms.lifecycle import MessageState
from sms.message import ReceiptState
from sms.outcome import Done, Failed, Retry, Unknown
from store.answers import Rules
from store.results import CarrierCancelled
from tests.kit.store_harness import BUSY, LOST, WRONG, StoreHarness

NUMBER = "447700900101"
WHOLE = frozenset({"alpha"})


@pytest.fixture(name="world")
def _world(database_url):
    world = StoreHarness(database_url, Rules(resends={"alpha": 1}, whole_texts=WHOLE, whole_receipts=WHOLE))
    yield world
    world.database.close()


def take_whole(world, **more):
    (part,) = world.take(whole_texts=True, **more)
    return part


def states(world, job):
    (message,) = world.report(job.public_id).messages
    return message.state, [part.state for part in message.parts]


def test_a_text_of_three_parts_is_given_as_one_without_header_even_where_there_is_room_for_one(world):
    job = world.add(NUMBER, parts=3)
    part = take_whole(world, most=1)
    assert (part.is_whole, part.udh, part.payload, part.total) == (True, b"", b"Hello" * 3, 3)
    assert states(world, job) == (MessageState.SUBMITTING, [MessageState.SUBMITTING] * 3)
    assert world.take(whole_texts=True) == []


def test_one_answer_and_one_receipt_are_for_all_parts_each_of_which_is_billed(world):
    job = world.add(NUMBER, parts=3, receipt_wanted=True)
    world.settle((take_whole(world).part_key, Done(reference="r1")))
    assert states(world, job) == (MessageState.SUBMITTED, [MessageState.SUBMITTED] * 3)
    world.receipt("r1", ReceiptState.DELIVERED, NUMBER)
    assert states(world, job) == (MessageState.DELIVERED, [MessageState.DELIVERED] * 3)
    (message,) = world.report(job.public_id).messages
    assert [part.billed for part in message.parts] == [True] * 3


@pytest.mark.parametrize(
    ("outcome", "state"), [(Failed(problem=WRONG), MessageState.FAILED), (Retry(problem=BUSY), MessageState.QUEUED)]
)
def test_a_refusal_is_for_all_parts_of_a_whole_text(world, outcome, state):
    job = world.add(NUMBER, parts=3)
    world.settle((take_whole(world).part_key, outcome))
    assert states(world, job) == (state, [state] * 3)


def test_a_whole_text_whose_answer_was_lost_is_sent_again_whole_and_then_no_more(world):
    job = world.add(NUMBER, parts=3)
    world.settle((take_whole(world).part_key, Unknown(problem=LOST)))
    assert states(world, job) == (MessageState.QUEUED, [MessageState.QUEUED] * 3)
    world.sweep(timedelta(minutes=1))
    again = take_whole(world)
    assert again.payload == b"Hello" * 3
    world.settle((again.part_key, Unknown(problem=LOST)))
    assert states(world, job) == (MessageState.UNKNOWN, [MessageState.UNKNOWN] * 3)


def test_a_late_answer_and_a_receipt_without_answer_are_for_all_parts(world):
    late, unanswered = world.add(NUMBER, parts=2), world.add("447700900102", parts=2)
    for _ in range(2):
        taken = {part.number.digits: part.part_key for part in world.take(whole_texts=True)}
        world.settle(*((key, Unknown(problem=LOST)) for key in taken.values()))
        world.sweep(timedelta(minutes=1))
    assert states(world, late) == states(world, unanswered) == (MessageState.UNKNOWN, [MessageState.UNKNOWN] * 2)
    world.settle((taken[NUMBER], Done(reference="r1")))
    assert states(world, late) == (MessageState.SUBMITTED, [MessageState.SUBMITTED] * 2)
    world.receipt("r1", ReceiptState.DELIVERED, NUMBER)
    world.receipt("r2", ReceiptState.DELIVERED, "447700900102")
    assert states(world, late) == states(world, unanswered) == (MessageState.DELIVERED, [MessageState.DELIVERED] * 2)


def test_a_process_that_died_leaves_a_whole_text_to_be_sent_again_whole(world):
    job = world.add(NUMBER, parts=2)
    world.owner = "dead"
    take_whole(world)
    world.owner = "living"
    world.recover("living")
    assert states(world, job) == (MessageState.QUEUED, [MessageState.QUEUED] * 2)
    world.sweep(timedelta(minutes=1))
    assert take_whole(world).payload == b"Hello" * 2


def test_a_text_that_a_carrier_takes_whole_goes_to_another_in_parts(world):
    world.add(NUMBER, parts=2)
    world.settle((take_whole(world).part_key, Retry(problem=BUSY)))
    world.sweep(timedelta(minutes=10))
    parts = world.take(carrier="beta")
    assert [(part.is_whole, part.udh[-2:], part.payload) for part in parts] == [
        (False, b"\x02\x01", b"Hello"),
        (False, b"\x02\x02", b"Hello"),
    ]


def test_what_is_left_of_a_text_that_was_sent_in_parts_keeps_its_headers(world):
    job = world.add(NUMBER, parts=3)
    (part,) = world.take(most=1)
    world.settle((part.part_key, Done(reference="r1")))
    rest = world.take(whole_texts=True)
    assert [(left.is_whole, left.udh[-2:]) for left in rest] == [(False, b"\x03\x02"), (False, b"\x03\x03")]
    world.settle((rest[0].part_key, Done(reference="r2")))
    assert states(world, job)[1] == [MessageState.SUBMITTED, MessageState.SUBMITTED, MessageState.SUBMITTING]


def test_what_its_carrier_cancels_is_cancelled_with_all_parts_at_once(world):
    job = world.add(NUMBER, parts=3, receipt_wanted=True)
    part = take_whole(world)
    world.settle((part.part_key, Done(reference="r1")))
    world.database.write_now(world.progress.carrier_cancelled, CarrierCancelled(part_key=part.part_key, at=world.now))
    assert states(world, job) == (MessageState.CANCELLED, [MessageState.CANCELLED] * 3)
