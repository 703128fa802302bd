"""What a server says, cut from octets and read; an entry stays as it is, without a value decoded. Pure.

An entry is read here and not by ldap3, which looks up its configuration and schema four times for every value: that is
four fifths of its time. Standards: RFC 4511 §4.1 (messages), §4.5.2 (answers to a search).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from dirsync.ber import (
    ENUMERATED,
    INTEGER,
    OCTET_STRING,
    SEQUENCE,
    SET,
    NotBer,
    content,
    elements,
    header,
    read_integer,
)

LONGEST_MESSAGE: Final = 64 << 20
PASSING: Final = frozenset({51, 52, 80})
"""Results after which another try may succeed: busy, unavailable, other (RFC 4511 §4.1.9)."""

_CONTROLS, _REFERRAL, _RESPONSE_NAME, _RESPONSE_VALUE = 0xA0, 0xA3, 0x8A, 0x8B
_INTERMEDIATE_NAME, _INTERMEDIATE_VALUE = 0x80, 0x81
_LONG: Final = 0x80  # X.690 §8.1.3: from here on the octet says how many octets have the length
_NO_CONTROLS: Mapping[str, bytes] = MappingProxyType({})


class LdapMessageKind(IntEnum):
    """The messages that a server sends to a client that only reads, by their tag (RFC 4511 §4.2.2 to §4.13)."""

    BIND = 0x61
    ENTRY = 0x64
    DONE = 0x65
    REFERENCE = 0x73
    EXTENDED = 0x78
    INTERMEDIATE = 0x79


class Message(NamedTuple):
    """One message; `data` from `start` to `end` is the content of its operation, `controls` are values by OID."""

    id: int
    kind: int
    data: bytes
    start: int
    end: int
    controls: Mapping[str, bytes]

    @property
    def ends_the_answer(self) -> bool:
        """Return whether nothing more comes to the same request."""
        return self.kind in _LAST


_LAST: Final = frozenset({LdapMessageKind.BIND, LdapMessageKind.DONE, LdapMessageKind.EXTENDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How an operation ended; `name` and `value` are those of an extended one."""

    code: int
    said: str = ""
    referrals: tuple[str, ...] = ()
    name: str = ""
    value: bytes = b""
    controls: Mapping[str, bytes] = field(default_factory=dict)


class MessageCutter:
    """Cuts messages from octets as they arrive."""

    def __init__(self) -> None:
        self._octets = bytearray()
        self._at = 0

    @property
    def is_empty(self) -> bool:
        """Return whether no octet is left, not of a part of a message either."""
        return self._at == len(self._octets)

    def add(self, octets: bytes) -> None:
        """Take octets that arrived."""
        if self._at:
            del self._octets[: self._at]
            self._at = 0
        self._octets += octets

    def next(self) -> Message | None:
        """Return the next message, None until more octets arrive; raises NotBer."""
        octets, at = self._octets, self._at
        if len(octets) - at < 2:
            return None
        if octets[at] != SEQUENCE:
            raise NotBer("this is not LDAP")
        length, start = octets[at + 1], at + 2
        if length > 0x7F:
            start += length & 0x7F
            if len(octets) < start:
                return None
            length = int.from_bytes(octets[at + 2 : start], "big")
        if length > LONGEST_MESSAGE:
            raise NotBer(f"a message of {length} octets")
        if len(octets) < start + length:
            return None
        self._at = start + length
        return read_message(bytes(octets[start : self._at]))


def read_message(data: bytes) -> Message:
    """Return the message with this content; raises NotBer."""
    stop = len(data)
    start, at = content(data, 0, stop, INTEGER)
    number = read_integer(data, start, at)
    kind, start, end = header(data, at, stop)
    controls = _NO_CONTROLS
    if end < stop:
        controls = _read_controls(data, *content(data, end, stop, _CONTROLS))
    return Message(number, kind, data, start, end, controls)


