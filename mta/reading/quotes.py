"""Lines of a mail → the lines that its author typed, without quoted history, signatures, footers and disclaimers.

It judges lines, from plain text or HTML: mta.reading.history finds the start of history, mta.reading.signatures the end
of the author's words. In doubt a line stays: own words that only look like history or a signature are not cut. RFC 3676
§4.5 (quoting).
"""

import re
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from mta.reading.history import after_header, bare, drop_attribution, history_start, is_quoted
from mta.reading.html import QUOTE_MARK
from mta.reading.html_marks import Removal
from mta.reading.signatures import without_what_is_below

_LINE_LIMIT: Final = 20_000


class OwnWords(Struct, frozen=True, kw_only=True):
    """The result: `text`, what was left out with its length, and whether a separator said «forwarded»."""

    text: str
    removed: tuple[tuple[Removal, int], ...] = ()
    forward: bool = False


def own_words(text: str, *, is_reply: bool, disclaimers: Sequence[str] = (), below: bool = False) -> OwnWords:
    """Return the words that the author of a mail typed, "" if there are none.

    `is_reply` says that the mail answers or forwards another by its own fields: without it a line that looks like a
    quote or a quoted header counts as one only below a client's separator. `disclaimers` are the customer's patterns: a
    paragraph that begins with one is cut, `*` stands for any words; at most 50 count. `below` says that words of the
    author are above these, in another part of the mail.
    """
    lines = text.split("\n", _LINE_LIMIT)[:_LINE_LIMIT]
    removed: list[tuple[Removal, int]] = []
    start, forward = history_start(lines if text.isascii() else list(map(bare, lines)), is_reply=is_reply)
    if start < len(lines):
        removed.append((Removal.QUOTE, _length(lines[start:])))
    own: list[str] = []
    quoted = _may_quote(text)
    for stretch in _unquoted(lines[:start], removed, is_reply=is_reply) if quoted else [lines[:start]]:
        own += without_what_is_below(stretch, removed, disclaimers, below=below)
        own.append("")
    return OwnWords(text=tidy("\n".join(own)), removed=tuple(removed), forward=forward)


def forwarded_words(text: str, *, disclaimers: Sequence[str] = ()) -> OwnWords:
    """Return the forwarded text: the words of the mail below the first separator or quoted header, "" for none.

    `forward` says whether a separator calls it forwarded, not an answered original.
    """
    lines = [bare(line) for line in text.split("\n", _LINE_LIMIT)[:_LINE_LIMIT] if line != QUOTE_MARK]
    start, forward = history_start(lines, is_reply=True)
    if start >= len(lines):
        lines = [re.sub(r"^\s*>\s?", "", line) for line in lines]
        start, forward = history_start(lines, is_reply=True)
    if start >= len(lines):
        return OwnWords(text="")
    rest = lines[start:]
    if all(line.lstrip().startswith(">") for line in rest[1:] if line.strip()):
        rest = [re.sub(r"^\s*>\s?", "", line) for line in rest]
    inner = "\n".join(rest[after_header(rest) :])
    words = own_words(inner, is_reply=True, disclaimers=disclaimers)
    return OwnWords(text=words.text or tidy(inner), removed=words.removed, forward=forward)


def tidy(text: str) -> str:
    """Return text with single blanks, at most one empty line in a row, none at either end."""
    text = text.strip("\n")
    if _is_tidy(text):
        return text
    lines = [" ".join(line.split()) for line in text.split("\n") if line != QUOTE_MARK]
    tidied = "\n".join(lines)
    if "\n\n\n" in tidied:
        tidied = re.sub(r"\n{3,}", "\n\n", tidied)
    return tidied.strip("\n")


def _is_tidy(text: str) -> bool:
    """Return whether a text has one blank, one line end or one empty line between two words, and no marks."""
    return QUOTE_MARK not in text and text.replace("\n\n", " ").replace("\n", " ") == " ".join(text.split())


def unflow(text: str, *, delete_space: bool) -> str:
    """Join the soft line breaks of format=flowed; quoted lines keep their `>` (RFC 3676 §4.1 to §4.5)."""
    out: list[str] = []
    open_depth = -1
    for raw in text.split("\n"):
        depth = len(raw) - len(raw.lstrip(">"))
        line = raw[depth:].removeprefix(" ")
        soft = line.endswith(" ") and line != "-- "
        if out and (open_depth != depth or line == "-- "):
            out.append("\n")
        if depth and open_depth != depth:
            out.append(f"{'>' * depth} ")
        out.append(line[:-1] if soft and delete_space else line)
        open_depth = depth if soft else -1
    return "".join(out)


def _length(lines: Sequence[str]) -> int:
    return sum(len(line) for line in lines if line != QUOTE_MARK)


def _may_quote(text: str) -> bool:
    """Return whether any line of a text may be quoted."""
    return ">" in text or QUOTE_MARK in text


def _unquoted(lines: Sequence[str], removed: list[tuple[Removal, int]], *, is_reply: bool) -> list[list[str]]:
    """Return the runs of lines between quotes; the attribution above a quote belongs to it."""
    stretches: list[list[str]] = [[]]
    index = 0
    while index < len(lines):
        if not is_quoted(lines[index]):
            stretches[-1].append(lines[index])
            index += 1
            continue
        end = index
        while end < len(lines) and (is_quoted(lines[end]) or not lines[end].strip()):
            end += 1
        marked = QUOTE_MARK in lines[index:end]
        above = drop_attribution(stretches[-1]) if is_reply or marked else 0
        if is_reply or marked:
            removed.append((Removal.QUOTE, above + _length(lines[index:end])))
            stretches.append([])
        else:
            stretches[-1] += lines[index:end]
        index = end
    return stretches
