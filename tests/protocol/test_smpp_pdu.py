"""The codec: every PDU of SMPP 3.4 there and back, its bounds, and bytes from anywhere."""

import struct
from types import SimpleNamespace
from typing import get_type_hints

import pytest
import smpplib.smpp
from hypothesis import example, given
from hypothesis import strategies as st

from smpp.wire.bodies import (
    BODIES,
    COMMAND_OF,
    RESPONSE_BIT,
    UNANSWERED,
    BindTransceiver,
    BindTransceiverResp,
    CancelSm,
    Command,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    GenericNack,
    QuerySmResp,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
)
from smpp.wire.fields import (
    Address,
    CString,
    Integer,
    ListName,
    PduError,
    ShortMessage,
    SubmitDestinations,
    Unsuccessful,
    UnsuccessfulAddress,
)
from smpp.wire.pdu import Pdu, _decode_fields, _decode_sm, decode, decode_body, encode, unpack_header
from smpp.wire.statuses import Status
from smpp.wire.tlv import TLVS, Tag, Tlv, ValueKind, decode_tlvs, encode_tlvs

OCTETS = st.integers(0, 255)
SEQUENCE_5 = SimpleNamespace(sequence=5, next_sequence=lambda: 5)  # what smpplib's PDUs ask their client for


def texts(limit):
    return st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=limit - 1)


def values(kind):
    match kind:
        case Integer(size=size):
            return st.integers(0, 256**size - 1)
        case CString(limit=limit):
            return texts(limit)
        case ShortMessage(limit=limit):
            return st.binary(max_size=limit)
        case SubmitDestinations():
            address = st.builds(Address, OCTETS, OCTETS, texts(21))
            return st.lists(address | st.builds(ListName, texts(21)), min_size=1, max_size=20).map(tuple)
        case Unsuccessful():
            return st.lists(
                st.builds(UnsuccessfulAddress, OCTETS, OCTETS, texts(21), st.integers(0, 2**32 - 1)), max_size=20
            ).map(tuple)
    raise AssertionError(kind)


def bodies(kind):
    hints = get_type_hints(kind, include_extras=True)
    return st.builds(kind, **{name: values(hint.__metadata__[0]) for name, hint in hints.items()})


def tlv_values(tag):
    spec = TLVS.get(tag)
    if spec is None:
        return st.binary(max_size=80)
    if spec.kind is ValueKind.INTEGER:
        return st.integers(0, 256**spec.most - 1)
    return (
        texts(spec.most)
        if spec.kind is ValueKind.TEXT
        else st.binary(min_size=spec.least, max_size=min(spec.most, 300))
    )


TLVS_OF_A_PDU = st.lists(
    (st.sampled_from(list(Tag)) | st.integers(0, 0xFFFF)).flatmap(
        lambda tag: st.builds(Tlv, st.just(int(tag)), tlv_values(tag))
    ),
    max_size=6,
).map(tuple)
SEQUENCES = st.integers(1, 0x7FFFFFFF)
ANY_BODY = st.sampled_from(sorted(BODIES.values(), key=lambda kind: kind.__name__)).flatmap(bodies)


def decoded(decoding):
    """Return the PDU, or the one error that decoding may raise."""
    try:
        return decoding()
    except PduError as error:
        return error


@given(ANY_BODY, SEQUENCES, TLVS_OF_A_PDU)
def test_every_pdu_comes_back_as_it_went(body, sequence, tlvs):
    octets = encode(body, sequence, 0, tlvs)
    assert unpack_header(octets) == (len(octets), COMMAND_OF[type(body)], 0, sequence)
    back = decode(octets)
    assert back == Pdu(body, sequence, 0, tlvs)
    assert type(back.body) is type(body)


@given(st.sampled_from([kind for command, kind in BODIES.items() if command & RESPONSE_BIT]), st.integers(1, 2**32 - 1))
def test_a_response_that_refuses_has_no_body(kind, status):
    octets = encode(kind(), 7, status)
    assert len(octets) == 16
    assert decode(octets) == Pdu(kind(), 7, status)


