"""Splits texts into the parts that are sent. The only user of `regex`, for grapheme clusters (UAX #29).

Not here: the alphabets and the replacing of characters (alphabet), counting references (store).
Standards: 3GPP TS 23.040 §9.2.3.24.1 and §9.2.3.24.8 (concatenation), 3GPP TS 23.038 §4 (alphabets).

| | alone | 8-bit reference | 16-bit reference |
| --- | --- | --- | --- |
| GSM-7, septets | 160 | 153 | 152 |
| with one national table | 155 | 149 | 148 |
| with two | 152 | 146 | 145 |
| UCS-2, units of 16 bits | 70 | 67 | 66 |
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cache, lru_cache
from itertools import accumulate, islice
from math import ceil
from typing import Final

from msgspec import Struct

from sms.alphabet import NOTHING, Fitted, encode_gsm7, encode_ucs2, fit_gsm7, fit_ucs2, is_blank
from sms.message import NO_SHIFTS, Alphabet, EncodedText, Header, NationalLanguage, Replacement, Shifts, TextPart
from sms.national import encode_national, shift_elements
from sms.national_choice import choose_tables
from sms.outcome import Refusal, Refused
from sms.settings import Unencodable

_USER_DATA: Final = 140
"""Octets of a TPDU, of which a header takes some (3GPP TS 23.040 §9.2.3.24)."""
_CONCATENATION, _WIDE_CONCATENATION = 5, 6
_HEADER_LENGTH: Final = 1

_MOST_PARTS: Final = 255
_MOST_IN_PART: Final = 160
"""Characters, whichever the alphabet."""
_ESCAPE: Final = 0x1B
_LEAST_ROOM: Final = 4
"""Octets of payload that hold any one character, whatever a network leaves out."""


def encode_text(  # noqa: PLR0913 - the contract: each is a setting of its own
    text: str,
    *,
    coding: Alphabet,
    unencodable: Unencodable,
    max_parts: int,
    wide_reference: bool = False,
    lacking: frozenset[str] = NOTHING,
    languages: Collection[NationalLanguage] = (),
    most_in_part: tuple[int, int] | None = None,
) -> EncodedText | Refused:
    """Return the text ready to send: encoded, split, and cut if it needs more than `max_parts` (1 to 255).

    `lacking` are the characters of GSM-7 that a carrier of the route lacks; they are treated as those that GSM-7 lacks.
    A text that GSM-7 cannot say as it is goes out in the national tables of one of `languages` if they say more of it.
    If AUTO would take UCS-2 only for emoji and symbols, and UCS-2 would be cut, they are left out and it takes GSM-7.
    No part ends inside an escape pair, a surrogate pair or a grapheme cluster, except a cluster longer than a whole
    part, which ends between code points. `text` and `cut` together are the text after replacement; `replaced` names
    only what is in `text`, with `index` in the text as given here. `wide_reference` leaves room for one of 16 bits.
    `most_in_part` are the septets and the units of UCS-2 that a part alone may have where a network takes fewer.
    Refusals: NO_TEXT for blank text, NOT_ENCODABLE.
    """
    if not 1 <= max_parts <= _MOST_PARTS:
        message = f"max_parts is {max_parts}, not 1 to {_MOST_PARTS}"
        raise ValueError(message)
    reach = _MOST_IN_PART * max_parts
    chosen = _choose_alphabet(text, coding, unencodable, lacking, reach=reach)
    if languages and coding is Alphabet.GSM7 and not _is_said(chosen):
        national = _choose_national(text, unencodable, languages, chosen, reach=reach, wide=wide_reference)
        if national is not None:
            return _split(national, max_parts, most_in_part, wide=wide_reference)
    if isinstance(chosen, Refused):
        return chosen
    encoded = _split(chosen, max_parts, most_in_part, wide=wide_reference)
    is_as_asked = chosen.alphabet is coding or unencodable is not Unencodable.AUTO
    if is_as_asked or isinstance(encoded, Refused) or not encoded.cut:
        return encoded
    fitted = fit_gsm7(graphemes(text), unencodable, lacking=lacking, leave_out=True, reach=reach)
    if not isinstance(fitted, Fitted):
        return encoded
    chosen = _Chosen(Alphabet.GSM7, fitted, encode_gsm7(fitted.text) or b"")
    return _split(chosen, max_parts, most_in_part, wide=wide_reference)


def encode_divided(text: str, header: Header, coding: Alphabet) -> EncodedText | Refused:
    """Return a part of a text that its sender divided, as it is. Refusals: NOT_ENCODABLE, TOO_MANY_PARTS.

    It may be blank: the last part of a text often is.
    """
    if coding is Alphabet.GSM7 and header.shifts == NO_SHIFTS and encode_gsm7(text) is None:
        return Refused(refusal=Refusal.NOT_ENCODABLE, detail="GSM-7 lacks a character of a part")
    payload = payload_of(text, coding, header.shifts)
    if len(payload) > room_beside(len(header.octets), coding):
        return Refused(refusal=Refusal.TOO_MANY_PARTS, detail="a part is longer than its header leaves room for")
    return EncodedText(text=text, alphabet=coding, lengths=(len(text),), shifts=header.shifts, udh=header.octets)


class _Chosen(Struct, frozen=True):
    """A text that fits its alphabet, with its octets."""

    alphabet: Alphabet
    fitted: Fitted
    payload: bytes
    shifts: Shifts = NO_SHIFTS


def _is_said(chosen: _Chosen | Refused) -> bool:
    """Return whether the default alphabet says a text as it is."""
    return isinstance(chosen, _Chosen) and chosen.alphabet is Alphabet.GSM7 and not chosen.fitted.replaced


def _choose_national(  # noqa: PLR0913 - what the choice depends on
    text: str,
    unencodable: Unencodable,
    languages: Collection[NationalLanguage],
    chosen: _Chosen | Refused,
    *,
    reach: int,
    wide: bool,
) -> _Chosen | None:
    in_gsm7 = isinstance(chosen, _Chosen) and chosen.alphabet is Alphabet.GSM7
    replaced = len(chosen.fitted.replaced) if in_gsm7 and isinstance(chosen, _Chosen) else None

    def cost_of(fitted: str, shifts: Shifts) -> tuple[int, int]:
        septets = len(encode_national(fitted, shifts))
        if septets <= _room(Alphabet.GSM7, shifts):
            return 1, septets
        return ceil(septets / _room(Alphabet.GSM7, shifts, joined=True, wide=wide)), septets

    found = choose_tables(graphemes(text), unencodable, languages, replaced=replaced, reach=reach, cost_of=cost_of)
    if found is None:
        return None
    fitted, shifts = found
    return _Chosen(Alphabet.GSM7, fitted, encode_national(fitted.text, shifts), shifts)


@lru_cache(256)
def _rooms(alphabet: Alphabet, shifts: Shifts, most_in_part: tuple[int, int] | None, *, wide: bool) -> tuple[int, int]:
    """Return the octets of payload of a part alone, and of one of several, in a network that may take fewer."""
    missing = 0 if most_in_part is None else _missing_room(alphabet, most_in_part)
    alone, joined = _room(alphabet, shifts), _room(alphabet, shifts, joined=True, wide=wide)
    return max(alone - missing, _LEAST_ROOM), max(joined - missing, _LEAST_ROOM)


@cache
def _room(alphabet: Alphabet, shifts: Shifts, *, joined: bool = False, wide: bool = False) -> int:
    """Return the octets of payload of a part: septets of GSM-7, each in an octet of its own, or those of UCS-2."""
    header = len(shift_elements(shifts)) + ((_WIDE_CONCATENATION if wide else _CONCATENATION) if joined else 0)
    return room_beside(header + _HEADER_LENGTH if header else 0, alphabet)


def room_beside(udh: int, alphabet: Alphabet) -> int:
    """Return the room beside a user data header of so many octets: septets of GSM-7, or octets of UCS-2."""
    left = _USER_DATA - udh
    return left * 8 // 7 if alphabet is Alphabet.GSM7 else left // 2 * 2


def _split(
    chosen: _Chosen, max_parts: int, most_in_part: tuple[int, int] | None, *, wide: bool
) -> EncodedText | Refused:
    """Return a text that fits its alphabet, cut and split."""
    alphabet, fitted, payload, shifts = chosen.alphabet, chosen.fitted, chosen.payload, chosen.shifts
    text = fitted.text
    if is_blank(text):
        return Refused(refusal=Refusal.NO_TEXT, detail="There is no text to send.")
    alone, joined = _rooms(alphabet, shifts, most_in_part, wide=wide)
    if len(payload) <= alone:
        return EncodedText(text=text, alphabet=alphabet, lengths=(len(text),), replaced=fitted.replaced, shifts=shifts)
    limit = alone if max_parts == 1 else joined
    split: Iterable[int]
    if shifts != NO_SHIFTS:
        split = _split_clusters(text, limit, lambda piece: len(encode_national(piece, shifts)))
    elif alphabet is Alphabet.GSM7:
        split = _split_gsm7(payload, limit)
    else:
        split = _split_clusters(text, limit, _octet_length)
    lengths = tuple(islice(split, max_parts))
    end = sum(lengths)
    return EncodedText(
        text=text[:end],
        alphabet=alphabet,
        lengths=lengths,
        wide=wide and len(lengths) > 1,
        replaced=_replaced_within(fitted, end),
        cut=text[end:],
        shifts=shifts,
    )


def _missing_room(alphabet: Alphabet, most_in_part: tuple[int, int]) -> int:
    """Return the octets of payload that a network leaves out of each part, which takes fewer septets or units."""
    septets, units = most_in_part
    if alphabet is Alphabet.GSM7:
        return max(_room(Alphabet.GSM7, NO_SHIFTS) - septets, 0)
    return max(_room(Alphabet.UCS2, NO_SHIFTS) - 2 * units, 0)


def encoded_parts(encoded: EncodedText, reference: int = 0) -> list[TextPart]:
    """Return the parts of a text under a reference of 16 bits."""
    return parts_again(
        encoded.text,
        encoded.alphabet,
        encoded.lengths,
        reference,
        wide=encoded.wide,
        shifts=encoded.shifts,
        udh=encoded.udh,
    )


def parts_again(  # noqa: PLR0913 - what a text is split by
    text: str,
    alphabet: Alphabet,
    lengths: Sequence[int],
    reference: int,
    *,
    wide: bool,
    shifts: Shifts = NO_SHIFTS,
    udh: bytes = b"",
) -> list[TextPart]:
    """Return the parts that a text was split into, pieces of so many characters each, under a reference of 16 bits.

    The reference is that of a counter: a header that is not wide has its lower 8 bits. One part alone has none, but for
    the header `udh` that its sender gave it.
    """
    shifting = shift_elements(shifts)
    if len(lengths) == 1:
        return [TextPart(text=text, udh=udh or _header(shifting), payload=payload_of(text, alphabet, shifts))]
    joining = _joining_elements(len(lengths), reference if wide else reference & 0xFF, wide=wide)
    return [
        TextPart(text=piece, udh=_header(element + shifting), payload=payload_of(piece, alphabet, shifts))
        for piece, element in zip(cut_text(text, lengths), joining, strict=True)
    ]


def cut_text(text: str, lengths: Sequence[int]) -> list[str]:
    """Return the pieces of a text that have so many characters each."""
    return [text[end - length : end] for length, end in zip(lengths, accumulate(lengths), strict=True)]


def payload_of(text: str, alphabet: Alphabet, shifts: Shifts = NO_SHIFTS) -> bytes:
    """Return a text that fits its alphabet as octets: septets one per octet, or UTF-16BE."""
    if shifts != NO_SHIFTS:
        return encode_national(text, shifts)
    return encode_ucs2(text) if alphabet is Alphabet.UCS2 else encode_gsm7(text) or b""


def narrow_header(udh: bytes) -> bytes:
    """Return a header that begins with a 16-bit reference with one of 8 bits; others unchanged."""
    if udh[1:3] != b"\x08\x04":
        return udh
    return bytes((udh[0] - 1, 0, 3)) + udh[4:]


def graphemes(text: str) -> list[str]:
    """Return the extended grapheme clusters of a text (UAX #29): what a reader sees as one character."""
    return _clusters_of()(text)


@cache
def _clusters_of() -> Callable[[str], list[str]]:
    import regex  # noqa: PLC0415  (50 ms, and most texts are never cut)

    return regex.compile(r"\X").findall


def _choose_alphabet(
    text: str, coding: Alphabet, unencodable: Unencodable, lacking: frozenset[str], *, reach: int
) -> _Chosen | Refused:
    """Return the alphabet, the text fitted to it, and its octets; replacements are recorded up to `reach`."""
    if coding is Alphabet.GSM7:
        # Most texts are in GSM-7 unchanged; so is a CR, but line ends become LF.
        septets = None if "\r" in text else encode_gsm7(text)
        if septets is not None and (not lacking or lacking.isdisjoint(text)):
            return _Chosen(Alphabet.GSM7, Fitted(text=text), septets)
        fitted = fit_gsm7(graphemes(text), unencodable, lacking=lacking, reach=reach)
        if isinstance(fitted, Refused):
            return fitted
        if fitted is not None:
            return _Chosen(Alphabet.GSM7, fitted, encode_gsm7(fitted.text) or b"")
    fitted = fit_ucs2(text, reach=reach, clusters_of=graphemes)
    return _Chosen(Alphabet.UCS2, fitted, encode_ucs2(fitted.text))


def _header(elements: bytes) -> bytes:
    """Return a UDH with these information elements, empty without any (3GPP TS 23.040 §9.2.3.24)."""
    return bytes((len(elements),)) + elements if elements else b""


def _joining_elements(total: int, reference: int, *, wide: bool) -> list[bytes]:
    """Return the information element of each of `total` parts that joins them."""
    # 3GPP TS 23.040 §9.2.3.24.8, §9.2.3.24.1: element, its length, reference, total, sequence
    begin = b"\x08\x04" + reference.to_bytes(2, "big") if wide else bytes((0, 3, reference))
    return [begin + bytes((total, sequence)) for sequence in range(1, total + 1)]


def _replaced_within(fitted: Fitted, length: int) -> tuple[Replacement, ...]:
    if not fitted.replaced or length == len(fitted.text):
        return fitted.replaced
    return tuple(one for one, position in zip(fitted.replaced, fitted.positions, strict=True) if position < length)


def _split_gsm7(septets: bytes, limit: int) -> Iterable[int]:
    """Return the characters of pieces of at most `limit` septets; each is a cluster, so only escapes matter."""
    if _ESCAPE in septets:
        return _split_escaped(septets, limit)
    full, rest = divmod(len(septets), limit)
    return [limit] * full + [rest] * (rest > 0)


def _split_escaped(septets: bytes, limit: int) -> Iterator[int]:
    start = 0
    while start < len(septets):
        end = start + limit
        if end < len(septets) and septets[end - 1] == _ESCAPE:
            end -= 1
        piece = septets[start:end]
        yield len(piece) - piece.count(_ESCAPE)
        start = end


def _split_clusters(text: str, limit: int, length_of: Callable[[str], int]) -> Iterator[int]:
    """Yield the characters of pieces of at most `limit` octets, which end at the borders of clusters."""
    octets = characters = 0
    for atom in _atoms(text, limit, length_of):
        length = length_of(atom)
        if octets + length > limit:
            yield characters
            octets = characters = 0
        octets += length
        characters += len(atom)
    yield characters


def _atoms(text: str, limit: int, length_of: Callable[[str], int]) -> Iterator[str]:
    """Yield what must stay together: clusters, or the code points of a cluster that no part can hold."""
    for cluster in graphemes(text):
        if length_of(cluster) > limit:
            yield from cluster
        else:
            yield cluster


def _octet_length(text: str) -> int:
    return len(text.encode("utf-16-be"))
