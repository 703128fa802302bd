"""Writes receipts, inbound SMS and message ids in a carrier's dialect: the reverse of receipts and fragments.

Used by the sandbox carrier. Not here: when they are sent (simulator). Standard: SMPP 3.4 §4.6.1, appendix B.
"""

from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from smpp.dialect.dialect import Dialect, IdBase, LongMessages, NumberForm
from smpp.dialect.fragments import read_place
from smpp.dialect.numbers import write_number
from smpp.dialect.receipts import NUMBER_OF, WORD_OF, write_receipt_text
from smpp.dialect.submissions import write_septets
from smpp.simulator.script import ReceiptForm
from smpp.wire.bodies import DeliverSm
from smpp.wire.tlv import Tag, Tlv
from sms.message import Alphabet, EncodedText, ReceiptState
from sms.parts import encoded_parts

_RECEIPT = 0x04
_UDH_INDICATOR = 0x40
_INTERNATIONAL, _ISDN = 1, 1


def write_message_id(number: int, base: IdBase) -> str:
    """Return an id in the base; numbers are padded and upper case, as carriers write them.

    A text is in lower case, or in upper case if it is compared without case.
    """
    if base is IdBase.HEX:
        return f"{number:010X}"
    if base is IdBase.TEXT_ANY_CASE:
        return f"ID-{number:X}"
    return f"{number:012d}" if base is IdBase.DECIMAL else f"id-{number:x}"


def _write_date(at: datetime, zone: ZoneInfo) -> str:
    return _write_minute(int(at.timestamp()) // 60, zone)


@lru_cache(maxsize=64)
def _write_minute(minute: int, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(minute * 60, zone):%y%m%d%H%M}"


def write_receipt(  # noqa: PLR0913 - one argument per field of appendix B
    *,
    receipt_id: int | str,
    source: str,
    destination: str,
    state: ReceiptState,
    error: str,
    submitted_at: datetime,
    done_at: datetime,
    form: ReceiptForm,
    dialect: Dialect,
) -> tuple[DeliverSm, tuple[Tlv, ...]]:
    """Return the deliver_sm of a receipt; `receipt_id` is a number to write in the dialect's bases, or a text."""

    def in_base(base: IdBase) -> str:
        return receipt_id if isinstance(receipt_id, str) else write_message_id(receipt_id, base)

    tlvs: tuple[Tlv, ...] = ()
    text = ""
    if form is not ReceiptForm.TEXT:
        base = dialect.id_in_receipt_tlv or dialect.id_in_response
        tlvs = (Tlv(Tag.RECEIPTED_MESSAGE_ID, in_base(base)), Tlv(Tag.MESSAGE_STATE, NUMBER_OF[state]))
    if form is not ReceiptForm.TLV:
        zone = dialect.receipt_zone
        text = write_receipt_text(
            message_id=in_base(dialect.id_in_receipt),
            parts=1,
            delivered=int(state is ReceiptState.DELIVERED),
            submitted=_write_date(submitted_at, zone),
            done=_write_date(done_at, zone),
            state=WORD_OF[state],
            error=error,
        )
    return DeliverSm(
        source_addr_ton=_INTERNATIONAL,
        source_addr_npi=_ISDN,
        source_addr=source,
        destination_addr=destination,
        esm_class=_RECEIPT,
        short_message=text.encode("latin-1"),
    ), tlvs


def _written(number: str, form: NumberForm, dialect: Dialect) -> str:
    """Return a number in the carrier's form; what has no plus stays as it is."""
    return write_number(number.removeprefix("+"), form, dialect) if number.startswith("+") else number


def write_inbound(
    source: str, destination: str, encoded: EncodedText, dialect: Dialect, reference: int = 0
) -> list[tuple[DeliverSm, tuple[Tlv, ...]]]:
    """Return the deliver_sm of every part of an inbound SMS, split in the dialect's way."""
    found = []
    for part in encoded_parts(encoded, reference):
        udh, octets = part.udh, part.payload
        tlvs: tuple[Tlv, ...] = ()
        if udh and dialect.long_messages is LongMessages.SAR:
            place = read_place(udh)
            tlvs = (
                Tlv(Tag.SAR_MSG_REF_NUM, place.reference or 0),
                Tlv(Tag.SAR_TOTAL_SEGMENTS, place.total),
                Tlv(Tag.SAR_SEGMENT_SEQNUM, place.index),
            )
            udh = b""
        coding = dialect.ucs2_data_coding
        if encoded.alphabet is Alphabet.GSM7:
            coding = dialect.default_data_coding
            octets = write_septets(octets, dialect.read_alphabet, udh)
        message = udh + octets
        if dialect.long_messages is LongMessages.MESSAGE_PAYLOAD:
            tlvs, message = (Tlv(Tag.MESSAGE_PAYLOAD, message),), b""
        body = DeliverSm(
            source_addr_ton=dialect.destination_ton,
            source_addr_npi=_ISDN,
            source_addr=_written(source, dialect.destination_form, dialect),
            dest_addr_ton=dialect.numeric_ton if destination.startswith("+") else 0,
            dest_addr_npi=_ISDN,
            destination_addr=_written(destination, dialect.numeric_form, dialect),
            esm_class=_UDH_INDICATOR if udh else 0,
            data_coding=coding,
            short_message=message,
        )
        found.append((body, tlvs))
    return found