@given(st.sampled_from([SubmitSm, DeliverSm]).flatmap(bodies), TLVS_OF_A_PDU)
def test_the_fast_way_of_reading_agrees_with_the_generic_one(body, tlvs):
    octets = encode(body, 1, 0, tlvs)[16:]
    command = COMMAND_OF[type(body)]
    for strict in (True, False):
        fast = _decode_sm(command, 0, 1, octets, strict=strict)
        assert fast == _decode_fields(command, 0, 1, octets, strict=strict) == Pdu(body, 1, 0, tlvs)


@given(octets=st.binary(max_size=120))
@example(octets=b"\0" * 17 + b"\xff" + b"x" * 255)
@example(octets=b"\0" * 17 + b"\x00" + b"\x04\x27")
@pytest.mark.parametrize("strict", [True, False])
def test_the_fast_way_takes_nothing_that_the_generic_one_refuses(octets, strict):
    fast = _decode_sm(Command.SUBMIT_SM, 0, 1, octets, strict=strict)
    try:
        generic = _decode_fields(Command.SUBMIT_SM, 0, 1, octets, strict=strict)
    except PduError:
        generic = None
    assert fast == generic or (fast is None and not strict)


@given(st.sampled_from([SubmitSm, DeliverSm, SubmitSmResp, DeliverSmResp]).flatmap(bodies))
def test_the_fast_way_of_writing_agrees_with_the_generic_one(body):
    hints = get_type_hints(type(body), include_extras=True)
    written = b"".join(hints[name].__metadata__[0].encode(name, value) for name, value in body._asdict().items())
    assert encode(body, 1)[16:] == written


@given(st.binary(max_size=400))
def test_bytes_from_anywhere_are_a_pdu_or_a_pdu_error(data):
    result = decoded(lambda: decode(data))
    assert isinstance(result, Pdu) or result.status != Status.ROK


@given(st.sampled_from([*BODIES, 0x12345678, 0x80012345]), st.sampled_from([0, 8]), st.binary(max_size=400))
def test_any_body_under_any_command_is_a_pdu_or_a_pdu_error_that_knows_where(command, status, octets):
    result = decoded(lambda: decode_body(command, status, 99, octets))
    assert (result.command, result.sequence) == (command, 99)


def test_the_octets_are_those_of_the_standard():
    # §4.4.1 field by field, so that the codec is not only its own mirror.
    octets = encode(
        SubmitSm(
            service_type="CMT",
            source_addr_ton=5,
            source_addr="Acme",
            dest_addr_ton=1,
            dest_addr_npi=1,
            destination_addr="447700900123",
            esm_class=0x40,
            priority_flag=1,
            validity_period="000002000000000R",
            registered_delivery=1,
            data_coding=8,
            short_message=b"\x00A",
        ),
        0x01020304,
        0,
        (Tlv(Tag.SAR_MSG_REF_NUM, 0x1234), Tlv(0x1400, b"cost")),
    )
    body = (
        b"CMT\0"
        b"\x05\x00Acme\0"
        b"\x01\x01447700900123\0"
        b"\x40\x00\x01"
        b"\0"
        b"000002000000000R\0"
        b"\x01\x00\x08\x00"
        b"\x02\x00A"
        b"\x02\x0c\x00\x02\x12\x34"
        b"\x14\x00\x00\x04cost"
    )
    assert octets == struct.pack("!IIII", 16 + len(body), 4, 0, 0x01020304) + body


def test_smpplib_writes_the_same_submit_sm():
    theirs = smpplib.smpp.make_pdu(
        "submit_sm",
        client=SEQUENCE_5,
        source_addr_ton=1,
        source_addr_npi=1,
        source_addr="12025550100",
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr="447700900123",
        registered_delivery=1,
        short_message=b"hello",
    )
    ours = encode(
        SubmitSm("", 1, 1, "12025550100", 1, 1, "447700900123", registered_delivery=1, short_message=b"hello"), 5
    )
    assert ours == theirs.generate()


