"""The two alphabets of SMS, and what is done with characters that GSM-7, or the carrier's form of it, lacks.

Not here: the nearest relative of a character (relatives), splitting into parts and grapheme clusters (parts).
Standard: 3GPP TS 23.038 §6.2.1 and §6.2.1.1 (GSM 7 bit default alphabet and its extension table), §6.2.3 (UCS-2).

Each septet has its own octet, as in SMPP; a character of the extension table is two septets. UCS-2 is in fact UTF-16BE:
a character beyond U+FFFF is a surrogate pair of two units.

Some changes are always made, since nobody sees them: every kind of line end becomes LF, and a decomposed character its
composed form, both unrecorded; tabs become blanks and control characters are removed, both recorded. GSM-7 also loses
invisible characters (zero-width, soft hyphens, marks of direction), recorded.
"""

import codecs
import re
import sys
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from msgspec import Struct

from sms.message import Replacement
from sms.outcome import Refusal, Refused
from sms.relatives import nearest_relative
from sms.settings import Unencodable

_ESCAPE: Final = 0x1B

# 3GPP TS 23.038 §6.2.1: the index is the septet. 0x1B escapes to the extension table.
_BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)

# 3GPP TS 23.038 §6.2.1.1: the septet after the escape. 0x0A is the page break.
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

# Translation is ten times as fast, but only for ASCII. DEL marks the rest: no ASCII character has that septet.
_NOT_TRANSLATED: Final = 0x7F
_ASCII_TO_SEPTET: Final = bytes(
    _SEPTETS[code][0] if len(_SEPTETS.get(code, b"")) == 1 else _NOT_TRANSLATED for code in range(256)
)

_ESCAPED: Final = re.compile(rb"\x1b([\x00-\xff]?)")


class ShiftTables(NamedTuple):
    """What septets mean: the `locking` table, whose index is the septet, and the `single` one behind an escape."""

    locking: str
    single: Mapping[int, str]


STANDARD: Final = ShiftTables(_BASIC, _EXTENSION)
"""The default alphabet and its extension; national ones are in sms.national."""


def encode_gsm7(text: str) -> bytes | None:
    """Return the septets of a text, one per octet, None if GSM-7 lacks one of its characters."""
    if text.isascii():
        septets = text.encode("ascii").translate(_ASCII_TO_SEPTET)
        if _NOT_TRANSLATED not in septets:
            return septets
    try:
        return codecs.charmap_encode(text, "strict", _SEPTETS)[0]
    except UnicodeEncodeError:
        return None


def decode_gsm7(septets: bytes, tables: ShiftTables = STANDARD) -> str:
    """Return the text of septets, one per octet; an octet above 0x7F, or of no character, becomes U+FFFD.

    An escape before a code that the single shift table lacks means the locking table's character of that code; a double
    escape, or one at the end, means a blank (3GPP TS 23.038 §6.2.1.1).
    """
    pieces: list[str] = []
    end = 0
    for pair in _ESCAPED.finditer(septets):
        pieces += (_decode_plain(septets[end : pair.start()], tables), _decode_escaped(pair[1], tables))
        end = pair.end()
    return "".join((*pieces, _decode_plain(septets[end:], tables)))


def _decode_plain(septets: bytes, tables: ShiftTables) -> str:
    return codecs.charmap_decode(septets, "replace", tables.locking)[0]


def _decode_escaped(code: bytes, tables: ShiftTables) -> str:
    if not code or code[0] == _ESCAPE:
        return " "
    return tables.single.get(code[0]) or _decode_plain(code, tables)


def encode_ucs2(text: str) -> bytes:
    """Return a text as UTF-16BE; a lone surrogate becomes U+FFFD."""
    try:
        return text.encode("utf-16-be")
    except UnicodeEncodeError:
        return "".join(_STAND_IN_UCS2 if _is_surrogate(char) else char for char in text).encode("utf-16-be")


def decode_ucs2(octets: bytes) -> str:
    """Return the text of UTF-16BE octets; invalid octets become U+FFFD."""
    return octets.decode("utf-16-be", "replace")


def _is_surrogate(char: str) -> bool:
    return "\ud800" <= char <= "\udfff"


