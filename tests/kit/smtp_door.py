"""A listener of mta.smtp.server.server on a free loopback port, and a client that sends raw octets, for tests."""

# ruff: noqa: N802  (hooks have the names that aiosmtpd gives them)

import asyncio
import contextlib
import functools
import inspect
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
import structlog
import uvloop

from gateway.listener import ConnectionLimits, Listener
from mta.smtp.server.hooks import eager_hook
from mta.smtp.server.server import ServerSettings, listen
from tests.kit.patience import PATIENCE

QUICK = ConnectionLimits(sweep_seconds=0.01, linger_seconds=0.5, handshake_seconds=5)


def on_both_loops(test: Callable) -> Callable:
    """Run an async test once on asyncio's own loop and once on uvloop, whatever the loop of the test run."""

    @functools.wraps(test)
    def run(*arguments, loop_factory, **more):
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(test(*arguments, **more))

    signature = inspect.signature(test)
    extra = inspect.Parameter("loop_factory", inspect.Parameter.KEYWORD_ONLY)
    setattr(run, "__signature__", signature.replace(parameters=[*signature.parameters.values(), extra]))  # noqa: B010  (typed)
    delattr(run, "__wrapped__")
    loops = [asyncio.new_event_loop, uvloop.new_event_loop]
    parametrized: Callable = pytest.mark.parametrize("loop_factory", loops, ids=["asyncio", "uvloop"])(run)
    return parametrized


class Accepting:
    """A handler that accepts and records everything."""

    def __init__(self) -> None:
        self.envelopes: list = []
        self.sessions: list = []

    async def handle_DATA(self, server, session, envelope):
        self.envelopes.append(envelope)
        self.sessions.append(session)
        return "250 2.0.0 Kept"


class Waiting(Accepting):
    """A handler whose MAIL and RCPT begin at once and then wait until the test continues them."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[str] = []
        self.waits = asyncio.Event()
        self.may_go_on = asyncio.Event()

    @eager_hook
    async def handle_MAIL(self, server, session, envelope, address, options):
        await self._wait(address)
        envelope.mail_from = address
        return "250 2.1.0 OK"

    @eager_hook
    async def handle_RCPT(self, server, session, envelope, address, options):
        await self._wait(address)
        if address.startswith("no"):
            return "550 5.1.1 Nobody"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def _wait(self, address):
        self.begun.append(address)
        self.waits.set()
        await self.may_go_on.wait()


PIPELINED = (
    b"MAIL FROM:<a@example.com>\r\nRCPT TO:<1@sms.example.net>\r\nRCPT TO:<no@sms.example.net>\r\n"
    b"RCPT TO:<2@sms.example.net>\r\nDATA\r\n"
)


async def pipeline_to_hooks_that_wait(handler: Waiting, client: "Client") -> None:
    """Send an envelope at once to hooks that wait: they begin in turn, and the replies keep their order."""
    client.writer.write(PIPELINED)
    await handler.waits.wait()
    assert handler.begun == ["a@example.com"]
    handler.may_go_on.set()
    replies = [(await client.hear())[:3] for _ in range(5)]
    assert replies == ["250", "250", "550", "250", "354"]
    assert (await client.say(b"Subject: x\r\n\r\nHello\r\n.\r\n")).startswith("250")
    assert handler.envelopes[-1].rcpt_tos == ["1@sms.example.net", "2@sms.example.net"]
    assert (await client.say(b"QUIT\r\n")).startswith("221")


@dataclass
class Client:
    """Sends octets and reads whole replies."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, data: bytes) -> str:
        self.writer.write(data)
        await self.writer.drain()
        return await self.hear()

    async def hear(self) -> str:
        """Return the last line of the next reply, empty at the end of the connection."""
        while True:
            line = (await asyncio.wait_for(self.reader.readline(), PATIENCE)).decode("ascii")
            if line[3:4] != "-":
                return line.rstrip("\r\n")

    async def lines(self) -> list[str]:
        """Return all lines of the next reply."""
        found = []
        while True:
            line = (await asyncio.wait_for(self.reader.readline(), PATIENCE)).decode("ascii").rstrip("\r\n")
            found.append(line)
            if line[3:4] != "-":
                return found

    async def ended(self) -> bool:
        """Wait for the end of the connection; returns whether nothing more came before it."""
        try:
            return await asyncio.wait_for(self.reader.read(), PATIENCE) == b""
        except ConnectionError:
            return True

    async def start_tls(self, context: ssl.SSLContext) -> None:
        await self.writer.start_tls(context, server_hostname="mx.example.net")

    def reset(self) -> None:
        """Drop the connection with a TCP reset."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


@contextlib.asynccontextmanager
async def door(handler, settings: ServerSettings | None = None, **more) -> AsyncIterator[Listener]:
    """Open a listener and close it afterwards."""
    settings = settings or ServerSettings(hostname="mx.example.net", connections=QUICK)
    listener = await listen(handler, settings, log=structlog.get_logger(), **more)
    try:
        yield listener
    finally:
        await listener.close(0.2)


@contextlib.asynccontextmanager
async def client_of(
    listener: Listener, *, tls: ssl.SSLContext | None = None, greeted: bool = True
) -> AsyncIterator[Client]:
    """Connect, read the greeting, and close afterwards."""
    host, port = listener.addresses[0]
    name = "mx.example.net" if tls else None
    reader, writer = await asyncio.open_connection(host, port, ssl=tls, server_hostname=name)
    client = Client(reader, writer)
    if greeted:
        assert (await client.hear()).startswith("220 ")
    try:
        yield client
    finally:
        await client.close()
