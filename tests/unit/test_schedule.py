"""When a message may go out: bounds of the start, blackout periods, and a validity that time in them does not shorten."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms.outcome import Refusal, Refused
from sms.schedule import Blackout, Schedule, decide_schedule, merge, postpone

NOW = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def hours(start: float, end: float) -> Blackout:
    return Blackout(start_at=NOW + start * HOUR, end_at=NOW + end * HOUR)


def decide(start=None, *blackouts, validity=2 * HOUR) -> Schedule:
    found = decide_schedule(start, blackouts, validity, NOW)
    assert isinstance(found, Schedule)
    return found


@pytest.mark.parametrize("start", [None, NOW, NOW - DAY])
def test_without_a_start_or_with_a_past_one_it_is_due_now(start):
    assert decide(start) == Schedule(due_at=NOW, expires_at=NOW + 2 * HOUR)


def test_the_validity_counts_from_the_start():
    assert decide(NOW + DAY) == Schedule(due_at=NOW + DAY, expires_at=NOW + DAY + 2 * HOUR)


@pytest.mark.parametrize(
    ("start", "blackouts"),
    [
        (NOW + 367 * DAY, ()),
        (None, (hours(0, 32 * 24),)),
        (None, (hours(24, 25), hours(366 * 24, 366 * 24 + 1))),
    ],
)
def test_what_lies_too_far_ahead_is_refused(start, blackouts):
    found = decide_schedule(start, blackouts, HOUR, NOW)
    assert isinstance(found, Refused)
    assert found.refusal is Refusal.OPTION_MALFORMED


@pytest.mark.parametrize(
    ("start", "blackouts", "due", "expires"),
    [
        (0, [(0, 8)], 8, 10),
        (0, [(1, 8)], 0, 9),
        (0, [(2, 8)], 0, 2),
        (0, [(-5, -1)], 0, 2),
        (0, [(-5, 0)], 0, 2),
        (3, [(0, 8)], 8, 10),
        (0, [(0, 8), (8, 9)], 9, 11),
        (0, [(0, 8), (9, 12)], 8, 13),
        (0, [(4, 6), (1, 5)], 0, 7),
        (9, [(0, 8)], 9, 11),
    ],
)
def test_a_message_goes_out_after_its_blackout_with_its_whole_validity(start, blackouts, due, expires):
    found = decide(NOW + start * HOUR, *(hours(*pair) for pair in blackouts))
    assert (found.due_at, found.expires_at) == (NOW + due * HOUR, NOW + expires * HOUR)


PERIODS = st.lists(
    st.tuples(st.integers(-50, 300), st.integers(0, 40)).map(lambda pair: hours(pair[0], pair[0] + pair[1])), max_size=8
)


@given(PERIODS, st.integers(-10, 300), st.integers(1, 100))
def test_it_is_never_due_in_a_blackout_and_lives_outside_of_them_as_long_as_was_asked(blackouts, start, validity):
    found = decide_schedule(NOW + start * HOUR, blackouts, validity * HOUR, NOW)
    if isinstance(found, Refused):
        return
    merged = merge(blackouts)
    assert postpone(found.due_at, merged) == found.due_at
    lived = [
        hour
        for hour in range(int((found.expires_at - found.due_at) / HOUR))
        if not any(period.start_at <= found.due_at + hour * HOUR < period.end_at for period in merged)
    ]
    assert len(lived) == validity


@given(PERIODS)
def test_merged_periods_are_in_order_and_apart(blackouts):
    merged = merge(blackouts)
    assert all(one.end_at < other.start_at for one, other in pairwise(merged))
    assert merge(merged) == merged