class Fitted(Struct, frozen=True, kw_only=True):
    """A text that its alphabet can hold. `positions` says where each replacement begins in it, in code points."""

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
# Neither UTF-8 nor a database can store these; the record says U+FFFD.
_NOT_STORABLE: Final = MappingProxyType({0: _STAND_IN_UCS2, **dict.fromkeys(range(0xD800, 0xE000), _STAND_IN_UCS2)})


NOTHING: Final[frozenset[str]] = frozenset()


def gsm7_without(codec: str) -> frozenset[str]:
    """Return the characters of GSM-7 that a codec lacks, such as €."""
    return frozenset(char for char in _PLAIN if not char.encode(codec, "ignore"))


def fit_gsm7(  # noqa: PLR0913 - what the choice depends on
    clusters: Iterable[str],
    answer: Unencodable,
    *,
    lacking: frozenset[str] = NOTHING,
    more: frozenset[str] = NOTHING,
    leave_out: bool = False,
    reach: int = sys.maxsize,
) -> Fitted | Refused | None:
    """Return a text, given as its grapheme clusters, in GSM-7 characters; each cluster is replaced as a whole.

    `lacking` are characters of GSM-7 that the carrier lacks, `more` those that national tables add. Replacements that
    begin beyond `reach` in the new text are made but not recorded. None means that the text should be sent in UCS-2:
    the answer is SWITCH and GSM-7 lacks a character; or it is AUTO and a character has no relative. With `leave_out`,
    AUTO drops emoji and symbols instead, if something remains. Refused (NOT_ENCODABLE) if the answer is REJECT, or if
    SMART or SIMPLE would leave only stand-ins: nobody wants to pay for those.
    """
    text = tuple(clusters)
    chosen = _choose_all(text, answer, lacking, more)
    numbers = _beside_digits(text, chosen, answer)
    is_meaningful = any(one.meaningful for one in chosen.values())
    if answer is Unencodable.AUTO:
        strange = {cluster for cluster, one in chosen.items() if one.strange}
        strange |= {text[index] for index, one in numbers.items() if one.strange}
        if strange and not (leave_out and is_meaningful and all(map(_is_symbol, strange))):
            return None
        if strange:
            text = tuple(_with_blanks(text, strange))
            chosen = _choose_all(text, answer, lacking, more)
            numbers = _beside_digits(text, chosen, answer)
    elif any(one.missing for one in chosen.values()):
        if answer is Unencodable.SWITCH:
            return None
        if answer is Unencodable.REJECT or not is_meaningful:
            return _refuse(text, {cluster for cluster, one in chosen.items() if one.missing}, lacking)
    fitting = _Fitting(reach)
    for index, cluster in enumerate(text):
        if fitting.position > reach:
            break
        one = numbers.get(index, chosen[cluster])
        fitting.add(cluster, one.new, seen=one.seen)
    return fitting.fitted("".join([numbers.get(index, chosen[cluster]).new for index, cluster in enumerate(text)]))


def find_strange(clusters: Iterable[str], answer: Unencodable) -> tuple[str, ...]:
    """Return the clusters that make a text leave GSM-7 under AUTO or SWITCH: each cluster once, in order."""
    text = tuple(clusters)
    chosen = _choose_all(text, answer, NOTHING, NOTHING)
    numbers = _beside_digits(text, chosen, answer)
    is_auto = answer is Unencodable.AUTO
    found = [
        cluster
        for index, cluster in enumerate(text)
        if (one := numbers.get(index, chosen[cluster])).strange or (one.missing and not is_auto)
    ]
    return tuple(dict.fromkeys(found))


class Became(StrEnum):
    """What replaced a character that the alphabet lacks."""

    RELATIVE = "relative"
    STAND_IN = "stand-in"
    BLANK = "blank"
    LEFT_OUT = "left-out"


def what_became(replaced: Replacement) -> Became:
    """Return what replaced a character: `?` is a relative only of other question marks."""
    if not replaced.new:
        return Became.LEFT_OUT
    if replaced.new.isspace() and not replaced.old.isspace():
        return Became.BLANK
    if replaced.new == _STAND_IN_GSM7:
        is_relative = nearest_relative(replaced.old, has=_PLAIN, same_script=False) == replaced.new
        return Became.RELATIVE if is_relative else Became.STAND_IN
    return Became.STAND_IN if replaced.new == _STAND_IN_UCS2 else Became.RELATIVE


