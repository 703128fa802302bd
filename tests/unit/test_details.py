"""Details: every message of a customer is found by what it was sent with and what became of it, on both databases."""

import pytest

from sms.lifecycle import MessageState
from sms.message import ReceiptState
from sms.number import SenderId, SenderKind
from sms.outcome import Done, Failed
from store.answers import Rules
from store.details import DetailFilter, search_details
from tests.kit.store_harness import SECOND, WRONG, StoreHarness

ANNA, BEN, CLARA = "447700900123", "447700900456", "447700900789"
ALERT = SenderId(value="Alert", kind=SenderKind.ALPHANUMERIC)


@pytest.fixture
def world(database_url):
    """Return a store with an SMS to Anna that failed, a second later one to Ben and Clara; another customer's."""
    made = StoreHarness(database_url, Rules())
    made.add(ANNA, parts=2, cost_centre="4711", service="rest", reference="order 7")
    made.settle(*((part.part_key, Failed(problem=WRONG)) for part in made.take()))
    made.now += SECOND
    made.add(BEN, CLARA, sender=ALERT, user_address="ben@example.org", receipt_wanted=True)
    made.now += SECOND
    made.add(ANNA, customer_key=2, customer="Other")
    yield made
    made.database.close()


def found(world, most=50, after=None, **wanted):
    """Return the messages that are found, those of customer 1 unless another is wanted."""
    asked = DetailFilter(**{"customer_key": 1, **wanted})
    return world.database.read_now(lambda tx: search_details(tx, asked, most, after))


def numbers(world, **wanted):
    return [one.number for one in found(world, **wanted)]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, [CLARA, BEN, ANNA]),
        ({"customer_key": 2}, [ANNA]),
        ({"customer_key": 3}, []),
        ({"number": ANNA}, [ANNA]),
        ({"number": ANNA, "customer_key": 2, "cost_centre": "4711"}, []),
        ({"services": frozenset({"rest", "sap"})}, [ANNA]),
        ({"states": frozenset({MessageState.FAILED})}, [ANNA]),
        ({"states": frozenset({MessageState.QUEUED})}, [CLARA, BEN]),
        ({"states": frozenset({MessageState.QUEUED, MessageState.FAILED}), "number": BEN}, [BEN]),
        ({"states": frozenset({MessageState.QUEUED, MessageState.FAILED})}, [CLARA, BEN, ANNA]),
        ({"states": frozenset({MessageState.QUEUED}), "sender_id": "Alert", "customer_key": 2}, []),
        ({"states": frozenset({MessageState.DELIVERED})}, []),
        ({"sender": "ben@example.org"}, [CLARA, BEN]),
        ({"sender": "@example.com"}, [ANNA]),
        ({"sender": "@xample.com"}, []),
        ({"sender_id": "Alert"}, [CLARA, BEN]),
        ({"cost_centre": "4711"}, [ANNA]),
        ({"reference": "order 7"}, [ANNA]),
        ({"reference": "RDER"}, [ANNA]),
        ({"reference": "o_der"}, []),
        ({"country": "DE"}, []),
    ],
)
def test_each_filter_finds_what_has_its_value_and_never_another_customers(world, wanted, expected):
    assert numbers(world, **wanted) == expected


def test_times_narrow_any_question_and_the_last_is_not_within(world):
    assert numbers(world, since=world.now - SECOND) == [CLARA, BEN]
    assert numbers(world, until=world.now - SECOND) == [ANNA]
    assert numbers(world, until=world.now - SECOND, number=ANNA) == [ANNA]


def test_pages_follow_each_other_without_gap_or_repeat_though_new_messages_come(world):
    first = found(world, most=2)
    world.add(ANNA)
    second = found(world, most=2, after=first[-1].place)
    assert [one.number for one in (*first, *second)] == [CLARA, BEN, ANNA]
    assert found(world, after=second[-1].place) == []
    assert numbers(world, number=BEN, after=first[0].place) == [BEN]


def test_a_message_on_its_way_is_found_by_where_it_is_now_and_then_by_its_end(world):
    parts = world.take()
    assert numbers(world, states=frozenset({MessageState.SUBMITTING})) == [CLARA, BEN]
    world.settle(*((part.part_key, Done(reference=f"id-{part.number.digits}")) for part in parts))
    assert numbers(world, states=frozenset({MessageState.SUBMITTED})) == [CLARA, BEN]
    world.now += 5 * SECOND
    world.receipt(f"id-{BEN}", ReceiptState.DELIVERED, BEN)
    assert numbers(world, states=frozenset({MessageState.SUBMITTED})) == [CLARA]
    (ben,) = found(world, states=frozenset({MessageState.DELIVERED}))
    assert (ben.number, ben.carrier, ben.billed, ben.delivered) == (BEN, "alpha", 1, 1)
    assert ben.ended_at - ben.sent_at == 5 * SECOND


def test_a_correction_is_found_by_what_is_true_now(world):
    parts = world.take()
    world.settle(*((part.part_key, Done(reference=f"id-{part.number.digits}")) for part in parts))
    world.receipt(f"id-{BEN}", ReceiptState.UNDELIVERABLE, BEN)
    assert numbers(world, states=frozenset({MessageState.UNDELIVERED})) == [BEN]
    world.receipt(f"id-{BEN}", ReceiptState.DELIVERED, BEN)
    assert numbers(world, states=frozenset({MessageState.UNDELIVERED})) == []
    assert numbers(world, states=frozenset({MessageState.DELIVERED})) == [BEN]


def test_what_was_accepted_by_a_carrier_and_then_reported_after_its_end_is_found_as_delivered(world):
    world.add(ANNA, service="sap")
    parts = [part for part in world.take() if part.number.digits == ANNA]
    world.settle(*((part.part_key, Done(reference=f"late-{part.part_key}")) for part in parts))
    assert numbers(world, services=frozenset({"sap"}), states=frozenset({MessageState.SUBMITTED})) == [ANNA]
    for part in parts:
        world.receipt(f"late-{part.part_key}", ReceiptState.DELIVERED, ANNA)
    assert numbers(world, services=frozenset({"sap"}), states=frozenset({MessageState.DELIVERED})) == [ANNA]


def test_a_question_that_nothing_fits_reads_the_narrow_rows_alone(tmp_path):
    world = StoreHarness(f"sqlite:///{tmp_path}/details.db", Rules())
    (step,) = world.database.read_now(
        lambda tx: tx.rows(
            "EXPLAIN QUERY PLAN SELECT d.key FROM detail d WHERE d.customer_key = ? AND d.cost_centre = ?"
            " AND (d.accepted_at, d.key) < (?, ?) ORDER BY d.accepted_at DESC, d.key DESC LIMIT ?",
            (1, "x", 1, 1, 50),
        )
    )
    world.database.close()
    assert "SEARCH d USING PRIMARY KEY (customer_key=? AND (accepted_at,key)<(?,?))" in step[-1]


def test_what_has_not_ended_is_found_through_the_index_of_such_messages(tmp_path):
    world = StoreHarness(f"sqlite:///{tmp_path}/details.db", Rules())
    steps = world.database.read_now(
        lambda tx: tx.rows(
            "EXPLAIN QUERY PLAN SELECT d.key FROM message m CROSS JOIN job j CROSS JOIN detail d WHERE NOT m.ended"
            " AND j.key = m.job_key AND d.customer_key = j.customer_key AND d.accepted_at = j.accepted_at"
            " AND d.key = m.key AND m.state IN ('queued', 'submitted')"
        )
    )
    world.database.close()
    assert "message_watched" in steps[0][-1]
