"""SMPP with programs written by others: smpp34 (Rust), node's smpp, smpplib and Kannel, each on the other end."""

import asyncio
import json
import socket
import urllib.parse
import urllib.request
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import smpp34
import smpplib.client
import smpplib.consts
import smpplib.exceptions

from smpp.dialect import Dialect, IdBase
from smpp.script import Script
from smpp.statuses import Status
from smpp.tlv import Tag
from sms.message import Alphabet, ReceiptState
from sms.number import MobileNumber
from sms.outcome import Done
from tests.peer import find_program, require_peer
from tests.protocol.smpp_kit import (
    ACME,
    NUMBER,
    Listener,
    account_of,
    carrier,
    client_of,
    encoded,
    parts_of,
    submit_all,
)

NODE_FOLDER = Path(__file__).parent / "node_smpp"
LONG = "Nobody is surprised. " * 20


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class Elsewhere:
    """Where a carrier that is not ours listens, in the form that the kit's account wants."""

    def __init__(self, port):
        self.port = port


# smpp34


@asynccontextmanager
async def smpp34_server():
    port = free_port()
    server = smpp34.Server("127.0.0.1", port)
    await server.start()
    try:
        yield server, port
    finally:
        await server.stop()


async def test_the_client_submits_to_smpp34_and_hears_its_receipts_and_inbound_sms():
    listener = Listener()
    async with smpp34_server() as (server, port), client_of(account_of(Elsewhere(port)), listener) as client:
        esme = await asyncio.wait_for(server.next(), 10)
        await listener.until(lambda: client.free_window() > 0)
        parts = parts_of(LONG)
        client.submit(parts)
        heard = {}
        for _ in parts:
            # It hands them on in any order.
            event = await asyncio.wait_for(server.next(), 10)
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
        esme = await asyncio.wait_for(server.next(), 10)
        answer = await esme.deliver_sm("12345", b"Stop", source_addr=NUMBER)
        assert answer.command_status == Status.RX_T_APPN


async def test_smpp34_binds_to_the_sandbox_submits_and_hears_its_receipt():
    async with carrier() as simulator:
        client = smpp34.Client("127.0.0.1", simulator.port, "gateway", "secret")
        smsc = await asyncio.wait_for(client.connect(), 10)
        answer = await smsc.submit_sm(NUMBER, b"Hello", source_addr="Acme", registered_delivery=1)
        assert answer.message_id == simulator.record.taken[0].message_id
        event = await asyncio.wait_for(smsc.next(), 10)
        assert isinstance(event, smpp34.DeliverSmEvent)
        assert event.short_message.startswith(f"id:{answer.message_id} sub:001".encode())
        assert {tlv.tag for tlv in event.tlvs} == {Tag.RECEIPTED_MESSAGE_ID, Tag.MESSAGE_STATE}
        await smsc.unbind()


# smpplib


def talk_with_smpplib(port, password):
    """Bind, submit two parts and read both receipts; blocking, for a thread."""
    client = smpplib.client.Client("127.0.0.1", port, timeout=10, allow_unknown_opt_params=True)
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


async def test_smpplib_binds_to_the_sandbox_submits_and_hears_its_receipts():
    async with carrier() as simulator:
        answers, delivered = await asyncio.to_thread(talk_with_smpplib, simulator.port, "secret")
        assert answers == [taken.message_id for taken in simulator.record.taken]
        assert delivered == [(message_id, 2) for message_id in answers]
        assert [shown.text for shown in simulator.record.shown()] == ["one", "two"]


async def test_smpplib_hears_that_its_password_is_wrong():
    async with carrier() as simulator:
        with pytest.raises(smpplib.exceptions.PDUError) as refused:
            await asyncio.to_thread(talk_with_smpplib, simulator.port, "wrong")
        assert refused.value.args[1] == Status.RINVPASWD


# node


def node_program():
    node = find_program("node")
    installed = (NODE_FOLDER / "node_modules" / "smpp").is_dir()
    require_peer("node with smpp (npm ci --omit=dev in tests/peers/node_smpp)", node and installed)
    return node


