"""The two alphabets of SMS and the four answers to characters that GSM-7 lacks.

Not here: how a text is cut into parts, nor grapheme clusters (parts), which the functions here take as given.
Standard: 3GPP TS 23.038 §6.2.1 and §6.2.1.1 (GSM 7 bit default alphabet and its extension table), §6.2.3 (UCS-2).

A septet stands in an octet of its own, as SMPP carries it; a character of the extension table is two of them.
UCS-2 is UTF-16BE in fact: a character beyond U+FFFF is a surrogate pair of two units.

What is done whatever the answer, since nobody sees a difference: every kind of line end becomes LF, without record;
tabs become blanks and control characters vanish, with record. For GSM-7 also: a decomposed character becomes its
composed form, without record; invisible characters (zero-width, soft hyphens, marks of direction) vanish, with record.
"""

import codecs
import re
import sys
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from anyascii import anyascii

from sms.message import Replacement
from sms.outcome import Refusal, Refused
from sms.settings import Unencodable

_ESCAPE: Final = 0x1B

# 3GPP TS 23.038 §6.2.1: the index is the septet. 0x1B escapes to the extension table.
_BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)

# 3GPP TS 23.038 §6.2.1.1: what follows the escape. 0x0A is the page break.
_EXTENSION: Final = MappingProxyType(
    {
        0x0A: "\f",
        0x14: "^",
        0x28: "{",
        0x29: "}",
        0x2F: "\\",
        0x3C: "[",
        0x3D: "~",
        0x3E: "]",
        0x40: "|",
        0x65: "€",
    }
)

# A dict, not a view: the codec's fast path asks for one.
_SEPTETS: Final[dict[int, bytes]] = {
    ord(char): bytes((septet,)) for septet, char in enumerate(_BASIC) if septet != _ESCAPE
} | {ord(char): bytes((_ESCAPE, septet)) for septet, char in _EXTENSION.items()}

# For ASCII alone translation is five times as fast. DEL marks what it cannot do: no ASCII character has that septet.
_NOT_TRANSLATED: Final = "\x7f"
_ASCII_TO_SEPTET: Final = "".join(
    chr(_SEPTETS[code][0]) if len(_SEPTETS.get(code, b"")) == 1 else _NOT_TRANSLATED for code in range(128)
)

_ESCAPED: Final = re.compile(rb"\x1b([\x00-\xff]?)")


def encode_gsm7(text: str) -> bytes | None:
    """Return the septets of a text, one per octet, None if GSM-7 lacks one of its characters."""
    if text.isascii():
        translated = text.translate(_ASCII_TO_SEPTET)
        if _NOT_TRANSLATED not in translated:
            return translated.encode("ascii")
    try:
        return codecs.charmap_encode(text, "strict", _SEPTETS)[0]
    except UnicodeEncodeError:
        return None


def decode_gsm7(septets: bytes) -> str:
    """Return the text of septets, one per octet; an octet above 0x7F becomes U+FFFD.

    An escape with a code that the extension table does not have means that code's basic character, and an escape
    twice or at the end a blank (3GPP TS 23.038 §6.2.1.1).
    """
    pieces: list[str] = []
    end = 0
    for pair in _ESCAPED.finditer(septets):
        pieces += (_decode_basic(septets[end : pair.start()]), _decode_escaped(pair[1]))
        end = pair.end()
    return "".join((*pieces, _decode_basic(septets[end:])))


def _decode_basic(septets: bytes) -> str:
    return codecs.charmap_decode(septets, "replace", _BASIC)[0]


def _decode_escaped(code: bytes) -> str:
    if not code or code[0] == _ESCAPE:
        return " "
    return _EXTENSION.get(code[0]) or _decode_basic(code)


def septet_length(text: str) -> int | None:
    """Return how many septets a text takes, None if GSM-7 lacks one of its characters."""
    septets = encode_gsm7(text)
    return None if septets is None else len(septets)


def encode_ucs2(text: str) -> bytes:
    """Return a text as UTF-16BE; a lone surrogate becomes U+FFFD."""
    try:
        return text.encode("utf-16-be")
    except UnicodeEncodeError:
        return "".join(_STAND_IN_UCS2 if _is_surrogate(char) else char for char in text).encode("utf-16-be")


def decode_ucs2(octets: bytes) -> str:
    """Return the text of UTF-16BE octets; what is broken becomes U+FFFD."""
    return octets.decode("utf-16-be", "replace")


def _is_surrogate(char: str) -> bool:
    return "\ud800" <= char <= "\udfff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A text that its alphabet can hold. `positions` says where in it each replacement begins, in code points."""

    text: str
    replaced: tuple[Replacement, ...] = ()
    positions: tuple[int, ...] = ()


_STAND_IN_GSM7: Final = "?"
_STAND_IN_UCS2: Final = "\ufffd"
_NAMED_IN_REFUSAL: Final = 3

