"""Receipts for ESMEs: as asked for and nothing else, to the right bind, once the ESME is there, until it has them."""

from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from countries.book import Mode, OperatorRule
from countries.rules import RuleName
from gateway.listener import ConnectionLimits
from smpp.server.connection import EsmeLimits
from smpp.session.limits import SessionLimits
from smpp.wire.bodies import DeliverSmResp, SubmitSm
from smpp.wire.statuses import Status
from smpp.wire.tlv import Tag, Tlv
from sms.esme import wants_receipt
from sms.lifecycle import SUCCESS, MessageState
from sms.message import ReceiptState
from sms.outcome import Done
from store.esme import DropWaiting, drop_waiting
from tests.kit.esme import RECEIVER, TRANSMITTER, receipt_words
from tests.kit.esme_site import EsmeSite
from tests.kit.fakes import until


@pytest.fixture
async def server(house):
    site = await EsmeSite(house).start()
    yield site
    await site.stop()


def waiting(server):
    return [row for row in server.store.outbox_rows(channel="smpp") if row.ended_at is None]


async def test_a_receipt_has_the_text_of_appendix_b_in_full_and_both_parameters(server):
    async with server.esme() as client:
        answer = await client.submit(text="Hello, your code: 12345678", source_addr_ton=5, source_addr="Acme")
        server.carry()
        (receipt,) = await client.receipts()
    body, message_id = receipt.body, answer.body.message_id
    assert body.short_message.decode() == (
        f"id:{message_id} sub:001 dlvrd:001 submit date:2611231600 done date:2611231600 stat:DELIVRD err:000"
        " text:Hello, your code: 12"
    )
    assert receipt.tlvs == (Tlv(Tag.RECEIPTED_MESSAGE_ID, message_id), Tlv(Tag.MESSAGE_STATE, 2))
    assert (body.esm_class, body.data_coding) == (0x04, 0)
    assert (body.source_addr_ton, body.source_addr_npi, body.source_addr) == (1, 1, "447700900123")
    assert (body.dest_addr_ton, body.destination_addr) == (5, "Acme")


async def test_a_message_id_is_of_decimal_digits_without_sign_and_spelled_alike_everywhere(server):
    async with server.esme() as client:
        answer = await client.submit()
        server.carry()
        (receipt,) = await client.receipts()
    words = receipt_words(receipt)
    assert answer.body.message_id == words["id"] == words["tlv_id"]
    assert words["id"].isdecimal()
    assert len(words["id"]) <= 64


@pytest.mark.parametrize(
    ("state", "word", "number"),
    [
        (ReceiptState.DELIVERED, "DELIVRD", 2),
        (ReceiptState.EXPIRED, "EXPIRED", 3),
        (ReceiptState.UNDELIVERABLE, "UNDELIV", 5),
        (ReceiptState.UNKNOWN, "UNKNOWN", 7),
        (ReceiptState.REJECTED, "REJECTD", 8),
    ],
)
async def test_what_the_network_says_is_what_the_esme_hears(server, state, word, number):
    async with server.esme() as client:
        await client.submit()
        server.carry(state)
        words = receipt_words((await client.receipts())[0])
    assert (words["stat"], words["tlv_state"]) == (word, number)


async def test_the_networks_error_comes_in_exactly_three_digits(server):
    async with server.esme() as client:
        await client.submit()
        server.carry(ReceiptState.UNDELIVERABLE, error="12")
        assert receipt_words((await client.receipts())[0])["err"] == "012"


@pytest.mark.parametrize("registered", range(4))
@pytest.mark.parametrize("state", list(MessageState))
def test_a_receipt_is_written_exactly_where_registered_delivery_asks_for_one(registered, state):
    asked = {0: False, 1: True, 2: state not in SUCCESS, 3: state in SUCCESS}[registered]
    assert wants_receipt(registered, state) is asked


