"""Our client alone against message centres of others: the fields of each submit, the answer to a failed commit,
cancelling.

The whole gateway with them is in test_node_as_carrier and its neighbours.
"""

import asyncio
from contextlib import asynccontextmanager

import smpp34

from smpp.dialect.dialect import Dialect, IdBase
from smpp.wire.statuses import Status
from sms.message import ReceiptState
from sms.number import MobileNumber
from sms.outcome import Done
from tests.kit.patience import PATIENCE
from tests.kit.ports import free_port
from tests.kit.smpp import ACME, NUMBER, Listener, account_of, client_of, parts_of, submit_all
from tests.peers.smpp.node import centres

LONG = "Nobody is surprised. " * 20


class Elsewhere:
    """Where a carrier that is not ours listens, in the form that the kit's account wants."""

    def __init__(self, port: int) -> None:
        self.port = port


@asynccontextmanager
async def smpp34_server():
    port = free_port()
    server = smpp34.Server("127.0.0.1", port)
    await server.start()
    try:
        yield server, port
    finally:
        await server.stop()


async def test_smpp34_reads_every_field_of_our_submits_and_its_receipts_and_inbound_sms_are_read():
    listener = Listener()
    async with smpp34_server() as (server, port), client_of(account_of(Elsewhere(port)), listener) as client:
        esme = await asyncio.wait_for(server.next(), PATIENCE)
        await listener.until(lambda: client.free_window() > 0)
        parts = parts_of(LONG)
        client.submit(parts)
        heard = {}
        for _ in parts:
            # It hands them on in any order.
            event = await asyncio.wait_for(server.next(), PATIENCE)
            index = event.short_message[5]
            heard[index] = event
            event.accept(f"id-{index}")
        await listener.until(lambda: len(listener.answers) == len(parts))
        for part in parts:
            assert listener.answers[part.part_key] == Done(reference=f"id-{part.index}")
            assert heard[part.index].short_message == part.udh + part.payload
        first = heard[1]
        assert (first.source_addr, first.source_addr_ton, first.source_addr_npi) == ("Acme", 5, 0)
        assert (first.destination_addr, first.dest_addr_ton, first.dest_addr_npi) == (NUMBER, 1, 1)
        assert (first.esm_class, first.registered_delivery, first.data_coding) == (0x40, 1, 0)

        receipt = b"id:id-1 sub:001 dlvrd:001 submit date:2611231600 done date:2611231601 stat:DELIVRD err:000 text:"
        answer = await esme.deliver_sm("Acme", receipt, source_addr=NUMBER, esm_class=4)
        assert answer.is_success
        assert [(one.carrier_id, one.state) for one in listener.receipts] == [("id-1", ReceiptState.DELIVERED)]
        answer = await esme.deliver_sm("12345", b"Stop", source_addr=NUMBER, source_addr_ton=1)
        assert answer.is_success
        assert [(one.source, one.text) for one in listener.fragments] == [(f"+{NUMBER}", "Stop")]


async def test_smpp34_reads_what_a_failed_commit_answers():
    async def commit(_receipt):
        raise OSError("disk full")

    async with smpp34_server() as (server, port), client_of(account_of(Elsewhere(port)), Listener(commit)):
        esme = await asyncio.wait_for(server.next(), PATIENCE)
        answer = await esme.deliver_sm("12345", b"Stop", source_addr=NUMBER)
        assert answer.command_status == Status.RX_T_APPN


async def test_node_is_asked_to_cancel_under_the_id_that_it_gave():
    dialect = Dialect(id_in_response=IdBase.HEX, id_in_receipt=IdBase.DECIMAL)
    listener = Listener()
    options = {"name": "alpha", "response": "hex", "receipt": "decimal", "form": "text"}
    async with centres(options) as (facts, ports):
        async with client_of(account_of(Elsewhere(ports["alpha"]), dialect=dialect), listener) as client:
            await submit_all(client, listener, parts_of("Grüße {€}"))
            await facts.until(lambda: bool(facts.those("receipt_taken")))
            assert facts.those("submitted") == [
                {
                    "centre": "alpha",
                    "submitted": "Grüße {€}",
                    "udh": [],
                    "sar": None,
                    "payload": False,
                    "source": [5, 0, "Acme"],
                    "destination": [1, 1, NUMBER],
                    "data_coding": 0,
                    "registered_delivery": 1,
                }
            ]
            assert listener.answers[1] == Done(reference=str(0x1000))
            assert [(one.carrier_id, one.state) for one in listener.receipts] == [(str(0x1000), ReceiptState.DELIVERED)]
            assert await client.cancel(str(0x1000), MobileNumber(digits=NUMBER), ACME) == Done(reference=str(0x1000))
            await facts.until(lambda: bool(facts.those("cancelled")))
            assert facts.those("cancelled") == [{"centre": "alpha", "cancelled": "1000"}]
        await facts.until(lambda: bool(facts.those("unbound")))
