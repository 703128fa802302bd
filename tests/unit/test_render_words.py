"""The catalogues are complete, alike, and never say more than is known."""

import string
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import pytest

from addressbook.hierarchy import LayerKind
from addressbook.numbers import Unanswerable
from mta.sending.dsn import DsnAction
from sms.lifecycle import MessageState
from sms.next_steps import STEPS, Step
from sms.outcome import ProblemCode, Refusal
from sms.report import NoticeKind
from sms.settings import FIELDS, Settings
from templates.words import Dictionary, find_languages, language_spoken

DICTIONARY = Dictionary()
VALUES = [
    "on",
    "off",
    "none",
    *(str(word) for item in fields(Settings) if isinstance(item.default, StrEnum) for word in type(item.default)),
]
SPELT_ALIKE = {
    "country.note-line",
    "terms.is-religion",
    "terms.line",
    "results.name",
    "setting.contact",
    "setting.logo",
    "value.express",
    "value.gsm7",
    "value.normal",
    "value.off",
    "value.ucs2",
}
KEYS = sorted(DICTIONARY.words("en").texts)


def _forms(text):
    return [text] if isinstance(text, str) else list(text.values())


def _fields(text):
    return [{name for _, name, _, _ in string.Formatter().parse(form) if name is not None} for form in _forms(text)]


@pytest.mark.parametrize("language", find_languages())
def test_every_language_has_every_text(language):
    assert sorted(DICTIONARY.words(language).texts) == KEYS


@pytest.mark.parametrize("language", find_languages())
def test_each_text_has_the_same_fields_in_every_language(language):
    english, words = DICTIONARY.words("en").texts, DICTIONARY.words(language).texts
    for key in KEYS:
        assert type(words[key]) is type(english[key]), key
        assert all(fields == _fields(english[key])[0] for fields in _fields(words[key])), key
        assert all(form.strip() == form and form for form in _forms(words[key])), key


@pytest.mark.parametrize("language", find_languages())
@pytest.mark.parametrize(
    ("section", "names"),
    [
        ("problem", ProblemCode),
        ("refusal", Refusal),
        ("state", MessageState),
        ("headline", MessageState),
        ("sentence", MessageState),
        ("kind", NoticeKind),
        ("action", DsnAction),
        ("step", Step),
        ("setting", FIELDS),
        ("value", VALUES),
        ("setter", [kind for kind in LayerKind if kind not in {LayerKind.CONSTRAINT, LayerKind.PINNED}]),
    ],
)
def test_every_value_that_a_report_can_hold_has_words(section, names, language):
    words = DICTIONARY.words(language)
    assert [name for name in names if f"{section}.{name}" not in words.texts] == []


@pytest.mark.parametrize("language", find_languages())
def test_a_reason_is_explained_by_a_whole_sentence(language):
    words = DICTIONARY.words(language)
    for reason in [*ProblemCode, *Refusal]:
        sentence = words.explain(reason, "")
        assert sentence[0].isupper()
        assert sentence.endswith(".")


def test_every_reason_for_which_an_sms_fails_has_a_next_step_and_every_step_a_reason():
    assert set(STEPS) == {*map(str, ProblemCode), *map(str, Refusal)} - {"dry-run"}
    assert set(STEPS.values()) == set(Step)


@pytest.mark.parametrize("language", find_languages())
def test_each_reason_why_no_answer_comes_back_has_words_of_its_own(language):
    words = DICTIONARY.words(language)
    assert len({words.say(f"unanswerable.{why}") for why in Unanswerable}) == len(Unanswerable)


def test_a_reason_that_no_catalogue_knows_keeps_its_own_sentence():
    assert DICTIONARY.words("de").explain("solar-flare", "The sun was in the way.") == "The sun was in the way."


@pytest.mark.parametrize("language", find_languages())
def test_languages_other_than_english_are_translated(language):
    words, english = DICTIONARY.words(language), DICTIONARY.words("en")
    if language == "en":
        return
    same = {key for key in KEYS if words.texts[key] == english.texts[key]}
    of_their_authors = {"letter.support-opened-subject", "letter.support-answered-subject"}
    assert same <= {"subject.result", "label.waiting", *of_their_authors, *SPELT_ALIKE}


