"""The session without I/O: conversations, tables, timers with a clock of our own, any chunking, one answer per request."""

import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smpp.session.events import (
    Answered,
    Asked,
    BindAsked,
    BindRefused,
    Bound,
    Ended,
    EndReason,
    FellSilent,
    LateAnswer,
    Malformed,
    Missing,
    OutbindHeard,
    Spoke,
    Unanswered,
    UnmatchedResponse,
)
from smpp.session.limits import SessionLimits
from smpp.session.session import Session, SessionError
from smpp.session.states import BOUND_BY, BOUND_STATES, MAY_ASK, TRANSITIONS, Happening, SessionRole, SessionState
from smpp.session.timers import Timers, TimerVerdict
from smpp.wire.bodies import (
    BODIES,
    COMMAND_OF,
    RESPONSE_BIT,
    UNANSWERED,
    AlertNotification,
    BindReceiver,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BindTransmitterResp,
    CancelSm,
    Command,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Outbind,
    QuerySm,
    QuerySmResp,
    SubmitMulti,
    SubmitSm,
    SubmitSmResp,
    Unbind,
    UnbindResp,
)
from smpp.wire.fields import Address
from smpp.wire.pdu import MAX_SEQUENCE, Pdu, decode, encode
from smpp.wire.statuses import Status
from smpp.wire.tlv import Tag

BIND_OF = {
    SessionState.BOUND_TX: Command.BIND_TRANSMITTER,
    SessionState.BOUND_RX: Command.BIND_RECEIVER,
    SessionState.BOUND_TRX: Command.BIND_TRANSCEIVER,
}


KINDS: Any = BODIES  # which of them a command has, mypy cannot know


def happened(session: Session) -> list[Any]:
    return session.events()


def pdus(data):
    """Return the PDUs in bytes that a session gave out."""
    found = []
    while data:
        (length,) = struct.unpack("!I", data[:4])
        found.append(decode(data[:length]))
        data = data[length:]
    return found


def said(session):
    return pdus(session.data_to_send())


def bound_esme(command=Command.BIND_TRANSCEIVER, limits=None, now=0.0):
    session = Session(SessionRole.ESME, limits or SessionLimits(), now)
    session.bind(KINDS[command](system_id="gateway", password="secret"))
    (asked,) = said(session)
    session.receive_data(encode(KINDS[command | RESPONSE_BIT](system_id="smsc"), asked.sequence))
    assert happened(session) == [Bound("smsc")]
    return session


def bound_smsc(command=Command.BIND_TRANSCEIVER, limits=None, now=0.0):
    session = Session(SessionRole.SMSC, limits or SessionLimits(), now)
    session.receive_data(encode(KINDS[command](system_id="gateway", password="secret"), 1))
    (event,) = happened(session)
    session.answer_bind(event.pdu, KINDS[command | RESPONSE_BIT](system_id="smsc"))
    said(session)
    return session


def bound(role, state, limits=None):
    return (bound_esme if role is SessionRole.ESME else bound_smsc)(BIND_OF[state], limits)


def test_bind_submit_receipt_unbind():
    esme = Session(SessionRole.ESME, SessionLimits(), 0.0)
    smsc = Session(SessionRole.SMSC, SessionLimits(), 0.0)

    def carry():
        smsc.receive_data(esme.data_to_send())
        esme.receive_data(smsc.data_to_send())

    esme.bind(BindTransceiver("gateway", "secret"))
    carry()
    (asked,) = happened(smsc)
    assert isinstance(asked, BindAsked)
    assert asked.pdu.body == BindTransceiver("gateway", "secret")
    smsc.answer_bind(asked.pdu, BindTransceiverResp("smsc"))
    carry()
    assert happened(esme) == [Bound("smsc")]
    assert (esme.state, smsc.state) == (SessionState.BOUND_TRX, SessionState.BOUND_TRX)

    esme.send(SubmitSm(short_message=b"hello"), "part 1")
    carry()
    (submitted,) = happened(smsc)
    assert submitted == Asked(Pdu(SubmitSm(short_message=b"hello"), 2))
    smsc.respond(submitted.pdu, SubmitSmResp("id-1"))
    smsc.send(DeliverSm(short_message=b"id:id-1"), "receipt 1")
    carry()
    answer, receipt = happened(esme)
    assert answer == Answered("part 1", Pdu(SubmitSmResp("id-1"), 2))
    esme.respond(receipt.pdu, DeliverSmResp())
    carry()
    assert happened(smsc) == [Answered("receipt 1", Pdu(DeliverSmResp(), 1))]

    esme.unbind()
    carry()
    assert (esme.state, smsc.state) == (SessionState.CLOSED, SessionState.UNBOUND)
    assert happened(esme) == [Ended(EndReason.UNBOUND)]
    smsc.receive_eof()
    assert happened(smsc) == [Ended(EndReason.UNBOUND)]