_PLAIN: Final = frozenset({*_BASIC, *_EXTENSION.values()} - {"\r", "\x1b"})
_LINE_ENDS: Final = frozenset({"\r\n", "\r", "\v", "\x85", "\u2028", "\u2029"})
_LAYOUT: Final = MappingProxyType({**dict.fromkeys(_LINE_ENDS, "\n"), "\t": " "})
_ODD_IN_UCS2: Final = re.compile(r"\r\n|[\x00-\x09\x0b\x0d-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# Neither UTF-8 nor a database's text takes these; a record of them says U+FFFD.
_NOT_STORABLE: Final = MappingProxyType({0: _STAND_IN_UCS2, **dict.fromkeys(range(0xD800, 0xE000), _STAND_IN_UCS2)})


def fit_gsm7(clusters: Iterable[str], answer: Unencodable, *, reach: int = sys.maxsize) -> Fitted | Refused | None:
    """Return a text, given as its grapheme clusters, as GSM-7 can hold it; each cluster is replaced as a whole.

    Replacements that begin beyond `reach` in the new text are made and not recorded. None means that the answer is
    SWITCH and GSM-7 does not suffice. Refused (NOT_ENCODABLE) where the answer is REJECT, or where only stand-ins would
    remain, which nobody wants to pay for.
    """
    text = tuple(clusters)
    smart = answer is Unencodable.SMART
    chosen = {
        cluster: _substitute(cluster, smart) if len(cluster) <= _REMEMBERED_LENGTH else _choose(cluster, smart)
        for cluster in set(text)
    }
    if any(one.missing for one in chosen.values()):
        if answer is Unencodable.SWITCH:
            return None
        if answer is Unencodable.REJECT or not any(one.meaningful for one in chosen.values()):
            return _refuse(text, {cluster for cluster, one in chosen.items() if one.missing})
    fitting = _Fitting(reach)
    for cluster in text:
        if fitting.position > reach:
            break
        fitting.add(cluster, chosen[cluster].new, seen=chosen[cluster].seen)
    return fitting.fitted("".join([chosen[cluster].new for cluster in text]))


class _Substitute(NamedTuple):
    """What a cluster becomes; `missing` where GSM-7 lacks it, `seen` where a reader sees a difference."""

    new: str
    missing: bool = False
    meaningful: bool = False
    seen: bool = False


def _choose(cluster: str, smart: bool) -> _Substitute:  # noqa: FBT001 - a cache key
    if cluster in _PLAIN:
        return _Substitute(cluster, meaningful=_has_meaning(cluster))
    new = _fit_without_loss(cluster)
    missing = new is None
    if new is None and smart:
        new = _nearest_relative(cluster)
    meaningful = new is not None and _has_meaning(new)
    if new is None:
        new = _STAND_IN_GSM7 if smart else " "
    return _Substitute(new, missing, meaningful, _is_seen(cluster, new))


# Texts of a job say the same characters again and again; what is longer than this is made up, and would fill the cache.
_REMEMBERED_LENGTH: Final = 8
_substitute = lru_cache(maxsize=32768)(_choose)


def _is_seen(old: str, new: str) -> bool:
    """Tell whether a reader sees a difference."""
    return old not in _LINE_ENDS and unicodedata.normalize("NFC", old) != new


def fit_ucs2(text: str, *, reach: int = sys.maxsize) -> Fitted:
    """Return a text as UCS-2 can hold it: all but control characters and lone surrogates; `reach` as for `fit_gsm7`."""
    fitting = _Fitting(reach)
    pieces: list[str] = []
    end = 0
    for odd in _ODD_IN_UCS2.finditer(text):
        kept = text[end : odd.start()]
        fitting.keep(kept)
        stand_in = _STAND_IN_UCS2 if _is_surrogate(odd[0]) else ""
        new = _LAYOUT.get(odd[0], stand_in)
        fitting.add(odd[0], new, seen=_is_seen(odd[0], new))
        pieces += (kept, new)
        end = odd.end()
    return fitting.fitted("".join((*pieces, text[end:])))


class _Fitting:
    """Counts where we are in the old and in the new text, and records replacements up to `reach` in the new one."""

    def __init__(self, reach: int) -> None:
        self.position = 0
        self._index = 0
        self._reach = reach
        self._replaced: list[Replacement] = []
        self._positions: list[int] = []

    def keep(self, text: str) -> None:
        """Pass what stays as it is."""
        self._index += len(text)
        self.position += len(text)

    def add(self, old: str, new: str, *, seen: bool) -> None:
        """Pass what takes the place of `old`: a replacement where a reader sees a difference."""
        if seen and self.position <= self._reach:
            storable = old.translate(_NOT_STORABLE)
            self._replaced.append(Replacement(index=self._index, old=storable, new=new))
            self._positions.append(self.position)
        self._index += len(old)
        self.position += len(new)

    def fitted(self, text: str) -> Fitted:
        """Return the new text with what was recorded."""
        return Fitted(text=text, replaced=tuple(self._replaced), positions=tuple(self._positions))


def _has_meaning(text: str) -> bool:
    """Tell whether the text says something: a letter, a digit, a symbol such as €, more than blanks and punctuation."""
    return any(unicodedata.category(char)[0] in "LNS" for char in text)


def _fit_without_loss(cluster: str) -> str | None:
    """Return what GSM-7 can hold of the cluster if a reader misses nothing, None otherwise."""
    layout = _LAYOUT.get(cluster)
    if layout is not None:
        return layout
    visible = unicodedata.normalize("NFC", "".join(char for char in cluster if not _is_invisible(char)))
    return visible if _PLAIN.issuperset(visible) else None


def is_blank(text: str) -> bool:
    """Tell whether a text shows nothing: it is empty, or all blanks and invisible characters."""
    return all(char.isspace() or _is_invisible(char) for char in text)


def _is_invisible(char: str) -> bool:
    """Tell whether the character shows nothing itself: controls, formats, variation selectors."""
    if char in _PLAIN:
        return False
    return (
        unicodedata.category(char) in {"Cc", "Cf"}
        or "\ufe00" <= char <= "\ufe0f"
        or "\U000e0100" <= char <= "\U000e01ef"
    )


# Nearest relatives that are better known here than by decomposition or transliteration.
_RELATIVES: Final = MappingProxyType(
    {
        **dict.fromkeys("“”„‟«»″〝〞", '"'),
        **dict.fromkeys("‘’‚‛′´`ʹʼʻˈ", "'"),  # noqa: RUF001 - the look-alikes are the point
        **dict.fromkeys("‐‑‒–—―−•‣·∙●▪", "-"),  # noqa: RUF001 - as above
        "…": "...",
        "¨": '"',
        "¸": ",",  # noqa: RUF001 - as above
        "°": "o",
        "µ": "u",
        "₤": "£",
        "⁄": "/",  # noqa: RUF001 - as above
        # Greek capitals are in GSM-7 only where Latin has no look-alike; handsets show Greek in capitals since then.
        **dict(zip("αβγδεζηθικλμνξοπρστυφχψω", "ABΓΔEZHΘIKΛMNΞOΠPΣTYΦXΨΩ", strict=True)),
        **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧς", "ABEZHIKMNOPTYXΣ", strict=True)),
    }
)


def _nearest_relative(cluster: str) -> str | None:
    """Return the relatives of the cluster's characters, None where one of them has none, such as an emoji."""
    relatives = [_relative(char) for char in unicodedata.normalize("NFC", cluster)]
    known = [relative for relative in relatives if relative is not None]
    return "".join(known) if len(known) == len(relatives) and any(known) else None


@lru_cache(maxsize=4096)
def _relative(char: str) -> str | None:
    """Return the nearest relative of one character: own table, decomposition, transliteration; empty for marks."""
    if char in _PLAIN:
        return char
    if char in _RELATIVES:
        return _RELATIVES[char]
    category = unicodedata.category(char)
    if category == "Zs":
        return " "
    relative = _undecorated(char) or _transliterated(char)
    if relative:
        return relative
    return "" if category in {"Mn", "Me", "Cf", "Cc"} else None


def _undecorated(char: str) -> str:
    """Return the character's decomposition without its marks if GSM-7 has it, empty otherwise."""
    decomposed = unicodedata.normalize("NFKD", char)
    if decomposed.startswith(" "):  # a spacing accent is no blank
        return ""
    base = "".join(_RELATIVES.get(one, one) for one in decomposed if not unicodedata.combining(one))
    return base if _PLAIN.issuperset(base) else ""


def _transliterated(char: str) -> str:
    """Return the character in ASCII letters and signs if GSM-7 has them, empty otherwise."""
    relative = anyascii(char).replace("`", "'")
    is_name_of_emoji = len(relative) > 2 and relative.startswith(":") and relative.endswith(":")
    return relative if not is_name_of_emoji and _PLAIN.issuperset(relative) else ""


def _refuse(text: Sequence[str], lacking: Collection[str]) -> Refused:
    """Name the first clusters that GSM-7 lacks, in ASCII, with their characters counted from 1."""
    missing: list[str] = []
    count = index = 0
    for cluster in text:
        if cluster in lacking:
            count += 1
            if count <= _NAMED_IN_REFUSAL:
                missing.append(f"{_name(unicodedata.normalize('NFC', cluster))} (character {index + 1})")
        index += len(cluster)
    more = count - len(missing)
    others = f" and {more} more" if more else ""
    return Refused(
        refusal=Refusal.NOT_ENCODABLE,
        detail=f"The GSM-7 alphabet lacks {', '.join(missing)}{others}: change the text or send it in UCS-2.",
    )


def _name(cluster: str) -> str:
    lacking = next(char for char in cluster if char not in _PLAIN)
    return f"U+{ord(lacking):04X} {unicodedata.name(lacking, 'without name')}"
