"""The national language shift tables: Turkish, Spanish, Portuguese, Urdu, nine scripts of India.

Standard: 3GPP TS 23.038 §6.2.1.2.4 (identifiers), annex A (tables); TS 23.040 §9.2.3.24.15 and §9.2.3.24.16 (headers).
Not here: which tables a text goes out in (national_choice), which an inbound one has (smpp.dialect.fragments), the
default alphabet (alphabet).
"""

import codecs
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Final

from sms.alphabet import STANDARD, ShiftTables
from sms.message import NationalLanguage, Shifts

_NONE: Final = "\ufffd"

# Annex A.3.6, Hindi: the layout of nine scripts, whose blocks of Unicode are alike. The characters behind `z`, and the
# one before `a`, are each script's own.
_DEVANAGARI: Final = 0x0900
_LAYOUT: Final = (
    "\u0901\u0902\u0903\u0905\u0906\u0907\u0908\u0909\u090a\u090b\n\u090c\u090d\r\u090e\u090f"
    "\u0910\u0911\u0912\u0913\u0914\u0915\u0916\u0917\u0918\u0919\u091a\x1b\u091b\u091c\u091d\u091e"
    " !\u091f\u0920\u0921\u0922\u0923\u0924)(\u0925\u0926,\u0927.\u0928"
    "0123456789:;\u0929\u092a\u092b?"
    "\u092c\u092d\u092e\u092f\u0930\u0931\u0932\u0933\u0934\u0935\u0936\u0937\u0938\u0939\u093c\u093d"
    "\u093e\u093f\u0940\u0941\u0942\u0943\u0944\u0945\u0946\u0947\u0948\u0949\u094a\u094b\u094c\u094d"
)
# The single shift tables of those scripts and of Urdu have this in common; each one's own characters fill the places.
_IN_COMMON: Final = MappingProxyType(
    dict(enumerate("@£$¥¿\"¤%&'\f*+"))
    | dict(enumerate("-/<=>¡^¡_#*", 0x0E))
    | {code: char for code, char in STANDARD.single.items() if code > 0x14}
    | {code: chr(code) for code in range(ord("A"), ord("Z") + 1)}
)
_PLACES: Final = (0x19, 0x1A, *range(0x1C, 0x28), *range(0x2A, 0x2F), *range(0x30, 0x3C), 0x3F)
_DANDAS: Final = "\u0964\u0965"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Script:
    """A script of India: where its block begins, which places of the layout it lacks, and what is its own.

    `last` are the character before `a` and those behind `z`, `shifted` fill the single shift table.
    """

    block: int
    lacks: str
    last: str
    shifted: str

    def tables(self) -> ShiftTables:
        lacking = bytes.fromhex(self.lacks)
        plain = "".join(self._char(char, lacking) for char in _LAYOUT)
        locking = f"{plain}{self.last[0]}abcdefghijklmnopqrstuvwxyz{self.last[1:]}"
        return ShiftTables(locking, _filled(self.shifted))

    def _char(self, char: str, lacking: bytes) -> str:
        offset = ord(char) - _DEVANAGARI
        if offset < 0:
            return char
        return _NONE if offset in lacking else chr(self.block + offset)


def _filled(own: str) -> Mapping[int, str]:
    return _IN_COMMON | {code: char for code, char in zip(_PLACES, own, strict=False) if char != " "}


def _digits(zero: int) -> str:
    return "".join(chr(zero + digit) for digit in range(10))


