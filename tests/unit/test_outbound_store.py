"""What the store makes of jobs, answers, receipts and time, on a real database."""

import random
from collections.abc import Callable
from datetime import timedelta

import pytest

from sms.job import NewMessage
from sms.lifecycle import MessageState
from sms.message import Alphabet, EncodedText, MailOrigin, Priority, ReceiptState
from sms.number import MobileNumber
from sms.outcome import Done, Failed, Retry, Unknown
from sms.report import NoticeKind
from sms.settings import StatusReport
from store.answers import CarrierAnswer, Rules
from store.views import load_trace
from tests.kit.store_harness import BUSY, LOST, SECOND, WRONG, StoreHarness


@pytest.fixture(name="world")
def _world(database_url):
    world = StoreHarness(database_url, Rules(resends={"generous": 2}))
    yield world
    world.database.close()


def test_a_job_goes_out_once_and_its_result_is_noted_when_all_its_messages_are_accepted(world):
    added = world.add("447700900101", "447700900102")
    parts = world.take()
    assert [part.number.digits for part in parts] == ["447700900101", "447700900102"]
    assert world.take() == []
    world.settle((parts[0].part_key, Done(reference="a1")))
    assert world.notices() == []
    (second,) = world.settle((parts[1].part_key, Done(reference="a2")))
    assert second.settled_job == added.public_id
    (notice,) = world.notices()
    assert (notice.kind, notice.recipient) == (NoticeKind.RESULT, "anna@example.com")
    assert [m.state for m in world.report(added.public_id).messages] == [MessageState.SUBMITTED] * 2


def test_a_refused_recipient_is_stored_with_its_reason_and_holds_nothing_up(world):
    job = world.add("447700900101")
    refused = NewMessage(
        given="x@sms.example.net",
        number=None,
        encoded=None,
        reason="number-malformed",
        problem="no digits",
    )
    added = world.add("447700900109", messages=(*_messages_of(world, "447700900109"), refused))
    for part in world.take():
        world.settle((part.part_key, Done(reference=str(part.part_key))))
    messages = world.report(added.public_id).messages
    assert [(m.state, m.reason, m.number) for m in messages] == [
        (MessageState.SUBMITTED, "", "+447700900109"),
        (MessageState.REJECTED, "number-malformed", ""),
    ]
    assert len(world.notices()) == 2
    assert world.report(job.public_id).settled_at is not None


def _messages_of(world, number):
    encoded = EncodedText(text="Hi", alphabet=Alphabet.GSM7, lengths=(2,))
    return (
        NewMessage(
            given=f"{number}@sms.example.net",
            number=MobileNumber(digits=number),
            encoded=encoded,
            route="alpha",
        ),
    )


def test_express_overtakes_what_was_queued_before(world):
    world.add("447700900101")
    world.add("447700900102", priority=Priority.EXPRESS)
    assert [part.number.digits for part in world.take(1)] == ["447700900102"]


def test_a_message_with_more_parts_than_the_window_goes_out_in_portions_on_the_same_carrier(world):
    added = world.add("447700900101", parts=3)
    first = world.take(2)
    assert [part.index for part in first] == [1, 2]
    assert world.take(2) == []
    world.settle(*((part.part_key, Done(reference=f"r{part.index}")) for part in first))
    assert world.report(added.public_id).messages[0].state is MessageState.QUEUED
    (last,) = world.take(2)
    assert (last.index, last.reference) == (3, first[0].reference)
    world.settle((last.part_key, Done(reference="r3")))
    assert world.report(added.public_id).messages[0].state is MessageState.SUBMITTED


def test_a_part_refused_for_now_is_tried_again_later_and_only_that_part(world):
    added = world.add("447700900101", parts=2)
    first, second = world.take()
    world.settle((first.part_key, Done(reference="r1")), (second.part_key, Retry(problem=BUSY)))
    assert world.take() == []
    world.now += 10 * 1_000_000
    (again,) = world.take()
    assert again.part_key == second.part_key
    world.settle((again.part_key, Done(reference="r2")))
    assert world.report(added.public_id).messages[0].state is MessageState.SUBMITTED


