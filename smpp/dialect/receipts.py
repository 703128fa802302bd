"""Delivery receipts: recognises one in a deliver_sm or data_sm, and reads its text and parameters.

An intermediate notification is read as a receipt with the state ENROUTE, whatever it says: it is not final, so it must
not end a message. If the number and the word of a state differ, the final one counts. Not here: what a receipt does to
a message (sms.lifecycle). Standard: SMPP 3.4 §5.2.12 (esm_class), §5.2.28 (message_state), appendix B (the text,
«vendor specific», so it is read tolerantly).
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from zoneinfo import ZoneInfo

from smpp.dialect.charges import read_charges
from smpp.dialect.dialect import Dialect, IdSource
from smpp.dialect.fragments import message_octets, read_text, split_header
from smpp.dialect.numbers import read_number
from smpp.dialect.submissions import normalise_id
from smpp.wire.bodies import DataSm, DeliverSm
from smpp.wire.pdu import Pdu
from smpp.wire.tlv import Tag, TlvValue
from sms.bounded_regex import compile_bounded
from sms.lifecycle import INTERMEDIATE
from sms.message import Receipt, ReceiptState

_RECEIPTED_MESSAGE_ID: int = Tag.RECEIPTED_MESSAGE_ID
_MESSAGE_STATE: int = Tag.MESSAGE_STATE
_NETWORK_ERROR_CODE: int = Tag.NETWORK_ERROR_CODE
_MESSAGE_PAYLOAD: int = Tag.MESSAGE_PAYLOAD
_TYPE_BITS = 0x3C  # §5.2.12: bits 5 to 2
_UDH_INDICATOR = 0x40
_RECEIPT, _INTERMEDIATE = 0x04, 0x20
_NO_NUMBER = -1
_MOST_DIGITS = 20  # §4.6.1: a source_addr without its NUL

# §5.2.28; 0 (scheduled) and 9 (skipped: accepted, and not sent on purpose) are of SMPP 5.0.
STATES: Mapping[int, ReceiptState] = MappingProxyType(
    {
        0: ReceiptState.ENROUTE,
        1: ReceiptState.ENROUTE,
        2: ReceiptState.DELIVERED,
        3: ReceiptState.EXPIRED,
        4: ReceiptState.DELETED,
        5: ReceiptState.UNDELIVERABLE,
        6: ReceiptState.ACCEPTED,
        7: ReceiptState.UNKNOWN,
        8: ReceiptState.REJECTED,
        9: ReceiptState.UNDELIVERABLE,
    }
)

NUMBER_OF: Mapping[ReceiptState, int] = MappingProxyType(
    {state: number for number, state in STATES.items() if 1 <= number <= 8}
)
# Appendix B.
WORD_OF: Mapping[ReceiptState, str] = MappingProxyType(
    {
        ReceiptState.ENROUTE: "ENROUTE",
        ReceiptState.DELIVERED: "DELIVRD",
        ReceiptState.EXPIRED: "EXPIRED",
        ReceiptState.DELETED: "DELETED",
        ReceiptState.UNDELIVERABLE: "UNDELIV",
        ReceiptState.ACCEPTED: "ACCEPTD",
        ReceiptState.UNKNOWN: "UNKNOWN",
        ReceiptState.REJECTED: "REJECTD",
    }
)
# The same, and words that carriers write instead.
WORDS: Mapping[str, ReceiptState] = MappingProxyType(
    {
        **{word: state for state, word in WORD_OF.items()},
        "DELIVERED": ReceiptState.DELIVERED,
        "DELIVERD": ReceiptState.DELIVERED,
        "UNDELIVERED": ReceiptState.UNDELIVERABLE,
        "UNDELIVERABLE": ReceiptState.UNDELIVERABLE,
        "UNDELIVRD": ReceiptState.UNDELIVERABLE,
        "FAILED": ReceiptState.UNDELIVERABLE,
        "SKIPPED": ReceiptState.UNDELIVERABLE,
        "ACCEPTED": ReceiptState.ACCEPTED,
        "ACCEPT": ReceiptState.ACCEPTED,
        "ACKED": ReceiptState.ACCEPTED,
        "REJECTED": ReceiptState.REJECTED,
        "REJECT": ReceiptState.REJECTED,
        "REJECTE": ReceiptState.REJECTED,
        "EXPIRD": ReceiptState.EXPIRED,
        **dict.fromkeys(
            (
                "BUFFERED",
                "BUFFRED",
                "BUFFERD",
                "QUEUED",
                "PENDING",
                "SENT",
                "ENROUT",
                "EN_ROUTE",
                "SCHEDULED",
                "SCHEDLD",
            ),
            ReceiptState.ENROUTE,
        ),
        # Some write the number instead of the word.
        **{str(number): state for number, state in STATES.items()},
    }
)
# What may surround the value of a field, such as commas.
_AROUND = " \t\r\n,;'\""


def write_receipt_text(  # noqa: PLR0913 - one argument per field of appendix B
    *, message_id: str, parts: int, delivered: int, submitted: str, done: str, state: str, error: str, text: str = ""
) -> str:
    """Return the text of a receipt with all fields of appendix B in their order."""
    return (
        f"id:{message_id} sub:{parts:03} dlvrd:{delivered:03} submit date:{submitted} done date:{done}"
        f" stat:{state} err:{error} text:{text}"
    )


class DeliveryKind(StrEnum):
    """What a deliver_sm or data_sm brings."""

    MESSAGE = "message"
    RECEIPT = "receipt"
    INTERMEDIATE = "intermediate"


def kind_of(pdu: Pdu, dialect: Dialect) -> DeliveryKind:
    """Return what the PDU brings: by its esm_class, or by its parameters if the carrier forgot the bit.

    Its text counts only if the dialect says that the carrier marks no receipts, or if its esm_class is that of another
    acknowledgement (§5.2.12: of a handset, of its user), which some carriers use.
    """
    body = pdu.body
    if not isinstance(body, (DeliverSm, DataSm)):
        return DeliveryKind.MESSAGE
    bits = body.esm_class & _TYPE_BITS
    if bits & _RECEIPT:
        return DeliveryKind.RECEIPT
    if bits == _INTERMEDIATE:
        return DeliveryKind.INTERMEDIATE
    if pdu.tlvs and pdu.text(Tag.RECEIPTED_MESSAGE_ID) and pdu.integer(Tag.MESSAGE_STATE) is not None:
        return DeliveryKind.RECEIPT
    if (bits or dialect.receipts_unmarked) and _reads_as_receipt(pdu, body, dialect):
        return DeliveryKind.RECEIPT
    return DeliveryKind.MESSAGE


def _reads_as_receipt(pdu: Pdu, body: DeliverSm | DataSm, dialect: Dialect) -> bool:
    """Return whether the text has the form of appendix B: its id first, and a date and a known state."""
    octets = message_octets(pdu)[1]
    fields = _read_by_pattern(octets, body, dialect)
    if not fields:
        text = _legible(octets, body, dialect)
        fields = parse_receipt_text(text)
        if text[:3].lower() != "id:" or "donedate" not in fields:
            return False
    word = fields.get("stat", "").upper()
    return bool(fields.get("id")) and (word in WORDS or word in dialect.receipt_states)


# Appendix B as nearly every carrier writes it; the tolerant reader takes anything else.
_USUAL = re.compile(
    r"id:([^ :]+) sub:\S* dlvrd:\S* submit date:\S* done date:(\d+) stat:([A-Za-z]+) err:(\w*)(?: [Tt]ext:|$)"
).match
_KEY = re.compile(r"(?<![A-Za-z])(id|sub|dlvrd|submit[ _]?date|done[ _]?date|stat|err|text)\s*:", re.IGNORECASE)


def parse_receipt_text(text: str) -> Mapping[str, str]:
    """Return the fields of a receipt's text by name in lower case without blanks: any order, case, spacing, gaps.

    A field ends where the next begins; anything before the first is ignored, and `text:` takes the rest unless the id
    follows. Names: id, sub, dlvrd, submitdate, donedate, stat, err, text.
    """
    found: dict[str, str] = {}
    text = text.replace("\0", " ")
    name, begin = "", 0
    for match in _KEY.finditer(text):
        if name == "text" and "id" in found:
            break
        if name:
            found.setdefault(name, text[begin : match.start()].strip(_AROUND))
        name, begin = re.sub(r"[ _]", "", match[1].lower()), match.end()
    if name:
        found.setdefault(name, text[begin:].strip(_AROUND))
    return found


@lru_cache(maxsize=2048)
def parse_receipt_date(text: str, zone: ZoneInfo) -> datetime | None:
    """Return the instant of `YYMMDDhhmm[ss]` or `YYYYMMDDhhmmss` in the zone; None if it is neither.

    Cached: the receipts of a minute all have the same date.
    """
    digits = re.sub(r"[^0-9]", "", text)
    form = {10: "%y%m%d%H%M", 12: "%y%m%d%H%M%S", 14: "%Y%m%d%H%M%S"}.get(len(digits))
    if form is None:
        return None
    try:
        return datetime.strptime(digits, form).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def parse_absolute_time(text: str) -> datetime | None:
    """Return the instant of `YYMMDDhhmmsstnnp` (§7.1.1.1), None if it is empty or anything else.

    Local time is nn quarters of an hour ahead of UTC (p is +) or behind it (p is -).
    """
    match = re.fullmatch(r"([0-9]{12})[0-9]([0-9]{2})([+-])", text)
    if match is None:
        return None
    local = parse_receipt_date(match[1], ZoneInfo("UTC"))
    ahead = timedelta(minutes=15 * int(match[2]))
    return None if local is None else local - (ahead if match[3] == "+" else -ahead)


def read_receipt(pdu: Pdu, carrier: str, dialect: Dialect) -> Receipt | None:
    """Return the receipt in the PDU, None if it names no message; `carrier` is the operator's name for it.

    An intermediate notification (§5.2.12) is one with the state ENROUTE; its error is the reason of the delay.
    """
    body = pdu.body
    if not isinstance(body, (DeliverSm, DataSm)):
        raise TypeError(f"{pdu.command.name} is no receipt")
    octets = b"" if isinstance(body, DataSm) else body.short_message
    tlv_id: TlvValue = ""
    number_of_state = _NO_NUMBER
    network_error: TlvValue = b""
    for tag, value in pdu.tlvs:
        if tag == _RECEIPTED_MESSAGE_ID:
            tlv_id = value
        elif tag == _MESSAGE_STATE:
            number_of_state = value if isinstance(value, int) else _NO_NUMBER
        elif tag == _NETWORK_ERROR_CODE:
            network_error = value
        elif tag == _MESSAGE_PAYLOAD and not octets:
            octets = value if isinstance(value, bytes) else b""
    words: Mapping[str, str] = {}
    usual = None if dialect.receipt_pattern else _USUAL(octets.decode("latin-1"))
    if usual is not None:
        text_id, date, word, error = usual.groups()
    else:
        words = _read_words(octets, body, dialect)
        text_id, date, word, error = (words.get(name, "") for name in ("id", "donedate", "stat", "err"))
    carrier_id = _choose_id(tlv_id, text_id, dialect)
    if not carrier_id:
        return None
    if not error and isinstance(network_error, bytes) and network_error:
        error = str(int.from_bytes(network_error[1:], "big"))  # §5.3.2.31: network type, then the error
    charges = read_charges(pdu.tlvs, dialect, words)
    return Receipt(
        carrier=carrier,
        carrier_id=carrier_id,
        state=_decide_state(body.esm_class, word.upper(), number_of_state, dialect),
        error=error,
        number=_read_handset(body, dialect),
        done_at=parse_receipt_date(date, dialect.receipt_zone),
        word=word or _word_of_number(number_of_state),
        network=charges.network,
        price=charges.price,
    )


def _choose_id(tlv_id: TlvValue, text_id: str, dialect: Dialect) -> str:
    """Return the normalised id of the parameter or of the text, whichever counts."""
    if tlv_id and not (text_id and dialect.receipt_id_from is IdSource.TEXT):
        return normalise_id(str(tlv_id), dialect.id_in_receipt_tlv or dialect.id_in_response)
    return normalise_id(text_id, dialect.id_in_receipt)


def _read_handset(body: DeliverSm | DataSm, dialect: Dialect) -> str:
    """Return the digits of the handset's number, empty if the receipt has none."""
    ton, address = body.source_addr_ton, body.source_addr
    if dialect.receipt_number_is_destination:
        ton, address = body.dest_addr_ton, body.destination_addr
    number = read_number(ton, address, dialect).removeprefix("+")
    return number if number.isdecimal() and len(number) <= _MOST_DIGITS else ""


