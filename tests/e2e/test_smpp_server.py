"""An ESME binds to a running gateway, submits, and hears from the carrier's receipts what became of its SMS."""

import pytest

from smpp.wire.statuses import Status
from tests.kit.esme import esme, receipt_words
from tests.kit.ports import free_port


@pytest.fixture
async def server(site):
    """Give the port of a gateway's SMPP server, and the login shop of a user."""
    port = free_port()
    site.tables["smpp_server"] = [{"name": "smpp", "address": f"127.0.0.1:{port}"}]
    await site.open()
    await site.add_login()
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
