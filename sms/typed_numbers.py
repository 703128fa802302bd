"""Numbers as people type, paste and export them: freed of what came along, and told apart where there are several.

Not here: which number a text is (sms.number). Nothing is guessed: what can't be told apart stays whole, so that it is
refused where its author sees it.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

# What comes along unseen where somebody copies a number from a page or from contacts.
_HIDDEN: Final = re.compile("[\x00\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_DASHES: Final = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"), "-")
_PLUS: Final = dict.fromkeys(map(ord, "\ufe62\uff0b"), "+")
_AROUND: Final = " ,;\"'`\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u2039\u203a"
_SIMPLE: Final = re.compile(r"[+0-9][0-9 ()./-]*", re.ASCII)
_BETWEEN: Final = re.compile("[\r\n\v\f\x85\u2028\u2029,;|]+")
_BEFORE_PLUS: Final = re.compile(r"(?<=[0-9)]) +(?=\(?\+ ?[0-9])", re.ASCII)
_NAMED: Final = re.compile(r"[^<>]*<([^<>]*[0-9][^<>]*)>[^<>\w]*")
_DATE: Final = re.compile(r"[0-9]{1,4}([./-])[0-9]{1,2}\1[0-9]{1,4}", re.ASCII)
_DIALLED: Final = re.compile(r"\(?(?:\+|0)[0-9 ()./-]*", re.ASCII)
_LEAST_DIGITS: Final = 7


def clean_number(text: str) -> str:
    """Return the text of one number with ASCII digits, signs and blanks, without quotes and what can't be seen.

    A spreadsheet's apostrophe, by which it is told that a cell is text, is such a quote.
    """
    if _SIMPLE.fullmatch(text):
        return text.rstrip(" ")
    plain = _HIDDEN.sub("", text).translate(_DASHES).translate(_PLUS)
    if not plain.isascii():
        plain = "".join(str(unicodedata.decimal(char, char)) for char in plain)
    plain = " ".join(plain.split()).strip(_AROUND)
    return plain[4:].strip(" ") if plain[:4].lower() == "tel:" else plain  # RFC 3966 §3


def split_numbers(text: str) -> list[str]:
    """Return the numbers of a text, on lines or with commas, semicolons or bars between them, each clean.

    Of a line of several cells, as a spreadsheet gives it, the only one that is written as a number is dialled is meant,
    or all of them where each is; `Name <number>` is its number. Other texts stay whole.
    """
    return [number for piece in _BETWEEN.split(text) for number in _numbers_of(piece) if number]


def _numbers_of(piece: str) -> Iterator[str]:
    cells = [clean for cell in piece.split("\t") if (clean := clean_number(cell))]
    dialled = [cell for cell in cells if _is_dialled(cell)]
    if len(cells) > 1 and len(dialled) in (1, len(cells)):
        yield from dialled
        return
    whole = " ".join(cells)
    named = _NAMED.fullmatch(whole)
    for one in _BEFORE_PLUS.split(clean_number(named[1]) if named is not None else whole):
        yield clean_number(one)


def _is_dialled(cell: str) -> bool:
    digits = sum(char.isdecimal() for char in cell)
    return digits >= _LEAST_DIGITS and _DIALLED.fullmatch(cell) is not None and _DATE.fullmatch(cell) is None
