"""One part → the submit_sm or data_sm of a carrier's dialect; also the requests about earlier parts.

Also normalises ids, so that equal ones compare equal. Not here: the answers (outcomes, client). Standards: SMPP 3.4
§4.4.1, §4.5.1, §4.7.1, §4.8.1, §4.9.1, §4.10.1, §5.2, §7.1.1; 3GPP TS 23.038 §4 and §6.1.2.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import ceil

from smpp.dialect.dialect import (
    CODECS,
    Dialect,
    IdBase,
    LongMessages,
    NumberForm,
    ReceiptRequest,
    SubmitWith,
    ValidityFormat,
    WireAlphabet,
)
from smpp.dialect.fragments import read_place
from smpp.dialect.numbers import write_number, write_source
from smpp.dialect.parameters import write_parameters
from smpp.wire.bodies import CancelSm, DataSm, QuerySm, SubmitSm
from smpp.wire.fields import PduError
from smpp.wire.packing import pack_septets
from smpp.wire.pdu import write_around
from smpp.wire.statuses import Status
from smpp.wire.tlv import Tag, Tlv, encode_tlvs
from sms.alphabet import decode_gsm7, decode_ucs2, encode_ucs2
from sms.message import NO_SHIFTS, Alphabet, PartToSubmit, Priority
from sms.national import national_tables, without_shifts
from sms.number import MobileNumber, SenderId
from sms.parts import narrow_header

_UDH_INDICATOR = 0x40  # §5.2.12
_TEXT = IdBase.TEXT
_BASES = {IdBase.DECIMAL: 10, IdBase.HEX: 16}
_UCS2 = Alphabet.UCS2
_MOST_OCTETS, _MOST_DIGITS = 254, 20  # §5.2.22, §5.2.9
_MOST_SHARED = 4096
_MOST_ID = 255
_JOINING_HEADERS = frozenset({6, 7})  # nothing but a reference of 8 or 16 bits
_USER_DATA = 140  # octets of a TPDU, 3GPP TS 23.040 §9.2.3.24
_LEAST_VALIDITY = timedelta(minutes=1)


def write_validity(expires_at: datetime | None, dialect: Dialect, now: datetime) -> str:
    """Return validity_period; a validity that ends in less is written as one minute (§7.1.1)."""
    if expires_at is None or dialect.validity_format is ValidityFormat.NONE:
        return ""
    left = max(expires_at - now, _LEAST_VALIDITY)
    if dialect.validity_format is ValidityFormat.ABSOLUTE:
        return (now + left).astimezone(UTC).strftime("%y%m%d%H%M%S000+")
    return _relative_validity(ceil(left.total_seconds()))


@lru_cache(maxsize=4096)
def _relative_validity(seconds: int) -> str:
    """Return the relative format of §7.1.1.2; cached, since the parts of a job share it."""
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"0000{min(days, 99):02}{hours:02}{minutes:02}{seconds:02}000R"


def write_part(part: PartToSubmit, dialect: Dialect, now: datetime) -> tuple[SubmitSm | DataSm, tuple[Tlv, ...]]:
    """Return the request that submits a part, with its optional parameters; a relative validity counts from `now`."""
    submit, tlvs = _write_submit(part, dialect, now)
    if dialect.submit_with is SubmitWith.SUBMIT_SM:
        return submit, tlvs
    if submit.short_message:
        tlvs = (Tlv(Tag.MESSAGE_PAYLOAD, submit.short_message), *tlvs)
    if part.expires_at is not None and dialect.validity_format is not ValidityFormat.NONE:
        left = max(part.expires_at - now, _LEAST_VALIDITY)
        tlvs = (*tlvs, Tlv(Tag.QOS_TIME_TO_LIVE, ceil(left.total_seconds())))
    return DataSm(*submit[:8], submit.registered_delivery, submit.data_coding), tlvs


def _write_submit(part: PartToSubmit, dialect: Dialect, now: datetime) -> tuple[SubmitSm, tuple[Tlv, ...]]:
    """Return the submit_sm of a part; the other requests with a text are made from it."""
    part = _sayable(part, dialect)
    ton, npi, source = write_source(part.sender, dialect)
    number = part.number.digits
    esm_class = dialect.esm_class
    udh = _header_of(part, dialect)
    tlvs: tuple[Tlv, ...] = ()
    place = read_place(part.udh)
    if place.total > 1 and dialect.long_messages is LongMessages.SAR and len(part.udh) in _JOINING_HEADERS:
        udh = b""
        tlvs = (
            Tlv(Tag.SAR_MSG_REF_NUM, place.reference or 0),
            Tlv(Tag.SAR_TOTAL_SEGMENTS, place.total),
            Tlv(Tag.SAR_SEGMENT_SEQNUM, place.index),
        )
    if part.alphabet is _UCS2:
        coding = dialect.flash_ucs2_data_coding if part.flash else dialect.ucs2_data_coding
    else:
        coding = dialect.flash_data_coding if part.flash else dialect.default_data_coding
    message = udh + _write_text(part, dialect, udh)
    if udh:
        esm_class |= _UDH_INDICATOR
    is_payload = part.is_whole or (udh and dialect.long_messages is LongMessages.MESSAGE_PAYLOAD)
    if is_payload or len(message) > _MOST_OCTETS:
        tlvs = (Tlv(Tag.MESSAGE_PAYLOAD, message),)
        message = b""
    if dialect.parameters:
        tlvs = (*tlvs, *write_parameters(dialect.parameters, part.parameters))
    return (
        SubmitSm(
            dialect.service_type,
            ton,
            npi,
            source,
            dialect.destination_ton,
            dialect.destination_npi,
            write_number(number, dialect.destination_form, dialect),
            esm_class,
            0,
            dialect.express_priority_flag if part.priority is Priority.EXPRESS else dialect.normal_priority_flag,
            "",
            write_validity(part.expires_at, dialect, now),
            dialect.registered_delivery if _asks_for_receipt(part, dialect) else dialect.no_registered_delivery,
            0,
            coding,
            0,
            message,
        ),
        tlvs,
    )


def _header_of(part: PartToSubmit, dialect: Dialect) -> bytes:
    """Return the header of a part; that of a text which its sender divided stays as it is."""
    return part.udh if dialect.wide_reference or part.total == 1 else narrow_header(part.udh)


def _asks_for_receipt(part: PartToSubmit, dialect: Dialect) -> bool:
    is_asked = part.index == part.total or part.is_whole or dialect.receipt_request is ReceiptRequest.EACH_PART
    return part.receipt_wanted and is_asked


class SubmitWriter:
    """Writes the bodies of submit_sm as `write_part` and the codec do, but writes only once what many parts share.

    Everything before the destination and after the text depends on the dialect, the sender and a few flags.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._takes = dialect.submit_with is SubmitWith.SUBMIT_SM
        self._is_plain = dialect.destination_form is NumberForm.PLAIN
        self._asks_each = dialect.receipt_request is ReceiptRequest.EACH_PART
        self._takes_headers = dialect.long_messages in {LongMessages.UDH, LongMessages.WHOLE}
        self._shared: dict[tuple[object, ...], tuple[bytes, bytes, bytes]] = {}

    def write(self, part: PartToSubmit, now: datetime) -> bytes | None:
        """Return the body; None if only `write_part` can write the part or say why it cannot be written."""
        udh, sender, dialect = part.udh, part.sender, self._dialect
        digits = part.number.digits
        if not self._takes or (udh and not self._takes_headers) or not (digits.isascii() and digits.isdecimal()):
            return None
        number = digits if self._is_plain else write_number(digits, dialect.destination_form, dialect)
        if part.is_whole or (part.shifts != NO_SHIFTS and not dialect.national_shift):
            return None
        if udh:
            udh = _header_of(part, dialect)
        wire = dialect.wire_alphabet(flash=part.flash)
        if wire in CODECS and (part.shifts != NO_SHIFTS or not _can_say(part, wire)):
            return None
        message = _write_text(part, dialect, udh)
        if udh:
            message = udh + message
        length = len(message)
        if length > _MOST_OCTETS or len(number) > _MOST_DIGITS:
            return None
        name = ("", "") if sender is None else (sender.value, sender.kind)
        asks = part.receipt_wanted and (self._asks_each or _asks_for_receipt(part, dialect))
        flags = part.alphabet, part.priority, part.flash, asks, not udh
        shared = self._shared.get((name, flags))
        if shared is None:
            shared = self._write_shared(part, now)
            if shared is None:
                return None
            if len(self._shared) >= _MOST_SHARED:
                self._shared.clear()
            self._shared[name, flags] = shared
        before, between, after = shared
        validity = write_validity(part.expires_at, dialect, now).encode()
        tail = encode_tlvs(write_parameters(dialect.parameters, part.parameters)) if dialect.parameters else b""
        return b"%b%b%b%b%b%c%b%b" % (before, number.encode(), between, validity, after, length, message, tail)

    def _write_shared(self, part: PartToSubmit, now: datetime) -> tuple[bytes, bytes, bytes] | None:
        try:
            return write_around(_write_submit(part, self._dialect, now)[0])
        except PduError:
            return None


