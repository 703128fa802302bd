"""The body of `POST /jobs`: JSON → what an application wants sent, or the fields that can't be read.

Clients write names as camelCase or snake_case, null for what they do not set, and values in any case. What is unknown
is left out and named with the job. Numbers beyond a range are taken to its end. Not here: what is allowed (gateway).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from types import MappingProxyType
from typing import Any, Final, TypeVar

import msgspec

from gateway.applications import ApplicationJob
from gateway.submission import RecipientRequest
from sms.message import Alphabet, Origin, Priority
from sms.number import parse_sender_id
from sms.schedule import Blackout, parse_blackout, parse_instant
from sms.settings import Unencodable
from web.problems import BadField

T = TypeVar("T")
Json = Any

_MOST_NAMED: Final = 20
_LONGEST_CENTRE: Final = 70
_LONGEST_REFERENCE: Final = 192
_LONGEST_NUMBER: Final = 40
_SHORTEST_VALIDITY: Final = 5
_LONGEST_VALIDITY: Final = 2880
_MOST_PARTS: Final = 20
_PERIOD: Final = "start/end such as 2026-11-30T22:00:00+01:00/2026-12-01T06:00:00+01:00, the end later than the start"
_ENCODINGS: Final = MappingProxyType(
    {"STANDARD": Alphabet.GSM7, "UTF-16": Alphabet.UCS2, "UTF16": Alphabet.UCS2, "UTF_16": Alphabet.UCS2}
)
_QOS: Final = MappingProxyType({"NORMAL": Priority.NORMAL, "EXPRESS": Priority.EXPRESS})
_INVALID_CHARACTERS: Final = MappingProxyType(
    {
        "REFUSE": Unencodable.REJECT,
        "REPLACE": Unencodable.SIMPLE,
        "TO_UTF16": Unencodable.SWITCH,
        "TRANSLITERATE": Unencodable.SMART,
    }
)
_BOOLEANS: Final = MappingProxyType({"true": True, "1": True, "false": False, "0": False})


def parse_truth(text: str) -> bool | None:
    """Return the truth that a word names in any case, None for another word."""
    return _BOOLEANS.get(text.strip().lower())


def read_job(body: bytes, zone: tzinfo) -> ApplicationJob | list[BadField]:
    """Return the job of a request's JSON; `zone` is that of instants without an offset."""
    try:
        given = msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return [BadField(field="the body", expected=f"JSON in UTF-8 ({error})")]
    except RecursionError:
        return [BadField(field="the body", expected="JSON that is nested less deeply")]
    return read_fields(given, zone, Origin.REST)


def read_fields(given: Json, zone: tzinfo, service: Origin) -> ApplicationJob | list[BadField]:
    """Return the job that an interface's fields are, named and shaped as in JSON."""
    reading = _Reading(zone=zone)
    top = reading.members(given, "", ("options", "messages"))
    _read_options(reading, top.get("options"))
    texts = tuple(
        (_read_text(reading, message, at), _read_recipients(reading, message, at))
        for at, message in reading.items(top.get("messages"), "messages", ("text", "recipients"))
    )
    if reading.bad:
        return reading.bad
    return ApplicationJob(
        service=service,
        texts=texts,
        options=reading.patch,
        reference=reading.reference,
        start_at=reading.start_at,
        blackouts=reading.blackouts,
        ignored_options=tuple(reading.ignored),
    )


@dataclass(slots=True)
class _Reading:
    """What was read so far, and what could not be."""

    zone: tzinfo
    bad: list[BadField] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    patch: dict[str, object] = field(default_factory=dict)
    reference: str = ""
    start_at: datetime | None = None
    blackouts: tuple[Blackout, ...] = ()

    def fail(self, at: str, expected: str) -> None:
        """Note a field that can't be read."""
        if len(self.bad) < _MOST_NAMED:
            self.bad.append(BadField(field=at or "the body", expected=expected))

    def members(self, given: Json, at: str, names: tuple[str, ...]) -> dict[str, Json]:
        """Return the members of an object by their names as documented; those that are null are left out."""
        if not isinstance(given, dict):
            self.fail(at, f"an object with {' and '.join(names[:2])}")
            return {}
        known = {_plain(name): name for name in names}
        found: dict[str, Json] = {}
        for name, value in given.items():
            if _plain(name) not in known:
                self._ignore(f"{at}.{name}".removeprefix("."))
            elif value is not None:
                found[known[_plain(name)]] = value
        return found

    def items(self, given: Json, at: str, names: tuple[str, ...]) -> list[tuple[str, dict[str, Json]]]:
        """Return the objects of a list that may not be empty, each with the place where it stands."""
        if not isinstance(given, list) or not given:
            self.fail(at, "a list of objects, at least one,")
            return []
        places = [f"{at}[{index}]" for index in range(len(given))]
        return [(place, self.members(item, place, names)) for place, item in zip(places, given, strict=True)]

    def words(self, given: Json, at: str, longest: int) -> str | None:
        """Return one line of text; a number stands for its digits. None where it is neither."""
        text = str(given) if isinstance(given, int) and not isinstance(given, bool) else given
        if isinstance(text, str) and len(text) <= longest and (text.isprintable() or not text):
            return text.strip()
        self.fail(at, f"one line of at most {longest} characters")
        return None

    def choice(self, given: Json, at: str, words: Mapping[str, T]) -> T | None:
        """Return what a word in any case stands for."""
        found = words.get(given.strip().upper()) if isinstance(given, str) else None
        if found is None:
            self.fail(at, " or ".join(words))
        return found

    def truth(self, given: Json, at: str) -> bool | None:
        """Return a truth, also one in words."""
        found = given if isinstance(given, bool) else parse_truth(str(given)) if isinstance(given, str | int) else None
        if found is None:
            self.fail(at, "true or false")
        return found

    def number(self, given: Json, at: str) -> int | None:
        """Return a whole number of 0 or more, also one in a string."""
        text = given if isinstance(given, str) else str(given) if isinstance(given, int) else ""
        if isinstance(given, bool) or not (text.isascii() and text.isdigit() and len(text) <= 9):
            self.fail(at, "a whole number")
            return None
        return int(text)

    def periods(self, given: Json, at: str) -> tuple[Blackout, ...]:
        """Return periods from a list of them, or from one; a single instant is none."""
        listed = given if isinstance(given, list) else [given]
        try:
            return tuple(parse_blackout(text, self.zone) for text in listed if text not in (None, ""))
        except (ValueError, AttributeError, TypeError):
            self.fail(at, _PERIOD)
            return ()

    def _ignore(self, name: str) -> None:
        if len(self.ignored) < _MOST_NAMED and name.isprintable():
            self.ignored.append(name[:80])


