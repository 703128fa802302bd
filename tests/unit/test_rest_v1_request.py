"""How the body of a job by REST version 1 is read: what is tolerated, and how what can't be read is named."""

import json
from datetime import UTC, timedelta

import pytest

from gateway.applications import ApplicationJob
from sms.settings import Unencodable
from web.rest_v1.request import read_job

ONE = "+447700900101"


def read(body):
    return read_job(body if isinstance(body, bytes) else json.dumps(body).encode(), UTC)


def job_of(recipient=None, **options):
    return {"messages": [{"text": "Hello", "recipients": [recipient or {"dst": ONE}]}], "options": options}


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", ["the body"]),
        (b"{", ["the body"]),
        (b"\xff\xfe", ["the body"]),
        (b"[" * 100_000, ["the body"]),
        (b"[]", ["the body"]),
        (b'"text"', ["the body"]),
        ({}, ["messages"]),
        ({"messages": []}, ["messages"]),
        ({"messages": {}}, ["messages"]),
        ({"messages": [7]}, ["messages[0]", "messages[0].text", "messages[0].recipients"]),
        ({"messages": [{"text": "x"}]}, ["messages[0].recipients"]),
        ({"messages": [{"text": 7, "recipients": [{"dst": ONE}]}]}, ["messages[0].text"]),
        ({"messages": [{"text": " ", "recipients": [{"dst": ONE}]}]}, ["messages[0].text"]),
        ({"messages": [{"text": "x", "recipients": [{}]}]}, ["messages[0].recipients[0].dst"]),
        ({"messages": [{"text": "x", "recipients": [{"dst": "\n"}]}]}, ["messages[0].recipients[0].dst"]),
        ({"messages": [{"text": "x", "recipients": [ONE]}]}, ["messages[0].recipients[0]"]),
    ],
)
def test_a_body_that_cannot_be_read_is_named_by_field_and_expected_form(body, fields):
    bad = read(body)
    assert [item.field for item in bad][: len(fields)] == fields
    assert all(item.expected for item in bad)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("src", "much too long a sender"),
        ("src", 7.5),
        ("encoding", "EBCDIC"),
        ("billcode", "x" * 71),
        ("billcode", "two\nlines"),
        ("statusRequested", "perhaps"),
        ("flash", 7),
        ("customerRef", ["x"]),
        ("validityMin", "soon"),
        ("validityMin", -5),
        ("validityMin", True),
        ("maxParts", 1.5),
        ("invalidCharacters", "EAT"),
        ("qos", "FAST"),
        ("jobPeriod", "tomorrow"),
        ("jobPeriod", 20261130),
        ("jobPeriod", "0001-01-01T00:00:00Z"),
        ("duplicateDetection", "no idea"),
        ("blackoutPeriods", "2026-11-30T12:00:00Z"),
        ("blackoutPeriods", ["2026-11-30T12:00:00Z/2026-11-30T11:00:00Z"]),
        ("blackoutPeriods", [7]),
        ("blackoutPeriods", {"start": 1}),
    ],
)
def test_an_option_that_cannot_be_read_is_named(name, value):
    assert [item.field for item in read(job_of(**{name: value}))] == [f"options.{name}"]


def test_a_body_of_many_faults_names_the_first_of_them():
    bad = read({"messages": [{"text": "x", "recipients": [{}] * 1000}]})
    assert len(bad) == 20


@pytest.mark.parametrize("name", ["statusRequested", "status_requested", "STATUSREQUESTED"])
@pytest.mark.parametrize(("value", "truth"), [(True, True), ("True", True), ("1", True), (1, True), ("false", False)])
def test_names_and_truths_are_read_in_the_ways_of_all_clients(name, value, truth):
    job = read(job_of(**{name: value}))
    assert isinstance(job, ApplicationJob)
    assert job.options == {"delivery_receipt": truth}


@pytest.mark.parametrize("name", ["customerRef", "customer_ref", "customRef"])
def test_the_reference_of_a_recipient_has_three_names(name):
    ((_, (recipient,)),) = read(job_of({"dst": ONE, name: "Anna"})).texts
    assert recipient.reference == "Anna"


def test_null_is_nothing():
    body = {"options": dict.fromkeys(("src", "qos", "flash", "blackoutPeriods", "jobPeriod", "validityMin"))}
    recipient = {"dst": ONE, "customerRef": None, "blackoutPeriods": None}
    job = read(body | {"messages": [{"text": "Hello", "recipients": [recipient]}]})
    assert (job.options, job.start_at, job.blackouts, job.ignored_options) == ({}, None, (), ())
    assert read({"options": None, "messages": [{"text": "x", "recipients": [recipient]}]}).options == {}


@pytest.mark.parametrize(
    "instant", ["2027-01-02T15:04:05.5+0100", "2027-01-02 15:04:05.5+01:00", "2027-01-02T14:04:05.5Z"]
)
def test_an_instant_is_read_in_the_ways_of_all_clients(instant):
    assert read(job_of(jobPeriod=instant)).start_at.isoformat() == "2027-01-02T14:04:05.500000+00:00"


@pytest.mark.parametrize("as_list", [True, False])
def test_blackout_periods_are_a_list_or_one_string_and_last_an_hour_at_least(as_list):
    period = "2027-01-02T22:00:00Z/2027-01-02T22:10:00Z"
    job = read(job_of(blackoutPeriods=[period] if as_list else period))
    (blackout,) = job.blackouts
    assert blackout.end_at - blackout.start_at == timedelta(hours=1)


def test_no_periods_of_a_recipient_leave_those_of_the_job():
    ((_, (recipient,)),) = read(job_of({"dst": ONE, "blackoutPeriods": []})).texts
    assert recipient.blackouts is None


@pytest.mark.parametrize(
    ("word", "meaning"),
    [("refuse", "reject"), ("REPLACE", "simple"), ("To_UTF16", "switch"), ("TRANSLITERATE", "smart")],
)
def test_what_is_done_with_other_characters_is_one_of_four_words(word, meaning):
    assert read(job_of(invalidCharacters=word)).options == {"unencodable": Unencodable(meaning)}


def test_a_byte_order_mark_is_left_out():
    assert isinstance(read(b"\xef\xbb\xbf" + json.dumps(job_of()).encode()), ApplicationJob)
