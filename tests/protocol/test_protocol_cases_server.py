"""The cases of a conversation under attack that need sockets and are not in test_server and test_server_tls."""

import asyncio
import re
from base64 import b64encode

import pytest
from structlog.testing import capture_logs

from mta.smtp.engine.content import ContentLimits
from mta.smtp.engine.events import DialogueLimits
from mta.smtp.engine.sasl import MECHANISMS
from mta.smtp.server.server import AuthResult, ServerSettings
from tests.kit.dialogues import HELLO, ROUTE, ThreeQuestions
from tests.kit.smtp_door import QUICK, Accepting, client_of, door, on_both_loops

SECRET = "correct horse"


def settings(**more) -> ServerSettings:
    return ServerSettings(**{"hostname": "mx.example.net", "connections": QUICK, **more})


@on_both_loops
async def test_case_8_a_line_without_end_hears_421_while_others_are_served():
    async with door(Accepting()) as listener, client_of(listener) as flooding, client_of(listener) as honest:
        for _ in range(16):
            flooding.writer.write(b"A" * 2**16)
            assert await honest.say(b"NOOP\r\n") == "250 2.0.0 OK"
        assert [await flooding.hear(), await flooding.hear()] == [
            "500 5.5.2 Command line too long",
            "421 4.7.0 Too many errors, closing connection",
        ]


@pytest.mark.parametrize("chunk", [b"\r\n" * 2**15, b"x" * 2**16, b"\n" * 2**16], ids=["empty", "long", "bare"])
@on_both_loops
async def test_case_11_a_flood_of_content_holds_up_nobody(chunk):
    limits = DialogueLimits(content=ContentLimits(size=2**20))
    handler = Accepting()
    async with (
        door(handler, settings(limits=limits)) as listener,
        client_of(listener) as flooding,
        client_of(listener) as honest,
    ):
        flooding.writer.write(ROUTE)
        await honest.say(HELLO)
        for _ in range(64):  # in the end more than is waited for
            flooding.writer.write(chunk)
            honest.writer.write(ROUTE.removeprefix(HELLO))
            assert [(await honest.hear())[:3] for _ in range(3)] == ["250", "250", "354"]
            assert await honest.say(b"x\r\n.\r\n") == "250 2.0.0 Kept"
        assert [(await flooding.hear())[:3] for _ in range(4)] == ["250", "250", "250", "354"]
        assert (await flooding.hear())[:3] in {"550", "552", "554"}
    assert {envelope.content for envelope in handler.envelopes} == {b"x\r\n"}


@pytest.mark.parametrize(
    "lines",
    [
        [f"AUTH PLAIN {b64encode(f'{chr(0)}demo{chr(0)}{SECRET}'.encode()).decode()}"],
        [f"AUTH PLAIN {SECRET}"],
        ["AUTH PLAIN", SECRET],
        ["AUTH LOGIN", b64encode(b"demo").decode(), b64encode(SECRET.encode()).decode()],
        ["AUTH LOGIN", b64encode(b"demo").decode(), SECRET],
        ["AUTH X-THREE", b64encode(b"red").decode(), b64encode(b"demo").decode(), b64encode(SECRET.encode()).decode()],
        [f"AUTH {SECRET}"],
        [f"AUTHPLAIN {SECRET}"],
        [f"{b64encode(SECRET.encode()).decode()}"],
        [f"MAIL FROM:<a@example.com> AUTH={SECRET}"],
    ],
)
@on_both_loops
async def test_case_16_no_secret_of_a_login_that_fails_is_in_a_reply_or_in_the_log(lines):
    def fail(server, session, envelope, mechanism, given):
        raise RuntimeError("the store is gone")

    def refuse(server, session, envelope, mechanism, given):
        return AuthResult(success=False, handled=False)

    mechanisms = {**MECHANISMS, "X-THREE": ThreeQuestions}
    with capture_logs() as logs:
        heard = []
        for prove in (refuse, fail):
            async with (
                door(
                    Accepting(),
                    settings(auth_needs_tls=False),
                    authenticator=prove,
                    mechanisms=lambda _session: mechanisms,
                ) as listener,
                client_of(listener) as client,
            ):
                await client.say(HELLO)
                heard += [await client.say(f"{line}\r\n".encode()) for line in lines]
                heard += [await client.say(f"{line}\r\n".encode()) for line in lines]
    told = repr(logs) + repr([line for line in heard if not line.startswith("334")])
    for secret in (SECRET, b64encode(SECRET.encode()).decode(), b64encode(SECRET.encode()).decode()[4:-4]):
        assert secret not in told


@pytest.mark.parametrize(
    "said",
    [
        b"EHLO " + b"x" * 2**20 + b"\r\n",
        b"EHLO \x1b]0;owned\x07\r\nEHLO \xe2\x80\xae\r\nEHLO a\rb\r\n",
        b"\xff" * 400 + b"\r\n" + "EHLO \u2028event=auth_failed\r\n".encode(),
        HELLO + b"MAIL FROM:<a\x1b[2Jb@example.com>\r\nRCPT TO:<\n>\r\n",
        HELLO + b"BDAT 1 LAST\x1b[31m event=auth_failed rip=192.0.2.1\r\n",
        b"GET /\x1b[31m HTTP/1.1\r\n",
        b"\x16\x03\x01" + b"\x00\x1b" * 500,
        ROUTE + b"Subject: \x1b[31m\r\n\r\nbare\nnewline\r\n.\r\n",
        b"AUTH \x1b[31mPLAIN\r\n",
        b"VRFY \x1b[31m\r\nHELP \x1b[31m\r\nXYZZY \x1b[31m\r\n" * 20,
    ],
)
@on_both_loops
async def test_case_46_whatever_a_peer_says_the_log_has_bounded_lines_of_printable_ascii(said):
    with capture_logs() as logs:
        async with door(Accepting()) as listener, client_of(listener) as client:
            client.writer.write(said + b"QUIT\r\n")
            while reply := await client.hear():
                assert re.fullmatch(r"[2345]\d\d [\x20-\x7e]+", reply)
                assert len(reply) < 512
            while listener.connections:
                await asyncio.sleep(0)
    for line in map(str, logs):
        assert len(line) < 500
        assert re.fullmatch(r"[\x20-\x7e]*", line)
