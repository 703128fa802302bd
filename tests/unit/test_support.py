"""Support requests: opened about a job with its trace, answered by either side, by mail too, solved and closed."""

import json
import re
from functools import partial

import pytest

from addressbook.support import RequestState, Side
from gateway.accept import Accepted
from gateway.admin import customers, support
from gateway.admin.edit import Administration
from gateway.admin.faults import FaultCode
from gateway.admin.support import SupportDesk
from gateway.support_address import read_address, write_address
from gateway.support_mails import SupportMails
from mta.support_mail import SupportDoor
from sms.outcome import Refusal, Refused
from store.support import SupportPostRow, SupportRequestRow, find_request, posts_of
from tests.kit.admin_harness import AdminHarness
from tests.kit.clock import Clock
from tests.kit.testbed import judge, open_core

DESK = SupportDesk(address="desk@example.net", domain="sms.example.net")
SECRET = b"s" * 32


@pytest.fixture
def office(database_url):
    made = AdminHarness(database_url)
    for name in ("acme", "zeta"):
        made.do(customers.add_customer, name)
    made.admin.who = "anna@example.com"
    yield made
    made.close()


def opened(office, **given):
    facts = {"subject": "No SMS", "text": "Nothing arrives.", "desk": DESK, **given}
    return office.do(support.open_request, "acme", **facts).facts["request"]


def letters(office):
    return office.tables.letters()


def state_of(office, request):
    return office.look(find_request, request).state


def test_a_request_goes_to_the_desk_with_an_address_for_the_answer(office):
    request = opened(office)
    ((recipient, about),) = letters(office)
    assert (recipient, about["words"]) == ("desk@example.net", "support-opened")
    assert json.loads(about["fields"])["request"] == request
    assert re.fullmatch(r"support\+[a-z2-7]+@sms\.example\.net", about["reply_to"])
    assert office.look(support.list_requests)[0]["state"] == "open"


def test_the_desks_answer_waits_for_the_customer_whose_answer_opens_the_request_again(office):
    request = opened(office)
    office.do(support.answer_request, request, text="Which number?", desk=DESK)
    assert state_of(office, request) is RequestState.WAITING
    office.do(support.answer_request, request, text="All of them.", side=Side.CUSTOMER, customer="acme", desk=DESK)
    assert state_of(office, request) is RequestState.OPEN
    assert [recipient for recipient, _ in letters(office)] == [
        "desk@example.net",
        "anna@example.com",
        "desk@example.net",
    ]
    office.do(support.close_request, request, solved=True, desk=DESK)
    assert office.look(support.list_requests) == []
    office.do(support.answer_request, request, text="Not yet.", side=Side.CUSTOMER, desk=DESK)
    assert state_of(office, request) is RequestState.OPEN
    office.do(support.close_request, request, desk=DESK)
    fault = office.refuse(support.answer_request, request, text="Again", desk=DESK)
    assert fault == (FaultCode.REQUEST_IS_CLOSED, {"request": request})


def test_another_customer_neither_answers_nor_closes_a_request(office):
    request = opened(office)
    for use_case in (partial(support.answer_request, text="Mine"), support.close_request):
        assert office.refuse(use_case, request=request, customer="zeta")[0] is FaultCode.NO_REQUEST


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"subject": " "}, FaultCode.BAD_SUBJECT),
        ({"subject": "x" * 151}, FaultCode.BAD_SUBJECT),
        ({"text": "\n"}, FaultCode.BAD_TEXT),
        ({"text": "x" * 20_001}, FaultCode.BAD_TEXT),
        ({"job": "J.20261123-160000.000-aaaaaaaaaa"}, FaultCode.NO_SUCH_JOB),
    ],
)
def test_what_is_no_request_is_refused(office, given, code):
    facts = {"subject": "No SMS", "text": "Nothing arrives.", **given}
    assert office.refuse(support.open_request, "acme", **facts)[0] is code


async def test_a_request_about_a_job_has_its_trace_and_that_of_another_customer_is_not_there(house):
    core = open_core(house, Clock())
    try:
        kept = await core.acceptance.keep(judge(core, "acme", "Secret words").plan)
        assert isinstance(kept, Accepted)
        made = AdminHarness.__new__(AdminHarness)
        made.database = core.database
        made.admin = Administration(core.database, core.keys, "anna@example.com", core.clock.now)
        made.do(customers.add_customer, "stranger")
        request = opened(made, job=kept.job_id)
        trace = made.look(find_request, request).trace
        assert kept.job_id in trace
        assert "queued" in trace
        assert "Secret words" not in trace
        fault = made.refuse(support.open_request, "stranger", subject="A", text="B", job=kept.job_id)
        assert fault == (FaultCode.NO_SUCH_JOB, {"job": kept.job_id})
    finally:
        core.database.close()