def test_an_accepted_bind_says_which_version_is_spoken():
    session = Session(SessionRole.SMSC, SessionLimits(), 0.0)
    session.receive_data(encode(BindTransmitter("a", "b"), 1))
    session.answer_bind(happened(session)[0].pdu, BindTransmitterResp("smsc"))
    (answer,) = said(session)
    assert answer.integer(Tag.SC_INTERFACE_VERSION) == 0x34
    assert session.state is SessionState.BOUND_TX


def test_a_refused_bind_ends_the_client_and_leaves_the_server_open():
    session = Session(SessionRole.ESME, SessionLimits(), 0.0)
    session.bind(BindTransceiver("a", "b"))
    session.receive_data(encode(BindTransceiverResp(), 1, Status.RINVPASWD))
    assert happened(session) == [BindRefused(Status.RINVPASWD), Ended(EndReason.BIND_REFUSED)]
    assert session.refused_with == Status.RINVPASWD
    server = Session(SessionRole.SMSC, SessionLimits(), 0.0)
    server.receive_data(encode(BindTransceiver("a", "b"), 1))
    server.answer_bind(happened(server)[0].pdu, BindTransceiverResp(), Status.RINVPASWD)
    assert said(server) == [Pdu(BindTransceiverResp(), 1, Status.RINVPASWD)]
    assert server.state is SessionState.OPEN


def test_a_nack_refuses_a_bind():
    session = Session(SessionRole.ESME, SessionLimits(), 0.0)
    session.bind(BindTransceiver("a", "b"))
    session.receive_data(encode(GenericNack(), 1, Status.RINVCMDID))
    assert happened(session) == [BindRefused(Status.RINVCMDID), Ended(EndReason.BIND_REFUSED)]


def test_an_outbind_is_answered_with_a_bind():
    smsc = Session(SessionRole.SMSC, SessionLimits(), 0.0)
    smsc.outbind(Outbind("smsc", "knock"))
    esme = Session(SessionRole.ESME, SessionLimits(), 0.0)
    esme.receive_data(smsc.data_to_send())
    assert happened(esme) == [OutbindHeard(Pdu(Outbind("smsc", "knock"), 1))]
    esme.bind(BindReceiver("gateway", "secret"))
    smsc.receive_data(esme.data_to_send())
    assert isinstance(happened(smsc)[0], BindAsked)


def test_enquire_link_is_answered_in_every_state_by_the_session_itself():
    for session in (Session(SessionRole.ESME, SessionLimits(), 0.0), bound_esme(), bound_smsc(Command.BIND_RECEIVER)):
        session.receive_data(encode(EnquireLink(), 77))
        assert said(session) == [Pdu(EnquireLinkResp(), 77)]
        assert happened(session) == []


SUBMIT_MULTI = encode(SubmitMulti(dest_addresses=(Address(1, 1, "447700900123"),)), 50)
ALL_REQUESTS = [command for command in Command if not command & RESPONSE_BIT]


@pytest.mark.parametrize("command", ALL_REQUESTS)
@pytest.mark.parametrize("state", sorted(BOUND_STATES))
@pytest.mark.parametrize("role", list(SessionRole))
def test_what_the_table_does_not_permit_is_refused_and_what_it_permits_is_taken(role, state, command):
    session = bound(role, state)
    other = SessionRole.SMSC if role is SessionRole.ESME else SessionRole.ESME
    octets = SUBMIT_MULTI if command is Command.SUBMIT_MULTI else encode(KINDS[command](), 50)
    session.receive_data(octets)
    events, answers = happened(session), said(session)
    permitted = command in MAY_ASK[state][other]
    if command is Command.ENQUIRE_LINK:
        assert answers == [Pdu(EnquireLinkResp(), 50)]
    elif command is Command.UNBIND:
        after = SessionState.CLOSED if role is SessionRole.ESME else SessionState.UNBOUND
        assert (answers, session.state) == ([Pdu(UnbindResp(), 50)], after)
    elif permitted:
        assert [type(event) for event in events] == [Asked]
        assert answers == []
    elif command in UNANSWERED:
        assert [type(event) for event in events] == [Malformed]
        assert answers == []
    else:
        status = Status.RALYBND if command in BOUND_BY else Status.RINVBNDSTS
        assert events == []
        assert [(answer.command, answer.sequence, answer.status) for answer in answers] == [
            (command | RESPONSE_BIT, 50, status)
        ]


