"""The commands of SMPP 3.4 and the bodies of their PDUs: field specifications as data (§4, §5.1.2.1).

A body's annotations are its wire format, in order. Bodies are NamedTuples: they are made by the hundred thousand, and
`_make` costs a fifth of a frozen dataclass. Not here: the codec that uses these specifications (pdu).
"""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Annotated, NamedTuple

from smpp.wire.fields import (
    Address,
    CString,
    Integer,
    ListName,
    ShortMessage,
    SubmitDestinations,
    Unsuccessful,
    UnsuccessfulAddress,
)
from smpp.wire.statuses import Status

INTERFACE_VERSION = 0x34
RESPONSE_BIT = 0x80000000


class Command(IntEnum):
    """Every command_id of §5.1.2.1."""

    GENERIC_NACK = 0x80000000
    BIND_RECEIVER = 0x00000001
    BIND_RECEIVER_RESP = 0x80000001
    BIND_TRANSMITTER = 0x00000002
    BIND_TRANSMITTER_RESP = 0x80000002
    QUERY_SM = 0x00000003
    QUERY_SM_RESP = 0x80000003
    SUBMIT_SM = 0x00000004
    SUBMIT_SM_RESP = 0x80000004
    DELIVER_SM = 0x00000005
    DELIVER_SM_RESP = 0x80000005
    UNBIND = 0x00000006
    UNBIND_RESP = 0x80000006
    REPLACE_SM = 0x00000007
    REPLACE_SM_RESP = 0x80000007
    CANCEL_SM = 0x00000008
    CANCEL_SM_RESP = 0x80000008
    BIND_TRANSCEIVER = 0x00000009
    BIND_TRANSCEIVER_RESP = 0x80000009
    OUTBIND = 0x0000000B
    ENQUIRE_LINK = 0x00000015
    ENQUIRE_LINK_RESP = 0x80000015
    SUBMIT_MULTI = 0x00000021
    SUBMIT_MULTI_RESP = 0x80000021
    ALERT_NOTIFICATION = 0x00000102
    DATA_SM = 0x00000103
    DATA_SM_RESP = 0x80000103


Octet = Annotated[int, Integer()]
SourceTon = Annotated[int, Integer(status=Status.RINVSRCTON)]
SourceNpi = Annotated[int, Integer(status=Status.RINVSRCNPI)]
DestTon = Annotated[int, Integer(status=Status.RINVDSTTON)]
DestNpi = Annotated[int, Integer(status=Status.RINVDSTNPI)]
EsmClass = Annotated[int, Integer(status=Status.RINVESMCLASS)]
PriorityFlag = Annotated[int, Integer(status=Status.RINVPRTFLG)]
RegisteredDelivery = Annotated[int, Integer(status=Status.RINVREGDLVFLG)]
ReplaceIfPresent = Annotated[int, Integer(status=Status.RINVREPFLAG)]
DefaultMessageId = Annotated[int, Integer(status=Status.RINVDFTMSGID)]
SystemId = Annotated[str, CString(16, Status.RINVSYSID, loose=True)]
Password = Annotated[str, CString(9, Status.RINVPASWD, loose=True)]
SystemType = Annotated[str, CString(13, Status.RINVSYSTYP, loose=True)]
AddressRange = Annotated[str, CString(41, loose=True)]
ServiceType = Annotated[str, CString(6, Status.RINVSERTYP, loose=True)]
SourceAddr = Annotated[str, CString(21, Status.RINVSRCADR)]
DestAddr = Annotated[str, CString(21, Status.RINVDSTADR)]
LongSourceAddr = Annotated[str, CString(65, Status.RINVSRCADR)]
LongDestAddr = Annotated[str, CString(65, Status.RINVDSTADR)]
ScheduleTime = Annotated[str, CString(17, Status.RINVSCHED)]
ValidityPeriod = Annotated[str, CString(17, Status.RINVEXPIRY)]
MessageId = Annotated[str, CString(65, Status.RINVMSGID, loose=True)]
Message = Annotated[bytes, ShortMessage()]


class BindReceiver(NamedTuple):
    """§4.1.3."""

    system_id: SystemId = ""
    password: Password = ""
    system_type: SystemType = ""
    interface_version: Octet = INTERFACE_VERSION
    addr_ton: Octet = 0
    addr_npi: Octet = 0
    address_range: AddressRange = ""


class BindTransmitter(NamedTuple):
    """§4.1.1."""

    system_id: SystemId = ""
    password: Password = ""
    system_type: SystemType = ""
    interface_version: Octet = INTERFACE_VERSION
    addr_ton: Octet = 0
    addr_npi: Octet = 0
    address_range: AddressRange = ""


