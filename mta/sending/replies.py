"""Reads the replies of a mail server from its octets: a code whose first digit decides, text, and extensions.

Pure. It also reads replies beyond RFC 5321 §4.2 whose meaning is clear: any code of a class, lines of one reply whose
codes differ (the last one counts), lines without a code inside a reply, empty lines before it. Not here: what a reply
means for the mail (mta.sending.answers). RFC 5321 §4.2.1, §4.1.1.1.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

# The most octets of unread replies; RFC 5321 §4.5.3.1.5 has 512 octets for a line.
MOST_HELD: Final = 131_072
_CODE = re.compile(rb"[\x00-\x20]*([1-5][0-9]{2})(?![0-9])(-?)")
_BEGINS_WITH_YES = re.compile(r"[\x00-\x20]*2")
_EXTENSION = re.compile(r"\s*([^\s=]+)[\s=]*(.*)")  # also «AUTH=LOGIN», the form before RFC 4954


class ReplyKind(IntEnum):
    """The first digit of a code (RFC 5321 §4.2.1)."""

    PRELIMINARY = 1
    YES = 2
    GO_ON = 3
    LATER = 4
    NO = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerReply:
    """One reply: `code` is 0 if it has none, `lines` its text without codes, `first` its first line unchanged."""

    code: int
    lines: tuple[str, ...]
    first: str

    @property
    def words(self) -> str:
        """Return the text of all lines, or the whole first line if it has no code."""
        return "\n".join(self.lines) if self.code else f"no SMTP reply: {self.first}"

    def is_kind(self, kind: ReplyKind) -> bool:
        """Return whether the code is of this class."""
        return self.code // 100 == kind

    @property
    def takes_mail(self) -> bool:
        """Whether this reply to the final dot means that the mail was accepted, however odd its rest."""
        return self.is_kind(ReplyKind.YES) or _BEGINS_WITH_YES.match(self.first) is not None


class ReplyReader:
    """Reads replies from octets."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._lines: list[bytes] = []

    def feed(self, data: bytes) -> bool:
        """Hold octets; returns whether there is room for more."""
        self._held += data
        return len(self._held) + sum(map(len, self._lines)) <= MOST_HELD

    @property
    def has_begun(self) -> bool:
        """Whether it holds an incomplete reply."""
        return bool(self._held or self._lines)

    def clear(self) -> None:
        """Forget everything."""
        self._held.clear()
        self._lines.clear()

    def take(self) -> ServerReply | None:
        """Return the next whole reply, None if there is none yet; skips preliminary ones."""
        while end := self._held.find(b"\n") + 1:
            line = bytes(self._held[:end])
            del self._held[:end]
            if not self._lines and not line.strip():
                continue
            self._lines.append(line)
            if not self._goes_on():
                lines, self._lines = self._lines, []
                reply = _read(lines)
                if not reply.is_kind(ReplyKind.PRELIMINARY):
                    return reply
        return None

    def take_unfinished(self) -> ServerReply | None:
        """Return the reply that began and never ended, None if none began."""
        lines = [*self._lines, bytes(self._held)] if self._held else list(self._lines)
        self.clear()
        return _read(lines) if lines else None

    def _goes_on(self) -> bool:
        code = _CODE.match(self._lines[-1])
        return bool(code[2]) if code else len(self._lines) > 1


def _read(lines: Sequence[bytes]) -> ServerReply:
    code, texts = 0, []
    for line in lines:
        found = _CODE.match(line)
        if found is not None:
            code = int(found[1])
        texts.append(line[found.end() if found else 0 :].decode("utf-8", "replace").strip())
    return ServerReply(code=code, lines=tuple(texts), first=lines[0].decode("utf-8", "replace").rstrip())


def read_extensions(reply: ServerReply) -> dict[str, str]:
    """Return the extensions of a reply to EHLO with their parameters, by name in lower case; AUTH may come twice."""
    extensions: dict[str, str] = {}
    for line in reply.lines[1:]:
        found = _EXTENSION.fullmatch(line)
        if found is not None:
            name, parameters = found[1].lower(), found[2]
            before = extensions.get(name, "") if name == "auth" else ""
            extensions[name] = f"{before} {parameters}".strip()
    return extensions