@pytest.mark.parametrize("state", [SessionState.OPEN, *sorted(BOUND_STATES)])
@pytest.mark.parametrize("role", list(SessionRole))
def test_we_may_send_only_what_the_table_permits(role, state):
    session = Session(role, SessionLimits(), 0.0) if state is SessionState.OPEN else bound(role, state)
    for body in (SubmitSm(), DeliverSm(), QuerySm(), AlertNotification()):
        if COMMAND_OF[type(body)] in MAY_ASK[state][role]:
            session.send(body)
        else:
            with pytest.raises(SessionError):
                session.send(body)


def test_the_tables_name_every_state_and_role():
    assert set(TRANSITIONS) == set(MAY_ASK) == set(SessionState)
    assert all(set(row) == set(SessionRole) for row in MAY_ASK.values())
    assert {after for row in TRANSITIONS.values() for after in row.values()} == set(SessionState) - {SessionState.OPEN}
    assert all(Happening.ENDED in row for state, row in TRANSITIONS.items() if state is not SessionState.CLOSED)
    assert {happening for row in TRANSITIONS.values() for happening in row} == set(Happening)


def test_every_request_of_the_standard_is_permitted_to_somebody_somewhere():
    permitted = {command for row in MAY_ASK.values() for commands in row.values() for command in commands}
    assert permitted == set(ALL_REQUESTS)


def test_the_window_bounds_our_open_requests():
    session = bound_esme(limits=SessionLimits(window=2))
    assert session.free_window == 2
    first = session.send(SubmitSm(), 1)
    session.send(SubmitSm(), 2)
    assert session.free_window == 0
    with pytest.raises(SessionError):
        session.send(SubmitSm(), 3)
    session.receive_data(encode(SubmitSmResp("x"), first))
    assert (session.free_window, session.outstanding) == (1, 1)


def test_answers_come_in_any_order_and_find_their_request():
    session = bound_esme()
    sequences = [session.send(SubmitSm(), number) for number in range(5)]
    for sequence in reversed(sequences):
        session.receive_data(encode(SubmitSmResp(str(sequence)), sequence))
    events = happened(session)
    assert [event.context for event in events] == [4, 3, 2, 1, 0]
    assert [event.pdu.body.message_id for event in events] == [str(sequence) for sequence in reversed(sequences)]


def test_a_nack_answers_the_request_of_its_sequence_number():
    session = bound_esme()
    sequence = session.send(SubmitSm(), "part")
    session.receive_data(encode(GenericNack(), sequence, Status.RINVCMDLEN))
    assert happened(session) == [Answered("part", Pdu(GenericNack(), sequence, Status.RINVCMDLEN))]


@pytest.mark.parametrize("body", [SubmitSmResp("late"), GenericNack(), UnbindResp(), BindTransceiverResp("again")])
def test_a_response_that_nobody_waits_for_is_named_and_changes_nothing(body):
    session = bound_esme()
    session.send(SubmitSm(), "part")
    session.receive_data(encode(body, 4711))
    assert happened(session) == [UnmatchedResponse(COMMAND_OF[type(body)], 4711, 0)]
    assert (session.state, session.outstanding) == (SessionState.BOUND_TRX, 1)


def test_a_response_of_another_kind_does_not_answer():
    session = bound_esme()
    sequence = session.send(SubmitSm(), "part")
    session.receive_data(encode(DeliverSmResp(), sequence))
    assert happened(session) == [UnmatchedResponse(Command.DELIVER_SM_RESP, sequence, 0)]
    assert session.outstanding == 1


def test_an_answer_of_any_body_is_the_answer():
    session = bound_esme()
    sequence = session.send(SubmitSm(), "part")
    session.receive_data(struct.pack("!IIII", 86, Command.SUBMIT_SM_RESP, 0, sequence) + b"4" * 70)
    assert happened(session) == [Answered("part", Pdu(SubmitSmResp("4" * 70), sequence))]