def test_a_permanent_refusal_stops_the_parts_not_yet_sent_and_names_what_was_accepted(world):
    added = world.add("447700900101", parts=3)
    first, second = world.take(2)
    world.settle((first.part_key, Done(reference="r1")), (second.part_key, Failed(problem=WRONG)))
    (message,) = world.report(added.public_id).messages
    assert message.state is MessageState.FAILED
    assert (message.reason, message.problem) == ("number-refused", WRONG.text)
    assert [(part.state, part.billed) for part in message.parts] == [
        (MessageState.SUBMITTED, True),
        (MessageState.FAILED, False),
        (MessageState.FAILED, False),
    ]
    assert world.take() == []


def test_a_lost_answer_is_unknown_named_and_never_sent_again(world):
    added = world.add("447700900101")
    (part,) = world.take()
    world.settle((part.part_key, Unknown(problem=LOST)))
    (message,) = world.report(added.public_id).messages
    assert (message.state, message.reason) == (MessageState.UNKNOWN, "link-lost")
    world.now += 60 * 1_000_000
    assert world.take() == []
    assert len(world.notices()) == 1


def test_a_generous_carrier_gets_what_it_did_not_answer_once_more(world):
    world.add("447700900101")
    (part,) = world.take(carrier="generous")
    answer = CarrierAnswer(part_key=part.part_key, carrier="generous", outcome=Unknown(problem=LOST), at=world.now)
    world.database.write_now(world.progress.settle, answer)
    assert world.take(carrier="generous") == []
    world.now += 10 * SECOND
    assert [again.part_key for again in world.take(carrier="generous")] == [part.part_key]


def test_an_answer_to_a_part_that_is_not_under_way_changes_nothing(world):
    added = world.add("447700900101")
    (part,) = world.take()
    world.settle((part.part_key, Done(reference="r1")))
    world.settle((part.part_key, Failed(problem=WRONG)))
    assert world.report(added.public_id).messages[0].state is MessageState.SUBMITTED
    assert len(world.notices()) == 1


def test_a_receipt_settles_what_waited_for_it_and_a_second_one_changes_nothing(world):
    added = world.add("447700900101", receipt_wanted=True)
    (part,) = world.take()
    world.settle((part.part_key, Done(reference="r1")))
    assert world.report(added.public_id).settled_at is None
    assert world.receipt("r1", ReceiptState.ENROUTE).settled_job == ""
    assert world.receipt("r1", ReceiptState.DELIVERED).settled_job == added.public_id
    assert world.receipt("r1", ReceiptState.DELIVERED).notices == 0
    (message,) = world.report(added.public_id).messages
    assert (message.state, message.from_network) == (MessageState.DELIVERED, True)
    assert len(world.notices()) == 1


def test_a_receipt_before_its_answer_waits_and_is_applied_with_the_answer(world):
    added = world.add("447700900101", receipt_wanted=True)
    (part,) = world.take()
    assert world.receipt("r1", ReceiptState.DELIVERED).message_id == ""
    world.settle((part.part_key, Done(reference="r1")))
    assert world.report(added.public_id).messages[0].state is MessageState.DELIVERED
    assert len(world.notices()) == 1


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, MessageState.DELIVERED), (2, MessageState.UNKNOWN)],
    ids=["one candidate", "two candidates"],
)
def test_a_receipt_of_unknown_id_settles_an_unknown_part_only_if_exactly_one_fits(world, count, expected):
    jobs = [world.add("447700900101") for _ in range(count)]
    for part in world.take():
        world.settle((part.part_key, Unknown(problem=LOST)))
    world.receipt("never-told", ReceiptState.DELIVERED, number="447700900101")
    assert {world.report(job.public_id).messages[0].state for job in jobs} == {expected}


def test_a_late_delivery_overrides_what_was_reported_and_writes_one_correction(world):
    added = world.add("447700900101", receipt_wanted=True)
    (part,) = world.take()
    world.settle((part.part_key, Done(reference="r1")))
    world.receipt("r1", ReceiptState.EXPIRED)
    world.receipt("r1", ReceiptState.DELIVERED)
    world.receipt("r1", ReceiptState.UNDELIVERABLE)
    assert world.report(added.public_id).messages[0].state is MessageState.DELIVERED
    assert [notice.kind for notice in world.notices()] == [NoticeKind.RESULT, NoticeKind.CORRECTION]


