"""Command lines from a stream of octets: only CRLF ends a line. RFC 5321 §2.3.8, §4.1.1.

Not here: what a line means (mta.smtp.engine.dialogue), the content after DATA (mta.smtp.engine.content).
"""

from enum import Enum, auto


class BadLine(Enum):
    """Why the next line is no command line."""

    BARE_NEWLINE = auto()
    FLOOD = auto()


class Lines:
    """A buffer that returns line by line, or the whole rest. `flood` octets without a line end are too many.

    `waiting` are the octets that came and were not yet taken.
    """

    __slots__ = ("_flood", "_tainted", "waiting")

    def __init__(self, flood: int) -> None:
        self.waiting = bytearray()
        self._flood = flood
        self._tainted = False

    def receive(self, data: bytes) -> None:
        """Append octets as they came."""
        self.waiting += data

    def take_rest(self) -> bytes:
        """Take the whole rest; the next line begins with later input."""
        rest = bytes(self.waiting)
        self.clear()
        return rest

    def clear(self) -> None:
        """Forget everything."""
        self.waiting.clear()
        self._tainted = False

    def next_line(self) -> bytes | BadLine | None:
        """Take the next line and return it without CRLF; None before its end.

        A line with a bare LF is bad at that LF, and so is the rest up to the next CRLF: another server may have read
        two lines where we read one.
        """
        waiting = self.waiting
        end = waiting.find(b"\n")
        if end < 0:
            return BadLine.FLOOD if len(waiting) > self._flood else None
        if end > self._flood:
            return BadLine.FLOOD
        line = bytes(waiting[:end])
        del waiting[: end + 1]
        proper = line.endswith(b"\r")
        if proper and not self._tainted:
            return line[:-1]
        self._tainted = not proper
        return BadLine.BARE_NEWLINE
