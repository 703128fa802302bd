"""What is known of a country: one rule, the names of all rules, and who says so.

Not here: the tables that hold them (tables), which of them count (book), what follows for a message (judge).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from sms.settings import UseCase


class RuleName(StrEnum):
    """What a rule is about; data/README.md describes each."""

    ALPHA = "alpha"
    ALPHA_SUPPORTED = "alpha_supported"
    ALPHA_REGISTRATION = "alpha_registration"
    ALPHA_REGISTRATION_LOCAL = "alpha_registration_local"
    REGISTRATION_NEEDS = "registration_needs"
    REGISTRATION_IDLE = "registration_idle"
    ALPHA_KEPT = "alpha_kept"
    ALPHA_UCS2 = "alpha_ucs2"
    ALPHA_MAX = "alpha_max"
    ID_RULE = "id_rule"
    ID_FORM = "id_form"
    GENERIC_ID = "generic_id"
    BLOCKED_ID = "blocked_id"
    REPLACED_BY = "replaced_by"
    LONG_LOCAL = "long_local"
    LONG_INTL = "long_intl"
    LONG_INTL_KEPT = "long_intl_kept"
    LONG_CODE_RATE = "long_code_rate"
    RATE = "rate"
    SHORT_CODE = "short_code"
    TWO_WAY = "two_way"
    NUMBER_PORTABILITY = "number_portability"
    CONCATENATION = "concatenation"
    MAX_LENGTH = "max_length"
    MAX_PARTS = "max_parts"
    UCS2 = "ucs2"
    CHARACTERS = "characters"
    VALIDITY = "validity"
    RECEIPTS = "receipts"
    QUIET_HOURS = "quiet_hours"
    OPT_OUT = "opt_out"
    STOP_HELP = "stop_help"
    TEXT_RULE = "text_rule"
    TEXT_PREFIX = "text_prefix"
    TEXT_SUFFIX = "text_suffix"
    URL_RULE = "url_rule"
    URLS = "urls"
    PHONE_NUMBERS = "phone_numbers"
    CONTENT_BANS = "content_bans"
    NOTES = "notes"


class KindOfSender(StrEnum):
    """What a sender ID is to a country; the word that rules about some of them begin with."""

    LONG = "long"
    TOLL_FREE = "toll-free"
    SHORT = "short"
    NAME = "name"


class Confidence(StrEnum):
    """How far a rule can be relied on."""

    HIGH = "high"  # two or more sources agree
    MEDIUM = "medium"  # one source says it, or it is not known how many do
    LOW = "low"  # sources differ, or it was derived


BY_SENDER_TYPE: Final = "by sender type"
"""Of `concatenation`: texts of several parts do not arrive whole from every kind of sender ID; none is named."""

_YES_NO: Final = re.compile(r"yes|no")
_DAY: Final = r"(?:Mo|Tu|We|Th|Fr|Sa|Su)"
_DAYS: Final = rf"(?:PH|{_DAY}(?:-{_DAY})?)"
_TIME: Final = r"(?:[01]\d|2[0-3]):[0-5]\d"
_HOURS: Final = rf"{_DAYS}(?:,{_DAYS})* (?:all|{_TIME}-(?:{_TIME}|24:00))"

_NEED: Final = r"(?:company|use-case|samples|volume|letter|local-entity)"

_DURATION: Final = r"[1-9]\d{0,5}[smhd]"
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_KIND: Final = rf"(?:{'|'.join(KindOfSender)})"

# Rules without a line here are sentences.
_FORMS: Final[Mapping[RuleName, re.Pattern[str]]] = MappingProxyType(
    {
        RuleName.ALPHA: re.compile(r"dynamic|registered|registered on some networks|replaced|mixed|none"),
        RuleName.ALPHA_SUPPORTED: re.compile(r"yes|no|registration required"),
        RuleName.ALPHA_REGISTRATION: re.compile(r"required|part|optional|none|impossible"),
        RuleName.ALPHA_REGISTRATION_LOCAL: re.compile(r"required|part|optional|local only"),
        RuleName.REGISTRATION_NEEDS: re.compile(rf"{_NEED}(?:,{_NEED})*"),
        RuleName.REGISTRATION_IDLE: re.compile(r"[1-9]\d*/(?:[1-9]|[1-8]\d|90)d"),
        RuleName.ALPHA_KEPT: _YES_NO,
        RuleName.GENERIC_ID: _YES_NO,
        RuleName.LONG_LOCAL: _YES_NO,
        RuleName.LONG_INTL: re.compile(r"yes|no|part"),
        RuleName.LONG_INTL_KEPT: _YES_NO,
        RuleName.SHORT_CODE: _YES_NO,
        RuleName.TWO_WAY: re.compile(r"yes|no|(?:long|short|toll-free)(?:\+(?:long|short|toll-free))*"),
        RuleName.NUMBER_PORTABILITY: _YES_NO,
        RuleName.ALPHA_MAX: re.compile(r"(?:[1-9]\d?-)?[1-9]\d?"),
        RuleName.BLOCKED_ID: re.compile(r"[^,]+(?:,[^,]+)*"),
        RuleName.RATE: re.compile(rf"{_KIND} [1-9]\d{{0,5}}/[1-9]\d{{0,3}}[smhd]"),
        RuleName.CONCATENATION: re.compile(rf"yes|no|not {_KIND}|{BY_SENDER_TYPE}"),
        RuleName.MAX_LENGTH: re.compile(r"[1-9]\d+/[1-9]\d+"),
        RuleName.MAX_PARTS: re.compile(rf"(?:{_KIND} )?[1-9]\d?"),
        RuleName.UCS2: _YES_NO,
        RuleName.VALIDITY: re.compile(rf"{_DURATION}-{_DURATION}"),
        RuleName.RECEIPTS: re.compile(r"handset|network|first-part|unreliable|false|none"),
        RuleName.OPT_OUT: re.compile(r"required|appended|by operator"),
        RuleName.STOP_HELP: re.compile(r"mandatory"),
        RuleName.URLS: re.compile(r"any|no-shorteners|allow-list|forbidden"),
        RuleName.PHONE_NUMBERS: re.compile(r"forbidden"),
        RuleName.QUIET_HOURS: re.compile(rf"none|{_HOURS}(?:;{_HOURS})*"),
        RuleName.CONTENT_BANS: re.compile(r"[a-z0-9]+(?:,[a-z0-9]+)*"),
    }
)

_CHOICE: Final = re.compile(r"[a-z -]+(?:\|[a-z -]+)*")
_WORDS: Final = re.compile(r"\{[^{}]*\}")
PLACEHOLDERS: Final = ("{brand}", "{opt_out}")
"""What stands for a customer's own words in those around a text."""

