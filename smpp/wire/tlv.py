"""Optional parameters: their tags, the form of their values, and reading and writing them.

Not here: which PDU carries which (senders choose, receivers take those that they know). Standard: SMPP 3.4 §3.2.4 and
§5.3.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import NamedTuple

from smpp.wire.fields import PduError
from smpp.wire.statuses import Status


class Tag(IntEnum):
    """Every tag of SMPP 3.4 §5.3.2."""

    DEST_ADDR_SUBUNIT = 0x0005
    DEST_NETWORK_TYPE = 0x0006
    DEST_BEARER_TYPE = 0x0007
    DEST_TELEMATICS_ID = 0x0008
    SOURCE_ADDR_SUBUNIT = 0x000D
    SOURCE_NETWORK_TYPE = 0x000E
    SOURCE_BEARER_TYPE = 0x000F
    SOURCE_TELEMATICS_ID = 0x0010
    QOS_TIME_TO_LIVE = 0x0017
    PAYLOAD_TYPE = 0x0019
    ADDITIONAL_STATUS_INFO_TEXT = 0x001D
    RECEIPTED_MESSAGE_ID = 0x001E
    MS_MSG_WAIT_FACILITIES = 0x0030
    PRIVACY_INDICATOR = 0x0201
    SOURCE_SUBADDRESS = 0x0202
    DEST_SUBADDRESS = 0x0203
    USER_MESSAGE_REFERENCE = 0x0204
    USER_RESPONSE_CODE = 0x0205
    SOURCE_PORT = 0x020A
    DESTINATION_PORT = 0x020B
    SAR_MSG_REF_NUM = 0x020C
    LANGUAGE_INDICATOR = 0x020D
    SAR_TOTAL_SEGMENTS = 0x020E
    SAR_SEGMENT_SEQNUM = 0x020F
    SC_INTERFACE_VERSION = 0x0210
    CALLBACK_NUM_PRES_IND = 0x0302
    CALLBACK_NUM_ATAG = 0x0303
    NUMBER_OF_MESSAGES = 0x0304
    CALLBACK_NUM = 0x0381
    DPF_RESULT = 0x0420
    SET_DPF = 0x0421
    MS_AVAILABILITY_STATUS = 0x0422
    NETWORK_ERROR_CODE = 0x0423
    MESSAGE_PAYLOAD = 0x0424
    DELIVERY_FAILURE_REASON = 0x0425
    MORE_MESSAGES_TO_SEND = 0x0426
    MESSAGE_STATE = 0x0427
    USSD_SERVICE_OP = 0x0501
    DISPLAY_TIME = 0x1201
    SMS_SIGNAL = 0x1203
    MS_VALIDITY = 0x1204
    ALERT_ON_MESSAGE_DELIVERY = 0x130C
    ITS_REPLY_TYPE = 0x1380
    ITS_SESSION_INFO = 0x1383


class ValueKind(StrEnum):
    """The type of a value."""

    INTEGER = "integer"
    TEXT = "text"
    OCTETS = "octets"


@dataclass(frozen=True, slots=True)
class TlvSpec:
    """The kind of a value and its bounds in octets, with the NUL of a text."""

    kind: ValueKind
    least: int
    most: int


_ONE = TlvSpec(ValueKind.INTEGER, 1, 1)
_TWO = TlvSpec(ValueKind.INTEGER, 2, 2)
_FOUR = TlvSpec(ValueKind.INTEGER, 4, 4)


def _octets(least: int, most: int) -> TlvSpec:
    return TlvSpec(ValueKind.OCTETS, least, most)


TLVS: Mapping[int, TlvSpec] = MappingProxyType(
    {
        Tag.DEST_ADDR_SUBUNIT: _ONE,
        Tag.DEST_NETWORK_TYPE: _ONE,
        Tag.DEST_BEARER_TYPE: _ONE,
        Tag.DEST_TELEMATICS_ID: _TWO,
        Tag.SOURCE_ADDR_SUBUNIT: _ONE,
        Tag.SOURCE_NETWORK_TYPE: _ONE,
        Tag.SOURCE_BEARER_TYPE: _ONE,
        Tag.SOURCE_TELEMATICS_ID: _ONE,
        Tag.QOS_TIME_TO_LIVE: _FOUR,
        Tag.PAYLOAD_TYPE: _ONE,
        Tag.ADDITIONAL_STATUS_INFO_TEXT: TlvSpec(ValueKind.TEXT, 1, 256),
        Tag.RECEIPTED_MESSAGE_ID: TlvSpec(ValueKind.TEXT, 1, 65),
        Tag.MS_MSG_WAIT_FACILITIES: _ONE,
        Tag.PRIVACY_INDICATOR: _ONE,
        Tag.SOURCE_SUBADDRESS: _octets(2, 23),
        Tag.DEST_SUBADDRESS: _octets(2, 23),
        Tag.USER_MESSAGE_REFERENCE: _TWO,
        Tag.USER_RESPONSE_CODE: _ONE,
        Tag.SOURCE_PORT: _TWO,
        Tag.DESTINATION_PORT: _TWO,
        Tag.SAR_MSG_REF_NUM: _TWO,
        Tag.LANGUAGE_INDICATOR: _ONE,
        Tag.SAR_TOTAL_SEGMENTS: _ONE,
        Tag.SAR_SEGMENT_SEQNUM: _ONE,
        Tag.SC_INTERFACE_VERSION: _ONE,
        Tag.CALLBACK_NUM_PRES_IND: _ONE,
        Tag.CALLBACK_NUM_ATAG: _octets(0, 65),
        Tag.NUMBER_OF_MESSAGES: _ONE,
        Tag.CALLBACK_NUM: _octets(4, 19),
        Tag.DPF_RESULT: _ONE,
        Tag.SET_DPF: _ONE,
        Tag.MS_AVAILABILITY_STATUS: _ONE,
        Tag.NETWORK_ERROR_CODE: _octets(3, 3),
        Tag.MESSAGE_PAYLOAD: _octets(0, 0xFFFF),
        Tag.DELIVERY_FAILURE_REASON: _ONE,
        Tag.MORE_MESSAGES_TO_SEND: _ONE,
        Tag.MESSAGE_STATE: _ONE,
        Tag.USSD_SERVICE_OP: _octets(1, 1),
        Tag.DISPLAY_TIME: _ONE,
        Tag.SMS_SIGNAL: _TWO,
        Tag.MS_VALIDITY: _ONE,
        Tag.ALERT_ON_MESSAGE_DELIVERY: _octets(0, 0),
        Tag.ITS_REPLY_TYPE: _ONE,
        Tag.ITS_SESSION_INFO: _octets(2, 2),
    }
)

TlvValue = int | str | bytes


class Tlv(NamedTuple):
    """One optional parameter. A listed tag has the value of its kind, any other tag its bare octets."""

    tag: int
    value: TlvValue

    @property
    def name(self) -> str:
        """The parameter's name as the standard writes it, or its number."""
        return Tag(self.tag).name.lower() if self.tag in TLVS else f"0x{self.tag:04X}"