def test_a_request_without_an_answer_times_out_and_a_late_answer_still_names_it():
    session = bound_esme(
        limits=SessionLimits(response_seconds=10, enquire_link_seconds=math.inf, silence_seconds=math.inf)
    )
    session.tick(1)
    first = session.send(SubmitSm(), "first")
    session.data_to_send()
    session.tick(5)
    session.send(SubmitSm(), "second")
    session.data_to_send()
    session.tick(10.9)
    assert happened(session) == []
    session.tick(11)
    assert happened(session) == [Unanswered("first", Missing.TIMED_OUT)]
    session.receive_data(encode(DeliverSmResp(), first))
    assert happened(session) == [UnmatchedResponse(Command.DELIVER_SM_RESP, first, 0)]
    session.receive_data(encode(SubmitSmResp("x"), first) * 2)
    assert happened(session) == [
        LateAnswer("first", Pdu(SubmitSmResp("x"), first)),
        UnmatchedResponse(Command.SUBMIT_SM_RESP, first, 0),
    ]
    session.tick(15)
    assert happened(session) == [Unanswered("second", Missing.TIMED_OUT)]


def test_late_answers_are_waited_for_in_bounds():
    limits = SessionLimits(
        response_seconds=10,
        enquire_link_seconds=math.inf,
        silence_seconds=math.inf,
        late_seconds=100,
        late_answers=2,
    )
    session = bound_esme(limits=limits)
    sequences = [session.send(SubmitSm(), part) for part in "abc"]
    session.data_to_send()
    session.tick(10)
    happened(session)
    session.receive_data(b"".join(encode(SubmitSmResp("x"), sequence) for sequence in sequences[:2]))
    assert [type(event) for event in happened(session)] == [UnmatchedResponse, LateAnswer]
    session.tick(110)
    session.receive_data(encode(SubmitSmResp("x"), sequences[2]))
    assert [type(event) for event in happened(session)] == [UnmatchedResponse]


def test_a_lost_link_answers_what_was_sent_as_lost_and_the_rest_as_unsent():
    session = bound_esme()
    session.send(SubmitSm(), "sent")
    session.data_to_send()
    session.send(SubmitSm(), "not sent")
    session.receive_eof()
    assert happened(session) == [
        Unanswered("sent", Missing.LOST),
        Unanswered("not sent", Missing.UNSENT),
        Ended(EndReason.EOF),
    ]
    session.receive_data(encode(SubmitSmResp("x"), 2))
    session.tick(1000)
    session.receive_eof()
    session.abandon()
    assert happened(session) == []
    assert session.data_to_send() == b""


def test_what_was_reported_as_unsent_is_not_sent_with_the_last_words():
    session = bound_esme()
    session.send(SubmitSm(), "sent")
    session.data_to_send()
    session.receive_data(encode(EnquireLink(), 1))
    session.send(SubmitSm(), "not sent")
    session.send(QuerySm("4711"), "not asked")
    session.receive_data(struct.pack("!IIII", 1, Command.DELIVER_SM, 0, 7))
    assert [event for event in happened(session) if isinstance(event, Unanswered)] == [
        Unanswered("sent", Missing.LOST),
        Unanswered("not sent", Missing.UNSENT),
        Unanswered("not asked", Missing.UNSENT),
    ]
    assert said(session) == [Pdu(EnquireLinkResp(), 1), Pdu(GenericNack(), 7, Status.RINVCMDLEN)]


def test_after_the_end_answering_does_nothing_and_sending_is_refused():
    session = bound_esme()
    session.receive_data(encode(DeliverSm(), 5))
    (asked,) = happened(session)
    session.receive_eof()
    session.respond(asked.pdu, DeliverSmResp())
    session.unbind()
    assert session.data_to_send() == b""
    with pytest.raises(SessionError):
        session.send(SubmitSm())
    with pytest.raises(SessionError):
        session.bind(BindTransceiver())


def test_a_second_bind_is_refused_on_our_side():
    session = Session(SessionRole.ESME, SessionLimits(), 0.0)
    session.bind(BindTransceiver())
    with pytest.raises(SessionError):
        session.bind(BindTransceiver())


@pytest.mark.parametrize("length", [0, 15, 70_001, 0xFFFFFFFF])
def test_a_length_that_cannot_be_ends_the_session_with_a_nack(length):
    session = bound_esme()
    session.receive_data(struct.pack("!IIII", length, Command.DELIVER_SM, 0, 3) + encode(EnquireLink(), 4))
    malformed, ended = happened(session)
    assert isinstance(malformed, Malformed)
    assert ended == Ended(EndReason.FRAMING)
    assert said(session) == [Pdu(GenericNack(), 3, Status.RINVCMDLEN)]


