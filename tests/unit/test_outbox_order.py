"""Rows of the outbox of one sequence: strictly one after the other, whatever becomes of the earlier one."""

import pytest

from sms.outbox import OutboxEvent
from sms.report import Channel
from store.answers import Rules
from store.clock_back import ClockPutBack, bring_forward
from store.outbox import GiveBackRows, NewRow, OutboxEnd
from store.queue import Drop, drop
from tests.kit.store_harness import SECOND, StoreHarness, steps, take_due

URL = "https://app.example.com/sms"
MINUTE = 60 * SECOND


@pytest.fixture
def world(database_url):
    world = StoreHarness(database_url, Rules())
    yield world
    world.database.close()


def add(world, *sequences: str, url: str = URL) -> list[str]:
    """Queue pushes of these sequences in this order; returns their ids."""
    rows = [
        NewRow(
            kind="inbound-push",
            prefix="IP",
            recipient=url,
            now=world.now,
            about={},
            channel=Channel.PUSH,
            sequence=sequence,
        )
        for sequence in sequences
    ]
    return [*filter(None, world.database.write_now(lambda tx, _: [world.outbox.add(tx, rows)], None))]


def take(world, most: int = 100):
    return world.notices(most, Channel.PUSH)


def names(rows) -> list[str]:
    return [row.public_id for row in rows]


def test_a_row_is_not_taken_while_an_earlier_one_of_its_sequence_has_not_ended(world):
    a1, a2, b1, none1, none2 = add(world, "a", "a", "b", "", "")
    taken = take(world)
    assert names(taken) == [a1, b1, none1, none2]
    assert take(world) == []
    world.end_notice(taken[0], OutboxEvent.DEFER, due_at=world.now + MINUTE)
    assert take(world) == []
    world.now += MINUTE
    (again,) = take(world)
    assert again.public_id == a1
    world.end_notice(again)
    assert names(take(world)) == [a2]


@pytest.mark.parametrize("event", [OutboxEvent.SEND, OutboxEvent.SKIP, OutboxEvent.FAIL])
def test_whatever_ends_a_row_lets_the_next_one_go(world, event):
    first, second, third = add(world, "a", "a", "a")
    for name in (first, second, third):
        (taken,) = take(world)
        assert taken.public_id == name
        world.end_notice(taken, event)


def test_a_row_that_is_held_holds_back_those_after_it_and_one_that_is_dropped_does_not(world):
    first, second, third = add(world, "a", "a", "a")
    world.hold(first)
    assert take(world) == []
    world.database.write_now(drop, Drop(found=world.find(second), now=world.now))
    assert take(world) == []
    world.database.write_now(drop, Drop(found=world.find(first), now=world.now))
    assert names(take(world)) == [third]


def test_what_is_released_goes_before_what_waited_behind_it(world):
    first, second = add(world, "a", "a")
    world.hold(first)
    assert take(world) == []
    world.release(first)
    (taken,) = take(world)
    world.end_notice(taken)
    assert (taken.public_id, names(take(world))) == (first, [second])


def test_what_is_given_back_or_recovered_keeps_its_place(world):
    first, second = add(world, "a", "a")
    take(world)
    request = GiveBackRows(owner=world.owner, held=frozenset())
    assert world.database.write_now(world.outbox.give_back, request) == 1
    assert names(take(world)) == [first]
    world.seem_dead()
    assert world.database.write_now(world.outbox.recover, "another") == 1
    world.owner = "another"
    (taken,) = take(world)
    world.end_notice(taken)
    assert (taken.public_id, names(take(world))) == (first, [second])


def test_neither_a_flush_nor_a_clock_that_is_put_back_lets_a_row_pass_another_one(world):
    first, second = add(world, "a", "a")
    (taken,) = take(world)
    world.flush()
    jump = ClockPutBack(was=world.now, now=world.now - 60 * MINUTE)
    world.database.write_now(bring_forward, jump)
    assert take(world) == []
    world.end_notice(taken)
    assert (taken.public_id, names(take(world))) == (first, [second])


def test_a_receiver_that_is_dead_delays_nobody_else(world):
    add(world, *["dead"] * 300)
    (dead,) = take(world, most=10)
    world.end_notice(dead, OutboxEvent.DEFER, due_at=world.now + MINUTE)
    (other,) = add(world, "other", url="https://well.example.com/")
    assert names(take(world, most=10)) == [other]


def test_a_claim_costs_the_same_with_ten_and_with_ten_thousand_behind_one_that_is_tried_again(sqlite_url):
    world = StoreHarness(sqlite_url, Rules())
    costs = []
    for more in (10, 10_000):
        add(world, *["dead"] * more)
        for taken in take(world):
            world.end_notice(taken, OutboxEvent.DEFER, due_at=world.now + MINUTE)
        add(world, *[f"well/{more}/{number}" for number in range(5)])
        counted, count = steps(world.outbox.take)
        request = take_due(world.now, world.owner, 5, Channel.PUSH)
        assert len(world.database.write_now(counted, request)) == 5
        costs.append(count())
    world.database.close()
    assert costs[1] <= costs[0] * 1.2


def test_no_row_is_left_behind_one_that_ends_while_another_node_claims(world, database_url):
    other = StoreHarness(database_url, Rules(), owner="other", node=2)
    for node in (world, other):
        node.live()
    add(world, "a")
    (taken,) = take(world)
    (second,) = add(world, "a")
    claims = []

    def end(tx, ends):
        world.outbox.end(tx, ends)
        claims.append(take(other))  # before the commit
        return [None]

    world.database.write_now(end, OutboxEnd(taken=taken, event=OutboxEvent.SEND, at=world.now))
    assert claims == [[]]
    assert names(take(other)) == [second]
    other.database.close()
