"""Status mails are well-formed mails that no value can break, read back by the standard library's parser."""

import re
from base64 import encodebytes
from dataclasses import replace
from datetime import UTC
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr, parsedate_to_datetime

import dkim
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from gateway.ports import AlertMail
from mta.sending.compose import ComposedMail, MailIdentity, compose_alert, compose_notice
from mta.sending.fields import (
    base64_lines,
    date,
    mailbox,
    message_ids,
    quoted_printable,
    scrub,
    thread,
    unstructured,
    with_crlf,
)
from mta.sending.sign import KeyKind, Signer, new_key
from sms.lifecycle import MessageState
from sms.report import NoticeKind
from sms.settings import ReportFormat
from templates.render import Renderer
from tests.kit.status_samples import MAIL, NOW, everything, many, message, notice, report

RENDERER = Renderer()
IDENTITY = MailIdentity(
    from_name="SMS Gateway",
    from_address="status@sms.example.net",
    hostname="mx1.sms.example.net",
    message_id_domain="sms.example.net",
)


def compose(told=None, **changes) -> ComposedMail:
    composed = compose_notice(told or notice(), identity=replace(IDENTITY, **changes), renderer=RENDERER, now=NOW)
    assert composed is not None
    return composed


def read(composed: ComposedMail) -> EmailMessage:
    mail = message_from_bytes(composed.message, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    assert mail.defects == []
    return mail


def test_a_status_mail_has_the_headers_that_keep_machines_quiet_and_threads_together():
    mail = read(compose(notice(everything())))
    assert mail["From"] == "SMS Gateway <status@sms.example.net>"
    assert mail["To"] == "anna.keller@example.com"
    assert mail["Subject"] == "Nicht rechtzeitig zugestellt: Lieferung heute"
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail["X-Auto-Response-Suppress"] == "All"
    assert mail["In-Reply-To"] == mail["References"] == MAIL.message_id
    assert mail["X-Mail2SMS-Notice"] == "N.20261123071519Z77C1A0"
    assert mail["Content-Language"] == "de"
    assert parsedate_to_datetime(mail["Date"]) == NOW


@pytest.mark.parametrize("subject", ["[JOBPERIOD:2026-12-03T08:00:00Z] Morgenruf", "Morgenruf [QOS:EXPRESS]"])
def test_the_subject_of_a_status_mail_has_no_options(subject):
    mail = read(compose(notice(report(mail=structs.replace(MAIL, subject=subject)))))
    assert mail["Subject"] == "Delivered: Morgenruf"


def test_what_is_no_option_stays_in_the_subject():
    mail = read(compose(notice(report(mail=structs.replace(MAIL, subject="[Ticket 12] Lieferung")))))
    assert mail["Subject"] == "Delivered: [Ticket 12] Lieferung"


def test_the_envelope_sender_is_null():
    assert compose().envelope_from == ""


def test_text_comes_before_html_and_both_read_as_they_were_rendered():
    told = notice(everything())
    rendered = RENDERER.render(told.kind, told.report)
    mail = read(compose(told))
    assert mail.get_content_type() == "multipart/alternative"
    text, html = mail.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert text.get_content().replace("\r\n", "\n") == rendered.text + "\n"
    assert html.get_content().replace("\r\n", "\n") == rendered.html


def test_a_second_attempt_has_the_same_message_id():
    first, second = compose(), compose(replace(notice(), attempt=2))
    assert first.message_id == second.message_id == "<st.N.20261123071519Z77C1A0@sms.example.net>"
    assert f"Message-ID: {first.message_id}\r\n".encode() in first.message


@pytest.mark.parametrize("kind", NoticeKind)
@pytest.mark.parametrize("job", [report(), everything(), many(40)], ids=["plain", "everything", "many"])
def test_the_mail_travels_over_seven_bits_in_short_lines(job, kind):
    message = compose(notice(job, kind)).message
    assert message.isascii()
    assert message.count(b"\n") == message.count(b"\r") == message.count(b"\r\n")
    assert max(map(len, message.split(b"\r\n"))) <= 78
    assert message.endswith(b"\r\n")


@pytest.mark.parametrize("name", ["SMS Gateway", "Müller & Söhne – SMS", 'The "best" <gateway>, Ltd.', "", "ü" * 90])
def test_the_senders_name_is_read_back_as_configured(name):
    # compat32, since the newer parser of 3.11 puts blanks between encoded words of a name
    shown, address = parseaddr(message_from_bytes(compose(from_name=name).message)["From"])
    assert (str(make_header(decode_header(shown))), address) == (name, "status@sms.example.net")


EVIL = "x\r\nBcc: eve@example.org\r\n\r\n<script>\n.\nQUIT\r\n"


def test_no_value_becomes_a_header_of_its_own():
    origin = structs.replace(MAIL, subject=EVIL, message_id=f"<a@b>{EVIL}", references=EVIL, header_from=EVIL)
    job = report(
        message(text=EVIL, number="", given=EVIL, sender_id=EVIL),
        mail=origin,
        reference=EVIL,
        cost_centre=EVIL,
        public_id=EVIL,
    )
    composed = compose(notice(job, public_id=EVIL, recipient="a@example.com\r\nBcc: eve@example.org"), from_name=EVIL)
    mail = read(composed)
    assert mail["Bcc"] is None
    assert set(mail.keys()) == {
        "From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Thread-Topic", "Thread-Index", "Auto-Submitted", "Content-Language",
        "X-Auto-Response-Suppress", "X-Mail2SMS-Notice", "MIME-Version", "Content-Type",
    }  # fmt: skip
    assert b"\r\n.\r\n" not in composed.message


@given(text=st.text(max_size=300), name=st.sampled_from(["Subject", "X-Mail2SMS-Notice"]))
def test_any_subject_is_one_field_and_reads_back(text, name):
    field = unstructured(name, text)
    assert field.isascii()
    assert field.endswith("\r\n")
    assert all(line[0] in " \t" and line.strip() for line in field.split("\r\n")[1:-1])
    mail = message_from_bytes(field.encode() + b"\r\n", policy=policy.default)
    assert mail.keys() == [name]
    assert " ".join(str(mail[name]).split()) == " ".join(scrub(text).split())
    assert max(map(len, field.split("\r\n"))) <= 998


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=400))
def test_any_text_survives_quoted_printable(text):
    body = (
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        + quoted_printable(text)
    )
    assert body.isascii()
    assert max(map(len, body.split(b"\r\n"))) <= 76
    assert b"=_" not in body
    decoded = message_from_bytes(body, policy=policy.default).get_payload(decode=True)
    assert isinstance(decoded, bytes)
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    assert decoded.replace(b"\r\n", b"\n") == (lines.rstrip("\n") + "\n").encode()
    assert ends_in_crlf_only(body)