def _write_text(part: PartToSubmit, dialect: Dialect, udh: bytes) -> bytes:
    if part.alphabet is _UCS2:
        return write_ucs2(part.payload, dialect.ucs2_alphabet)
    return write_septets(part.payload, dialect.wire_alphabet(flash=part.flash), udh)


def write_septets(septets: bytes, wire: WireAlphabet, udh: bytes) -> bytes:
    """Return a text of the default alphabet as the wire has it, after the header `udh`.

    Raises UnicodeEncodeError for a character that the wire lacks.
    """
    if wire is WireAlphabet.GSM7:
        return septets
    if wire is WireAlphabet.GSM7_PACKED:
        return pack_septets(septets, after_octets=len(udh))
    return decode_gsm7(septets).encode(CODECS[wire])


def write_ucs2(octets: bytes, wire: WireAlphabet) -> bytes:
    """Return a text in UCS-2 as the wire has it."""
    return octets if wire is WireAlphabet.UCS2 else decode_ucs2(octets).encode(CODECS[wire], "replace")


def _can_say(part: PartToSubmit, wire: WireAlphabet) -> bool:
    """Return whether the wire has all characters of a part."""
    try:
        if part.alphabet is not _UCS2:
            write_septets(part.payload, wire, b"")
    except UnicodeEncodeError:
        return False
    return True


