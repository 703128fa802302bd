"""Keys of rows and the public ids that customers see, made here so that one statement can write many rows.

A key is a positive 63-bit integer: milliseconds since 2020, then the node, then a counter; those of a node only grow.
A public id is `J.`, `S.`, `I.` or `N.`, the UTC time to the millisecond and a random suffix (18 to 38 characters after
the dot).
"""

import os
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b

_EPOCH_MS = 1_577_836_800_000
_ALPHABET = b"abcdefghijkmnpqrstuvwxyz23456789"
_SUFFIX = 10
_DRAWN = 64
_MOST_INDEXED = 998  # RFC 5322 §2.1.1: what a line of a mail may have. PostgreSQL takes 2,704 octets in an index
_LETTERS = _ALPHABET * 8  # a random octet's letter; 256 is a multiple of 32, so that each is as likely


def to_instant(microseconds: int) -> datetime:
    """Return the aware instant of a stored integer, which is microseconds since 1970 in UTC."""
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC)


def to_instant_if_set(stored: int | None) -> datetime | None:
    """Return the same of a column that may be null."""
    return None if stored is None else to_instant(stored)


def to_stored(instant: datetime) -> int:
    """Return the integer that stands for an aware instant: microseconds since 1970 in UTC."""
    return int(instant.timestamp() * 1_000_000)


def to_indexed(text: str) -> str:
    """Return a text that others choose as it is stored and found: beginning and digest of one over 998 octets."""
    octets = text.encode("utf-8", "replace")
    if len(octets) <= _MOST_INDEXED:
        return text
    digest = blake2b(octets, digest_size=16).hexdigest()
    return octets[: _MOST_INDEXED - 40].decode("utf-8", "ignore") + f"…{digest}"


class Keys:
    """Gives out keys for one node (0 to 255); `now` is wall-clock seconds since 1970, and may jump back."""

    def __init__(self, node: int, now: Callable[[], float]) -> None:
        if not 0 <= node <= 255:
            raise ValueError(f"node {node} is not between 0 and 255")
        self._node = node
        self._now = now
        self._last = 0

    def take(self) -> int:
        """Return the next key."""
        self._last = last = max(int(self._now() * 1000) - _EPOCH_MS << 13, self._last + 1)
        return (last >> 13 << 21) | (self._node << 13) | (last & 0x1FFF)


def node_of(key: int) -> int:
    """Return the node that gave out a key."""
    return key >> 13 & 0xFF


class PublicIds:
    """Gives out public ids, in any thread; chance is drawn for many at a time.

    Each draw lets go of the interpreter, and getting it back from the writer's thread costs more than all else here.
    """

    def __init__(self) -> None:
        self._suffixes: deque[str] = deque()

    def take(self, letter: str, at: datetime) -> str:
        """Return a new public id such as `J.20261123-160309.512-k3v9x2mqab`, for J, S, I or N."""
        try:
            suffix = self._suffixes.popleft()
        except IndexError:
            suffix, *rest = _draw(_DRAWN)
            self._suffixes += rest
        return f"{letter}.{_stamp(at)}-{suffix}"


def public_id(letter: str, at: datetime) -> str:
    """Return one new public id."""
    return f"{letter}.{_stamp(at)}-{_draw(1)[0]}"


def _draw(count: int) -> list[str]:
    letters = os.urandom(_SUFFIX * count).translate(_LETTERS).decode()
    return [letters[start : start + _SUFFIX] for start in range(0, len(letters), _SUFFIX)]


@lru_cache(maxsize=16)  # the many of one mail, or of one commit, are of one instant
def _stamp(at: datetime) -> str:
    """Return an instant such as `20261123-160309.512`, without strftime, which takes several times as long."""
    return at.isoformat(timespec="milliseconds")[:23].replace("-", "").replace(":", "").replace("T", "-")
