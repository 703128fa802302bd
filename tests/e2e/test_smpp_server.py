"""An ESME binds to a running gateway, submits, and hears from the carrier's receipts what became of its SMS."""

import pytest

from inbound.actions import SmppAction
from smpp.wire.statuses import Status
from smpp.wire.tlv import Tag
from tests.kit.esme import RECEIVER, esme, receipt_words
from tests.kit.inbound_harness import OWN, furnish_site
from tests.kit.ports import free_port
from tests.kit.smpp import encoded


@pytest.fixture
async def server(site):
    """Give the port of a gateway's SMPP server, and the login shop of a user."""
    port = free_port()
    site.tables["smpp_server"] = [{"name": "smpp", "address": f"127.0.0.1:{port}"}]
    await site.open()
    await site.add_login()
    furnish_site(site, smpp=SmppAction(login="shop"))
    await site.start()
    return port


async def test_an_sms_goes_from_an_esme_to_the_carrier_and_its_receipt_comes_back(site, server):
    async with esme(server, "shop", "secret08") as client:
        answer = await client.submit(text="Your code is 1234", source_addr_ton=5, source_addr="Acme")
        assert answer.status == Status.ROK
        (receipt,) = await client.receipts()
    (taken,) = site.carrier.record.taken
    assert (taken.submitted.number, taken.submitted.sender) == ("447700900123", "Acme")
    words = receipt_words(receipt)
    assert words["id"] == words["tlv_id"] == answer.body.message_id
    assert (words["stat"], words["err"], words["sub"], words["dlvrd"]) == ("DELIVRD", "000", "001", "001")
    assert receipt.body.source_addr == "447700900123"
    assert receipt.body.destination_addr == "Acme"
    assert site.jobs()[0].public_id in await site.command("status", words["id"])


async def test_an_inbound_sms_waits_for_the_login_of_its_action_and_comes_whole_when_it_binds(site, server):
    text = "Long words of a customer. " * 12
    await site.carrier.deliver("+447700900555", OWN, encoded(text))
    await site.carrier.deliver("+447700900555", OWN, encoded("日本"))
    await site.until(lambda: len(site.outbox_rows(channel="smpp")) == 2)
    async with esme(server, "shop", "secret08", RECEIVER) as client:
        first, second = await client.receipts(2)
    assert (first.body.source_addr, first.body.destination_addr) == ("447700900555", OWN[1:])
    assert (first.body.esm_class, first.body.data_coding, first.body.short_message) == (0, 0, b"")
    assert first.octets(Tag.MESSAGE_PAYLOAD) == text.encode()
    assert (second.body.data_coding, second.body.short_message.decode("utf-16-be")) == (8, "日本")


async def test_the_binds_of_a_login_end_when_it_is_disabled(site, server):
    async with esme(server, "shop", "secret08") as client:
        await site.command("login", "disable", "shop")
        await client.until(lambda: client.is_lost)
    async with esme(server) as again:
        assert await again.bind("shop", "secret08") == Status.RBINDFAIL
