"""Lines of a mail → the lines that its author typed: quoted history, signatures, footers and disclaimers are left out.

Judged are lines, whether they came from plain text or from HTML; the words of the clients are tables in
mta.words.client_words. When in doubt a line stays: own words that merely look like history or a signature are not cut.
RFC 3676 §4.3 (signature separator), §4.5 (quoting).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mta.words.client_words import (
    ATTRIBUTION_INTRO,
    ATTRIBUTION_VERB,
    CLOSING,
    CONTACT,
    DEVICE_WORD,
    EASTERN_ATTRIBUTION,
    EXCUSE,
    HEADER_LABELS,
    OUTLOOK_LINK,
    SENT_FROM,
    separator_kind,
)
from mta.words.disclaimers import Patterns, is_disclaimer
from mta.words.html import QUOTE_MARK
from mta.words.html_marks import Removal

_LINE_LIMIT: Final = 20_000
_COLONS: Final = ":\N{FULLWIDTH COLON}"
_DASHES: Final = "-_*=\N{EN DASH}\N{EM DASH}"
_STROKES: Final = frozenset(f"{_DASHES}|")
_LABEL: Final = re.compile(rf"[\s>|]*[*_]{{0,2}}([^\W\d_][^{_COLONS}*\n]{{0,24}}?)[*_]{{0,2}}\s?[{_COLONS}](?!//)")
_RULE: Final = re.compile(r"\s*[-_=*]{5,}\s*")
_OUTLOOK_RULE: Final = re.compile(r"_{20,}")
_NOTES_BOX: Final = re.compile(r"\|-{4,}>")
_DATE: Final = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}")
_FRAMED: Final = re.compile(r"\s*-{3,}\s*([^-].{2,200}?)\s*-{3,}\s*")
_DATE_FIRST: Final = re.compile(r"\W*(?:\d|\w{2,14}\.?,\s?\d)")
_TIME: Final = re.compile(r"\d{1,2}[:.h]\d\d")
_BRACKETED: Final = re.compile(r"[<(]\s?[^<>()\s]+@[^<>()\s]+[>)]")
_TIME_OR_ADDRESS: Final = re.compile(r"\d{1,2}[:.h]\d\d|<[^<>\s]+@[^<>\s]+>|\S+@\S+\.\S+")
_ADDRESS_AT_END: Final = re.compile(rf"<[^<>\s]+@[^<>\s]+>\s*[{_COLONS}]?\s*$")
_SIGNATURE_MARK: Final = re.compile(r"\s*-- ?\s*|--\s*|\N{EM DASH}\s*")
_SIGNATURE_LINES: Final = 12
_JUDGED: Final = 300
_CLOSING_LETTERS: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnWords:
    """What remains: `text`, what was left out with its length, and whether a separator said «forwarded»."""

    text: str
    removed: tuple[tuple[Removal, int], ...] = ()
    forward: bool = False


def own_words(text: str, *, is_reply: bool, disclaimers: Sequence[str] = (), below: bool = False) -> OwnWords:
    """Return the words that the author of a mail typed, "" where there are none.

    `is_reply` lets lines that begin with `>` be history without a client's line above them. `disclaimers` are the
    customer's patterns: a paragraph that begins so is cut, `*` standing for any words; at most 50 count.
    `below` says that words of the author stand above these, in another part of the mail.
    """
    lines = text.split("\n", _LINE_LIMIT)[:_LINE_LIMIT]
    removed: list[tuple[Removal, int]] = []
    start, forward = _history_start(lines, is_reply=is_reply)
    if start < len(lines):
        removed.append((Removal.QUOTE, _length(lines[start:])))
    own: list[str] = []
    quoted = _may_quote(text)
    for stretch in _unquoted(lines[:start], removed, is_reply=is_reply) if quoted else [lines[:start]]:
        own += _trimmed(stretch, removed, disclaimers, below=below)
        own.append("")
    return OwnWords(text=tidy("\n".join(own)), removed=tuple(removed), forward=forward)


def forwarded_words(text: str, *, disclaimers: Sequence[str] = ()) -> OwnWords:
    """Return what was forwarded: the words of the mail below the first separator or quoted header, "" for none.

    `forward` tells whether a separator calls it forwarded, rather than an original that was answered.
    """
    lines = [line for line in text.split("\n", _LINE_LIMIT)[:_LINE_LIMIT] if line != QUOTE_MARK]
    start, forward = _history_start(lines, is_reply=True)
    if start >= len(lines):
        lines = [re.sub(r"^\s*>\s?", "", line) for line in lines]
        start, forward = _history_start(lines, is_reply=True)
    if start >= len(lines):
        return OwnWords(text="")
    rest = lines[start:]
    if all(line.lstrip().startswith(">") for line in rest[1:] if line.strip()):
        rest = [re.sub(r"^\s*>\s?", "", line) for line in rest]
    inner = "\n".join(rest[_after_header(rest) :])
    words = own_words(inner, is_reply=True, disclaimers=disclaimers)
    return OwnWords(text=words.text or tidy(inner), removed=words.removed, forward=forward)


def tidy(text: str) -> str:
    """Return text with single blanks, at most one empty line in a row, none at either end."""
    lines = [" ".join(line.split()) for line in text.split("\n") if line != QUOTE_MARK]
    tidied = "\n".join(lines)
    if "\n\n\n" in tidied:
        tidied = re.sub(r"\n{3,}", "\n\n", tidied)
    return tidied.strip("\n")


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


def _history_start(lines: Sequence[str], *, is_reply: bool) -> tuple[int, bool]:
    """Return the index of the line where somebody else's mail begins, and whether it is marked as forwarded."""
    for index, line in enumerate(lines):
        text = line.strip()
        if not text or not _may_begin_history(text) or _is_quoted(line):
            continue
        kind = separator_kind(text) if text[0] in _DASHES or text[-1] in _COLONS else ""
        if kind and (text[0] in _DASHES or _block_end(lines, index + 1) or _quote_follows(lines, index)):
            return index, kind == "forwarded"
        if _is_framed(text) or (_is_rule(text) and _is_block(lines, _next_text(lines, index))):
            return index, False
        if _is_client_frame(lines, index, text, is_reply=is_reply):
            return index, False
        if _LABEL.match(text) and _is_block(lines, index):
            return index, False
        if text[-1] in _COLONS:
            first = _attribution_start(lines, index)
            if (
                first is not None
                and not _quote_follows(lines, index)
                and _is_strong(lines[first : index + 1], is_reply=is_reply)
            ):
                return first, False
    return len(lines), False