@asynccontextmanager
async def node(script, *arguments):
    """Run a script of node_smpp; it ends when its input does."""
    process = await asyncio.create_subprocess_exec(
        node_program(), script, *map(str, arguments), cwd=NODE_FOLDER,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    try:
        yield process
    finally:
        process.stdin.close()
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def facts_until(process, key):
    """Read facts until one has the key, and return all."""
    facts: list[dict] = []
    while not any(key in fact for fact in facts):
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        assert line, f"the peer ended after {facts}"
        facts.append(json.loads(line))
    return facts


async def test_the_client_submits_to_node_and_hears_its_receipt_and_inbound_sms():
    dialect = Dialect(id_in_response=IdBase.HEX, id_in_receipt=IdBase.DECIMAL)
    listener = Listener()
    async with node("smsc.js") as process:
        port = int(await process.stdout.readline())
        async with client_of(account_of(Elsewhere(port), dialect=dialect), listener) as client:
            await submit_all(client, listener, parts_of("Grüße {€}"))
            facts = await facts_until(process, "inbound_taken")
            assert {
                "submitted": "Grüße {€}",
                "udh": [],
                "source": [5, 0, "Acme"],
                "destination": [1, 1, NUMBER],
                "data_coding": 0,
                "registered_delivery": 1,
            } in facts
            assert {"receipt_taken": 0} in facts
            assert {"inbound_taken": 0} in facts
            assert listener.answers[1] == Done(reference=str(0x1000))
            assert [(one.carrier_id, one.state) for one in listener.receipts] == [(str(0x1000), ReceiptState.DELIVERED)]
            assert [(one.source, one.destination, one.text) for one in listener.fragments] == [
                (f"+{NUMBER}", "12345", "Grüße ✓")
            ]
            assert await client.cancel(str(0x1000), MobileNumber(digits=NUMBER), ACME) == Done(reference=str(0x1000))
            assert {"cancelled": "1000"} in await facts_until(process, "cancelled")
        assert {"unbound": True} in await facts_until(process, "unbound")


async def test_node_reads_headers_and_ucs2_of_a_long_message():
    listener = Listener()
    async with node("smsc.js") as process:
        port = int(await process.stdout.readline())
        async with client_of(account_of(Elsewhere(port)), listener) as client:
            parts = parts_of("Ünï ćödé ✓ " * 10, coding=Alphabet.UCS2, reference=200)
            await submit_all(client, listener, parts)
            submitted: list[dict] = []
            while len(submitted) < len(parts):
                submitted += [fact for fact in await facts_until(process, "submitted") if "submitted" in fact]
            assert "".join(fact["submitted"] for fact in submitted) == "Ünï ćödé ✓ " * 10
            assert [fact["udh"] for fact in submitted] == [[f"0003c80{len(parts)}0{part.index}"] for part in parts]


async def test_node_binds_to_the_sandbox_submits_and_hears_its_receipt():
    async with carrier() as simulator, node("esme.js", simulator.port, "secret") as process:
        facts = await facts_until(process, "delivered")
        bound, submitted, delivered = facts
        assert bound == {"bound": 0}
        assert submitted == {"submitted": simulator.record.taken[0].message_id, "status": 0}
        assert (delivered["esm_class"], delivered["message_state"]) == (4, 2)
        assert simulator.record.shown()[0].text == "Grüße {€}"
        assert await process.wait() == 0


async def test_node_hears_that_its_password_is_wrong():
    async with carrier() as simulator, node("esme.js", simulator.port, "wrong") as process:
        assert await facts_until(process, "bound") == [{"bound": Status.RINVPASWD}]


# Kannel

KANNEL = """\
group = core
admin-port = {admin}
admin-password = secret
admin-interface = 127.0.0.1
smsbox-port = {boxes}
smsbox-interface = 127.0.0.1
box-allow-ip = 127.0.0.1
dlr-storage = internal
log-level = 2

group = smsc
smsc = smpp
smsc-id = sandbox
host = 127.0.0.1
port = {smsc}
transceiver-mode = true
smsc-username = gateway
smsc-password = secret
system-type = ""
reconnect-delay = 1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1
log-level = 2

group = sendsms-user
username = gateway
password = secret
concatenation = true
max-messages = 10

group = sms-service
keyword = default
get-url = "http://127.0.0.1:{http}/inbound?from=%p&text=%b&coding=%c&charset=%C"
max-messages = 0
"""


class KannelSite:
    """bearerbox and smsbox bound to our sandbox, with a web server that hears what they report."""

    def __init__(self):
        self.sendsms = free_port()
        self.http = 0
        self.heard: asyncio.Queue[tuple[str, dict]] = asyncio.Queue()

    async def take(self, reader, writer):
        request = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()
        parts = urllib.parse.urlsplit(request)
        await self.heard.put((parts.path, dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))))

    async def send(self, **query):
        values = {"username": "gateway", "password": "secret", **query}
        url = f"http://127.0.0.1:{self.sendsms}/cgi-bin/sendsms?{urllib.parse.urlencode(values)}"
        return await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=10).read())


