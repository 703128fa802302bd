"""Bytes ↔ PDU for all of SMPP 3.4: a generic codec over the specifications in bodies, and fast paths.

Fuzzed: bytes raise only PduError. Not here: states, sequence numbers and windows (session), optional parameters (tlv),
the fields' kinds (fields). Standard: SMPP 3.4 §3.2.
"""

import re
import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, get_type_hints

from smpp.wire.bodies import (
    BODIES,
    COMMAND_OF,
    RESPONSE_BIT,
    Body,
    Command,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    SubmitSm,
    SubmitSmResp,
)
from smpp.wire.fields import FieldKind, PduError
from smpp.wire.statuses import Status
from smpp.wire.tlv import Tlv, TlvValue, decode_tlvs, encode_tlvs

HEADER_OCTETS = 16
MAX_SEQUENCE = 0x7FFFFFFF  # §3.2

HEADER = struct.Struct("!IIII")
_pack_header = HEADER.pack
_SUBMIT_SM: int = Command.SUBMIT_SM
_pack_empty_id = struct.Struct("!IIIIB").pack
# Made for every SMS and every receipt: tuples of these types, without the checks of their constructors.
_new = tuple.__new__
_CODECS: Mapping[type[Body], tuple[tuple[str, FieldKind], ...]] = MappingProxyType(
    {
        body: tuple((name, hint.__metadata__[0]) for name, hint in get_type_hints(body, include_extras=True).items())
        for body in BODIES.values()
    }
)
_SM_BODIES: Mapping[int, type[SubmitSm | DeliverSm]] = MappingProxyType(
    {Command.SUBMIT_SM: SubmitSm, Command.DELIVER_SM: DeliverSm}
)
# The mandatory part of submit_sm and deliver_sm up to sm_length, as Latin-1 text: with and without field bounds.
_SM_FIELDS = r"([^\0]*)\0(.)(.)([^\0]%s)\0(.)(.)([^\0]%s)\0(.)(.)(.)([^\0]%s)\0([^\0]%s)\0(.)(.)(.)(.)(.)"
_SM_LAYOUT = re.compile(_SM_FIELDS % ("{0,20}", "{0,20}", "{0,16}", "{0,16}"), re.DOTALL).match
_ANY_SM_LAYOUT = re.compile(_SM_FIELDS % ("*", "*", "*", "*"), re.DOTALL).match
_SM_OCTETS = 254
_ID_BODIES: Mapping[int, type[SubmitSmResp | DeliverSmResp | DataSmResp]] = MappingProxyType(
    {
        Command.SUBMIT_SM_RESP: SubmitSmResp,
        Command.DELIVER_SM_RESP: DeliverSmResp,
        Command.DATA_SM_RESP: DataSmResp,
    }
)


class Pdu(NamedTuple):
    """One PDU; `status` is 0 in requests (§5.1.3), `tlvs` are in the order of the wire."""

    body: Body
    sequence: int
    status: int = 0
    tlvs: tuple[Tlv, ...] = ()

    @property
    def command(self) -> Command:
        """The command that the body belongs to."""
        return COMMAND_OF[type(self.body)]

    def value(self, tag: int) -> TlvValue | None:
        """Return the value of the first parameter with the tag, None if there is none."""
        for known, value in self.tlvs:
            if known == tag:
                return value
        return None

    def integer(self, tag: int) -> int | None:
        """Return the parameter's value if it is an integer, else None."""
        value = self.value(tag)
        return value if isinstance(value, int) else None

    def text(self, tag: int) -> str | None:
        """Return the parameter's value if it is a text, else None."""
        value = self.value(tag)
        return value if isinstance(value, str) else None

    def octets(self, tag: int) -> bytes | None:
        """Return the parameter's value if it is bare octets, else None."""
        value = self.value(tag)
        return value if isinstance(value, bytes) else None


