"""Mail out to servers that pipeline: one write for the envelope, every reply read, nothing delivered after a refusal."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Self

import pytest
import uvloop

from gateway.ports import MailAttempt
from mta.sending.attempts import Deliverer
from sms.outcome import Done, Failed, ProblemCode, Retry, Unknown
from tests.kit.mail_servers import DOMAIN, PATIENT, Peer, issue, make_deliverer, server_context, status_mail
from tls.policy import TlsLevel

ENVELOPE = f"MAIL FROM:<> SIZE={len(status_mail().message)}\r\nRCPT TO:<anna@{DOMAIN}>\r\nDATA\r\n".encode()
CONTENT = status_mail().message.replace(b"\r\n.", b"\r\n..") + b".\r\n"
KEPT = b"250 2.0.0 kept\r\n"
GOES = "<it closes>"

Step = bytes | str


@dataclass
class Script:
    """A server on loopback that pipelines: it answers a whole envelope, then what follows it, as written down."""

    envelope: list[Step]
    content: bytes = KEPT
    extensions: tuple[bytes, ...] = (b"SIZE 0", b"PIPELINING")
    context: ssl.SSLContext | None = None
    received: list[bytes] = field(default_factory=list)
    mails: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = b""
        try:
            await self._greet(reader, writer)
            said = await reader.readuntil(b"DATA\r\n")
            for step in self.envelope:
                if isinstance(step, str):
                    return
                writer.write(step)
                await writer.drain()
                await asyncio.sleep(0)
            said += await self._take(reader, writer)
        except (OSError, asyncio.IncompleteReadError) as error:
            said += getattr(error, "partial", b"")
        finally:
            self.received.append(said)
            writer.close()
            self.ended.set()

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mx.example.com ESMTP\r\n")
        while b"EHLO" in await reader.readline():
            offered = (*self.extensions, b"STARTTLS") if self.context else self.extensions
            lines = b"".join(b"250-%b\r\n" % name for name in offered)
            writer.write(b"250-mx.example.com\r\n" + lines + b"250 HELP\r\n")
            if self.context is None:
                return
            await reader.readline()
            writer.write(b"220 go on\r\n")
            await writer.start_tls(self.context)
            self.context = None

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        said = b""
        while line := await reader.readline():
            said += line
            if line == b".\r\n":
                self.mails += said == CONTENT
                writer.write(self.content if said == CONTENT else b"554 5.5.1 no valid recipients\r\n")
            elif line == b"QUIT\r\n":
                writer.write(b"221 bye\r\n")
                break
        return said


async def run(script: Script, **options: Any) -> tuple[MailAttempt, bytes]:
    """Deliver one mail; returns what came of it and what the server was told."""
    async with script:
        deliverer = make_deliverer(script.port, **options)
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
        await script.ended.wait()
    return attempt, script.received[0]


OK, GO = b"250 2.1.0 fine\r\n", b"354 go on\r\n"
LONG = b"250-2.1.0 this\r\n250-2.1.0 goes\r\n250 2.1.0 on\r\n"


@pytest.mark.parametrize(
    "replies",
    [
        [OK, OK, GO],
        [OK + OK + GO],
        [OK + OK, GO],
        [LONG + LONG + GO],
        [bytes((octet,)) for octet in LONG + OK + GO],
        [OK + LONG[:20], LONG[20:] + GO],
        [OK.replace(b"\r", b"") + OK + GO],
    ],
    ids=["one by one", "together", "two", "long", "octet by octet", "cut", "line feed"],
)
async def test_an_envelope_goes_out_before_anything_is_answered(replies):
    script = Script(replies)
    attempt, told = await run(script)
    assert isinstance(attempt.outcome, Done)
    assert attempt.reply == "250 2.0.0 kept"
    assert told == ENVELOPE + CONTENT + b"QUIT\r\n"


@pytest.mark.parametrize("extensions", [("8BITMIME",), ("8BITMIME", "PIPELINING")])
async def test_commands_wait_for_their_replies_where_the_server_does_not_pipeline(extensions):
    held = asyncio.Event()

    class Slow(Peer):
        async def say(self, writer: asyncio.StreamWriter, text: str) -> None:
            if self.in_clear and self.in_clear[-1].startswith("MAIL"):
                await held.wait()
            await super().say(writer, text)

    async with Slow(extensions=extensions) as peer:
        deliverer = make_deliverer(peer.port)
        task = asyncio.create_task(deliverer.deliver(status_mail()))
        while "MAIL" not in peer.verbs_in_clear:
            await asyncio.sleep(0)
        held.set()
        assert isinstance((await task).outcome, Done)
        await deliverer.close()
    assert peer.verbs_in_clear[:4] == ["EHLO", "MAIL", "RCPT", "DATA"]


NO_SENDER, NO_USER = b"550 5.7.1 no such sender\r\n", b"550 5.1.1 no such user\r\n"
LATER, NEVER = b"451 4.7.1 greylisted\r\n", b"554 5.5.1 no valid recipients\r\n"


@pytest.mark.parametrize(
    ("replies", "outcome", "reply", "after"),
    [
        ([OK + NO_USER + NEVER], Failed, "550 5.1.1 no such user", b"QUIT\r\n"),
        ([OK, NO_USER, NEVER], Failed, "550 5.1.1 no such user", b"QUIT\r\n"),
        # RFC 2920 §3.1: nobody to deliver to, and DATA is accepted all the same
        ([OK + NO_USER + GO], Failed, "550 5.1.1 no such user", b".\r\nQUIT\r\n"),
        ([OK, LATER, GO], Retry, "451 4.7.1 greylisted", b".\r\nQUIT\r\n"),
        ([NO_SENDER + NO_USER + GO], Failed, "550 5.7.1 no such sender", b".\r\nQUIT\r\n"),
        ([NO_SENDER + NEVER + NEVER], Failed, "550 5.7.1 no such sender", b"QUIT\r\n"),
        # the recipient was accepted without a sender: neither a dot nor QUIT may become a mail to it
        ([NO_SENDER + OK + GO], Failed, "550 5.7.1 no such sender", b""),
        ([LATER + OK + GO], Retry, "451 4.7.1 greylisted", b""),
        ([NO_SENDER + OK + NEVER], Failed, "550 5.7.1 no such sender", b"QUIT\r\n"),
        ([OK + OK + LATER], Retry, "451 4.7.1 greylisted", b"QUIT\r\n"),
        ([OK + OK + NEVER], Failed, "554 5.5.1 no valid recipients", b"QUIT\r\n"),
        # replies that came before the end are read
        ([OK + NO_USER + NEVER, GOES], Failed, "550 5.1.1 no such user", b""),
        ([OK + NO_USER, GOES], Failed, "550 5.1.1 no such user", b""),
        ([OK + b"421 4.3.2 closing\r\n", GOES], Retry, "421 4.3.2 closing", b""),
        ([b"421 4.3.2 closing\r\n" + OK + GO], Retry, "421 4.3.2 closing", b""),
        ([OK + OK, GOES], Retry, "connection lost (data)", b""),
        ([OK, GOES], Retry, "connection lost (rcpt)", b""),
        ([OK], Retry, "no answer in time (rcpt)", b""),
        ([OK + NO_USER], Failed, "550 5.1.1 no such user", b""),
        ([OK + b"what?\r\n" + GO], Retry, "no smtp reply: what? (rcpt)", b""),
        ([OK + b"250-and\r\n" * 19_000], Retry, "reply too long (rcpt)", b""),
        ([OK + OK + OK], Retry, "250 2.1.0 fine", b""),
        ([OK + b"25"], Retry, "no answer in time (rcpt)", b""),
    ],
    ids=lambda value: repr(value)[-44:] if isinstance(value, list) else "",
)
async def test_after_a_refusal_nothing_under_way_becomes_a_mail(replies, outcome, reply, after):
    script = Script(replies)
    unanswered = not after and GOES not in replies
    attempt, told = await run(script, patience=replace(PATIENT, command=1.0) if unanswered else PATIENT)
    assert type(attempt.outcome) is outcome
    assert attempt.reply.lower() == reply
    assert told == ENVELOPE + after
    assert script.mails == 0


async def test_a_reply_that_came_too_early_is_not_taken_for_the_contents():
    script = Script([OK + OK + GO + KEPT], content=b"")
    attempt, told = await run(script, patience=replace(PATIENT, content=0.3))
    assert isinstance(attempt.outcome, Unknown)
    assert told == ENVELOPE + CONTENT


async def test_a_server_that_floods_between_replies_is_left():
    script = Script([OK + b"250 x\r\n" * 20_000])
    attempt, _ = await run(script)
    assert isinstance(attempt.outcome, Retry)
    assert script.mails == 0


async def test_what_concerns_the_host_leads_to_the_next_one_when_pipelined():
    async with Peer(extensions=("PIPELINING",), answers={"RCPT": "421 4.3.2 closing"}) as peer:
        deliverer = make_deliverer(peer.port)
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert isinstance(attempt.outcome, Retry)
    assert attempt.outcome.problem.code is ProblemCode.MAIL_DEFERRED


async def deliver_some(deliverer: Deliverer, times: int) -> list[MailAttempt]:
    return [await deliverer.deliver(status_mail()) for _ in range(times)]


async def pipeline_inside_tls(context: ssl.SSLContext) -> None:
    async with Peer(context, extensions=("PIPELINING",)) as peer:
        deliverer = make_deliverer(peer.port, TlsLevel.ENCRYPT)
        attempts = await deliver_some(deliverer, 3)
        await deliverer.close()
    assert all(isinstance(attempt.outcome, Done) for attempt in attempts)
    assert (peer.connections, len(peer.mails)) == (1, 3)


async def refuse_inside_tls(context: ssl.SSLContext) -> None:
    script = Script([OK + NO_USER + GO], context=context)
    attempt, told = await run(script)
    assert isinstance(attempt.outcome, Failed)
    assert told == ENVELOPE + b".\r\nQUIT\r\n"


@pytest.mark.parametrize("scene", [pipeline_inside_tls, refuse_inside_tls])
@pytest.mark.parametrize("start", [asyncio.run, uvloop.run])
def test_it_works_inside_tls_on_both_loops(scene: Callable[[ssl.SSLContext], Awaitable[None]], start, tmp_path):
    start(scene(server_context(issue(), tmp_path)))
