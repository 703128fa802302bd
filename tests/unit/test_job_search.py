"""Jobs found by number, sender, customer, state and time, on both databases."""

import itertools
from typing import Any

import pytest

from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.jobs import list_jobs
from sms.lifecycle import MessageState
from sms.message import MailOrigin
from sms.number import SenderId, SenderKind
from sms.outcome import Failed
from store.answers import Rules
from store.engine.keys import to_instant
from store.job_search import JobFilter, search_jobs
from tests.kit.store_harness import SECOND, WRONG, StoreHarness

ANNA, BEN, CLARA = "447700900123", "447700900456", "447700900789"


@pytest.fixture
def world(database_url):
    """Return a store with three jobs, a second apart: by Anna of customer 1, of which one failed; by Ben of 2."""
    made = StoreHarness(database_url, Rules())
    made.add(ANNA, parts=2)
    made.settle(*((part.part_key, Failed(problem=WRONG)) for part in made.take()))
    made.now += SECOND
    made.add(BEN, CLARA)
    made.now += SECOND
    mail = MailOrigin(reverse_path="bounce@example.org", header_from="Ben@Example.org", message_id="<2@example.org>")
    made.add(ANNA, customer_key=2, customer="Other", user_address="", mail=mail)
    yield made
    made.database.close()


def numbers(world, **wanted):
    """Return the numbers of the jobs that are found, each in brackets with how many there are."""
    most = wanted.pop("most", 50)
    found = world.database.read_now(lambda tx: search_jobs(tx, JobFilter(**wanted), most))
    return [(job.number, sum(job.states.values())) for job in found]


def test_without_a_filter_the_newest_jobs_come_first_and_no_more_than_asked_for(world):
    assert numbers(world) == [(ANNA, 1), (BEN, 2), (ANNA, 1)]
    assert numbers(world, most=2) == [(ANNA, 1), (BEN, 2)]


def test_a_number_finds_the_jobs_that_have_it_among_their_recipients(world):
    assert numbers(world, number=CLARA) == [(BEN, 2)]
    assert numbers(world, number=ANNA) == [(ANNA, 1), (ANNA, 1)]
    assert numbers(world, number="447700900000") == []


def test_a_sender_is_the_user_else_the_author_else_the_reverse_path_whatever_the_case_or_all_of_a_domain(world):
    assert numbers(world, sender="anna@example.com") == [(BEN, 2), (ANNA, 1)]
    world.add(CLARA, user_address="", mail=MailOrigin(reverse_path="Bounce@example.org", message_id="<3@example.org>"))
    assert numbers(world, sender="ben@example.org") == [(ANNA, 1)]
    assert numbers(world, sender="bounce@example.org") == [(CLARA, 1)]
    assert numbers(world, sender="@example.org") == [(CLARA, 1), (ANNA, 1)]
    assert numbers(world, sender="@xample.org") == []
    assert numbers(world, sender="@example_org") == []


def test_states_find_jobs_with_any_message_in_one_of_them(world):
    assert numbers(world, states=frozenset({MessageState.FAILED})) == [(ANNA, 1)]
    assert numbers(world, states=frozenset({MessageState.QUEUED})) == [(ANNA, 1), (BEN, 2)]
    both = frozenset({MessageState.QUEUED, MessageState.FAILED})
    assert numbers(world, states=both) == [(ANNA, 1), (BEN, 2), (ANNA, 1)]
    assert numbers(world, states=both, number=ANNA, most=1) == [(ANNA, 1)]
    assert numbers(world, states=both, sender="@example.com", most=1) == [(BEN, 2)]
    assert numbers(world, states=frozenset({MessageState.DELIVERED})) == []


def test_a_sender_id_finds_the_jobs_whose_handsets_show_it(world):
    world.add(CLARA, sender=SenderId(value="Alert", kind=SenderKind.ALPHANUMERIC))
    assert numbers(world, sender_id="Alert") == [(CLARA, 1)]
    assert numbers(world, sender_id="Alert", sender="anna@example.com", since=world.now) == [(CLARA, 1)]
    assert numbers(world, sender_id="Alert", number=ANNA) == []
    assert numbers(world, sender_id="Alert", states=frozenset({MessageState.QUEUED}), since=world.now) == [(CLARA, 1)]


