"""One submit_sm, submit_multi or data_sm of an ESME → what it asks for, or the status that refuses it and why.

Nothing is guessed: what we can't do as asked is refused. A text goes out as its sender divided it: a header, sar_*
parameters and message_payload are kept. Not here: what is decided about it (gateway.plan). Standards: SMPP 3.4 §4.4,
§4.5, §4.7, §5.2, §5.3; 3GPP TS 23.038 §4; TS 23.040 §9.2.3.24.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, NamedTuple

from smpp.dialect.dialect import WireAlphabet, has_class, named_alphabet
from smpp.dialect.fragments import decode_text, message_octets, read_shifts
from smpp.server.times import parse_time, validity_until
from smpp.wire.bodies import DataSm, SubmitMulti, SubmitSm
from smpp.wire.fields import Address
from smpp.wire.pdu import Pdu
from smpp.wire.statuses import Status
from smpp.wire.tlv import Tag
from sms.esme import FINAL_BITS, INTERMEDIATE, EsmeOrigin, EsmeRequest
from sms.message import Alphabet, Header, Priority
from sms.number import SenderId, SenderKind, parse_sender_id
from sms.settings import UseCase

CUSTOMER_REFERENCE, COST_CENTRE, USE_CASE = 0x1400, 0x1401, 0x1402
"""Parameters of our own, as other providers have them: at most 100 characters each."""
_MOST_OF_OURS: Final = 100

_INTERNATIONAL, _ALPHANUMERIC = 1, 5
_NUMBERING_PLANS = frozenset({0, 1, 8, 9})  # §5.2.6: unknown, E.164, national, private
_TYPES_OF_NUMBER = frozenset({0, 1, 2, 3, 4, 6})  # §5.2.5, without letters
_MODE, _TRANSACTION = 0x03, 0x02
_TYPE_BITS = 0x3C
_DATA_SM_HEADER = 0x40
_ACKNOWLEDGEMENTS = 0x0C  # §5.2.17, bits 2 and 3: of the handset and of its user
_FLASH_CLASS = 0x03
_MOST_PRIORITY = 3
_PRIORITIES = MappingProxyType({1: Priority.NORMAL, 2: Priority.EXPRESS, 3: Priority.EXPRESS})
_BINARY = frozenset({0x02, 0x04})
_UNREADABLE = "\N{REPLACEMENT CHARACTER}"
_REFUSED_PARAMETERS = frozenset(
    {
        Tag.SOURCE_PORT,
        Tag.DESTINATION_PORT,
        Tag.USSD_SERVICE_OP,
        Tag.ITS_SESSION_INFO,
        Tag.ITS_REPLY_TYPE,
        Tag.SET_DPF,
    }
)
_CODECS = MappingProxyType({"latin-1": WireAlphabet.LATIN1, "ascii": WireAlphabet.ASCII, "gsm7": WireAlphabet.GSM7})


class Rejected(NamedTuple):
    """Why a submit is refused before anything is decided about it: the answer, and the cause for the log."""

    status: Status
    cause: str


class EsmeRecipient(NamedTuple):
    """One destination: as it was submitted, and the text of its number."""

    address: Address
    number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EsmeSubmit:
    """What an ESME wants sent. `options` are settings by name.

    `refused` are destinations that no SMS can have, with their statuses.
    """

    recipients: tuple[EsmeRecipient, ...]
    text: str
    options: Mapping[str, object]
    start_at: datetime | None
    reference: str
    request: EsmeRequest
    refused: tuple[tuple[Address, Status], ...] = ()


class _RejectedError(Exception):
    def __init__(self, status: Status, cause: str) -> None:
        super().__init__(cause)
        self.rejected = Rejected(status, cause)


Submit = SubmitSm | SubmitMulti | DataSm


def read_submit(pdu: Pdu, alphabet: WireAlphabet, bind: str, now: datetime) -> EsmeSubmit | Rejected:
    """Return what a submit asks for; `alphabet` is what data_coding 0 means here, `bind` the name of its bind."""
    body = pdu.body
    if not isinstance(body, (SubmitSm, SubmitMulti, DataSm)):
        raise TypeError(f"{pdu.command.name} submits nothing")
    try:
        return _read(pdu, body, alphabet, bind, now)
    except _RejectedError as error:
        return error.rejected


def _read(pdu: Pdu, body: Submit, alphabet: WireAlphabet, bind: str, now: datetime) -> EsmeSubmit:
    _check(pdu, body)
    recipients, refused = _read_recipients(body)
    text, header, coding = _read_text(pdu, body, alphabet)
    options: dict[str, object] = {}
    if coding is not None:
        options["coding"] = coding
    if _is_flash(pdu, body):
        options["flash"] = True
    sender_id = _read_source(body)
    if sender_id is not None:
        options["sender_id"] = sender_id
    if body.registered_delivery & (FINAL_BITS | INTERMEDIATE):
        options["delivery_receipt"] = True
    options |= _read_settings(pdu)
    start_at = None
    if isinstance(body, DataSm):
        lifetime = pdu.integer(Tag.QOS_TIME_TO_LIVE)
        expires_at = now + timedelta(seconds=lifetime) if lifetime else None
    else:
        start_at = _read_time(body.schedule_delivery_time, now, Status.RINVSCHED)
        expires_at = _read_time(body.validity_period, now, Status.RINVEXPIRY)
        if body.priority_flag:
            options["priority"] = _PRIORITIES[body.priority_flag]
    if expires_at is not None:
        validity = validity_until(expires_at, start_at, now)
        if validity is None:
            raise _RejectedError(Status.RINVEXPIRY, "the validity ends before it begins")
        options["validity"] = validity
    first = recipients[0].address if recipients else Address(0, 0, "")
    return EsmeSubmit(
        recipients=recipients,
        refused=refused,
        text=text,
        options=options,
        start_at=start_at,
        reference=_read_ours(pdu, CUSTOMER_REFERENCE),
        request=EsmeRequest(
            origin=EsmeOrigin(
                bind=bind,
                source=body.source_addr,
                source_ton=body.source_addr_ton,
                source_npi=body.source_addr_npi,
                destination_ton=first.ton,
                destination_npi=first.npi,
                user_message_reference=pdu.integer(Tag.USER_MESSAGE_REFERENCE),
            ),
            registered=body.registered_delivery,
            header=header,
        ),
    )


def _check(pdu: Pdu, body: Submit) -> None:
    """Refuse what we can't do as asked."""
    if body.esm_class & _MODE == _TRANSACTION or body.esm_class & _TYPE_BITS:
        raise _RejectedError(Status.RINVESMCLASS, f"esm_class is 0x{body.esm_class:02X}")
    if body.registered_delivery & _ACKNOWLEDGEMENTS:
        raise _RejectedError(Status.RINVREGDLVFLG, "acknowledgements of handsets are not offered")
    for tag, _ in pdu.tlvs:
        if tag in _REFUSED_PARAMETERS:
            raise _RejectedError(Status.ROPTPARNOTALLWD, f"parameter {Tag(tag).name.lower()} is not offered")
    if isinstance(body, DataSm):
        return
    if body.protocol_id:
        raise _RejectedError(Status.RSUBMITFAIL, f"protocol_id is 0x{body.protocol_id:02X}")
    if body.priority_flag > _MOST_PRIORITY:
        raise _RejectedError(Status.RINVPRTFLG, f"priority_flag is {body.priority_flag}")
    if body.replace_if_present_flag:
        raise _RejectedError(Status.RINVREPFLAG, "replace_if_present_flag is not offered: use replace_sm")
    if body.sm_default_msg_id:
        raise _RejectedError(Status.RINVDFTMSGID, "there are no canned texts")