def unpack_header(data: bytes | bytearray, offset: int = 0) -> tuple[int, int, int, int]:
    """Return command_length, command_id, command_status and sequence_number (§3.2); needs 16 octets."""
    return HEADER.unpack_from(data, offset)


def encode(body: Body, sequence: int, status: int = 0, tlvs: tuple[Tlv, ...] = ()) -> bytes:
    """Return the PDU's octets; raises PduError for a value that its field cannot hold.

    A response with an error status is written without its body (§4.4.2: `not returned`).
    """
    kind = type(body)
    command = COMMAND_OF[kind]
    if not status:
        try:
            if isinstance(body, (SubmitSmResp, DeliverSmResp, DataSmResp)):
                return _encode_id(command, body, sequence, tlvs)
            if isinstance(body, (SubmitSm, DeliverSm)):
                return _encode_sm(command, body, sequence, tlvs)
        except (ValueError, OverflowError, TypeError, AttributeError, struct.error):
            pass  # the generic codec below says which field is at fault
    if not 0 <= status <= 0xFFFFFFFF or not 0 <= sequence <= 0xFFFFFFFF:
        raise PduError(Status.RSYSERR, "status or sequence number does not fit its word", command=command)
    octets = b""
    if not status or not command & RESPONSE_BIT:
        fields = zip(_CODECS[kind], body, strict=True)
        octets = b"".join([field.encode(name, value) for (name, field), value in fields]) + encode_tlvs(tlvs)
    return _pack_header(HEADER_OCTETS + len(octets), command, status, sequence) + octets


def frame_submit(body: bytes, sequence: int) -> bytes:
    """Return the submit_sm with this already written body."""
    return _pack_header(HEADER_OCTETS + len(body), _SUBMIT_SM, 0, sequence) + body


def write_around(body: SubmitSm) -> tuple[bytes, bytes, bytes]:
    """Return the pieces of a submit_sm's body before destination_addr, before validity_period and before sm_length.

    Raises PduError for a value that its field cannot hold.
    """
    fields = zip(_CODECS[SubmitSm], body, strict=True)
    octets = [kind.encode(name, value) for (name, kind), value in fields]
    return b"".join(octets[:6]), b"\0" + b"".join(octets[7:11]), b"\0" + b"".join(octets[12:16])


def _encode_sm(command: int, body: SubmitSm | DeliverSm, sequence: int, tlvs: tuple[Tlv, ...]) -> bytes:
    """Write the layout that submit_sm and deliver_sm share; raises some error if a value does not fit."""
    (
        service,
        ton,
        npi,
        source,
        to_ton,
        to_npi,
        to,
        esm,
        pid,
        priority,
        schedule,
        validity,
        registered,
        replace,
        coding,
        default,
        message,
    ) = body
    length = len(message)
    if len(source) > 20 or len(to) > 20 or len(schedule) > 16 or len(validity) > 16 or length > 254:
        raise ValueError
    if "\0" in f"{service}{source}{to}{schedule}{validity}":
        raise ValueError
    octets = b"%b\0%c%c%b\0%c%c%b\0%c%c%c%b\0%b\0%c%c%c%c%c%b" % (
        service.encode("latin-1"),
        ton,
        npi,
        source.encode("latin-1"),
        to_ton,
        to_npi,
        to.encode("latin-1"),
        esm,
        pid,
        priority,
        schedule.encode("latin-1"),
        validity.encode("latin-1"),
        registered,
        replace,
        coding,
        default,
        length,
        message,
    )
    if tlvs:
        octets += encode_tlvs(tlvs)
    return _pack_header(HEADER_OCTETS + len(octets), command, 0, sequence) + octets


def _encode_id(
    command: int, body: SubmitSmResp | DeliverSmResp | DataSmResp, sequence: int, tlvs: tuple[Tlv, ...]
) -> bytes:
    """Write a response that has only a message id; raises some error if the id does not fit."""
    if not body.message_id and not tlvs:
        return _pack_empty_id(HEADER_OCTETS + 1, command, 0, sequence, 0)
    octets = body.message_id.encode("latin-1") + b"\0"
    if octets.find(b"\0") != len(octets) - 1:
        raise ValueError
    if tlvs:
        octets += encode_tlvs(tlvs)
    return _pack_header(HEADER_OCTETS + len(octets), command, 0, sequence) + octets


