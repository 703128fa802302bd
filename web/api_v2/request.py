"""The requests of REST version 2: JSON, parameters and headers → values, or the fields that can't be read.

Unknown names are refused, since a misspelt one would be forgotten in silence. Not here: what is allowed (gateway).
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final, TypeVar

import msgspec

from gateway.applications import ApplicationJob
from gateway.dedup_keys import request_use
from gateway.submission import RecipientRequest
from sms.job import FirstUse
from sms.message import Origin
from sms.schedule import Blackout, parse_blackout, parse_instant
from sms.settings import FIELDS, SettingProblem, parse_setting
from web.api_v2.calls import MOST_LISTED
from web.api_v2.shapes import JobToSend
from web.problems import BadField

_USUALLY_LISTED: Final = 100
_LONGEST_NAME: Final = 255
_MOST_NAMED: Final = 20
_START: Final = (-1, -1)
_AT: Final = re.compile(r"^(.*) - at `(.+)`$", re.DOTALL)
_CURSOR: Final = re.compile(r"[0-9]{1,18}-[0-9]{1,18}", re.ASCII)
_QUOTED: Final = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"', re.ASCII)
_BARE: Final = re.compile(r"[!#-\[\]-~]+", re.ASCII)


Body = TypeVar("Body", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageWanted:
    """Which jobs are asked for: those behind a place in their order."""

    after: tuple[int, int]
    only_open: bool
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListWanted:
    """What the parameters of a list ask for: what is behind a `cursor` (empty: all), and what else it takes."""

    cursor: str
    limit: int
    flags: frozenset[str]


def read_body(body: bytes, shape: type[Body]) -> Body | list[BadField]:
    """Return the JSON of a request."""
    try:
        return msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"), type=shape)
    except msgspec.ValidationError as error:
        return [_fault_of(str(error))]
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return [BadField(field="the body", expected=f"JSON in UTF-8 ({error})")]
    except RecursionError:
        return [BadField(field="the body", expected="JSON that is nested less deeply")]


def read_job(body: bytes, zone: tzinfo) -> ApplicationJob | list[BadField]:
    """Return the job of a request's JSON; `zone` is that of instants without an offset."""
    given = read_body(body, JobToSend)
    return given if isinstance(given, list) else _Reading(given, zone).job()


def read_list(
    given: Mapping[str, str], cursors: re.Pattern[str], *, flags: Collection[str] = ()
) -> ListWanted | list[BadField]:
    """Return what the parameters of a list ask for; `flags` are those that are true or false."""
    known = ("cursor", "limit", *flags)
    bad = check_names(given, known)
    cursor, limit = given.get("cursor", ""), given.get("limit", str(_USUALLY_LISTED))
    if cursor and not cursors.fullmatch(cursor):
        bad.append(BadField(field="cursor", expected="the value of `next` as it was answered"))
    if not re.fullmatch(r"[0-9]{1,4}", limit, re.ASCII) or not 1 <= int(limit) <= MOST_LISTED:
        bad.append(BadField(field="limit", expected=f"a number from 1 to {MOST_LISTED}"))
    bad += [
        BadField(field=name, expected="true or false")
        for name in flags
        if given.get(name, "false") not in {"true", "false"}
    ]
    if bad:
        return bad
    wanted = frozenset(name for name in flags if given.get(name) == "true")
    return ListWanted(cursor=cursor, limit=int(limit), flags=wanted)


def check_names(given: Iterable[str], known: Collection[str]) -> list[BadField]:
    """Return the parameters that a call does not take."""
    expected = f"one of {', '.join(known)}"
    return [BadField(field=name[:80], expected=expected) for name in given if name not in known][:_MOST_NAMED]


def read_page(given: Mapping[str, str]) -> PageWanted | list[BadField]:
    """Return which jobs the parameters ask for."""
    wanted = read_list(given, _CURSOR, flags=("open",))
    if isinstance(wanted, list):
        return wanted
    accepted_at, _, key = wanted.cursor.partition("-")
    after = (int(accepted_at), int(key)) if wanted.cursor else _START
    return PageWanted(after=after, only_open="open" in wanted.flags, limit=wanted.limit)


