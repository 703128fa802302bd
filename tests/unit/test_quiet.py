"""Quiet hours are periods by the local time of a number."""

from datetime import UTC, date, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pytest

from countries.public_holidays import is_public_holiday
from countries.quiet import parse_quiet, quiet_periods
from countries.rules import RuleName
from gateway.admin.countries import known_countries
from sms.number import MobileNumber, is_toll_free, zones_of

WEEK = timedelta(days=7)


def local(zone, text):
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def is_quiet(value, zone, text, is_holiday=lambda _: False):
    at = local(zone, text)
    return any(
        period.start_at <= at < period.end_at for period in quiet_periods([value], [zone], at, at + WEEK, is_holiday)
    )


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        # 2026-11-30 is a Monday.
        ("Mo-Su 20:00-09:00", "2026-11-30T19:59", False),
        ("Mo-Su 20:00-09:00", "2026-11-30T20:00", True),
        ("Mo-Su 20:00-09:00", "2026-11-30T08:59", True),
        ("Mo-Su 20:00-09:00", "2026-11-30T09:00", False),
        ("Mo-Su 20:00-24:00", "2026-11-30T23:59", True),
        ("Mo-Su 20:00-24:00", "2026-12-01T00:00", False),
        ("Mo-Su 20:00-24:00", "2026-11-30T19:59", False),
        ("Mo-Sa 22:00-08:00;Su all", "2026-11-29T12:00", True),
        ("Mo-Sa 22:00-08:00;Su all", "2026-11-30T03:00", True),
        ("Mo-Fr 20:00-08:00;Sa 13:00-09:00;Su all", "2026-11-28T08:30", True),
        ("Mo-Fr 20:00-08:00;Sa 13:00-09:00;Su all", "2026-11-28T10:00", False),
        ("Mo-Fr 20:00-08:00;Sa 13:00-09:00;Su all", "2026-11-28T13:00", True),
    ],
)
def test_what_is_quiet_on_a_day(value, text, expected):
    assert is_quiet(value, "Europe/Paris", text) is expected


def test_a_public_holiday_has_hours_of_its_own_where_the_rule_names_it():
    holiday = partial(is_public_holiday, "FR")
    value = "Mo-Sa 22:00-08:00;Su,PH all"
    assert is_quiet(value, "Europe/Paris", "2026-07-14T12:00", holiday)  # a Tuesday
    assert not is_quiet(value, "Europe/Paris", "2026-07-15T12:00", holiday)
    assert not is_public_holiday("XX", date(2026, 7, 14))


@pytest.mark.parametrize(
    ("zone", "evening", "hours"),
    [
        # The nights in which the clock goes forward, and back: 20:00 to 09:00 is an hour less, and more.
        ("Europe/Paris", "2026-03-28T20:00", 12),
        ("Europe/Paris", "2026-10-24T20:00", 14),
        ("America/New_York", "2026-03-07T20:00", 12),
        ("America/New_York", "2026-10-31T20:00", 14),
        ("Australia/Sydney", "2026-10-03T20:00", 12),
        ("Australia/Sydney", "2027-04-03T20:00", 14),
        ("Asia/Kolkata", "2026-03-28T20:00", 13),
    ],
)
def test_quiet_hours_follow_the_clock_of_the_place_through_summer_time(zone, evening, hours):
    at = local(zone, evening)
    first = quiet_periods(["Mo-Su 20:00-09:00"], [zone], at, at + WEEK)[0]
    assert first.start_at == at
    assert first.end_at - first.start_at == timedelta(hours=hours)
    assert first.end_at.astimezone(ZoneInfo(zone)).hour == 9


def test_an_hour_that_comes_twice_is_quiet_both_times():
    at = local("Europe/Paris", "2026-10-25T00:00")
    (period,) = quiet_periods(["Su 02:10-02:50"], ["Europe/Paris"], at, at + timedelta(days=1))
    assert period.end_at - period.start_at == timedelta(hours=1, minutes=40)


def test_where_rules_or_zones_differ_all_of_them_count():
    at = local("Europe/Paris", "2026-11-30T12:00")
    (first, *_) = quiet_periods(["Mo-Su 22:00-08:00", "Mo-Su 20:00-07:00"], ["Europe/Paris"], at, at + WEEK)
    assert (first.end_at - first.start_at) == timedelta(hours=12)
    wide = quiet_periods(["Mo-Su 20:00-08:00"], ["Australia/Perth", "Australia/Sydney"], at, at + WEEK)
    assert max(period.end_at - period.start_at for period in wide) == timedelta(hours=15)


def test_a_number_that_may_be_anywhere_in_a_wide_country_still_gets_its_message():
    zones = ["Europe/Kaliningrad", "Asia/Novosibirsk", "Asia/Kamchatka"]
    at = local("Asia/Novosibirsk", "2026-11-30T12:00")
    periods = quiet_periods(["Mo-Su 18:00-10:00"], zones, at, at + 2 * WEEK)
    assert all(period.end_at - period.start_at < timedelta(days=1) for period in periods)
    assert periods[0].start_at == local("Asia/Novosibirsk", "2026-11-30T18:00")


def test_every_shipped_quiet_hour_is_read_and_leaves_hours_free():
    at = local("UTC", "2026-11-30T12:00")
    values = {
        rule.value
        for country in known_countries().values()
        for rule in country.said(RuleName.QUIET_HOURS)
        if rule.value != "none"
    }
    assert len(values) > 10
    for value in values:
        assert parse_quiet(value)
        quiet = sum((p.end_at - p.start_at for p in quiet_periods([value], ["UTC"], at, at + WEEK)), timedelta())
        assert timedelta(hours=30) < quiet < timedelta(days=6)


@pytest.mark.parametrize(
    ("digits", "zone"),
    [("12125550123", "America/New_York"), ("447700900123", "Europe/London"), ("33639980012", "Europe/Paris")],
)
def test_a_number_has_the_zones_of_its_place_or_country(digits, zone):
    assert zone in zones_of(MobileNumber(digits=digits))


def test_a_toll_free_number_is_known_by_the_plan():
    assert is_toll_free(MobileNumber(digits="18885550123"))
    assert not is_toll_free(MobileNumber(digits="12125550123"))