def _read_recipients(body: Submit) -> tuple[tuple[EsmeRecipient, ...], tuple[tuple[Address, Status], ...]]:
    if not isinstance(body, SubmitMulti):
        address = Address(body.dest_addr_ton, body.dest_addr_npi, body.destination_addr)
        status = _find_fault(address)
        if status is not None:
            raise _RejectedError(status, "the destination is no number of a handset")
        return (EsmeRecipient(address, _number_of(address)),), ()
    good: list[EsmeRecipient] = []
    bad: list[tuple[Address, Status]] = []
    for destination in body.dest_addresses:
        if not isinstance(destination, Address):
            bad.append((Address(0, 0, destination.name), Status.RINVDLNAME))
            continue
        status = _find_fault(destination)
        if status is None:
            good.append(EsmeRecipient(destination, _number_of(destination)))
        else:
            bad.append((destination, status))
    return tuple(good), tuple(bad)


def _find_fault(address: Address) -> Status | None:
    if address.ton not in _TYPES_OF_NUMBER:
        return Status.RINVDSTTON
    if address.npi not in _NUMBERING_PLANS:
        return Status.RINVDSTNPI
    return None if address.address else Status.RINVDSTADR


def _number_of(address: Address) -> str:
    """Return the text of a number: one that is called international has a plus, unless it has a prefix already."""
    if address.ton == _INTERNATIONAL and address.address[:1] not in ("+", "0"):
        return f"+{address.address}"
    return address.address


def _read_source(body: Submit) -> SenderId | None:
    """Return the sender ID, None where the login's own counts."""
    if not body.source_addr:
        return None
    if body.source_addr_ton == _ALPHANUMERIC:
        given = parse_sender_id(body.source_addr)
        if given is None or len(body.source_addr) > 11:
            raise _RejectedError(Status.RINVSRCADR, "no network can show this source_addr")
        return SenderId(value=given.value, kind=SenderKind.ALPHANUMERIC) if not given.value.isdecimal() else given
    if body.source_addr_ton not in _TYPES_OF_NUMBER:
        raise _RejectedError(Status.RINVSRCTON, f"source_addr_ton is {body.source_addr_ton}")
    if body.source_addr_npi not in _NUMBERING_PLANS:
        raise _RejectedError(Status.RINVSRCNPI, f"source_addr_npi is {body.source_addr_npi}")
    sender_id = parse_sender_id(_number_of(Address(body.source_addr_ton, 0, body.source_addr)))
    if sender_id is None:
        raise _RejectedError(Status.RINVSRCADR, "no network can show this source_addr")
    return sender_id


