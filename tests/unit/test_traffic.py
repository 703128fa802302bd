"""Signs of inflated traffic: who counts numbers up is told of, and a company's own traffic never is."""

from datetime import timedelta

import pytest

from config.alerts import AlertOptions
from gateway.alerts import Alert
from gateway.traffic_signs import SentSms, Sign, find_country_signs, find_signs, new_numbers
from gateway.traffic_watch import TrafficWatch
from tests.kit.clock import Clock
from tests.kit.testbed import judge, open_core


def signs(numbers, *, sent=()):
    return [(found.sign, found.count, found.of, found.where) for found in find_signs(list(sent), sorted(numbers))]


def test_numbers_that_are_counted_up_are_a_sign():
    assert signs([f"4477009{n:05}" for n in range(50)]) == [(Sign.SEQUENCE, 50, 50, "")]


def test_numbers_with_one_prefix_are_a_sign():
    scattered = [f"447700{n * 7919 % 1_000_000:06}" for n in range(60)]
    assert signs(scattered) == [(Sign.PREFIX, 60, 60, "447700")]


@pytest.mark.parametrize(
    "numbers",
    [
        [f"4477009{n:05}" for n in range(30)],
        [f"44{7000000000 + n * 104_729_771 % 999_999_999}" for n in range(200)],
        [
            *(f"4477009{n:05}" for n in range(40)),
            *(f"44{7100000000 + n * 10_472_977 % 899_999_999}" for n in range(60)),
        ],
    ],
    ids=["few", "scattered", "a block of phones among others"],
)
def test_a_companys_own_traffic_is_no_sign(numbers):
    assert signs(numbers) == []


def test_numbers_that_were_written_to_before_are_not_new():
    sent = [SentSms(number="447700900101", fresh=True), SentSms(number="447700900102", fresh=True)]
    assert new_numbers(sent, {"447700900101"}) == ["447700900102"]


def ended(count, delivered, *, fresh):
    return [
        SentSms(number="447700900101", fresh=fresh, ended=True, delivered=index < delivered) for index in range(count)
    ]


@pytest.mark.parametrize(
    ("before", "late", "told"),
    [
        ((100, 95), (40, 4), [(Sign.CONVERSION, 4, 40, "GB")]),
        ((100, 95), (40, 30), []),
        ((100, 95), (10, 0), []),
        ((100, 20), (40, 4), []),
        ((20, 20), (40, 4), []),
    ],
    ids=["falls", "falls a little", "too few of late", "was never good", "too few before"],
)
def test_that_far_fewer_are_delivered_than_before_is_a_sign(before, late, told):
    assert signs([], sent=[*ended(*before, fresh=False), *ended(*late, fresh=True)]) == told


def to_country(count, delivered, *, reported=True, fresh=False):
    return [
        SentSms(number="447700900101", fresh=fresh, ended=True, delivered=index < delivered, reported=reported)
        for index in range(count)
    ]


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (to_country(60, 23), [(Sign.SHARE, 23, 60, "GB")]),
        (to_country(60, 24), []),
        (to_country(49, 0), []),
        (to_country(500, 0, reported=False), []),
        (to_country(80, 80, fresh=True), [(Sign.VOLUME, 80, 80, "GB")]),
        (to_country(79, 79, fresh=True), []),
    ],
    ids=["few delivered", "as many as wanted", "too few to tell", "no receipts asked for", "many", "not so many"],
)
def test_few_delivered_and_very_many_to_a_country_are_signs(sent, told):
    found = find_country_signs(sent, 40, 80)
    assert [(sign.sign, sign.count, sign.of, sign.where) for sign in found] == told


def test_who_asks_for_no_bounds_of_countries_is_told_nothing():
    assert find_country_signs(to_country(500, 0, fresh=True), 0, 0) == []


async def test_the_operator_is_told_of_a_country_by_the_bounds_of_the_file(house):
    clock, told = Clock(), list[Alert]()
    core = open_core(house, clock)
    try:
        options = AlertOptions(country_volume=3)
        watch = TrafficWatch(database=core.database, clock=clock, tell=told.append, options=options)
        numbers = ("+447700900101", "+447700900115", "+447700900177")
        await core.acceptance.keep(judge(core, "acme", to=numbers, message_id="<3@example.com>").plan)
        await watch.step()
        [alert] = told
        assert (alert.subject, alert.topic) == ("SMS to GB: very many", "traffic:volume:GB")
        assert "mail2sms country show GB" in alert.text
    finally:
        core.database.close()


async def test_the_operator_is_told_of_numbers_that_are_counted_up_and_not_of_those_known_before(house):
    clock, told = Clock(), list[Alert]()
    core = open_core(house, clock)
    try:
        watch = TrafficWatch(database=core.database, clock=clock, tell=told.append, options=AlertOptions())
        numbers = tuple(f"+4477009{n:05}" for n in range(45))
        await core.acceptance.keep(judge(core, "acme", to=numbers, message_id="<1@example.com>").plan)
        await watch.step()
        (alert,) = told
        assert alert.subject == "The traffic of customer acme looks inflated"
        assert "45 of 45 new numbers" in alert.text
        clock.move(timedelta(hours=30))
        await core.acceptance.keep(judge(core, "acme", "Again", to=numbers, message_id="<2@example.com>").plan)
        await watch.step()
        assert told == [alert]
    finally:
        core.database.close()