class BindTransceiver(NamedTuple):
    """§4.1.5."""

    system_id: SystemId = ""
    password: Password = ""
    system_type: SystemType = ""
    interface_version: Octet = INTERFACE_VERSION
    addr_ton: Octet = 0
    addr_npi: Octet = 0
    address_range: AddressRange = ""


class BindReceiverResp(NamedTuple):
    """§4.1.4."""

    system_id: SystemId = ""


class BindTransmitterResp(NamedTuple):
    """§4.1.2."""

    system_id: SystemId = ""


class BindTransceiverResp(NamedTuple):
    """§4.1.6."""

    system_id: SystemId = ""


class Outbind(NamedTuple):
    """§4.1.7."""

    system_id: SystemId = ""
    password: Password = ""


class Unbind(NamedTuple):
    """§4.2.1."""


class UnbindResp(NamedTuple):
    """§4.2.2."""


class GenericNack(NamedTuple):
    """§4.3.1."""


class SubmitSm(NamedTuple):
    """§4.4.1."""

    service_type: ServiceType = ""
    source_addr_ton: SourceTon = 0
    source_addr_npi: SourceNpi = 0
    source_addr: SourceAddr = ""
    dest_addr_ton: DestTon = 0
    dest_addr_npi: DestNpi = 0
    destination_addr: DestAddr = ""
    esm_class: EsmClass = 0
    protocol_id: Octet = 0
    priority_flag: PriorityFlag = 0
    schedule_delivery_time: ScheduleTime = ""
    validity_period: ValidityPeriod = ""
    registered_delivery: RegisteredDelivery = 0
    replace_if_present_flag: ReplaceIfPresent = 0
    data_coding: Octet = 0
    sm_default_msg_id: DefaultMessageId = 0
    short_message: Message = b""


class SubmitSmResp(NamedTuple):
    """§4.4.2."""

    message_id: MessageId = ""


class SubmitMulti(NamedTuple):
    """§4.5.1."""

    service_type: ServiceType = ""
    source_addr_ton: SourceTon = 0
    source_addr_npi: SourceNpi = 0
    source_addr: SourceAddr = ""
    dest_addresses: Annotated[tuple[Address | ListName, ...], SubmitDestinations()] = ()
    esm_class: EsmClass = 0
    protocol_id: Octet = 0
    priority_flag: PriorityFlag = 0
    schedule_delivery_time: ScheduleTime = ""
    validity_period: ValidityPeriod = ""
    registered_delivery: RegisteredDelivery = 0
    replace_if_present_flag: ReplaceIfPresent = 0
    data_coding: Octet = 0
    sm_default_msg_id: DefaultMessageId = 0
    short_message: Message = b""


class SubmitMultiResp(NamedTuple):
    """§4.5.2."""

    message_id: MessageId = ""
    unsuccess_smes: Annotated[tuple[UnsuccessfulAddress, ...], Unsuccessful()] = ()


class DeliverSm(NamedTuple):
    """§4.6.1."""

    service_type: ServiceType = ""
    source_addr_ton: SourceTon = 0
    source_addr_npi: SourceNpi = 0
    source_addr: SourceAddr = ""
    dest_addr_ton: DestTon = 0
    dest_addr_npi: DestNpi = 0
    destination_addr: DestAddr = ""
    esm_class: EsmClass = 0
    protocol_id: Octet = 0
    priority_flag: PriorityFlag = 0
    schedule_delivery_time: ScheduleTime = ""
    validity_period: ValidityPeriod = ""
    registered_delivery: RegisteredDelivery = 0
    replace_if_present_flag: ReplaceIfPresent = 0
    data_coding: Octet = 0
    sm_default_msg_id: DefaultMessageId = 0
    short_message: Message = b""


class DeliverSmResp(NamedTuple):
    """§4.6.2."""

    message_id: MessageId = ""


class DataSm(NamedTuple):
    """§4.7.1."""

    service_type: ServiceType = ""
    source_addr_ton: SourceTon = 0
    source_addr_npi: SourceNpi = 0
    source_addr: LongSourceAddr = ""
    dest_addr_ton: DestTon = 0
    dest_addr_npi: DestNpi = 0
    destination_addr: LongDestAddr = ""
    esm_class: EsmClass = 0
    registered_delivery: RegisteredDelivery = 0
    data_coding: Octet = 0


class DataSmResp(NamedTuple):
    """§4.7.2."""

    message_id: MessageId = ""


class QuerySm(NamedTuple):
    """§4.8.1."""

    message_id: MessageId = ""
    source_addr_ton: SourceTon = 0
    source_addr_npi: SourceNpi = 0
    source_addr: SourceAddr = ""


