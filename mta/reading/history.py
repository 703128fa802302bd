"""Finds the line where a quoted mail begins: separators, quoted headers and attributions of mail clients.

A mail that is no answer and no forward has history only below a client's own separator: anything else in it that looks
like a header is a form or a notice. Not here: cutting history (mta.reading.quotes), the phrases of the clients
(mta.reading.client_phrases).
"""

import re
from collections.abc import Sequence
from typing import Final

from mta.reading.client_phrases import (
    ATTRIBUTION_ENDING,
    ATTRIBUTION_INTRO,
    ATTRIBUTION_VERB,
    HEADER_LABELS,
    REPLY_ABOVE,
    separator_kind,
)
from mta.reading.html import QUOTE_MARK

_COLONS: Final = ":\N{FULLWIDTH COLON}"
_DASHES: Final = "-_*=\N{EN DASH}\N{EM DASH}"
_STROKES: Final = frozenset(f"{_DASHES}|#")
_SIGNS: Final = (*_COLONS, *_STROKES, "above this")
"""No line without any of these begins history."""
_LABEL: Final = re.compile(rf"[\s>|]*[*_]{{0,2}}([^\W\d_][^{_COLONS}*\n]{{0,24}}?)[*_]{{0,2}}\s?[{_COLONS}](?!//)")
_CELL: Final = re.compile(r"\|\s*[*_]{0,2}([^\W\d_][^|*\n]{0,24}?)[*_]{0,2}\s*\|")
_OUTLOOK_RULE: Final = re.compile(r"_{20,}")
_NOTES_BOX: Final = re.compile(r"\|-{4,}>")
_YEAR: Final = r"(?<!\d)(?:19|20|25)\d\d(?!\d)|(?<!\d)[\u0660-\u0669\u06f0-\u06f9]{4}(?!\d)"
_DATE: Final = re.compile(rf"{_YEAR}|\d{{1,2}}[./-]\d{{1,2}}[./-]\d{{2,4}}")
_FRAMED: Final = re.compile(r"\s*-{3,}\s*([^-].{2,200}?)\s*-{3,}\s*")
_DATE_FIRST: Final = re.compile(r"\W*(?:\d|\w{2,14}\.?,\s?\d)")
_TIME: Final = re.compile(r"\d{1,2}[:.h]\d\d")
_BRACKETED: Final = re.compile(r"[<(]\s?[^<>()\s]+@[^<>()\s]+\s?[>)]")
_TIME_OR_ADDRESS: Final = re.compile(r"\d{1,2}[:.h]\d\d|<\s?[^<>\s]+@[^<>\s]+\s?>|\S+@\S+\.\S+")
_ADDRESS_AT_END: Final = re.compile(rf"<\s?[^<>\s]+@[^<>\s]+\s?>\s*[{_COLONS}]?\s*$")
_DIRECTIONS: Final = dict.fromkeys((0x200E, 0x200F, 0x061C, *range(0x202A, 0x202F), *range(0x2066, 0x206A)))
_RULE: Final = re.compile(r"\s*[-_=*]{5,}\s*")
_JUDGED: Final = 300
_TAIL: Final = 12


def bare(line: str) -> str:
    """Return a line without the direction marks that clients put around names and dates."""
    return line if line.isascii() else line.translate(_DIRECTIONS)


def is_rule(line: str) -> bool:
    """Return whether a line is only a drawn line."""
    return _RULE.fullmatch(line) is not None


def history_start(lines: Sequence[str], *, is_reply: bool) -> tuple[int, bool]:
    """Return the index of the line where a quoted mail begins, and whether it is marked as forwarded.

    `is_reply` says that the mail answers or forwards another by its own fields. Lines are without marks of direction.
    """
    if not _may_hold_history("\n".join(lines)):
        return len(lines), False
    own = False
    for index, line in enumerate(lines):
        text = line.strip()
        if not text or not _may_begin_history(text) or is_quoted(line):
            own = own or bool(text)
            continue
        kind = separator_kind(text) if text[0] in _DASHES or text[-1] in _COLONS else ""
        if kind and (text[0] in _DASHES or _block_end(lines, index + 1) or _quote_follows(lines, index)):
            return index, kind == "forwarded"
        if _is_framed(lines, index) or _is_client_frame(lines, index, text, is_reply=is_reply):
            return index, False
        start = _reply_start(lines, index, text, below=own) if is_reply else None
        if start is not None:
            return start, False
        own = True
    return len(lines), False