@pytest.mark.parametrize(
    ("registered", "state", "heard"),
    [
        (0, ReceiptState.DELIVERED, []),
        (1, ReceiptState.DELIVERED, ["DELIVRD"]),
        (1, ReceiptState.UNDELIVERABLE, ["UNDELIV"]),
        (2, ReceiptState.DELIVERED, []),
        (2, ReceiptState.UNDELIVERABLE, ["UNDELIV"]),
        (3, ReceiptState.DELIVERED, ["DELIVRD"]),
        (3, ReceiptState.UNDELIVERABLE, []),
        (0x11, ReceiptState.DELIVERED, ["ENROUTE", "DELIVRD"]),
    ],
)
async def test_only_the_receipts_that_were_asked_for_come_and_none_says_accepted_on_the_way(
    server, registered, state, heard
):
    async with server.esme() as client:
        await client.submit(registered_delivery=registered)
        await client.submit(to="447700900199")  # whose receipt ends the wait
        server.carry(state)
        await client.until(lambda: any(pdu.body.source_addr == "447700900199" for pdu in client.delivered))
        await until(lambda: waiting(server) == [])
        words = [receipt_words(pdu)["stat"] for pdu in client.delivered if pdu.body.source_addr == "447700900123"]
    assert words == heard


async def test_an_intermediate_notification_is_marked_as_one(server):
    async with server.esme() as client:
        await client.submit(registered_delivery=0x10)
        server.carry(None)
        (notice,) = await client.receipts()
    assert (notice.body.esm_class, receipt_words(notice)["stat"]) == (0x20, "ENROUTE")


async def test_the_clients_own_reference_comes_back_with_the_receipt(server):
    async with server.esme() as client:
        await client.submit(tlvs=[Tlv(Tag.USER_MESSAGE_REFERENCE, 4711)])
        server.carry()
        (receipt,) = await client.receipts()
    assert receipt.integer(Tag.USER_MESSAGE_REFERENCE) == 4711


async def test_a_receipt_names_no_parameter_that_smpp_does_not_have(server):
    """Some clients drop a receipt whole for one parameter that they don't know."""
    async with server.esme() as client:
        await client.submit(tlvs=[Tlv(0x1400, b"order 7"), Tlv(Tag.MORE_MESSAGES_TO_SEND, 0)])
        server.carry()
        (receipt,) = await client.receipts()
    assert {tag for tag, _ in receipt.tlvs} == {Tag.RECEIPTED_MESSAGE_ID, Tag.MESSAGE_STATE}


@pytest.fixture
async def serve_where(house):
    """Return a server for which receipts of Great Britain are worth what the operator's rule says."""
    sites = []

    async def start(value, mode=Mode.NOTE, **rule):
        ruling = OperatorRule(country="GB", name=RuleName.RECEIPTS, mode=mode, value=value, **rule)
        sites.append(await EsmeSite(replace(house, rulings=(ruling,))).start())
        return sites[-1]

    yield start
    for site in sites:
        await site.stop()


async def receipt_where(server, state=ReceiptState.DELIVERED, **options):
    async with server.esme(**options) as client:
        await client.submit(tlvs=[Tlv(Tag.USER_MESSAGE_REFERENCE, 4711)])
        server.carry(state)
        return (await client.receipts())[0]


@pytest.mark.parametrize("mode", [Mode.NOTE, Mode.APPLY])
@pytest.mark.parametrize("value", ["network", "unreliable", "false", "none"])
async def test_a_receipt_keeps_the_networks_word_and_says_last_what_it_is_worth(serve_where, value, mode):
    receipt = await receipt_where(await serve_where(value, mode))
    words = receipt_words(receipt)
    assert (words["stat"], words["tlv_state"]) == ("DELIVRD", 2)
    assert receipt.octets(0x1403) == value.encode() + b"\0"
    assert receipt.tlvs[-1].tag == 0x1403


