"""Kannel as an ESME: bearerbox and smsbox bound to our sandbox carrier, and a web server that hears what they report."""

import asyncio
import urllib.parse
import urllib.request
from contextlib import asynccontextmanager
from pathlib import Path

from smpp.simulator.simulator import Simulator
from tests.kit.patience import PATIENCE
from tests.kit.peer import find_program, require_peer
from tests.kit.ports import free_port

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
{core}

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
{link}

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
    """bearerbox and smsbox, and what they report: path and query of each request, in order."""

    def __init__(self) -> None:
        self.sendsms = free_port()
        self.http = 0
        self.heard: asyncio.Queue[tuple[str, dict]] = asyncio.Queue()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request of smsbox."""
        request = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()
        parts = urllib.parse.urlsplit(request)
        await self.heard.put((parts.path, dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))))

    async def next(self) -> tuple[str, dict]:
        """Return the next request."""
        return await asyncio.wait_for(self.heard.get(), PATIENCE)

    async def send(self, **query: object) -> None:
        """Ask for an SMS whose receipts are reported here as /receipt, with Kannel's kind and the carrier's id."""
        report = f"http://127.0.0.1:{self.http}/receipt?kind=%d&id=%F"
        values = {"username": "gateway", "password": "secret", "dlr-mask": 3, "dlr-url": report, **query}
        url = f"http://127.0.0.1:{self.sendsms}/cgi-bin/sendsms?{urllib.parse.urlencode(values)}"
        await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=PATIENCE).read())


@asynccontextmanager
async def kannel(simulator: Simulator, folder: Path, *, core: str = "", link: str = "", bound: bool = True):
    """Run Kannel on a sandbox carrier; `core` and `link` are further lines of its groups core and smsc."""
    bearerbox, smsbox = find_program("bearerbox"), find_program("smsbox")
    require_peer("Kannel (apt install kannel)", bearerbox and smsbox)
    assert bearerbox is not None
    assert smsbox is not None
    site = KannelSite()
    web = await asyncio.start_server(site.take, "127.0.0.1", 0)
    site.http = web.sockets[0].getsockname()[1]
    ports = {"admin": free_port(), "boxes": free_port(), "sendsms": site.sendsms, "http": site.http}
    file = folder / "kannel.conf"
    file.write_text(KANNEL.format(smsc=simulator.port, core=core, link=link, **ports))
    processes = [await _start(bearerbox, file)]
    try:
        if bound:
            await asyncio.wait_for(simulator.until(lambda: simulator.bound == 1), PATIENCE)
        await _connectable(ports["boxes"])
        processes.append(await _start(smsbox, file))
        await _connectable(site.sendsms)
        yield site
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            await asyncio.wait_for(process.wait(), PATIENCE)
        web.close()
        await web.wait_closed()


async def _start(program: str, file: Path) -> asyncio.subprocess.Process:
    nowhere = asyncio.subprocess.DEVNULL
    return await asyncio.create_subprocess_exec(program, str(file), cwd=file.parent, stdout=nowhere, stderr=nowhere)


async def _connectable(port: int) -> None:
    """Return once somebody listens on the port."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
