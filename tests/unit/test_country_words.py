"""What rules of countries did is said in every language, in few words, and never claims more than receipts can tell."""

import click
import pytest

from cli.declarations import terms_of
from countries.findings import Effect
from countries.judge import Case
from countries.rules import RuleName
from gateway.admin.countries import banned_content, judge_by, known_countries
from mta.sending.dsn import DsnAction, decide_dsn
from sms.lifecycle import MessageState
from sms.number import SenderId, SenderKind
from sms.outcome import Refusal
from sms.report import NoticeKind
from sms.settings import UseCase
from store.declarations import title_of
from templates.country_words import NOTES, say_finding, write_terms
from templates.push_fields import job_fields
from templates.status_view import view_report
from templates.words import Dictionary, find_languages
from tests.kit.status_samples import message, report
from tests.unit.test_country_plan import DAY, NUMBER, SHOP
from tests.unit.test_dsn import job, read, sap_message

WORDS = {language: Dictionary().words(language) for language in find_languages()}
SHORT = SenderId(value="12345", kind=SenderKind.SHORT_CODE)
REPLACED = (("alpha_registration", "replaced", "required"),)
NETWORK = (("receipts", "noted", "network"),)


def view(*messages, kind=NoticeKind.RESULT, language="en", **settings):
    return view_report(kind, report(*messages, **settings), WORDS[language], rows=50)


@pytest.mark.parametrize("language", WORDS)
def test_every_finding_that_the_shipped_rules_lead_to_has_words_of_its_own(language):
    judge, words, seen = judge_by(), WORDS[language], set()
    for country in known_countries():
        for sender_id in (SHOP, NUMBER, SHORT):
            for use_case in UseCase:
                case = Case(country=country, sender_id=sender_id, use_case=use_case, day=DAY, abroad=True)
                seen |= set(judge.judge(case).findings)
    assert {finding.rule for finding in seen} <= NOTES.keys()
    for finding in seen:
        assert f"country.{finding.rule}" in words.texts
        assert say_finding(finding, "HU", words, "+44 7700 900999").startswith(words.territory("HU"))


@pytest.mark.parametrize("language", WORDS)
@pytest.mark.parametrize("effect", Effect)
def test_every_effect_of_every_rule_can_be_said(language, effect):
    for rule in RuleName:
        said = say_finding((rule, effect, "some"), "ES", WORDS[language], "+44 7700 900999")
        assert WORDS[language].territory("ES") in said
        assert ("+44 7700 900999" in said) is (effect is Effect.REPLACED)


def test_a_status_mail_says_under_a_recipient_what_was_replaced_and_by_which_sender():
    [recipient] = view(message(country="ES", findings=REPLACED, sender_id="447700900999")).recipients
    assert recipient.rules == (
        "Spain: a name must be registered before it can be the sender. The sender is +44 7700 900999 instead.",
    )


def test_notes_of_a_country_are_one_line_however_many_recipients_and_rules_there_are():
    findings = (("replaced_by", "noted", "local numeric"), ("alpha_kept", "noted", "no"))
    shown = view(
        *(message(country="HU", findings=findings) for _ in range(5)), message(country="TW", findings=findings)
    )
    assert shown.notes == ("Hungary, Taiwan: phones may show another sender.",)
    assert all(recipient.rules == () for recipient in shown.recipients)


def test_a_refusal_by_a_rule_is_said_in_the_readers_language():
    refused = message(
        MessageState.REJECTED,
        reason=Refusal.SENDER_ID_UNREGISTERED.value,
        problem="ES: «Shop» is not registered there, and the country's networks block it",
        country="ES",
        findings=(("alpha_registration", "refused", "required"),),
        parts=(),
    )
    [recipient] = view(refused, language="de").recipients
    assert recipient.detail == ""
    [said] = recipient.rules
    assert said.startswith("Spanien:")
    assert said.endswith("wird deshalb nicht gesendet.")


@pytest.mark.parametrize("worth", ["network", "false"])
def test_a_receipt_that_no_handset_caused_is_not_told_as_delivery(worth):
    told = message(country="TW", findings=(("receipts", "noted", worth),))
    assert told.claimed is MessageState.SUBMITTED
    shown = view(told, delivery_receipt=True)
    assert shown.headline == "Confirmed by the network only"
    assert "Taiwan" in shown.recipients[0].sentence
    assert shown.recipients[0].delivered == ""
    assert job_fields(report(told))["recipients"][0]["status"] == "SUC_ACC"
    assert report(told).summary.delivered == 0
    [status] = decide_dsn(NoticeKind.RESULT, job(sap_message(country="TW", findings=told.findings)))
    assert (status.action, status.status) == (DsnAction.RELAYED, "2.0.0")