def test_an_unknown_command_gets_a_nack_and_the_session_goes_on():
    session = bound_esme()
    session.receive_data(struct.pack("!IIII", 20, 0x00000099, 0, 3) + b"junk" + encode(EnquireLink(), 4))
    assert said(session) == [Pdu(GenericNack(), 3, Status.RINVCMDID), Pdu(EnquireLinkResp(), 4)]
    assert [type(event) for event in happened(session)] == [Malformed]


def test_a_request_that_cannot_be_read_gets_its_own_response_with_the_reason():
    session = bound(SessionRole.SMSC, SessionState.BOUND_TRX)
    session.receive_data(struct.pack("!IIII", 16 + 21, Command.SUBMIT_SM, 0, 3) + b"\0" * 16 + b"\x05abcd")
    assert said(session) == [Pdu(SubmitSmResp(), 3, Status.RINVMSGLEN)]


def test_what_a_carrier_brings_is_taken_beyond_its_bounds():
    session = bound_esme()
    session.receive_data(struct.pack("!IIII", 16 + 21, Command.DELIVER_SM, 0, 3) + b"\0" * 16 + b"\x05abcd")
    (asked,) = happened(session)
    assert asked == Asked(Pdu(DeliverSm(short_message=b"abcd"), 3))


@pytest.mark.parametrize(
    ("role", "status"), [(SessionRole.ESME, Status.RX_T_APPN), (SessionRole.SMSC, Status.RTHROTTLED)]
)
def test_more_requests_than_the_inbound_window_are_told_to_come_later(role, status):
    session = bound(role, SessionState.BOUND_TRX, SessionLimits(inbound_window=2))
    body = DeliverSm() if role is SessionRole.ESME else SubmitSm()
    for sequence in (10, 11, 12):
        session.receive_data(encode(body, sequence))
    asked = happened(session)
    assert [event.pdu.sequence for event in asked] == [10, 11]
    assert [(pdu.sequence, pdu.status) for pdu in said(session)] == [(12, status)]
    session.respond(asked[0].pdu, KINDS[asked[0].pdu.command | RESPONSE_BIT]())
    session.receive_data(encode(body, 13))
    assert [event.pdu.sequence for event in happened(session)] == [13]


def test_an_alert_takes_no_room_and_no_answer():
    session = bound_esme(limits=SessionLimits(inbound_window=1))
    session.receive_data(encode(AlertNotification(), 10) + encode(AlertNotification(), 11) + encode(DeliverSm(), 12))
    assert [event.pdu.command for event in happened(session)] == [
        Command.ALERT_NOTIFICATION,
        Command.ALERT_NOTIFICATION,
        Command.DELIVER_SM,
    ]
    assert session.data_to_send() == b""


def test_while_we_unbind_answers_and_deliveries_still_come_in_but_nothing_new_goes_out():
    session = bound_esme()
    sequence = session.send(SubmitSm(), "part")
    session.unbind()
    with pytest.raises(SessionError):
        session.send(SubmitSm())
    session.receive_data(encode(SubmitSmResp("x"), sequence) + encode(DeliverSm(), 9))
    answered, asked = happened(session)
    assert answered.context == "part"
    session.respond(asked.pdu, DeliverSmResp())
    assert [pdu.command for pdu in said(session)] == [Command.SUBMIT_SM, Command.UNBIND, Command.DELIVER_SM_RESP]
    session.receive_data(encode(UnbindResp(), 3))
    assert happened(session) == [Ended(EndReason.UNBOUND)]


def test_when_both_unbind_at_once_each_is_answered():
    session = bound_esme()
    session.unbind()
    session.data_to_send()
    session.receive_data(encode(Unbind(), 8))
    assert said(session) == [Pdu(UnbindResp(), 8)]
    assert happened(session) == [Ended(EndReason.UNBOUND)]


def test_an_esme_that_is_unbound_answers_and_closes_without_waiting_for_the_other_side():
    session = bound_esme()
    session.receive_data(encode(Unbind(), 8))
    assert said(session) == [Pdu(UnbindResp(), 8)]
    assert happened(session) == [Ended(EndReason.UNBOUND)]