def test_smpplib_reads_our_deliver_sm_with_its_parameters():
    octets = encode(
        DeliverSm(source_addr="447700900123", destination_addr="12345", esm_class=4, short_message=b"id:7"),
        9,
        0,
        (Tlv(Tag.RECEIPTED_MESSAGE_ID, "7"), Tlv(Tag.MESSAGE_STATE, 2)),
    )
    theirs = smpplib.smpp.parse_pdu(octets, client=SEQUENCE_5)
    assert (theirs.source_addr, theirs.destination_addr, theirs.esm_class) == (b"447700900123", b"12345", 4)
    assert (theirs.short_message, theirs.receipted_message_id, theirs.message_state) == (b"id:7", b"7", 2)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (SubmitSm(service_type="CM\0"), Status.RINVSERTYP),
        (SubmitSm(source_addr="1" * 21), Status.RINVSRCADR),
        (SubmitSm(destination_addr="1" * 21), Status.RINVDSTADR),
        (SubmitSm(destination_addr="12\x0034"), Status.RINVDSTADR),
        (SubmitSm(source_addr="Čech"), Status.RINVSRCADR),
        (SubmitSm(schedule_delivery_time="0" * 17), Status.RINVSCHED),
        (SubmitSm(validity_period="0" * 17), Status.RINVEXPIRY),
        (SubmitSm(short_message=b"x" * 255), Status.RINVMSGLEN),
        (SubmitSm(short_message="text"), Status.RINVMSGLEN),  # type: ignore[arg-type]  # wrong on purpose
        (SubmitSm(source_addr_ton=256), Status.RINVSRCTON),
        (SubmitSm(dest_addr_npi=-1), Status.RINVDSTNPI),
        (SubmitSm(esm_class=1000), Status.RINVESMCLASS),
        (SubmitSm(priority_flag=256), Status.RINVPRTFLG),
        (SubmitSm(registered_delivery=256), Status.RINVREGDLVFLG),
        (DataSm(destination_addr="1" * 65), Status.RINVDSTADR),
        (DeliverSmResp(message_id="a\0b"), Status.RINVMSGID),
        (BindTransceiver(system_id="Čech"), Status.RINVSYSID),
        (BindTransceiver(password="a\0b"), Status.RINVPASWD),
        (SubmitMulti(), Status.RINVNUMDESTS),
        (SubmitMulti(dest_addresses=tuple(Address(1, 1, str(n)) for n in range(255))), Status.RINVNUMDESTS),
        (SubmitMulti(dest_addresses=("1",)), Status.RINVDESTFLAG),  # type: ignore[arg-type]  # wrong on purpose
        (SubmitMulti(dest_addresses=(ListName("x" * 21),)), Status.RINVDLNAME),
    ],
)
def test_a_value_that_its_field_cannot_hold_is_refused_with_the_fields_own_status(body, status):
    with pytest.raises(PduError) as refused:
        encode(body, 1)
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("command", "octets", "status"),
    [
        (Command.SUBMIT_SM, b"", Status.RINVCMDLEN),
        (Command.SUBMIT_SM, b"\0\0\0" + b"1" * 21 + b"\0" * 20, Status.RINVSRCADR),
        (Command.SUBMIT_SM, b"\0\0\0\0\0\0" + b"1" * 21 + b"\0" * 20, Status.RINVDSTADR),
        (Command.SUBMIT_SM, b"\0" * 16 + b"\x05" + b"abcd", Status.RINVMSGLEN),
        (Command.SUBMIT_SM, b"\0" * 16 + b"\xff" + b"x" * 255, Status.RINVMSGLEN),
        (Command.SUBMIT_SM, b"\0" * 17 + b"\x04", Status.RINVOPTPARSTREAM),
        (Command.SUBMIT_SM, b"\0" * 17 + b"\x04\x27\x00\x02\x01", Status.RINVOPTPARSTREAM),
        (Command.SUBMIT_SM, b"\0" * 17 + b"\x04\x27\x00\x00", Status.RINVPARLEN),
        (Command.SUBMIT_SM, b"\0" * 17 + b"\x04\x27\x00\x02\x01\x00", Status.RINVOPTPARAMVAL),
        (Command.SUBMIT_SM, b"\0" * 17 + b"\x04\x23\x00\x01\x01", Status.RINVPARLEN),
        (Command.SUBMIT_MULTI, b"\0\0\0\0\0" + b"\0" * 12, Status.RINVNUMDESTS),
        (Command.SUBMIT_MULTI, b"\0\0\0\0\x01\x03" + b"\0" * 12, Status.RINVDESTFLAG),
        (Command.QUERY_SM, b"no end", Status.RINVCMDLEN),
        (0x00000099, b"", Status.RINVCMDID),
        (0x0000000A, b"", Status.RINVCMDID),
    ],
)
def test_a_body_that_breaks_its_bounds_is_refused_with_the_status_to_answer(command, octets, status):
    with pytest.raises(PduError) as refused:
        decode_body(command, 0, 1, octets)
    assert refused.value.status == status


