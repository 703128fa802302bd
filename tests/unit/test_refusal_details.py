"""Why a recipient was refused is told in the reader's language: each sentence that the code makes is found again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addressbook.hierarchy import Constraints, LayerKind, refuse_country
from addressbook.lists import DistributionList, DistributionLists
from addressbook.numbers import NumberKind, OwnNumber, OwnNumbers
from gateway.submission import RecipientRequest
from inbound.reply_token import Conversation
from mta.answering import judge_conversation
from mta.recipients import ParsedRecipients, RecipientTarget, TargetKind, open_lists
from sms.job import NewMessage
from sms.lifecycle import MessageState
from sms.message import Alphabet
from sms.number import parse_number
from sms.outcome import Refusal, Refused
from sms.parts import encode_text
from sms.settings import Unencodable
from store.jobs import _refuse_duplicate
from templates.words import Dictionary, find_languages
from tests.kit.status_samples import message, report
from tests.unit.test_render import render, text_of

DICTIONARY = Dictionary()
KEYS = {key for key in DICTIONARY.words("en").texts if key.startswith("detail.")}
WRITE = "schreiben Sie sie mit + und Ländervorwahl, zum Beispiel +447700900123"
NUMBERS = [
    ("1" * 65, "too-long-text"),
    ("4.4E+11", "rounded"),
    ("+447700900123 +447700900124", "several-numbers"),
    ("447700900123x12", "extension"),
    ("+", "missing"),
    ("07700ä900123", "odd-character"),
    ("1" * 30, "many-digits-address"),
    ("+123456789012345678", "many-digits"),
    ("07700900123", "national"),
    ("7700900123", "lacks-country"),
    ("4477", "short-code"),
    ("+44", "short"),
    ("+999123456789", "unknown-country"),
    ("+33612345", "too-short"),
    ("+44770090012345", "too-long"),
    ("+65123456789", "odd-length"),
    ("+447700", "lacks-area"),
    ("+447700900123", "not-in-use"),
    ("+442079460123", "fixed-line"),
    ("+448081570123", "toll-free"),
    ("+449098790123", "premium-rate"),
    ("+491805123456", "shared-cost"),
    ("+447012345678", "personal"),
    ("+447640123456", "pager"),
    ("+445512345678", "access"),
    ("+41860123456789", "voicemail"),
]


def detail_of_number(text: str) -> str:
    refused = parse_number(text, "", strict=True)
    assert isinstance(refused, Refused)
    return refused.detail


def detail_of_country(kind: LayerKind, owner: str = "") -> str:
    refused = refuse_country("FR", [Constraints(kind=kind, owner=owner, countries=frozenset({"DE", "GB"}))])
    assert refused is not None
    return refused.detail


def detail_of_list(name: str, author: str = "anna@example.com") -> str:
    lists = DistributionLists(
        [
            DistributionList(key=1, customer_id=1, name="night", authors=frozenset({"*"})),
            DistributionList(key=2, customer_id=1, name="day", authors=frozenset({"bert@example.com"})),
        ]
    )
    target = RecipientTarget(kind=TargetKind.LIST, name=name)
    wanted = RecipientRequest(given=f"lista+{name}@sms.example.net", number="")
    reached = open_lists(ParsedRecipients(pairs=((wanted, target),)), lists, lambda _: (), 1, author)
    assert reached.wanted[0].refused is not None
    return reached.wanted[0].refused.detail


def detail_of_duplicate() -> str:
    encoded = encode_text("Hello", coding=Alphabet.GSM7, unencodable=Unencodable.SMART, max_parts=1)
    assert not isinstance(encoded, Refused)
    fresh = NewMessage(given="x", number=None, encoded=encoded, duplicate=b"d")
    return _refuse_duplicate(fresh, {b"d": "J.7"}).problem


def detail_of_conversation(customer: int, phone: str = "447700900123") -> str:
    named = Conversation(customer_key=1, phone=phone, own_number="447700900900")
    refused = judge_conversation(named, OwnNumbers(), customer)
    assert isinstance(refused, Refused)
    return refused.detail


def detail_of_dedicated() -> str:
    number = OwnNumber(key=1, digits="447700900900", kind=NumberKind.LONG, country="GB", customer_key=1)
    refused = OwnNumbers([number]).refuse_sender(number.sender_id, 2)
    assert refused is not None
    return refused.detail


DETAILS = [
    *((detail_of_number(text), key) for text, key in NUMBERS),
    (detail_of_country(LayerKind.SYSTEM), "country-system"),
    (detail_of_country(LayerKind.CUSTOMER, "Example {job} Ltd"), "country-customer"),
    (detail_of_duplicate(), "duplicate"),
    (detail_of_list("weekend"), "no-list"),
    (detail_of_list("night"), "empty-list"),
    (detail_of_list("day"), "not-an-author"),
    (detail_of_conversation(2), "reply-address"),
    (detail_of_conversation(1, "BANK"), "from-a-name"),
    (detail_of_conversation(1), "number-gone"),
    (detail_of_dedicated(), "dedicated"),
]


@pytest.mark.parametrize("language", find_languages())
@pytest.mark.parametrize(("english", "key"), DETAILS)
def test_a_detail_is_told_in_the_language_of_its_reader(english, key, language):
    told = DICTIONARY.words(language).detail(english)
    assert (told == english) == (language == "en")
    fields = DICTIONARY.words("de").texts[f"detail.{key}"]
    assert "{" in str(fields) or told == DICTIONARY.words(language).texts[f"detail.{key}"]
    assert told.endswith(".")


def test_every_sentence_of_the_catalogue_is_one_that_the_code_makes():
    assert {f"detail.{key}" for _, key in DETAILS} == KEYS


def test_the_values_of_a_detail_stand_in_every_language():
    german = DICTIONARY.words("de").detail
    assert german(detail_of_number("+33612345")) == (
        "Die Rufnummer ist zu kurz für die Ländervorwahl +33: Es fehlen Ziffern."
    )
    assert german(detail_of_number("4477")).endswith(f"können keine SMS empfangen: {WRITE}.")
    assert german(detail_of_country(LayerKind.CUSTOMER, "Example {job} Ltd")) == (
        "SMS in das Land FR sind für den Kunden Example {job} Ltd nicht erlaubt, nur nach: DE, GB."
    )


@given(st.text(alphabet=st.one_of(st.sampled_from("+0123456789 ()-/.x"), st.characters()), max_size=70), st.booleans())
def test_whatever_is_no_number_is_told_in_german(text, strict):
    for country in ("", "GB", "DE"):
        refused = parse_number(text, country, strict=strict)
        if isinstance(refused, Refused):
            assert DICTIONARY.words("de").detail(refused.detail) != refused.detail


@pytest.mark.parametrize(
    "detail", ["", "The sun was in the way.", "There is no list a\nb.", "There is no list " + "x" * 400]
)
def test_a_detail_that_the_catalogues_lack_stays_as_it_is(detail):
    assert DICTIONARY.words("de").detail(detail) == detail


def test_a_german_mail_says_in_german_what_is_wrong_with_a_number():
    short = message(MessageState.REJECTED, reason=Refusal.NUMBER_IMPOSSIBLE, problem=detail_of_number("4477"))
    rendered = render(report(short, language="de"))
    assert f"keine SMS empfangen: {WRITE}." in rendered.text
    assert f"keine SMS empfangen: {WRITE}." in text_of(rendered.html)
    assert "country code" not in rendered.text