@asynccontextmanager
async def kannel(simulator, folder):
    bearerbox, smsbox = find_program("bearerbox"), find_program("smsbox")
    require_peer("Kannel (apt install kannel)", bearerbox and smsbox)
    assert bearerbox is not None
    assert smsbox is not None
    site = KannelSite()
    web = await asyncio.start_server(site.take, "127.0.0.1", 0)
    site.http = web.sockets[0].getsockname()[1]
    boxes = free_port()
    file = folder / "kannel.conf"
    file.write_text(
        KANNEL.format(admin=free_port(), boxes=boxes, smsc=simulator.port, sendsms=site.sendsms, http=site.http)
    )
    quiet = {"stdout": asyncio.subprocess.DEVNULL, "stderr": asyncio.subprocess.DEVNULL, "cwd": folder}
    processes = [await asyncio.create_subprocess_exec(bearerbox, str(file), **quiet)]
    try:
        await asyncio.wait_for(simulator.until(lambda: simulator.bound == 1), 20)
        await connectable(boxes)
        processes.append(await asyncio.create_subprocess_exec(smsbox, str(file), **quiet))
        await connectable(site.sendsms)
        yield site
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            await asyncio.wait_for(process.wait(), 20)
        web.close()
        await web.wait_closed()


async def connectable(port):
    """Return once somebody listens on the port."""
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


async def test_kannel_binds_to_the_sandbox_submits_and_hears_receipts_and_inbound_sms(tmp_path):
    async with carrier(Script(receipt_delay=0.05)) as simulator, kannel(simulator, tmp_path) as site:
        report = f"http://127.0.0.1:{site.http}/receipt?kind=%d&id=%F"
        await site.send(**{"from": "Acme", "to": f"+{NUMBER}", "text": LONG, "dlr-mask": 3, "dlr-url": report})
        await asyncio.wait_for(simulator.until(lambda: len(simulator.record.taken) == 3), 20)
        (shown,) = simulator.record.shown()
        assert (shown.number, shown.sender, shown.text) == (NUMBER, "Acme", LONG)
        path, query = await asyncio.wait_for(site.heard.get(), 20)
        assert (path, query["kind"]) == ("/receipt", "1")

        await site.send(**{"from": "Acme", "to": f"+{NUMBER}", "text": "Grüße ✓", "coding": 2, "charset": "UTF-8"})
        await asyncio.wait_for(simulator.until(lambda: len(simulator.record.taken) == 4), 20)
        assert simulator.record.shown()[-1].text == "Grüße ✓"

        await simulator.deliver(f"+{NUMBER}", "12345", encoded("Hola"))
        path, query = await asyncio.wait_for(site.heard.get(), 20)
        assert (path, query["from"], query["text"]) == ("/inbound", f"+{NUMBER}", "Hola")