@pytest.mark.parametrize(
    ("value", "mode", "state"),
    [
        ("handset", Mode.NOTE, ReceiptState.DELIVERED),
        ("first-part", Mode.NOTE, ReceiptState.DELIVERED),  # of one part it says it all
        ("network", Mode.OFF, ReceiptState.DELIVERED),
        ("network", Mode.NOTE, ReceiptState.UNDELIVERABLE),
        ("network", Mode.NOTE, ReceiptState.EXPIRED),
    ],
)
async def test_a_receipt_that_says_no_more_than_it_is_worth_has_no_word_of_it(serve_where, value, mode, state):
    receipt = await receipt_where(await serve_where(value, mode), state)
    assert receipt.octets(0x1403) is None


async def test_a_part_of_several_hears_that_only_the_first_is_reported(serve_where):
    server = await serve_where("first-part")
    async with server.esme() as client:
        await client.submit(text=b"\5\0\3\x07\2\2world", esm_class=0x40)
        server.carry()
        (receipt,) = await client.receipts()
    assert receipt.octets(0x1403) == b"first-part\0"


async def test_the_operator_takes_the_worth_of_receipts_away_for_one_customer(serve_where):
    assert (await receipt_where(await serve_where("network", customer="rival"))).octets(0x1403) is None


async def test_an_esme_of_smpp_33_hears_nothing_of_the_worth_of_a_receipt(serve_where):
    assert (await receipt_where(await serve_where("network"), interface_version=0x33)).tlvs == ()


async def test_an_esme_of_smpp_33_gets_no_parameters(server):
    async with server.esme(interface_version=0x33) as client:
        await client.submit()
        server.carry()
        (receipt,) = await client.receipts()
    assert receipt.tlvs == ()


async def test_a_receipt_goes_to_the_bind_that_submitted(server):
    async with server.esme() as one, server.esme() as other:
        await other.submit()
        server.carry()
        await other.receipts()
    assert one.delivered == []


async def test_without_the_bind_that_submitted_another_receiver_of_the_login_gets_the_receipt(server):
    async with server.esme() as gone:
        await gone.submit()
    async with server.esme("till") as stranger, server.esme(kind=RECEIVER) as receiver:
        server.carry()
        await receiver.receipts()
    assert stranger.delivered == []


async def test_a_transmitter_gets_its_receipts_on_a_receiver(server):
    async with server.esme(kind=TRANSMITTER) as sender, server.esme(kind=RECEIVER) as receiver:
        await sender.submit()
        server.carry()
        await receiver.receipts()
    assert sender.delivered == []


async def test_receipts_wait_for_an_absent_esme_and_come_when_it_binds(server):
    async with server.esme() as gone:
        for _ in range(3):
            await gone.submit()
    server.carry()
    assert len(waiting(server)) == 3
    async with server.esme() as back:
        await back.receipts(3)
        await until(lambda: waiting(server) == [])


async def test_what_an_esme_took_and_did_not_answer_comes_again_at_the_next_bind(server):
    async with server.esme() as gone:
        gone.answer_with = lambda _: None
        await gone.submit()
        server.carry()
        (first,) = await gone.receipts()
    async with server.esme() as back:
        (second,) = await back.receipts()
    assert second.body == first.body


async def test_a_receipt_that_is_refused_is_sent_again(server):
    async with server.esme() as client:
        client.answer_with = lambda _: Status.RSYSERR if len(client.delivered) == 1 else Status.ROK
        await client.submit()
        server.carry()
        await client.receipts()
        await until(lambda: [row.attempts for row in waiting(server)] == [1])
        server.clock.move(timedelta(seconds=10))
        server.loop.kick()
        first, second = await client.receipts(2)
    assert first.body == second.body


async def test_a_receipt_that_is_refused_for_good_is_not_sent_again(server):
    async with server.esme() as client:
        client.answer_with = lambda _: Status.RX_P_APPN
        await client.submit()
        server.carry()
        await client.receipts()
        await until(lambda: waiting(server) == [])
    (row,) = server.store.outbox_rows(channel="smpp")
    assert (row.state, row.reason) == ("failed", "push-refused")