class _Substitute(NamedTuple):
    """What replaces a cluster: `missing` in GSM-7, `strange` if nothing says the same, `seen` by a reader."""

    new: str
    missing: bool = False
    strange: bool = False
    meaningful: bool = False
    seen: bool = False


_STAND_INS: Final = MappingProxyType({Unencodable.SMART: _STAND_IN_GSM7, Unencodable.AUTO: ""})


def _choose(cluster: str, answer: Unencodable, lacking: frozenset[str], more: frozenset[str]) -> _Substitute:
    if cluster in more or (cluster in _PLAIN and cluster not in lacking):
        return _Substitute(cluster, meaningful=_has_meaning(cluster))
    has = (_PLAIN - lacking) | more
    new = _fit_without_loss(cluster, has)
    missing = new is None
    if new is None and answer in _STAND_INS:
        new = nearest_relative(cluster, has=has, same_script=answer is Unencodable.AUTO)
    strange = new is None
    meaningful = new is not None and _has_meaning(new)
    if new is None:
        new = _STAND_INS.get(answer, " ")
    return _Substitute(new, missing, strange, meaningful, _is_seen(cluster, new))


def _is_symbol(cluster: str) -> bool:
    """Return whether a cluster is an emoji, a symbol or a sign: no letter, no digit, and more than marks."""
    kinds = {unicodedata.category(char)[0] for char in cluster}
    return kinds.isdisjoint("LN") and kinds != {"M"}


# The texts of a job repeat the same characters; a longer cluster is no real one, and would fill the cache.
_REMEMBERED_LENGTH: Final = 8
_substitute = lru_cache(maxsize=32768)(_choose)


def _choose_all(
    text: Sequence[str], answer: Unencodable, lacking: frozenset[str], more: frozenset[str]
) -> dict[str, _Substitute]:
    return {
        cluster: (_substitute if len(cluster) <= _REMEMBERED_LENGTH else _choose)(cluster, answer, lacking, more)
        for cluster in set(text)
    }


def _beside_digits(
    text: Sequence[str], chosen: Mapping[str, _Substitute], answer: Unencodable
) -> dict[int, _Substitute]:
    """Return by index what replaces a number character beside a digit, which would be read as one number with it.

    A fraction such as ½ in 3½ is set apart; any other, such as ³ in 10³, has no relative: 103 means something else.
    """
    numbers = {cluster for cluster, one in chosen.items() if _ends_in_digit(one.new) and not cluster[0].isdecimal()}
    found: dict[int, _Substitute] = {}
    if not numbers:
        return found
    for index, cluster in enumerate(text):
        if cluster not in numbers:
            continue
        new = chosen[cluster].new
        behind = index > 0 and text[index - 1][-1].isdecimal() and new[0].isdecimal()
        before = index + 1 < len(text) and text[index + 1][0].isdecimal() and new[-1].isdecimal()
        if before or (behind and "/" not in new):
            found[index] = _Substitute(_STAND_INS.get(answer, " "), missing=True, strange=True, seen=True)
        elif behind:
            found[index] = _Substitute(f" {new}", missing=True, seen=True)
    return found


def _ends_in_digit(new: str) -> bool:
    """Return whether a text begins or ends with a digit."""
    return new[:1].isdecimal() or new[-1:].isdecimal()


def _with_blanks(text: Iterable[str], left_out: Collection[str]) -> Iterator[str]:
    """Yield the clusters; one that is left out takes the blanks behind it along if a blank or nothing precedes it."""
    held = ""
    at_blank = True
    for cluster in text:
        if held and at_blank and cluster == " ":
            held += cluster
            continue
        if held:
            yield held
        held = cluster if cluster in left_out else ""
        if not held:
            yield cluster
            at_blank = cluster.isspace()
    if held:
        yield held


def _is_seen(old: str, new: str) -> bool:
    """Return whether a reader sees a difference."""
    return old not in _LINE_ENDS and unicodedata.normalize("NFC", old) != new


