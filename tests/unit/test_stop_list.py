"""Entries of stop lists: who is stopped, what that ends, and what stays as evidence."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from inbound.stop_list import StopEntry, StopOrigin
from sms.lifecycle import MessageState
from sms.message import Origin
from sms.outcome import Done, ProblemCode, Retry, Unknown
from sms.report import NoticeKind
from store.answers import Rules
from store.directory import read_version
from store.directory_changes import DirectoryChanges
from store.directory_lookup import find_customer
from store.stop_list import add_stops, end_stops, read_stops, stops_in_force
from tests.kit.clock import START
from tests.kit.store_harness import BUSY, LOST, SECOND, StoreHarness

NUMBER, OTHER = "447700900101", "447700900102"


@pytest.fixture(name="world")
def _world(database_url):
    world = StoreHarness(database_url, Rules(resends={"alpha": 2}))
    yield world
    world.database.close()


def entry(number=NUMBER, **changes):
    values = {"customer_key": 1, "number": number, "origin": StopOrigin.SMS, "added_at": START} | changes
    return StopEntry(**values)


def in_force(world, *numbers):
    return world.database.read_now(partial(stops_in_force, numbers=numbers))


def end(world, *numbers, customer_key=1, **options):
    def write(tx, items):
        return [end_stops(tx, customer_key, numbers, now=world.now, by="I.2", **options) for _ in items]

    return world.database.write_now(write, None)


def only_message(world, job):
    (message,) = world.report(job.public_id).messages
    return message


def test_a_stop_ends_what_is_queued_for_its_number_and_its_job_settles_with_the_result_told(world):
    job, untouched = world.add(NUMBER), world.add(OTHER)
    stopped = world.stop(entry())
    assert (stopped.added, stopped.messages, stopped.notices) == (1, 1, 1)
    assert stopped.settled_jobs == (job.public_id,)
    message = only_message(world, job)
    assert (message.state, message.reason) == (MessageState.REJECTED, ProblemCode.STOP_LIST)
    assert "BLOCKED" in message.problem
    assert [notice.kind for notice in world.notices()] == [NoticeKind.RESULT]
    assert [part.message_id for part in world.take()] == [only_message(world, untouched).public_id]


@pytest.mark.parametrize(
    ("stop", "blocked"),
    [
        ({}, True),
        ({"service": Origin.MAIL.value}, True),
        ({"service": Origin.REST.value}, False),
        ({"customer_key": 2}, False),
        ({"number": OTHER}, False),
    ],
)
def test_a_stop_ends_only_what_is_of_its_customer_service_and_number(world, stop, blocked):
    job = world.add(NUMBER)
    world.stop(entry(**stop))
    assert (only_message(world, job).state is MessageState.REJECTED) == blocked


def test_what_is_past_a_stop_is_not_ended_by_one(world):
    job = world.add(NUMBER, past_stop=True)
    world.stop(entry())
    assert only_message(world, job).state is MessageState.QUEUED


def test_parts_that_a_carrier_has_stay_with_it_and_the_others_are_not_sent(world):
    job = world.add(NUMBER, parts=2)
    (first,) = world.take(most=1)
    world.settle((first.part_key, Done(reference="r1")))
    world.stop(entry())
    message = only_message(world, job)
    assert message.state is MessageState.REJECTED
    assert [part.state for part in message.parts] == [MessageState.SUBMITTED, MessageState.REJECTED]
    assert world.take() == []


def test_a_message_whose_answer_was_lost_ends_as_unknown_since_its_carrier_may_have_it(world):
    job = world.add(NUMBER)
    (part,) = world.take()
    world.settle((part.part_key, Unknown(problem=LOST)))
    assert only_message(world, job).state is MessageState.QUEUED
    world.stop(entry())
    assert only_message(world, job).state is MessageState.UNKNOWN


def test_a_second_stop_changes_nothing_and_the_first_stays_the_evidence(world):
    first = entry(evidence="I.1", word="stop", service="mail")
    assert world.stop(first).added == 1
    assert world.stop(replace(first, evidence="I.2"), first).added == 0
    assert in_force(world, NUMBER) == [first]


def test_a_start_ends_the_entries_of_its_customer_alone_and_they_are_kept(world):
    ours, of_service, theirs = entry(), entry(service="mail"), entry(customer_key=2)
    world.stop(ours, of_service, theirs)
    world.now += 1_000_000
    assert end(world, NUMBER, chosen=lambda item: not item.service) == [ours]
    assert set(in_force(world, NUMBER)) == {of_service, theirs}
    assert end(world, NUMBER) == [of_service]
    assert end(world, NUMBER) == []
    ended = {"ended_at": START + timedelta(seconds=1), "ended_by": "I.2"}
    kept = world.database.read_now(partial(read_stops, customer_key=1, with_ended=True))
    assert set(kept) == {replace(ours, **ended), replace(of_service, **ended)}
    assert world.stop(entry()).added == 1


def test_the_first_entry_of_a_customer_tells_readers_of_the_address_book_and_no_other_does(world):
    def add_customer(tx, items):
        changes = DirectoryChanges(tx, world.keys, "test", world.now)
        key = changes.add_customer("acme")
        changes.finish()
        return [key for _ in items]

    key = world.database.write_now(add_customer, None)
    seen = []
    for number in (NUMBER, OTHER):
        world.stop(entry(number, customer_key=key))
        customer = world.database.read_now(partial(find_customer, name="acme"))
        seen.append((customer.stop_listed, world.database.read_now(read_version)))
    assert seen == [(True, 2), (True, 2)]


def test_a_stop_of_ten_thousand_numbers_ends_what_waits_for_one_of_them(world):
    job = world.add(NUMBER)
    entries = [entry(f"4477009{n:05}") for n in range(10_000)]
    stopped = world.stop(*entries)
    assert (stopped.added, stopped.messages) == (10_000, 1)
    assert only_message(world, job).state is MessageState.REJECTED
    assert len(in_force(world, *(item.number for item in entries))) == 10_000


def test_a_stop_and_what_follows_from_it_are_one_transaction(world):
    job = world.add(NUMBER)

    def fail(tx, _):
        add_stops(tx, world.keys, [entry()], world.now)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        world.database.write_now(fail, None)
    assert in_force(world, NUMBER) == []
    assert only_message(world, job).state is MessageState.QUEUED


def deferred_after_its_stop(world, **changes):
    """Return a job that a carrier put off, and whose number was stopped while it had it."""
    job = world.add(NUMBER, **changes)
    (part,) = world.take()
    world.stop(entry())
    world.settle((part.part_key, Retry(problem=BUSY)))
    world.now += 60 * SECOND
    return job


def test_what_comes_back_from_a_carrier_after_a_stop_is_not_submitted_again(world):
    job = deferred_after_its_stop(world)
    assert only_message(world, job).state is MessageState.QUEUED
    assert world.take() == []
    message = only_message(world, job)
    assert (message.state, message.reason) == (MessageState.REJECTED, ProblemCode.STOP_LIST)
    assert [notice.kind for notice in world.notices()] == [NoticeKind.RESULT]


def test_a_stop_of_another_customer_or_one_that_was_ended_holds_no_submission_back(world):
    deferred_after_its_stop(world)
    end(world, NUMBER)
    world.stop(entry(customer_key=2), entry(service="rest"))
    assert len(world.take()) == 1


def test_what_is_past_a_stop_is_submitted(world):
    deferred_after_its_stop(world, past_stop=True)
    assert len(world.take()) == 1


def test_a_blocked_message_takes_no_place_of_the_next(world):
    deferred_after_its_stop(world)
    following = world.add(OTHER)
    assert [part.message_id for part in world.take(most=1)] == [only_message(world, following).public_id]


def test_a_new_job_of_a_stop_listed_customer_leaves_out_whom_it_must_not_write_to(world):
    world.stop(entry())
    job = world.add(NUMBER, OTHER, stop_listed=True)
    states = {message.number: message.state for message in world.report(job.public_id).messages}
    assert states == {f"+{NUMBER}": MessageState.REJECTED, f"+{OTHER}": MessageState.QUEUED}
    assert len(world.take()) == 1


def test_a_new_job_of_which_nobody_is_left_is_not_stored(world):
    world.stop(entry())
    assert world.add(NUMBER, stop_listed=True).stopped
    assert world.waiting() == []
    assert not world.add(NUMBER, stop_listed=True, past_stop=True).stopped
    assert not world.add(NUMBER, stop_listed=True, service="rest", customer_key=2).stopped


def test_a_repeat_of_what_was_accepted_before_the_stop_is_still_known(world):
    first = world.add(NUMBER, digest=b"one", stop_listed=True)
    world.stop(entry())
    again = world.add(NUMBER, digest=b"one", stop_listed=True)
    assert (again.repeated, again.public_id) == (True, first.public_id)


def test_what_was_accepted_beside_a_stop_that_it_did_not_see_is_not_submitted(world):
    world.stop(entry())
    unseen = world.add(NUMBER)  # as by a node that planned before its customer had any entry
    assert only_message(world, unseen).state is MessageState.QUEUED
    assert world.take() == []
    assert only_message(world, unseen).reason == ProblemCode.STOP_LIST


def test_what_is_held_or_scheduled_ends_with_a_stop_as_well(world):
    held, later = world.add(NUMBER), world.add(NUMBER, due_at=world.now + 3600 * SECOND)
    world.hold(held.public_id)
    assert world.stop(entry()).messages == 2
    assert {only_message(world, job).state for job in (held, later)} == {MessageState.REJECTED}
