"""A door on loopback whose clients nothing proves but their mails, with a name server of its own."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import format_datetime

from mta.verify.prover import Prover
from process.clock import SystemClock
from tests.kit.name_server import NameServer, name_server
from tests.kit.patience import PATIENCE
from tests.kit.signed_mail import dkim_signed, key_record, rsa_key
from tests.kit.smtp_door import Client, client_of, door
from tests.kit.testbed import ANNA

DOMAIN = "acme.example.com"
NUMBER, OTHER = "+447700900101@sms.example.net", "+447700900102@sms.example.net"
KEY = rsa_key()


def written(
    text: str = "Hello",
    *,
    author: str = ANNA,
    to: str = NUMBER,
    subject: str = "Status",
    more: str = "",
    date: str = "",
    message_id: bool = True,
) -> bytes:
    """Return a mail that is unlike every other."""
    date = date or format_datetime(datetime.now(UTC))
    if message_id:
        more += f"Message-ID: <{time.time_ns()}@{DOMAIN}>\r\n"
    return f"From: {author}\r\nTo: {to}\r\nSubject: {subject}\r\nDate: {date}\r\n{more}\r\n{text}\r\n".encode()


def signed(raw: bytes = b"", **changes) -> bytes:
    """Return a mail, or a fresh one, signed by its author's domain; `changes` are those of `dkim_signed`."""
    return dkim_signed(raw or written(), changes.pop("key", KEY), **({"domain": DOMAIN} | changes))


class Site:
    """The gateway's door on loopback, whose clients nothing else proves, and a name server."""

    def __init__(self, core, listener, names: NameServer) -> None:
        self.core, self.listener, self.names = core, listener, names

    async def send(self, raw: bytes, *, sender: str = ANNA, to=(NUMBER,)) -> str:
        """Play one mail; returns the reply that ended it."""
        async with client_of(self.listener) as client:
            return await converse(client, raw, sender=sender, to=to)

    async def refuse(self, raw: bytes, why: str = "", **envelope) -> str:
        """Play a mail that must not be sent; nothing is kept, and nobody is told by mail."""
        before = (len(self.core.jobs()), self.notices())
        reply = await self.send(raw, **envelope)
        assert reply.startswith("550 5.7.1 "), reply
        assert why in reply
        assert (len(self.core.jobs()), self.notices()) == before
        return reply

    def notices(self) -> int:
        return len(self.core.outbox_rows())


async def converse(client: Client, raw: bytes, *, sender: str, to) -> str:
    await client.say(b"EHLO client.example.com\r\n")
    replies = [await client.say(f"MAIL FROM:<{sender}>\r\n".encode())]
    replies += [await client.say(f"RCPT TO:<{address}>\r\n".encode()) for address in to]
    if all(reply.startswith("250") for reply in replies):
        replies += [await client.say(b"DATA\r\n"), await client.say(raw + b".\r\n")]
    return next((reply for reply in replies if reply[:1] in "45"), replies[-1])


@asynccontextmanager
async def site_of(core, handler, *, seconds: float = PATIENCE) -> AsyncIterator[Site]:
    """Open the door of a core; `handler` makes its handler with a prover."""
    async with name_server() as names:
        names.add_text(f"s1._domainkey.{DOMAIN}", key_record(KEY))
        prover = Prover(names.resolver(), SystemClock(), seconds=seconds)
        async with door(handler(core, prover=prover)) as listener:
            yield Site(core, listener, names)
        prover.close()