# By identifier, as §6.2.1.2.4 numbers them.
_SCRIPTS: Final = MappingProxyType(
    {
        4: _Script(  # Bengali, annex A.2.4 and A.3.4
            block=0x0980,
            lacks="0d0e111229313334354546494a",
            last="\u09ce\u09d7\u09dc\u09dd\u09f0\u09f1",
            shifted=_digits(0x09E6)
            + "\u09df\u09e0\u09e1\u09e2\u09e3\u09f2\u09f3\u09f4\u09f5\u09f6\u09f7\u09f8\u09f9\u09fa",
        ),
        5: _Script(  # Gujarati, annex A.2.5 and A.3.5
            block=0x0A80,
            lacks="0e12293134464a",
            last="\u0ad0\u0ae0\u0ae1\u0ae2\u0ae3\u0af1",
            shifted=_DANDAS + _digits(0x0AE6),
        ),
        6: _Script(  # Hindi, annex A.2.6 and A.3.6
            block=_DEVANAGARI,
            lacks="",
            last="\u0950\u0972\u097b\u097c\u097e\u097f",
            shifted=_DANDAS
            + _digits(0x0966)
            + "\u0951\u0952\u0953\u0954\u0958\u0959\u095a\u095b\u095c\u095d\u095e\u095f"
            + "\u0960\u0961\u0962\u0963\u0970\u0971",
        ),
        7: _Script(  # Kannada, annex A.2.7 and A.3.7
            block=0x0C80,
            lacks="010d1129344549",
            last="\u0cd5\u0cd6\u0ce0\u0ce1\u0ce2\u0ce3",
            shifted=_DANDAS + _digits(0x0CE6) + "\u0cde\u0cf1\u0cf2",
        ),
        8: _Script(  # Malayalam, annex A.2.8 and A.3.8
            block=0x0D00,
            lacks="010d11293c4549",
            last="\u0d57\u0d60\u0d61\u0d62\u0d63\u0d79",
            shifted=_DANDAS
            + _digits(0x0D66)
            + "\u0d70\u0d71\u0d72\u0d73\u0d74\u0d75\u0d7a\u0d7b\u0d7c\u0d7d\u0d7e\u0d7f",
        ),
        9: _Script(  # Oriya, annex A.2.9 and A.3.9
            block=0x0B00,
            lacks="0d0e11122931344546494a",
            last="\u0b56\u0b57\u0b60\u0b61\u0b62\u0b63",
            shifted=_DANDAS + _digits(0x0B66) + "\u0b5c\u0b5d\u0b5f\u0b70\u0b71",
        ),
        10: _Script(  # Punjabi, annex A.2.10 and A.3.10
            block=0x0A00,
            lacks="0b0c0d0e1112293134373d43444546494a",
            last="\u0a51\u0a70\u0a71\u0a72\u0a73\u0a74",
            shifted=_DANDAS + _digits(0x0A66) + "\u0a59\u0a5a\u0a5b\u0a5c\u0a5e\u0a75",
        ),
        11: _Script(  # Tamil, annex A.2.11 and A.3.11
            block=0x0B80,
            lacks="010b0c0d111617181b1d2021222526272b2c2d3c3d43444549",
            last="\u0bd0\u0bd7\u0bf0\u0bf1\u0bf2\u0bf9",
            shifted=_DANDAS + _digits(0x0BE6) + "\u0bf3\u0bf4\u0bf5\u0bf6\u0bf7\u0bf8\u0bfa",
        ),
        12: _Script(  # Telugu, annex A.2.12 and A.3.12
            block=0x0C00,
            lacks="0d1129343c4549",
            last="\u0c55\u0c56\u0c60\u0c61\u0c62\u0c63",
            shifted="  " + _digits(0x0C66) + "\u0c58\u0c59\u0c78\u0c79\u0c7a\u0c7b\u0c7c\u0c7d\u0c7e\u0c7f",
        ),
    }
)
_PORTUGUESE: Final = (
    "@£$¥êéúíóç\nÔô\rÁá\u0394_ªÇÀ\u221e^\\€Ó|\x1bÂâÊÉ !\"#º%&'()*+,-./0123456789:;<=>?"
    "ÍABCDEFGHIJKLMNOPQRSTUVWXYZÃÕÚÜ§~abcdefghijklmnopqrstuvwxyzãõ`üà"
)
_URDU: Final = (
    "\u0627\u0622\u0628\u067b\u0680\u067e\u06a6\u062a\u06c2\u067f\n\u0679\u067d\r\u067a\u067c"
    "\u062b\u062c\u0681\u0684\u0683\u0685\u0686\u0687\u062d\u062e\u062f\x1b\u068c\u0688\u0689\u068a"
    " !\u068f\u068d\u0630\u0631\u0691\u0693)(\u0699\u0632,\u0696.\u0698"
    "0123456789:;\u069a\u0633\u0634?"
    "\u0635\u0636\u0637\u0638\u0639\u0641\u0642\u06a9\u06aa\u06ab\u06af\u06b3\u06b1\u0644\u0645\u0646"
    "\u06ba\u06bb\u06bc\u0648\u06c4\u06d5\u06c1\u06be\u0621\u06cc\u06d0\u06d2\u064d\u0650\u064f\u0657"
    "\u0654abcdefghijklmnopqrstuvwxyz\u0655\u0651\u0653\u0656\u0670"
)
_URDU_SHIFTED: Final = (
    "\u0600\u0601"
    + _digits(0x06F0)
    + "\u060c\u060d\u060e\u060f\u0610\u0611\u0612\u0613\u0614"
    + "\u061b\u061f\u0640\u0652\u0658\u066b\u066c\u0672\u0673\u06cd\u06d4"
)