def test_what_is_owed_when_the_other_side_unbinds_is_waited_for_a_moment():
    session = bound_esme()
    first, second = (session.send(SubmitSm(), part) for part in "ab")
    session.data_to_send()
    session.receive_data(encode(Unbind(), 8) + encode(SubmitSmResp("4711"), first))
    assert happened(session) == [Answered("a", Pdu(SubmitSmResp("4711"), first))]
    session.tick(1)
    assert happened(session) == [Unanswered("b", Missing.LOST), Ended(EndReason.UNBOUND)]
    assert second != first


@pytest.mark.parametrize("asked_by_us", [True, False])
def test_an_unbind_that_comes_to_nothing_ends_after_the_response_time(asked_by_us):
    limits = SessionLimits(response_seconds=10, enquire_link_seconds=math.inf)
    session = bound_esme(limits=limits) if asked_by_us else bound_smsc(limits=limits)
    session.tick(5)
    if asked_by_us:
        session.unbind()
    else:
        session.receive_data(encode(Unbind(), 8))
    session.tick(14)
    assert happened(session) == []
    session.tick(15)
    assert happened(session) == [Ended(EndReason.NO_UNBIND_ANSWER if asked_by_us else EndReason.UNBOUND)]


def test_silence_is_answered_with_enquire_link_and_more_silence_ends_the_session():
    session = bound_esme(limits=SessionLimits(enquire_link_seconds=30, response_seconds=10))
    session.tick(29)
    assert session.data_to_send() == b""
    session.tick(30)
    assert [pdu.body for pdu in said(session)] == [EnquireLink()]
    session.tick(39)
    assert happened(session) == []
    assert session.data_to_send() == b""
    session.tick(40)
    assert happened(session) == [Ended(EndReason.NO_LIFE)]


def test_any_pdu_is_a_sign_of_life():
    session = bound_esme(limits=SessionLimits(enquire_link_seconds=30, response_seconds=10))
    session.tick(30)
    (asked,) = said(session)
    session.tick(35)
    session.receive_data(encode(EnquireLinkResp(), asked.sequence))
    session.tick(64)
    assert session.data_to_send() == b""
    session.tick(65)
    assert [pdu.body for pdu in said(session)] == [EnquireLink()]
    assert happened(session) == []


def test_a_session_with_life_but_without_traffic_ends_as_inactive():
    session = bound_smsc(limits=SessionLimits(enquire_link_seconds=30, response_seconds=10, inactivity_seconds=100))
    for now in range(20, 100, 20):
        session.tick(now)
        session.receive_data(encode(EnquireLink(), now))
    session.tick(99)
    assert happened(session) == []
    session.tick(100)
    assert happened(session) == [Ended(EndReason.INACTIVE)]


def test_a_connection_that_does_not_bind_in_time_ends():
    session = Session(SessionRole.SMSC, SessionLimits(init_seconds=15), 100.0)
    session.tick(114)
    session.receive_data(encode(EnquireLink(), 1))
    assert happened(session) == []
    session.tick(115)
    assert happened(session) == [Ended(EndReason.NOT_BOUND)]


def test_a_bind_may_be_answered_as_late_as_any_request():
    session = Session(SessionRole.ESME, SessionLimits(init_seconds=15, response_seconds=30), 0.0)
    session.tick(10)
    session.bind(BindTransceiver())
    session.tick(39)
    assert happened(session) == []
    session.tick(40)
    assert happened(session) == [Ended(EndReason.NOT_BOUND)]


def test_a_bind_that_was_asked_for_in_time_is_answered_however_long_its_check_takes():
    session = Session(SessionRole.SMSC, SessionLimits(init_seconds=15), 0.0)
    session.receive_data(encode(BindTransceiver(system_id="shop"), 1))
    session.receive_data(encode(BindTransceiver(system_id="shop"), 2))
    asked, impatient = happened(session)
    session.answer_bind(impatient.pdu, BindTransceiverResp(), Status.RALYBND)
    session.tick(100)
    assert happened(session) == []
    session.answer_bind(asked.pdu, BindTransceiverResp(), Status.RBINDFAIL)
    assert session.data_to_send()
    session.tick(101)
    assert happened(session) == [Ended(EndReason.NOT_BOUND)]


def test_timers_off_never_end_a_session():
    session = bound_esme(limits=SessionLimits(enquire_link_seconds=math.inf, inactivity_seconds=math.inf))
    session.tick(10**9)
    assert (happened(session), session.data_to_send()) == ([], b"")


