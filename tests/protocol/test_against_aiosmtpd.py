"""The same conversations with stock aiosmtpd and with ours, one handler for both: what differs is listed, with its reason."""

# ruff: noqa: N802  (hooks have the names that aiosmtpd gives them)

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from aiosmtpd.smtp import SMTP, AuthResult

from mta.smtp.server.server import ServerSettings, listen
from tests.kit.smtp_door import QUICK, Client

E, M, R, D = "EHLO c", "MAIL FROM:<a@example.com>", "RCPT TO:<b@example.com>", "DATA"
BODY = "Subject: x\r\n\r\nhello\r\n..dot\r\n."


class Handler:
    """Uses the hooks only; refuses two addresses and remembers what it took."""

    def __init__(self) -> None:
        self.taken: list = []

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        return responses

    async def handle_MAIL(self, server, session, envelope, address, options):
        if address.startswith("bad"):
            return "550 5.7.1 not you"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("bad"):
            return "550 5.1.1 not here"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        if b"explode" in envelope.content:
            raise RuntimeError("exploded")
        self.taken.append(
            (
                session.host_name, session.extended_smtp, session.authenticated, envelope.mail_from, envelope.mail_options,
                envelope.rcpt_tos, envelope.rcpt_options, envelope.content, envelope.original_content, envelope.smtp_utf8,
            )
        )  # fmt: skip
        return "250 2.0.0 taken by " + server.hostname

    async def handle_exception(self, error):
        return "451 4.3.0 later"


def prove(server, session, envelope, mechanism, given):
    return AuthResult(success=given.password == b"secret", handled=False, auth_data=given)


@contextlib.asynccontextmanager
async def ours(handler) -> AsyncIterator[tuple[str, int]]:
    settings = ServerSettings(hostname="mx.example.net", connections=QUICK, auth_needs_tls=False)
    listener = await listen(handler, settings, authenticator=prove)
    try:
        yield listener.addresses[0]
    finally:
        await listener.close(0.1)


@contextlib.asynccontextmanager
async def theirs(handler) -> AsyncIterator[tuple[str, int]]:
    loop = asyncio.get_running_loop()

    def make() -> SMTP:
        return SMTP(
            handler,
            hostname="mx.example.net",
            enable_SMTPUTF8=True,
            authenticator=prove,
            auth_require_tls=False,
            data_size_limit=10 * 2**20,
            loop=loop,
        )

    server = await loop.create_server(make, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()
    finally:
        server.close()
        await asyncio.sleep(0)


@dataclass
class Played:
    codes: list[str]
    taken: list


async def play(door, lines: list[str]) -> Played:
    """Say each line, read its reply, note its code."""
    handler = Handler()
    codes = []
    async with door(handler) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        client = Client(reader, writer)
        await client.hear()
        for line in lines:
            reply = await client.say(line.encode("utf-8", "surrogateescape") + b"\r\n")
            codes.append(reply[:3])
            if not reply:
                break
        await client.close()
        while len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0)
    return Played(codes, handler.taken)


