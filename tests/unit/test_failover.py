"""What a carrier gives back goes by the next one of its route: where it may, whole, once, and with every attempt kept."""

from dataclasses import replace
from datetime import timedelta

import pytest

from sms.lifecycle import MessageState
from sms.message import ReceiptState
from sms.outcome import Done, Failed, ProblemCode, Retry, Unknown
from sms.retry import chance_of
from sms.route import Failover, behind
from store.answers import Rules
from store.views import find_job, load_trace
from tests.kit.store_harness import BUSY, LOST, SECOND, WRONG, StoreHarness

NUMBER = "447700900101"
ROUTE = "alpha>beta>gamma"
RULES = Rules(
    failover={"alpha": Failover.UNDELIVERED, "beta": Failover.REFUSED, "whole": Failover.UNDELIVERED},
    whole_receipts=frozenset({"whole"}),
    resends={"alpha": 2},
)


@pytest.fixture(name="world")
def _world(database_url):
    world = StoreHarness(database_url, RULES)
    yield world
    world.database.close()


def add(world, *, parts=1, route=ROUTE, **changes):
    """Add a job on a route, which its number's carriers give it."""
    job = world.add(NUMBER, parts=parts, receipt_wanted=True, **changes)
    world.execute(f"UPDATE message SET route = '{route}'")
    return job


def message_of(world, job):
    (message,) = world.report(job.public_id).messages
    return message


def attempts_of(world, job):
    """Return what the trace says of earlier carriers: the part, whose it was, and how it ended."""
    return [(attempt.part, attempt.carrier, attempt.state) for attempt in trace_of(world, job).attempts]


def trace_of(world, job):
    return world.database.read_now(lambda tx: load_trace(tx, find_job(tx, job.public_id) or 0))


def route_of(world):
    return world.messages()[0].route


def keys(parts):
    return [part.part_key for part in parts]


@pytest.mark.parametrize(
    ("route", "carrier", "rest"),
    [(ROUTE, "alpha", "beta>gamma"), (ROUTE, "gamma", ""), ("alpha", "alpha", ""), (ROUTE, "delta", "")],
)
def test_behind_a_carrier_are_those_after_it_in_the_route(route, carrier, rest):
    assert behind(route, carrier) == rest


def test_what_a_carrier_refused_for_good_goes_by_the_next_and_each_attempt_is_kept(world):
    job = add(world)
    (taken,) = world.take(route=ROUTE, cost_label="cheap")
    world.settle((taken.part_key, Failed(problem=WRONG)))
    assert (message_of(world, job).state, route_of(world)) == (MessageState.QUEUED, "beta>gamma")
    assert message_of(world, job).problem == "The carrier refused the number. The next carrier gets it."
    assert world.take(route=ROUTE) == []
    (again,) = world.take(carrier="beta", route="beta>gamma", cost_label="dear")
    assert again.part_key == taken.part_key
    world.settle((again.part_key, Done(reference="b1")), carrier="beta")
    world.receipt("b1", ReceiptState.DELIVERED, carrier="beta")
    (part,) = message_of(world, job).parts
    assert (part.state, part.carrier, part.cost_label) == (MessageState.DELIVERED, "beta", "dear")
    assert message_of(world, job).problem == ""
    assert attempts_of(world, job) == [(1, "alpha", "failed")]
    assert len(world.notices()) == 1


def test_the_last_carrier_that_refuses_ends_it_with_its_reason(world):
    job = add(world, route="alpha>beta")
    (taken,) = world.take(route="alpha>beta")
    world.settle((taken.part_key, Failed(problem=WRONG)))
    (again,) = world.take(carrier="beta", route="beta")
    world.settle((again.part_key, Failed(problem=WRONG)), carrier="beta")
    message = message_of(world, job)
    assert (message.state, message.problem) == (MessageState.FAILED, "The carrier refused the number.")
    assert attempts_of(world, job) == [(1, "alpha", "failed")]
    assert len(world.notices()) == 1


def test_without_the_option_and_where_the_status_says_no_nothing_goes_on_and_where_it_says_yes_it_does(world):
    for carrier, failover, state in (
        ("gamma", None, MessageState.FAILED),
        ("alpha", False, MessageState.FAILED),
        ("gamma", True, MessageState.QUEUED),
    ):
        job = add(world, route=f"{carrier}>last")
        (taken,) = world.take(carrier=carrier, route=f"{carrier}>last")
        world.settle((taken.part_key, Failed(problem=WRONG, failover=failover)), carrier=carrier)
        assert message_of(world, job).state is state
        world.execute("DELETE FROM message")


