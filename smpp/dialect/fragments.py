"""One deliver_sm or data_sm from a handset → its text and place: alphabets, headers, sar parameters, message_payload.

Not here: joining fragments (inbound.joining) and receipts (receipts). Standards: SMPP 3.4 §5.2.19 (data_coding),
§5.3.2; 3GPP TS 23.038 §4; TS 23.040 §9.2.3.24 (header), §9.2.3.24.1 and §9.2.3.24.8 (concatenation), §9.2.3.24.15 and
§9.2.3.24.16 (national languages).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from smpp.dialect.dialect import CODECS as DEFAULTS
from smpp.dialect.dialect import Dialect, WireAlphabet, names_gsm7
from smpp.dialect.numbers import read_number
from smpp.wire.bodies import DataSm, DeliverSm, SubmitMulti, SubmitSm
from smpp.wire.packing import unpack_septets
from smpp.wire.pdu import Pdu
from smpp.wire.tlv import Tag
from sms.alphabet import ShiftTables, decode_gsm7
from sms.message import InboundFragment, Shifts
from sms.national import national_tables

_UDH_INDICATOR = 0x40
_CONCATENATED_8_BIT = 0x00
_CONCATENATED_16_BIT = 0x08
_SINGLE_SHIFT = 0x24
_LOCKING_SHIFT = 0x25
_LEAST_GUESSED = 8

# §5.2.19; an invalid octet becomes U+FFFD. 2 and 4 are octets and read as Latin-1, so that none is lost.
CODECS: Mapping[int, str] = MappingProxyType(
    {
        0x01: "ascii",
        0x02: "latin-1",
        0x03: "latin-1",
        0x04: "latin-1",
        0x05: "iso2022_jp",
        0x06: "iso8859_5",
        0x07: "iso8859_8",
        0x08: "utf-16-be",
        0x0A: "iso2022_jp",
        0x0D: "iso2022_jp_1",
        0x0E: "euc_kr",
    }
)


@dataclass(frozen=True, slots=True)
class FragmentPlace:
    """Where a fragment stands in its text."""

    reference: int | None = None
    index: int = 1
    total: int = 1


def split_header(message: bytes) -> tuple[bytes, bytes]:
    """Return the user data header with its length octet, and the text; all is text if the length is impossible."""
    if not message or 1 + message[0] > len(message):
        return b"", message
    return message[: 1 + message[0]], message[1 + message[0] :]


def read_place(udh: bytes) -> FragmentPlace:
    """Return the place from the first valid concatenation element (TS 23.040 §9.2.3.24.1: invalid ones are ignored)."""
    for element, data in _elements(udh):
        if (element, len(data)) in ((_CONCATENATED_8_BIT, 3), (_CONCATENATED_16_BIT, 4)):
            reference, total, index = int.from_bytes(data[:-2], "big"), data[-2], data[-1]
            if 1 <= index <= total:
                return FragmentPlace(reference, index, total)
    return FragmentPlace()


def read_shifts(udh: bytes) -> Shifts:
    """Return the languages that a header chooses for its text (TS 23.040 §9.2.3.24.15 and §9.2.3.24.16)."""
    chosen = {element: data[0] for element, data in _elements(udh) if len(data) == 1}
    return Shifts(chosen.get(_LOCKING_SHIFT, 0), chosen.get(_SINGLE_SHIFT, 0))


def _tables_of(udh: bytes) -> ShiftTables:
    return national_tables(*read_shifts(udh))


def _elements(udh: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the information elements of a header; one that is cut off ends it."""
    offset = 1
    while offset + 2 <= len(udh):
        element, length = udh[offset], udh[offset + 1]
        data = udh[offset + 2 : offset + 2 + length]
        offset += 2 + length
        if len(data) == length:
            yield element, data


def _read_default(octets: bytes, data_coding: int, dialect: Dialect, udh: bytes) -> str:
    wire = dialect.read_alphabet
    if not data_coding and _looks_like_ucs2(octets):
        return octets.decode("utf-16-be")
    if wire is not WireAlphabet.GSM7_PACKED and names_gsm7(data_coding):
        wire = WireAlphabet.GSM7
    return decode_text(octets, wire, udh)


