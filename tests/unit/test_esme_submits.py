"""ESMEs bind and submit: who may, what each field means, what is refused with which status, and nothing is guessed."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from config.model import Config, load_config
from smpp.dialect.dialect import WireAlphabet
from smpp.server.connection import EsmeLimits
from smpp.server.statuses import ERRORS, REFUSALS, error_digits
from smpp.server.throttle import MOST_DELAY, Throttle
from smpp.session.events import Missing
from smpp.session.limits import SessionLimits
from smpp.session.states import SessionState
from smpp.wire.bodies import (
    CancelSm,
    DataSm,
    DataSmResp,
    EnquireLink,
    EnquireLinkResp,
    QuerySm,
    ReplaceSm,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
)
from smpp.wire.fields import Address, ListName, UnsuccessfulAddress
from smpp.wire.pdu import encode
from smpp.wire.statuses import Status
from smpp.wire.tlv import Tag, Tlv
from sms.message import ReceiptState
from sms.outcome import Refusal
from tests.kit.clock import START, leap
from tests.kit.esme import RECEIVER, TRANSCEIVER, TRANSMITTER, receipt_words
from tests.kit.esme_site import EsmeSite
from tests.kit.testbed import administer

TO = "447700900123"


@pytest.fixture
async def server(house):
    site = await EsmeSite(house).start()
    yield site
    await site.stop()


@pytest.fixture
async def client(server):
    async with server.esme() as client:
        yield client


# Binding


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (TRANSMITTER, SessionState.BOUND_TX),
        (RECEIVER, SessionState.BOUND_RX),
        (TRANSCEIVER, SessionState.BOUND_TRX),
    ],
)
async def test_an_esme_binds_in_each_way_and_hears_our_version(server, kind, state):
    """Without sc_interface_version some clients drop every parameter that they get."""
    async with server.esme("") as one:
        assert await one.bind("shop", "shop", kind) == Status.ROK
        assert one.session.state is state
    assert one.heard.endswith(b"shop\0" + b"\x02\x10\x00\x01\x34")


async def test_a_wrong_password_is_answered_rbindfail(server):
    async with server.esme("") as one:
        assert await one.bind("shop", "wrong") == Status.RBINDFAIL


@pytest.mark.parametrize("refusal", list(Refusal))
def test_no_fault_of_ours_is_called_a_wrong_password(refusal):
    assert REFUSALS[refusal] not in {Status.RINVPASWD, Status.RINVSYSID, Status.RINVSYSTYP}


async def test_a_fault_of_ours_at_a_bind_is_called_a_system_error(server):
    server.refuse_with = Refusal.INTERNAL
    async with server.esme("") as one:
        assert await one.bind("shop", "shop") == Status.RSYSERR


async def test_a_login_has_many_binds_up_to_a_bound(house):
    server = await EsmeSite(house, limits=EsmeLimits(binds=2)).start()
    try:
        async with server.esme(), server.esme(), server.esme("") as third, server.esme("till"):
            assert await third.bind("shop", "shop") == Status.RALYBND
        async with server.esme():
            pass
    finally:
        await server.stop()


async def test_a_client_that_binds_again_and_again_is_slowed_down_and_costs_no_proof(house):
    server = await EsmeSite(house, limits=EsmeLimits(binds_per_minute=2)).start()
    try:
        async with server.esme(), server.esme(), server.esme("") as third, server.esme("till"):
            assert await third.bind("shop", "shop") == Status.RTHROTTLED
    finally:
        await server.stop()


async def test_enquire_link_is_answered_before_the_bind_and_on_receivers(server):
    async with server.esme("") as one:
        one.write(encode(EnquireLink(), 7))
        await one.until(lambda: encode(EnquireLinkResp(), 7) in one.heard)
        assert await one.bind("shop", "shop", RECEIVER) == Status.ROK
        one.write(encode(EnquireLink(), 8))
        await one.until(lambda: encode(EnquireLinkResp(), 8) in one.heard)


async def test_a_submit_before_the_bind_is_refused(server):
    async with server.esme("") as one:
        one.write(encode(SubmitSm(destination_addr=TO, short_message=b"x"), 1))
        await one.until(lambda: bool(one.heard))
        assert one.heard[8:12] == Status.RINVBNDSTS.to_bytes(4, "big")


async def test_who_does_not_bind_in_time_is_dropped(house):
    limits = EsmeLimits(session=SessionLimits(init_seconds=0.05))
    server = await EsmeSite(house, limits=limits).start()
    try:
        async with server.esme("") as one:
            await one.until(lambda: one.end is not None)
    finally:
        await server.stop()


async def test_an_esme_that_answers_no_enquire_link_is_dropped_and_its_place_is_free(house):
    limits = EsmeLimits(binds=1, session=SessionLimits(enquire_link_seconds=10, response_seconds=10))
    server = await EsmeSite(house, limits=limits).start()
    try:
        async with server.esme() as dead:
            dead.is_deaf = True
            while not dead.is_lost:  # until it is asked whether it lives, and until its answer was due
                leap(11)
                await asyncio.sleep(0)
            async with server.esme():
                pass
    finally:
        await server.stop()


async def test_the_binds_of_a_login_that_was_disabled_end(server, client):
    async with server.esme("till") as other:
        server.ended.add("shop")
        await client.until(lambda: client.is_lost)
        assert (await other.submit()).status == Status.ROK
    assert client.end == "unbound"


async def test_an_esme_unbinds(client):
    await client.unbind()
    assert client.end == "unbound"


async def test_a_server_that_stops_answers_what_was_asked_and_unbinds(house):
    server = await EsmeSite(house).start()
    async with server.esme() as client:
        answers = [asyncio.ensure_future(client.submit()) for _ in range(20)]
        await server.core.has_accepted.wait()
        await server.door.stop(30)
        answered = [await answer for answer in answers]
        kept = {int(answer.body.message_id) for answer in answered if answer is not Missing.LOST and not answer.status}
        assert kept == {job.key for job in server.core.jobs()}
        await client.until(lambda: client.end is not None)
    await server.stop()


# Submitting


async def test_a_submit_becomes_a_job_of_the_login(server, client):
    answer = await client.submit(text="Hello", source_addr_ton=1, source_addr_npi=1, source_addr="447700900456")
    (job,) = server.core.jobs()
    (message,) = server.core.messages()
    assert answer.body.message_id == str(job.key)
    assert (job.service, job.login, job.user_address) == ("smpp", "shop", "anna@acme.example.com")
    assert (message.number, message.body, message.alphabet, message.sender) == (TO, "Hello", "gsm7", "+447700900456")


@pytest.mark.parametrize(
    ("fields", "number"),
    [
        ({"to": TO, "dest_addr_ton": 1}, TO),
        ({"to": f"+{TO}", "dest_addr_ton": 1}, TO),
        ({"to": f"00{TO}", "dest_addr_ton": 1}, TO),
        ({"to": TO, "dest_addr_ton": 0, "dest_addr_npi": 0}, TO),
        ({"to": "07700900123", "dest_addr_ton": 2}, TO),
    ],
)
async def test_a_number_is_read_by_its_type(server, client, fields, number):
    assert (await client.submit(**fields)).status == Status.ROK
    assert [message.number for message in server.core.messages()] == [number]


@pytest.mark.parametrize(
    ("data_coding", "octets", "text", "alphabet"),
    [
        (0x00, b"\x1be\x00 caf\x05", "€@ café", "gsm7"),
        (0x01, b"plain", "plain", "gsm7"),
        (0x03, "Grüße".encode("latin-1"), "Grüße", "gsm7"),
        (0x08, "Grüße".encode("utf-16-be"), "Grüße", "ucs2"),
        (0x08, "日本".encode("utf-16-be"), "日本", "ucs2"),
        (0xF1, b"\x00", "@", "gsm7"),
    ],
)
async def test_a_text_is_read_by_its_data_coding(server, client, data_coding, octets, text, alphabet):  # noqa: PLR0917
    assert (await client.submit(text=octets, data_coding=data_coding)).status == Status.ROK
    (message,) = server.core.messages()
    assert (message.body, message.alphabet) == (text, alphabet)


@pytest.mark.parametrize(
    ("data_coding", "flash"), [(0, False), (0x10, True), (0xF0, True), (0x18, True), (0x11, False)]
)
async def test_a_message_class_of_0_is_a_flash_sms(server, client, data_coding, flash):
    await client.submit(text=b"\0a", data_coding=data_coding)
    (message,) = server.core.messages()
    assert bool(message.flash) is flash


async def test_data_coding_0_means_what_the_operator_says(house):
    server = await EsmeSite(house, alphabet=WireAlphabet.LATIN1).start()
    try:
        async with server.esme() as client:
            await client.submit(text="Grüße".encode("latin-1"))
        assert [message.body for message in server.core.messages()] == ["Grüße"]
    finally:
        await server.stop()


UDH = bytes((5, 0, 3, 0xAB, 2, 1))
WIDE_UDH = bytes((6, 8, 4, 0xAB, 0xCD, 2, 1))
SAR = (Tlv(Tag.SAR_MSG_REF_NUM, 0x12AB), Tlv(Tag.SAR_TOTAL_SEGMENTS, 2), Tlv(Tag.SAR_SEGMENT_SEQNUM, 1))


@pytest.mark.parametrize("udh", [UDH, WIDE_UDH])
async def test_a_header_passes_through_and_the_part_is_billed_as_one(server, client, udh):
    await client.submit(text=udh + b"a" * 150, esm_class=0x40)
    (message,) = server.core.messages()
    assert (message.body, message.part_count) == ("a" * 150, 1)
    (part,) = server.take()
    assert (part.udh, part.payload, part.total) == (udh, b"a" * 150, 1)


async def test_sar_parameters_become_the_header_that_they_stand_for(server, client):
    await client.submit(text=b"a" * 153, tlvs=SAR)
    (part,) = server.take()
    assert (part.udh, part.payload) == (UDH, b"a" * 153)


async def test_a_national_table_of_a_header_is_kept(server, client):
    await client.submit(text=bytes((3, 0x24, 1, 1)) + b"\x1bg", esm_class=0x40)
    (part,) = server.take()
    assert server.core.messages()[0].body == "ğ"
    assert (part.udh, part.payload, part.shifts) == (bytes((3, 0x24, 1, 1)), b"\x1bg", (0, 1))


async def test_the_last_part_of_a_text_may_be_blank(server, client):
    assert (await client.submit(text=bytes((5, 0, 3, 1, 2, 2)) + b" ", esm_class=0x40)).status == Status.ROK


async def test_a_payload_of_one_part_is_taken(server, client):
    payload = Tlv(Tag.MESSAGE_PAYLOAD, b"a" * 160)
    assert (await client.submit(text=b"", tlvs=[payload])).status == Status.ROK
    assert server.core.messages()[0].part_count == 1


async def test_a_payload_of_several_parts_is_not_divided_for_its_sender(client):
    payload = Tlv(Tag.MESSAGE_PAYLOAD, b"a" * 161)
    assert (await client.submit(text=b"", tlvs=[payload])).status == Status.RINVMSGLEN
    assert (await client.submit(text=b"a" * 161)).status == Status.RINVMSGLEN


WHOLE = """
[[carrier]]
name = "whole"
kind = "sandbox"
priority = 20
dialect = { long_messages = "whole" }
"""


async def test_a_payload_of_several_parts_goes_to_a_carrier_that_takes_it_whole_and_is_billed_by_part(tmp_path, house):
    file = house.server.data_dir / "mail2sms.toml"
    file.write_text(file.read_text("utf-8") + WHOLE, "utf-8")
    config = load_config(file)
    assert isinstance(config, Config), config
    server = await EsmeSite(config).start()
    try:
        async with server.esme() as client:
            payload = Tlv(Tag.MESSAGE_PAYLOAD, b"a" * 400)
            assert (await client.submit(text=b"", tlvs=[payload])).status == Status.ROK
        (message,) = server.core.messages()
        assert (message.route, message.part_count) == ("whole", 3)
        (part,) = server.store.take(carrier="whole", route="whole", whole_texts=True)
        assert part.payload == b"a" * 400
    finally:
        await server.stop()


async def test_validity_and_schedule_are_read_absolute_and_relative(server, client):
    start = START + timedelta(hours=2)
    absolute = f"{START + timedelta(hours=5):%y%m%d%H%M%S}000+"
    await client.submit(schedule_delivery_time="000000020000000R", validity_period=absolute)
    await client.submit(schedule_delivery_time=f"{start + timedelta(hours=1):%y%m%d%H%M%S}004+", validity_period="")
    await client.submit(validity_period="000000000200000R")
    one, two, three = server.core.messages()
    at = [
        datetime.fromtimestamp(value / 1e6, UTC) for value in (one.due_at, one.expires_at, two.due_at, three.expires_at)
    ]
    assert at == [start, START + timedelta(hours=5), start, START + timedelta(minutes=2)]


@pytest.mark.parametrize(("flag", "urgency"), [(0, 1), (1, 1), (2, 0), (3, 0)])
async def test_a_priority_of_2_or_3_is_express(server, client, flag, urgency):
    await client.submit(priority_flag=flag)
    assert server.core.messages()[0].priority == urgency


async def test_reference_and_cost_centre_come_in_parameters_of_ours(server, client):
    await client.submit(tlvs=[Tlv(0x1400, b"order 7\0"), Tlv(0x1401, b"sales")])
    (job,) = server.core.jobs()
    assert job.reference == "order 7"
    assert '"sales"' in job.settings


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"dest_addr_ton": 5}, Status.RINVDSTTON),
        ({"dest_addr_npi": 6}, Status.RINVDSTNPI),
        ({"to": ""}, Status.RINVDSTADR),
        ({"to": "12"}, Status.RINVDSTADR),
        ({"to": "not a number"}, Status.RINVDSTADR),
        ({"source_addr": "Acme", "source_addr_ton": 7}, Status.RINVSRCTON),
        ({"source_addr": "447700900456", "source_addr_ton": 1, "source_addr_npi": 6}, Status.RINVSRCNPI),
        ({"source_addr": "twelve chars", "source_addr_ton": 5}, Status.RINVSRCADR),
        ({"esm_class": 0x02}, Status.RINVESMCLASS),
        ({"esm_class": 0x04}, Status.RINVESMCLASS),
        ({"esm_class": 0x40, "text": b"\xffxx"}, Status.RINVESMCLASS),
        ({"protocol_id": 0x40}, Status.RSUBMITFAIL),
        ({"priority_flag": 4}, Status.RINVPRTFLG),
        ({"registered_delivery": 0x04}, Status.RINVREGDLVFLG),
        ({"replace_if_present_flag": 1}, Status.RINVREPFLAG),
        ({"sm_default_msg_id": 1}, Status.RINVDFTMSGID),
        ({"schedule_delivery_time": "tomorrow"}, Status.RINVSCHED),
        ({"validity_period": "201123160000000+"}, Status.RINVEXPIRY),
        ({"validity_period": "soon"}, Status.RINVEXPIRY),
        ({"data_coding": 0x04}, Status.RSUBMITFAIL),
        ({"data_coding": 0xF5}, Status.RSUBMITFAIL),
        ({"data_coding": 0x06}, Status.RSUBMITFAIL),
        ({"data_coding": 0x08, "text": b"odd"}, Status.RINVMSGLEN),
        ({"text": b"\xe9 is no septet"}, Status.RSUBMITFAIL),
        ({"text": b""}, Status.RINVMSGLEN),
        ({"text": b"both", "tlvs": [Tlv(Tag.MESSAGE_PAYLOAD, b"texts")]}, Status.RINVMSGLEN),
        ({"tlvs": [Tlv(Tag.DESTINATION_PORT, 9200)]}, Status.ROPTPARNOTALLWD),
        ({"tlvs": [Tlv(0x1400, b"x" * 101)]}, Status.RINVPARLEN),
        ({"tlvs": [SAR[0], SAR[1], Tlv(Tag.SAR_SEGMENT_SEQNUM, 3)]}, Status.RINVOPTPARAMVAL),
    ],
)
async def test_what_we_cannot_do_as_asked_is_refused_with_the_status_that_names_it(server, client, fields, status):
    answer = await client.submit(**fields)
    assert (answer.status, answer.body.message_id) == (status, "")
    assert server.core.jobs() == []


async def test_a_refusal_is_logged_with_login_and_cause_and_without_number_and_text(server, client):
    with capture_logs() as logs:
        await client.submit(text=b"secret", protocol_id=0x40)
    (line,) = [line for line in logs if line["event"] == "esme_submit_rejected"]
    assert (line["login"], line["cause"]) == ("shop", "protocol_id is 0x40")
    assert "secret" not in str(logs)
    assert TO not in str(logs)


async def test_submit_multi_keeps_who_can_be_reached_and_names_the_others(server, client):
    good, other = Address(1, 1, TO), Address(1, 1, "447700900124")
    letters, empty = Address(5, 0, "Acme"), Address(1, 1, "12")
    body = SubmitMulti(
        dest_addresses=(good, letters, empty, ListName("friends"), other), registered_delivery=1, short_message=b"Hello"
    )
    answer = await client.ask(body)
    assert isinstance(answer.body, SubmitMultiResp)
    assert answer.status == Status.ROK
    assert set(answer.body.unsuccess_smes) == {
        UnsuccessfulAddress(*letters, Status.RINVDSTTON),
        UnsuccessfulAddress(*empty, Status.RINVDSTADR),
        UnsuccessfulAddress(0, 0, "friends", Status.RINVDLNAME),
    }
    server.carry()
    receipts = await client.receipts(2)
    assert {pdu.body.source_addr for pdu in receipts} == {TO, "447700900124"}
    assert {receipt_words(pdu)["id"] for pdu in receipts} == {answer.body.message_id}


async def test_data_sm_submits_as_submit_sm_does(server, client):
    tlvs = (Tlv(Tag.MESSAGE_PAYLOAD, b"Hello"), Tlv(Tag.QOS_TIME_TO_LIVE, 600))
    answer = await client.ask(DataSm(dest_addr_ton=1, destination_addr=TO, registered_delivery=1), tlvs)
    assert isinstance(answer.body, DataSmResp)
    (message,) = server.core.messages()
    assert (message.body, message.expires_at - message.due_at) == ("Hello", 600_000_000)
    server.carry()
    assert receipt_words((await client.receipts())[0])["id"] == answer.body.message_id


async def test_a_hundred_submits_that_come_together_are_kept_in_their_order(server, client):
    bodies = [SubmitSm(dest_addr_ton=1, destination_addr=TO, short_message=f"{n}".encode()) for n in range(100)]
    answers = [await answer for answer in [client.ask(body) for body in bodies]]
    assert {answer.status for answer in answers} == {Status.ROK}
    keys = [int(answer.body.message_id) for answer in answers]
    assert keys == sorted(keys)
    assert [message.body for message in server.core.messages()] == [f"{n}" for n in range(100)]


@pytest.mark.slow
async def test_an_esme_that_reads_no_answers_is_read_no_more(client):
    """Each answer would wait in memory, for as long as it likes (farhadi/node-smpp#10)."""
    client.hold_reading()
    for _ in range(100):
        client.write(encode(EnquireLink(), 7) * 20_000)
    await client.until_full()


async def test_a_pdu_that_is_none_is_answered_and_the_session_goes_on(client):
    client.write((20).to_bytes(4, "big") + (0x00000099).to_bytes(4, "big") + bytes(8) + bytes(4))
    assert (await client.submit()).status == Status.ROK


async def test_enquire_link_and_submit_of_one_sequence_number_are_both_answered(client):
    answer = client.ask(SubmitSm(dest_addr_ton=1, destination_addr=TO, short_message=b"x"))
    client.write(encode(EnquireLink(), 2))  # the bind had the first
    assert (await answer).body.message_id
    assert encode(EnquireLinkResp(), 2) in client.heard


# Limits


def test_a_login_that_is_too_quick_is_delayed_first_and_then_refused():
    throttle = Throttle(10)
    due = [throttle.due_at(1, 5.0) for _ in range(13)]
    assert due[:3] == [5.0, pytest.approx(5.1), pytest.approx(5.2)]
    assert due[10] == pytest.approx(5.0 + MOST_DELAY)
    assert due[12] is None
    assert throttle.due_at(1, 7.0) == 7.0


async def test_a_login_far_beyond_its_speed_hears_throttled(house):
    server = await EsmeSite(house, limits=EsmeLimits(rate=1)).start()
    try:
        async with server.esme() as client:
            bodies = [SubmitSm(dest_addr_ton=1, destination_addr=TO, short_message=b"x") for _ in range(4)]
            answers = [await answer for answer in [client.ask(body) for body in bodies]]
        assert [answer.status for answer in answers].count(Status.RTHROTTLED) == 2
    finally:
        await server.stop()


async def test_a_limit_of_use_is_a_full_queue(server, client):
    administer(server.core.folder, "customer limit acme --usage sms/day=1")
    await server.core.book.refresh()
    assert [(await client.submit()).status for _ in range(2)] == [Status.ROK, Status.RMSGQFUL]


# Earlier SMS


async def test_a_query_is_answered_with_the_state_and_its_time(server, client):
    message_id = (await client.submit()).body.message_id
    asked = await client.ask(QuerySm(message_id))
    assert (asked.body.message_id, asked.body.message_state, asked.body.final_date) == (message_id, 1, "")
    server.carry(ReceiptState.UNDELIVERABLE, error="12")
    told = await client.ask(QuerySm(message_id))
    assert (told.body.message_state, told.body.error_code, told.body.final_date) == (5, 12, "261123160000000+")


async def test_nobody_hears_of_what_another_login_submitted(server, client):
    message_id = (await client.submit()).body.message_id
    async with server.esme("till") as other:
        assert (await other.ask(QuerySm(message_id))).status == Status.RQUERYFAIL
        assert (await other.ask(CancelSm(message_id=message_id))).status == Status.RCANCELFAIL
        assert (await other.ask(ReplaceSm(message_id, short_message=b"x"))).status == Status.RREPLACEFAIL


@pytest.mark.parametrize("message_id", ["", "0", "12", "x" * 64, "9" * 64])
async def test_an_id_that_names_nothing_is_refused(client, message_id):
    assert (await client.ask(QuerySm(message_id))).status == Status.RQUERYFAIL


async def test_what_waits_is_cancelled_and_its_receipt_says_deleted(server, client):
    message_id = (await client.submit(schedule_delivery_time="000001000000000R")).body.message_id
    assert (await client.ask(CancelSm(message_id=message_id))).status == Status.ROK
    assert receipt_words((await client.receipts())[0])["stat"] == "DELETED"
    assert (await client.ask(CancelSm(message_id=message_id))).status == Status.RCANCELFAIL
    assert [row.who for row in server.core.audit(action="queue.cancel")] == ["shop"]


async def test_without_an_id_all_that_waits_between_two_addresses_is_cancelled(server, client):
    for source in ("Acme", "Acme", "Other"):
        await client.submit(source_addr_ton=5, source_addr=source)
    asked = CancelSm(source_addr_ton=5, source_addr="Acme", dest_addr_ton=1, destination_addr=TO)
    assert (await client.ask(asked)).status == Status.ROK
    assert [message.state for message in server.core.messages()] == ["cancelled", "cancelled", "queued"]


async def test_a_text_is_replaced_before_a_carrier_has_it_and_not_after(server, client):
    message_id = (await client.submit(text="old")).body.message_id
    assert (await client.ask(ReplaceSm(message_id, short_message=b"new", registered_delivery=1))).status == Status.ROK
    (part,) = server.take()
    assert part.payload == b"new"
    assert (await client.ask(ReplaceSm(message_id, short_message=b"late"))).status == Status.RREPLACEFAIL
    assert (await client.ask(ReplaceSm(message_id, short_message=b"a" * 161))).status == Status.RREPLACEFAIL


# Tables


@pytest.mark.parametrize("refusal", list(Refusal))
def test_every_refusal_has_a_status(refusal):
    assert REFUSALS[refusal] is not Status.ROK


@pytest.mark.parametrize(
    ("error", "reason", "digits"),
    [("", "", "000"), ("7", "not-delivered", "007"), ("123", "x", "123"), ("1234", "not-delivered", "912")]
    + [("", reason, str(code)) for reason, code in ERRORS.items()]
    + [("", "else", "999")],
)
def test_an_error_is_always_three_digits(error, reason, digits):
    assert error_digits(error, reason) == digits