def _may_begin_history(text: str) -> bool:
    """Tell whether a stripped line needs a closer look: every sign of history begins with a stroke or has a colon."""
    return text[0] in _STROKES or ":" in text or "\N{FULLWIDTH COLON}" in text


def _may_quote(text: str) -> bool:
    """Tell whether any line of a text may be quoted."""
    return ">" in text or QUOTE_MARK in text


def _may_sign(text: str) -> bool:
    """Tell whether any line of a text may be a signature separator."""
    return "--" in text or "\N{EM DASH}" in text


def _may_be_footer(text: str) -> bool:
    """Tell whether a line may say what it was sent from: as one word of ASCII that is said in no language."""
    return " " in text or not text.isascii()


def _is_framed(text: str) -> bool:
    """Tell whether a line is an attribution between hyphens, as Notes and Zoho write it."""
    framed = _FRAMED.fullmatch(text) if text.startswith("---") and len(text) <= _JUDGED else None
    return framed is not None and bool(ATTRIBUTION_VERB.search(framed[1]) and _TIME_OR_ADDRESS.search(framed[1]))


def _is_client_frame(lines: Sequence[str], index: int, text: str, *, is_reply: bool) -> bool:
    """Tell whether a client's own drawing begins history: Outlook's long rule above a header, Notes' boxed labels."""
    if is_reply and _OUTLOOK_RULE.fullmatch(text):
        below = lines[index + 1 : index + 5]
        # Four fields of any language, the first with an address and the second with an instant.
        return (
            len(below) == 4
            and all(map(_LABEL.match, below))
            and "@" in below[0]
            and bool(_DATE.search(below[1]) and _TIME.search(below[1]))
        )
    boxed = index + 1 < len(lines) and _NOTES_BOX.fullmatch(text) is not None
    return boxed and bool(_label(lines[index + 1].strip(" |\t")))


def _is_rule(text: str) -> bool:
    """Tell whether a line is a drawn one, or words between hyphens in a language that we do not know."""
    return _RULE.fullmatch(text) is not None or (len(text) <= _JUDGED and _FRAMED.fullmatch(text) is not None)


def _next_text(lines: Sequence[str], index: int) -> int:
    """Return the index of the next line with text within three, or the last index."""
    for position in range(index + 1, min(index + 4, len(lines))):
        if lines[position].strip():
            return position
    return len(lines) - 1