_HEAD = struct.Struct("!HH")
_unpack_head = _HEAD.unpack_from
_new = tuple.__new__  # for every receipt, without the checks of the constructor
# The two kinds of value that every receipt has, for the fast path of `decode_tlvs`.
_SINGLE_OCTETS = frozenset(int(tag) for tag, spec in TLVS.items() if spec == _ONE)
_TEXT_OCTETS = {int(tag): spec.most for tag, spec in TLVS.items() if spec.kind is ValueKind.TEXT}


def _value_octets(tag: int, value: TlvValue) -> bytes:
    spec = TLVS.get(tag)
    if spec is None or spec.kind is ValueKind.OCTETS:
        least, most = (0, 0xFFFF) if spec is None else (spec.least, spec.most)
        if not isinstance(value, bytes) or not least <= len(value) <= most:
            raise PduError(Status.RINVPARLEN, f"TLV 0x{tag:04X} is not {least} to {most} octets")
        return value
    if spec.kind is ValueKind.INTEGER:
        if not isinstance(value, int) or not 0 <= value < 1 << 8 * spec.most:
            raise PduError(Status.RINVOPTPARAMVAL, f"TLV 0x{tag:04X} does not fit {spec.most} octets")
        return value.to_bytes(spec.most, "big")
    if not isinstance(value, str) or len(value) >= spec.most or "\0" in value:
        raise PduError(Status.RINVPARLEN, f"TLV 0x{tag:04X} is longer than {spec.most - 1} characters, or has a NUL")
    try:
        return value.encode("latin-1") + b"\0"
    except UnicodeEncodeError:
        raise PduError(Status.RINVOPTPARAMVAL, f"TLV 0x{tag:04X} has a character beyond Latin-1") from None