def test_what_is_found_among_several_customers_is_the_newest_of_all_and_each_job_counts_once(world):
    alert = SenderId(value="Alert", kind=SenderKind.ALPHANUMERIC)
    for customer_key in (1, 2, 1, 3):
        world.now += SECOND
        world.add(CLARA, BEN, sender=alert, customer_key=customer_key, proof="range" if customer_key == 1 else "dkim")
    found = world.database.read_now(lambda tx: search_jobs(tx, JobFilter(sender_id="Alert"), 3))
    assert [(job.proof, job.accepted_at) for job in found] == [
        ("dkim", to_instant(world.now)),
        ("range", to_instant(world.now - SECOND)),
        ("dkim", to_instant(world.now - 2 * SECOND)),
    ]
    assert numbers(world, sender_id="Alert", proof="range") == [(BEN, 2), (BEN, 2)]
    assert numbers(world, sender_id="Alert", proof="range", customer_key=2) == []


def test_times_and_customers_narrow_any_question(world):
    assert numbers(world, since=world.now) == [(ANNA, 1)]
    assert numbers(world, until=world.now) == [(BEN, 2), (ANNA, 1)]
    assert numbers(world, number=ANNA, customer_key=2) == [(ANNA, 1)]
    assert numbers(world, customer_key=1) == [(BEN, 2), (ANNA, 1)]
    assert numbers(world, states=frozenset({MessageState.FAILED}), customer_key=2) == []


def test_a_job_of_more_messages_than_a_page_counts_once(world):
    many = [f"44770090{number:04}" for number in range(1200)]
    world.add(*many)
    assert numbers(world, states=frozenset({MessageState.QUEUED})) == [(many[0], 1200), (ANNA, 1), (BEN, 2)]


def test_a_line_has_the_number_of_one_message_or_how_many_and_what_became_of_them(world):
    rows = world.database.read_now(lambda tx: list_jobs(tx, sender="anna@example.com"))
    assert [(row["to"], row["state"], row["parts"]) for row in rows] == [
        ("2 numbers", "2 queued", 2),
        (f"+{ANNA}", "failed", 2),
    ]
    assert rows[1]["accepted"] == f"{to_instant(world.now - 2 * SECOND):%Y-%m-%d %H:%M:%S}"


@pytest.mark.parametrize("typed", ["+447700900789", "447700900789", "00447700900789", "+44 7700 900789"])
def test_a_number_may_be_typed_as_people_write_it(world, typed):
    assert [row["to"] for row in world.database.read_now(lambda tx: list_jobs(tx, number=typed))] == ["2 numbers"]


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ({"number": "pump"}, FaultCode.BAD_NUMBER),
        ({"sender": "anna"}, FaultCode.BAD_ADDRESS),
        ({"sender": "@"}, FaultCode.BAD_ADDRESS),
        ({"customer": "Nobody"}, FaultCode.NO_CUSTOMER),
    ],
)
def test_what_cannot_be_read_is_refused(world, typed, code):
    with pytest.raises(AdminFault) as refused:
        world.database.read_now(lambda tx: list_jobs(tx, **typed))
    assert refused.value.code is code


BAD = frozenset({MessageState.FAILED, MessageState.UNKNOWN})


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (JobFilter(number=ANNA), "message_number"),
        (JobFilter(states=BAD), "message_ended_badly"),
        (JobFilter(sender="anna@example.com"), "COVERING INDEX job_accepted"),
        (JobFilter(customer_key=1, since=5), "COVERING INDEX job_accepted"),
        (JobFilter(customer_key=1, sender_id="Alert", states=BAD), "SEARCH d USING PRIMARY KEY (customer_key=?"),
    ],
)
def test_each_question_goes_through_an_index(wanted, index, tmp_path):
    world = StoreHarness(f"sqlite:///{tmp_path}/jobs.db", Rules())
    asked = []

    class Asking:
        """A transaction that writes down what is asked."""

        def rows(self, sql, values):
            asked.append((sql, values))
            return []

        def select_in(self, *_):
            return []

        rows_in = select_in

    asking: Any = Asking()
    search_jobs(asking, wanted, 50)
    ((sql, values),) = asked
    plan = world.database.read_now(lambda tx: tx.rows(f"EXPLAIN QUERY PLAN {sql}", values))
    world.database.close()
    assert any(index in step for step in itertools.chain.from_iterable(plan) if isinstance(step, str)), plan