def _label(line: str) -> str:
    """Return which header field a line shows, "" for none."""
    match = _LABEL.match(line)
    return HEADER_LABELS.get(match[1].strip().lower(), "") if match is not None else ""


def _block(lines: Sequence[str], index: int) -> tuple[set[str], int]:
    """Return the kinds of header fields shown from this line on, and the index after them."""
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
    """Tell whether a quoted mail header begins here: several fields, as no author types them."""
    if not _label(lines[index]):
        return False
    kinds, end = _block(lines, index)
    if "sender" not in kinds:
        return {"sent", "to", "subject"} <= kinds and any("@" in line for line in lines[index:end])
    if "subject" in kinds:
        return len(kinds) >= 3 and ("sent" in kinds or any("@" in line for line in lines[index:end]))
    return {"sent", "to"} <= kinds and any("@" in line for line in lines[index:end])


def _block_end(lines: Sequence[str], index: int) -> int:
    """Return the index after the quoted header that begins within three lines of `index`, 0 where none does."""
    for position in range(index, min(index + 3, len(lines))):
        if lines[position].strip():
            kinds, end = _block(lines, position)
            return end if len(kinds) >= 2 and ("sender" in kinds or "subject" in kinds) else 0
    return 0


def _after_header(lines: Sequence[str]) -> int:
    """Return the index of the first line below a separator and the quoted header after it."""
    index = 0
    if not _label(lines[0]):
        index = 1
    end = _block_end(lines, index)
    if end:
        return end
    return index


def _attribution_start(lines: Sequence[str], index: int) -> int | None:
    """Return where the «… wrote:» that ends on this line begins, None where it is no such line."""
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
    if EASTERN_ATTRIBUTION.search(text.rstrip(_COLONS + " ")) is not None:
        return _DATE.search(text) is not None
    if _ADDRESS_AT_END.search(text) is not None and _DATE_FIRST.match(text):
        return _DATE.search(text) is not None and _TIME.search(text) is not None
    if ATTRIBUTION_VERB.search(text.replace("\N{NO-BREAK SPACE}", " ")) is None:
        return False
    return _TIME_OR_ADDRESS.search(text) is not None or _DATE.search(text) is not None


def _is_strong(lines: Sequence[str], *, is_reply: bool) -> bool:
    """Tell whether an attribution line is one without a visible quote below: a full date, and an address or a time."""
    text = " ".join(lines)
    return _DATE.search(text) is not None and (_TIME_OR_ADDRESS if is_reply else _BRACKETED).search(text) is not None


def _quote_follows(lines: Sequence[str], index: int) -> bool:
    """Tell whether the next line with text is quoted."""
    for line in lines[index + 1 : index + 5]:
        if line.strip():
            return line.lstrip().startswith(">") or line == QUOTE_MARK
    return False


def _is_quoted(line: str) -> bool:
    return line == QUOTE_MARK or line.lstrip().startswith(">")


def _unquoted(lines: Sequence[str], removed: list[tuple[Removal, int]], *, is_reply: bool) -> list[list[str]]:
    """Return the stretches of lines between quotes; a quote takes the attribution above it along."""
    stretches: list[list[str]] = [[]]
    index = 0
    while index < len(lines):
        if not _is_quoted(lines[index]):
            stretches[-1].append(lines[index])
            index += 1
            continue
        end = index
        while end < len(lines) and (_is_quoted(lines[end]) or not lines[end].strip()):
            end += 1
        above = _drop_attribution(stretches[-1], is_reply=is_reply)
        inside = [re.sub(r"^[\s>]+", "", line) for line in lines[index:end]]
        marked = QUOTE_MARK in lines[index:end] or above or _quotes_mail(inside)
        if marked or is_reply:
            removed.append((Removal.QUOTE, above + _length(lines[index:end])))
            stretches.append([])
        else:
            stretches[-1] += lines[index:end]
        index = end
    return stretches


def _quotes_mail(lines: Sequence[str]) -> bool:
    """Tell whether quoted lines begin with an attribution or a mail header of their own (iOS quotes both)."""
    for index, line in enumerate(lines[:5]):
        if separator_kind(line) or _is_block(lines, index):
            return True
        if line and line.rstrip()[-1:] in _COLONS and _attribution_start(lines, index) is not None:
            return True
    return False