def encode_tlvs(tlvs: Iterable[Tlv]) -> bytes:
    """Return the octets of the parameters in their order; raises PduError."""
    octets: list[bytes] = []
    for tag, value in tlvs:
        if not 0 <= tag <= 0xFFFF:
            raise PduError(Status.RINVOPTPARSTREAM, f"TLV tag {tag} does not fit two octets")
        coded = _value_octets(tag, value)
        octets += (_HEAD.pack(tag, len(coded)), coded)
    return b"".join(octets)


def _value_of(tag: int, octets: bytes, *, strict: bool) -> TlvValue:
    """Return the value; if the tag cannot hold it, it is refused, or without `strict` returned as bare octets."""
    spec = TLVS.get(tag)
    if spec is None:
        return octets
    if spec.kind is ValueKind.TEXT:
        # Carriers leave out the NUL; octets behind one do not belong to the text.
        text = octets.partition(b"\0")[0]
        if strict and len(text) >= spec.most:
            raise PduError(Status.RINVPARLEN, f"TLV 0x{tag:04X} is longer than {spec.most - 1} characters")
        return text.decode("latin-1")
    try:
        return _integer_of(tag, spec, octets) if spec.kind is ValueKind.INTEGER else _octets_of(tag, spec, octets)
    except PduError:
        if strict:
            raise
        return octets


def _integer_of(tag: int, spec: TlvSpec, octets: bytes) -> int:
    # Carriers write these in one, two or four octets; the number is the same.
    if not 1 <= len(octets) <= 4:
        raise PduError(Status.RINVPARLEN, f"TLV 0x{tag:04X} is not an integer of 1 to 4 octets")
    value = int.from_bytes(octets, "big")
    if value >= 1 << 8 * spec.most:
        raise PduError(Status.RINVOPTPARAMVAL, f"TLV 0x{tag:04X} does not fit {spec.most} octets")
    return value


def _octets_of(tag: int, spec: TlvSpec, octets: bytes) -> bytes:
    if not spec.least <= len(octets) <= spec.most:
        raise PduError(Status.RINVPARLEN, f"TLV 0x{tag:04X} is not {spec.least} to {spec.most} octets")
    return octets


def read_value(tag: int, octets: bytes) -> TlvValue:
    """Return the value of a parameter's octets; raises PduError for what its tag cannot hold."""
    return _value_of(tag, octets, strict=True)


def decode_tlvs(data: bytes, offset: int = 0, *, strict: bool = True) -> tuple[Tlv, ...]:
    """Return the parameters from the offset to the end of the data; raises PduError, but only if `strict`.

    Without `strict`, a value that its tag cannot hold is kept as bare octets, a cut value is kept as far as it goes,
    and an incomplete head of a parameter is dropped.
    """
    found = []
    end = len(data)
    while offset < end:
        if end - offset < 4:
            if strict:
                raise PduError(Status.RINVOPTPARSTREAM, "the head of a TLV is cut off")
            break
        tag, length = _unpack_head(data, offset)
        begin = offset + 4
        offset = begin + length
        if offset > end and strict:
            raise PduError(Status.RINVOPTPARSTREAM, f"TLV 0x{tag:04X} is cut off")
        if length == 1 and tag in _SINGLE_OCTETS and offset <= end:
            found.append(_new(Tlv, (tag, data[begin])))
        elif tag in _TEXT_OCTETS and 0 < length <= _TEXT_OCTETS[tag] and data.find(0, begin, offset) == offset - 1:
            found.append(_new(Tlv, (tag, data[begin : offset - 1].decode("latin-1"))))
        else:
            found.append(Tlv(tag, _value_of(tag, data[begin:offset], strict=strict)))
    return tuple(found)
