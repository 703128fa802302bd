"""Status mails stay in the conversation of their mail by Outlook's rules, though their subject says the result."""

import base64
from datetime import timedelta
from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from mta.sending.compose import MailIdentity, compose_notice
from mta.sending.outlook_thread import outlook_thread, topic_of
from sms.lifecycle import MessageState
from sms.report import NoticeKind
from templates.render import Renderer
from tests.kit.status_samples import ACCEPTED_AT, MAIL, NOW, REPORTED_AT, message, notice, report

RENDERER = Renderer()
IDENTITY = MailIdentity(
    from_name="SMS Gateway",
    from_address="status@sms.example.net",
    hostname="mx1.sms.example.net",
    message_id_domain="sms.example.net",
)
CLASSIC = "AdsW0kq9m3o1a0b5SxKq1u4oX2f7bg=="  # six bytes of the time
NEWER = "AQHWLRNo4NaOjvXU8EODe0ZotrA8Bw=="  # 01, five bytes of the time
ANSWERED = "AQHWLRNo4NaOjvXU8EODe0ZotrA8B6itzaxf"


def answer(header: bytes = b"", *, at=REPORTED_AT, key="N.1", **changes):
    """Return topic and index of an answer as a program reads them."""
    fields = outlook_thread(structs.replace(MAIL, header=header, **changes), ACCEPTED_AT, at, key)
    read = message_from_bytes(fields.encode() + b"\r\n", policy=policy.default)
    return read["Thread-Topic"], base64.b64decode(str(read["Thread-Index"]))


@pytest.mark.parametrize("index", [CLASSIC, NEWER, ANSWERED])
def test_the_index_of_an_answer_is_a_child_of_the_mails(index):
    parent = base64.b64decode(index)
    _, child = answer(f"Thread-Index: {index}\r\n".encode())
    assert child[: len(parent)] == parent
    assert len(child) == len(parent) + 5


@pytest.mark.parametrize("index", [CLASSIC, NEWER, ANSWERED])
def test_later_answers_stand_later_in_the_conversation(index):
    header = f"Thread-Index: {index}\r\n".encode()
    first = answer(header, at=REPORTED_AT)[1]
    later = answer(header, at=REPORTED_AT + timedelta(minutes=5))[1]
    assert first < later
    assert answer(header)[1] == first


def test_the_time_of_an_answer_counts_from_the_mail_in_steps_of_26_milliseconds():
    at = ACCEPTED_AT
    root = base64.b64encode(answer(at=at)[1][:22])
    child = answer(b"Thread-Index: " + root + b"\r\n", at=at + timedelta(hours=1))[1]
    steps = int.from_bytes(child[22:26], "big")
    assert abs(steps * (1 << 18) / 1e7 - 3600) < 0.1


def test_an_answer_after_years_has_the_longer_step():
    child = answer(b"Thread-Index: " + base64.b64encode(answer()[1][:22]) + b"\r\n", at=ACCEPTED_AT.replace(year=2030))
    delta = int.from_bytes(child[1][22:26], "big")
    assert delta >> 31 == 1
    assert abs((delta & 0x7FFFFFFF) * (1 << 23) / 1e7 / 86400 - 1461) < 1


@pytest.mark.parametrize(
    "broken", ["", "AQ", "ü", "AdsW0kq9m3o1a0b5SxKq1u4oX2f7bgAB", "AgHWLRNo4NaOjvXU8EODe0ZotrA8Bw==", "A" * 4000]
)
def test_without_a_usable_index_all_answers_to_a_thread_share_one(broken):
    header = f"Thread-Index: {broken}\r\n".encode()
    first, second = answer(header)[1], answer(header, at=NOW, key="N.2")[1]
    assert first[:22] == second[:22]
    assert len(first) == 27
    assert first[:22] != answer(header, message_id="<other@example.com>")[1][:22]
    assert first[6:22] == answer(header, references=MAIL.message_id, message_id="<next@example.com>")[1][6:22]


