"""The mails of inbound SMS and of lists of them: well-formed, threaded, signed, and no value can break them."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import dkim
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.inbound_lists import COLUMNS
from gateway.inbound_mail import Addressed
from gateway.ports import InboundList, InboundMail
from inbound.thread import Thread, read_thread
from mta.sending.compose import ComposedMail, CustomerTemplate, MailIdentity
from mta.sending.inbound import compose_inbound, compose_list, thread_index
from mta.sending.sign import KeyKind, Signer, new_key
from sms.settings import Settings
from templates.confined import ConfinedTemplates
from templates.graphics import Graphic
from templates.render import Renderer
from tests.kit.inbound_samples import RECEIVED_AT, TEXT, conversation, inbound, reader, went

RENDERER = Renderer()
IDENTITY = MailIdentity(
    from_name="SMS Gateway",
    from_address="status@sms.example.net",
    hostname="mx1.sms.example.net",
    message_id_domain="sms.example.net",
)
TOKEN = "r.abcdefghijklmnopqrstuvwxyz234567@sms.example.net"


def item(report=None, **changes) -> InboundMail:
    fields: dict[str, Any] = {
        "identity": "IN.4711",
        "recipient": "anna.keller@example.com",
        "report": report or inbound(),
        "user": "anna.keller@example.com",
        "created_at": RECEIVED_AT,
    }
    return InboundMail(**(fields | changes))


def compose(mail=None, who=None, reply_to=TOKEN, identity=IDENTITY, renderer=RENDERER, **more) -> ComposedMail:
    mail = mail or item()
    addressed = Addressed(report=mail.report, reader=who or reader(), reply_to=reply_to)
    return compose_inbound(mail, addressed, identity=identity, renderer=renderer, **more)


def read(composed: ComposedMail) -> EmailMessage:
    mail = message_from_bytes(composed.message, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    assert [part.defects for part in mail.walk()] == [[] for _ in mail.walk()]
    return mail


# The mail


def test_the_mail_reads_as_if_the_phone_had_written_it():
    report, who = conversation()
    mail = read(compose(item(report), who))
    assert mail["From"] == '"Jonas Weber (SMS +44 7700 900123)" <447700900123@sms.example.net>'
    assert mail["Reply-To"].addresses[0].addr_spec == TOKEN
    assert mail["Reply-To"].addresses[0].display_name == "Jonas Weber (SMS +44 7700 900123)"
    assert mail["To"] == "anna.keller@example.com"
    assert mail["Subject"] == mail["Thread-Topic"] == "SMS von +44 7700 900123"
    assert mail["Message-ID"] == "<in.IN.4711@sms.example.net>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Auto-Response-Suppress"] == "All"
    assert mail["X-Mail2SMS-Notice"] == "IN.4711"
    assert mail["Content-Language"] == "de"
    assert mail["List-Unsubscribe"] is None
    assert mail["Date"].datetime == RECEIVED_AT
    text, html = mail.iter_parts()
    assert TEXT.split("\n")[0] in text.get_content()
    assert "Jonas Weber" in html.get_content()


def test_without_a_name_from_shows_the_number_as_people_write_it():
    assert read(compose())["From"] == "SMS +44 7700 900123 <447700900123@sms.example.net>"


def test_the_envelopes_sender_is_null_so_that_no_bounce_comes_back():
    assert compose().envelope_from == ""


def test_all_mails_of_a_conversation_are_one_thread():
    first, second = compose(item()), compose(item(identity="IN.4712", previous="in.IN.4711"))
    late = compose(item(inbound(is_late=True), identity="IN.4713", previous="in.IN.4712"))
    mails = [read(mail) for mail in (first, second, late)]
    root = "<conv.77@sms.example.net>"
    assert [mail["In-Reply-To"] for mail in mails] == [root, mails[0]["Message-ID"], mails[1]["Message-ID"]]
    assert all(mail["References"].split()[0] == root for mail in mails)
    assert len({mail["Subject"] for mail in mails}) == len({mail["Thread-Topic"] for mail in mails}) == 1
    indexes = [base64.b64decode(mail["Thread-Index"]) for mail in mails]
    assert len({index[:22] for index in indexes}) == 1
    assert {len(index) for index in indexes} == {27}
    thread = read_thread(mails[2]["References"].split(), "sms.example.net")
    assert thread == Thread(roots=frozenset({77}), mails=frozenset({"IN.4712"}))


def test_other_conversations_are_other_threads():
    one, other = (read(compose(item(inbound(conversation_key=key)))) for key in (77, 78))
    assert one["References"] != other["References"]
    assert base64.b64decode(one["Thread-Index"])[:22] != base64.b64decode(other["Thread-Index"])[:22]


def test_outlook_reads_the_time_of_each_mail_from_the_thread_index():
    """MS-OXOMSG: the octets 1 to 5 are a FILETIME's high ones, the block's last 31 bits count 2^23 of its units."""
    octets = base64.b64decode(thread_index("<conv.1@x>", "IN.1", RECEIVED_AT))
    began = int.from_bytes(octets[:6] + b"\0\0", "big")
    block = int.from_bytes(octets[22:26], "big")
    assert block >> 31 == 1
    at = datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=(began + ((block & 0x7FFFFFFF) << 23)) / 10)
    assert abs(at - RECEIVED_AT) < timedelta(seconds=2)


def test_an_sms_of_no_conversation_has_no_thread():
    mail = read(compose(item(inbound(conversation_key=None))))
    assert [mail[name] for name in ("References", "In-Reply-To", "Thread-Index")] == [None] * 3


def test_a_sender_without_a_number_has_no_address_to_reply_to():
    mail = read(compose(item(inbound(phone="INFO")), reader(answerable=False), reply_to=""))
    assert mail["Reply-To"] is None
    assert mail["From"] == "SMS INFO <status@sms.example.net>"


def test_a_second_attempt_is_the_same_mail():
    assert compose().message == compose().message


@pytest.mark.parametrize(
    "name", ["Bob\r\nBcc: x@evil.example", 'B"ob\\', "Жанна", "x" * 300, "\u202eevil", "=?utf-8?q?x?="]
)
def test_no_value_becomes_a_field_of_its_own(name):
    composed = compose(item(inbound(phone="INFO", own_number=name, text=name, keyword=name)), reader(name=name), "")
    mail = read(composed)
    assert mail["Bcc"] is None
    assert "\u202e" not in str(mail["From"])
    assert composed.message.isascii()
    assert max(map(len, composed.message.split(b"\r\n"))) <= 120


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=100))
def test_whatever_an_sms_says_its_mail_has_crlf_line_ends_and_seven_bits(text):
    message = compose(item(inbound(text=text, earlier=(went(text),))), reader(name=text)).message
    assert message.isascii()
    assert message.count(b"\n") == message.count(b"\r") == message.count(b"\r\n")


@pytest.mark.usefixtures("patient")
def test_graphics_of_a_customers_template_travel_with_the_mail():
    logo = Graphic(name="logo", media_type="image/gif", content=b"GIF89a;")
    source = (
        '<!DOCTYPE html><html><head><title>x</title></head><body>{{ m.text }}<img src="cid:logo" alt=""></body></html>'
    )
    confined = ConfinedTemplates()
    try:
        composed = compose(
            item(inbound(text='src="cid:logo"')),
            renderer=Renderer(confinement=confined),
            template=CustomerTemplate(source=source, graphics={"logo": logo}),
        )
    finally:
        confined.close()
    kinds = [part.get_content_type() for part in read(composed).walk()]
    assert kinds == ["multipart/alternative", "text/plain", "multipart/related", "text/html", "image/gif"]
    assert composed.fallback == ""


@pytest.mark.parametrize("number_domain", ["", "numbers.example.org"])
def test_it_is_signed_with_the_keys_of_the_domain_that_it_comes_from(number_domain):
    identity = replace(IDENTITY, number_domain=number_domain)
    composed = compose(identity=identity)
    domain = number_domain or "sms.example.net"
    assert (composed.author_domain, read(composed)["From"].addresses[0].domain) == (domain, domain)


def test_a_dkim_signature_holds():
    key = new_key("sms.example.net", "mail1", KeyKind.ED25519)
    signed = Signer("sms.example.net", "mail1", key.private_pem).sign(compose().message, signed_at=RECEIVED_AT)
    assert dkim.DKIM(signed).verify(dnsfunc=lambda name, timeout=5: key.record_text.encode())
    assert b"reply-to" in signed.split(b"\r\n\r\n")[0].split(b"b=")[0].lower()


# Lists


def test_the_columns_of_a_list_are_documented():
    text = (Path(__file__).parents[2] / "docs" / "inbound-mails.md").read_text("utf-8").partition("## Lists")[2]
    assert tuple(line.split("`")[1] for line in text.splitlines() if line.startswith("| `")) == COLUMNS


@pytest.mark.parametrize(
    ("language", "whole", "said", "subject"),
    [
        ("en", False, "2 SMS have come since the last list.", "SMS list Opening hours, 23 Nov 2026"),
        ("de", True, "2 SMS sind aufbewahrt.", "SMS-Liste Opening hours, 23.11.2026"),
        ("es", False, "Han llegado 2 SMS desde la última lista.", "Lista de SMS Opening hours, 23 nov 2026"),
        ("fr", True, "2 SMS sont conservés.", "Liste de SMS Opening hours, 23 nov. 2026"),
    ],
)
def test_a_list_is_mailed_with_its_name_and_day(language, whole, said, subject):
    listed = InboundList(
        identity="IL.1",
        recipient="lists@example.com",
        customer_key=3,
        name="Opening hours",
        count=2,
        whole=whole,
        content=b"\xef\xbb\xbfid,text\r\nI.1,'=1+1\r\n",
        created_at=RECEIVED_AT,
    )
    composed = compose_list(listed, Settings(language=language), RENDERER.words(language), identity=IDENTITY)
    mail = read(composed)
    assert mail["Subject"] == subject
    text, file = mail.iter_parts()
    assert said in text.get_content()
    assert file.get_content_type() == "text/csv"
    assert file.get_filename() == "Opening-hours-2026-11-23.csv"
    assert file.get_payload(decode=True) == listed.content
    assert (composed.envelope_from, mail["Auto-Submitted"]) == ("", "auto-generated")
    assert mail["From"] == "SMS Gateway <status@sms.example.net>"
