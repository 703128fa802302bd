"""When a carrier is left alone, for how long, and what brings it back."""

from datetime import UTC, datetime, time

import pytest

from gateway.health import Health, HealthRules
from sms.outcome import Done, Failed, Problem, ProblemCode, Retry, Unknown
from sms.retry import BreakerRule, Ladder
from sms.schedule import Hours

RULES = HealthRules(link_patience=3, breaker=BreakerRule(failures=3, again=3, rests=Ladder.of_seconds(10, 20, 25)))
PROBLEM = Problem(code=ProblemCode.THROTTLED, text="busy")
BUSY, LOST, GOOD, REFUSED = (
    Retry(problem=PROBLEM),
    Unknown(problem=PROBLEM),
    Done(reference="1"),
    Failed(problem=PROBLEM),
)


def after(*outcomes, now=0.0, health=None):
    health = health or Health()
    for outcome in outcomes:
        health = health.heard(outcome, now, RULES)
    return health


def test_a_carrier_is_fit_until_so_many_failures_in_a_row():
    assert after(BUSY, LOST).fit(0, RULES)
    assert not after(BUSY, LOST, BUSY).fit(0, RULES)


@pytest.mark.parametrize("sign_of_life", [GOOD, REFUSED])
def test_a_sign_of_life_between_failures_starts_the_count_again(sign_of_life):
    assert after(BUSY, BUSY, sign_of_life, BUSY, BUSY).fit(0, RULES)


def test_a_rest_doubles_with_each_failed_probe_up_to_the_bound():
    health = after(BUSY, BUSY, BUSY)
    ends = []
    now = 0.0
    for _ in range(3):
        ends.append(health.breaker.open_until - now)
        now = health.breaker.open_until
        assert health.fit(now, RULES)
        health = after(BUSY, BUSY, BUSY, now=now, health=health)
    assert ends == [10, 20, 25]


def test_a_success_forgets_the_rests():
    assert after(GOOD, now=10, health=after(BUSY, BUSY, BUSY)).breaker.rests == 0


def test_failures_that_come_in_while_resting_do_not_lengthen_the_rest():
    health = after(BUSY, BUSY, BUSY)
    assert after(LOST, LOST, LOST, LOST, now=5, health=health).breaker.open_until == 10


def test_a_link_without_room_is_given_patience_and_then_others_take_over():
    health = Health().looked(0, 100).looked(0, 102)
    assert health.fit(102.9, RULES)
    assert not health.fit(103, RULES)
    assert health.looked(1, 104).fit(104, RULES)


@pytest.mark.parametrize(
    ("since", "until", "hour", "open_"),
    [(8, 20, 7, False), (8, 20, 8, True), (8, 20, 20, False), (22, 6, 23, True), (22, 6, 5, True), (22, 6, 12, False)],
)
def test_hours_may_go_over_midnight(since, until, hour, open_):
    hours = Hours(since=time(since), until=time(until))
    assert hours.open_at(datetime(2026, 11, 23, hour, tzinfo=UTC)) is open_


def test_hours_are_those_of_the_carriers_zone():
    hours = Hours(since=time(8), until=time(20), zone="Asia/Tokyo")
    assert hours.open_at(datetime(2026, 11, 23, 0, tzinfo=UTC))