class QuerySmResp(NamedTuple):
    """§4.8.2."""

    message_id: MessageId = ""
    final_date: ScheduleTime = ""
    message_state: Octet = 0
    error_code: Octet = 0


class CancelSm(NamedTuple):
    """§4.9.1."""

    service_type: ServiceType = ""
    message_id: MessageId = ""
    source_addr_ton: SourceTon = 0
    source_addr_npi: SourceNpi = 0
    source_addr: SourceAddr = ""
    dest_addr_ton: DestTon = 0
    dest_addr_npi: DestNpi = 0
    destination_addr: DestAddr = ""


class CancelSmResp(NamedTuple):
    """§4.9.2."""


class ReplaceSm(NamedTuple):
    """§4.10.1."""

    message_id: MessageId = ""
    source_addr_ton: SourceTon = 0
    source_addr_npi: SourceNpi = 0
    source_addr: SourceAddr = ""
    schedule_delivery_time: ScheduleTime = ""
    validity_period: ValidityPeriod = ""
    registered_delivery: RegisteredDelivery = 0
    sm_default_msg_id: DefaultMessageId = 0
    short_message: Message = b""


class ReplaceSmResp(NamedTuple):
    """§4.10.2."""


class EnquireLink(NamedTuple):
    """§4.11.1."""


class EnquireLinkResp(NamedTuple):
    """§4.11.2."""


class AlertNotification(NamedTuple):
    """§4.12.1."""

    source_addr_ton: SourceTon = 0
    source_addr_npi: SourceNpi = 0
    source_addr: LongSourceAddr = ""
    esme_addr_ton: DestTon = 0
    esme_addr_npi: DestNpi = 0
    esme_addr: LongDestAddr = ""


Bind = BindReceiver | BindTransmitter | BindTransceiver
BindResp = BindReceiverResp | BindTransmitterResp | BindTransceiverResp
Request = (
    Bind
    | Outbind
    | Unbind
    | SubmitSm
    | SubmitMulti
    | DeliverSm
    | DataSm
    | QuerySm
    | CancelSm
    | ReplaceSm
    | EnquireLink
    | AlertNotification
)
Response = (
    BindResp
    | UnbindResp
    | GenericNack
    | SubmitSmResp
    | SubmitMultiResp
    | DeliverSmResp
    | DataSmResp
    | QuerySmResp
    | CancelSmResp
    | ReplaceSmResp
    | EnquireLinkResp
)
Body = Request | Response

BODIES: Mapping[int, type[Body]] = MappingProxyType(
    {
        Command.GENERIC_NACK: GenericNack,
        Command.BIND_RECEIVER: BindReceiver,
        Command.BIND_RECEIVER_RESP: BindReceiverResp,
        Command.BIND_TRANSMITTER: BindTransmitter,
        Command.BIND_TRANSMITTER_RESP: BindTransmitterResp,
        Command.QUERY_SM: QuerySm,
        Command.QUERY_SM_RESP: QuerySmResp,
        Command.SUBMIT_SM: SubmitSm,
        Command.SUBMIT_SM_RESP: SubmitSmResp,
        Command.DELIVER_SM: DeliverSm,
        Command.DELIVER_SM_RESP: DeliverSmResp,
        Command.UNBIND: Unbind,
        Command.UNBIND_RESP: UnbindResp,
        Command.REPLACE_SM: ReplaceSm,
        Command.REPLACE_SM_RESP: ReplaceSmResp,
        Command.CANCEL_SM: CancelSm,
        Command.CANCEL_SM_RESP: CancelSmResp,
        Command.BIND_TRANSCEIVER: BindTransceiver,
        Command.BIND_TRANSCEIVER_RESP: BindTransceiverResp,
        Command.OUTBIND: Outbind,
        Command.ENQUIRE_LINK: EnquireLink,
        Command.ENQUIRE_LINK_RESP: EnquireLinkResp,
        Command.SUBMIT_MULTI: SubmitMulti,
        Command.SUBMIT_MULTI_RESP: SubmitMultiResp,
        Command.ALERT_NOTIFICATION: AlertNotification,
        Command.DATA_SM: DataSm,
        Command.DATA_SM_RESP: DataSmResp,
    }
)
COMMAND_OF: Mapping[type[Body], Command] = MappingProxyType(
    {body: Command(command) for command, body in BODIES.items()}
)

# §4.1.7.1 and §4.12.1: these two have no answer.
UNANSWERED = frozenset({Command.OUTBIND, Command.ALERT_NOTIFICATION})