def test_the_carrier_is_never_said_to_have_what_it_may_have():
    assert "may have it; it was not sent again" in DICTIONARY.words("en").say("sentence.unknown")


@pytest.mark.parametrize(
    ("tag", "zone", "expected"),
    [
        ("en", "UTC", "23 Nov 2026, 07:15 UTC"),
        ("en-US", "America/New_York", "Nov 23, 2026, 2:15\u202fAM EST"),
        ("de", "Europe/Berlin", "23.11.2026, 08:15 CET"),
        ("de-AT", "Europe/Vienna", "23.11.2026, 08:15 CET"),
        ("es", "Europe/Madrid", "23 nov 2026, 8:15 CET"),
        ("fr", "Europe/Paris", "23 nov. 2026, 08:15 CET"),
        ("en", "Asia/Dubai", "23 Nov 2026, 11:15 UTC+04"),
        ("ja", "UTC", "23 Nov 2026, 07:15 UTC"),
    ],
)
def test_times_are_in_the_readers_zone_and_order(tag, zone, expected):
    assert DICTIONARY.words(tag).time(datetime(2026, 11, 23, 7, 15, 19, tzinfo=UTC), zone) == expected


@pytest.mark.parametrize(
    ("tag", "minutes", "expected"),
    [("en", 2880, "48 hours"), ("de", 90, "90 Minuten"), ("fr", 60, "1\u00a0heure"), ("es", 10080, "168 horas")],
)
def test_a_length_of_time_is_in_whole_hours_or_minutes(tag, minutes, expected):
    assert DICTIONARY.words(tag).duration(timedelta(minutes=minutes)) == expected


@pytest.mark.parametrize(
    ("tag", "number", "expected"), [("en", 1160, "1,160"), ("de", 1160, "1.160"), ("es", 999, "999")]
)
def test_large_numbers_are_grouped_as_the_language_does(tag, number, expected):
    assert DICTIONARY.words(tag).number(number) == expected


@pytest.mark.parametrize(
    ("tag", "number", "expected"),
    [
        ("en", 1, "1 part"),
        ("en", 0, "0 parts"),
        ("fr", 0, "0 partie"),
        ("fr", 2, "2 parties"),
        ("es", 1, "1 parte"),
        ("es", 2_000_000, "2000000 partes"),
        ("de", 3, "3 Teile"),
    ],
)
def test_counted_words_have_the_form_that_grammar_wants(tag, number, expected):
    assert DICTIONARY.words(tag).count("count.parts", number) == expected


@pytest.mark.parametrize("tag", ["xx", "zz-ZZ", "ja"])
def test_a_language_without_a_catalogue_reads_english(tag):
    assert DICTIONARY.words(tag).language == "en"


@pytest.mark.parametrize(
    ("tag", "number", "expected"),
    [
        ("fr", 1, "1 destinataire sur 9 refusé"),
        ("fr", 2, "2 destinataires sur 9 refusés"),
        ("es", 1, "1 de 9 destinatarios rechazado"),
        ("en", 1, "1 of 9 recipients refused"),
    ],
)
def test_headlines_about_some_of_many_have_the_form_that_grammar_wants(tag, number, expected):
    assert DICTIONARY.words(tag).count("many.some_refused", number, failed=number, total=9) == expected


@pytest.mark.parametrize("tag", ["pt", "pt-BR", "xx"])
def test_a_language_without_a_catalogue_speaks_english_with_its_dates(tag):
    words, english = DICTIONARY.words(tag), DICTIONARY.words("en")
    instant = datetime(2026, 11, 23, 7, 15, tzinfo=UTC)
    assert words is english
    assert (words.language, words.time(instant, "UTC")) == ("en", "23 Nov 2026, 07:15 UTC")


def test_a_country_chooses_dates_and_no_other_words():
    assert language_spoken("de-AT") == DICTIONARY.words("de-AT").language == "de"
