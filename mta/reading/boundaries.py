"""Finds the parts of a multipart, even if its boundary is missing, wrong or used twice (RFC 2046 §5.1).

Not here: what the parts are (mta.reading.mime).
"""

import re
from typing import Final

Ranges = list[tuple[int, int]]

_GUESSED: Final = re.compile(
    rb"^--(\S[^\r\n]{0,199})\r?\n(?=content-[a-z-]{2,40}[ \t]*:)", re.MULTILINE | re.IGNORECASE
)
_GUESS_OCTETS: Final = 64_000
_PREAMBLE_OCTETS: Final = 1_000
_STRAY_HEADER: Final = re.compile(
    rb"\s{0,9}((?:(?:mime-version|content-[a-z-]{2,40}|x-[a-z-]{2,40}):[^\n]*\n(?:[ \t]+\S[^\n]*\n)*)+)\r?\n",
    re.IGNORECASE,
)
_STRAY_OCTETS: Final = 4_000


def part_ranges(raw: bytes, start: int, end: int, boundary: str, budget: int) -> tuple[Ranges, int]:
    """Return the ranges of a multipart's parts, and how many possible delimiters were examined, at most `budget`.

    Without a close delimiter the last part ends with its parent. An inner multipart with the same boundary owns the
    delimiters up to its close.
    """
    name = boundary.encode("utf-8", "replace").rstrip()
    delimiter = b"--" + name
    declared = re.compile(rb"boundary\s{0,9}=\s{0,9}[\"']?" + re.escape(name) + rb"[\"']?\s{0,9}[;\n]", re.IGNORECASE)
    ranges: Ranges = []
    position = counted = start
    begin = -1
    nested = 0
    looked = 0
    while looked < budget:
        looked += 1
        found = raw.find(delimiter, position, end)
        if found < 0:
            break
        after = found + len(delimiter)
        if found > start and raw[found - 1] != 0x0A:
            position = after  # not at the start of a line
            continue
        line_end = raw.find(b"\n", after, end)
        closes = raw.startswith(b"--", after, end)
        rest = raw[after + 2 * closes : line_end if line_end >= 0 else end]
        if rest.strip():
            position = after
            continue  # a longer boundary that only begins like this one
        if begin >= 0:
            nested += len(declared.findall(raw, counted, found))
            counted = found
        if nested:
            nested -= closes
            position = after
            continue
        if begin >= 0:
            stop = found - (2 if raw[max(found - 2, begin) : found] == b"\r\n" else 1)
            ranges.append((begin, max(begin, stop)))
        begin = -1
        if closes or line_end < 0:
            break
        begin = counted = position = line_end + 1
    if begin >= 0:
        ranges.append((begin, end))
    return ranges, looked


def guessed_boundary(raw: bytes, start: int, end: int) -> str:
    """Return the boundary of a multipart without a declared one: the first delimiter above a part's header."""
    if raw.find(b"--", start, end) < 0:  # most texts have none
        return ""
    found = _GUESSED.search(raw, start, min(end, start + _GUESS_OCTETS))
    return found[1].rstrip().decode("ascii", "replace") if found is not None else ""


def undeclared_boundary(raw: bytes, start: int, end: int) -> str:
    """Return the boundary if a body labelled as text is the whole source of a multipart."""
    boundary = guessed_boundary(raw, start, min(end, start + _PREAMBLE_OCTETS))
    return boundary if boundary and raw.find(f"\n--{boundary}--".encode(), start, end) >= 0 else ""


def stray_header(raw: bytes, start: int, end: int) -> tuple[int, int, int] | None:
    """Return start, end and end of the empty line of a part's header inside the body, None for none."""
    found = _STRAY_HEADER.match(raw, start, min(end, start + _STRAY_OCTETS))
    if found is None or b"content-type:" not in found[1].lower():
        return None
    return found.start(1), found.end(1), found.end()