def test_an_index_as_long_as_may_be_grows_no_more():
    longest = base64.b64decode(CLASSIC) + bytes(200)
    assert answer(b"Thread-Index: " + base64.b64encode(longest) + b"\r\n")[1] == longest


@pytest.mark.parametrize(
    ("subject", "topic"),
    [
        ("Lieferung heute", "Lieferung heute"),
        ("Re: Lieferung heute", "Lieferung heute"),
        ("AW: WG: Lieferung", "Lieferung"),
        ("TR: RV: Lieferung", "Lieferung"),
        ("回复: Lieferung", "Lieferung"),
        ("10: Uhrzeit", "10: Uhrzeit"),
        ("Info: Lieferung", "Info: Lieferung"),
        ("Re:Lieferung", "Re:Lieferung"),
        ("[QOS:EXPRESS] Lieferung", "[QOS:EXPRESS] Lieferung"),
        ("Re: ", ""),
        ("", ""),
    ],
)
def test_the_topic_is_the_subject_without_prefixes_of_up_to_three_characters(subject, topic):
    assert topic_of(subject) == topic
    assert (answer(subject=subject)[0] or "") == topic


def test_the_topic_that_the_mail_names_itself_comes_first():
    header = b"Thread-Topic: =?utf-8?b?TGllZmVydW5nIGbDvHIgQW5uYQ==?=\r\nSubject: AW: something else\r\n"
    assert answer(header, subject="AW: something else")[0] == "Lieferung für Anna"


@given(header=st.binary(max_size=200), subject=st.text(max_size=60))
def test_whatever_the_mail_has_the_fields_of_the_answer_are_two(header, subject):
    fields = outlook_thread(
        structs.replace(MAIL, header=b"Thread-Index: " + header, subject=subject), ACCEPTED_AT, NOW, subject
    )
    assert fields.isascii()
    names = [line.partition(":")[0] for line in fields.split("\r\n") if line[:1].strip()]
    assert names in (["Thread-Topic", "Thread-Index"], ["Thread-Index"])


def in_one_conversation(*mails: bytes) -> bool:
    """Group mails by the rules of Outlook and Exchange, and by References (RFC 5256 §3, REFERENCES)."""
    read = [message_from_bytes(mail, policy=policy.default) for mail in mails]
    guids = {base64.b64decode(str(mail["Thread-Index"]))[6:22] for mail in read}
    topics = {str(mail["Thread-Topic"]).casefold() for mail in read}
    known = {str(mail["Message-ID"]) for mail in read[:1]}
    return len(guids) == len(topics) == 1 and all(known & set(str(mail["References"]).split()) for mail in read[1:])


def test_acceptance_result_and_correction_stay_with_the_mail_that_they_answer():
    sent = (
        b"From: anna@example.com\r\nSubject: [QOS:EXPRESS] Lieferung heute\r\nMessage-ID: <1@example.com>\r\n"
        b"Thread-Topic: [QOS:EXPRESS] Lieferung heute\r\nThread-Index: " + CLASSIC.encode() + b"\r\n"
    )
    origin = structs.replace(MAIL, subject="[QOS:EXPRESS] Lieferung heute", message_id="<1@example.com>", header=sent)
    news = (
        (NoticeKind.ACCEPTED, message(MessageState.QUEUED)),
        (NoticeKind.RESULT, message(MessageState.EXPIRED)),
        (NoticeKind.CORRECTION, message()),
    )
    told = [notice(report(one, mail=origin), kind, public_id=f"N.{kind}") for kind, one in news]
    mails = [compose_notice(one, identity=IDENTITY, renderer=RENDERER, now=NOW) for one in told]
    subjects = {str(message_from_bytes(mail.message, policy=policy.default)["Subject"]) for mail in mails if mail}
    assert subjects == {
        "Accepted for sending: Lieferung heute",
        "Not delivered in time: Lieferung heute",
        "Delivered: Lieferung heute",
    }
    assert in_one_conversation(sent + b"\r\n", *(mail.message for mail in mails if mail))
