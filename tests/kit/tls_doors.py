"""What listeners of an installation show under TLS, and the signal that lets it read its certificates again."""

import asyncio
import signal

from tests.kit.installation import Installation
from tests.kit.smtp_door import Client
from tls.contexts import ClientContexts, ClientRole

ANYBODY = ClientContexts().get(ClientRole(verify=False))


async def connect(site: Installation, door: str, name: str = "") -> tuple[Client, bytes]:
    """Connect under TLS and say EHLO; return the client and the certificate that was shown (DER)."""
    asked = {"ssl": ANYBODY, "server_hostname": name} if door == "implicit" else {}
    client = Client(*await asyncio.open_connection("127.0.0.1", site.ports[door], **asked))  # type: ignore[arg-type]
    await client.hear()
    await client.say(b"EHLO client.example.com\r\n")
    if door == "starttls":
        await client.say(b"STARTTLS\r\n")
        await client.writer.start_tls(ANYBODY, server_hostname=name)
        await client.say(b"EHLO client.example.com\r\n")
    return client, client.writer.get_extra_info("ssl_object").getpeercert(True)


async def shown(site: Installation, door: str, name: str = "") -> bytes:
    client, der = await connect(site, door, name)
    await client.close()
    return der


async def hang_up(site: Installation, event: str) -> None:
    """Send SIGHUP, and wait for one more line of the log."""
    before = sum(event in line for line in site.log)
    site.send_signal(signal.SIGHUP)
    await site.until(lambda: sum(event in line for line in site.log) > before)
