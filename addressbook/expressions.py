"""The small language of a mapping: which attribute of an entry says something of a user, and what is made of it.

- `mobile`: an attribute; `dn` is the name of the entry. `"text"`: this text.
- `displayName || cn`: the first of them that has a value.
- `proxyAddresses | primary | lower`: transforms, from left to right (`TRANSFORMS`); those between `||` are each one's.

Of several values the first that is left counts, in the order of the server. Not here: which field an expression is for
(source_options), what an entry says of a user (dirsync.mapping). Standards: RFC 4512 §2.5 (names of attributes).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from itertools import chain, islice
from math import inf
from types import MappingProxyType
from typing import Final, NamedTuple

from addressbook.changes import ChangeFaultCode
from sms.bounded_regex import RegexError, compile_bounded
from sms.facts import Fact
from sms.number import parse_stored_number
from sms.outcome import Refused

DN: Final = "dn"
OFF: Final = "off"
_LONGEST_EXPRESSION: Final = 2_000
_LONGEST_VALUE: Final = 1_000
_LONGEST_MATCHED: Final = 256
_LONGEST_REGEX: Final = 100
_MOST_STEPS: Final = 40_000_000
_SHOWN: Final = 80
_ATTRIBUTE: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)+)(?:;[A-Za-z0-9-]+)*", re.ASCII)
_TRANSFORM: Final = re.compile(r"([A-Za-z]+)(?:\((.*)\))?", re.DOTALL)
_DISABLED: Final = 0x2  # ADS_UF_ACCOUNTDISABLE
_NEVER: Final = frozenset({0, 2**63 - 1})  # accountExpires
_FILETIME_OF_1970: Final = 116_444_736_000_000_000  # of 100 ns since 1601
_MOST_DAYS: Final = 1_000_000
_GENERALIZED_TIME: Final = re.compile(r"([0-9]{14})(?:[.,][0-9]+)?Z", re.ASCII)  # RFC 4517 §3.3.13
_LOCKED_FOR_GOOD: Final = "000001010000"  # draft-behera-ldap-password-policy §5.3.3


class ExpressionError(ValueError):
    """An expression cannot be read; its text is a sentence that says why."""


class UnreadableError(Exception):
    """A value of an entry cannot be read: the code and facts of a fault, and the attribute as it was written."""

    def __init__(self, code: ChangeFaultCode, **facts: Fact) -> None:
        super().__init__(code, facts)
        self.code = code
        self.facts = facts
        self.attribute = ""


@dataclass(slots=True, kw_only=True)
class Circumstances:
    """What a value depends on beside the entry: the instant, and the country of national numbers, or empty.

    `until` is the earliest later instant, in seconds since 1970, at which a value that was read becomes another one.
    """

    now: datetime
    country: str = ""
    until: float = inf

    def is_over(self, ends: float) -> bool:
        """Return whether an instant has passed, in seconds since 1970."""
        if ends <= self.now.timestamp():
            return True
        self.until = min(self.until, ends)
        return False


_Step = Callable[[Iterator[str], Circumstances], Iterator[str]]


class _Alternative(NamedTuple):
    """An attribute in lower case, as it was written, or a literal text; and what is done with its values."""

    attribute: str
    written: str
    literal: str
    steps: tuple[_Step, ...]


class FoundValue(NamedTuple):
    """A value, never empty, and the attribute that it is of, as the expression spells it; empty for a literal."""

    text: str
    attribute: str


class Expression:
    """A parsed expression; `attributes` are the names in lower case that it reads.

    `gives_numbers`: each of its values is in the form E.164.
    """

    __slots__ = ("_alternatives", "attributes", "gives_numbers")

    def __init__(self, alternatives: tuple[_Alternative, ...]) -> None:
        self._alternatives = alternatives
        self.gives_numbers = all(each.steps and each.steps[-1] is _NUMBER for each in alternatives)
        self.attributes = frozenset(each.attribute for each in alternatives if each.attribute)

    @property
    def first_attribute(self) -> str:
        """The attribute that is asked first, as the expression spells it; empty for a literal."""
        return self._alternatives[0].written

    def read(self, attributes: Mapping[str, tuple[bytes, ...]], around: Circumstances) -> FoundValue | None:
        """Return what the attributes of an entry say, None if nothing. Raises UnreadableError."""
        for attribute, written, literal, steps in self._alternatives:
            values = map(_text_of, attributes.get(attribute, ())) if attribute else iter((literal,))
            try:
                for step in steps:
                    values = step(values, around)
                for value in values:
                    text = value.strip()
                    if text:
                        return FoundValue(text, written)
            except UnreadableError as error:
                error.attribute = written
                raise
        return None


def _text_of(value: bytes) -> str:
    if len(value) > _LONGEST_VALUE * 4:
        raise UnreadableError(ChangeFaultCode.TOO_LONG, most=_LONGEST_VALUE)
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise UnreadableError(ChangeFaultCode.NOT_UTF8) from None
    if len(text) > _LONGEST_VALUE:
        raise UnreadableError(ChangeFaultCode.TOO_LONG, most=_LONGEST_VALUE)
    if not text.isprintable() and any(char < " " or char == "\x7f" for char in text):
        raise UnreadableError(ChangeFaultCode.CONTROL_CHARACTERS)
    return text


def parse_expression(text: str) -> Expression:
    """Return the expression that a text is. Raises ExpressionError."""
    if len(text) > _LONGEST_EXPRESSION:
        raise ExpressionError(f"An expression has at most {_LONGEST_EXPRESSION} characters.")
    return Expression(tuple(_parse_alternative(piece) for piece in _split(text, "||")))


def _split(text: str, separator: str) -> list[str]:
    """Return the pieces between separators that stand neither in quotes nor in brackets."""
    pieces, begin, at = list[str](), 0, 0
    depth, is_quoted = 0, False
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 1
        elif char == '"' and not depth:
            is_quoted = not is_quoted
        elif char in "()" and not is_quoted:
            depth += 1 if char == "(" else -1
        elif not depth and not is_quoted and text.startswith(separator, at):
            pieces.append(text[begin:at].strip())
            begin = at + len(separator)
            at = begin - 1
        at += 1
    if depth or is_quoted:
        raise ExpressionError("A quote or a bracket is not closed.")
    return [*pieces, text[begin:].strip()]


def _parse_alternative(text: str) -> _Alternative:
    head, *steps = _split(text, "|")
    made = tuple(_parse_transform(step) for step in steps)
    literal = _unquoted(head)
    if literal != head:
        return _Alternative("", "", literal, made)
    if not _ATTRIBUTE.fullmatch(head):
        raise ExpressionError(f'«{head[:_SHOWN]}» is neither an attribute such as mail nor a "text" in quotes.')
    return _Alternative(head.lower(), head, "", made)


def _parse_transform(text: str) -> _Step:
    match = _TRANSFORM.fullmatch(text)
    transform = TRANSFORMS.get(match[1].lower()) if match else None
    if match is None or transform is None:
        near = get_close_matches(match[1].lower() if match else text, TRANSFORMS, n=1)
        known = f"did you mean «{near[0]}»?" if near else f"the transforms are {', '.join(TRANSFORMS)}."
        raise ExpressionError(f"There is no transform «{text[:_SHOWN]}»; {known}")
    if (match[2] is not None) != bool(transform.argument):
        wanted = f"{match[1]}({transform.argument})" if transform.argument else f"{match[1]}, without brackets"
        raise ExpressionError(f"«{match[1]}» is written as {wanted}.")
    return transform.make(_unquoted(match[2] or ""))


def _unquoted(text: str) -> str:
    return text[1:-1].replace('\\"', '"') if len(text) >= 2 and text[0] == text[-1] == '"' else text


def _each(change: Callable[[str, Circumstances], str | None]) -> _Step:
    """Return the step that changes each value; None leaves a value out."""

    def step(values: Iterator[str], around: Circumstances) -> Iterator[str]:
        return (new for value in values if (new := change(value, around)) is not None)

    return step


def _number(value: str, around: Circumstances) -> str:
    number = parse_stored_number(value.strip(), around.country)
    if isinstance(number, Refused):
        raise UnreadableError(ChangeFaultCode.BAD_NUMBER, given=value[:_SHOWN], cause=number.detail.removesuffix("."))
    return number.e164


_NUMBER: Final = _each(_number)


def _primary(value: str, _: Circumstances) -> str | None:
    return value[5:] if value.startswith("SMTP:") else None  # `smtp:` in small letters are further addresses


def _last(values: Iterator[str], _: Circumstances) -> Iterator[str]:
    return iter(tuple(values)[-1:])


def _disabled(values: Iterator[str], _: Circumstances) -> Iterator[str]:
    """Give `off` where bit 2 of userAccountControl is set; every account has the attribute, so it must be there."""
    value = next(values, None)
    if value is None:
        raise UnreadableError(ChangeFaultCode.NO_ATTRIBUTE)
    return iter((OFF,) if _integer(value, "disabled") & _DISABLED else ())


def _expired(value: str, around: Circumstances) -> str | None:
    """Give `off` after an instant: 100 ns since 1601, days since 1970, or a time as 20261231235959Z."""
    if match := _GENERALIZED_TIME.fullmatch(value):
        try:
            ends = datetime.strptime(match[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp()
        except ValueError:
            raise UnreadableError(ChangeFaultCode.UNREADABLE, given=value[:_SHOWN], transform="expires") from None
    else:
        number = _integer(value, "expires")
        if number < 0 or number in _NEVER:
            return None
        is_days = number < _MOST_DAYS
        ends = number * 86_400.0 if is_days else (number - _FILETIME_OF_1970) / 10_000_000
    return OFF if around.is_over(ends) else None


def _locked(value: str, _: Circumstances) -> str | None:
    return OFF if value.startswith(_LOCKED_FOR_GOOD) else None


def _integer(value: str, transform: str) -> int:
    if re.fullmatch(r"\s*-?[0-9]{1,19}\s*", value, re.ASCII) is None:
        raise UnreadableError(ChangeFaultCode.UNREADABLE, given=value[:_SHOWN], transform=transform)
    return int(value)


def _match(pattern: str) -> _Step:
    try:
        regex = compile_bounded(pattern, longest=_LONGEST_REGEX, longest_text=_LONGEST_MATCHED, most_steps=_MOST_STEPS)
    except RegexError as error:
        raise ExpressionError(str(error)) from None

    def change(value: str, _: Circumstances) -> str | None:
        if len(value) > _LONGEST_MATCHED:
            raise UnreadableError(ChangeFaultCode.TOO_LONG, most=_LONGEST_MATCHED)
        found = regex.search(value)
        return None if found is None else found[1 if regex.groups else 0]

    return _each(change)


def _map(argument: str) -> _Step:
    pairs = [(key.strip().casefold(), is_pair, value.strip()) for key, is_pair, value in _pairs(argument)]
    if not all(key and is_pair for key, is_pair, _ in pairs):
        raise ExpressionError("«map» is written as map(A=B, C=D).")
    texts = {key: value for key, _, value in pairs}
    others = texts.pop("*", None)

    def change(value: str, _: Circumstances) -> str:
        text = texts.get(value.strip().casefold(), others)
        if text is None:
            raise UnreadableError(ChangeFaultCode.NOT_LISTED, given=value[:_SHOWN])
        return text

    return _each(change)


def _pairs(argument: str) -> Iterable[tuple[str, str, str]]:
    return (pair.partition("=") for pair in argument.split(","))


def _default(argument: str) -> _Step:
    def step(values: Iterator[str], _: Circumstances) -> Iterator[str]:
        first = next((value for value in values if value.strip()), argument)
        return chain((first,), values)

    return step


def _prefix(argument: str) -> _Step:
    return _each(lambda value, _: argument + value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transform:
    """One transform: what stands in its brackets, empty for none, and what it does, in a sentence."""

    doc: str
    make: Callable[[str], _Step]
    argument: str = ""


def _plain(doc: str, step: _Step) -> Transform:
    return Transform(doc=doc, make=lambda _: step)


TRANSFORMS: Final[Mapping[str, Transform]] = MappingProxyType(
    {
        "number": _plain("The E.164 form of a mobile number; a national one is of the default country.", _NUMBER),
        "lower": _plain("In small letters.", _each(lambda value, _: value.lower())),
        "upper": _plain("In capitals.", _each(lambda value, _: value.upper())),
        "trim": _plain(
            "Without blanks around it, and with single ones within.", _each(lambda v, _: " ".join(v.split()))
        ),
        "first": _plain("The first of several values, as without it.", lambda values, _: islice(values, 1)),
        "last": _plain("The last of several values.", _last),
        "match": Transform(
            doc="What the group in brackets found, or else all that was found; other values are left out.",
            make=_match,
            argument="REGEX",
        ),
        "map": Transform(
            doc="B for a value A, in any case; * stands for all others, and without it they are faults.",
            make=_map,
            argument="A=B, C=D",
        ),
        "default": Transform(doc="This text where there is no value.", make=_default, argument="TEXT"),
        "prefix": Transform(doc="This text before the value.", make=_prefix, argument="TEXT"),
        "primary": _plain("The primary address among proxyAddresses, the one with SMTP: in capitals.", _each(_primary)),
        "disabled": _plain("off if userAccountControl says that the account is disabled.", _disabled),
        "expires": _plain(
            "off once the instant has passed: accountExpires, shadowExpire, or a time such as 20261231235959Z.",
            _each(_expired),
        ),
        "locked": _plain(
            "off if pwdAccountLockedTime says locked for good; a lock that ends by itself does not count.",
            _each(_locked),
        ),
    }
)
"""What can be done with values, by name."""