ALIKE = {
    "a mail": [E, M, R, D, BODY, "QUIT"],
    "two mails": [E, M, R, D, BODY, M, R, R, D, BODY, "QUIT"],
    "helo": ["HELO c", M, R, D, BODY],
    "an empty mail": [E, M, R, D, "."],
    "the null sender": [E, "MAIL FROM:<>", R, D, BODY],
    "options": [E, "MAIL FROM:<a@example.com> SIZE=100 BODY=8BITMIME", R, D, BODY],
    "smtputf8": [E, "MAIL FROM:<müller@example.com> SMTPUTF8", "RCPT TO:<jörg@example.com>", D, BODY],
    "a refused sender": [E, "MAIL FROM:<bad@example.com>", R, M, R, D, BODY],
    "a refused recipient": [E, M, "RCPT TO:<bad@example.com>", R, D, BODY],
    "no recipient": [E, M, D, "RSET"],
    "no sender": [E, R, D],
    "no hello": [M, R, D, "AUTH PLAIN", "NOOP"],
    "nested mail": [E, M, M],
    "reset": [E, M, R, "RSET", D, M, R, D, BODY],
    "hello again": [E, M, R, E, D],
    "lower case": ["ehlo c", "mail from:<a@example.com>", "rcpt to:<b@example.com>", "data", BODY, "quit"],
    "blanks": [E, "MAIL FROM: <a@example.com>", "RCPT TO: <b@example.com>", D, BODY],
    "quoted local part": [E, 'MAIL FROM:<"a b"@example.com>', R, D, BODY],
    "address literal": [E, "MAIL FROM:<a@[127.0.0.1]>", R, D, BODY],
    "no argument": ["EHLO", "HELO", E, "MAIL", "MAIL FROM:", M, "RCPT", "RCPT TO:", "VRFY"],
    "too much argument": ["RSET x", "QUIT x", "NOOP x", E, M, R, "DATA x"],
    "a size too large": [E, "MAIL FROM:<a@example.com> SIZE=99999999999"],
    "unknown parameters": [E, "MAIL FROM:<a@example.com> FOO=1", M, "RCPT TO:<b@example.com> FOO=1"],
    "malformed parameters": [E, "MAIL FROM:<a@example.com> SIZE=x", "MAIL FROM:<a@example.com> SIZE=", "MAIL FROM:<a@example.com> SMTPUTF8=1"],
    "parameters after helo": ["HELO c", "MAIL FROM:<a@example.com> SIZE=1"],
    "unknown verbs": ["FOO", "BAR x", ""],
    "verify": [E, "VRFY <b@example.com>", "EXPN list"],
    "a source route": [E, "MAIL FROM:<@relay.example:a@example.com>", R, D, BODY],
    "an exception": [E, M, R, D, "explode\r\n.", "RSET", M, R, D, BODY],
    "plain": [E, "AUTH PLAIN AGRlbW8Ac2VjcmV0", M, R, D, BODY],
    "plain by challenge": [E, "AUTH PLAIN", "AGRlbW8Ac2VjcmV0", M, R, D, BODY],
    "login": [E, "AUTH LOGIN", "ZGVtbw==", "c2VjcmV0", M, R, D, BODY],
    "login with a name": [E, "AUTH LOGIN ZGVtbw==", "c2VjcmV0", M, R, D, BODY],
    "a wrong password": [E, "AUTH PLAIN AGRlbW8AeA==", "AUTH PLAIN AGRlbW8Ac2VjcmV0", "AUTH PLAIN AGRlbW8Ac2VjcmV0"],
    "auth gone wrong": [E, "AUTH", "AUTH FOO", "AUTH PLAIN x y", "AUTH PLAIN ?", "AUTH PLAIN", "*", "AUTH LOGIN", "*", "AUTH PLAIN YQ=="],
}  # fmt: skip

