"""Replies: one for every refusal, and nothing from outside that could add a line."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mta.smtp.engine import replies
from mta.smtp.engine.replies import REPLY_OF_REFUSAL, TEXT_LIMIT, Reply, printable, reply_to, status_lines
from sms.outcome import Refusal, Refused

SHAPE = re.compile(r"([245])\d\d \1\.\d{1,3}\.\d{1,3} [\x20-\x7e]{1,400}")
CONSTANTS = [value for value in vars(replies).values() if isinstance(value, Reply)]


@pytest.mark.parametrize("refusal", Refusal)
def test_every_refusal_has_a_reply_that_refuses(refusal):
    reply = REPLY_OF_REFUSAL[refusal]
    assert SHAPE.fullmatch(str(reply))
    assert reply.code >= 400


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (Refusal.NUMBER_MALFORMED, "550 5.1.3"),
        (Refusal.NUMBER_INVALID, "550 5.1.1"),
        (Refusal.SENDER_NOT_AUTHORISED, "550 5.7.1"),
        (Refusal.AUTHENTICATION_REQUIRED, "530 5.7.0"),
        (Refusal.AUTHENTICATION_FAILED, "535 5.7.8"),
        (Refusal.STOP_LIST, "550 5.7.1"),
        (Refusal.AUTOMATIC_MAIL, "550 5.7.1"),
        (Refusal.MAIL_LOOP, "554 5.4.6"),
        (Refusal.NO_ROUTE, "550 5.4.4"),
        (Refusal.NOT_ENCODABLE, "554 5.6.5"),
        (Refusal.NO_TEXT, "554 5.6.1"),
        (Refusal.TOO_MANY_RECIPIENTS, "452 4.5.3"),
        (Refusal.JOB_TOO_LARGE, "554 5.5.3"),
        (Refusal.RATE_LIMITED, "451 4.7.1"),
        (Refusal.NO_STORAGE, "452 4.3.1"),
        (Refusal.INTERNAL, "451 4.3.0"),
    ],
)
def test_the_codes_are_those_that_senders_know(refusal, code):
    assert str(reply_to(Refused(refusal=refusal))).startswith(code + " ")


@pytest.mark.parametrize("reply", CONSTANTS, ids=str)
def test_every_constant_is_a_well_formed_reply(reply):
    if reply is replies.SEND_CONTENT:
        assert str(reply) == "354 End data with <CR><LF>.<CR><LF>"
    else:
        assert SHAPE.fullmatch(str(reply))


def test_a_detail_is_appended_as_one_bounded_line():
    refused = Refused(refusal=Refusal.NUMBER_MALFORMED, detail="«12»\r\n250 injected\x00 " + "x" * 1000)
    text = str(reply_to(refused))
    assert text.startswith('550 5.1.3 Not a phone number: "12" 250 injected? xxx')
    assert len(text) <= TEXT_LIMIT + 10


@given(st.text())
def test_no_detail_breaks_a_reply(detail):
    for refusal in Refusal:
        assert SHAPE.fullmatch(str(reply_to(Refused(refusal=refusal, detail=detail))))


@pytest.mark.parametrize(
    ("status", "lines"),
    [
        ("250 2.1.0 OK", ["250 2.1.0 OK"]),
        ("250 OK", ["250 2.0.0 OK"]),
        ("250", ["250 2.0.0"]),
        ("354 go on", ["354 go on"]),
        ("550-first\r\n550 second", ["550-5.0.0 first", "550 5.0.0 second"]),
        ("550 first\n550 second\n", ["550-5.0.0 first", "550 5.0.0 second"]),
        ("451 oops\r\n250 injected", ["451 4.0.0 oops 250 injected"]),
        ("451 oops\rx\x07ü", ["451 4.0.0 oops x?"]),
        ("nonsense", ["451 4.3.0 Local error, try again later"]),
        ("", ["451 4.3.0 Local error, try again later"]),
        ("\r\n", ["451 4.3.0 Local error, try again later"]),
        ("99 x", ["451 4.3.0 Local error, try again later"]),
        ("250OK", ["451 4.3.0 Local error, try again later"]),
        ("٢50 OK", ["451 4.3.0 Local error, try again later"]),
    ],
)
def test_a_handlers_status_becomes_safe_lines(status, lines):
    code, found = status_lines(status)
    assert found == lines
    assert code == int(lines[0][:3])


def test_lines_of_a_hello_get_no_enhanced_code():
    assert status_lines("250-mx\r\n250 HELP", enhanced=False) == (250, ["250-mx", "250 HELP"])


@given(st.text(max_size=200))
def test_no_status_gives_anything_but_printable_lines_of_one_code(status):
    code, lines = status_lines(status)
    for line in lines:
        assert re.fullmatch(rf"{code}[ -][\x20-\x7e]*", line)
        assert len(line) < 510


@given(st.text(), st.integers(0, 100))
def test_printable_is_bounded_ascii(text, limit):
    assert re.fullmatch(rf"[\x20-\x7e]{{0,{limit}}}", printable(text, limit))


def test_quotation_marks_and_dashes_become_those_of_ascii():
    assert printable("«Acme» – “it’s” „so“ — Łdź", 80) == '"Acme" - "it\'s" "so" - ?d?'