async def test_the_window_of_a_slow_esme_blocks_no_other(house):
    limits = EsmeLimits(session=SessionLimits(window=2, inbound_window=1000))
    server = await EsmeSite(house, limits=limits).start()
    try:
        async with server.esme("till") as slow, server.esme() as quick:
            slow.answer_with = lambda _: None
            for _ in range(8):
                await slow.submit()
            await quick.submit(to="447700900199")
            server.carry()
            await quick.receipts()
            assert len(slow.delivered) == 2
            for pdu in list(slow.delivered):
                slow.session.respond(pdu, DeliverSmResp(), Status.ROK)
            slow.answer_with = lambda _: Status.ROK
            slow.link.flush()
            await slow.receipts(8)
    finally:
        await server.stop()


async def test_what_nobody_fetches_is_dropped_after_two_days_and_logged(server):
    async with server.esme() as gone:
        await gone.submit()
    server.carry()
    await server.absent.step()
    assert len(waiting(server)) == 1
    server.clock.move(timedelta(hours=48, seconds=1))
    with capture_logs() as logs:
        await server.absent.step()
    assert waiting(server) == []
    assert [(line["login"], line["deliveries"]) for line in logs if line["event"] == "esme_deliveries_dropped"] == [
        ("shop", 1)
    ]


async def test_of_too_many_for_one_login_the_oldest_are_dropped(server):
    async with server.esme() as gone, server.esme("till") as other:
        for _ in range(5):
            await gone.submit()
        await other.submit()
    server.carry()
    oldest = [row.key for row in waiting(server) if row.recipient == "shop"][:3]
    now = server.store.now
    dropped = server.store.database.write_now(drop_waiting, DropWaiting(before=0, now=now, most=2))
    assert dropped == {"shop": 3}
    assert len(waiting(server)) == 3
    assert {row.key for row in server.store.outbox_rows(state="dropped")} == set(oldest)


async def test_an_sms_that_only_a_carrier_has_for_good_is_reported_as_accepted(server):
    """The route gives no receipts, and nothing more will be known."""
    async with server.esme() as client:
        await client.submit()
        parts = server.take()
        server.store.execute("UPDATE message SET receipt_wanted = FALSE")
        server.store.settle((parts[0].part_key, Done(reference="c1")), carrier="sandbox")
        server.loop.kick()
        words = receipt_words((await client.receipts())[0])
    assert (words["stat"], words["tlv_state"]) == ("ACCEPTD", 6)


async def test_a_late_delivered_after_undelivered_is_told_too(server):
    async with server.esme() as client:
        await client.submit()
        (part,) = server.carry(ReceiptState.UNDELIVERABLE)
        await client.receipts()
        server.store.receipt(f"c{part.part_key}", ReceiptState.DELIVERED, carrier="sandbox")
        server.loop.kick()
        assert [receipt_words(pdu)["stat"] for pdu in await client.receipts(2)] == ["UNDELIV", "DELIVRD"]


async def test_an_sms_that_expired_unsent_has_an_error_of_ours_in_three_digits(server):
    async with server.esme() as client:
        await client.submit()
        server.clock.move(timedelta(days=3))
        server.store.sweep(timedelta(days=3))
        server.loop.kick()
        words = receipt_words((await client.receipts())[0])
    assert (words["stat"], words["err"], words["dlvrd"]) == ("EXPIRED", "901", "000")


async def test_beyond_the_bound_of_connections_a_client_is_dropped(house):
    server = await EsmeSite(house, connections=ConnectionLimits(per_address=1)).start()
    try:
        async with server.esme() as one:
            async with server.esme("") as two:
                await two.until(lambda: two.end is not None)
            assert (await one.submit()).status == Status.ROK
    finally:
        await server.stop()


async def test_receipts_for_an_absent_esme_cost_nothing_until_it_binds(server):
    """They are not taken and given back, again and again."""
    async with server.esme() as gone:
        body = SubmitSm(dest_addr_ton=1, destination_addr="447700900123", registered_delivery=1, short_message=b"x")
        for answer in [gone.ask(body) for _ in range(50)]:
            await answer
    await until(lambda: not server.courier.logins())
    server.carry()
    for _ in range(3):
        assert await server.loop.step() is False
    assert {row.attempts for row in waiting(server)} == {0}