def _sayable(part: PartToSubmit, dialect: Dialect) -> PartToSubmit:
    """Return the part, in UCS-2 if the carrier's default alphabet lacks one of its characters.

    So the text stays the same if the part was made for another carrier, or for another dialect of this one. Raises
    PduError if the part is then too long.
    """
    wire = dialect.wire_alphabet(flash=part.flash)
    if part.shifts == NO_SHIFTS:
        if wire not in CODECS or _can_say(part, wire):
            return part
    elif dialect.national_shift and wire not in CODECS:
        return part
    payload = encode_ucs2(decode_gsm7(part.payload, national_tables(*part.shifts)))
    udh = without_shifts(part.udh, part.shifts)
    if len(udh) + len(payload) > _USER_DATA and not part.is_whole:
        raise PduError(
            Status.RINVMSGLEN, "the carrier's alphabet lacks a character, and UCS-2 has no room for the text"
        )
    return replace(part, alphabet=_UCS2, payload=payload, udh=udh, shifts=NO_SHIFTS)


def write_cancel(carrier_id: str, number: MobileNumber, sender: SenderId | None, dialect: Dialect) -> CancelSm:
    """Return the cancel_sm of the part with this normalised id (§4.9.1: the addresses must be those of the submit)."""
    ton, npi, source = write_source(sender, dialect)
    return CancelSm(
        dialect.service_type,
        write_id(carrier_id, dialect.id_in_response),
        ton,
        npi,
        source,
        dialect.destination_ton,
        dialect.destination_npi,
        write_number(number.digits, dialect.destination_form, dialect),
    )


def write_query(carrier_id: str, sender: SenderId | None, dialect: Dialect) -> QuerySm:
    """Return the query_sm of the part with this normalised id (§4.8.1)."""
    ton, npi, source = write_source(sender, dialect)
    return QuerySm(write_id(carrier_id, dialect.id_in_response), ton, npi, source)


def normalise_id(text: str, base: IdBase) -> str:
    """Return the id in the form for comparison: a number as plain decimal digits, a text without outer blanks.

    An id that should be a number and is none stays a text. A text compared without case is in lower case. An id that is
    too long for an index is cut.
    """
    text = text.replace("\0", " ").strip()[:_MOST_ID]
    if base is _TEXT:
        return text
    if base is IdBase.TEXT_ANY_CASE:
        return text.lower()
    try:
        return str(int(text, _BASES[base]))
    except ValueError:
        return text


def unite_ids(answered: str, reported: str, dialect: Dialect) -> str:
    """Return the normalised id if both are the same id, empty if they differ.

    `answered` is from an answer stored before the dialect described its ids: unchanged. `reported` is from a stored
    receipt, unchanged or normalised.
    """
    own = normalise_id(answered, dialect.id_in_response)
    bases = (dialect.id_in_receipt, dialect.id_in_receipt_tlv or dialect.id_in_response)
    if answered == reported:
        return answered
    return own if own in {reported, *(normalise_id(reported, base) for base in bases)} else ""


def write_id(carrier_id: str, base: IdBase) -> str:
    """Return a normalised id as the carrier writes it: a hexadecimal id in lower case without leading zeros."""
    return f"{int(carrier_id):x}" if base is IdBase.HEX and carrier_id.isdecimal() else carrier_id
