"""Which mails a machine made in answer to something, and which alerts of machines pass."""

import pytest

from mta.words.automatic import NOTICE_HEADER, DropReason, classify
from mta.words.mime import Mail, MailLimits, read_mail


def mail_of(text):
    mail = read_mail(text.encode(), MailLimits())
    assert isinstance(mail, Mail)
    return mail


def judged(header, *, reverse_path="a@example.com", automatic_mail=True, own_domains=("sms.example.net",), body="hi"):
    mail = mail_of(f"From: a@example.com\r\n{header}\r\n\r\n{body}")
    return classify(
        mail,
        reverse_path,
        own_message_id=lambda message_id: message_id.endswith("@sms.example.net>"),
        own_domains=own_domains,
        automatic_mail=automatic_mail,
    )


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("Auto-Submitted: auto-replied", DropReason.AUTO_REPLY),
        ("auto-submitted: Auto-Replied (vacation); owner-email=x", DropReason.AUTO_REPLY),
        ("Precedence: auto_reply", DropReason.AUTO_REPLY),
        ("X-Autoreply: yes", DropReason.AUTO_REPLY),
        ("X-Autorespond: away", DropReason.AUTO_REPLY),
        ("Auto-Submitted: auto-generated\r\nIn-Reply-To: <mo.1@sms.example.net>", DropReason.AUTO_REPLY),
        ("Precedence: bulk\r\nReferences: <x@y> <mo.1@sms.example.net>", DropReason.AUTO_REPLY),
        ("Subject: Automatic reply: x\r\nIn-Reply-To: <mo.1@sms.example.net>", DropReason.AUTO_REPLY),
        ("Auto-Submitted: auto-generated\r\nSubject: Automatische Antwort: x", DropReason.AUTO_REPLY),
        ("Subject: Automatic reply: x\r\nIn-Reply-To: <theirs@example.org>", DropReason.AUTO_REPLY),
        ("Subject: Samodejni odgovor: x\r\nIn-Reply-To: <x@y>", DropReason.AUTO_REPLY),
        ("Subject: Automaatvastus: x\r\nIn-Reply-To: <x@y>", DropReason.AUTO_REPLY),
        ("Subject: Autom\u0101tisk\u0101 atbilde: x\r\nIn-Reply-To: <x@y>", DropReason.AUTO_REPLY),
        ("X-Failed-Recipients: b@example.com", DropReason.BOUNCE),
        ("Content-Type: multipart/report; report-type=delivery-status; boundary=b", DropReason.BOUNCE),
        ("Content-Type: multipart/report; boundary=b", DropReason.BOUNCE),
        ("Content-Type: message/delivery-status", DropReason.BOUNCE),
        ("Content-Type: multipart/report; report-type=disposition-notification; boundary=b", DropReason.RECEIPT),
        ("Content-Type: message/disposition-notification", DropReason.RECEIPT),
        ("List-Id: team <team.example.com>", DropReason.LIST),
        ("Precedence: LIST", DropReason.LIST),
        (f"{NOTICE_HEADER}: result", DropReason.OWN),
        ("Message-ID: <st.1@sms.example.net>", DropReason.OWN),
        ("\r\n".join(["Received: from a by b"] * 31), DropReason.LOOP),
    ],
)
def test_answers_bounces_lists_and_our_own_mail_are_dropped(header, reason):
    assert judged(header) is reason
    assert judged(header, automatic_mail=False) is reason


@pytest.mark.parametrize(
    "header",
    [
        "Subject: hi",
        "Auto-Submitted: no",
        "X-Auto-Response-Suppress: All",
        "Subject: Automatic reply: this is a test I typed",
        "Subject: Re: Automatic reply: x\r\nIn-Reply-To: <theirs@example.org>",
        "In-Reply-To: <mo.1@sms.example.net>",
        "List-Unsubscribe: <mailto:x@example.com>",
        "\r\n".join(["Received: from a by b"] * 30),
        "Disposition-Notification-To: a@example.com",
    ],
)
def test_mail_of_people_passes(header):
    assert judged(header) is None
    assert judged(header, automatic_mail=False) is None


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("Auto-Submitted: auto-generated", DropReason.AUTO_REPLY),
        ("Auto-Submitted: auto-notified", DropReason.AUTO_REPLY),
        ("Precedence: bulk", DropReason.LIST),
        ("X-MS-Exchange-Inbox-Rules-Loop: a@example.com", DropReason.AUTO_REPLY),
    ],
)
def test_alerts_of_machines_pass_where_the_customer_allows_them(header, reason):
    assert judged(header) is None
    assert judged(header, automatic_mail=False) is reason


@pytest.mark.parametrize("reverse_path", ["", "<>"])
def test_nothing_from_the_null_sender_is_text(reverse_path):
    assert judged("Subject: hi", reverse_path=reverse_path) is DropReason.BOUNCE
    assert judged("In-Reply-To: <mo.1@sms.example.net>", reverse_path=reverse_path) is DropReason.AUTO_REPLY


@pytest.mark.parametrize("author", ["MAILER-DAEMON@mx.example.com (Mail Delivery System)", "<mailer-daemon>"])
def test_a_daemon_bounces_whatever_its_envelope_says(author):
    mail = mail_of(f"From: {author}\r\n\r\nhi")
    assert classify(mail, "x@example.com", own_message_id=lambda _: False) is DropReason.BOUNCE


@pytest.mark.parametrize(("author", "reason"), [("+447700900123", DropReason.OWN), ("anna.keller", None)])
def test_our_own_numbers_and_not_our_people_are_senders_of_own_mail(author, reason):
    mail = mail_of(f"From: <{author}@sms.example.net>\r\n\r\nhi")
    assert classify(mail, "x@example.com", own_message_id=lambda _: False, own_domains={"sms.example.net"}) is reason


def test_a_report_that_is_attached_to_a_persons_mail_does_not_drop_it():
    body = (
        "--b\r\n\r\nLook at this bounce.\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: failed\r\n"
        "Content-Type: message/delivery-status\r\n\r\nAction: failed\r\n--b--\r\n"
    )
    assert judged("Content-Type: multipart/mixed; boundary=b", body=body) is None
