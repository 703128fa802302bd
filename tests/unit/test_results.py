"""A mail that does not show all recipients has a table with all of them."""

import csv
import io
from dataclasses import replace
from email import message_from_bytes, policy

import pytest

from addressbook.exchange import separator_for
from mta.sending.compose import MailIdentity, compose_notice
from sms.lifecycle import MessageState
from sms.outcome import ProblemCode
from sms.report import NoticeKind
from templates.render import Renderer
from templates.results import MOST_RESULTS, write_results
from templates.words import find_languages
from tests.kit.status_samples import NOW, TEXT, many, message, notice, report

RENDERER = Renderer()
IDENTITY = MailIdentity(
    from_name="SMS Gateway",
    from_address="status@sms.example.net",
    hostname="mx1.sms.example.net",
    message_id_domain="sms.example.net",
)


def table(job, language="en"):
    content = write_results(job, RENDERER.words(language))
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=separator_for(language)))


def attachments(job, kind=NoticeKind.RESULT):
    mail = compose_notice(notice(job, kind), identity=IDENTITY, renderer=RENDERER, now=NOW)
    assert mail is not None
    return list(message_from_bytes(mail.message, policy=policy.default).iter_attachments())


def test_a_mail_with_too_many_recipients_to_show_has_a_table_of_all():
    (file,) = attachments(many(300))
    assert (file.get_content_type(), file.get_filename()) == ("text/csv", "SMS-results-2026-11-23.csv")
    rows = list(csv.reader(io.StringIO(file.get_content().lstrip("\ufeff"), newline="")))
    assert len(rows) == 301
    rendered = RENDERER.render(NoticeKind.RESULT, many(300))
    assert "The attached table has all of them." in rendered.text
    assert "The attached table has all of them." in rendered.html


@pytest.mark.parametrize("count", [1, 2, 150])
def test_a_mail_that_shows_all_has_none(count):
    mail = compose_notice(notice(many(count)), identity=IDENTITY, renderer=RENDERER, now=NOW)
    assert mail is not None
    assert b"text/csv" not in mail.message
    assert b"multipart/mixed" not in mail.message


def test_each_row_says_who_what_when_how_much_and_why():
    failed = message(MessageState.FAILED, reason=ProblemCode.NUMBER_REFUSED, name="Ben", parts=())
    rows = table(report(message(name="Anna"), failed, time_zone="Europe/Berlin"))
    assert rows == [
        ["Number", "Name", "State", "Time (Europe/Berlin)", "Parts", "Reason"],
        ["'+44 7700 900123", "Anna", "delivered", "2026-11-23 08:15:19", "1", ""],
        [
            "'+44 7700 900123",
            "Ben",
            "not sent",
            "2026-11-23 08:15:19",
            "0",
            "The carrier refused the number. Check the number, then send the mail again.",
        ],
    ]


@pytest.mark.parametrize("language", find_languages())
def test_the_table_is_in_the_readers_language_and_has_no_word_of_the_sms(language):
    job = many(300, language=language)
    (file,) = attachments(job)
    name = RENDERER.words(language).say("results.file")
    assert file.get_filename() == f"{name}-2026-11-23.csv"
    assert RENDERER.words(language).say("results.state") in table(job, language)[0]
    assert TEXT not in file.get_content()


@pytest.mark.parametrize(
    "evil", ["=HYPERLINK(1)", "+1", "-1", "@x", "\t=1", "'=1", " =1", "\uff1d1", "\uff0b1", "\uff201"]
)
def test_no_cell_is_a_formula(evil):
    rows = table(report(message(name=evil), message(number="", given=evil, state=MessageState.REJECTED)))
    for row in rows[1:]:
        assert all(cell[:1] not in {*"=+-@\t\r\uff1d\uff0b\uff0d\uff20"} for cell in row)


def test_the_table_is_bounded_and_keeps_who_did_not_get_it():
    good, bad = message(), message(MessageState.EXPIRED)
    job = replace(report(), messages=(good,) * (MOST_RESULTS + 5) + (bad,))
    rows = table(job)
    assert len(rows) == MOST_RESULTS + 1
    assert rows[1][2] == "not delivered in time"
    assert "The attached table has 20,000 of them." in RENDERER.view(NoticeKind.RESULT, job).more