def _read_controls(data: bytes, at: int, stop: int) -> dict[str, bytes]:
    controls = {}
    for tag, start, end in elements(data, at, stop):
        if tag != SEQUENCE:
            raise NotBer("a control that is none")
        name, value = "", b""
        for number, (part, part_start, part_end) in enumerate(elements(data, start, end)):
            if number == 0:
                name = data[part_start:part_end].decode("ascii", "replace")
            elif part == OCTET_STRING:
                value = data[part_start:part_end]
        controls[name] = value
    return controls


def read_entry(message: Message) -> tuple[str, dict[str, tuple[bytes, ...]]]:
    """Return the DN of an entry, and its values by attribute in lower case, options such as `;range=0-9` included."""
    data = message.data
    start, at = content(data, message.start, message.end, OCTET_STRING)
    dn = data[start:at].decode("utf-8", "replace")
    at, stop = content(data, at, message.end, SEQUENCE)
    attributes = {}
    try:
        while at < stop:
            name, values, at = _read_attribute(data, at, stop)
            attributes[name] = values
    except IndexError:
        raise NotBer("an attribute is cut") from None
    return dn, attributes


def _read_attribute(data: bytes, at: int, stop: int) -> tuple[str, tuple[bytes, ...], int]:
    """Return the name and the values of an attribute, and where it ends.

    Nothing else costs as much of a reading: a length of one octet, which most are, is read here without a call.
    """
    length = data[at + 1]
    name_at, end = (at + 2, at + 2 + length) if length < _LONG else content(data, at, stop, SEQUENCE)
    length = data[name_at + 1]
    start, set_at = (name_at + 2, name_at + 2 + length) if length < _LONG else content(data, name_at, end, OCTET_STRING)
    length = data[set_at + 1]
    value_at, set_end = (set_at + 2, set_at + 2 + length) if length < _LONG else content(data, set_at, end, SET)
    if data[at] != SEQUENCE or data[name_at] != OCTET_STRING or data[set_at] != SET or not set_end == end <= stop:
        raise NotBer("an attribute that is none")
    name = _attribute(data[start:set_at])
    values = []
    while value_at < end:
        length, tag = data[value_at + 1], data[value_at]
        start, value_at = (
            (value_at + 2, value_at + 2 + length) if length < _LONG else content(data, value_at, end, OCTET_STRING)
        )
        if tag != OCTET_STRING or value_at > end:
            raise NotBer("a value that is none")
        values.append(data[start:value_at])
    return name, tuple(values), end


@lru_cache(maxsize=1024)
def _attribute(name: bytes) -> str:
    return name.decode("ascii", "replace").lower()


def read_result(message: Message) -> Result:
    """Return how an operation ended (RFC 4511 §4.1.9)."""
    data, stop = message.data, message.end
    start, at = content(data, message.start, stop, ENUMERATED)
    code = read_integer(data, start, at)
    _, at = content(data, at, stop, OCTET_STRING)
    start, at = content(data, at, stop, OCTET_STRING)
    said = data[start:at].decode("utf-8", "replace")
    found = {tag: (start, end) for tag, start, end in elements(data, at, stop)}
    name, value = (data[slice(*found.get(tag, (0, 0)))] for tag in (_RESPONSE_NAME, _RESPONSE_VALUE))
    return Result(
        code=code,
        said=said,
        referrals=_strings(data, *found.get(_REFERRAL, (0, 0))),
        name=name.decode("ascii", "replace"),
        value=value,
        controls=message.controls,
    )


def read_reference(message: Message) -> tuple[str, ...]:
    """Return the URIs under which another server has a part of the answer."""
    return _strings(message.data, message.start, message.end)


def read_intermediate(message: Message) -> tuple[str, bytes]:
    """Return the OID and the value of an intermediate message (RFC 4511 §4.13)."""
    found = {tag: message.data[start:end] for tag, start, end in elements(message.data, message.start, message.end)}
    return found.get(_INTERMEDIATE_NAME, b"").decode("ascii", "replace"), found.get(_INTERMEDIATE_VALUE, b"")


def _strings(data: bytes, start: int, end: int) -> tuple[str, ...]:
    return tuple(data[at:stop].decode("utf-8", "replace") for _, at, stop in elements(data, start, end))
