"""BER as LDAP uses it: elements of definite length, read in place and written. Pure (RFC 4511 §5.1, X.690).

Not here: what the elements of a message or of a control are (ldap_messages, controls).
"""

from collections.abc import Iterator
from typing import Final

BOOLEAN, INTEGER, OCTET_STRING, ENUMERATED, SEQUENCE, SET = 0x01, 0x02, 0x04, 0x0A, 0x30, 0x31
_MOST_LENGTH_OCTETS: Final = 4


class NotBer(ValueError):  # noqa: N818 - a state of the peer, not a defect
    """Raised where octets are not what the peer's protocol says."""


def header(data: bytes, at: int, stop: int) -> tuple[int, int, int]:
    """Return the tag of the element at a position, and where its content begins and ends, which is at most `stop`."""
    try:
        tag, length = data[at], data[at + 1]
    except IndexError:
        raise NotBer("an element is cut") from None
    at += 2
    if length > 0x7F:
        octets = length & 0x7F
        if not 0 < octets <= _MOST_LENGTH_OCTETS:
            raise NotBer(f"a length of {octets} octets")
        length = int.from_bytes(data[at : at + octets], "big")
        at += octets
    if at + length > stop:
        raise NotBer("an element is longer than what holds it")
    return tag, at, at + length


def content(data: bytes, at: int, stop: int, tag: int) -> tuple[int, int]:
    """Return where the content of the element at a position begins and ends; raises NotBer if it has another tag."""
    found, start, end = header(data, at, stop)
    if found != tag:
        raise NotBer(f"tag {found:#04x} where {tag:#04x} belongs")
    return start, end


def elements(data: bytes, at: int = 0, stop: int | None = None) -> Iterator[tuple[int, int, int]]:
    """Yield the elements from one position to another, each as its tag, and where its content begins and ends."""
    stop = len(data) if stop is None else stop
    while at < stop:
        tag, start, at = header(data, at, stop)
        yield tag, start, at


def parts_of(value: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the tag and the content of each element of a value."""
    for tag, start, end in elements(value):
        yield tag, value[start:end]


def read_integer(data: bytes, start: int, end: int) -> int:
    """Return the value of an INTEGER, ENUMERATED or BOOLEAN by its content."""
    if start >= end:
        raise NotBer("an integer without octets")
    return int.from_bytes(data[start:end], "big", signed=True)


def element(tag: int, *parts: bytes) -> bytes:
    """Return an element of these parts."""
    inside = b"".join(parts)
    if len(inside) < 0x80:
        return bytes((tag, len(inside))) + inside
    length = len(inside).to_bytes((len(inside).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + inside


def integer(value: int, tag: int = INTEGER) -> bytes:
    """Return an INTEGER in as few octets as it needs, or an ENUMERATED or BOOLEAN by its tag."""
    return element(tag, value.to_bytes((value + (value < 0)).bit_length() // 8 + 1, "big", signed=True))