def decode(data: bytes, *, strict: bool = True) -> Pdu:
    """Return the PDU; the data must be exactly one, else raises PduError. `strict` is as in `decode_body`."""
    if len(data) < HEADER_OCTETS:
        raise PduError(Status.RINVCMDLEN, "the header is cut off")
    length, command, status, sequence = unpack_header(data)
    if length != len(data):
        raise PduError(Status.RINVCMDLEN, "command_length is wrong", command=command, sequence=sequence)
    return decode_body(command, status, sequence, data[HEADER_OCTETS:], strict=strict)


def decode_body(command: int, status: int, sequence: int, octets: bytes, *, strict: bool = True) -> Pdu:
    """Return the PDU with this header and body; raises PduError with command and sequence.

    `strict` is for requests of submitting clients: a refusal tells them what is wrong. A carrier's requests are read as
    far as possible: it would repeat a refused one forever, and send no other. A response is always valid: its
    unreadable fields have their defaults, since only its status counts.
    """
    if command in _ID_BODIES:
        # Nearly all have one NUL, which is at the end.
        if octets.find(b"\0") == len(octets) - 1 and octets:
            return _new(Pdu, (_new(_ID_BODIES[command], (octets[:-1].decode("latin-1"),)), sequence, status, ()))
    elif command in _SM_BODIES:
        found = _decode_sm(command, status, sequence, octets, strict=strict)
        if found is not None:
            return found
    try:
        return _decode_fields(command, status, sequence, octets, strict=strict and not command & RESPONSE_BIT)
    except PduError as error:
        raise PduError(error.status, error.detail, command=command, sequence=sequence) from None


def _decode_fields(command: int, status: int, sequence: int, octets: bytes, *, strict: bool) -> Pdu:
    kind = BODIES.get(command)
    if kind is None:
        raise PduError(Status.RINVCMDID, f"command_id 0x{command:08X} does not exist")
    offset = 0
    values: list[object] = []
    for name, field in _CODECS[kind]:
        try:
            value, offset = field.decode(name, octets, offset, strict=strict)
        except PduError:
            if command & RESPONSE_BIT:
                return Pdu(kind._make([*values, *kind()[len(values) :]]), sequence, status)
            raise
        values.append(value)
    return Pdu(kind._make(values), sequence, status, decode_tlvs(octets, offset, strict=strict))


def _decode_sm(command: int, status: int, sequence: int, octets: bytes, *, strict: bool) -> Pdu | None:
    """Read the layout that submit_sm and deliver_sm share; None if the generic codec must say what is wrong."""
    match = (_SM_LAYOUT if strict else _ANY_SM_LAYOUT)(octets.decode("latin-1"))
    if match is None:
        return None
    (
        service,
        ton,
        npi,
        source,
        to_ton,
        to_npi,
        to,
        esm,
        pid,
        priority,
        schedule,
        validity,
        registered,
        replace,
        coding,
        default,
        length,
    ) = match.groups()
    begin = match.end()
    end = begin + ord(length)
    if end > len(octets) or ord(length) > _SM_OCTETS:
        return None
    body = _new(
        _SM_BODIES[command],
        (
            service,
            ord(ton),
            ord(npi),
            source,
            ord(to_ton),
            ord(to_npi),
            to,
            ord(esm),
            ord(pid),
            ord(priority),
            schedule,
            validity,
            ord(registered),
            ord(replace),
            ord(coding),
            ord(default),
            octets[begin:end],
        ),
    )
    try:
        tlvs = () if end == len(octets) else decode_tlvs(octets, end, strict=strict)
    except PduError:
        return None
    return _new(Pdu, (body, sequence, status, tlvs))