def test_an_address_names_its_request_and_side_and_cannot_be_made_up():
    for side in Side:
        local, _, domain = write_address(SECRET, 1234567890123456, side, "sms.example.net").partition("@")
        assert domain == "sms.example.net"
        assert len(local) <= 64
        assert read_address(SECRET, local.upper()) == (1234567890123456, side)
        assert read_address(b"t" * 32, local) is None
        assert read_address(SECRET, local[:-1]) is None
    for wrong in ("support+", "support+aaaa", "support+ä", "postmaster"):
        assert read_address(SECRET, wrong) is None


def mail(text="It is mended.", sender="desk@example.net", **fields):
    lines = [f"From: {sender}", "To: support@sms.example.net", "Subject: Re: No SMS", "Message-ID: <a@example.net>"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return (
        "\r\n".join(lines)
        + f"\r\n\r\n{text}\r\n\r\nOn Mon, 23 Nov 2026 at 16:00, Anna <anna@example.com> wrote:\r\n> Nothing arrives.\r\n"
    ).encode()


async def test_an_answer_by_mail_reaches_the_request_once_with_its_own_words(office):
    request = opened(office)
    local = letters(office)[0][1]["reply_to"].partition("@")[0]
    kicks = []
    mails = SupportMails(
        database=office.database,
        keys=office.keys,
        clock=Clock(),
        desk=DESK,
        written=lambda: kicks.append(1),
    )
    door = SupportDoor(mails, own_message_id=lambda _: False)
    for _ in range(2):
        assert await door.take(mail(), "desk@example.net", local) is None
    key = office.look(find_request, request).key
    posts = office.look(posts_of, key)
    assert [(post.side, post.author, post.text) for post in posts] == [
        (Side.CUSTOMER, "anna@example.com", "Nothing arrives."),
        (Side.DESK, "desk@example.net", "It is mended."),
    ]
    assert state_of(office, request) is RequestState.WAITING
    assert [recipient for recipient, _ in letters(office)] == ["desk@example.net", "anna@example.com"]


@pytest.mark.parametrize(
    ("fields", "reverse_path"),
    [({"Auto_Submitted": "auto-replied"}, "anna@example.com"), ({}, ""), ({"X_Autoreply": "yes"}, "anna@example.com")],
    ids=["a vacation notice", "a bounce", "an automatic answer"],
)
async def test_what_a_machine_wrote_ends_silently_so_that_no_loop_begins(office, fields, reverse_path):
    request = opened(office)
    local = letters(office)[0][1]["reply_to"].partition("@")[0]
    mails = SupportMails(database=office.database, keys=office.keys, clock=Clock(), desk=DESK, written=lambda: None)
    door = SupportDoor(mails, own_message_id=lambda _: False)
    text = "Mail delivery failed" if not reverse_path else "I am away."
    sender = "MAILER-DAEMON@example.com" if not reverse_path else "anna@example.com"
    taken = await door.take(mail(text, sender, **fields), reverse_path, local)
    assert taken is None
    assert len(office.look(posts_of, office.look(find_request, request).key)) == 1


async def test_an_address_that_nobody_signed_and_a_closed_request_take_no_answer(office):
    request = opened(office)
    local = letters(office)[0][1]["reply_to"].partition("@")[0]
    mails = SupportMails(database=office.database, keys=office.keys, clock=Clock(), desk=DESK, written=lambda: None)
    for wrong in ("support+aaaa", local[:-2] + "aa"):
        refused = await mails.take(wrong, "mallory@example.org", "Hello", "d")
        assert isinstance(refused, Refused)
        assert refused.refusal is Refusal.ADDRESS_UNKNOWN
    office.do(support.close_request, request)
    closed = await mails.take(local, "desk@example.net", "Hello", "d")
    assert isinstance(closed, Refused)
    assert "closed" in closed.detail


def test_a_removed_customer_leaves_no_request_and_no_post(office):
    opened(office)
    office.do(customers.remove_customer, "acme")
    assert office.tables.stored(SupportRequestRow) == office.tables.stored(SupportPostRow) == []
