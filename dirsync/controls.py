"""The values of the LDAP controls that we use, as BER: paged results, content synchronisation and Microsoft's DirSync.

Not here: sending them (ldap), what follows from an answer (deltas). Standards: RFC 2696, 4533.
"""

import uuid
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from dirsync.ber import BOOLEAN, ENUMERATED, INTEGER, OCTET_STRING, SEQUENCE, SET, NotBer, element, integer, parts_of

PAGED_RESULTS: Final = "1.2.840.113556.1.4.319"  # RFC 2696
SYNC_REQUEST: Final = "1.3.6.1.4.1.4203.1.9.1.1"  # RFC 4533 §2.2
SYNC_STATE: Final = "1.3.6.1.4.1.4203.1.9.1.2"  # RFC 4533 §2.3
SYNC_DONE: Final = "1.3.6.1.4.1.4203.1.9.1.3"  # RFC 4533 §2.4
SYNC_INFO: Final = "1.3.6.1.4.1.4203.1.9.1.4"  # RFC 4533 §2.5
DIRSYNC: Final = "1.2.840.113556.1.4.841"
SHOW_DELETED: Final = "1.2.840.113556.1.4.417"

OBJECT_SECURITY: Final = 0x1
"""LDAP_DIRSYNC_OBJECT_SECURITY: an account without the right to replicate changes sees those that it may read.

LDAP_DIRSYNC_INCREMENTAL_VALUES, which needs exactly four octets, is never sent: no group is read this way.
"""

_REFRESH_ONLY: Final = 1
_NEW_COOKIE, _REFRESH_DELETE, _REFRESH_PRESENT, _ID_SET = 0x80, 0xA1, 0xA2, 0xA3


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
    return element(SEQUENCE, integer(size), element(OCTET_STRING, cookie))


def paged_cookie(value: bytes) -> bytes:
    """Return the cookie of an answer, empty after the last page."""
    size, cookie = _members(value, INTEGER, OCTET_STRING)
    del size
    return cookie


def sync_request(cookie: bytes) -> bytes:
    """Return the value that asks what changed since a cookie, once (refreshOnly); with none, for all content."""
    return element(SEQUENCE, integer(_REFRESH_ONLY, ENUMERATED), *([element(OCTET_STRING, cookie)] if cookie else ()))


def sync_state(value: bytes) -> tuple[SyncState, str]:
    """Return what an entry says of itself, and its UUID in lower-case text."""
    parts = dict(parts_of(_inside(value, SEQUENCE)))
    try:
        return SyncState(int.from_bytes(parts[ENUMERATED])), str(uuid.UUID(bytes=parts[OCTET_STRING]))
    except (KeyError, ValueError) as error:
        raise NotBer(f"a sync state with {value.hex()}") from error


def sync_done(value: bytes) -> tuple[bytes, bool]:
    """Return the new cookie, empty if there is none, and refreshDeletes: whether what is gone was named."""
    parts = dict(parts_of(_inside(value, SEQUENCE)))
    return parts.get(OCTET_STRING, b""), any(parts.get(BOOLEAN, b""))


def sync_info(value: bytes) -> SyncInfo:
    """Return what an intermediate message says of entries (RFC 4533 §2.5)."""
    kind, content = next(parts_of(value), (0, b""))
    if kind in {_NEW_COOKIE, _REFRESH_DELETE, _REFRESH_PRESENT}:
        return SyncInfo()
    if kind != _ID_SET:
        raise NotBer(f"a sync info with {value[:16].hex()}")
    parts = dict(parts_of(content))
    try:
        anchors = frozenset(str(uuid.UUID(bytes=octets)) for _, octets in parts_of(parts[SET]))
    except (KeyError, ValueError) as error:
        raise NotBer("a set of UUIDs without UUIDs") from error
    return SyncInfo(deletes=any(parts.get(BOOLEAN, b"")), anchors=anchors)


def dirsync_request(flags: int, most_octets: int, cookie: bytes) -> bytes:
    """Return the value that asks Active Directory for what changed since a cookie; with none, for everything."""
    return element(SEQUENCE, integer(flags), integer(most_octets), element(OCTET_STRING, cookie))


def dirsync_response(value: bytes) -> tuple[bool, bytes]:
    """Return whether more is to come, and the cookie that asks for it."""
    more, _unused, cookie = _members(value, INTEGER, INTEGER, OCTET_STRING)
    return any(more), cookie


def _members(value: bytes, *tags: int) -> list[bytes]:
    parts = list(parts_of(_inside(value, SEQUENCE)))
    if [tag for tag, _ in parts] != list(tags):
        raise NotBer(f"tags {[tag for tag, _ in parts]} in place of {list(tags)}")
    return [content for _, content in parts]


def _inside(value: bytes, tag: int) -> bytes:
    found, content = next(parts_of(value), (0, b""))
    if found != tag:
        raise NotBer(f"tag {found} in place of {tag}")
    return content
