"""Blackouts when parts are taken, detection of duplicates, and dry runs, in the transactions of the store."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from sms.lifecycle import MessageState
from sms.outcome import Done, Refusal, Retry
from sms.report import Channel, NoticeKind
from sms.schedule import Blackout
from sms.settings import StatusReport
from store.answers import Rules
from store.engine.keys import to_instant, to_stored
from tests.kit.clock import START
from tests.kit.store_harness import BUSY, SECOND, StoreHarness

HOUR = timedelta(hours=1)


@pytest.fixture
def world(database_url):
    world = StoreHarness(database_url, Rules())
    yield world
    world.database.close()


def night(begin: timedelta, end: timedelta) -> tuple[Blackout, ...]:
    return (Blackout(start_at=START + begin, end_at=START + end),)


def dues(world: StoreHarness) -> list:
    return [to_instant(message.due_at) - START for message in world.messages()]


def test_what_is_due_in_its_blackout_is_put_off_to_its_end_and_lets_others_pass(world):
    many = [f"44770090{n:04}" for n in range(30)]
    world.add(*many, blackouts=night(-HOUR, HOUR), expires_at=world.now + 9 * 3600 * SECOND)
    world.add("447700900900")
    assert [part.number.digits for part in world.take(5)] == ["447700900900"]
    assert set(dues(world)[:30]) == {HOUR}
    world.now += 3600 * SECOND
    assert len(world.take(40)) == 30


def test_a_retry_that_falls_into_the_blackout_waits_for_its_end(world):
    world.add("447700900101", blackouts=night(timedelta(seconds=2), HOUR), expires_at=world.now + 9 * 3600 * SECOND)
    (part,) = world.take()
    world.settle((part.part_key, Retry(problem=BUSY)))
    world.now += 60 * SECOND
    assert world.take() == []
    assert dues(world) == [HOUR]
    world.now = to_stored(START + HOUR)
    assert len(world.take()) == 1


def test_a_message_that_starts_later_is_not_taken_before(world):
    world.add("447700900101", due_at=world.now + 60 * SECOND)
    assert world.take() == []
    world.now += 60 * SECOND
    assert len(world.take()) == 1


def test_a_flush_hurries_what_failed_and_leaves_the_start_that_a_sender_chose(world):
    world.add("447700900101", due_at=world.now + 3600 * SECOND)
    world.add("447700900102")
    (part,) = world.take()
    world.settle((part.part_key, Retry(problem=BUSY)))
    world.now += SECOND
    assert world.flush() == 1
    assert [part.number.digits for part in world.take()] == ["447700900102"]
    assert dues(world)[0] == HOUR


def test_a_flush_sends_nothing_within_a_blackout(world):
    world.add("447700900101", blackouts=night(timedelta(seconds=2), HOUR), expires_at=world.now + 9 * 3600 * SECOND)
    (part,) = world.take()
    world.settle((part.part_key, Retry(problem=BUSY)))
    world.now += 3 * SECOND
    assert world.flush() == 0
    world.now += 60 * SECOND
    assert world.take() == []
    assert dues(world) == [HOUR]
    assert world.flush() == 0
    assert world.take() == []
    world.now += 3600 * SECOND
    assert len(world.take()) == 1


def test_a_flush_hurries_what_failed_before_its_blackout(world):
    world.add("447700900101", blackouts=night(HOUR, 2 * HOUR), expires_at=world.now + 9 * 3600 * SECOND)
    (part,) = world.take()
    world.settle((part.part_key, Retry(problem=BUSY)))
    assert world.flush() == 1
    assert len(world.take()) == 1


@pytest.mark.parametrize("times", [1, 2])
def test_what_was_held_and_released_goes_out_at_its_senders_time_and_not_before(world, times):
    start = world.now + 3600 * SECOND
    job = world.add("447700900101", due_at=start, expires_at=start + 3600 * SECOND)
    for _ in range(times):
        assert world.hold(job.public_id) == 1
        assert world.hold(job.public_id) == 0
        assert world.flush() == 0
        (waiting,) = world.waiting()
        assert (waiting.held, waiting.due_at) == (True, START + HOUR)
        assert world.release(job.public_id) == 1
    assert world.take() == []
    world.now += 3600 * SECOND
    assert len(world.take()) == 1


def test_what_was_deferred_and_held_is_due_once_it_is_released(world):
    job = world.add("447700900101")
    (part,) = world.take()
    world.settle((part.part_key, Retry(problem=BUSY)))
    world.hold(job.public_id)
    world.release(job.public_id)
    assert len(world.take()) == 1


def twin(world: StoreHarness, *numbers: str, key: bytes = b"text", until: timedelta = timedelta(minutes=10), **changes):
    """Add a job with detection of duplicates; `key` stands for its text."""
    job = world.new_job(*numbers, **changes)
    messages = tuple(
        replace(message, duplicate=key + number.encode()) for message, number in zip(job.messages, numbers, strict=True)
    )
    job = replace(job, messages=messages, duplicate_until=to_instant(world.now) + until)
    return world.database.write_now(world.outbound.add_jobs, job)


def test_the_same_text_to_the_same_number_within_ten_minutes_is_refused_and_names_the_first_job(world):
    first = twin(world, "447700900101")
    world.now += 599 * SECOND
    again = twin(world, "447700900101", accepted_at=world.now)
    assert (again.duplicate, again.public_id) == (True, first.public_id)
    assert len(world.jobs()) == 1
    other = twin(world, "447700900101", key=b"other", accepted_at=world.now)
    assert not other.duplicate
    world.now += 2 * SECOND
    later = twin(world, "447700900101", accepted_at=world.now)
    assert not later.duplicate
    assert twin(world, "447700900101", accepted_at=world.now).public_id == later.public_id


def test_only_the_numbers_that_had_the_text_are_refused_and_the_report_says_so(world):
    first = twin(world, "447700900101")
    second = twin(world, "447700900101", "447700900102")
    assert not second.duplicate
    old, new = world.report(second.public_id).messages
    assert (old.state, old.reason) == (MessageState.REJECTED, Refusal.DUPLICATE)
    assert first.public_id in old.problem
    assert (new.state, new.number) == (MessageState.QUEUED, "+447700900102")
    (_, part) = world.take()
    world.settle((part.part_key, Done(reference="r")))
    assert world.report(second.public_id).settled_at is not None


def test_a_mail_that_comes_again_is_a_repeat_and_no_duplicate(world):
    first = twin(world, "447700900101", digest=b"mail")
    again = twin(world, "447700900101", digest=b"mail")
    assert (again.repeated, again.duplicate, again.public_id) == (True, False, first.public_id)


def test_without_detection_the_same_text_goes_out_twice(world):
    assert world.add("447700900101").public_id != world.add("447700900101").public_id
    assert len(world.take()) == 2


def test_a_dry_run_is_told_and_never_sent(world):
    added = world.add(
        "447700900101",
        dry_run=True,
        report=StatusReport.NEVER,
        notices=((NoticeKind.DRY_RUN, (Channel.MAIL, "anna@example.com")),),
        parts=2,
    )
    assert world.take() == []
    world.sweep(timedelta(days=9))
    assert world.take() == []
    report = world.report(added.public_id)
    assert report.settled_at is not None
    assert [message.state for message in report.messages] == [MessageState.CANCELLED]
    assert {part.state for part in report.messages[0].parts} == {MessageState.CANCELLED}
    assert [notice.kind for notice in world.notices()] == [NoticeKind.DRY_RUN]