def _with(places: Iterable[tuple[int, str]]) -> Mapping[int, str]:
    return {**STANDARD.single, **dict(places)}


def _replaced(places: Mapping[int, str]) -> str:
    return "".join(places.get(code, char) for code, char in enumerate(STANDARD.locking))


_LATIN: Final = MappingProxyType(
    {
        1: ShiftTables(  # Turkish, annex A.2.1 and A.3.1
            _replaced({0x04: "€", 0x07: "\u0131", 0x0B: "Ğ", 0x0C: "ğ", 0x1C: "Ş", 0x1D: "ş", 0x40: "İ", 0x60: "ç"}),
            _with(zip((0x47, 0x49, 0x53, 0x63, 0x67, 0x69, 0x73), "Ğİ\u015eçğ\u0131\u015f", strict=True)),
        ),
        2: ShiftTables(  # Spanish, annex A.2.2; it has no locking table
            STANDARD.locking,
            _with(zip((0x09, 0x41, 0x49, 0x4F, 0x55, 0x61, 0x69, 0x6F, 0x75), "çÁÍÓÚáíóú", strict=True)),
        ),
        3: ShiftTables(  # Portuguese, annex A.2.3 and A.3.3
            _PORTUGUESE,
            _with(
                [
                    (0x05, "ê"),
                    *zip((0x09, 0x0B, 0x0C, 0x0E, 0x0F), "çÔôÁá", strict=True),
                    *zip((0x12, 0x13, *range(0x15, 0x1A)), "\u03a6\u0393\u03a9\u03a0\u03a8\u03a3\u0398", strict=True),
                    *zip((0x1F, 0x41, 0x49, 0x4F, 0x55, 0x5B, 0x5C), "ÊÀÍÓÚÃÕ", strict=True),
                    *zip((0x61, 0x69, 0x6F, 0x75, 0x7B, 0x7C, 0x7F), "Âíóúãõâ", strict=True),
                ]
            ),
        ),
        13: ShiftTables(_URDU, _filled(_URDU_SHIFTED)),  # annex A.2.13 and A.3.13
    }
)


@cache
def _language(identifier: int) -> ShiftTables:
    script = _SCRIPTS.get(identifier)
    return script.tables() if script is not None else _LATIN.get(identifier, STANDARD)


def national_tables(locking: int, single: int) -> ShiftTables:
    """Return the tables that two language identifiers choose; 0, and one that is not known, is the default's."""
    if not locking and not single:
        return STANDARD
    return ShiftTables(_language(locking).locking, _language(single).single)


def languages_of(shifts: Shifts) -> str:
    """Return the languages of a text's tables, such as `turkish`; empty for the default alphabet."""
    by_identifier = {language.identifier: language.value for language in NationalLanguage}
    return ", ".join(dict.fromkeys(by_identifier[one] for one in shifts if one))


_ESCAPE: Final = 0x1B
_LOCKING_SHIFT: Final = 0x25
_SINGLE_SHIFT: Final = 0x24


@cache
def shift_elements(shifts: Shifts) -> bytes:
    """Return the information elements that name a text's tables, for its header."""
    elements = ((_SINGLE_SHIFT, shifts.single), (_LOCKING_SHIFT, shifts.locking))
    return b"".join(bytes((element, 1, identifier)) for element, identifier in elements if identifier)


def without_shifts(udh: bytes, shifts: Shifts) -> bytes:
    """Return a header that ends with these tables' elements without them, empty if it has no others."""
    elements = udh[1:].removesuffix(shift_elements(shifts))
    return bytes((len(elements),)) + elements if elements else b""


@cache
def _septets_of(shifts: Shifts) -> dict[int, bytes]:
    tables = national_tables(*shifts)
    shifted = {ord(char): bytes((_ESCAPE, code)) for code, char in tables.single.items() if char != _NONE}
    plain = {ord(char): bytes((code,)) for code, char in enumerate(tables.locking) if code != _ESCAPE and char != _NONE}
    return shifted | plain


@cache
def characters_of(shifts: Shifts) -> frozenset[str]:
    """Return the characters that tables have; CR is none, since phones show it in several ways."""
    return frozenset(map(chr, _septets_of(shifts))) - {"\r"}


def encode_national(text: str, shifts: Shifts) -> bytes:
    """Return the septets of a text, one per octet; raises UnicodeEncodeError for a character that its tables lack."""
    return codecs.charmap_encode(text, "strict", _septets_of(shifts))[0]
