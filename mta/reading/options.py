"""Options in the subject: `[VALIDITY:4] [QOS:EXPRESS] …` → typed settings for one message.

Not here: whether the customer allows them (addressbook.hierarchy), whether they come too late (the caller knows the
time). Names are read in any case. What is nearly an option is refused, brackets around anything else are text.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final, TypeVar

import msgspec
from msgspec import Struct

from sms.message import Alphabet, Priority
from sms.number import parse_sender_id
from sms.outcome import Refusal, Refused
from sms.parameters import parse_parameter
from sms.schedule import Blackout, parse_blackout, parse_instant
from sms.settings import SettingsPatch, StatusReport, Unencodable, UseCase

_Value = TypeVar("_Value")


class SubjectOptions(Struct, frozen=True, kw_only=True):
    """The options of the subject. `subject` is the rest of it; `given` has every option as written, by name.

    `ignored` are those of a subject that is not read for options, as `[NAME:VALUE]`.
    """

    subject: str
    patch: SettingsPatch = msgspec.field(default_factory=dict)
    start_at: datetime | None = None
    blackouts: tuple[Blackout, ...] = ()
    reference: str = ""
    dry_run: bool = False
    given: Mapping[str, str] = msgspec.field(default_factory=dict)
    ignored: tuple[str, ...] = ()


# A Japanese or Chinese colon counts too. What may be meant as an option is found, so that it can be reported: a name in
# several words, `=` in place of the colon, no end.
_OPTION: Final = re.compile(
    r"\[\s*([A-Za-z](?:[ _-]?[A-Za-z]){1,25})\s*(?:([:=\N{FULLWIDTH COLON}])([^\[\]]*)(\]?)|\])"
)
_SURELY: Final = 0.88
_MAYBE: Final = 0.85
_SHORT: Final = 6
_MOST_IGNORED: Final = 5
_ON_OFF: Final[Mapping[str, bool]] = MappingProxyType({"ON": True, "OFF": False})
_QOS: Final[Mapping[str, Priority]] = MappingProxyType({"EXPRESS": Priority.EXPRESS, "NORMAL": Priority.NORMAL})
_USE_CASES: Final = MappingProxyType(
    {
        "TRANSACTIONAL": UseCase.TRANSACTIONAL,
        "MARKETING": UseCase.MARKETING,
        "ONETIMECODE": UseCase.ONE_TIME_CODE,
        # As the setting and REST spell it.
        "ONE-TIME-CODE": UseCase.ONE_TIME_CODE,
    }
)
_CODINGS: Final[Mapping[str, Alphabet]] = MappingProxyType(
    {
        "GSM7": Alphabet.GSM7,
        "GSM-7": Alphabet.GSM7,
        "STANDARD": Alphabet.GSM7,
        "UCS2": Alphabet.UCS2,
        "UCS-2": Alphabet.UCS2,
        "UTF-16": Alphabet.UCS2,
    }
)
_UNENCODABLE: Final[Mapping[str, Unencodable]] = MappingProxyType(
    {
        "AUTO": Unencodable.AUTO,
        "SMART": Unencodable.SMART,
        "SIMPLE": Unencodable.SIMPLE,
        "SWITCH": Unencodable.SWITCH,
        "REJECT": Unencodable.REJECT,
        "TRANSLITERATE": Unencodable.SMART,
        "REPLACE": Unencodable.SIMPLE,
        "TO_UTF16": Unencodable.SWITCH,
        "REFUSE": Unencodable.REJECT,
    }
)
_REFERENCE_LIMIT: Final = 70
_HOURS: Final = 7 * 24
_PARTS: Final = 20


class _MalformedError(Exception):
    """The option does not take this value; the argument says what is expected."""


@dataclass(slots=True)
class _Options:
    """The options read so far."""

    zone: tzinfo
    patch: dict[str, object] = field(default_factory=dict)
    start_at: datetime | None = None
    blackouts: tuple[Blackout, ...] = ()
    reference: str = ""
    dry_run: bool = False


def read_options(subject: str, *, zone: tzinfo = UTC) -> SubjectOptions | Refused:
    """Read the options of a decoded subject; OPTION_MALFORMED says what is wrong with one and what it takes.

    `zone` is for instants without an offset. A validity of 0 hours leaves the validity to the settings.
    """
    if "[" not in subject:
        return SubjectOptions(subject=subject.strip())
    options = _Options(zone=zone)
    given: dict[str, str] = {}
    kept: list[str] = []
    end = 0
    for match in _OPTION.finditer(subject):
        name, sign, value = match[1].upper(), match[2], (match[3] or "").strip()
        reader = _OPTIONS.get(name)
        if reader is None or sign == "=" or (sign is None and name != "DRYRUN"):
            meant = _find_meant(name, None if sign is None else value)
            if meant:
                return _refused(match[0], f"there is no such option; did you mean {_written(meant, value)}?")
            continue
        if sign is not None and not match[4]:
            return _malformed(name, value, "the closing ] is missing")
        if given.get(name, value) != value:
            return _malformed(name, value, "it was already given with another value")
        given[name] = value
        try:
            reader(options, value)
        except _MalformedError as error:
            return _malformed(name, value, f"expected {error}")
        kept.append(subject[end : match.start()])
        end = match.end()
    kept.append(subject[end:])
    return SubjectOptions(
        subject=" ".join(" ".join(kept).split()) if given else subject.strip(),
        patch=options.patch,
        start_at=options.start_at,
        blackouts=options.blackouts,
        reference=options.reference,
        dry_run=options.dry_run,
        given=given,
    )


def leave_options(subject: str) -> SubjectOptions:
    """Return a subject that is not read for options, with those it has; a word with the name of one is none."""
    if "[" not in subject:
        return SubjectOptions(subject=subject)
    found: dict[str, None] = {}
    for match in _OPTION.finditer(subject):
        name, sign, value = match[1].upper(), match[2], (match[3] or "").strip()
        if name not in _OPTIONS or sign == "=" or (sign is None and name != "DRYRUN"):
            continue
        if name not in _ALSO_WORDS or _takes(name, value):
            found[_written(name, value)] = None
    return SubjectOptions(subject=subject, ignored=tuple(found)[:_MOST_IGNORED])


def _find_meant(name: str, value: str | None) -> str:
    """Return the option that a name is a typing error of, empty where it may be an ordinary word.

    A long name tells by itself; a shorter or less similar one where the option takes the value. Without a value
    (None) only a dry run is meant.
    """
    letters = re.sub(r"[ _-]", "", name)
    known = ("DRYRUN",) if value is None else tuple(_OPTIONS)
    near = get_close_matches(letters, [one for one in known if one[0] == letters[0]], n=1, cutoff=_MAYBE)
    if not near:
        return ""
    surely = len(near[0]) >= _SHORT and get_close_matches(letters, near, cutoff=_SURELY)
    return near[0] if surely or (near[0] not in _TAKE_ANY_TEXT and _takes(near[0], value or "")) else ""


def _takes(name: str, value: str) -> bool:
    try:
        _OPTIONS[name](_Options(zone=UTC), value)
    except _MalformedError:
        return False
    return True


def _written(name: str, value: str) -> str:
    return f"[{name}:{' '.join(value.split())[:60]}]" if value else f"[{name}]"


def _refused(written: str, detail: str) -> Refused:
    return Refused(refusal=Refusal.OPTION_MALFORMED, detail=f"{written[:80]} in the subject: {detail}")


def _malformed(name: str, value: str, detail: str) -> Refused:
    return _refused(f"[{name}:{value[:60]}]", detail)


def _choice(value: str, words: Mapping[str, _Value], expected: str) -> _Value:
    try:
        return words[value.upper()]
    except KeyError:
        raise _MalformedError(expected) from None


def _number(value: str, low: int, high: int, expected: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", value, re.ASCII) or not low <= int(value) <= high:
        raise _MalformedError(expected)
    return int(value)


def _label(value: str, expected: str) -> str:
    if not value or len(value) > _REFERENCE_LIMIT or not value.isprintable():
        raise _MalformedError(expected)
    return value


def _notification(options: _Options, value: str) -> None:
    options.patch["delivery_receipt"] = _choice(value, _ON_OFF, "ON or OFF")
    if options.patch["delivery_receipt"]:
        options.patch["status_report"] = StatusReport.ALWAYS


def _validity(options: _Options, value: str) -> None:
    hours = _number(value, 0, _HOURS, f"a number of hours from 0 to {_HOURS}")
    if hours:
        options.patch["validity"] = timedelta(hours=hours)


def _priority(options: _Options, value: str) -> None:
    options.patch["priority"] = _choice(value, _QOS, "EXPRESS or NORMAL")


def _duplicates(options: _Options, value: str) -> None:
    options.patch["duplicate_detection"] = _choice(value, _ON_OFF, "ON or OFF")


def _start(options: _Options, value: str) -> None:
    try:
        options.start_at = parse_instant(value, options.zone)
    except ValueError:
        raise _MalformedError("an instant such as 2026-11-23T17:42:00+01:00") from None


def _sender(options: _Options, value: str) -> None:
    sender = parse_sender_id(value)
    if sender is None:
        raise _MalformedError("a number, a short code, or up to 11 letters, digits and blanks")
    options.patch["sender_id"] = sender


def _blackouts(options: _Options, value: str) -> None:
    """Read `start/end`, several separated by commas; one under an hour is extended to an hour from its start."""
    expected = "start/end such as 2026-11-23T22:00:00+01:00/2026-11-24T06:00:00+01:00, the end later than the start"
    try:
        options.blackouts = tuple(parse_blackout(interval, options.zone) for interval in re.split(r"[,;]", value))
    except ValueError:
        raise _MalformedError(expected) from None


def _flash(options: _Options, value: str) -> None:
    options.patch["flash"] = _choice(value, _ON_OFF, "ON or OFF")


def _cost_centre(options: _Options, value: str) -> None:
    options.patch["cost_centre"] = _label(value, "1 to 70 characters")


def _reference(options: _Options, value: str) -> None:
    options.reference = _label(value, "1 to 70 characters")


def _use_case(options: _Options, value: str) -> None:
    options.patch["use_case"] = _choice(value, _USE_CASES, "TRANSACTIONAL, MARKETING or ONETIMECODE")


def _coding(options: _Options, value: str) -> None:
    options.patch["coding"] = _choice(value, _CODINGS, "GSM7 or UCS2")


def _unencodable(options: _Options, value: str) -> None:
    options.patch["unencodable"] = _choice(value, _UNENCODABLE, "AUTO, SMART, SIMPLE, SWITCH or REJECT")


def _parts(options: _Options, value: str) -> None:
    options.patch["max_parts"] = _number(value, 1, _PARTS, "a number from 1 to 20")


def _parameters(options: _Options, value: str) -> None:
    try:
        options.patch["parameters"] = tuple(parse_parameter(item) for item in value.split(","))
    except ValueError:
        raise _MalformedError("NAME=VALUE, several separated by commas") from None


def _dry_run(options: _Options, value: str) -> None:
    options.dry_run = _choice(value or "ON", _ON_OFF, "ON or OFF, or nothing")


_OPTIONS: Final[Mapping[str, Callable[[_Options, str], None]]] = MappingProxyType(
    {
        "DN": _notification,
        "VALIDITY": _validity,
        "QOS": _priority,
        "DUPLICATEDETECTION": _duplicates,
        "JOBPERIOD": _start,
        "SRC": _sender,
        "BLACKOUTPERIODS": _blackouts,
        "FLASH": _flash,
        "BC": _cost_centre,
        "CUSTOMERREF": _reference,
        "USECASE": _use_case,
        "CODING": _coding,
        "UNENCODABLE": _unencodable,
        "MAXPARTS": _parts,
        "PARAMETERS": _parameters,
        "DRYRUN": _dry_run,
    }
)
_TAKE_ANY_TEXT: Final = frozenset({"SRC", "BC", "CUSTOMERREF"})
_ALSO_WORDS: Final = frozenset({"DN", "QOS", "SRC", "BC", "FLASH", "CODING", "VALIDITY"})
OPTION_NAMES: Final = frozenset(_OPTIONS)