def fit_ucs2(
    text: str, *, reach: int = sys.maxsize, clusters_of: Callable[[str], Iterable[str]] = lambda text: (text,)
) -> Fitted:
    """Return a text without what UCS-2 cannot hold: control characters, lone surrogates; `reach` as for `fit_gsm7`.

    `clusters_of` cuts a text into its grapheme clusters; each is composed if that makes it shorter.
    """
    fitting = _Fitting(reach)
    pieces: list[str] = []
    end = 0
    is_composed = unicodedata.is_normalized("NFC", text)

    def keep(old: str) -> None:
        new = old if is_composed else "".join(map(_composed, clusters_of(old)))
        fitting.keep(old, new)
        pieces.append(new)

    for odd in _ODD_IN_UCS2.finditer(text):
        keep(text[end : odd.start()])
        stand_in = _STAND_IN_UCS2 if _is_surrogate(odd[0]) else ""
        new = _LAYOUT.get(odd[0], stand_in)
        fitting.add(odd[0], new, seen=_is_seen(odd[0], new))
        pieces.append(new)
        end = odd.end()
    keep(text[end:])
    return fitting.fitted("".join(pieces))


def _composed(cluster: str) -> str:
    """Return the composed form, unless that is another character or longer (composition exclusions)."""
    composed = unicodedata.normalize("NFC", cluster)
    return composed if len(composed) < len(cluster) else cluster


class _Fitting:
    """Counts the positions in the old and in the new text, and records replacements up to `reach` in the new one."""

    def __init__(self, reach: int) -> None:
        self.position = 0
        self._index = 0
        self._reach = reach
        self._replaced: list[Replacement] = []
        self._positions: list[int] = []

    def keep(self, old: str, new: str) -> None:
        """Pass a cluster in which a reader sees no change."""
        self._index += len(old)
        self.position += len(new)

    def add(self, old: str, new: str, *, seen: bool) -> None:
        """Pass what replaces `old`, and record it if a reader sees a difference."""
        if seen and self.position <= self._reach:
            storable = old.translate(_NOT_STORABLE)
            self._replaced.append(Replacement(index=self._index, old=storable, new=new))
            self._positions.append(self.position)
        self._index += len(old)
        self.position += len(new)

    def fitted(self, text: str) -> Fitted:
        """Return the new text with its record."""
        return Fitted(text=text, replaced=tuple(self._replaced), positions=tuple(self._positions))


def _has_meaning(text: str) -> bool:
    """Return whether the text has meaning: a letter, a digit, a symbol such as €, not only blanks and punctuation."""
    return any(unicodedata.category(char)[0] in "LNS" for char in text)


def _fit_without_loss(cluster: str, has: frozenset[str]) -> str | None:
    """Return the cluster in the characters that there are if a reader misses nothing, None otherwise."""
    layout = _LAYOUT.get(cluster)
    if layout is not None:
        return layout
    visible = unicodedata.normalize("NFC", "".join(char for char in cluster if not _is_invisible(char)))
    return visible if has.issuperset(visible) else None


def is_blank(text: str) -> bool:
    """Return whether a text shows nothing: it is empty, or all blanks and invisible characters."""
    if text[:1].isalnum():  # as nearly all do
        return False
    return all(char.isspace() or _is_invisible(char) for char in text)


def _is_invisible(char: str) -> bool:
    """Return whether the character itself shows nothing: controls, formats, variation selectors."""
    if char in _PLAIN:
        return False
    return (
        unicodedata.category(char) in {"Cc", "Cf"}
        or "\ufe00" <= char <= "\ufe0f"
        or "\U000e0100" <= char <= "\U000e01ef"
    )


def _refuse(text: Sequence[str], missing: Collection[str], lacking: frozenset[str]) -> Refused:
    """Name the first missing clusters in ASCII, with their positions counted from 1."""
    named: list[str] = []
    count = index = 0
    for cluster in text:
        if cluster in missing:
            count += 1
            if count <= _NAMED_IN_REFUSAL:
                named.append(f"{_name(unicodedata.normalize('NFC', cluster), lacking)} (character {index + 1})")
        index += len(cluster)
    more = count - len(named)
    others = f" and {more} more" if more else ""
    whose = "GSM-7" if lacking.isdisjoint(missing) else "carrier's"
    return Refused(
        refusal=Refusal.NOT_ENCODABLE,
        detail=f"The {whose} alphabet lacks {', '.join(named)}{others}: change the text or send it in UCS-2.",
    )


def _name(cluster: str, lacking: frozenset[str]) -> str:
    char = next(char for char in cluster if char not in _PLAIN or char in lacking)
    return f"U+{ord(char):04X} {unicodedata.name(char, 'without name')}"