# name: (lines, their codes, our codes, why)
DIFFERENT = {
    "dsn": (
        [E, "MAIL FROM:<a@example.com> RET=HDRS ENVID=x", M, "RCPT TO:<b@example.com> NOTIFY=NEVER"],
        ["250", "555", "250", "555"],
        ["250", "250", "503", "250"],
        "RFC 3461 is spoken",
    ),
    "a mail after an exception": ([E, M, R, D, "explode\r\n.", M], ["250", "250", "250", "354", "451", "503"], ["250", "250", "250", "354", "451", "250"], "the reply to a content ends its transaction, RFC 5321 §4.1.1.4"),
    "auth= on mail": ([E, "MAIL FROM:<a@example.com> AUTH=<>"], ["250", "555"], ["250", "250"], "RFC 4954 §5 makes servers take it"),
    "binarymime": ([E, "MAIL FROM:<a@example.com> BODY=BINARYMIME"], ["250", "501"], ["250", "504"], "a value not implemented is 504, RFC 5321 §4.2.3"),
    "without brackets": ([E, "MAIL FROM:a@example.com", "MAIL FROM:<a@example.com>", "RCPT TO:b@example.com"], ["250", "250", "503", "250"], ["250", "501", "250", "501"], "a path has brackets, RFC 5321 §4.1.2"),
    "without domain": ([E, "MAIL FROM:<a>", M, "RCPT TO:<447700900123>"], ["250", "250", "503", "250"], ["250", "553", "250", "553"], "a mailbox has a domain, RFC 5321 §4.1.2"),
    "control characters": ([E, "MAIL FROM:<a\x01b@example.com>"], ["250", "250"], ["250", "500"], "nothing unprintable gets in"),
    "utf-8 unasked": ([E, "MAIL FROM:<müller@example.com>"], ["250", "250"], ["250", "553"], "RFC 6531 §3.5 asks for SMTPUTF8"),
    "a bare newline in a command": (["EHLO c\nNOOP"], ["250"], ["500"], "CRLF ends a line, nothing else: no split commands"),
    "a bare newline in a mail": ([E, M, R, D, "x\ny\r\n."], ["250", "250", "250", "354", "250"], ["250", "250", "250", "354", "550"], "nobody may be smuggled to through us"),
    "a bare return in a mail": ([E, M, R, D, "x\ry\r\n."], ["250", "250", "250", "354", "250"], ["250", "250", "250", "354", "550"], "the same"),
    "a nul in a mail": ([E, M, R, D, "x\0y\r\n."], ["250", "250", "250", "354", "250"], ["250", "250", "250", "354", "550"], "RFC 5321 §4.5.2 has no NUL"),
    "a line of 2000 octets": ([E, M, R, D, "x" * 2000 + "\r\n."], ["250", "250", "250", "354", "500"], ["250", "250", "250", "354", "250"], "the limit is the listener's setting"),
    "mechanism in lower case": ([E, "AUTH plain AGRlbW8Ac2VjcmV0"], ["250", "504"], ["250", "235"], "names have no case, RFC 4422 §3.1"),
    "auth for somebody else": ([E, "AUTH PLAIN Ym9zcwBkZW1vAHNlY3JldA=="], ["250", "235"], ["250", "535"], "RFC 4616 §2: an authorization identity is not ignored"),
    "auth inside a mail": ([E, M, "AUTH PLAIN AGRlbW8Ac2VjcmV0"], ["250", "250", "235"], ["250", "250", "503"], "RFC 4954 §4"),
    "help": (["HELP", "HELP MAIL"], ["250", "250"], ["214", "214"], "214 is help's code, RFC 5321 §4.2.2"),
    "bdat": ([E, M, R, "BDAT 1 LAST", "NOOP"], ["250", "250", "250", "500", "250"], ["250", "250", "250", "502", ""], "its chunk would be read as commands"),
    "http": (["GET / HTTP/1.1", "NOOP"], ["500", "250"], ["421", ""], "a web page must not send mail"),
    "starttls without a certificate": ([E, "STARTTLS"], ["250", "454"], ["250", "502"], "it was not offered"),
    "five unknown verbs": (["FOO"] * 5, ["500"] * 4 + ["502"], ["500"] * 5, "the limit is the listener's setting"),
}  # fmt: skip


@pytest.mark.parametrize("name", ALIKE)
async def test_a_handler_written_for_aiosmtpd_sees_and_says_the_same(name):
    lines = ALIKE[name]
    mine, stock = await play(ours, lines), await play(theirs, lines)
    assert mine.codes == stock.codes
    assert mine.taken == stock.taken


@pytest.mark.parametrize("name", DIFFERENT)
async def test_what_differs_is_meant_to(name):
    lines, their_codes, our_codes, _reason = DIFFERENT[name]
    assert (await play(theirs, lines)).codes == their_codes
    assert (await play(ours, lines)).codes == our_codes