def _drop_attribution(lines: list[str], *, is_reply: bool) -> int:
    """Take the attribution off the end of the lines; the answer is its length, 0 for none.

    Above a quote in an answer the instant and the address say enough in a language whose verb is not known.
    """
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    if not end or lines[end - 1].strip()[-1] not in _COLONS:
        return 0
    first = _attribution_start(lines, end - 1)
    if first is None and is_reply:
        first = _address_and_instant(lines, end - 1)
    if first is None:
        return 0
    length = _length(lines[first:end])
    del lines[first:]
    return length


def _address_and_instant(lines: Sequence[str], index: int) -> int | None:
    """Return where the lines begin that end here and name an address, a date and a time, None where none do."""
    joined = ""
    for first in range(index, max(index - 3, -1), -1):
        joined = f"{lines[first].strip()} {joined}"
        if not lines[first].strip() or len(joined) > _JUDGED:
            return None
        if _BRACKETED.search(joined) and _DATE.search(joined) and _TIME.search(joined):
            return first
    return None


def _trimmed(
    lines: list[str], removed: list[tuple[Removal, int]], disclaimers: Sequence[str], *, below: bool
) -> list[str]:
    """Return the lines without what stands below the author's words."""
    if _may_sign("\n".join(lines)):
        lines = _without_signature(lines, removed)
    lines = _without_disclaimers(lines, removed, disclaimers, below=below)
    lines = _without_footers(lines, removed)
    return _without_contact(lines, removed)


def _without_signature(lines: list[str], removed: list[tuple[Removal, int]]) -> list[str]:
    seen_text = False
    for index, line in enumerate(lines):
        if line.strip() and _SIGNATURE_MARK.fullmatch(line):
            # The blank of «-- » makes it a separator by standard; without it the lines below must look signed.
            if line == "-- " or (seen_text and _looks_signed([lines[at] for at in _few_below(lines, index)])):
                removed.append((Removal.SIGNATURE, _length(lines[index:])))
                return lines[:index]
        elif line.strip():
            seen_text = True
    return lines


def _is_sentence(line: str) -> bool:
    return line.rstrip()[-1:] in ".!?" and len(line.split(maxsplit=3)) > 2


def _few_below(lines: Sequence[str], index: int) -> list[int]:
    """Return where the lines with text below this one are, nothing if they are more than a signature has."""
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
    return _is_footer(below[0].strip()) or not any(_is_sentence(text) for text in below)


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
            if kept and _RULE.fullmatch(kept[-1]):
                kept.pop()  # the line drawn above it goes with it
            continue
        seen_text = seen_text or filled
        blank_above = not filled or _RULE.fullmatch(line) is not None
        kept.append(line)
        index += 1
    return kept


def _without_footers(lines: list[str], removed: list[tuple[Removal, int]]) -> list[str]:
    end = len(lines)
    while end:
        line = lines[end - 1].strip()
        if line and not _RULE.fullmatch(line) and not _is_footer(line):
            break
        end -= 1
    cut = [line for line in lines[end:] if line.strip()]
    if any(_is_footer(line.strip()) for line in cut):
        removed.append((Removal.FOOTER, _length(cut)))
        return lines[:end]
    return lines


def _is_footer(line: str) -> bool:
    if len(line) > 160:
        return False
    if OUTLOOK_LINK.search(line):
        return True
    bare = re.sub(r"\s*[<(]?https?://\S+", "", line).strip() if "://" in line else line.strip()
    if EXCUSE.fullmatch(bare):
        return True
    return _may_be_footer(bare) and SENT_FROM.fullmatch(bare) is not None and DEVICE_WORD.search(bare) is not None


def _without_contact(lines: list[str], removed: list[tuple[Removal, int]]) -> list[str]:
    """Cut the contact block below a closing formula and the name; formula and name are words of the author."""
    text = "".join(lines)
    countable = text.isascii() and text.isprintable()  # all blanks are spaces, so that letters are quickly counted
    for index, line in enumerate(lines):
        if (countable and len(line) - line.count(" ") > _CLOSING_LETTERS) or not CLOSING.fullmatch(line):
            continue
        below = _few_below(lines, index)
        if len(below) < 3:
            continue
        contacts = sum(CONTACT.search(lines[position][:_JUDGED]) is not None for position in below[1:])
        if contacts >= 2:
            cut = below[1]
            removed.append((Removal.SIGNATURE, _length(lines[cut:])))
            return lines[:cut]
    return lines
