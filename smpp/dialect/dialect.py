"""A carrier's dialect: all differences between SMPP 3.4 carriers, as one frozen value.

The operator's file has the same fields; docs/smpp-dialects.md says when to change which. Not here: writing a part
(submissions), reading receipts and inbound SMS (receipts, fragments), connections (client).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from smpp.dialect.parameters import Parameter
from smpp.wire.statuses import Meaning
from sms.alphabet import NOTHING, gsm7_without
from sms.message import ReceiptState


class WireAlphabet(StrEnum):
    """What the octets of a text are on a carrier's wire; UCS2_LE has the lower octet of each unit first."""

    GSM7 = "gsm7"
    GSM7_PACKED = "gsm7-packed"
    LATIN1 = "latin-1"
    WINDOWS_1252 = "windows-1252"
    ASCII = "ascii"
    UTF8 = "utf-8"
    UCS2 = "ucs2"
    UCS2_LE = "ucs2-le"


class SubmitWith(StrEnum):
    """Which request carries a part: submit_sm, as usual, or data_sm (§4.7) with the text in a parameter."""

    SUBMIT_SM = "submit-sm"
    DATA_SM = "data-sm"


class LongMessages(StrEnum):
    """How a part of several is marked, or that the carrier takes the whole text and splits it itself."""

    UDH = "udh"
    SAR = "sar"
    MESSAGE_PAYLOAD = "message-payload"
    WHOLE = "whole"


class ValidityFormat(StrEnum):
    """How validity_period is written (§7.1.1); NONE leaves it to the carrier."""

    NONE = "none"
    RELATIVE = "relative"
    ABSOLUTE = "absolute"


class IdBase(StrEnum):
    """What a message id is: a text, compared with or without its case, or a number in this base."""

    TEXT = "text"
    TEXT_ANY_CASE = "text-any-case"
    DECIMAL = "decimal"
    HEX = "hex"


class IdSource(StrEnum):
    """Which of the two ids of a receipt counts if it has both."""

    TLV = "tlv"
    TEXT = "text"


class ReceiptFor(StrEnum):
    """What one receipt for a text of several parts covers: the part that it names, or the whole text."""

    PART = "part"
    MESSAGE = "message"


class ReceiptRequest(StrEnum):
    """With which parts of a long text the receipt is asked for: each, or the last alone."""

    EACH_PART = "each-part"
    LAST_PART = "last-part"


class NumberForm(StrEnum):
    """How a number is written: 447700900123, +447700900123, 00447700900123, or 07700900123 in its own country."""

    PLAIN = "plain"
    PLUS = "plus"
    DOUBLE_ZERO = "00"
    NATIONAL = "national"


class InterfaceVersion(StrEnum):
    """interface_version of the bind (§5.2.4); a centre sends no optional parameters to one of 3.3."""

    SMPP_3_3 = "3.3"
    SMPP_3_4 = "3.4"
    SMPP_5_0 = "5.0"

    @property
    def octet(self) -> int:
        """The octet of the bind, such as 0x34."""
        return int(self.value.replace(".", ""), 16)


