"""ESMEs written by others at our SMPP server, plain and under TLS: node's smpp, smpplib, smpp34 and Kannel."""

import asyncio
from contextlib import asynccontextmanager

import pytest
import smpp34
import smpplib.exceptions

from smpp.wire.bodies import SubmitSm
from smpp.wire.statuses import Status
from smpp.wire.tlv import Tag
from sms.message import ReceiptState
from tests.kit.esme_site import EsmeSite
from tests.kit.patience import PATIENCE
from tests.kit.smpp import NUMBER
from tests.kit.testbed import make_house
from tests.peers.smpp.dialects import LONG
from tests.peers.smpp.kannel import kannel
from tests.peers.smpp.node import node
from tests.peers.smpp.test_esmes import DELIVERED, PLAIN_AND_TLS, UNDELIVERED, server_context, talk_with_smpplib
from tests.peers.smpp.tls import Authority

LOST = "447700900125"


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "certificates")


@pytest.fixture
def house(tmp_path, gateway_database):
    return make_house(tmp_path / "house", gateway_database)


@asynccontextmanager
async def serving(house, tls=None):
    """Give a server whose carrier delivers everything but what goes to LOST."""
    site = await EsmeSite(house, tls=tls).start()
    ends = lambda part: ReceiptState.UNDELIVERABLE if part.number.digits == LOST else ReceiptState.DELIVERED  # noqa: E731
    carrying = asyncio.create_task(site.carry_all(ends))
    try:
        yield site
    finally:
        carrying.cancel()
        await asyncio.gather(carrying, return_exceptions=True)
        await site.stop()


def ids(site):
    return [str(job.key) for job in site.core.jobs()]


async def test_smpp34_submits_and_hears_its_receipt(house):
    async with serving(house) as site:
        client = smpp34.Client("127.0.0.1", site.port, "gateway", "secret")
        smsc = await asyncio.wait_for(client.connect(), PATIENCE)
        answer = await smsc.submit_sm(NUMBER, b"Hello", source_addr="Acme", registered_delivery=1)
        event = await asyncio.wait_for(smsc.next(), PATIENCE)
        assert isinstance(event, smpp34.DeliverSmEvent)
        assert [answer.message_id] == ids(site)
        assert event.short_message.startswith(f"id:{answer.message_id} sub:001".encode())
        assert {tlv.tag for tlv in event.tlvs} == {Tag.RECEIPTED_MESSAGE_ID, Tag.MESSAGE_STATE}
        await smsc.unbind()


@PLAIN_AND_TLS
async def test_smpplib_as_it_is_submits_and_hears_its_receipts(tls, authority, house):
    """By itself it raises an exception for any parameter that it does not know."""
    context = authority.client_context()
    context.check_hostname = False  # smpplib does not say which name it expects
    async with serving(house, server_context(authority, tls)) as site:
        answers, delivered = await asyncio.to_thread(
            talk_with_smpplib, site.port, "secret", context if tls else None, strict=True
        )
        assert answers == ids(site)
        assert sorted(delivered) == [(message_id, 2) for message_id in answers]
        assert [message.body for message in site.core.messages()] == ["one", "two"]


async def test_smpplib_hears_that_its_password_is_wrong(house):
    async with serving(house) as site:
        with pytest.raises(smpplib.exceptions.PDUError) as refused:
            await asyncio.to_thread(talk_with_smpplib, site.port, "wrong")
        assert refused.value.args[1] == Status.RBINDFAIL


@PLAIN_AND_TLS
async def test_node_submits_and_hears_its_receipt(tls, authority, house):
    async with serving(house, server_context(authority, tls)) as site:
        scheme = "ssmpp" if tls else "smpp"
        arguments = (f"{scheme}://localhost:{site.port}", "secret", str(authority.file))
        async with node("esme.js", *arguments) as facts:
            assert await facts.ended() == 0
        bound, submitted, delivered = facts.all
        assert bound == {"bound": 0}
        assert submitted == {"submitted": ids(site)[0], "status": 0}
        assert (delivered["esm_class"], delivered["message_state"]) == (4, 2)
        assert site.core.messages()[0].body == "Grüße {€}"


@PLAIN_AND_TLS
async def test_kannel_submits_long_texts_and_hears_their_receipts(tls, authority, house, tmp_path):
    core, link = (f'ssl-trusted-ca-file = "{authority.file}"', "use-ssl = true") if tls else ("", "")
    async with (
        serving(house, server_context(authority, tls)) as site,
        kannel(site, tmp_path, core=core, link=link) as box,
    ):
        for number, kind in ((NUMBER, DELIVERED), (LOST, UNDELIVERED)):
            before = len(ids(site))
            await box.send(**{"from": "Acme", "to": f"+{number}", "text": LONG, "coding": 2, "charset": "UTF-8"})
            path, query = await box.next()
            assert (path, query["kind"]) == ("/receipt", kind)
            assert query["id"] in ids(site)[before:]
            parts = site.core.messages()[before:]
            assert [len(message.udh) > 0 for message in parts] == [True] * 4
            assert "".join(message.body for message in parts) == LONG
            assert {message.number for message in parts} == {number}


async def test_hundreds_of_submits_under_way_are_all_answered_in_order(house):
    """As jsmpp sends them, which awaits each answer for two seconds."""
    async with serving(house) as site, site.esme() as client:
        bodies = [SubmitSm(dest_addr_ton=1, destination_addr=NUMBER, short_message=b"x") for _ in range(500)]
        answers = [await answer for answer in [client.ask(body) for body in bodies]]
        assert {answer.status for answer in answers} == {Status.ROK}
        assert [answer.body.message_id for answer in answers] == ids(site)
