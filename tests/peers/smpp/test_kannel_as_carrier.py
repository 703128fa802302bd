"""Kannel's own message centre for tests (drive_smpp) as the carrier of the real process, plain and behind TLS.

It binds transmitters and receivers, answers each submit without an id, gives no receipts, and sends numbered SMS. What
Kannel makes of our receipts and TLS is in test_esmes.
"""

import asyncio
import shutil
import socket
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
import pytest_asyncio

from tests.kit.installation import Installation
from tests.kit.peer import require_peer
from tests.kit.ports import free_port
from tests.peers.smpp.dialects import LONG
from tests.peers.smpp.tls import Authority, relay

pytestmark = pytest.mark.asyncio(loop_scope="module")

CARRIERS = {"kannel-tcp": "447700900111", "kannel-tls": "447700900222"}
INBOUND = 3
# drive_smpp plays Kannel's smsbox too, and ends unless somebody listens where a bearerbox would: fixed in its source.
# What connects there waits unaccepted.
BEARERBOX_PORT = 13001


def program() -> str:
    found = shutil.which("drive_smpp", path="/usr/lib/kannel/test")
    require_peer("Kannel's drive_smpp (apt install kannel-extras)", found)
    assert found is not None
    return found


@asynccontextmanager
async def centre(folder):
    """Run drive_smpp; gives its port and its log. It ends with its first lost link, so nobody may probe the port."""
    port, log = free_port(), folder / "drive_smpp.log"
    with (folder / "drive_smpp.out").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(program(), "-v", "4", "-l", str(log), "-p", str(port), "-m", str(INBOUND)),
            cwd=folder,
            stdout=output,
            stderr=output,
        )
    try:
        yield port, log
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world(tmp_path_factory, module_database):
    """Return the site and its carriers' logs by name."""
    folder = tmp_path_factory.mktemp("kannel")
    authority = Authority(folder / "certificates")
    site = Installation(folder / "site", module_database)
    async with AsyncExitStack() as stack:
        with suppress(OSError):  # another listener there does as well
            stack.enter_context(socket.create_server(("127.0.0.1", BEARERBOX_PORT), backlog=100, reuse_port=True))
        logs = {}
        for carrier, number in CARRIERS.items():
            (folder / carrier).mkdir()
            port, logs[carrier] = await stack.enter_async_context(centre(folder / carrier))
            secure: dict[str, object] = {}
            if carrier.endswith("tls"):
                port = await stack.enter_async_context(relay(authority.server_context(), port))
                secure = {"tls": "require", "ca_file": str(authority.file)}
            site.more_carriers.append(
                {
                    "name": carrier,
                    "host": "localhost",
                    "port": port,
                    "prefixes": [number],
                    "bind": "pair",
                    "receipts": False,
                    **secure,
                }
            )
        stack.push_async_callback(site.close)
        await site.open()
        await site.command("customer", "set", "demo", "delivery_receipt=on", "unencodable=switch", "max_parts=10")
        await site.start()
        await site.until(lambda: all(binds_of(site, carrier) == 2 for carrier in CARRIERS))
        yield site, logs


def binds_of(site: Installation, carrier: str) -> int:
    return sum(f"event=smpp_bound carrier={carrier} " in line for line in site.log)


def submits(log) -> list[str]:
    return [line for line in log.read_text("utf-8", "replace").splitlines() if "submit_sm: short_message" in line]


@pytest.mark.parametrize("carrier", list(CARRIERS))
async def test_a_long_text_in_ucs2_ends_as_taken_by_the_carrier(carrier, world):
    site, logs = world
    before = len(submits(logs[carrier]))
    job = await site.send(LONG, to=(f"+{CARRIERS[carrier]}",))
    await site.until(lambda: site.state(job) == {CARRIERS[carrier]: "submitted"})
    assert len(submits(logs[carrier])) - before == 4
    assert [bool(message.ended) for message in site.messages(job)] == [True]


@pytest.mark.parametrize("carrier", list(CARRIERS))
async def test_a_short_text_is_read_as_it_was_sent(carrier, world):
    site, logs = world
    job = await site.send("Pump 7 stopped", to=(f"+{CARRIERS[carrier]}",))
    await site.until(lambda: site.state(job) == {CARRIERS[carrier]: "submitted"})
    assert submits(logs[carrier])[-1].endswith("short_message = <Pump 7 stopped>")


@pytest.mark.parametrize("carrier", list(CARRIERS))
async def test_an_inbound_sms_with_a_stray_parameter_is_no_receipt_and_is_kept(carrier, world):
    """Kannel's centre puts receipted_message_id into ordinary SMS."""
    site, logs = world
    wanted = [(carrier, "456", "123", str(place)) for place in range(1, INBOUND + 1)]

    await site.until(lambda: site.inbound_texts(carrier) == wanted)
    answer = "SMPP PDU of type deliver_sm_resp"
    await site.until(lambda: logs[carrier].read_text("utf-8", "replace").count(answer) == INBOUND)