@pytest.mark.parametrize(
    "body",
    [
        BindTransceiver(system_id="a-system-id-of-many-characters", password="correct horse battery staple"),
        BindTransceiver(system_type="a-system-type", address_range="^447700900[0-9]{3}$|^447700901[0-9]{3}$"),
        SubmitSm(service_type="PREMIUM1"),
        SubmitSmResp(message_id="9" * 72),
        CancelSm(message_id="9" * 72),
    ],
)
def test_names_passwords_and_ids_go_both_ways_as_long_as_they_were_given_out(body):
    assert decode(encode(body, 1)).body == body


SENT_TO_US = b"\0\x01\x01447700900123\0\0\x0112345\0" + b"\x04\0\0" + b"\0\0" + b"\0\0\0\0"


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"PREMIUM1" + SENT_TO_US + b"\x02ok", {"service_type": "PREMIUM1", "short_message": b"ok"}),
        (SENT_TO_US + b"\x09ok", {"short_message": b"ok"}),
        (SENT_TO_US + b"\xff" + b"x" * 255, {"short_message": b"x" * 255}),
        (SENT_TO_US.replace(b"12345", b"1" * 30) + b"\0", {"destination_addr": "1" * 30}),
        (SENT_TO_US.replace(b"\0\0\0\0\0\0", b"0000261123160000000R\0" + b"\0" * 5) + b"\0", {"short_message": b""}),
    ],
)
def test_what_a_carrier_brings_is_read_beyond_the_bounds_of_its_fields(octets, expected):
    body = decode_body(Command.DELIVER_SM, 0, 1, octets, strict=False).body
    assert {name: getattr(body, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("command", "octets", "body"),
    [
        (Command.SUBMIT_SM_RESP, b"", SubmitSmResp()),
        (Command.SUBMIT_SM_RESP, b"9" * 72 + b"\0", SubmitSmResp("9" * 72)),
        (Command.SUBMIT_SM_RESP, b"9" * 72, SubmitSmResp("9" * 72)),
        (Command.SUBMIT_SM_RESP, b"4711\0\0\0", SubmitSmResp("4711")),
        (Command.SUBMIT_SM_RESP, b"\0\xff\xff\xff\xff", SubmitSmResp("")),
        (Command.DATA_SM_RESP, b"4711\0\x04\x23\0\x03\x01", DataSmResp("4711")),
        (Command.SUBMIT_MULTI_RESP, b"4711\0\x02\x01", SubmitMultiResp("4711")),
        (Command.QUERY_SM_RESP, b"4711\0", QuerySmResp("4711")),
    ],
)
def test_an_answer_is_one_whatever_its_body(command, octets, body):
    found = decode_body(command, 0, 1, octets)
    assert (found.body, found.status) == (body, 0)


def test_a_length_that_is_not_the_length_is_refused():
    octets = encode(EnquireLink(), 1)
    for wrong in (octets[:15], octets + b"\0", b"\0\0\0\x20" + octets[4:]):
        with pytest.raises(PduError) as refused:
            decode(wrong)
        assert refused.value.status == Status.RINVCMDLEN


def test_carriers_may_leave_the_body_of_a_response_out():
    assert decode(struct.pack("!IIII", 16, Command.SUBMIT_SM_RESP, 0, 3)) == Pdu(SubmitSmResp(), 3)
    assert decode(struct.pack("!IIII", 16, Command.BIND_TRANSCEIVER_RESP, 0, 3)) == Pdu(BindTransceiverResp(), 3)
    assert decode(struct.pack("!IIII", 16, Command.QUERY_SM_RESP, 0, 3)) == Pdu(QuerySmResp(), 3)


def test_the_body_of_a_response_that_refuses_may_be_anything():
    answer = decode(struct.pack("!IIII", 20, Command.SUBMIT_SM_RESP, 0x58, 3) + b"junk")
    assert (answer.command, answer.sequence, answer.status) == (Command.SUBMIT_SM_RESP, 3, 0x58)


@pytest.mark.parametrize(
    ("octets", "tlv"),
    [
        (b"\x00\x1e\x00\x04abc\0", Tlv(Tag.RECEIPTED_MESSAGE_ID, "abc")),
        (b"\x00\x1e\x00\x03abc", Tlv(Tag.RECEIPTED_MESSAGE_ID, "abc")),
        (b"\x00\x1e\x00\x06abc\0xy", Tlv(Tag.RECEIPTED_MESSAGE_ID, "abc")),
        (b"\x00\x1e\x00\x00", Tlv(Tag.RECEIPTED_MESSAGE_ID, "")),
        (b"\x04\x27\x00\x01\x02", Tlv(Tag.MESSAGE_STATE, 2)),
        (b"\x04\x27\x00\x04\x00\x00\x00\x02", Tlv(Tag.MESSAGE_STATE, 2)),
        (b"\x02\x04\x00\x01\x07", Tlv(Tag.USER_MESSAGE_REFERENCE, 7)),
        (b"\x13\x0c\x00\x00", Tlv(Tag.ALERT_ON_MESSAGE_DELIVERY, b"")),
        (b"\x14\x00\x00\x02\xff\x00", Tlv(0x1400, b"\xff\x00")),
    ],
)
def test_parameters_are_read_as_carriers_write_them(octets, tlv):
    assert decode_tlvs(octets) == (tlv,)


def test_a_repeated_parameter_is_kept_and_the_first_one_counts():
    tlvs = (Tlv(Tag.CALLBACK_NUM, b"\1\1\x001"), Tlv(Tag.CALLBACK_NUM, b"\1\1\x002"))
    pdu = decode(encode(SubmitSm(), 1, 0, tlvs))
    assert pdu.tlvs == tlvs
    assert pdu.octets(Tag.CALLBACK_NUM) == b"\1\1\x001"
    assert pdu.integer(Tag.CALLBACK_NUM) is None
    assert pdu.text(Tag.SC_INTERFACE_VERSION) is None


@pytest.mark.parametrize(
    "tlv",
    [
        Tlv(Tag.MESSAGE_STATE, 256),
        Tlv(Tag.MESSAGE_STATE, b"2"),
        Tlv(Tag.RECEIPTED_MESSAGE_ID, "1" * 65),
        Tlv(Tag.RECEIPTED_MESSAGE_ID, "a\0"),
        Tlv(Tag.RECEIPTED_MESSAGE_ID, "Č"),
        Tlv(Tag.NETWORK_ERROR_CODE, b"12"),
        Tlv(0x1400, 5),
        Tlv(0x10000, b""),
    ],
)
def test_a_parameter_that_its_tag_cannot_hold_is_refused(tlv):
    with pytest.raises(PduError):
        encode_tlvs((tlv,))


def test_parameters_have_the_names_of_the_standard():
    assert Tlv(Tag.SAR_MSG_REF_NUM, 1).name == "sar_msg_ref_num"
    assert Tlv(0x1400, b"").name == "0x1400"
    assert set(TLVS) == set(Tag)


def test_every_command_has_its_body_and_every_request_its_response():
    assert set(BODIES) == set(Command)
    for command in Command:
        if not command & RESPONSE_BIT and command not in UNANSWERED:
            assert command | RESPONSE_BIT in BODIES
    assert COMMAND_OF[GenericNack] == RESPONSE_BIT


def test_equal_bodies_of_different_commands_make_different_pdus():
    assert Pdu(SubmitSmResp("1"), 1).command is not Pdu(DeliverSmResp("1"), 1).command
    multi = SubmitMultiResp("1", (UnsuccessfulAddress(1, 1, "447700900123", Status.RINVDSTADR),))
    assert decode(encode(multi, 4)).body == multi
