"""ESMEs written by others bound to our sandbox carrier, plain and under TLS: node's smpp, smpplib, smpp34 and Kannel."""

import asyncio
import ssl

import pytest
import smpp34
import smpplib.client
import smpplib.consts
import smpplib.exceptions

from smpp.simulator.script import Script
from smpp.wire.statuses import Status
from smpp.wire.tlv import Tag
from sms.message import ReceiptState
from tests.kit.patience import PATIENCE
from tests.kit.smpp import NUMBER, carrier, encoded
from tests.peers.smpp.dialects import LONG
from tests.peers.smpp.kannel import kannel
from tests.peers.smpp.node import node
from tests.peers.smpp.tls import Authority

PLAIN_AND_TLS = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "certificates")


def server_context(authority: Authority, tls: bool) -> ssl.SSLContext | None:
    return authority.server_context() if tls else None


# smpp34: its TLS trusts the public authorities alone, so it is tried plain


async def test_smpp34_binds_to_the_sandbox_submits_and_hears_its_receipt():
    async with carrier() as simulator:
        client = smpp34.Client("127.0.0.1", simulator.port, "gateway", "secret")
        smsc = await asyncio.wait_for(client.connect(), PATIENCE)
        answer = await smsc.submit_sm(NUMBER, b"Hello", source_addr="Acme", registered_delivery=1)
        assert answer.message_id == simulator.record.taken[0].message_id
        event = await asyncio.wait_for(smsc.next(), PATIENCE)
        assert isinstance(event, smpp34.DeliverSmEvent)
        assert event.short_message.startswith(f"id:{answer.message_id} sub:001".encode())
        assert {tlv.tag for tlv in event.tlvs} == {Tag.RECEIPTED_MESSAGE_ID, Tag.MESSAGE_STATE}
        await smsc.unbind()


# smpplib


def talk_with_smpplib(port, password, context=None, *, strict=False):
    """Bind, submit two parts and read both receipts; blocking, for a thread. `strict` as smpplib is by itself."""
    client = smpplib.client.Client(
        "127.0.0.1", port, timeout=PATIENCE, ssl_context=context, allow_unknown_opt_params=not strict
    )
    answers, delivered = [], []
    client.set_message_sent_handler(lambda pdu: answers.append(pdu.message_id.decode()))
    client.set_message_received_handler(
        lambda pdu: delivered.append((pdu.receipted_message_id.decode(), pdu.message_state))
    )
    client.connect()
    try:
        client.bind_transceiver(system_id="gateway", password=password)
        for text in (b"one", b"two"):
            client.send_message(
                source_addr_ton=smpplib.consts.SMPP_TON_ALNUM,
                source_addr="Acme",
                dest_addr_ton=smpplib.consts.SMPP_TON_INTL,
                destination_addr=NUMBER,
                short_message=text,
                registered_delivery=True,
            )
        while len(delivered) < 2:
            client.read_once()
        client.unbind()
    finally:
        client.disconnect()
    return answers, delivered


@PLAIN_AND_TLS
async def test_smpplib_binds_to_the_sandbox_submits_and_hears_its_receipts(tls, authority):
    context = authority.client_context()
    context.check_hostname = False  # smpplib does not say which name it expects
    async with carrier(tls=server_context(authority, tls)) as simulator:
        answers, delivered = await asyncio.to_thread(
            talk_with_smpplib, simulator.port, "secret", context if tls else None
        )
        assert answers == [taken.message_id for taken in simulator.record.taken]
        assert delivered == [(message_id, 2) for message_id in answers]
        assert [shown.text for shown in simulator.record.shown()] == ["one", "two"]


async def test_smpplib_hears_that_its_password_is_wrong():
    async with carrier() as simulator:
        with pytest.raises(smpplib.exceptions.PDUError) as refused:
            await asyncio.to_thread(talk_with_smpplib, simulator.port, "wrong")
        assert refused.value.args[1] == Status.RINVPASWD


# node