def write_cursor(place: tuple[int, int]) -> str:
    """Return the cursor of what follows a place."""
    return f"{place[0]}-{place[1]}"


def read_name(headers: Sequence[str]) -> str | BadField:
    """Return the name of a request from its Idempotency-Key, quoted or not; empty where there is none."""
    if not headers:
        return ""
    given = headers[0].strip()
    found = _QUOTED.fullmatch(given)  # RFC 9651 §3.3.3
    name = re.sub(r"\\(.)", r"\1", found[1]) if found else given if _BARE.fullmatch(given) else ""
    if len(headers) > 1 or not 0 < len(name) <= _LONGEST_NAME:
        expected = f"one string of 1 to {_LONGEST_NAME} printable ASCII characters, in quotes"
        return BadField(field="Idempotency-Key", expected=expected)
    return name


def use_of(login: str, name: str, body: bytes) -> FirstUse:
    """Return what a named request is known by; the order of members and blanks between them make no difference."""
    return request_use(
        login, name, msgspec.json.encode(msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf")), order="sorted")
    )


def _fault_of(said: str) -> BadField:
    """Return the field that a sentence of the decoder names."""
    found = _AT.match(said)
    return BadField(
        field=found[2].removeprefix("$").removeprefix(".") if found else "the body",
        expected=f"what the description says ({found[1] if found else said})",
    )


class _Reading:
    """A decoded request and what in it can't be read."""

    def __init__(self, given: JobToSend, zone: tzinfo) -> None:
        self._given = given
        self._zone = zone
        self._bad: list[BadField] = []

    def job(self) -> ApplicationJob | list[BadField]:
        given = self._given
        personalised = any(item.values for message in given.messages for item in message.recipients)
        if personalised and len(given.messages) > 1:
            self._fail("messages", "one text where recipients have values")
        texts = tuple(
            (message.text, self._recipients(index, personalised)) for index, message in enumerate(given.messages)
        )
        job = ApplicationJob(
            service=Origin.REST,
            texts=texts,
            options=self._settings(),
            reference=self._line(given.reference, "reference"),
            start_at=self._instant(given.send_at, "send_at"),
            blackouts=tuple(
                found
                for index, text in enumerate(given.blackouts)
                if (found := self._blackout(text, index)) is not None
            ),
            personalised=personalised,
        )
        return self._bad or job

    def _recipients(self, index: int, personalised: bool) -> tuple[RecipientRequest, ...]:  # noqa: FBT001
        found = []
        for place, item in enumerate(self._given.messages[index].recipients):
            at = f"messages[{index}].recipients[{place}]"
            number = self._line(item.to, f"{at}.to")
            found.append(
                RecipientRequest(
                    given=number,
                    number=number,
                    reference=self._line(item.reference, f"{at}.reference"),
                    values=item.values if personalised else None,
                    row=at if personalised else "",
                )
            )
        return tuple(found)

    def _settings(self) -> dict[str, object]:
        patch: dict[str, object] = {}
        for name, value in self._given.settings.items():
            if name not in FIELDS:
                self._fail(f"settings.{name[:80]}", "the name of a setting")
                continue
            text = ("on" if value else "off") if isinstance(value, bool) else str(value)
            found = parse_setting(name, text)
            if isinstance(found, SettingProblem):
                self._fail(f"settings.{name}", found.expected)
            patch[name] = found
        return patch

    def _line(self, text: str, at: str) -> str:
        if not text.isprintable():
            self._fail(at, "one line of printable characters")
        return text.strip()

    def _instant(self, text: str | None, at: str) -> datetime | None:
        try:
            return parse_instant(text, self._zone) if text is not None else None
        except ValueError:
            self._fail(at, "an instant such as 2026-11-30T17:42:00Z")
            return None

    def _blackout(self, text: str, index: int) -> Blackout | None:
        try:
            return parse_blackout(text, self._zone)
        except ValueError:
            self._fail(f"blackouts[{index}]", "start/end such as 2026-11-30T22:00:00Z/2026-12-01T06:00:00Z")
            return None

    def _fail(self, field: str, expected: str) -> None:
        if len(self._bad) < _MOST_NAMED:
            self._bad.append(BadField(field=field, expected=expected))
