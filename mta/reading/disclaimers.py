"""Disclaimers: common ones, and a customer's own, in whose phrases `*` stands for any words.

A customer's are no regular expressions, since a slow one would delay the mails of others. Not here: the words of common
ones (mta.reading.footer_words), cutting (mta.reading.signatures).
"""

from collections.abc import Sequence
from typing import Final

from mta.reading.footer_words import DISCLAIMER

_OCTETS: Final = 45
_PATTERNS: Final = 50
_LINES: Final = 20
_REACH: Final = 2_000


def is_disclaimer(lines: Sequence[str], index: int) -> bool:
    """Return whether the paragraph that begins here has the opening and the length of a disclaimer."""
    paragraph = " ".join([line.strip() for line in lines[index : index + 4]])[:400]
    return len(paragraph.encode()) >= _OCTETS and DISCLAIMER.match(paragraph) is not None


class Patterns:
    """A customer's disclaimers: phrases in which `*` stands for any words, matched in linear time."""

    def __init__(self, disclaimers: Sequence[str]) -> None:
        phrases = [" ".join(phrase.lower().split()) for phrase in disclaimers[:_PATTERNS]]
        pieces = [tuple(piece.strip() for piece in phrase.split("*")) for phrase in phrases if phrase.strip("* ")]
        self._plain = tuple(phrase[0] for phrase in pieces if len(phrase) == 1)
        self._open = [phrase for phrase in pieces if len(phrase) > 1]

    def fit(self, lines: Sequence[str], index: int) -> bool:
        """Return whether a disclaimer begins with this line, or is in the paragraph that begins here."""
        if not self._plain and not self._open:
            return False
        line = " ".join(lines[index].lower().split())
        if line.startswith(self._plain):
            return True
        first = not index or not lines[index - 1].strip()
        near = [pieces for pieces in self._open if line.startswith(pieces[0]) and (pieces[0] or first)]
        if not near:
            return False
        paragraph = _paragraph(lines, index)
        return any(_follow_each_other(pieces, paragraph) for pieces in near)


def _paragraph(lines: Sequence[str], index: int) -> str:
    end = index
    while end < min(len(lines), index + _LINES) and lines[end].strip():
        end += 1
    return " ".join(" ".join(lines[index:end])[:_REACH].lower().split())


def _follow_each_other(pieces: Sequence[str], text: str) -> bool:
    position = 0
    for piece in pieces:
        found = text.find(piece, position)
        if found < 0:
            return False
        position = found + len(piece)
    return True