def _read_text(pdu: Pdu, body: Submit, alphabet: WireAlphabet) -> tuple[str, Header | None, Alphabet | None]:
    """Return the text, its header, and the alphabet that its sender chose; None where our settings choose."""
    octets = b"" if isinstance(body, DataSm) else body.short_message
    if octets and pdu.octets(Tag.MESSAGE_PAYLOAD):
        raise _RejectedError(Status.RINVMSGLEN, "short_message and message_payload both have a text")
    udh, octets = message_octets(pdu)
    if body.esm_class & _DATA_SM_HEADER and not udh:
        raise _RejectedError(Status.RINVESMCLASS, "esm_class names a header, and the text has none")
    udh = udh or _read_sar(pdu)
    text, coding = _decode(octets, body.data_coding, alphabet, udh)
    if not udh:
        return text, None, coding
    shifts = read_shifts(udh)
    return text, Header(octets=udh, shifts=shifts), coding or Alphabet.GSM7


def _decode(octets: bytes, data_coding: int, default: WireAlphabet, udh: bytes) -> tuple[str, Alphabet | None]:
    named = named_alphabet(data_coding)
    if named == "ucs2":
        if len(octets) % 2:
            raise _RejectedError(Status.RINVMSGLEN, "a text in UCS-2 has an odd number of octets")
        return octets.decode("utf-16-be", "replace"), Alphabet.UCS2
    wire = default if data_coding == 0 else _CODECS.get(named)
    if wire is None:
        kind = "8-bit data" if data_coding in _BINARY or has_class(data_coding) else "an alphabet that is not offered"
        raise _RejectedError(Status.RSUBMITFAIL, f"data_coding {data_coding} means {kind}")
    text = decode_text(octets, wire, udh)
    if _UNREADABLE in text:
        raise _RejectedError(Status.RSUBMITFAIL, f"the text has octets that mean nothing in {wire}")
    return text, Alphabet.GSM7 if wire is WireAlphabet.GSM7 else None


def _read_sar(pdu: Pdu) -> bytes:
    """Return the header that sar_* parameters stand for; its reference has 8 bits (3GPP TS 23.040 §9.2.3.24.1)."""
    reference = pdu.integer(Tag.SAR_MSG_REF_NUM)
    if reference is None:
        return b""
    total, index = pdu.integer(Tag.SAR_TOTAL_SEGMENTS) or 0, pdu.integer(Tag.SAR_SEGMENT_SEQNUM) or 0
    if not 1 <= index <= total:
        raise _RejectedError(Status.RINVOPTPARAMVAL, f"sar_segment_seqnum is {index} of {total}")
    return bytes((5, 0, 3, reference & 0xFF, total, index)) if total > 1 else b""


def _is_flash(pdu: Pdu, body: Submit) -> bool:
    by_class = has_class(body.data_coding) and not body.data_coding & _FLASH_CLASS
    return by_class or pdu.integer(Tag.DISPLAY_TIME) == 0


def _read_time(text: str, now: datetime, status: Status) -> datetime | None:
    if not text:
        return None
    instant = parse_time(text, now)
    if instant is None:
        raise _RejectedError(status, f"{text} is no time: expected YYMMDDhhmmsstnnp")
    return instant


def _read_settings(pdu: Pdu) -> dict[str, object]:
    """Return the settings that parameters of ours name."""
    options: dict[str, object] = {}
    cost_centre, use_case = _read_ours(pdu, COST_CENTRE), _read_ours(pdu, USE_CASE)
    if cost_centre:
        options["cost_centre"] = cost_centre
    if use_case:
        if use_case not in set(UseCase):
            raise _RejectedError(Status.RINVOPTPARAMVAL, f"parameter 0x{USE_CASE:04X} is none of {', '.join(UseCase)}")
        options["use_case"] = UseCase(use_case)
    return options


def _read_ours(pdu: Pdu, tag: int) -> str:
    octets = pdu.octets(tag) or b""
    try:
        text = octets.rstrip(b"\0").decode()
    except UnicodeDecodeError:
        text = octets.rstrip(b"\0").decode("latin-1")
    if len(text) > _MOST_OF_OURS:
        raise _RejectedError(Status.RINVPARLEN, f"parameter 0x{tag:04X} is longer than {_MOST_OF_OURS} characters")
    if not text.isprintable():
        raise _RejectedError(Status.RINVOPTPARAMVAL, f"parameter 0x{tag:04X} has a character that can't be shown")
    return text
