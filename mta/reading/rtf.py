"""Compressed RTF of Outlook → text or the HTML inside; just enough of RTF to read a message.

MS-OXRTFCP 2.1 (compression), MS-OXRTFEX 2.1 (HTML inside RTF), RTF 1.9.1. Bounded in output and depth; never raises.
"""

import re
import struct
from dataclasses import dataclass, replace
from typing import Final

from mta.reading.charsets import clean_text, decode
from mta.reading.texts import TextSection

_LIMIT: Final = 4_000_000
_COMPRESSED: Final = 0x75465A4C
_UNCOMPRESSED: Final = 0x414C454D
_DICTIONARY: Final = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript "
    b"\\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par "
    b"\\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)


def decompress_rtf(octets: bytes) -> bytes:
    """Return the RTF of a PR_RTF_COMPRESSED value, of a damaged one the readable start, b"" for anything else."""
    if len(octets) < 16:
        return b""
    _, size, kind, _ = struct.unpack_from("<IIII", octets)
    if kind == _UNCOMPRESSED:
        return octets[16 : 16 + min(size, _LIMIT)]
    if kind != _COMPRESSED:
        return b""
    return _expand(octets, min(size, _LIMIT))


def _expand(octets: bytes, size: int) -> bytes:
    """Undo LZFu: runs of eight tokens, a reference is 12 bits of offset and 4 bits of length minus 2."""
    window = bytearray(_DICTIONARY.ljust(4096, b"\x00"))
    write = len(_DICTIONARY)
    out = bytearray()
    position = 16
    while position < len(octets) and len(out) < size:
        control = octets[position]
        position += 1
        for bit in range(8):
            if not control >> bit & 1:
                if position >= len(octets):
                    return bytes(out)
                out.append(octets[position])
                window[write] = octets[position]
                write = (write + 1) & 0xFFF
                position += 1
                continue
            if position + 2 > len(octets):
                return bytes(out)
            token = octets[position] << 8 | octets[position + 1]
            position += 2
            read = token >> 4
            if read == write:
                return bytes(out)
            for _ in range((token & 0xF) + 2):
                octet = window[read]
                read = (read + 1) & 0xFFF
                out.append(octet)
                window[write] = octet
                write = (write + 1) & 0xFFF
    return bytes(out)


_TOKEN: Final = re.compile(
    rb"\\'(?P<hex>[0-9A-Fa-f]{2})|\\(?P<word>[A-Za-z]{1,32})(?P<number>-?[0-9]{1,10})? ?|\\(?P<symbol>[^A-Za-z])"
    rb"|(?P<brace>[{}])|(?P<text>[^\\{}\r\n]+)|[\r\n]+",
    re.DOTALL,
)
_DESTINATIONS: Final = frozenset(
    {
        b"fonttbl", b"colortbl", b"stylesheet", b"info", b"pict", b"object", b"header", b"footer", b"footnote",
        b"listtable", b"listoverridetable", b"generator", b"themedata", b"datastore", b"latentstyles", b"xmlnstbl",
    }
)  # fmt: skip
_WORDS: Final = {
    b"par": "\n",
    b"line": "\n",
    b"tab": "\t",
    b"cell": "\t",
    b"row": "\n",
    b"emdash": "\N{EM DASH}",
    b"endash": "\N{EN DASH}",
    b"lquote": "\N{LEFT SINGLE QUOTATION MARK}",
    b"rquote": "\N{RIGHT SINGLE QUOTATION MARK}",
    b"ldblquote": "\N{LEFT DOUBLE QUOTATION MARK}",
    b"rdblquote": "\N{RIGHT DOUBLE QUOTATION MARK}",
    b"bullet": "-",
}
_SYMBOLS: Final = {b"~": b" ", b"_": b"-", b"\\": b"\\", b"{": b"{", b"}": b"}"}
_DEPTH: Final = 500


@dataclass(frozen=True, slots=True)
class _Group:
    """The state within one pair of braces."""

    skipped: bool = False
    html_rtf: bool = False
    html_tag: bool = False
    unicode_skip: int = 1


def rtf_text(octets: bytes) -> TextSection | None:
    """Return an RTF document as text, or as the HTML that it encapsulates; None if it has none."""
    if not octets.lstrip().startswith(b"{\\rtf"):
        return None
    reader = _Reader(octets)
    text = reader.read()
    if not text.strip():
        return None
    return TextSection(html=text) if reader.from_html else TextSection(plain=clean_text(text))


class _Reader:
    """One pass over the tokens of a document."""

    __slots__ = ("charset", "from_html", "groups", "octets", "out", "pending", "to_skip")

    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        self.charset = "windows-1252"
        self.from_html = b"\\fromhtml1" in octets[:2048]
        self.groups = [_Group()]
        self.out: list[str] = []
        self.pending = bytearray()
        self.to_skip = 0

    def read(self) -> str:
        """Return the document's text."""
        for token in _TOKEN.finditer(self.octets, 0, _LIMIT):
            if token["text"] is not None:
                self._octets(token["text"])
            elif token["hex"] is not None:
                self._octets(bytes((int(token["hex"], 16),)))
            elif token["word"] is not None:
                number = int(token["number"]) if token["number"] is not None else None
                self._word(token["word"], number)
            elif token["symbol"] is not None:
                self._symbol(token["symbol"])
            elif token["brace"] is not None and not self._brace(token["brace"]):
                break
        self._settle()
        # \\u writes UTF-16 units, so an emoji is two of them.
        return "".join(self.out).encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def _brace(self, brace: bytes) -> bool:
        self.to_skip = 0
        if brace == b"{":
            self.groups.append(self.groups[-1])
            return len(self.groups) <= _DEPTH
        self._settle()
        if len(self.groups) > 1:
            self.groups.pop()
        return True

    def _symbol(self, symbol: bytes) -> None:
        if symbol == b"*":
            self.groups[-1] = replace(self.groups[-1], skipped=True)
        elif symbol in {b"\r", b"\n"}:
            self._text("\n")
        else:
            self._octets(_SYMBOLS.get(symbol, b""))

    def _octets(self, octets: bytes) -> None:
        if self.to_skip:
            dropped = min(self.to_skip, len(octets))
            self.to_skip -= dropped
            octets = octets[dropped:]
        if self._visible():
            self.pending += octets

    def _text(self, text: str) -> None:
        self._settle()
        if self._visible():
            self.out.append(text)

    def _visible(self) -> bool:
        group = self.groups[-1]
        return not group.skipped and not (self.from_html and group.html_rtf)

    def _settle(self) -> None:
        if self.pending:
            self.out.append(decode(bytes(self.pending), self.charset))
            self.pending.clear()

    def _word(self, word: bytes, number: int | None) -> None:
        group = self.groups[-1]
        if word == b"ansicpg" and number:
            self.charset = {65001: "utf-8", 932: "shift_jis", 936: "gb18030", 950: "big5", 949: "cp949"}.get(
                number, f"windows-{number}"
            )
        elif word == b"htmlrtf":
            self._settle()
            self.groups[-1] = replace(group, html_rtf=number != 0)
        elif word == b"htmltag":
            self.groups[-1] = replace(group, skipped=not self.from_html, html_tag=True)
        elif word in _DESTINATIONS:
            self.groups[-1] = replace(group, skipped=True)
        elif word == b"uc" and number is not None:
            self.groups[-1] = replace(group, unicode_skip=max(0, min(number, 10)))
        elif word == b"u" and number is not None:
            self._text(chr(number & 0xFFFF))
            self.to_skip = group.unicode_skip
        elif word in _WORDS:
            self._text(_WORDS[word])