def _reply_start(lines: Sequence[str], index: int, text: str, *, below: bool) -> int | None:
    """Return the start of history that this line shows and that only an answer or forward has, None for none."""
    if below and len(text) <= _JUDGED and REPLY_ABOVE.search(text):
        return index
    if (_is_stroke(text) and _is_block(lines, _next_text(lines, index))) or _is_block(lines, index):
        return index
    first = _attribution_start(lines, index) if text[-1] in _COLONS else None
    strong = first is not None and not _quote_follows(lines, index) and _is_strong(lines[first : index + 1])
    return first if strong else None


def _may_hold_history(text: str) -> bool:
    """Return whether any line of a text may begin history."""
    return any(map(text.__contains__, _SIGNS))


def _may_begin_history(text: str) -> bool:
    """Return whether a stripped line may begin history: it starts with a stroke, has a colon or «above this»."""
    return text[0] in _STROKES or ":" in text or "\N{FULLWIDTH COLON}" in text or "above this" in text


def _is_framed(lines: Sequence[str], index: int) -> bool:
    """Return whether an attribution between hyphens begins here, as Notes and Zoho write it on up to three lines."""
    text = lines[index].strip()
    if not text.startswith("---"):
        return False
    for following in (*lines[index + 1 : index + 3], ""):
        if len(text) > _JUDGED:
            return False
        framed = _FRAMED.fullmatch(text)
        if framed is not None:
            return ATTRIBUTION_VERB.search(framed[1]) is not None and _TIME_OR_ADDRESS.search(framed[1]) is not None
        text = f"{text} {following.strip()}"
    return False


def _is_client_frame(lines: Sequence[str], index: int, text: str, *, is_reply: bool) -> bool:
    """Return whether a client's drawing begins history: a rule above a mail header, or Notes' boxed labels."""
    if text[0] == "|":
        boxed = index + 1 < len(lines) and _NOTES_BOX.fullmatch(text) is not None
        return boxed and bool(_label(lines[index + 1].strip(" |\t")))
    if is_reply and _is_stroke(text):
        begin = _next_text(lines, index)
        fields = lines[begin : begin + 4]
        # Four fields in any language, including an address and a date.
        return (
            len(fields) == 4
            and all(map(_LABEL.match, fields))
            and any("@" in line for line in fields[:2])
            and any(_DATE.search(line) and _TIME.search(line) for line in fields)
        )
    if _OUTLOOK_RULE.fullmatch(text):
        kinds, end = _block(lines, index + 1)
        fields = lines[index + 1 : end]
        whole = {"sender", "sent", "to", "subject"} <= kinds
        return whole and _has_instant(fields) and _BRACKETED.search("".join(fields)) is not None
    return False


def _is_stroke(text: str) -> bool:
    """Return whether a line is drawn, or has words between hyphens in a language that we do not know."""
    return is_rule(text) or (len(text) <= _JUDGED and _FRAMED.fullmatch(text) is not None)


def _has_instant(lines: Sequence[str]) -> bool:
    return any(_label(line) == "sent" and _DATE.search(line) for line in lines)


def _next_text(lines: Sequence[str], index: int) -> int:
    """Return the index of the next line with text among three, or the last index."""
    for position in range(index + 1, min(index + 4, len(lines))):
        if lines[position].strip():
            return position
    return len(lines) - 1


def _label(line: str) -> str:
    """Return the header field in a line, "" for none; NetEase has them in a table."""
    match = _LABEL.match(line) or _CELL.match(line.lstrip())
    return HEADER_LABELS.get(" ".join(match[1].split()).lower(), "") if match is not None else ""


def _block(lines: Sequence[str], index: int) -> tuple[set[str], int]:
    """Return the kinds of header fields from this line on, and the index after them."""
    kinds: set[str] = set()
    end = index
    continued = 0
    for position in range(index, min(index + 30, len(lines))):
        line = lines[position].strip()
        if not line:
            continue
        kind = _label(line)
        if kind and (kind not in kinds or kind in {"other", "copy"}):
            kinds.add(kind)
            end = position + 1
            continued = 0
        elif position == end and kinds and continued < 3 and "subject" not in kinds:
            continued += 1
            end = position + 1  # a folded list of recipients
        else:
            break
    return kinds, end


