"""Limits of use: how they are written, when days and months begin, and what a job takes of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms.usage import LimitReached, Measure, Period, UsageClaim, UsageLimit, parse_limit, period_around


@pytest.mark.parametrize(
    ("text", "name", "most"),
    [
        ("sms/day=500", "sms/day", 500),
        ("SMS / Day = 500", "sms/day", 500),
        ("parts/month@fr=0", "parts/month@FR", 0),
        ("sms/minute=30", "sms/minute", 30),
    ],
)
def test_a_limit_is_written_as_what_in_which_time_and_where(text, name, most):
    read = parse_limit(text)
    assert read is not None
    found, limit = read
    assert limit is not None
    assert (found, limit.most, limit.name) == (name, most, name)
    assert parse_limit(f"{limit.name}={limit.most}") == read


def test_any_lifts_a_limit():
    assert parse_limit("parts/day@DE=any") == ("parts/day@DE", None)


@pytest.mark.parametrize(
    "text",
    ["", "sms/day", "sms/week=5", "mails/day=5", "sms/day=-1", "sms/day=١", "sms/day@XX=5", "sms/day@=5", "sms=5"],
)
def test_what_is_no_limit_is_refused(text):
    assert parse_limit(text) is None


@pytest.mark.parametrize(
    ("now", "period", "zone", "began", "ends"),
    [
        ("2026-11-30T23:30+00:00", Period.DAY, "Europe/Berlin", "2026-11-30T23:00", "2026-12-01T23:00"),
        ("2026-11-30T22:59+00:00", Period.MONTH, "Europe/Berlin", "2026-10-31T23:00", "2026-11-30T23:00"),
        ("2026-11-30T23:00+00:00", Period.MONTH, "Europe/Berlin", "2026-11-30T23:00", "2026-12-31T23:00"),
        # The day on which the clock goes forward has 23 hours, that on which it goes back 25.
        ("2026-03-29T12:00+00:00", Period.DAY, "Europe/Berlin", "2026-03-28T23:00", "2026-03-29T22:00"),
        ("2026-10-25T12:00+00:00", Period.DAY, "Europe/Berlin", "2026-10-24T22:00", "2026-10-25T23:00"),
        # A day without midnight.
        ("2026-04-24T12:00+00:00", Period.DAY, "Africa/Cairo", "2026-04-23T22:00", "2026-04-24T21:00"),
        ("2026-11-30T11:00+00:00", Period.DAY, "UTC", "2026-11-30T00:00", "2026-12-01T00:00"),
    ],
)
def test_days_and_months_begin_at_midnight_of_the_zone(now, period, zone, began, ends):
    found = period_around(datetime.fromisoformat(now), period, zone)
    assert [instant.strftime("%Y-%m-%dT%H:%M") for instant in found] == [began, ends]


@given(
    st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2035, 1, 1)),  # noqa: DTZ001
    st.sampled_from(
        ["UTC", "Europe/Berlin", "America/New_York", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Kathmandu"]
    ),
    st.sampled_from([Period.DAY, Period.MONTH]),
)
def test_every_instant_is_in_its_period_and_the_next_one_begins_where_it_ends(at, zone, period):
    now = at.replace(tzinfo=UTC)
    began, ends = period_around(now, period, zone)
    assert began <= now < ends
    assert period_around(ends, period, zone)[0] == ends
    assert period_around(ends - timedelta(microseconds=1), period, zone) == (began, ends)


def claim(measure=Measure.SMS, country="", most=10):
    limit = UsageLimit(measure=measure, period=Period.DAY, most=most, country=country)
    return UsageClaim(counter="7:x", owner="customer Acme", limit=limit, zone="Europe/Berlin")


@pytest.mark.parametrize(
    ("measure", "country", "amount"),
    [
        (Measure.SMS, "", 3),
        (Measure.PARTS, "", 6),
        (Measure.SMS, "FR", 1),
        (Measure.PARTS, "FR", 4),
        (Measure.SMS, "ES", 0),
    ],
)
def test_a_job_takes_its_sms_or_its_parts_of_a_limit(measure, country, amount):
    assert claim(measure, country).amount([("GB", "alpha", 1), ("FR", "alpha", 4), ("GB", "beta", 1)]) == amount


def test_a_refusal_names_the_limit_its_use_and_when_it_begins_anew():
    reached = LimitReached(claim=claim(), used=9, wanted=2, free_at=datetime(2026, 11, 30, 23, tzinfo=UTC))
    assert str(reached) == (
        "the limit sms/day of customer Acme is 10, 9 are used and 2 were asked for; "
        "it begins anew at 2026-12-01 00:00 (Europe/Berlin)"
    )
    assert not reached.is_for_good


def test_a_job_that_is_larger_than_its_limit_is_refused_for_good():
    reached = LimitReached(claim=claim(), used=0, wanted=11, free_at=datetime(2026, 11, 30, 23, tzinfo=UTC))
    assert reached.is_for_good
    assert str(reached) == "the limit sms/day of customer Acme is 10, and 11 were asked for at once"


def test_an_agreed_volume_of_a_carrier_is_named_as_it_is_set():
    read = parse_limit("agreed:parts/month@fr:Alpha.1=90000")
    assert read is not None
    name, limit = read
    assert limit is not None
    assert (name, limit.agreed, limit.country, limit.carrier) == (
        "agreed:parts/month@FR:Alpha.1",
        True,
        "FR",
        "Alpha.1",
    )
    assert parse_limit(f"{limit.name}={limit.most}") == read
    assert parse_limit("agreed:sms/minute=3") is None
    assert parse_limit("sms/minute:alpha=3") is None


def test_a_volume_of_a_carrier_counts_what_goes_by_it_first():
    of_alpha = replace(claim(), limit=UsageLimit(measure=Measure.SMS, period=Period.DAY, most=10, carrier="alpha"))
    assert of_alpha.amount([("GB", "alpha", 1), ("GB", "beta", 1), ("FR", "alpha", 3)]) == 2