def test_what_nobody_took_in_time_expires_and_what_got_no_receipt_becomes_unknown(world):
    waiting = world.add("447700900101")
    sent = world.add("447700900102", receipt_wanted=True, priority=Priority.EXPRESS)
    (part,) = world.take(1)
    world.settle((part.part_key, Done(reference="r1")))
    assert world.sweep(timedelta(minutes=61)) == 2
    assert world.report(waiting.public_id).messages[0].state is MessageState.EXPIRED
    assert world.report(sent.public_id).settled_at is None
    world.sweep(timedelta(minutes=60))
    (message,) = world.report(sent.public_id).messages
    assert (message.state, message.reason) == (MessageState.UNKNOWN, "no-receipt")


def test_what_was_being_submitted_at_a_crash_is_settled_by_the_next_process_as_lost(world):
    added = world.add("447700900101", "447700900102")
    world.take()
    assert world.recover(owner="next").parts == 2
    assert world.recover(owner="next").parts == 0
    messages = world.report(added.public_id).messages
    assert [(message.state, message.reason) for message in messages] == [(MessageState.UNKNOWN, "restarted")] * 2
    assert len(world.notices()) == 1


def test_a_repeated_submission_is_answered_with_the_first_job_and_only_new_recipients_go_out(world):
    first = world.add("447700900101", digest=b"mail-1:")
    again = world.add("447700900101", digest=b"mail-1:")
    assert (again.repeated, again.public_id) == (True, first.public_id)
    more = world.add("447700900101", "447700900102", digest=b"mail-1:")
    assert not more.repeated
    assert [message.number for message in world.report(more.public_id).messages] == ["+447700900102"]


def test_a_job_resolved_with_an_old_directory_is_not_stored(world):
    added = world.add("447700900101", directory_version=7)
    assert added.stale
    assert world.take() == []


@pytest.mark.parametrize("rule", [StatusReport.NEVER, StatusReport.ON_FAILURE])
def test_a_success_is_told_only_where_it_is_wanted(world, rule):
    world.add("447700900101", report=rule)
    for part in world.take():
        world.settle((part.part_key, Done(reference="r")))
    assert world.notices() == []


def test_a_failure_is_told_to_those_who_want_failures(world):
    world.add("447700900101", "447700900102", report=StatusReport.ON_FAILURE)
    first, second = world.take()
    world.settle((first.part_key, Done(reference="r")), (second.part_key, Failed(problem=WRONG)))
    assert len(world.notices()) == 1


def test_a_told_job_forgets_the_mails_body_and_its_trace_shows_the_attempt(world):
    mail = MailOrigin(reverse_path="anna@example.com", body=b"Hello", ret="FULL")
    added = world.add("447700900101", mail=mail)
    (part,) = world.take()
    world.settle((part.part_key, Done(reference="r1")))
    (notice,) = world.notices()
    assert world.report(added.public_id).mail.body == b"Hello"
    world.end_notice(notice, host="mx.example.com", reply="250 ok")
    trace = world.database.read_now(lambda tx: load_trace(tx, notice.job_key))
    assert trace.report.mail.body is None
    assert [(n.state, [a.host for a in n.attempts]) for n in trace.notices] == [("sent", ["mx.example.com"])]


def test_a_notice_whose_sending_was_interrupted_is_queued_again(world):
    world.add("447700900101")
    (part,) = world.take()
    world.settle((part.part_key, Done(reference="r1")))
    assert len(world.notices()) == 1
    assert world.notices() == []
    assert world.database.write_now(world.outbox.recover, world.owner) == 1
    assert [notice.attempt for notice in world.notices()] == [2]


def test_whatever_order_answers_and_receipts_come_in_each_job_settles_exactly_once(world):
    chance = random.Random(7)
    jobs = [
        world.add(*(f"4477009001{n:02}" for n in range(3)), receipt_wanted=True, parts=chance.choice([1, 2]))
        for _ in range(20)
    ]
    news: list[Callable] = []
    for part in world.take(1000):
        carrier_id = f"c{part.part_key}"
        news.append(lambda key=part.part_key, cid=carrier_id: world.settle((key, Done(reference=cid))))
        state = chance.choice([ReceiptState.DELIVERED, ReceiptState.UNDELIVERABLE, ReceiptState.EXPIRED])
        news.append(lambda cid=carrier_id, s=state: world.receipt(cid, s))
        news.append(lambda cid=carrier_id, s=state: world.receipt(cid, s))
    chance.shuffle(news)
    for one in news:
        one()
    for job in jobs:
        report = world.report(job.public_id)
        assert report.settled_at is not None
        assert report.summary.open == 0
    results = [notice for notice in world.notices() if notice.kind == NoticeKind.RESULT]
    assert len(results) == len(jobs)