def test_a_text_goes_on_whole_once_the_last_part_is_refused_and_with_the_same_reference(world):
    job = add(world, parts=3)
    first = world.take(route=ROUTE)
    world.settle((first[0].part_key, Failed(problem=WRONG)))
    assert message_of(world, job).state is MessageState.SUBMITTING
    world.settle((first[1].part_key, Retry(problem=BUSY)), (first[2].part_key, Failed(problem=WRONG)))
    assert message_of(world, job).state is MessageState.QUEUED
    again = world.take(carrier="beta", route="beta>gamma")
    assert [(part.index, part.reference) for part in again] == [(part.index, part.reference) for part in first]
    assert attempts_of(world, job) == [(1, "alpha", "failed"), (2, "alpha", "failed"), (3, "alpha", "failed")]
    world.settle(*[(key, Done(reference=f"b{key}")) for key in keys(again)], carrier="beta")
    for key in keys(again):
        world.receipt(f"b{key}", ReceiptState.DELIVERED, carrier="beta")
    assert message_of(world, job).state is MessageState.DELIVERED


@pytest.mark.parametrize("other", [Done(reference="a2"), Unknown(problem=LOST)], ids=["accepted", "unanswered"])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_text_of_which_a_carrier_has_or_may_have_a_part_stays_with_it(world, other, order):
    job = add(world, parts=2)
    first = keys(world.take(route=ROUTE))
    answers = {0: (first[0], Failed(problem=WRONG)), 1: (first[1], other)}
    for at in order:
        world.settle(answers[at])
    message = message_of(world, job)
    assert message.state is MessageState.FAILED
    assert message.parts[0].state is MessageState.FAILED
    assert attempts_of(world, job) == []
    assert world.take(carrier="beta", route="beta>gamma") == []


def test_an_unanswered_part_never_goes_by_another_carrier(world):
    job = add(world)
    (taken,) = world.take(carrier="beta", route=ROUTE)
    world.settle((taken.part_key, Unknown(problem=LOST)), carrier="beta")
    assert message_of(world, job).state is MessageState.UNKNOWN
    assert route_of(world) == ROUTE


def test_what_was_sent_again_for_want_of_an_answer_stays_though_it_is_refused_then(world):
    job = add(world)
    (taken,) = world.take(route=ROUTE)
    world.settle((taken.part_key, Unknown(problem=LOST)))
    world.now += 60 * SECOND
    (again,) = world.take(route=ROUTE)
    world.settle((again.part_key, Failed(problem=WRONG)))
    assert message_of(world, job).state is MessageState.FAILED
    assert attempts_of(world, job) == []


@pytest.mark.parametrize("state", [ReceiptState.UNDELIVERABLE, ReceiptState.REJECTED])
def test_what_a_carrier_reports_undelivered_goes_by_the_next_where_it_is_allowed_and_both_are_shown(world, state):
    job = add(world)
    (taken,) = world.take(route=ROUTE)
    world.settle((taken.part_key, Done(reference="a1")))
    world.receipt("a1", state, error="021", network="23410", price="0.04")
    assert message_of(world, job).state is MessageState.QUEUED
    world.receipt("a1", state, error="021")  # carriers repeat receipts
    assert message_of(world, job).state is MessageState.QUEUED
    (again,) = world.take(carrier="beta", route="beta>gamma")
    world.settle((again.part_key, Done(reference="b1")), carrier="beta")
    world.receipt("a1", state)
    assert message_of(world, job).state is MessageState.SUBMITTED
    world.receipt("b1", ReceiptState.UNDELIVERABLE, carrier="beta")  # it goes on where refused, not where undelivered
    assert message_of(world, job).state is MessageState.UNDELIVERED
    (attempt,) = trace_of(world, job).attempts
    assert (attempt.carrier, attempt.carrier_id, attempt.error) == ("alpha", "a1", "021")
    assert (attempt.network, attempt.price) == ("23410", "0.04")
    assert attempt.submitted_at is not None
    assert world.receipts(part_key=None) == []