def ends_in_crlf_only(message: bytes) -> bool:
    return message.count(b"\r") == message.count(b"\r\n") == message.count(b"\n")


@given(octets=st.binary(max_size=6000))
def test_any_octets_survive_base64_in_lines_of_76(octets):
    lines = base64_lines(octets)
    assert lines == encodebytes(octets).replace(b"\n", b"\r\n")


@given(pieces=st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b".", b" "]), max_size=30))
def test_line_ends_of_any_kind_become_crlf_and_nothing_else_changes(pieces):
    message = b"".join(pieces)
    expected = b"\n".join(re.split(rb"\r\n|\r|\n", message))
    assert with_crlf(message).replace(b"\r\n", b"\n") == expected
    assert ends_in_crlf_only(with_crlf(message))


_any_text = st.text(st.characters() | st.sampled_from('\r\n\v\f\x1c\x85\u2028\u2029.\0 :;<>@"'), max_size=60)


@given(text=_any_text, kind=st.sampled_from(NoticeKind), machine=st.booleans())
def test_whatever_stands_in_a_report_its_mail_has_crlf_line_ends_only(text, kind, machine):
    header = text.encode("utf-8", "replace")
    origin = structs.replace(MAIL, subject=text, message_id=text, references=text, helo=text, envid=text, header=header)
    given_message = message(
        MessageState.UNDELIVERED,
        text=text,
        cut=text,
        number=text,
        given=text,
        sender_id=text,
        problem=text,
        orcpt=f"rfc822;{text}",
    )
    job = report(
        given_message,
        message(),
        mail=origin,
        reference=text,
        cost_centre=text,
        public_id=text,
        report_format=ReportFormat.DSN if machine else ReportFormat.HTML,
    )
    told = notice(job, kind, public_id=text, recipient=text)
    composed = compose_notice(told, identity=replace(IDENTITY, from_name=text), renderer=RENDERER, now=NOW)
    if composed is None:
        assert machine
    else:
        assert ends_in_crlf_only(composed.message)
    alert = AlertMail(identity=text, recipient=text, subject=text, text=text)
    assert ends_in_crlf_only(compose_alert(alert, identity=IDENTITY, renderer=RENDERER, now=NOW).message)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("<a@b>", ["<a@b>"]),
        ("a@b", ["<a@b>"]),
        ("  ", []),
        ("<a@b> (comment) <c@d>", ["<a@b>", "<c@d>"]),
        ("<a b@c>", []),
        ("<ü@b>", []),
        ("<a@b", []),
    ],
)
def test_message_ids_are_found_or_left_out(field, expected):
    assert message_ids(field) == expected


