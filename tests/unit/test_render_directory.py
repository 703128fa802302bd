"""What the mails about a customer's directory say, in every language, and that no entry can be more than text in them."""

import email
import email.policy
import string

import pytest

from addressbook.changes import ChangeFaultCode
from addressbook.guard import HoldCode
from addressbook.runs import NotTaken, Reason, RunLine
from addressbook.sync_plan import LISTS
from addressbook.user_plan import UserAction
from dirsync.source import ReadFaultCode
from gateway.directory_sync import BROKEN, ENDED
from gateway.ports import DirectoryMail
from mta.sending.compose import MailIdentity
from mta.sending.directory import compose_directory
from templates.directory_view import DirectoryEvent, say_counts, say_line
from templates.render import LARGEST_HTML, Renderer
from templates.words import Dictionary, find_languages
from tests.kit.directory_samples import READ_AT, failed, faulty, held, news
from tests.unit.test_render_inbound import words_of
from tests.unit.test_render_outlook import problems_of

RENDERER = Renderer()
WORDS = Dictionary()
SAMPLES = {
    "held": held,
    "failed": failed,
    "faulty": faulty,
    "refused": lambda language: faulty(language, DirectoryEvent.REFUSED),
    "taken": lambda language: news(DirectoryEvent.TAKEN, language, counts={"add": 3}),
    "recovered": lambda language: news(DirectoryEvent.RECOVERED, language),
}
IDENTITY = MailIdentity(
    from_name="SMS", from_address="sms@sms.example.net", hostname="mx.example.net", message_id_domain="sms.example.net"
)


def composed(told):
    mail = DirectoryMail(
        identity="DI.7", recipient="it@example.com", customer_key=1, run_key=4711, event=told.event, created_at=READ_AT
    )
    made = compose_directory(mail, told, identity=IDENTITY, renderer=RENDERER)
    return email.message_from_bytes(made.message, policy=email.policy.default)


@pytest.mark.parametrize("language", find_languages())
@pytest.mark.parametrize("sample", SAMPLES)
def test_words_engine_ignores_nothing_that_the_mail_relies_on(sample, language):
    rendered = RENDERER.render_directory(SAMPLES[sample](language))
    assert problems_of(rendered.html) == []
    assert rendered.language == language
    assert len(rendered.html) < LARGEST_HTML


@pytest.mark.parametrize("language", find_languages())
@pytest.mark.parametrize(("section", "codes"), [("read", ReadFaultCode), ("row", ChangeFaultCode), ("guard", HoldCode)])
def test_every_fault_and_every_reason_has_a_sentence_with_its_own_facts(section, codes, language):
    texts = WORDS.words(language).texts
    for code in codes:
        fields = {name for _, name, _, _ in string.Formatter().parse(str(texts[f"{section}.{code}"])) if name}
        assert fields <= set(code.facts), code


@pytest.mark.parametrize("language", find_languages())
def test_each_action_of_a_plan_has_words(language):
    words = WORDS.words(language)
    for action in [*UserAction, LISTS]:
        assert say_counts({action: 2}, words).startswith("2 ")
        line = RunLine(action=f"sync.{action}", target="anna@example.com")
        assert say_line(line, words) not in ("", f"user-line.{action}")


def test_a_fault_says_how_to_mend_it():
    told = RENDERER.render_directory(failed()).text
    assert "refuses cn=reader,dc=example,dc=com: 49 invalidCredentials. Check bind_dn and the password in pass" in told
    assert "3 times since 23 Nov 2026, 05:15 CET" in told


def test_what_waits_shows_its_reasons_its_first_lines_and_the_command_that_approves_it():
    rendered = RENDERER.render_directory(held(lines=200))
    said = words_of(rendered.html)
    for words in (
        "Changes wait for your approval Nothing was changed: all users send as before.",
        "mail2sms dirsync approve 9f86d081884c7d65 --config /etc/mail2sms.toml",
        "anna@example.com cost_centre: 4711 → 4712",
        "cleo@example.com new: name Cleo Ward, phone +447700900123",
        "and 150 more lines, which the attached file has",
    ):
        assert words in said
    assert rendered.subject == "Directory «head-office»: changes wait for your approval"


def test_the_whole_difference_is_attached_and_no_cell_of_it_is_a_formula():
    mail = composed(held(lines=200))
    (attached,) = mail.iter_attachments()
    lines = attached.get_content().splitlines()
    assert attached.get_filename() == "head-office-changes-2026-11-23.csv"
    assert len(lines) == 201
    assert lines[3] == "sync.change,ben@example.com,sender_id,'=EXAMPLE,"


def test_rows_at_fault_are_attached_with_their_line():
    (attached,) = composed(faulty("de")).iter_attachments()
    assert attached.get_content().splitlines()[1] == '"Zeile 3, profile",es gibt kein Profil «=Sales»'


def test_nothing_that_answers_by_itself_answers_such_a_mail():
    mail = composed(failed())
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content_type() == "multipart/alternative"


def test_an_entry_is_text_and_never_markup():
    evil = '<script>alert(1)</script> {{ 7*7 }} \u202e"'
    reason = Reason(section="row", code="bad-address", facts={"given": evil})
    told = news(DirectoryEvent.FAULTY, faults=(NotTaken(who=evil, reason=reason),), directory=evil)
    rendered = RENDERER.render_directory(told)
    assert "<script" not in rendered.html
    assert "\u202e" not in rendered.html + rendered.text + rendered.subject
    assert "{{ 7*7 }}" in words_of(rendered.html)


def test_a_code_that_no_catalogue_knows_keeps_its_facts():
    reason = Reason(section="row", code="solar-flare", facts={"given": "42", "by": "the sun"})
    told = news(DirectoryEvent.FAULTY, faults=(NotTaken(line=2, reason=reason),))
    assert "line 2: solar-flare: 42, the sun" in RENDERER.render_directory(told).text


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (RunLine(action="sync.missing", target="a", field="missing", before="off", after="on"), "is gone and may not"),
        (RunLine(action="sync.add", target="a", after="name Anna"), "new: name Anna"),
        (RunLine(action="sync.remove", target="a", before="name Anna"), "is removed: name Anna"),
        (RunLine(action="sync.adopt", target="a", field="cost_centre", before="1"), "cost_centre: 1 → none"),
        (RunLine(action="sync.list", target="crew", field="member", after="+447700900123"), "none → +447700900123"),
        (RunLine(action="sync.list", target="crew"), "new list"),
    ],
)
def test_a_line_says_what_becomes_of_whom(line, said):
    assert said in say_line(line, WORDS.words("en"))


@pytest.mark.parametrize("language", find_languages())
def test_a_run_that_ends_by_itself_has_words(language):
    assert [reason for reason in (ENDED, BROKEN) if f"run.{reason.code}" not in WORDS.words(language).texts] == []