def test_a_late_delivered_of_the_carrier_before_counts_and_is_of_its_part(world):
    job = add(world)
    (taken,) = world.take(route=ROUTE)
    world.settle((taken.part_key, Done(reference="a1")))
    world.receipt("a1", ReceiptState.UNDELIVERABLE)
    (again,) = world.take(carrier="beta", route="beta>gamma")
    world.settle((again.part_key, Done(reference="b1")), carrier="beta")
    world.receipt("a1", ReceiptState.DELIVERED)
    assert message_of(world, job).state is MessageState.DELIVERED
    world.receipt("b1", ReceiptState.UNDELIVERABLE, carrier="beta")
    assert message_of(world, job).state is MessageState.DELIVERED


def test_a_text_of_several_parts_is_undelivered_with_its_first_receipt_unless_one_is_for_all(world):
    job = add(world, parts=2, route="alpha>beta")
    first = keys(world.take(route="alpha>beta"))
    world.settle(*[(key, Done(reference=f"a{key}")) for key in first])
    world.receipt(f"a{first[0]}", ReceiptState.UNDELIVERABLE)
    assert message_of(world, job).state is MessageState.UNDELIVERED
    world.execute("DELETE FROM message")
    job = add(world, parts=2, route="whole>beta")
    first = keys(world.take(carrier="whole", route="whole>beta"))
    world.settle(*[(key, Done(reference=f"w{key}")) for key in first], carrier="whole")
    world.receipt(f"w{first[1]}", ReceiptState.UNDELIVERABLE, carrier="whole")
    assert message_of(world, job).state is MessageState.QUEUED
    assert len(world.take(carrier="beta", route="beta")) == 2


def test_what_is_past_its_validity_goes_by_nobody(world):
    job = add(world, expires_at=world.now + SECOND)
    (taken,) = world.take(route=ROUTE)
    world.now += 2 * SECOND
    world.settle((taken.part_key, Failed(problem=WRONG)))
    assert message_of(world, job).state is MessageState.FAILED


# Retries per status


def refuse(world, retry):
    """Take the one part and have it refused so; returns the seconds until it is due again, without chance."""
    (taken,) = world.take(route=ROUTE)
    world.settle((taken.part_key, retry))
    message = world.messages()[0]
    wait = (message.due_at - world.now) / SECOND / (1 + 0.25 * chance_of(message.key))
    world.now = max(message.due_at, world.now)
    return round(wait)


def test_a_status_has_waits_of_its_own_and_fails_after_so_many_attempts_in_a_row(world):
    job = add(world, route="gamma")
    world.execute(f"UPDATE message SET route = '{ROUTE}'")
    mine = Retry(problem=BUSY, waits=(timedelta(seconds=7), timedelta(seconds=70)), attempts=4, failover=False)
    assert [refuse(world, mine) for _ in range(3)] == [7, 70, 70]
    refuse(world, mine)
    message = message_of(world, job)
    assert (message.state, message.reason) == (MessageState.FAILED, ProblemCode.RETRIES_EXHAUSTED)
    assert message.problem == "The carrier refused this SMS 4 times in a row for the time being."


def test_another_status_between_begins_the_count_again(world):
    job = add(world)
    mine = Retry(problem=replace(BUSY, cause="ESME_RSYSERR (0x08)"), attempts=2, waits=(timedelta(seconds=1),))
    other = Retry(problem=replace(BUSY, cause="vendor status (0x00000401)"))
    for answer in (mine, other, mine, other):
        refuse(world, answer)
    assert message_of(world, job).state is MessageState.QUEUED
    refuse(world, mine)
    refuse(world, mine)
    assert route_of(world) == "beta>gamma"
    assert attempts_of(world, job) == [(1, "alpha", "failed")]


def test_one_attempt_of_a_text_counts_once(world):
    job = add(world, parts=3)
    mine = Retry(problem=BUSY, attempts=2, waits=(timedelta(seconds=1),))
    world.settle(*[(key, mine) for key in keys(world.take(route=ROUTE))])
    assert message_of(world, job).state is MessageState.QUEUED
    world.now += 10 * SECOND
    world.settle(*[(key, mine) for key in keys(world.take(route=ROUTE))])
    assert route_of(world) == "beta>gamma"
