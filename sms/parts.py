"""Splits texts into the parts that are sent. The only user of `regex`, for grapheme clusters (UAX #29).

Not here: the alphabets and the replacing of characters (alphabet), counting references (store).
Standards: 3GPP TS 23.040 §9.2.3.24.1 and §9.2.3.24.8 (concatenation), 3GPP TS 23.038 §4 (alphabets).

| | alone | 8-bit reference | 16-bit reference |
| --- | --- | --- | --- |
| GSM-7, septets | 160 | 153 | 152 |
| UCS-2, units of 16 bits | 70 | 67 | 66 |
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import accumulate, islice
from types import MappingProxyType
from typing import Final

from sms.alphabet import NOTHING, Fitted, encode_gsm7, encode_ucs2, fit_gsm7, fit_ucs2, is_blank
from sms.message import Alphabet, EncodedText, Replacement, TextPart
from sms.outcome import Refusal, Refused
from sms.settings import Unencodable

# Octets of payload. A TPDU holds 140 octets of user data, of which the UDH takes 6 or 7: 7 or 8 septets with their
# fill bits, or 3 or 4 units (3GPP TS 23.040 §9.2.3.24).
_ALONE: Final = MappingProxyType({Alphabet.GSM7: 160, Alphabet.UCS2: 140})
_IN_PART: Final = MappingProxyType({Alphabet.GSM7: 153, Alphabet.UCS2: 134})
_IN_WIDE_PART: Final = MappingProxyType({Alphabet.GSM7: 152, Alphabet.UCS2: 132})

_MOST_PARTS: Final = 255
_MOST_IN_PART: Final = 160
"""Characters, whichever the alphabet."""
_ESCAPE: Final = 0x1B


def encode_text(  # noqa: PLR0913 - the contract: each is a setting of its own
    text: str,
    *,
    coding: Alphabet,
    unencodable: Unencodable,
    max_parts: int,
    wide_reference: bool = False,
    lacking: frozenset[str] = NOTHING,
) -> EncodedText | Refused:
    """Return the text ready to send: encoded, split, and cut if it needs more than `max_parts` (1 to 255).

    `lacking` are the characters of GSM-7 that a carrier of the route lacks; they are treated as those that GSM-7 lacks.
    If AUTO would take UCS-2 only for emoji and symbols, and UCS-2 would be cut, they are left out and it takes GSM-7.
    No part ends inside an escape pair, a surrogate pair or a grapheme cluster, except a cluster longer than a whole
    part, which ends between code points. `text` and `cut` together are the text after replacement; `replaced` names
    only what is in `text`, with `index` in the text as given here. `wide_reference` leaves room for one of 16 bits.
    Refusals: NO_TEXT for blank text, NOT_ENCODABLE.
    """
    if not 1 <= max_parts <= _MOST_PARTS:
        message = f"max_parts is {max_parts}, not 1 to {_MOST_PARTS}"
        raise ValueError(message)
    reach = _MOST_IN_PART * max_parts
    chosen = _choose_alphabet(text, coding, unencodable, lacking, reach=reach)
    if isinstance(chosen, Refused):
        return chosen
    encoded = _split(chosen, max_parts, wide=wide_reference)
    if chosen[0] is coding or unencodable is not Unencodable.AUTO or isinstance(encoded, Refused) or not encoded.cut:
        return encoded
    fitted = fit_gsm7(graphemes(text), unencodable, lacking=lacking, leave_out=True, reach=reach)
    if not isinstance(fitted, Fitted):
        return encoded
    return _split((Alphabet.GSM7, fitted, encode_gsm7(fitted.text) or b""), max_parts, wide=wide_reference)


_Chosen = tuple[Alphabet, Fitted, bytes]


def _split(chosen: _Chosen, max_parts: int, *, wide: bool) -> EncodedText | Refused:
    """Return a text that fits its alphabet, cut and split."""
    alphabet, fitted, payload = chosen
    text = fitted.text
    if is_blank(text):
        return Refused(refusal=Refusal.NO_TEXT, detail="There is no text to send.")
    if len(payload) <= _ALONE[alphabet]:
        return EncodedText(text=text, alphabet=alphabet, lengths=(len(text),), replaced=fitted.replaced)
    limit = (_ALONE if max_parts == 1 else _IN_WIDE_PART if wide else _IN_PART)[alphabet]
    split = _split_gsm7(payload, limit) if alphabet is Alphabet.GSM7 else _split_ucs2(text, limit)
    lengths = tuple(islice(split, max_parts))
    end = sum(lengths)
    return EncodedText(
        text=text[:end],
        alphabet=alphabet,
        lengths=lengths,
        wide=wide and len(lengths) > 1,
        replaced=_replaced_within(fitted, end),
        cut=text[end:],
    )


def encoded_parts(encoded: EncodedText, reference: int = 0) -> list[TextPart]:
    """Return the parts of a text under a reference of 16 bits."""
    return parts_again(encoded.text, encoded.alphabet, encoded.lengths, reference, wide=encoded.wide)


def parts_again(text: str, alphabet: Alphabet, lengths: Sequence[int], reference: int, *, wide: bool) -> list[TextPart]:
    """Return the parts that a text was split into, pieces of so many characters each, under a reference of 16 bits.

    The reference is that of a counter: a header that is not wide has its lower 8 bits. One part alone has none.
    """
    if len(lengths) == 1:
        return [TextPart(text=text, udh=b"", payload=payload_of(text, alphabet))]
    headers = _headers(len(lengths), reference if wide else reference & 0xFF, wide=wide)
    return [
        TextPart(text=piece, udh=header, payload=payload_of(piece, alphabet))
        for piece, header in zip(cut_text(text, lengths), headers, strict=True)
    ]


def cut_text(text: str, lengths: Sequence[int]) -> list[str]:
    """Return the pieces of a text that have so many characters each."""
    return [text[end - length : end] for length, end in zip(lengths, accumulate(lengths), strict=True)]


def payload_of(text: str, alphabet: Alphabet) -> bytes:
    """Return a text that fits its alphabet as octets: septets one per octet, or UTF-16BE."""
    return encode_ucs2(text) if alphabet is Alphabet.UCS2 else encode_gsm7(text) or b""


def narrow_header(udh: bytes) -> bytes:
    """Return a concatenation header with an 8-bit reference instead of a 16-bit one; others unchanged."""
    if udh[:3] != b"\x06\x08\x04":
        return udh
    return bytes((5, 0, 3)) + udh[4:]


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
            return Alphabet.GSM7, Fitted(text=text), septets
        fitted = fit_gsm7(graphemes(text), unencodable, lacking=lacking, reach=reach)
        if isinstance(fitted, Refused):
            return fitted
        if fitted is not None:
            return Alphabet.GSM7, fitted, encode_gsm7(fitted.text) or b""
    fitted = fit_ucs2(text, reach=reach, clusters_of=graphemes)
    return Alphabet.UCS2, fitted, encode_ucs2(fitted.text)


def _headers(total: int, reference: int, *, wide: bool) -> list[bytes]:
    """Return the UDH of each of `total` parts."""
    # 3GPP TS 23.040 §9.2.3.24.8, §9.2.3.24.1: length, element, its length, reference, total, sequence
    begin = b"\x06\x08\x04" + reference.to_bytes(2, "big") if wide else bytes((5, 0, 3, reference))
    return [begin + bytes((total, sequence)) for sequence in range(1, total + 1)]


def _replaced_within(fitted: Fitted, length: int) -> tuple[Replacement, ...]:
    if length == len(fitted.text):
        return fitted.replaced
    return tuple(one for one, position in zip(fitted.replaced, fitted.positions, strict=True) if position < length)


def _split_gsm7(septets: bytes, limit: int) -> Iterator[int]:
    """Yield the characters of pieces of at most `limit` septets; each is a cluster, so only escapes matter."""
    start = 0
    while start < len(septets):
        end = start + limit
        if end < len(septets) and septets[end - 1] == _ESCAPE:
            end -= 1
        piece = septets[start:end]
        yield len(piece) - piece.count(_ESCAPE)
        start = end


def _split_ucs2(text: str, limit: int) -> Iterator[int]:
    """Yield the characters of pieces of at most `limit` octets of UTF-16, which end at the borders of clusters."""
    octets = characters = 0
    for atom in _atoms(text, limit):
        length = _octet_length(atom)
        if octets + length > limit:
            yield characters
            octets = characters = 0
        octets += length
        characters += len(atom)
    yield characters


def _atoms(text: str, limit: int) -> Iterator[str]:
    """Yield what must stay together: clusters, or the code points of a cluster that no part can hold."""
    for cluster in graphemes(text):
        if _octet_length(cluster) > limit:
            yield from cluster
        else:
            yield cluster


def _octet_length(text: str) -> int:
    return len(text.encode("utf-16-be"))