def _word_of_number(number: int) -> str:
    state = STATES.get(number)
    if state is not None:
        return WORD_OF[state]
    return "" if number == _NO_NUMBER else str(number)


def _decide_state(esm_class: int, word: str, number: int, dialect: Dialect) -> ReceiptState:
    """Return the state: the operator's meaning of the word counts first, then the parameter, then appendix B."""
    if esm_class & _TYPE_BITS == _INTERMEDIATE:
        return ReceiptState.ENROUTE
    own = dialect.receipt_states.get(word)
    if own is not None:
        return own
    told = [state for state in (STATES.get(number), WORDS.get(word)) if state is not None]
    return next((state for state in told if state not in INTERMEDIATE), told[0] if told else ReceiptState.OTHER)


def _read_words(octets: bytes, body: DeliverSm | DataSm, dialect: Dialect) -> Mapping[str, str]:
    """Return the fields of a text: by the carrier's own pattern, else read tolerantly, with or without a header."""
    fields = _read_by_pattern(octets, body, dialect)
    if fields:
        return fields
    if body.esm_class & _UDH_INDICATOR:
        fields = parse_receipt_text(_legible(split_header(octets)[1], body, dialect))
    if not fields.get("id"):
        # Some carriers give a receipt the esm_class of its part, with the header bit, but no header.
        fields = parse_receipt_text(_legible(octets, body, dialect))
    return fields


