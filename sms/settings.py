"""Every setting of an SMS as one typed field, and the patch of one layer.

Not here: which layer wins and why (addressbook.hierarchy), where layers are kept (store.directory), nor how a text is
read (setting_texts).
A cell of a patch has one of four states: absent (unmanaged), UNSET (inherit), NONE (the field's neutral value,
inheritance ends), or a value. Unparsable text is never a cell: `parse_setting` answers with a `SettingProblem`.
"""

# ruff: noqa: RUF009 - setting() is dataclasses.field() with the metadata of a setting

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, TypeVar

from sms.lifecycle import OPEN, MessageState
from sms.message import Alphabet, NationalLanguage, Priority
from sms.number import SenderId, SenderKind
from sms.parameters import EXPECTED, merge_parameters, parse_parameter
from sms.setting_texts import (
    Parser,
    parse_bool,
    parse_colour,
    parse_contact,
    parse_country,
    parse_enum,
    parse_graphic_name,
    parse_integer,
    parse_language,
    parse_mail_address,
    parse_prefix,
    parse_push_url,
    parse_sender,
    parse_text,
    parse_validity,
    parse_words,
    parse_zone,
)


class Unencodable(StrEnum):
    """What is done with characters that GSM-7 lacks.

    AUTO: their relatives, or UCS-2 for the text if one has none. SMART: always GSM-7, other scripts in Latin letters,
    `?` for what has no relative. SIMPLE: blanks. SWITCH: UCS-2. REJECT: refused.
    """

    AUTO = "auto"
    SMART = "smart"
    SIMPLE = "simple"
    SWITCH = "switch"
    REJECT = "reject"


class UseCase(StrEnum):
    """What an SMS is for, as countries' rules tell it apart: marketing, a one-time code, or anything else."""

    TRANSACTIONAL = "transactional"
    MARKETING = "marketing"
    ONE_TIME_CODE = "one-time-code"


class Overlong(StrEnum):
    """What is done with a text that needs more parts than allowed."""

    CUT = "cut"
    REFUSE = "refuse"


class TextSource(StrEnum):
    """Which part of the mail is the text."""

    BODY = "body"
    SUBJECT = "subject"
    BOTH = "both"


class StatusReport(StrEnum):
    """When a job's result is reported: never, if a message did not succeed, or always."""

    NEVER = "never"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"


class StatusChannel(StrEnum):
    """How the result is reported: by mail, by push to an application, or both."""

    MAIL = "mail"
    PUSH = "push"
    BOTH = "both"


class ReportFormat(StrEnum):
    """Who reads the result: a person (HTML mail) or a machine (RFC 3464 DSN). Never both for one event."""

    HTML = "html"
    DSN = "dsn"


class Unset(StrEnum):
    """The two cells that hold no value."""

    UNSET = "<unset>"
    NONE = "<none>"


UNSET: Final = Unset.UNSET
NONE: Final = Unset.NONE