def decode_text(octets: bytes, wire: WireAlphabet, udh: bytes) -> str:
    """Return the text of octets in this alphabet; `udh` is the header before them, which may name national tables."""
    if wire is WireAlphabet.GSM7_PACKED:
        return decode_gsm7(unpack_septets(octets, after_octets=len(udh)), _tables_of(udh))
    if wire is WireAlphabet.GSM7:
        return decode_gsm7(octets, _tables_of(udh))
    return octets.decode(DEFAULTS[wire], "replace")


def _looks_like_ucs2(octets: bytes) -> bool:
    """Return whether octets under data_coding 0 are UCS-2: some networks send it without saying so.

    The test is strict: four characters or more, most of them Latin (a zero first, which is @ in GSM-7), all printable.
    """
    if len(octets) < _LEAST_GUESSED or len(octets) % 2 or 4 * octets[::2].count(0) <= len(octets) or 0 in octets[1::2]:
        return False
    try:
        return octets.decode("utf-16-be").replace("\n", "").replace("\r", "").isprintable()
    except UnicodeDecodeError:
        return False


def read_text(octets: bytes, data_coding: int, dialect: Dialect, udh: bytes = b"") -> str:
    """Return the text of octets in this coding; `udh` is the header before them, which shifts packed septets."""
    own = dialect.inbound_alphabets.get(data_coding)
    if own is not None:
        return decode_text(octets, own, udh)
    codec = CODECS.get(data_coding)
    if codec is None and data_coding & 0xF0 in (0x10, 0x20, 0x30):
        # TS 23.038 §4, general data coding: bits 3 and 2 are the alphabet.
        codec = {0x04: "latin-1", 0x08: "utf-16-be"}.get(data_coding & 0x0C)
    elif codec is None and data_coding & 0xF4 == 0xF4:
        codec = "latin-1"  # TS 23.038 §4, data coding and message class: 8-bit data
    return _read_default(octets, data_coding, dialect, udh) if codec is None else octets.decode(codec, "replace")


def message_octets(pdu: Pdu) -> tuple[bytes, bytes]:
    """Return the user data header and the text's octets of a message PDU, from whichever field has them."""
    body = pdu.body
    if not isinstance(body, (DeliverSm, SubmitSm, SubmitMulti, DataSm)):
        raise TypeError(f"{pdu.command.name} carries no message")
    octets = b"" if isinstance(body, DataSm) else body.short_message
    if not octets and pdu.tlvs:
        octets = pdu.octets(Tag.MESSAGE_PAYLOAD) or b""
    return split_header(octets) if body.esm_class & _UDH_INDICATOR else (b"", octets)


def read_message(pdu: Pdu, dialect: Dialect) -> tuple[str, FragmentPlace]:
    """Return the text and the place of a message PDU."""
    udh, octets = message_octets(pdu)
    place = read_place(udh)
    if place.reference is None and pdu.tlvs:
        reference = pdu.integer(Tag.SAR_MSG_REF_NUM)
        total = pdu.integer(Tag.SAR_TOTAL_SEGMENTS) or 0
        index = pdu.integer(Tag.SAR_SEGMENT_SEQNUM) or 0
        if reference is not None and 1 <= index <= total:
            place = FragmentPlace(reference, index, total)
    data_coding = pdu.body.data_coding  # type: ignore[union-attr]  # message_octets took only bodies that have one
    return read_text(octets, data_coding, dialect, udh), place


def read_fragment(pdu: Pdu, carrier: str, dialect: Dialect) -> InboundFragment:
    """Return the fragment of a deliver_sm or data_sm; `carrier` is the name in the operator's file."""
    text, place = read_message(pdu, dialect)
    body = pdu.body
    if not isinstance(body, (DeliverSm, DataSm)):
        raise TypeError(f"{pdu.command.name} comes from no handset")
    return InboundFragment(
        carrier=carrier,
        source=read_number(body.source_addr_ton, body.source_addr, dialect),
        destination=read_number(body.dest_addr_ton, body.destination_addr, dialect),
        text=text,
        reference=place.reference,
        index=place.index,
        total=place.total,
    )