# What a value is like where its form is more than a choice of words.
_LIKE: Final[Mapping[RuleName, str]] = MappingProxyType(
    {
        RuleName.REGISTRATION_NEEDS: "words such as company,letter of: company, use-case, samples, volume, letter, "
        "local-entity",
        RuleName.REGISTRATION_IDLE: "SMS in at most 90 days, such as 1000/90d",
        RuleName.TWO_WAY: "yes, no, or kinds of numbers such as long+short",
        RuleName.ALPHA_MAX: "a number of characters such as 11, or the fewest and the most such as 3-11",
        RuleName.ID_FORM: "a regular expression such as [A-Za-z0-9]+",
        RuleName.BLOCKED_ID: "names with commas between them, such as INFO,BANK",
        RuleName.RATE: "a kind of sender ID (long, toll-free, short, name), parts and a period, such as name 200/1d",
        RuleName.CONCATENATION: "yes, no, by sender type, or a kind of sender ID such as not short",
        RuleName.MAX_LENGTH: "characters in GSM-7 and in UCS-2, such as 160/70",
        RuleName.MAX_PARTS: "a number such as 3, or with a kind of sender ID such as short 1",
        RuleName.VALIDITY: "the shortest and the longest, such as 1m-48h",
        RuleName.QUIET_HOURS: "none, or days and hours such as Mo-Sa 20:00-08:00;Su,PH all",
        RuleName.TEXT_PREFIX: "words; of those in braces only {brand} and {opt_out}",
        RuleName.TEXT_SUFFIX: "words; of those in braces only {brand} and {opt_out}",
        RuleName.CONTENT_BANS: "words in small letters with commas between them, such as gambling,adult",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Who says what a rule says: a short key, a name to read, and where it was published."""

    key: str
    name: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What some sources say about one thing in one country, as of a month (`YYYY-MM`).

    `in_force_at` is the day from which it holds, None where it is not known or long past. It is about one `use_case`
    where it names one, and about `networks` (MCC and MNC without a sign between them) where it names some.
    """

    name: RuleName
    value: str
    in_force_at: date | None
    sources: tuple[Source, ...]
    as_of: str
    confidence: Confidence
    use_case: UseCase | None = None
    networks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Country:
    """A destination: ISO 3166-1 letters, its name in English, its mobile country code and calling code, its rules.

    Where sources differ, a name has several rules; where nobody says anything, it has none.
    """

    letters: str
    name: str
    mcc: str
    calling_code: str
    rules: tuple[Rule, ...]

    def said(self, name: RuleName) -> tuple[Rule, ...]:
        """Return what is known about one thing."""
        return tuple(rule for rule in self.rules if rule.name == name)


_FREE: Final[Mapping[RuleName, frozenset[str]]] = MappingProxyType(
    {
        RuleName.ALPHA: frozenset({"dynamic"}),
        RuleName.ALPHA_REGISTRATION: frozenset({"none", "optional"}),
        RuleName.QUIET_HOURS: frozenset({"none"}),
        RuleName.URLS: frozenset({"any"}),
        RuleName.URL_RULE: frozenset({"any"}),
    }
)


def restricts(name: RuleName, value: str) -> bool:
    """Return whether a rule of this value keeps anything from passing as it is sent."""
    return value != "yes" and name is not RuleName.NUMBER_PORTABILITY and value not in _FREE.get(name, frozenset())


def is_well_formed(name: RuleName, value: str) -> bool:
    """Return whether a value is one that the rule may have."""
    if name is RuleName.ID_FORM:
        return _is_pattern(value)
    form = _FORMS.get(name)
    if not value.strip() or (form is not None and form.fullmatch(value) is None):
        return False
    if name in (RuleName.TEXT_PREFIX, RuleName.TEXT_SUFFIX):
        return all(word in PLACEHOLDERS for word in _WORDS.findall(value))
    if name is RuleName.ALPHA_MAX:
        fewest, _, most = value.rpartition("-")
        return int(fewest or 1) <= int(most)
    return name is not RuleName.VALIDITY or _is_range(value)


def has_one_value(name: RuleName) -> bool:
    """Return whether of several values of the rule in one place only one can be meant: a word, or words of a text."""
    if name in (RuleName.TEXT_PREFIX, RuleName.TEXT_SUFFIX):
        return True
    form = _FORMS.get(name)
    return form is not None and _CHOICE.fullmatch(form.pattern) is not None


def expected_of(name: RuleName) -> str:
    """Say what a value of the rule is like."""
    if (like := _LIKE.get(name)) is not None:
        return like
    form = _FORMS.get(name)
    return "a sentence" if form is None else form.pattern.replace("|", ", ")


def validity_range(value: str) -> tuple[timedelta, timedelta]:
    """Return the shortest and the longest validity of a rule about it, such as `1m-48h`."""
    shortest, longest = (timedelta(seconds=int(text[:-1]) * _SECONDS[text[-1]]) for text in value.split("-"))
    return shortest, longest


def _is_range(value: str) -> bool:
    shortest, longest = validity_range(value)
    return shortest <= longest


def _is_pattern(value: str) -> bool:
    try:
        re.compile(value)
    except re.error:
        return False
    return True