def test_a_receipt_of_the_first_part_says_nothing_of_a_longer_text():
    first = (("receipts", "noted", "first-part"),)
    one = message(findings=first, country="EG")
    assert one.claimed is MessageState.DELIVERED
    assert message(findings=first, country="EG", parts=one.parts * 2).claimed is MessageState.SUBMITTED


@pytest.mark.parametrize("worth", ["handset", "none", "unreliable"])
def test_any_other_receipt_reads_delivered(worth):
    assert message(findings=(("receipts", "noted", worth),)).claimed is MessageState.DELIVERED


def test_what_receipts_are_worth_is_a_note_only_where_one_is_awaited():
    waiting = message(MessageState.QUEUED, country="TW", findings=NETWORK)
    assert view(waiting, delivery_receipt=False).notes == ()
    assert view(waiting, delivery_receipt=True).notes == ("Taiwan: a report of delivery says less than elsewhere.",)


def test_a_dsn_says_in_a_field_of_its_own_what_a_rule_replaced():
    mail = read(job(sap_message(country="ES", findings=REPLACED, sender_id="447700900999")))
    status = next(part for part in mail.walk() if part.get_content_type().endswith("delivery-status"))
    assert "ES; alpha_registration; replaced; required; sender 447700900999" in status.as_string()


def test_a_dsn_of_a_network_that_confirms_for_the_handset_says_so_in_its_prose():
    mail = read(job(sap_message(country="TW", findings=NETWORK)))
    assert "Taiwan: a report of delivery is the word of the network alone" in mail.as_string().replace("=\n", "")
    assert "Action: relayed" in mail.as_string()


DELAYED = (("rate", "delayed", "name 1/1s"),)


def test_what_a_rule_did_to_many_recipients_is_said_once_above_them_with_their_number():
    some = [message(number=f"4477009001{number:02}", country="GB", findings=DELAYED) for number in range(5)]
    one = message(country="ES", findings=REPLACED, sender_id="447700900999")
    shown = view(*some, one)
    [note] = [note for note in shown.notes if "so much" in note]
    assert note.startswith("United Kingdom: ")
    assert note.endswith("This delays the SMS. (5 recipients)")
    assert [len(recipient.rules) for recipient in shown.recipients] == [0, 0, 0, 0, 0, 1]
    few = view(*some[:3], one)
    assert not [note for note in few.notes if "so much" in note]
    assert [len(recipient.rules) for recipient in few.recipients] == [1, 1, 1, 1]


@pytest.mark.parametrize("language", WORDS)
def test_what_stands_for_the_customers_words_is_said_in_the_readers_language(language):
    said = say_finding(("text_suffix", "changed", "{brand}: {opt_out}"), "FR", WORDS[language])
    assert "{" not in said
    assert said.count("[") == 2


@pytest.mark.parametrize("language", WORDS)
def test_terms_name_in_every_language_whatever_content_a_country_forbids(language):
    bans = {letters: named for letters in known_countries() if (named := banned_content(letters))}
    text = write_terms(bans, WORDS[language])
    for letters, named in bans.items():
        line = next(line for line in text.split("\n") if line.startswith(f"- {WORDS[language].territory(letters)}"))
        assert all(WORDS[language].say(f"terms.is-{ban}") in line for ban in named)


@pytest.mark.parametrize("language", WORDS)
def test_terms_can_be_asked_for_of_any_country_and_of_any_number_of_countries(language):
    words = WORDS[language]
    bans = {letters: named for letters in known_countries() if (named := banned_content(letters))}
    by_length = sorted(bans, key=lambda letters: -len(words.territory(letters)))
    for asked in (*((letters,) for letters in bans), *(tuple(by_length[:number]) for number in range(2, 12)), bans):
        text = write_terms({letters: bans[letters] for letters in asked}, words)
        assert 0 < len(title_of(text)) <= 100
        assert len(text) <= 50_000
        assert len(asked) > 2 or all(words.territory(letters) in title_of(text) for letters in asked)


def test_terms_of_countries_are_written_in_every_language_and_a_country_without_bans_is_refused():
    assert set(terms_of(("br",))) == set(WORDS)
    with pytest.raises(click.UsageError, match="SMS to XX"):
        terms_of(("BR", "XX"))


def test_what_was_found_in_a_text_stands_behind_what_the_rule_says():
    said = say_finding(("urls", "noted", "forbidden: bit.ly"), "CN", WORDS["en"])
    assert said == "China: texts with links do not pass (bit.ly)."
    assert say_finding(("opt_out", "noted", "required"), "FR", WORDS["en"]).endswith("how to stop it.")