PATTERN_GROUPS = ("id", "stat", "err", "done", "sub", "dlvrd", "network", "mcc", "mnc", "price", "currency")
_LONGEST_PATTERN = 400
_LONGEST_TEXT = 500


@lru_cache(maxsize=256)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return the regular expression of a carrier's receipts; raises RegexError with what is wrong with it."""
    return compile_bounded(
        pattern,
        longest=_LONGEST_PATTERN,
        longest_text=_LONGEST_TEXT,
        most_steps=2_000_000,  # some hundredths of a second, and most receipts take a few microseconds
        names=PATTERN_GROUPS,
    )


def _read_by_pattern(octets: bytes, body: DeliverSm | DataSm, dialect: Dialect) -> Mapping[str, str]:
    """Return what the groups of the carrier's pattern found, none where its text does not fit."""
    if not dialect.receipt_pattern:
        return {}
    regex = compile_pattern(dialect.receipt_pattern)
    texts = [octets.decode("latin-1"), read_text(octets, body.data_coding, dialect)]
    if body.esm_class & _UDH_INDICATOR:
        texts.append(split_header(octets)[1].decode("latin-1"))
    for text in texts:
        found = regex.search(text.replace("\0", " ")[:_LONGEST_TEXT])
        if found is not None:
            fields = {name: (value or "").strip(_AROUND) for name, value in found.groupdict().items()}
            return fields | {"donedate": fields.get("done", "")}
    return {}


def _legible(octets: bytes, body: DeliverSm | DataSm, dialect: Dialect) -> str:
    """Return the text of a receipt in any alphabet."""
    text = octets.decode("latin-1")
    if "id:" in text.lower():
        return text
    # farhadi/node-smpp#68: receipts in UCS-2 occur, although appendix B means the default alphabet.
    return read_text(octets, body.data_coding, dialect)
