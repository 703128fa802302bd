"""The values of the LDAP controls that we use, as BER: paged results, content synchronisation and Microsoft's DirSync.

Only what those values are made of is read: definite lengths, integers, booleans, octet strings. Not here: sending them
(ldap), what follows from an answer (deltas). Standards: RFC 4511 §5.1 (the BER of LDAP), 2696, 4533.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

PAGED_RESULTS: Final = "1.2.840.113556.1.4.319"  # RFC 2696
SYNC_REQUEST: Final = "1.3.6.1.4.1.4203.1.9.1.1"  # RFC 4533 §2.2
SYNC_STATE: Final = "1.3.6.1.4.1.4203.1.9.1.2"  # RFC 4533 §2.3
SYNC_DONE: Final = "1.3.6.1.4.1.4203.1.9.1.3"  # RFC 4533 §2.4
SYNC_INFO: Final = "1.3.6.1.4.1.4203.1.9.1.4"  # RFC 4533 §2.5
DIRSYNC: Final = "1.2.840.113556.1.4.841"
SHOW_DELETED: Final = "1.2.840.113556.1.4.417"
DOMAIN_SCOPE: Final = "1.2.840.113556.1.4.1339"
"""Microsoft's wish that an answer has no references to other naming contexts."""

OBJECT_SECURITY: Final = 0x1
"""LDAP_DIRSYNC_OBJECT_SECURITY: an account without the right to replicate changes sees those that it may read.

LDAP_DIRSYNC_INCREMENTAL_VALUES, which needs exactly four octets, is never sent: no group is read this way.
"""

_BOOLEAN, _INTEGER, _OCTETS, _ENUMERATED, _SEQUENCE, _SET = 0x01, 0x02, 0x04, 0x0A, 0x30, 0x31
_REFRESH_ONLY: Final = 1
_NEW_COOKIE, _REFRESH_DELETE, _REFRESH_PRESENT, _ID_SET = 0x80, 0xA1, 0xA2, 0xA3


class NotBer(ValueError):  # noqa: N818 - what a server said, not a defect
    """Raised where the value of a control is not what its standard says."""


class SyncState(IntEnum):
    """What an entry of an answer says of itself (RFC 4533 §2.3)."""

    PRESENT = 0
    ADD = 1
    MODIFY = 2
    DELETE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncInfo:
    """An intermediate message: the UUIDs of entries that are gone (`deletes`) or still there; another one has none."""

    deletes: bool = False
    anchors: frozenset[str] = frozenset()


def paged_request(size: int, cookie: bytes) -> bytes:
    """Return the value that asks for the next page."""
    return _sequence(_integer(_INTEGER, size), _octets(cookie))


def paged_cookie(value: bytes) -> bytes:
    """Return the cookie of an answer, empty after the last page."""
    size, cookie = _members(value, _INTEGER, _OCTETS)
    del size
    return cookie


def sync_request(cookie: bytes) -> bytes:
    """Return the value that asks what changed since a cookie, once (refreshOnly); with none, for all content."""
    return _sequence(_integer(_ENUMERATED, _REFRESH_ONLY), *([_octets(cookie)] if cookie else ()))


def sync_state(value: bytes) -> tuple[SyncState, str]:
    """Return what an entry says of itself, and its UUID in lower-case text."""
    parts = dict(_parts(_inside(value, _SEQUENCE)))
    try:
        return SyncState(int.from_bytes(parts[_ENUMERATED])), str(uuid.UUID(bytes=parts[_OCTETS]))
    except (KeyError, ValueError) as error:
        raise NotBer(f"a sync state with {value.hex()}") from error


def sync_done(value: bytes) -> tuple[bytes, bool]:
    """Return the new cookie, empty if there is none, and refreshDeletes: whether what is gone was named."""
    parts = dict(_parts(_inside(value, _SEQUENCE)))
    return parts.get(_OCTETS, b""), any(parts.get(_BOOLEAN, b""))


def sync_info(value: bytes) -> SyncInfo:
    """Return what an intermediate message says of entries (RFC 4533 §2.5)."""
    kind, content = next(_parts(value), (0, b""))
    if kind in {_NEW_COOKIE, _REFRESH_DELETE, _REFRESH_PRESENT}:
        return SyncInfo()
    if kind != _ID_SET:
        raise NotBer(f"a sync info with {value[:16].hex()}")
    parts = dict(_parts(content))
    try:
        anchors = frozenset(str(uuid.UUID(bytes=octets)) for _, octets in _parts(parts[_SET]))
    except (KeyError, ValueError) as error:
        raise NotBer("a set of UUIDs without UUIDs") from error
    return SyncInfo(deletes=any(parts.get(_BOOLEAN, b"")), anchors=anchors)


def dirsync_request(flags: int, most_octets: int, cookie: bytes) -> bytes:
    """Return the value that asks Active Directory for what changed since a cookie; with none, for everything."""
    return _sequence(_integer(_INTEGER, flags), _integer(_INTEGER, most_octets), _octets(cookie))


def dirsync_response(value: bytes) -> tuple[bool, bytes]:
    """Return whether more is to come, and the cookie that asks for it."""
    more, _unused, cookie = _members(value, _INTEGER, _INTEGER, _OCTETS)
    return any(more), cookie


def _members(value: bytes, *tags: int) -> list[bytes]:
    parts = list(_parts(_inside(value, _SEQUENCE)))
    if [tag for tag, _ in parts] != list(tags):
        raise NotBer(f"tags {[tag for tag, _ in parts]} in place of {list(tags)}")
    return [content for _, content in parts]


def _inside(value: bytes, tag: int) -> bytes:
    found, content = next(_parts(value), (0, b""))
    if found != tag:
        raise NotBer(f"tag {found} in place of {tag}")
    return content


def _parts(value: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the tag and the content of each element; raises NotBer where a length does not fit."""
    at = 0
    while at < len(value):
        tag, size, at = value[at], int.from_bytes(value[at + 1 : at + 2]), at + 2
        if size > 0x80:
            octets = size & 0x7F
            size, at = int.from_bytes(value[at : at + octets]), at + octets
        elif size == 0x80:
            raise NotBer("an indefinite length")
        if at > len(value) or size > len(value) - at:
            raise NotBer("a value that is cut")
        yield tag, value[at : at + size]
        at += size


def _element(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + content


def _sequence(*elements: bytes) -> bytes:
    return _element(_SEQUENCE, b"".join(elements))


def _octets(content: bytes) -> bytes:
    return _element(_OCTETS, content)


def _integer(tag: int, number: int) -> bytes:
    """Return an integer that is not negative in the fewest octets (X.690 §8.3.2)."""
    return _element(tag, number.to_bytes(number.bit_length() // 8 + 1, signed=True))