_UTC: Final = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How to talk to one carrier; the defaults are plain SMPP 3.4."""

    interface_version: InterfaceVersion = InterfaceVersion.SMPP_3_4
    """interface_version of the bind. 3.3 knows no optional parameters and no transceiver (`bind = "pair"`)."""
    system_type: str = ""
    """system_type of the bind; some carriers route by it."""
    address_range: str = ""
    """address_range of the bind: a pattern, as the carrier defines it, of the numbers whose inbound SMS it takes."""
    address_range_ton: int = 0
    """addr_ton of the bind."""
    address_range_npi: int = 0
    """addr_npi of the bind."""

    submit_with: SubmitWith = SubmitWith.SUBMIT_SM
    """Which request carries a part. data-sm has the text in message_payload, no priority, and its validity in
    qos_time_to_live, unless `validity_format` is none."""
    service_type: str = ""
    """service_type of every submit, at most 5 characters; some carriers sell routes by it."""
    numeric_ton: int = 1
    """TON of a sender that is a whole number (§5.2.5: 1 international)."""
    numeric_npi: int = 1
    """NPI of a sender that is a whole number (§5.2.6: 1 E.164)."""
    numeric_form: NumberForm = NumberForm.PLAIN
    """How a sender that is a whole number is written."""
    alphanumeric_ton: int = 5
    """TON of a sender of letters (5 alphanumeric)."""
    alphanumeric_npi: int = 0
    """NPI of a sender of letters (0 unknown)."""
    short_code_ton: int = 3
    """TON of a short code (3 network specific; 6 abbreviated and 0 are usual too)."""
    short_code_npi: int = 0
    """NPI of a short code."""
    destination_ton: int = 1
    """TON of the handset's number."""
    destination_npi: int = 1
    """NPI of the handset's number."""
    destination_form: NumberForm = NumberForm.PLAIN
    """How the handset's number is written. In receipts and inbound SMS numbers of the same forms are read."""
    country_code: str = ""
    """The carrier's country code, such as 44. National numbers are of this country; others have 00 before them."""
    trunk_prefix: str = "0"
    """What a national number has in place of the country code; empty where national numbers have nothing."""

    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    """Optional parameters of the carrier's own that it gets with each part, by names of the operator's choice. The
    setting `parameters` of customers, profiles, users and mails has their values, such as `template_id=1107`."""
    default_alphabet: WireAlphabet = WireAlphabet.GSM7
    """What the octets of a text in GSM-7 are. Characters of GSM-7 that Latin-1 or ASCII lacks, such as the euro sign,
    are treated as those that GSM-7 lacks (the setting `unencodable`)."""
    default_data_coding: int = 0x00
    """data_coding of a text in the default alphabet (3 if the carrier wants Latin-1 to be named)."""
    national_shift: bool = False
    """Whether it takes texts in national shift tables (3GPP TS 23.038 §6.2.1.2.4), whose header names the tables."""
    ucs2_alphabet: WireAlphabet = WireAlphabet.UCS2
    """What the octets of a text in UCS-2 are: ucs2, ucs2-le or utf-8."""
    ucs2_data_coding: int = 0x08
    """data_coding of a text in UCS-2."""
    inbound_alphabet: WireAlphabet | None = None
    """What data_coding 0 means in inbound SMS; where missing, the same as `default_alphabet`."""
    inbound_alphabets: Mapping[int, WireAlphabet] = field(default_factory=dict)
    """What other values of data_coding, or 0 without a guess, mean in inbound SMS, if not what the standard says."""
    flash_data_coding: int = 0x10
    """data_coding of a flash SMS in the default alphabet (3GPP TS 23.038 §4, class 0). If it names GSM-7, as 16 and 240
    do, the octets are GSM-7 whatever `default_alphabet` says; 20 names 8-bit data, where `default_alphabet` counts."""
    flash_ucs2_data_coding: int = 0x18
    """data_coding of a flash SMS in UCS-2."""
    esm_class: int = 0x00
    """Bits always set in esm_class (3 asks for store and forward by name); the header bit is added where needed."""
    long_messages: LongMessages = LongMessages.UDH
    """How a part of several is marked: header in the text, sar_* parameters, or header and text in message_payload.
    With whole the carrier gets the whole text in one message_payload, and splits it itself."""
    wide_reference: bool = False
    """Whether the parts of a long text have a 16-bit reference, so that each holds 152 septets or 66 units."""
    validity_format: ValidityFormat = ValidityFormat.RELATIVE
    """How the validity is written."""
    normal_priority_flag: int = 0
    """priority_flag of a normal SMS."""
    express_priority_flag: int = 1
    """priority_flag of an express SMS (§5.2.14)."""
    registered_delivery: int = 1
    """registered_delivery if a receipt is wanted (1: final states; 17: intermediate notifications too)."""
    no_registered_delivery: int = 0
    """registered_delivery if none is wanted."""

    receipt_request: ReceiptRequest = ReceiptRequest.EACH_PART
    """With which parts of a long text a receipt is asked for; last-part needs `receipt_for = "message"`."""

    id_in_response: IdBase = IdBase.TEXT
    """What the message_id of submit_sm_resp is."""
    id_in_receipt: IdBase = IdBase.TEXT
    """What `id:` in the text of a receipt is. Numbers of any base compare equal; a text equals only itself, unless
    both are `text-any-case`."""
    id_in_receipt_tlv: IdBase | None = None
    """What receipted_message_id is; None for the same as in the response."""
    receipt_id_from: IdSource = IdSource.TLV
    """Which id counts if a receipt has both; some carriers put another id into the parameter."""
    receipt_for: ReceiptFor = ReceiptFor.PART
    """What one receipt for a text of several parts covers: `message` if the carrier sends one for all parts."""
    receipt_pattern: str = ""
    """A regular expression for the text of its receipts, if that is not as in SMPP 3.4. Its groups are called id, stat,
    err, done, network, mcc, mnc, price and currency. A text that does not fit it is read as one of SMPP 3.4."""
    network_tags: tuple[int, ...] = ()
    """The tags of parameters whose values are MCC and MNC, one or two, in receipts and answers."""
    price_tags: tuple[int, ...] = ()
    """The tags of parameters whose values are the price and its currency, one or two, in receipts and answers."""
    receipt_states: Mapping[str, ReceiptState] = field(default_factory=dict)
    """Words of `stat:`, in upper case, to which this carrier gives its own meaning."""
    receipt_zone: ZoneInfo = _UTC
    """The zone of `done date:`."""
    receipt_number_is_destination: bool = False
    """Whether the handset of a receipt is destination_addr; the standard says source_addr."""
    receipts_unmarked: bool = False
    """Whether a text in the form of a receipt is one although neither esm_class nor a parameter says so. Only for a
    carrier that never marks receipts: any handset can write such a text. It is then stored as a receipt, not as an
    inbound SMS, and whoever guesses the id of an SMS can report it delivered."""
    query: bool = False
    """Whether it answers query_sm: then we ask once about a part before giving up its receipt."""

    statuses: Mapping[int, Meaning] = field(default_factory=dict)
    """What this carrier means by a command_status, if it differs from smpp.wire.statuses."""
    throttle_pause: timedelta = timedelta(seconds=1)
    """How long nothing is submitted after «throttled» or «queue full»."""

    @property
    def read_alphabet(self) -> WireAlphabet:
        """The encoding of an inbound text under data_coding 0."""
        return self.inbound_alphabet or self.default_alphabet

    def wire_alphabet(self, *, flash: bool) -> WireAlphabet:
        """Return the encoding of a text in the default alphabet: a flash SMS's data_coding may name GSM-7."""
        wire = self.default_alphabet
        if flash and wire is not WireAlphabet.GSM7_PACKED and names_gsm7(self.flash_data_coding):
            return WireAlphabet.GSM7
        return wire

    @property
    def lacking(self) -> frozenset[str]:
        """The characters of GSM-7 that the default alphabet lacks on this carrier's wire."""
        return _LACKING.get(self.default_alphabet, NOTHING)


