"""Packs septets into octets and back, after a user data header.

Not here: what a septet means (sms.alphabet). Standard: 3GPP TS 23.038 §6.1.2.1, TS 23.040 §9.2.3.24 (fill bits).
"""

_CARRIAGE_RETURN = 0x0D


def _fill_bits(after_octets: int) -> int:
    return -8 * after_octets % 7


def pack_septets(septets: bytes, *, after_octets: int = 0) -> bytes:
    """Return the packed octets; `after_octets` is the length of the header, whose fill bits come first."""
    bits = 0
    shift = _fill_bits(after_octets)
    for septet in septets:
        bits |= septet << shift
        shift += 7
    # Seven spare bits would read as one more «@»: a carriage return fills them instead (TS 23.038 §6.1.2.3.1).
    if septets and -shift % 8 == 7:
        bits |= _CARRIAGE_RETURN << shift
    return bits.to_bytes((shift + 7) // 8, "little")


def unpack_septets(octets: bytes, *, after_octets: int = 0) -> bytes:
    """Return the septets of packed octets, without one that only pads."""
    fill = _fill_bits(after_octets)
    count = (8 * len(octets) - fill) // 7
    bits = int.from_bytes(octets, "little") >> fill
    septets = bytes(bits >> 7 * place & 0x7F for place in range(count))
    if count and (8 * len(octets) - fill) % 7 == 0 and septets[-1] in (0, _CARRIAGE_RETURN):
        return septets[:-1]
    return septets
