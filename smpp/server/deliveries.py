"""The deliver_sm that an ESME gets: a receipt with its text and parameters, or an inbound SMS.

A receipt names nothing but what SMPP 3.4 has, since clients break on anything else: the full text of appendix B, in
GSM-7, and both parameters. One of ours stands only where a receipt says more than it is worth. Not here: when and over
which bind it goes (courier). Standards: SMPP 3.4 §4.6.1, §5.2.12, appendix B.
"""

from datetime import UTC, datetime
from typing import Final

from inbound.report import InboundReport
from smpp.dialect.receipts import NUMBER_OF, WORD_OF, write_receipt_text
from smpp.server.statuses import error_digits
from smpp.wire.bodies import DeliverSm
from smpp.wire.fields import Address
from smpp.wire.tlv import Tag, Tlv
from sms.alphabet import encode_gsm7
from sms.esme import EsmeReceipt
from sms.message import ReceiptState

RECEIPT_WORTH: Final = 0x1403
"""What a receipt that says «delivered» is worth in the recipient's country, where that is less than it says."""

_RECEIPT, _INTERMEDIATE = 0x04, 0x20
_MOST_OF_TEXT = 20  # appendix B
_UCS2 = 0x08
_MOST_OCTETS, _MOST_ADDRESS = 254, 20  # §5.2.21, §5.2.8
_INTERNATIONAL, _ALPHANUMERIC, _ISDN = 1, 5, 1
_LEAST_DIGITS = 7


def write_receipt(receipt: EsmeReceipt) -> tuple[DeliverSm, tuple[Tlv, ...]]:
    """Return the deliver_sm of a receipt: its addresses are those of the submit, the other way round."""
    origin = receipt.origin
    text = write_receipt_text(
        message_id=receipt.message_id,
        parts=receipt.parts,
        delivered=receipt.delivered,
        submitted=_date(receipt.submitted_at),
        done=_date(receipt.done_at),
        state=WORD_OF[receipt.state],
        error=error_digits(receipt.error, receipt.reason),
        text=_in_gsm7(receipt.text[:_MOST_OF_TEXT]),
    )
    tlvs: tuple[Tlv, ...] = (
        Tlv(Tag.RECEIPTED_MESSAGE_ID, receipt.message_id),
        Tlv(Tag.MESSAGE_STATE, NUMBER_OF[receipt.state]),
    )
    if origin.user_message_reference is not None:
        tlvs = (*tlvs, Tlv(Tag.USER_MESSAGE_REFERENCE, origin.user_message_reference))
    if receipt.worth and receipt.state is ReceiptState.DELIVERED:
        # The last one: a client that gives up at a tag it does not know has read the others.
        tlvs = (*tlvs, Tlv(RECEIPT_WORTH, receipt.worth.encode("ascii") + b"\0"))
    body = DeliverSm(
        source_addr_ton=origin.destination_ton,
        source_addr_npi=origin.destination_npi,
        source_addr=receipt.recipient,
        dest_addr_ton=origin.source_ton,
        dest_addr_npi=origin.source_npi,
        destination_addr=origin.source,
        esm_class=_INTERMEDIATE if receipt.intermediate else _RECEIPT,
        short_message=text.encode("ascii"),
    )
    return body, tlvs


def write_inbound(report: InboundReport) -> tuple[DeliverSm, tuple[Tlv, ...]]:
    """Return the deliver_sm of an inbound SMS, whole: a text that is too long for short_message is in message_payload.

    Its data_coding is 0 where its octets mean the same in every alphabet that a door may have, else 8 (UCS-2).
    """
    is_plain = report.text == _in_gsm7(report.text)
    octets = report.text.encode("ascii") if is_plain else report.text.encode("utf-16-be", "replace")
    is_short = len(octets) <= _MOST_OCTETS
    source, own = _address(report.phone), _address(report.own_number)
    body = DeliverSm(
        source_addr_ton=source.ton,
        source_addr_npi=source.npi,
        source_addr=source.address,
        dest_addr_ton=own.ton,
        dest_addr_npi=own.npi,
        destination_addr=own.address,
        data_coding=0 if is_plain else _UCS2,
        short_message=octets if is_short else b"",
    )
    return body, () if is_short else (Tlv(Tag.MESSAGE_PAYLOAD, octets),)


def _address(text: str) -> Address:
    """Return a number or a name with its type; what has few digits is a short code."""
    if not text.isdecimal():
        return Address(_ALPHANUMERIC, 0, text.encode("latin-1", "replace").decode("latin-1")[:_MOST_ADDRESS])
    return Address(_INTERNATIONAL, _ISDN, text) if len(text) >= _LEAST_DIGITS else Address(0, _ISDN, text)


def _date(at: datetime) -> str:
    return f"{at.astimezone(UTC):%y%m%d%H%M}"


def _in_gsm7(text: str) -> str:
    """Return the beginning of a text in characters that ASCII and GSM-7 write with the same octet; others as `?`."""
    return "".join(
        letter if encode_gsm7(letter) == letter.encode("utf-8") and letter >= " " else "?" for letter in text
    )
