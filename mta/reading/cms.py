"""The signed content of an opaque S/MIME mail (smime.p7m): a bounded walk over BER, no cryptography.

The signature is not verified: it does not decide who may send (mta.identify does), only the text counts. RFC 5652 §5.1
(SignedData), RFC 8551 §3.5.2, X.690 §8.1. Not here: enveloped data, which only its addressee can read.
"""

from typing import Final

_SIGNED_DATA: Final = bytes.fromhex("2a864886f70d010702")
_DATA: Final = bytes.fromhex("2a864886f70d010701")
_SEQUENCE: Final = 0x30
_IDENTIFIER: Final = 0x06
_OCTETS: Final = 0x04
_CONSTRUCTED_OCTETS: Final = 0x24
_EXPLICIT: Final = 0xA0
_CHUNKS: Final = 100_000


def signed_content(octets: bytes) -> bytes:
    """Return the MIME entity inside a SignedData value, b"" for anything else; never raises."""
    try:
        content = _child(octets, _inside(octets, 0, _SEQUENCE), _SIGNED_DATA)
        signed = _inside(octets, content, _SEQUENCE)
        version = _element(octets, signed)
        algorithms = _skip(octets, version)
        inner = _skip(octets, _element(octets, algorithms))
        encapsulated = _child(octets, _inside(octets, inner, _SEQUENCE), _DATA)
        return _octet_string(octets, encapsulated)
    except (IndexError, ValueError):
        return b""


def _element(octets: bytes, position: int) -> tuple[int, int, int, int]:
    """Return tag, start of content, end of content (-1 for indefinite) and position of an element."""
    tag = octets[position]
    length = octets[position + 1]
    start = position + 2
    if length == 0x80:
        return tag, start, -1, position
    if length > 0x80:
        size = length & 0x7F
        if size > 4:
            raise ValueError
        length = int.from_bytes(octets[start : start + size], "big")
        start += size
    return tag, start, start + length, position


def _skip(octets: bytes, element: tuple[int, int, int, int]) -> int:
    """Return the offset after an element of definite length, or after an indefinite one of such elements."""
    _, start, end, _ = element
    if end >= 0:
        return end
    for _ in range(_CHUNKS):
        if octets[start : start + 2] == b"\x00\x00":
            return start + 2
        inner = _element(octets, start)
        if inner[2] < 0:
            raise ValueError
        start = inner[2]
    raise ValueError


def _inside(octets: bytes, position: int, tag: int) -> int:
    found, start, _, _ = _element(octets, position)
    if found != tag:
        raise ValueError
    return start


def _child(octets: bytes, position: int, identifier: bytes) -> int:
    """Return where the [0] EXPLICIT value after an object identifier begins; the identifier must match."""
    tag, start, end, _ = _element(octets, position)
    if tag != _IDENTIFIER or octets[start:end] != identifier:
        raise ValueError
    return _inside(octets, end, _EXPLICIT)


def _octet_string(octets: bytes, position: int) -> bytes:
    """Return an OCTET STRING, in one piece or in pieces from streaming signers (X.690 §8.7.3)."""
    tag, start, end, _ = _element(octets, position)
    if tag == _OCTETS and end >= 0:
        return octets[start:end]
    if tag != _CONSTRUCTED_OCTETS:
        raise ValueError
    pieces: list[bytes] = []
    for _ in range(_CHUNKS):
        if start == end or (end < 0 and octets[start : start + 2] == b"\x00\x00"):
            break
        piece = _element(octets, start)
        if piece[0] != _OCTETS or piece[2] < 0 or piece[2] > len(octets):
            raise ValueError
        pieces.append(octets[piece[1] : piece[2]])
        start = piece[2]
    return b"".join(pieces)
