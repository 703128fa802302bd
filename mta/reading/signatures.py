"""Cuts what is below the author's words: signatures, disclaimers, footers of clients, contact blocks.

Not here: the words of the clients (mta.reading.footer_words), HTML's marks (mta.reading.html_marks). RFC 3676 §4.3.
"""

import re
from collections.abc import Sequence
from typing import Final

from mta.reading.disclaimers import Patterns, is_disclaimer
from mta.reading.footer_words import CLOSING, CONTACT, EXCUSE, OUTLOOK_LINK, is_device_footer
from mta.reading.history import bare, is_rule
from mta.reading.html import QUOTE_MARK
from mta.reading.html_marks import Removal

_STROKES: Final = "-_=*~\N{EM DASH}\N{EN DASH}\N{HORIZONTAL BAR}\N{BOX DRAWINGS LIGHT HORIZONTAL}"
_SIGNATURE_MARK: Final = re.compile(r"\s*-- ?\s*|--\s*|\N{EM DASH}\s*")
_SIGNATURE_RULE: Final = re.compile(rf"\s*[{_STROKES}]{{2,60}}\s*")
_FIELD: Final = re.compile(r"\s*[^\W\d_][^:\N{FULLWIDTH COLON}\n]{0,24}[:\N{FULLWIDTH COLON}]\s*\S")
_LINK: Final = re.compile(r"\s*[<(\[]?\s*https?://\S+\s*[>)\]]?")
_MARKED_LINK: Final = re.compile(r"\[([^\[\]]{1,80})\]\(https?://[^()\s]{1,500}\)")
_GAP: Final = re.compile(r"\n[\s\-_=*]*\n")
"""An empty line or a drawn one: a common disclaimer stands below one."""
_SIGNATURE_LINES: Final = 12
_JUDGED: Final = 300
_LEAST_BELOW: Final = 3
_CLOSING_LETTERS: Final = 40
_CLOSING_BLANKS: Final = 10
"""A closing formula has at most so many letters, and so many blanks if each stands alone."""


def without_what_is_below(
    lines: list[str], removed: list[tuple[Removal, int]], disclaimers: Sequence[str], *, below: bool
) -> list[str]:
    """Return the lines without those below the author's words."""
    text = "\n".join(lines)
    if _may_sign(text):
        lines = _without_signature(lines, removed)
    if disclaimers or below or _GAP.search(f"\n{text}"):
        lines = _without_disclaimers(lines, removed, disclaimers, below=below)
    lines = _without_footers(lines, removed)
    return _without_contact(lines, removed)


def _may_sign(text: str) -> bool:
    """Return whether any line of a text may be a signature separator."""
    return any(map(text.__contains__, _STROKES))


def _may_be_footer(text: str) -> bool:
    """Return whether a line may name the device or excuse typing errors: in no language a single ASCII word does."""
    return " " in text or not text.isascii()


def _without_signature(lines: list[str], removed: list[tuple[Removal, int]]) -> list[str]:
    seen_text = False
    for index, line in enumerate(lines):
        if line.strip() and _SIGNATURE_RULE.fullmatch(line.replace("\N{EM DASH}", "--", 1)):
            # «-- » with its blank is a separator by standard; without it the lines below must look like a signature.
            below = [lines[at] for at in _few_below(lines, index)]
            signed = _looks_signed(below) if _SIGNATURE_MARK.fullmatch(line) else _is_contact(below)
            if line == "-- " or (seen_text and signed):
                removed.append((Removal.SIGNATURE, _length(lines[index:])))
                return lines[:index]
        elif line.strip():
            seen_text = True
    return lines


def _is_contact(below: list[str]) -> bool:
    """Return whether lines are a name and contact details."""
    return (
        len(below) >= _LEAST_BELOW
        and CONTACT.search(below[0][:_JUDGED]) is None
        and not any(map(_is_sentence, below))
        and sum(CONTACT.search(line[:_JUDGED]) is not None for line in below) >= 2
    )


def _is_sentence(line: str) -> bool:
    return line.rstrip()[-1:] in ".!?" and len(line.split(maxsplit=3)) > 2