def test_a_mail_without_an_id_is_answered_without_a_thread():
    assert thread("", "<a@b>") == ""
    assert read(compose(notice(report(mail=None))))["In-Reply-To"] is None


def test_a_long_thread_keeps_its_root_and_its_newest_mails():
    references = " ".join(f"<{index}@example.com>" for index in range(100))
    kept = message_ids(thread("<answered@example.com>", references).partition("References:")[2])
    assert kept[0] == "<0@example.com>"
    assert kept[-2:] == ["<99@example.com>", "<answered@example.com>"]
    assert len(kept) == 20


def test_an_address_beyond_ascii_asks_for_smtputf8():
    composed = compose(notice(recipient="jürgen@example.com"))
    assert composed.smtputf8
    assert "To: <jürgen@example.com>\r\n".encode() in composed.message
    assert not compose().smtputf8


def test_the_field_of_a_long_name_is_folded():
    assert mailbox("From", "A" * 70, "status@sms.example.net") == f"From: {'A' * 70}\r\n <status@sms.example.net>\r\n"


@pytest.mark.parametrize("kind", KeyKind)
@pytest.mark.parametrize(
    "job", [report(), everything(), many(500), report(message(notify="SUCCESS"), report_format=ReportFormat.DSN)]
)
def test_every_mail_that_is_composed_here_verifies_when_signed(job, kind):
    key = new_key("sms.example.net", "s1", kind)
    signed = Signer("sms.example.net", "s1", key.private_pem).sign(compose(notice(job)).message, signed_at=NOW)
    assert dkim.verify(signed, dnsfunc=lambda name, timeout=5: key.record_text.encode())


def test_a_machine_is_told_nothing_where_no_dsn_is_due():
    told = notice(report(report_format=ReportFormat.DSN), NoticeKind.ACCEPTED)
    assert compose_notice(told, identity=IDENTITY, renderer=RENDERER, now=NOW) is None


def test_one_event_makes_either_a_dsn_or_a_mail_for_people():
    job = report(message(notify="SUCCESS,FAILURE"), report_format=ReportFormat.DSN)
    dsn = read(compose(notice(job)))
    assert dsn.get_content_type() == "multipart/report"
    assert not [part for part in dsn.walk() if part.get_content_type() == "text/html"]
    html = read(compose(notice(replace(job, settings=replace(job.settings, report_format=ReportFormat.HTML)))))
    assert html.get_content_type() == "multipart/alternative"
    assert not [part for part in html.walk() if part.get_content_type() == "message/delivery-status"]


@given(
    instant=st.datetimes(
        NOW.replace(tzinfo=None, year=1970),
        NOW.replace(tzinfo=None, year=2099),
        timezones=st.timezones() | st.just(UTC),
        allow_imaginary=False,
    )
)
def test_a_date_is_written_as_the_standard_library_does(instant):
    assert date(instant) == format_datetime(instant.astimezone(UTC))
