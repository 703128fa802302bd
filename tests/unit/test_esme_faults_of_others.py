"""Faults that clients reported of other message centres, one test each; ours has none of them."""

import asyncio

import pytest
from structlog.testing import capture_logs

from smpp.server.connection import EsmeLimits
from smpp.session.limits import SessionLimits
from smpp.wire.bodies import AlertNotification, Command, DataSm, GenericNack, SubmitSm
from smpp.wire.pdu import encode
from smpp.wire.statuses import Status
from smpp.wire.tlv import Tag, Tlv
from tests.kit.esme import RECEIVER, TRANSMITTER, receipt_words
from tests.kit.esme_site import EsmeSite

TO = "447700900123"


@pytest.fixture
async def server(house):
    site = await EsmeSite(house).start()
    yield site
    await site.stop()


async def test_a_receipt_of_a_data_sm_is_a_deliver_sm_too(server):
    """jookies/jasmin#139: clients do not understand a receipt in a data_sm."""
    async with server.esme() as client:
        body = DataSm(dest_addr_ton=1, destination_addr=TO, registered_delivery=1)
        assert (await client.ask(body, [Tlv(Tag.MESSAGE_PAYLOAD, b"Hello")])).status == Status.ROK
        server.carry()
        (receipt,) = await client.receipts()
    assert receipt.command is Command.DELIVER_SM
    assert receipt_words(receipt)["stat"] == "DELIVRD"


async def test_submits_that_are_delayed_keep_their_order(house):
    """jookies/jasmin#425: after throttling the order was another."""
    server = await EsmeSite(house, limits=EsmeLimits(rate=200)).start()
    try:
        async with server.esme() as client:
            bodies = [
                SubmitSm(dest_addr_ton=1, destination_addr=TO, short_message=b"%d" % number) for number in range(40)
            ]
            answers = [await answer for answer in [client.ask(body) for body in bodies]]
        assert [answer.status for answer in answers] == [Status.ROK] * 40
        ids = [int(answer.body.message_id) for answer in answers]
        assert ids == sorted(ids)
        assert [message.body for message in server.core.messages()] == [str(number) for number in range(40)]
    finally:
        await server.stop()


async def test_of_hundreds_of_receipts_each_comes_once_over_a_narrow_window(house):
    """uudashr/jsmpp#47: beyond the client's queue receipts vanished."""
    server = await EsmeSite(house, limits=EsmeLimits(session=SessionLimits(window=3, inbound_window=1000))).start()
    try:
        async with server.esme() as client:
            bodies = [SubmitSm(dest_addr_ton=1, destination_addr=TO, short_message=b"x", registered_delivery=1)] * 300
            answers = [await answer for answer in [client.ask(body) for body in bodies]]
            while server.carry():
                pass
            receipts = await client.receipts(300)
            ids = [receipt_words(receipt)["id"] for receipt in receipts]
        assert sorted(ids) == sorted(answer.body.message_id for answer in answers)
    finally:
        await server.stop()


async def test_every_receiver_of_a_login_gets_receipts_and_not_the_first_alone(server):
    """farhadi/node-smpp#123: some centres send receipts to the first bind only."""
    async with server.esme(kind=TRANSMITTER) as sender, server.esme(kind=RECEIVER) as first:
        first.answer_with = lambda _: None
        async with server.esme(kind=RECEIVER) as second:
            for _ in range(60):
                await sender.submit()
            while server.carry():
                pass
            await second.until(lambda: first.delivered and second.delivered)


async def test_nobody_is_told_that_a_phone_is_reachable_again_since_nobody_may_ask_for_it(server):
    """SMPP 3.4 §4.12: alert_notification answers set_dpf, which we refuse."""
    async with server.esme() as client:
        body = DataSm(dest_addr_ton=1, destination_addr=TO)
        answer = await client.ask(body, [Tlv(Tag.MESSAGE_PAYLOAD, b"Hello"), Tlv(Tag.SET_DPF, 1)])
        assert answer.status == Status.ROPTPARNOTALLWD
        assert server.core.jobs() == []


async def test_an_alert_of_a_client_does_nothing_and_its_session_goes_on(server):
    async with server.esme() as client:
        client.write(encode(AlertNotification(), 77))
        assert (await client.submit()).status == Status.ROK
        assert encode(GenericNack(), 77, Status.RINVCMDID) not in client.heard, "an alert has no answer (§4.12)"


async def test_a_failed_bind_is_one_line_for_fail2ban_whatever_the_client_calls_itself(server):
    with capture_logs() as logs:
        async with server.esme("") as client:
            assert await client.bind("x\x1bforged", "wrong") == Status.RBINDFAIL
    (line,) = [line for line in logs if line["event"] == "auth_failed"]
    assert (line["user"], line["rip"], line["mechanism"]) == ("x\\x1bforged", "127.0.0.1", "SMPP")


async def test_binds_and_submits_are_measured_by_door_and_never_by_client(house):
    server = await EsmeSite(house, limits=EsmeLimits(rate=1)).start()

    def binds():
        return [
            line.rpartition("} ")[2] for line in server.metrics.render([]).splitlines() if "esme_binds{" in line
        ]  # receiver, transceiver, transmitter

    try:
        async with server.esme() as client:
            async with server.esme("other", kind=RECEIVER):
                assert binds() == ["1", "1", "0"]
            asked = [
                client.ask(SubmitSm(dest_addr_ton=1, destination_addr=to, short_message=b"x"))
                for to in (TO, "", TO, TO, TO)
            ]
            answers = await asyncio.gather(*asked)
        await server.until(lambda: binds() == ["0", "0", "0"])
    finally:
        await server.stop()
    text = server.metrics.render([])
    for answer in ("kept", "refused", "throttled"):
        assert f'mail2sms_esme_submits_total{{door="smpp",answer="{answer}"}}' in text
    assert 'mail2sms_esme_submit_seconds_count{door="smpp"} 5\n' in text
    assert {answer.status for answer in answers} >= {Status.ROK, Status.RTHROTTLED}
