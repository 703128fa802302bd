"""What odd, late and missing answers of a carrier come to: never sent without end, never told better than it is."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sms.lifecycle import MessageState
from sms.message import ReceiptState
from sms.outcome import Done, Failed, Problem, ProblemCode, Retry, Unknown
from sms.report import NoticeKind
from store.answers import Rules
from tests.kit.store_harness import BUSY, LOST, SECOND, WRONG, StoreHarness, empty

NUMBER = "447700900101"
RESENDS = {"generous": 2, "patient": 5}
THROTTLED = Problem(code=ProblemCode.THROTTLED, text="The carrier takes no more SMS at the moment.")


@pytest.fixture(name="world")
def _world(database_url):
    world = StoreHarness(database_url, Rules(resends=RESENDS, whole_receipts=frozenset({"whole"})))
    yield world
    world.database.close()


def only_message(world, job):
    (message,) = world.report(job.public_id).messages
    return message


def kinds(world):
    return [notice.kind for notice in world.notices()]


def submissions(world, answers, carrier):
    """Give a carrier one part until nothing is due any more, answered so in turn; returns when each went out."""
    (taken,) = world.take(carrier=carrier)
    times, started = [], world.now
    for answer in answers:
        times.append((world.now - started) / SECOND)
        if answer == "crash":
            world.owner += "-again"
            world.recover(owner=world.owner)
        else:
            world.settle((taken.part_key, answer), carrier=carrier)
        for _ in range(60):
            if world.take(carrier=carrier):
                break
            world.now += 60 * SECOND
        else:
            break
    return times


LOSSES = st.sampled_from([Unknown(problem=LOST), "crash"])
ANSWERS = st.one_of(
    LOSSES, st.sampled_from([Retry(problem=BUSY), Retry(problem=THROTTLED), Done(), Done(reference="r1")]), LOSSES
)


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ANSWERS, min_size=15, max_size=15), st.sampled_from(["alpha", *RESENDS]))
def test_whatever_a_carrier_answers_a_part_that_it_may_have_goes_out_so_often_again_and_no_more(
    world, answers, carrier
):
    world.database.write_now(empty, None)
    job = world.add(NUMBER)
    times = submissions(world, answers, carrier)
    given_answers = answers[: len(times)]
    perhaps_taken = [answer for answer in given_answers if not isinstance(answer, Retry)]
    assert len(perhaps_taken) <= 1 + RESENDS.get(carrier, 0)
    assert not any(isinstance(answer, Done) for answer in given_answers[:-1])
    if not isinstance(given_answers[-1], Retry):
        assert only_message(world, job).state is (
            MessageState.SUBMITTED if isinstance(given_answers[-1], Done) else MessageState.UNKNOWN
        )
        assert kinds(world) == [NoticeKind.RESULT]


def test_a_lost_answer_is_followed_by_longer_and_longer_waits_and_then_by_an_end_that_the_sender_hears(world):
    job = world.add(NUMBER)
    waits = []
    for _ in range(6):
        (part,) = world.take(carrier="patient")
        world.settle((part.part_key, Unknown(problem=LOST)), carrier="patient")
        message = only_message(world, job)
        if message.state is MessageState.QUEUED:
            waits.append((message.due_at - message.updated_at).total_seconds())
            assert message.problem == f"The link was lost. It is sent again ({len(waits)} of 5)."
            world.now += int(waits[-1] + 1) * SECOND
    assert [wait // 1 for wait in waits] == sorted({wait // 1 for wait in waits})
    assert (message.state, message.reason, message.parts[0].resends) == (MessageState.UNKNOWN, "link-lost", 5)
    assert message.problem == "The link was lost. It was sent 6 times."
    assert world.take(carrier="patient") == []
    assert kinds(world) == [NoticeKind.RESULT]


@pytest.mark.parametrize("end", ["expired", "cancelled"])
def test_a_part_that_waits_to_be_sent_again_never_ends_as_if_no_carrier_could_have_it(world, end):
    job = world.add(NUMBER)
    (part,) = world.take(carrier="generous")
    world.settle((part.part_key, Unknown(problem=LOST)), carrier="generous")
    if end == "expired":
        world.sweep(timedelta(hours=2))
    else:
        world.cancel(job.public_id)
    message = only_message(world, job)
    assert (message.state, message.reason) == (MessageState.UNKNOWN, "no-answer")


def test_a_late_answer_tells_the_id_that_its_receipt_names(world):
    job = world.add(NUMBER, NUMBER, receipt_wanted=True)
    parts = world.take()
    world.settle(*((part.part_key, Unknown(problem=LOST)) for part in parts))
    world.now += SECOND
    world.receipt("r0", ReceiptState.DELIVERED, NUMBER)  # before its answer, and with two that it may be for
    world.settle(*((part.part_key, Done(reference=f"r{n}")) for n, part in enumerate(parts)))
    first, second = world.report(job.public_id).messages
    assert (first.state, second.state, second.parts[0].state) == (
        MessageState.DELIVERED,
        MessageState.UNKNOWN,
        MessageState.SUBMITTED,
    )
    world.receipt("r1", ReceiptState.DELIVERED, NUMBER)
    assert [message.state for message in world.report(job.public_id).messages] == [MessageState.DELIVERED] * 2
    assert kinds(world) == [NoticeKind.RESULT, NoticeKind.CORRECTION]


def test_a_late_answer_that_accepts_is_the_last_word_where_no_receipt_was_asked_for(world):
    job = world.add(NUMBER)
    (part,) = world.take()
    world.settle((part.part_key, Unknown(problem=LOST)))
    world.settle((part.part_key, Done(reference="r1")))
    message = only_message(world, job)
    assert (message.state, message.reason, message.parts[0].error) == (MessageState.SUBMITTED, "", "")
    assert kinds(world) == [NoticeKind.RESULT, NoticeKind.CORRECTION]


def test_a_late_refusal_says_that_the_carrier_has_nothing(world):
    job = world.add(NUMBER)
    (part,) = world.take()
    world.settle((part.part_key, Unknown(problem=LOST)))
    world.settle((part.part_key, Failed(problem=WRONG)))
    assert (only_message(world, job).state, only_message(world, job).reason) == (MessageState.FAILED, "number-refused")


def test_a_late_answer_or_a_receipt_spares_a_part_that_waits_to_be_sent_again(world):
    job = world.add(NUMBER, "447700900102", receipt_wanted=True)
    first, second = world.take(carrier="generous")
    world.settle(*((part.part_key, Unknown(problem=LOST)) for part in (first, second)), carrier="generous")
    world.now += SECOND
    world.settle((first.part_key, Done(reference="r1")), carrier="generous")
    world.receipt("r2", ReceiptState.DELIVERED, "447700900102", carrier="generous")
    world.now += 3600 * SECOND // 2
    assert world.take(carrier="generous") == []
    assert [message.state for message in world.report(job.public_id).messages] == [
        MessageState.SUBMITTED,
        MessageState.DELIVERED,
    ]
    assert [message.parts[0].carrier_id for message in world.report(job.public_id).messages] == ["r1", "r2"]


@pytest.mark.parametrize("early", [False, True], ids=["after the answer", "before it"])
def test_a_receipt_belongs_to_the_only_part_to_its_number_whose_answer_had_no_id(world, early):
    job = world.add(NUMBER, receipt_wanted=True)
    (part,) = world.take()
    world.now += SECOND
    if early:
        world.receipt("r1", ReceiptState.DELIVERED, NUMBER)
    world.settle((part.part_key, Done()))
    if not early:
        assert only_message(world, job).parts[0].billed
        world.receipt("r1", ReceiptState.ENROUTE, NUMBER)
        world.receipt("other", ReceiptState.UNDELIVERABLE, NUMBER)
        world.receipt("r1", ReceiptState.DELIVERED, NUMBER)
    message = only_message(world, job)
    assert (message.state, message.parts[0].carrier_id) == (MessageState.DELIVERED, "r1")


def test_a_receipt_that_two_parts_without_id_fit_is_for_neither(world):
    job = world.add(NUMBER, NUMBER, receipt_wanted=True)
    world.settle(*((part.part_key, Done()) for part in world.take()))
    world.receipt("r1", ReceiptState.DELIVERED, NUMBER)
    assert [message.state for message in world.report(job.public_id).messages] == [MessageState.SUBMITTED] * 2


@pytest.mark.parametrize("first", [0, 1], ids=["of the first part", "of the last"])
def test_one_receipt_stands_for_the_whole_text_where_the_carrier_gives_one(world, first):
    job = world.add(NUMBER, parts=2, receipt_wanted=True)
    parts = world.take(carrier="whole")
    world.settle((parts[first].part_key, Done(reference="r1")), carrier="whole")
    world.receipt("r1", ReceiptState.DELIVERED, NUMBER, carrier="whole")
    world.settle((parts[1 - first].part_key, Done(reference="r2")), carrier="whole")
    message = only_message(world, job)
    assert message.state is MessageState.DELIVERED
    assert [part.state for part in message.parts] == [MessageState.DELIVERED] * 2


def test_one_receipt_of_a_failure_stands_for_the_whole_text_too(world):
    job = world.add(NUMBER, parts=3, receipt_wanted=True)
    parts = world.take(carrier="whole")
    world.settle(*((part.part_key, Done(reference=f"r{n}")) for n, part in enumerate(parts)), carrier="whole")
    world.receipt("r0", ReceiptState.ACCEPTED, NUMBER, carrier="whole")
    assert only_message(world, job).state is MessageState.SUBMITTED
    world.receipt("r0", ReceiptState.UNDELIVERABLE, NUMBER, carrier="whole", error="021")
    message = only_message(world, job)
    assert (message.state, {part.error for part in message.parts}) == (MessageState.UNDELIVERED, {"021"})


@pytest.mark.parametrize("news", [ReceiptState.ACCEPTED, ReceiptState.ENROUTE, ReceiptState.OTHER])
def test_news_on_the_way_is_told_as_nothing_and_a_later_failure_stands(world, news):
    job = world.add(NUMBER, receipt_wanted=True)
    (part,) = world.take()
    world.settle((part.part_key, Done(reference="r1")))
    world.receipt("r1", news, NUMBER)
    assert (only_message(world, job).state, kinds(world)) == (MessageState.SUBMITTED, [])
    world.receipt("r1", ReceiptState.UNDELIVERABLE, NUMBER)
    assert (only_message(world, job).state, kinds(world)) == (MessageState.UNDELIVERED, [NoticeKind.RESULT])


def test_throttling_does_not_climb_the_ladder_of_faults(world):
    job = world.add(NUMBER, parts=2)

    def refused(problem):
        parts = world.take()
        world.settle(*((part.part_key, Retry(problem=problem)) for part in parts))
        message = only_message(world, job)
        wait = (message.due_at - message.updated_at).total_seconds()
        world.now += int(wait + 1) * SECOND
        return wait

    throttled = [refused(THROTTLED) for _ in range(4)]
    assert throttled == sorted(throttled)
    assert throttled[-1] < 7
    faults = [refused(BUSY) for _ in range(3)]
    assert [5 <= faults[0] < 7, 15 <= faults[1] < 19, 60 <= faults[2] < 76] == [True] * 3
    assert refused(THROTTLED) < 11