SettingValue = object
SettingsPatch = Mapping[str, SettingValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingProblem:
    """Why a text is not a value of a field: what is wrong and what is expected."""

    field: str
    given: str
    expected: str

    def __str__(self) -> str:
        return f"{self.field}: {self.given!r} is not {self.expected}"


T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One setting: how text becomes a value, what `<none>` means, whether a message may set it.

    `merge` makes one value of a weaker and a stronger layer's; without it the stronger counts alone.
    """

    name: str
    parse: Parser
    expected: str
    neutral: object
    message_may_set: bool
    doc: str
    merge: Callable[[Any, Any], object] | None = None


def setting(  # noqa: PLR0913 - one argument per fact about a setting
    default: T,
    parse: Parser,
    expected: str,
    doc: str,
    *,
    neutral: object = None,
    message: bool = False,
    merge: Callable[[Any, Any], object] | None = None,
) -> T:
    """Declare a field of `Settings`; `neutral` is the value of `<none>`, by default the default."""
    metadata = {
        "parse": parse,
        "expected": expected,
        "doc": doc,
        "neutral": default if neutral is None and default is not None else neutral,
        "message": message,
        "merge": merge,
    }
    return field(default=default, metadata=metadata)


_ON_OFF = "on or off"
PUSH_STATES: Final = tuple(state for state in MessageState if state not in OPEN)
"""The states that a push may tell of; the first is also called `sent`."""


def _parse_push_states(text: str) -> tuple[MessageState, ...]:
    """Return states by their words, `sent` for `submitted` and `all` for all of them. Raises ValueError."""
    words = {**{state.value: (state,) for state in PUSH_STATES}, "sent": PUSH_STATES[:1], "all": PUSH_STATES}
    named = [words.get(word.strip().lower(), ()) for word in text.split(",") if word.strip()]
    if not named or not all(named):
        raise ValueError
    return tuple(state for state in PUSH_STATES if any(state in states for states in named))


MOST_HISTORY: Final = 20
MOST_TEXT_DAYS: Final = 92


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings in force for one submission, every one with a value. The defaults are the built-in layer."""

    sender_id: SenderId | None = setting(
        None,
        parse_sender,
        "a number with up to 15 digits, a short code, or up to 11 letters, digits and blanks",
        "What the phone shows as the sender. None leaves it to the carrier.",
        message=True,
    )
    fallback_sender_id: SenderId | None = setting(
        None,
        parse_sender,
        "a number with up to 15 digits, a short code, or up to 11 letters, digits and blanks",
        "The sender where the country of a recipient does not let sender_id pass.",
    )
    use_case: UseCase = setting(
        UseCase.TRANSACTIONAL,
        parse_enum(UseCase),
        "transactional, marketing or one-time-code",
        "What the SMS is for: countries have rules for marketing and one-time codes of their own.",
        message=True,
    )
    brand: str = setting(
        "",
        parse_text(30),
        "at most 30 characters",
        "The name that a text must have where a country wants the brand in it.",
        neutral="",
    )
    opt_out_text: str = setting(
        "",
        parse_text(60),
        "at most 60 characters, such as STOP to 12345",
        "How a recipient stops marketing; added to a text that lacks it where the country's rule is applied.",
        neutral="",
    )
    priority: Priority = setting(
        Priority.NORMAL, parse_enum(Priority), "normal or express", "Express goes first everywhere.", message=True
    )
    cost_centre: str = setting(
        "", parse_text(70), "at most 70 characters", "Shown in reports and on the bill.", neutral="", message=True
    )
    status_report: StatusReport = setting(
        StatusReport.ALWAYS,
        parse_enum(StatusReport),
        "never, on-failure or always",
        "When the sender is told how a job ended.",
        neutral=StatusReport.NEVER,
        message=True,
    )
    status_channel: StatusChannel = setting(
        StatusChannel.MAIL,
        parse_enum(StatusChannel),
        "mail, push or both",
        "By what jobs are told of; without push_url everything is told by mail.",
    )
    push_url: str = setting(
        "",
        parse_push_url,
        "an https URL without user, password and fragment (http where [[push.allow]] of the operator's file allows it)",
        "Where pushes go: a POST with the job report as JSON, signed with the customer's key.",
        neutral="",
    )
    push_states: tuple[MessageState, ...] = setting(
        (),
        _parse_push_states,
        f"all, or words separated by commas, of sent, {', '.join(PUSH_STATES)}",
        "The states at which each message is pushed by itself, in place of one push when its whole job has ended.",
        neutral=(),
    )
    status_address: str = setting(
        "",
        parse_mail_address,
        "a mail address",
        "Where the status of jobs is mailed that come by no mail: those of applications.",
        neutral="",
    )
    first_report: bool = setting(
        False,
        parse_bool,
        _ON_OFF,
        "Whether a job is also told of on its acceptance, whatever status_report says of its end.",
    )
    report_format: ReportFormat = setting(
        ReportFormat.HTML, parse_enum(ReportFormat), "html or dsn", "A status mail for people or a DSN for machines."
    )
    acceptance_is_delivery: bool = setting(
        False, parse_bool, _ON_OFF, "Whether a DSN says «delivered» where the route gives no receipts."
    )
    preview: bool = setting(True, parse_bool, _ON_OFF, "Whether the status mail shows the text.")
    inbound_preview: bool = setting(
        True, parse_bool, _ON_OFF, "Whether mail programs show the start of a received SMS beside the subject."
    )
    inbound_history: int = setting(
        5,
        parse_integer(0, MOST_HISTORY),
        f"a number from 0 to {MOST_HISTORY}",
        "So many earlier SMS of the conversation stand below a received one.",
        neutral=0,
    )
    delivery_receipt: bool = setting(
        False, parse_bool, _ON_OFF, "Whether the network is asked for a delivery receipt.", message=True
    )
    validity: timedelta = setting(
        timedelta(hours=48),
        parse_validity,
        "5 minutes to 7 days, as 90m, 12h or 2d (a bare number is minutes)",
        "How long the SMS may still be delivered, from acceptance.",
        message=True,
    )
    coding: Alphabet = setting(
        Alphabet.GSM7, parse_enum(Alphabet), "gsm7 or ucs2", "The alphabet to send in.", message=True
    )
    unencodable: Unencodable = setting(
        Unencodable.AUTO,
        parse_enum(Unencodable),
        "auto, smart, simple, switch or reject",
        "What happens to characters that GSM-7 lacks: auto takes relatives, such as a for á, and UCS-2 where one "
        "has none; smart always keeps to GSM-7; simple takes blanks; switch takes UCS-2.",
        message=True,
    )
    national_languages: tuple[NationalLanguage, ...] = setting(
        (),
        parse_words(parse_enum(NationalLanguage)),
        f"languages separated by commas, of {', '.join(NationalLanguage)}",
        "Languages whose letters GSM-7 may have by national shift tables, in 155 in place of 160 characters, where the "
        "carrier takes them (national_shift of its dialect).",
        neutral=(),
    )
    max_parts: int = setting(
        4,
        parse_integer(1, 20),
        "a number from 1 to 20",
        "Longer texts are cut after so many parts (see overlong).",
        message=True,
    )
    overlong: Overlong = setting(
        Overlong.CUT, parse_enum(Overlong), "cut or refuse", "What happens to a text of more parts: cut, or not sent."
    )
    flash: bool = setting(False, parse_bool, _ON_OFF, "Shown at once and not stored by the phone.", message=True)
    language: str = setting("en", parse_language, "a language code such as en, de, es", "The language of our mails.")
    time_zone: str = setting("UTC", parse_zone, "an IANA time zone such as Europe/Madrid", "The zone of shown times.")
    logo: str = setting(
        "",
        parse_graphic_name,
        "the name of a graphic of the customer (template graphic add)",
        "The graphic above our mails to the customer's people, such as its logo.",
        neutral="",
    )
    accent: str = setting(
        "",
        parse_colour,
        "a colour such as #0a7d4b",
        "The colour of the customer's name in our mails; made darker or lighter where it cannot be read.",
        neutral="",
    )
    contact: str = setting(
        "",
        parse_contact,
        "at most 120 characters: a mail address, a phone number with +, an https link, or any words",
        "Whom people ask who have a question about one of our mails; it stands below.",
        neutral="",
    )
    summary_addresses: tuple[str, ...] = setting(
        (),
        parse_words(parse_mail_address),
        "mail addresses separated by commas",
        "Where the summary of each month is mailed on the first day of the next; a setting of the customer alone.",
        neutral=(),
    )
    text_days: int = setting(
        0,
        parse_integer(0, MOST_TEXT_DAYS),
        f"a number of days from 1 to {MOST_TEXT_DAYS}, or 0",
        "So many days after a job has ended, or an SMS was received, its text is erased; 0 keeps it for three months, "
        "as the rest.",
        neutral=0,
    )
    text_source: TextSource = setting(
        TextSource.BODY, parse_enum(TextSource), "body, subject or both", "Which words of the mail are the text."
    )
    sender_prefix: bool = setting(False, parse_bool, _ON_OFF, "Whether the text begins with the sender's mail address.")
    subject_fallback: bool = setting(
        True, parse_bool, _ON_OFF, "Whether an empty body means that the subject is the text."
    )
    end_marker: str = setting(
        "", parse_text(20), "at most 20 characters", "The text ends before this mark.", neutral=""
    )
    disclaimers: tuple[str, ...] = setting(
        (),
        parse_words(parse_text(200)),
        "phrases separated by commas",
        "Paragraphs that begin so are cut; * stands for any words.",
        neutral=(),
    )
    subject_options: bool = setting(False, parse_bool, _ON_OFF, "Whether [NAME:VALUE] in the subject sets options.")
    parameters: tuple[str, ...] = setting(
        (),
        parse_words(parse_parameter),
        EXPECTED,
        "What carriers get beside the text, such as the ids of India's DLT; each layer adds to those below it.",
        neutral=(),
        message=True,
        merge=merge_parameters,
    )
    duplicate_detection: bool = setting(
        False, parse_bool, _ON_OFF, "Whether the same text to the same number is sent once.", message=True
    )
    automatic_mail: bool = setting(
        True, parse_bool, _ON_OFF, "Whether mail of machines and lists is sent, else refused."
    )
    default_country: str = setting(
        "", parse_country, "an ISO country code such as DE or GB", "The country of national numbers.", neutral=""
    )
    strict_numbers: bool = setting(False, parse_bool, _ON_OFF, "Whether a number must be valid, not only possible.")
    address_prefixes: tuple[str, ...] = setting(
        ("SMS",), parse_words(parse_prefix), "words separated by commas", "NAME of addresses like NAME=+49…@domain."
    )
    max_recipients: int = setting(
        3000, parse_integer(1, 100000), "a number from 1 to 100000", "Recipients of one job at most."
    )


FIELDS: Mapping[str, Field] = MappingProxyType(
    {
        item.name: Field(
            name=item.name,
            parse=item.metadata["parse"],
            expected=item.metadata["expected"],
            neutral=item.metadata["neutral"],
            message_may_set=item.metadata["message"],
            doc=item.metadata["doc"],
            merge=item.metadata["merge"],
        )
        for item in fields(Settings)
    }
)


def parse_setting(name: str, text: str) -> object | SettingProblem:
    """Return a field's value from its text, UNSET for blank or `<unset>`, NONE for `<none>`, or what is wrong.

    Raises KeyError for a field that does not exist; `FIELDS` has all names.
    """
    known = FIELDS[name]
    if text.strip() == Unset.NONE:
        return NONE
    if text.strip() in ("", Unset.UNSET):
        return UNSET
    try:
        return known.parse(text)
    except ValueError:
        return SettingProblem(field=name, given=text[:80], expected=known.expected)


_UNITS: Final = (("d", 24 * 60), ("h", 60), ("m", 1))


def format_setting(value: object) -> str:
    """Return the text that `parse_setting` reads as this value; empty for an empty value, which is no cell."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, timedelta):
        minutes = int(value.total_seconds() // 60)
        unit, size = next((unit, size) for unit, size in _UNITS if minutes % size == 0)
        return f"{minutes // size}{unit}"
    if isinstance(value, SenderId):
        return f"+{value.value}" if value.kind is SenderKind.NUMERIC else value.value
    if isinstance(value, tuple):
        return ",".join(str(item) for item in value)
    return Unset.NONE.value if value is None else str(value)