def _few_below(lines: Sequence[str], index: int) -> list[int]:
    """Return the indexes of the lines with text below this one, none if they are too many for a signature."""
    below: list[int] = []
    for position in range(index + 1, len(lines)):
        if lines[position].strip():
            below.append(position)
            if len(below) > _SIGNATURE_LINES:
                break
    return [] if len(below) > _SIGNATURE_LINES else below


def _looks_signed(below: list[str]) -> bool:
    if not below:
        return False
    if _is_footer(below[0].strip()):
        return True
    # The fields of a notice may follow a stroke too.
    fields = any(_FIELD.match(line) and CONTACT.search(line[:_JUDGED]) is None for line in below)
    return not fields and not any(map(_is_sentence, below))


def _without_disclaimers(
    lines: list[str], removed: list[tuple[Removal, int]], disclaimers: Sequence[str], *, below: bool
) -> list[str]:
    patterns = Patterns(disclaimers)
    kept: list[str] = []
    index = 0
    seen_text = blank_above = below
    while index < len(lines):
        line = lines[index]
        filled = bool(line.strip())
        own = bool(disclaimers) and patterns.fit(lines, index)
        if filled and (own or (seen_text and blank_above and is_disclaimer(lines, index))):
            end = index
            while end < len(lines) and lines[end].strip():
                end += 1
            removed.append((Removal.DISCLAIMER, _length(lines[index:end])))
            index = end
            blank_above = False
            if kept and is_rule(kept[-1]):
                kept.pop()  # the line drawn above it goes too
            continue
        seen_text = seen_text or filled
        blank_above = not filled or is_rule(line)
        kept.append(line)
        index += 1
    return kept


def _without_footers(lines: list[str], removed: list[tuple[Removal, int]]) -> list[str]:
    begin = end = len(lines)
    linked = False
    while end:
        line = bare(lines[end - 1]).strip()
        if line and _is_footer(line):
            begin = end - 1
            linked = False
        elif line and not is_rule(line):
            if linked or _LINK.fullmatch(line) is None:
                break
            linked = True  # perhaps the link of a footer above it
        end -= 1
    if begin == len(lines):
        return lines
    while begin and (not lines[begin - 1].strip() or is_rule(lines[begin - 1])):
        begin -= 1
    removed.append((Removal.FOOTER, _length([line for line in lines[begin:] if line.strip()])))
    return lines[:begin]


def _is_footer(line: str) -> bool:
    if len(line) > 160:
        return False
    if "://" in line:
        if OUTLOOK_LINK.search(line):
            return True
        line = _LINK.sub("", _MARKED_LINK.sub(r"\1", line)).strip()
    return _may_be_footer(line) and (EXCUSE.fullmatch(line) is not None or is_device_footer(line))


def _without_contact(lines: list[str], removed: list[tuple[Removal, int]]) -> list[str]:
    """Cut the contact block below a closing formula and the name; both are words of the author."""
    text = "".join(lines)
    countable = text.isascii() and text.isprintable()  # all blanks are spaces, which makes counting letters quick
    if countable and "  " not in text and _shortest(lines[:-_LEAST_BELOW]) > _CLOSING_LETTERS + _CLOSING_BLANKS:
        return lines
    for index, line in enumerate(lines[:-_LEAST_BELOW]):
        if (countable and len(line) - line.count(" ") > _CLOSING_LETTERS) or not CLOSING.fullmatch(line):
            continue
        below = _few_below(lines, index)
        if len(below) < _LEAST_BELOW:
            continue
        contacts = sum(CONTACT.search(lines[position][:_JUDGED]) is not None for position in below[1:])
        if contacts >= 2:
            cut = below[1]
            removed.append((Removal.SIGNATURE, _length(lines[cut:])))
            return lines[:cut]
    return lines


def _shortest(lines: Sequence[str]) -> int:
    """Return the length of the shortest line with text, 0 where none has any."""
    return min(map(len, filter(None, lines)), default=0)


def _length(lines: Sequence[str]) -> int:
    return sum(len(line) for line in lines if line != QUOTE_MARK)
