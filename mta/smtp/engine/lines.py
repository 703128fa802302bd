"""Command lines out of a stream of octets: CRLF ends a line, nothing else does. RFC 5321 §2.3.8, §4.1.1.

Not here: what a line means (mta.smtp.engine.dialogue) and the content after DATA, which has no lines here
(mta.smtp.engine.content).
"""

from enum import Enum, auto


class BadLine(Enum):
    """Why the next line is no command line."""

    BARE_NEWLINE = auto()
    FLOOD = auto()


class Lines:
    """A buffer that gives line by line, or all that is left. `flood` octets without an end are too many to wait for."""

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
        """Take all that is left; the next line begins with what is received after it."""
        rest = bytes(self._buffer[self._at :]) if self._at else bytes(self._buffer)
        self.clear()
        return rest

    def clear(self) -> None:
        """Forget everything."""
        self._buffer.clear()
        self._at = 0
        self._tainted = False

    def next_line(self) -> bytes | BadLine | None:
        """Take the next line and return it without CRLF; None while its end has not come.

        A line with a bare LF is bad at that LF, and so is what follows up to the next CRLF: somebody on the way may
        have read two lines where we read one.
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