def test_the_tick_is_wanted_often_enough_for_the_shortest_timer():
    assert Session(SessionRole.ESME, SessionLimits(response_seconds=0.2), 0.0).tick_seconds == pytest.approx(0.05)
    assert Session(SessionRole.ESME, SessionLimits(), 0.0).tick_seconds == 1.0


def test_sequence_numbers_begin_again_after_the_last():
    session = bound_esme()
    session._sequence = MAX_SEQUENCE - 1
    assert [session.send(SubmitSm()) for _ in range(3)] == [MAX_SEQUENCE, 1, 2]


@given(
    st.lists(
        st.sampled_from(
            [
                encode(DeliverSm(short_message=b"id:1 stat:DELIVRD"), 3),
                encode(SubmitSmResp("id"), 2),
                encode(SubmitSmResp(), 3, Status.RTHROTTLED),
                encode(EnquireLink(), 4),
                encode(EnquireLinkResp(), 5),
                encode(GenericNack(), 0, Status.RINVCMDID),
                encode(Unbind(), 6),
                struct.pack("!IIII", 21, 0x77, 0, 7) + b"junk!",
                struct.pack("!IIII", 20, Command.DELIVER_SM, 0, 8) + b"junk",
                struct.pack("!IIII", 3, 0, 0, 9),
                b"\0\0\0",
            ]
        ),
        max_size=12,
    ),
    st.data(),
)
def test_any_chunking_gives_the_same_events_and_the_same_bytes(pieces, data):
    stream = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    whole, chunked = bound_esme(), bound_esme()
    for session in (whole, chunked):
        session.send(SubmitSm(), "a")
        session.send(SubmitSm(), "b")
        session.data_to_send()
    whole.receive_data(stream)
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        chunked.receive_data(stream[begin:end])
    for session in (whole, chunked):
        session.receive_eof()
    assert [repr(event) for event in happened(chunked)] == [repr(event) for event in happened(whole)]
    assert chunked.data_to_send() == whole.data_to_send()


ACTIONS = st.lists(
    st.one_of(
        st.just(("send",)),
        st.just(("flush",)),
        st.tuples(st.just("answer"), st.integers(1, 30), st.sampled_from([0, 0x58])),
        st.tuples(st.just("nack"), st.integers(0, 30)),
        st.tuples(st.just("garble"), st.integers(1, 30)),
        st.tuples(st.just("time"), st.floats(0, 20)),
        st.just(("unbind",)),
        st.tuples(st.just("noise"), st.binary(max_size=40)),
    ),
    max_size=60,
)


@given(ACTIONS)
def test_every_request_ends_in_exactly_one_answer_or_none_whatever_happens(actions):
    session = bound_esme(limits=SessionLimits(window=5, response_seconds=10, enquire_link_seconds=15))
    sent: list[int] = []
    ended: list[Any] = []
    now = 0.0

    def collect():
        ended.extend(event.context for event in happened(session) if isinstance(event, (Answered, Unanswered)))

    for action in actions:
        match action:
            case ("send",) if session.free_window:
                session.send(SubmitSm(), len(sent))
                sent.append(len(sent))
            case ("flush",):
                session.data_to_send()
            case ("answer", sequence, status):
                session.receive_data(encode(SubmitSmResp("x"), sequence, status))
            case ("nack", sequence):
                session.receive_data(encode(GenericNack(), sequence, 3))
            case ("garble", sequence):
                session.receive_data(struct.pack("!IIII", 18, Command.SUBMIT_SM_RESP, 0, sequence) + b"ab")
            case ("time", seconds):
                now += seconds
                session.tick(now)
            case ("unbind",):
                session.unbind()
            case ("noise", octets):
                session.receive_data(octets)
        collect()
    session.receive_eof()
    collect()
    assert sorted(ended) == sent


@given(st.binary(max_size=300), st.sampled_from(list(SessionRole)), st.booleans())
def test_no_bytes_make_a_session_raise(data, role, is_bound):
    session = bound(role, SessionState.BOUND_TRX) if is_bound else Session(role, SessionLimits(), 0.0)
    session.receive_data(data)
    session.tick(1)
    session.receive_eof()
    assert isinstance(happened(session)[-1], Ended)