def _plain(name: str) -> str:
    """Return a name as compared: `customerRef`, `customer_ref` and `customRef` are one."""
    plain = name.replace("_", "").lower()
    return "customerref" if plain == "customref" else plain


def _read_text(reading: _Reading, message: Mapping[str, Json], at: str) -> str:
    text = message.get("text")
    if not isinstance(text, str) or not text.strip():
        reading.fail(f"{at}.text", "a text that is not blank")
        return ""
    return text


def _read_recipients(reading: _Reading, message: Mapping[str, Json], at: str) -> tuple[RecipientRequest, ...]:
    names = ("dst", "customerRef", "blackoutPeriods")
    return tuple(
        _read_recipient(reading, recipient, place)
        for place, recipient in reading.items(message.get("recipients"), f"{at}.recipients", names)
    )


def _read_recipient(reading: _Reading, recipient: Mapping[str, Json], at: str) -> RecipientRequest:
    number = reading.words(recipient.get("dst", ""), f"{at}.dst", _LONGEST_NUMBER)
    if number == "":
        reading.fail(f"{at}.dst", "a number such as +447700900123")
    periods = reading.periods(recipient.get("blackoutPeriods"), f"{at}.blackoutPeriods")
    return RecipientRequest(
        given=number or "",
        number=number or "",
        reference=reading.words(recipient.get("customerRef", ""), f"{at}.customerRef", _LONGEST_REFERENCE) or "",
        blackouts=periods or None,
    )


def _read_options(reading: _Reading, given: Json) -> None:
    if given is None:
        return
    for name, value in reading.members(given, "options", tuple(_OPTIONS)).items():
        _OPTIONS[name](reading, value, f"options.{name}")


def _src(reading: _Reading, value: Json, at: str) -> None:
    text = reading.words(value, at, _LONGEST_NUMBER)
    sender = parse_sender_id(text) if text is not None else None
    if text is not None and sender is None:
        reading.fail(at, "a number, a short code, or up to 11 letters, digits, blanks and common punctuation")
    reading.patch["sender_id"] = sender


def _label(name: str) -> "_Option":
    def read(reading: _Reading, value: Json, at: str) -> None:
        reading.patch[name] = reading.words(value, at, _LONGEST_CENTRE)

    return read


def _truth(name: str) -> "_Option":
    def read(reading: _Reading, value: Json, at: str) -> None:
        reading.patch[name] = reading.truth(value, at)

    return read


def _word(name: str, words: Mapping[str, object]) -> "_Option":
    def read(reading: _Reading, value: Json, at: str) -> None:
        reading.patch[name] = reading.choice(value, at, words)

    return read


def _reference(reading: _Reading, value: Json, at: str) -> None:
    reading.reference = reading.words(value, at, _LONGEST_REFERENCE) or ""


def _validity(reading: _Reading, value: Json, at: str) -> None:
    minutes = reading.number(value, at)
    if minutes:  # 0 leaves it to the login's settings
        reading.patch["validity"] = timedelta(minutes=min(max(minutes, _SHORTEST_VALIDITY), _LONGEST_VALIDITY))


def _parts(reading: _Reading, value: Json, at: str) -> None:
    parts = reading.number(value, at)
    if parts is not None:
        reading.patch["max_parts"] = min(max(parts, 1), _MOST_PARTS)


def _start(reading: _Reading, value: Json, at: str) -> None:
    try:
        reading.start_at = parse_instant(value, reading.zone)
    except (ValueError, AttributeError, TypeError):
        reading.fail(at, "an instant such as 2026-11-30T17:42:00+01:00")


def _blackouts(reading: _Reading, value: Json, at: str) -> None:
    reading.blackouts = reading.periods(value, at)


_Option = Callable[[_Reading, Json, str], None]
_OPTIONS: Final[Mapping[str, _Option]] = MappingProxyType(
    {
        "src": _src,
        "encoding": _word("coding", _ENCODINGS),
        "billcode": _label("cost_centre"),
        "statusRequested": _truth("delivery_receipt"),
        "flash": _truth("flash"),
        "customerRef": _reference,
        "validityMin": _validity,
        "maxParts": _parts,
        "invalidCharacters": _word("unencodable", _INVALID_CHARACTERS),
        "qos": _word("priority", _QOS),
        "jobPeriod": _start,
        "duplicateDetection": _truth("duplicate_detection"),
        "blackoutPeriods": _blackouts,
    }
)
