"""Command lines from a stream of octets: only CRLF ends a line. RFC 5321 §2.3.8, §4.1.1.

Not here: what a line means (mta.smtp.engine.dialogue), the content after DATA (mta.smtp.engine.content).
"""

from enum import Enum, auto


class BadLine(Enum):
    """Why the next line is no command line."""

    BARE_NEWLINE = auto()
    FLOOD = auto()


class Lines:
    """A buffer that returns line by line, or the whole rest. `flood` octets without a line end are too many."""

    __slots__ = ("_at", "_buffer", "_flood", "_tainted")

    def __init__(self, flood: int) -> None:
        self._buffer = bytearray()
        self._at = 0
        self._flood = flood
        self._tainted = False

    def __len__(self) -> int:
        return len(self._buffer) - self._at

    def receive(self, data: bytes) -> None:
        """Append octets as they came."""
        if self._at:
            del self._buffer[: self._at]
            self._at = 0
        self._buffer += data

    def peek(self, count: int) -> bytes:
        """Return the next octets, at most `count`, without taking them."""
        return bytes(self._buffer[self._at : self._at + count])

    def take_rest(self) -> bytes:
        """Take the whole rest; the next line begins with later input."""
        rest = bytes(self._buffer[self._at :]) if self._at else bytes(self._buffer)
        self.clear()
        return rest

    def clear(self) -> None:
        """Forget everything."""
        self._buffer.clear()
        self._at = 0
        self._tainted = False

    def next_line(self) -> bytes | BadLine | None:
        """Take the next line and return it without CRLF; None before its end.

        A line with a bare LF is bad at that LF, and so is the rest up to the next CRLF: another server may have read
        two lines where we read one.
        """
        buffer, start = self._buffer, self._at
        end = buffer.find(b"\n", start)
        if (len(buffer) if end < 0 else end) - start > self._flood:
            return BadLine.FLOOD
        if end < 0:
            return None
        self._at = end + 1
        proper = end > start and buffer[end - 1] == 0x0D
        if proper and not self._tainted:
            return bytes(buffer[start : end - 1])
        self._tainted = not proper
        return BadLine.BARE_NEWLINE
