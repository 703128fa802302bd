"""The octets between 354 and the dot: finds the end, undoes transparency, applies limits. RFC 5321 §4.1.1.4, §4.5.2.

Only CRLF.CRLF ends a content, no other sequence. It works on whole chunks and never loops over lines. Not here: time
and rate (mta.smtp.engine.dialogue), MIME (mta.reading.body).
"""

from dataclasses import dataclass
from io import BytesIO
from typing import Final

from mta.smtp.engine import replies
from mta.smtp.engine.replies import Reply

_END: Final = b"\r\n.\r\n"
_BEGINNINGS_OF_END: Final = (b"\r\n.\r", b"\r\n.", b"\r\n", b"\r")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentLimits:
    """The bounds of one content. `size` counts octets after transparency (RFC 1870 §5), `line` octets with CRLF.

    A bare LF is refused, or becomes CRLF where it `normalises`; a bare CR and a NUL are always refused.
    """

    size: int = 10 * 2**20
    line: int = 8192
    normalises: bool = False


class ContentRoom:
    """The octets that some open contents together may keep, from 354 until their mails are answered.

    It may be part `of` a larger room; `whose` says in words what it is for.
    """

    __slots__ = ("__weakref__", "_free", "_of", "octets", "whose")

    def __init__(self, octets: int, *, whose: str = "all mails", of: "ContentRoom | None" = None) -> None:
        self.octets = self._free = octets
        self.whose = whose
        self._of = of

    @property
    def full(self) -> Reply | None:
        """Why there is no room for another content, None where there is."""
        if self._free <= 0:
            return self._refusal()
        return self._of.full if self._of is not None else None

    def take(self, octets: int) -> Reply | None:
        """Take room for these octets, or return why there is too little."""
        if octets > self._free:
            return self._refusal()
        if self._of is not None and (refusal := self._of.take(octets)):
            return refusal
        self._free -= octets
        return None

    def give_back(self, octets: int) -> None:
        """Give back what was taken."""
        self._free += octets
        if self._of is not None:
            self._of.give_back(octets)

    def _refusal(self) -> Reply:
        return replies.NO_ROOM.with_detail(f"{self.whose} take at most {self.octets} octets at a time")


class Content:
    """Collects one content chunk by chunk; `close` gives its share of the common `room` back.

    `fault` is the reply that refuses it after its end; once it is set, nothing is kept. `received` counts octets as
    they came. `flooded` becomes true if a refused content is too long to wait for its end.
    """

    __slots__ = (
        "_column",
        "_first",
        "_held",
        "_limits",
        "_room",
        "_size",
        "_store",
        "_taken",
        "fault",
        "flooded",
        "received",
    )

    def __init__(self, limits: ContentLimits, room: ContentRoom | None = None) -> None:
        self._limits = limits
        self._room = room
        self._taken = 0
        self._held = b"\r\n"  # the line end before the content, so that it may start with the final dot
        self._first: bytes | None = None
        self._store: BytesIO | None = None
        self._size = -2
        self._column = 0
        self.fault: Reply | None = None
        self.flooded = False
        self.received = 0

    def feed(self, data: bytes) -> bytes | None:
        """Take a chunk; return the octets after the end of the content, None before the end."""
        self.received += len(data)
        data = self._held + data
        end = data.find(_END)
        if end >= 0:
            self._take(data[: end + 2])
            return data[end + len(_END) :]
        self._held = b""
        for beginning in _BEGINNINGS_OF_END:
            if data.endswith(beginning):
                self._held = beginning
                data = data[: -len(beginning)]
                break
        if data:
            self._take(data)
            self.flooded = self.fault is not None and self.received > 2 * self._limits.size + 2**20
        return None

    def octets(self) -> bytes:
        """Return the content without transparency; only valid after the end and without a fault."""
        if self._store is not None:
            return self._store.getvalue()
        assert self._first is not None
        return self._first

    def close(self) -> None:
        """Free the content and its room; may be called again."""
        self._store = self._first = None
        if self._room is not None:
            self._room.give_back(self._taken)
        self._taken = 0

    def _take(self, region: bytes) -> None:
        """Check and keep a region, which never ends inside a line end, nor between a line end and a dot."""
        if self.fault is not None:
            return
        if b"\r\n." in region:
            region = region.replace(b"\r\n.", b"\r\n")  # RFC 5321 §4.5.2
        newlines = region.count(b"\n")
        pairs = region.count(b"\r\n")
        if region.count(b"\r") != pairs or b"\0" in region:
            self._refuse(replies.BARE_NEWLINE_IN_CONTENT)
            return
        if newlines != pairs:
            if not self._limits.normalises:
                self._refuse(replies.BARE_NEWLINE_IN_CONTENT)
                return
            region = region.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        self._size += len(region)
        if self._size > self._limits.size:
            self._refuse(replies.TOO_LARGE.with_detail(f"at most {self._limits.size} octets"))
        elif not self._lines_fit(region):
            self._refuse(replies.CONTENT_LINE_TOO_LONG)
        elif self._room is not None and (no_room := self._room.take(len(region))):
            self._refuse(no_room)
        else:
            self._taken += len(region)
            self._keep(region)

    def _lines_fit(self, region: bytes) -> bool:
        """Return whether every line in the region is short enough, searched in steps of the longest line."""
        limit, length = self._limits.line, len(region)
        start = -self._column
        while length - start > limit:
            newline = region.rfind(b"\n", max(start, 0), max(start + limit, 0))
            if newline < 0:
                return False
            start = newline + 1
        last = region.rfind(b"\n")
        self._column = length - last - 1 if last >= 0 else self._column + length
        return True

    def _keep(self, region: bytes) -> None:
        if self._store is not None:
            self._store.write(region)
        elif self._first is None:
            self._first = region[2:]  # without the line end before the content
        else:
            self._store = BytesIO()  # its getvalue() shares the buffer: one content is in memory once
            self._store.write(self._first)
            self._store.write(region)
            self._first = None

    def _refuse(self, fault: Reply) -> None:
        self.fault = fault
        self.close()