def _is_block(lines: Sequence[str], index: int) -> bool:
    """Return whether a quoted mail header begins here: several fields with an address or a date.

    There must be text above or below it: a mail that has only such fields is a notice.
    """
    if not _label(lines[index]):
        return False
    kinds, end = _block(lines, index)
    if "sender" in kinds:
        enough = len(kinds) >= 3 if "subject" in kinds else {"sent", "to"} <= kinds
    else:
        enough = {"sent", "to", "subject"} <= kinds
    if not enough or not (_has_instant(lines[index:end]) or any("@" in line for line in lines[index:end])):
        return False
    above = (line for line in lines[max(index - 3, 0) : index] if not _label(line))
    return any(line.strip() for line in (*above, *lines[end : end + 5]))


def _block_end(lines: Sequence[str], index: int) -> int:
    """Return the index after the quoted header that begins within three lines of `index`, 0 if none does."""
    for position in range(index, min(index + 3, len(lines))):
        if lines[position].strip():
            kinds, end = _block(lines, position)
            return end if len(kinds) >= 2 and ("sender" in kinds or "subject" in kinds) else 0
    return 0


def after_header(lines: Sequence[str]) -> int:
    """Return the index of the first line below a separator and the quoted header after it."""
    index = 0
    if not _label(lines[0]):
        index = 1
    end = _block_end(lines, index)
    if end:
        return end
    return index


def _attribution_start(lines: Sequence[str], index: int) -> int | None:
    """Return where the «… wrote:» that ends on this line begins, None if there is none."""
    joined = ""
    for first in range(index, max(index - 3, -1), -1):
        line = lines[first].strip()
        if not line or line.startswith(">") or line == QUOTE_MARK:
            return None
        joined = f"{line} {joined}".strip()
        if len(joined) > 400:
            return None
        if _is_attribution(joined):
            above = lines[first - 1].strip() if first else ""
            if above and not ATTRIBUTION_INTRO.match(joined) and ATTRIBUTION_INTRO.match(above):
                return first - 1
            return first
    return None


def _is_attribution(text: str) -> bool:
    if ATTRIBUTION_ENDING.search(text.rstrip(_COLONS + " ")) is not None:
        return _DATE.search(text) is not None
    if _ADDRESS_AT_END.search(text) is not None and _DATE_FIRST.match(text):
        return _DATE.search(text) is not None and _TIME.search(text) is not None
    if ATTRIBUTION_VERB.search(text.replace("\N{NO-BREAK SPACE}", " ")) is None:
        return False
    return _TIME_OR_ADDRESS.search(text) is not None or _DATE.search(text) is not None


def _is_strong(lines: Sequence[str]) -> bool:
    """Return whether an attribution counts without a quote below: a date with a time, an address or an intro."""
    text = " ".join(lines)
    if _DATE.search(text) is None:
        return False
    return _TIME_OR_ADDRESS.search(text) is not None or ATTRIBUTION_INTRO.match(text) is not None


def _quote_follows(lines: Sequence[str], index: int) -> bool:
    """Return whether the next line with text is quoted."""
    for line in lines[index + 1 : index + 5]:
        if line.strip():
            return line.lstrip().startswith(">") or line == QUOTE_MARK
    return False


def is_quoted(line: str) -> bool:
    """Return whether a line is quoted by its mark or by HTML."""
    return line == QUOTE_MARK or line.lstrip().startswith(">")


def drop_attribution(lines: list[str]) -> int:
    """Remove the attribution above a quote from the end of the lines; returns its length, 0 for none.

    A date and an address suffice in a language whose verb is not known.
    """
    tail = [bare(line) for line in lines[-_TAIL:]]
    end = len(tail)
    while end and not tail[end - 1].strip():
        end -= 1
    if not end:
        return 0
    first = _attribution_start(tail, end - 1) if tail[end - 1].strip()[-1] in _COLONS else None
    if first is None:
        first = _address_and_instant(tail, end - 1)
    if first is None:
        return 0
    length = sum(map(len, tail[first:end]))
    del lines[len(lines) - len(tail) + first :]
    return length


def _address_and_instant(lines: Sequence[str], index: int) -> int | None:
    """Return where the lines with an address, a date and a time that end here begin, None if there are none.

    Without a colon at the end, the date must come first and the address last, as in old Gmail.
    """
    joined = ""
    colon = lines[index].strip()[-1] in _COLONS
    for first in range(index, max(index - 3, -1), -1):
        joined = f"{lines[first].strip()} {joined}"
        if not lines[first].strip() or len(joined) > _JUDGED:
            return None
        if colon and _BRACKETED.search(joined) and _DATE.search(joined) and _TIME.search(joined):
            return first
        if not colon and _DATE_FIRST.match(joined) and _ADDRESS_AT_END.search(joined) and _DATE.search(joined):
            return first
    return None