@PLAIN_AND_TLS
async def test_node_binds_to_the_sandbox_submits_and_hears_its_receipt(tls, authority):
    async with carrier(tls=server_context(authority, tls)) as simulator:
        scheme = "ssmpp" if tls else "smpp"
        arguments = (f"{scheme}://localhost:{simulator.port}", "secret", str(authority.file))
        async with node("esme.js", *arguments) as facts:
            assert await facts.ended() == 0
        bound, submitted, delivered = facts.all
        assert bound == {"bound": 0}
        assert submitted == {"submitted": simulator.record.taken[0].message_id, "status": 0}
        assert (delivered["esm_class"], delivered["message_state"]) == (4, 2)
        assert simulator.record.shown()[0].text == "Grüße {€}"


async def test_node_refuses_our_certificate_where_it_does_not_know_the_authority(authority, tmp_path):
    async with carrier(tls=authority.server_context()) as simulator:
        other = Authority(tmp_path / "other")
        url = f"ssmpp://localhost:{simulator.port}"
        async with node("esme.js", url, "secret", str(other.file)) as facts:
            assert await facts.ended() == 1
        assert facts.all == [{"error": "UNABLE_TO_VERIFY_LEAF_SIGNATURE"}]
        assert simulator.bound == 0


async def test_node_hears_that_its_password_is_wrong():
    async with carrier() as simulator, node("esme.js", f"smpp://localhost:{simulator.port}", "wrong") as facts:
        await facts.ended()
        assert facts.all == [{"bound": Status.RINVPASWD}]


# Kannel

DELIVERED, UNDELIVERED = "1", "2"  # Kannel's user guide, «Delivery reports»


@PLAIN_AND_TLS
async def test_kannel_submits_long_ucs2_texts_and_hears_their_receipts_and_inbound_sms(tls, authority, tmp_path):
    lost = "447700900125"
    script = Script(receipt_delay=0.05, states={lost: ReceiptState.UNDELIVERABLE})
    core, link = (f'ssl-trusted-ca-file = "{authority.file}"', "use-ssl = true") if tls else ("", "")
    async with (
        carrier(script, tls=server_context(authority, tls)) as simulator,
        kannel(simulator, tmp_path, core=core, link=link) as site,
    ):
        for number, kind in ((NUMBER, DELIVERED), (lost, UNDELIVERED)):
            before = len(simulator.record.taken)
            await site.send(**{"from": "Acme", "to": f"+{number}", "text": LONG, "coding": 2, "charset": "UTF-8"})
            await asyncio.wait_for(
                simulator.until(lambda before=before: len(simulator.record.taken) == before + 4), PATIENCE
            )
            shown = simulator.record.shown()[-1]
            assert (shown.number, shown.sender, shown.text, shown.missing) == (number, "Acme", LONG, ())
            path, query = await site.next()
            assert (path, query["kind"]) == ("/receipt", kind)
            assert query["id"] in {taken.message_id for taken in simulator.record.taken[before:]}

        await site.send(**{"from": "Acme", "to": f"+{NUMBER}", "text": "Plain words. " * 20})
        await site.next()
        assert simulator.record.shown()[-1].text == "Plain words. " * 20

        await simulator.deliver(f"+{NUMBER}", "12345", encoded("Hola"))
        path, query = await site.next()
        assert (path, query["from"], query["text"]) == ("/inbound", f"+{NUMBER}", "Hola")


async def test_kannel_refuses_our_certificate_where_it_does_not_know_the_authority(authority, tmp_path):
    other, log = Authority(tmp_path / "other"), tmp_path / "bearerbox.log"
    trust = f'ssl-trusted-ca-file = "{other.file}"\nlog-file = "{log}"'
    async with (
        carrier(tls=authority.server_context()) as simulator,
        kannel(simulator, tmp_path, core=trust, link="use-ssl = true", bound=False),
        asyncio.timeout(PATIENCE),
    ):
        while "certificate verify failed" not in log.read_text("utf-8", "replace"):
            await asyncio.sleep(0.05)
        assert simulator.bound == 0
