"""The one ladder of waits and the one breaker: for mail, pushes, carriers, parts and workers alike."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms.retry import CLOSED, Breaker, BreakerRule, Ladder, chance_of

BEGAN = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAYS = timedelta(days=2)
MINUTES = (7.5, 15, 30, 60, 120, 240, 480, 960)
LADDER = Ladder(waits=tuple(timedelta(minutes=minutes) for minutes in MINUTES), least=0.9, most=1.1, expire_after=DAYS)


@pytest.mark.parametrize(
    ("failures", "minutes"), [(0, 7.5), (1, 7.5), (2, 15), (3, 30), (4, 60), (5, 120), (6, 240), (8, 960), (99, 960)]
)
def test_the_waits_grow_and_the_last_one_repeats(failures, minutes):
    assert LADDER.next_at(failures, BEGAN, BEGAN, 0.5) == BEGAN + timedelta(minutes=minutes)


@given(failures=st.integers(1, 50), age=st.timedeltas(timedelta(0), DAYS * 2), chance=st.floats(0, 1))
def test_a_next_try_is_ahead_never_beyond_the_expiry_and_near_its_step(failures, age, chance):
    now = BEGAN + age
    due = LADDER.next_at(failures, BEGAN, now, chance)
    if now >= BEGAN + DAYS:
        assert due is None
        return
    assert due is not None
    assert now < due <= BEGAN + DAYS
    assert due == BEGAN + DAYS or abs((due - now) / LADDER.waits[min(failures, len(MINUTES)) - 1] - 1) <= 0.1001


def test_a_ladder_without_an_expiry_never_ends():
    ladder = Ladder.of_seconds(1, 2)
    assert ladder.next_at(9, BEGAN, BEGAN + 99 * DAYS, 0.5) == BEGAN + 99 * DAYS + timedelta(seconds=2)


def test_a_ladder_of_doubling_waits_ends_at_the_longest_and_chance_halves_a_wait_at_most():
    ladder = Ladder.doubling(timedelta(seconds=1), timedelta(seconds=5), least=0.5)
    waits = [ladder.wait(failures, 1.0).total_seconds() for failures in (1, 2, 3, 4, 99)]
    assert waits == [1, 2, 4, 5, 5]
    assert [ladder.wait(failures).total_seconds() for failures in (1, 2, 3, 4)] == [0.5, 1, 2, 2.5]


def test_a_wait_is_no_shorter_than_the_peer_asked_for():
    assert Ladder.of_seconds(1, 60).wait(1, at_least=timedelta(seconds=30)) == timedelta(seconds=30)
    assert Ladder.of_seconds(1, 60).wait(2, at_least=timedelta(seconds=30)) == timedelta(seconds=60)


@given(st.integers(0, 10**12))
def test_the_chance_of_a_key_is_a_share(key):
    assert 0 <= chance_of(key) <= 1


RULE = BreakerRule(failures=3, rests=Ladder.of_seconds(60, 120, 200))


def failing(times: int, *, now: float = 0.0, rule: BreakerRule = RULE, breaker: Breaker | None = None) -> Breaker:
    breaker = breaker or CLOSED
    for _ in range(times):
        breaker = breaker.failed(now, rule)
    return breaker


def test_a_breaker_opens_after_failures_in_a_row_and_for_longer_each_time():
    assert failing(2).may_call(0)
    breaker, now, rests = failing(2), 0.0, []
    for _ in range(4):
        breaker = breaker.failed(now, RULE)
        assert not breaker.may_call(now)
        rests.append(breaker.open_until - now)
        now = breaker.open_until
        assert breaker.may_call(now)
    assert rests == [60, 120, 200, 200]


def test_only_one_call_probes_a_peer_whose_rest_is_over():
    probing = failing(3).started()
    assert not probing.may_call(61)
    assert probing.ended().may_call(61)
    assert CLOSED.started() == CLOSED


def test_failures_that_come_in_while_a_peer_rests_do_not_lengthen_the_rest():
    assert failing(20).open_until == 60


def test_a_rule_may_want_several_failures_before_the_next_rest():
    rule = BreakerRule(failures=3, again=2, rests=Ladder.of_seconds(60, 120))
    once = failing(1, now=61, rule=rule, breaker=failing(3, rule=rule))
    assert once.may_call(61)
    assert failing(1, now=61, rule=rule, breaker=once).open_until == 181