def test_timers_are_a_value_that_answers_the_time():
    timers = Timers(
        bind_by=5,
        enquire_link_seconds=10,
        response_seconds=3,
        inactivity_seconds=60,
        silence_seconds=4,
        heard_at=0,
        busy_at=0,
    )
    assert timers.tick(4.9) is TimerVerdict.FINE
    assert timers.tick(5) is TimerVerdict.NOT_BOUND
    timers.bound = True
    timers.heard(5, busy=True)
    assert [timers.tick(now) for now in (14.9, 15, 15.1, 18)] == [
        TimerVerdict.FINE,
        TimerVerdict.ENQUIRE,
        TimerVerdict.FINE,
        TimerVerdict.NO_LIFE,
    ]
    timers.heard(18, busy=False)
    assert timers.tick(19) is TimerVerdict.FINE
    timers.heard(64, busy=False)
    assert timers.tick(65) is TimerVerdict.INACTIVE


SILENT = SessionLimits(window=2, silence_seconds=4, response_seconds=30, enquire_link_seconds=60)
ASKED = Command.ENQUIRE_LINK


def sent_commands(session):
    return [pdu.command for pdu in pdus(session.data_to_send())]


def test_a_link_that_owes_an_answer_and_says_nothing_is_asked_and_gets_no_more_until_it_speaks():
    session = bound_esme(limits=SILENT)
    session.tick(10)
    first = session.send(SubmitSm(), "first")
    session.data_to_send()
    session.tick(13.9)
    assert (happened(session), session.free_window, sent_commands(session)) == ([], 1, [])
    session.tick(14)
    assert (happened(session), session.free_window, sent_commands(session)) == ([FellSilent()], 0, [ASKED])
    session.tick(20)
    assert (happened(session), session.free_window, sent_commands(session)) == ([], 0, [])
    session.receive_data(encode(EnquireLinkResp(), 2))
    assert (happened(session), session.free_window) == ([Spoke()], 1)
    # It lives, but still owes: it is asked again after the same time.
    session.tick(24)
    assert (happened(session), sent_commands(session)) == ([FellSilent()], [ASKED])
    session.receive_data(encode(SubmitSmResp("id"), first))
    answered, spoke = happened(session)
    assert (answered.context, spoke, session.free_window) == ("first", Spoke(), 2)


def test_a_link_that_answers_others_slowly_is_not_silent():
    session = bound_esme(limits=SILENT)
    session.tick(10)
    session.send(SubmitSm(), "slow")
    quick = session.send(SubmitSm(), "quick")
    session.tick(13)
    session.receive_data(encode(SubmitSmResp("id"), quick))
    session.data_to_send()
    session.tick(16.9)
    assert sent_commands(session) == []
    session.tick(17)
    assert sent_commands(session) == [ASKED]


def test_an_idle_link_is_not_silent():
    session = bound_esme(limits=SILENT)
    session.tick(59)
    assert (happened(session), session.free_window, sent_commands(session)) == ([], 2, [])
    session.tick(60)
    assert (happened(session), session.free_window, sent_commands(session)) == ([], 2, [ASKED])


def test_a_silent_link_ends_where_the_question_is_not_answered_either():
    session = bound_esme(limits=SessionLimits(silence_seconds=4, response_seconds=10, enquire_link_seconds=60))
    session.tick(1)
    session.send(SubmitSm(), "part")
    session.data_to_send()
    session.tick(5)
    session.tick(11)
    session.tick(15)
    assert happened(session) == [
        FellSilent(),
        Unanswered("part", Missing.TIMED_OUT),
        Ended(EndReason.NO_LIFE),
    ]


def test_questions_about_earlier_sms_take_no_room_from_parts_and_are_few():
    session = bound_esme(limits=SessionLimits(window=1, asides=2))
    for place in range(2):
        session.send(QuerySm("id"), place)
        assert (session.free_window, session.outstanding, session.is_owed) == (1, 0, True)
    with pytest.raises(SessionError):
        session.send(CancelSm(message_id="id"), "one too many")
    part = session.send(SubmitSm(), "part")
    assert (session.free_window, session.outstanding) == (0, 1)
    with pytest.raises(SessionError):
        session.send(SubmitSm(), "no room")
    session.receive_data(encode(QuerySmResp("id", "", 1), part - 2) + encode(SubmitSmResp("id"), part))
    assert [event.context for event in happened(session)] == [0, "part"]
    session.send(CancelSm(message_id="id"), "now there is room")
    assert (session.free_window, session.outstanding) == (1, 0)