def has_class(data_coding: int) -> bool:
    """Return whether a data_coding has a message class (3GPP TS 23.038 §4: 0001, 0011, 0101, 0111 and 1111)."""
    return data_coding & 0x90 == 0x10 or data_coding & 0xF0 == 0xF0


def named_alphabet(data_coding: int) -> str:
    """Return the alphabet that a data_coding names: gsm7, latin-1, ascii, ucs2; empty for others and the carrier's.

    Those without a message class are of SMPP 3.4 §5.2.19, the others of 3GPP TS 23.038 §4.
    """
    if not has_class(data_coding):
        return {1: "ascii", 3: "latin-1", 8: "ucs2"}.get(data_coding, "")
    bits = data_coding & 0x04 if data_coding & 0xF0 == 0xF0 else data_coding & 0x0C
    return {0x00: "gsm7", 0x08: "ucs2"}.get(bits, "")


def names_gsm7(data_coding: int) -> bool:
    """Return whether a data_coding names GSM-7, whatever the carrier's default alphabet is."""
    return named_alphabet(data_coding) == "gsm7"


CODECS: Final[Mapping[WireAlphabet, str]] = MappingProxyType(
    {
        WireAlphabet.LATIN1: "latin-1",
        WireAlphabet.WINDOWS_1252: "windows-1252",
        WireAlphabet.ASCII: "ascii",
        WireAlphabet.UTF8: "utf-8",
        WireAlphabet.UCS2: "utf-16-be",
        WireAlphabet.UCS2_LE: "utf-16-le",
    }
)
_LACKING: Final = MappingProxyType({wire: gsm7_without(codec) for wire, codec in CODECS.items()})
