"""STARTTLS and implicit TLS on real sockets, on both loops: injection, client certificates, rotation, handshakes."""

# ruff: noqa: N802  (hooks have the names that aiosmtpd gives them)

import asyncio
import contextlib
import socket
import ssl
from typing import Any

import pytest
import trustme
from structlog.testing import capture_logs

from gateway.listener import ConnectionLimits
from mta.smtp.server.server import AuthResult, ServerSettings, listen
from tests.kit.dialogues import ENVELOPE, HELLO, ROUTE
from tests.kit.patience import PATIENCE
from tests.kit.peer import find_program, require_peer
from tests.kit.smtp_door import (
    QUICK,
    Accepting,
    Waiting,
    client_of,
    door,
    on_both_loops,
    pipeline_to_hooks_that_wait,
)
from tls.listening import CertificateRequest, TlsMode


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def contexts(authority):
    certificate = authority.issue_cert("mx.example.net")

    def make() -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(context)
        return context

    return make


@pytest.fixture(scope="module")
def client_context(authority):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def settings(tls=TlsMode.OFFER, **more) -> ServerSettings:
    return ServerSettings(**{"hostname": "mx.example.net", "connections": QUICK, "tls": tls, **more})


@on_both_loops
async def test_a_mail_goes_through_starttls(contexts, client_context):
    handler = Accepting()
    async with door(handler, settings(TlsMode.REQUIRE), contexts=contexts) as listener, client_of(listener) as client:
        client.writer.write(HELLO)
        assert "250-STARTTLS" in await client.lines()
        assert await client.say(b"MAIL FROM:<a@example.com>\r\n") == "530 5.7.0 Must issue a STARTTLS command first"
        assert await client.say(b"STARTTLS\r\n") == "220 2.0.0 Ready to start TLS"
        await client.start_tls(client_context)
        assert await client.say(b"MAIL FROM:<a@example.com>\r\n") == "503 5.5.1 Send EHLO first"
        client.writer.write(HELLO)
        assert "250-STARTTLS" not in await client.lines()
        client.writer.write(ENVELOPE + b"DATA\r\n")
        for _ in range(3):
            await client.hear()
        assert await client.say(b"x" * 1000 + b"\r\n.\r\n") == "250 2.0.0 Kept"
        assert await client.say(b"QUIT\r\n") == "221 2.0.0 Goodbye"
        assert await client.ended()
    (session,) = handler.sessions
    assert session.tls.startswith("TLSv1.3 TLS_")
    assert session.ssl["cipher"][0] in session.tls
    assert session.client_certificate_der is None
    assert session.client_address == "127.0.0.1"


@pytest.mark.parametrize("mode", [TlsMode.IMPLICIT, TlsMode.REQUIRE])
@on_both_loops
async def test_pipelined_commands_under_tls_wait_for_a_hook_that_waits(contexts, client_context, mode):
    handler = Waiting()
    at_once = client_context if mode is TlsMode.IMPLICIT else None
    async with (
        door(handler, settings(mode), contexts=contexts) as listener,
        client_of(listener, tls=at_once) as client,
    ):
        if mode is TlsMode.REQUIRE:
            client.writer.write(HELLO)
            await client.lines()
            assert (await client.say(b"STARTTLS\r\n")).startswith("220")
            await client.start_tls(client_context)
        client.writer.write(HELLO)
        await client.lines()
        await pipeline_to_hooks_that_wait(handler, client)


@on_both_loops
async def test_case_2_commands_in_the_segment_of_starttls_are_gone_after_the_handshake(contexts, client_context):
    handler = Accepting()
    with capture_logs() as logs:
        async with door(handler, settings(), contexts=contexts) as listener, client_of(listener) as client:
            await client.say(HELLO)
            assert (await client.say(b"STARTTLS\r\n" + ROUTE + b"evil\r\n.\r\n")).startswith("220 ")
            await client.start_tls(client_context)
            assert await client.say(b"DATA\r\n") == "503 5.5.1 Send EHLO first"
            assert await client.say(b"NOOP\r\n") == "250 2.0.0 OK"
    assert handler.envelopes == []
    assert [line["incident"] for line in logs if line["event"] == "smtp_incident"] == ["starttls_injection"]


@on_both_loops
async def test_a_client_may_talk_in_the_segment_that_ends_the_handshake(contexts, client_context):
    """The raw client: with TLS 1.3 its Finished and its first command leave together."""
    async with door(Accepting(), settings(), contexts=contexts) as listener, client_of(listener) as client:
        await client.say(HELLO)
        await client.say(b"STARTTLS\r\n")
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = client_context.wrap_bio(incoming, outgoing, server_hostname="mx.example.net")
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                client.writer.write(outgoing.read())
                incoming.write(await client.reader.read(65536))
        tls.write(b"NOOP\r\nNOOP\r\nQUIT\r\n")
        client.writer.write(outgoing.read())
        heard = b""
        while heard.count(b"\r\n") < 3:
            incoming.write(await asyncio.wait_for(client.reader.read(65536), PATIENCE))
            with contextlib.suppress(ssl.SSLWantReadError):
                while more := tls.read():
                    heard += more
        assert heard == b"250 2.0.0 OK\r\n" * 2 + b"221 2.0.0 Goodbye\r\n"


@on_both_loops
async def test_implicit_tls_greets_after_the_handshake_and_offers_no_starttls(contexts, client_context):
    handler = Accepting()
    async with (
        door(handler, settings(TlsMode.IMPLICIT), contexts=contexts, authenticator=lambda *_: None) as listener,
        client_of(listener, tls=client_context) as client,
    ):
        client.writer.write(HELLO)
        lines = await client.lines()
        assert "250-AUTH LOGIN PLAIN" in lines
        assert "250-STARTTLS" not in lines
        client.writer.write(ENVELOPE + b"DATA\r\n")
        for _ in range(3):
            await client.hear()
        assert await client.say(b"x\r\n.\r\n") == "250 2.0.0 Kept"
        assert await client.say(b"QUIT\r\n") == "221 2.0.0 Goodbye"
    assert handler.sessions[0].tls.startswith("TLSv1.")


@on_both_loops
async def test_a_context_is_asked_for_at_each_handshake_and_a_broken_one_is_454(contexts, client_context):
    made: list[ssl.SSLContext] = []

    def rotating() -> ssl.SSLContext:
        if len(made) == 2:
            raise ssl.SSLError("the new key is broken")
        made.append(contexts())
        return made[-1]

    async with door(Accepting(), settings(), contexts=rotating) as listener:
        for expected in ("220", "220", "454"):
            async with client_of(listener) as client:
                await client.say(HELLO)
                assert (await client.say(b"STARTTLS\r\n"))[:3] == expected
                if expected == "220":
                    await client.start_tls(client_context)
                assert await client.say(b"NOOP\r\n") == "250 2.0.0 OK"
    assert made[0] is not made[1]


@on_both_loops
async def test_garbage_instead_of_a_handshake_ends_the_connection(contexts):
    with capture_logs() as logs:
        async with door(Accepting(), settings(), contexts=contexts) as listener:
            async with client_of(listener) as client:
                await client.say(HELLO)
                await client.say(b"STARTTLS\r\n")
                client.writer.write(b"EHLO c\r\n" * 10)
                await client.reader.read()
            while listener.connections:
                await asyncio.sleep(0)
    assert "tls_handshake_failed" in [line["event"] for line in logs]


@on_both_loops
@pytest.mark.parametrize("mode", [TlsMode.OFFER, TlsMode.IMPLICIT])
async def test_case_47_silent_handshakes_are_counted_cut_and_hold_up_nobody(contexts, mode):
    few = ConnectionLimits(handshakes=2, handshake_seconds=2, sweep_seconds=0.01, linger_seconds=0.1)
    async with door(Accepting(), settings(mode, connections=few), contexts=contexts) as listener:
        async with contextlib.AsyncExitStack() as stack:
            silent = []
            for _ in range(2):
                client = await stack.enter_async_context(client_of(listener, greeted=mode is TlsMode.OFFER))
                if mode is TlsMode.OFFER:
                    await client.say(HELLO)
                    assert (await client.say(b"STARTTLS\r\n")).startswith("220 ")
                silent.append(client)
            async with client_of(listener, greeted=mode is TlsMode.OFFER) as third:
                if mode is TlsMode.OFFER:
                    await third.say(HELLO)
                    assert (await third.say(b"STARTTLS\r\n")).startswith("454 4.7.0")
                    assert await third.say(b"NOOP\r\n") == "250 2.0.0 OK"
                else:
                    assert await third.ended()
            for client in silent:
                assert await client.ended()
        while listener.connections:
            await asyncio.sleep(0.01)
        another: Any = object()
        assert listener.begin_handshake(another)


@on_both_loops
async def test_the_starttls_hook_may_refuse_what_the_handshake_proved(contexts, client_context):
    class Handler(Accepting):
        def handle_STARTTLS(self, server, session, envelope):
            return session.client_certificate is not None

    async with door(Handler(), settings(), contexts=contexts) as listener, client_of(listener) as client:
        await client.say(HELLO)
        await client.say(b"STARTTLS\r\n")
        await client.start_tls(client_context)
        assert await client.say(HELLO) == "554 5.7.0 Command refused due to lack of security"
        assert await client.say(b"QUIT\r\n") == "221 2.0.0 Goodbye"


# Client certificates


def asking(authority: trustme.CA, mode: ssl.VerifyMode):
    certificate = authority.issue_cert("mx.example.net")

    def make() -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(context)
        authority.configure_trust(context)
        context.verify_mode = mode
        return context

    return make


@on_both_loops
async def test_case_17_a_client_certificate_reaches_the_session(authority):
    handler = Accepting()
    mine = authority.issue_cert("sap.example.com")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    mine.configure_cert(context)
    require = settings(TlsMode.IMPLICIT, client_certificate=CertificateRequest.REQUIRE)
    async with (
        door(handler, require, contexts=asking(authority, ssl.CERT_REQUIRED)) as listener,
        client_of(listener, tls=context) as client,
    ):
        client.writer.write(ROUTE)
        for _ in range(4):
            await client.hear()
        await client.say(b"x\r\n.\r\n")
    (session,) = handler.sessions
    assert session.client_certificate["subjectAltName"] == (("DNS", "sap.example.com"),)
    assert session.client_certificate_der == ssl.PEM_cert_to_DER_cert(mine.cert_chain_pems[0].bytes().decode())


@on_both_loops
async def test_case_17_a_certificate_of_another_authority_comes_to_no_session(authority):
    handler = Accepting()
    context = ssl.create_default_context()
    authority.configure_trust(context)
    trustme.CA().issue_cert("sap.example.com").configure_cert(context)
    async with (
        door(handler, settings(), contexts=asking(authority, ssl.CERT_OPTIONAL)) as listener,
        client_of(listener) as client,
    ):
        await client.say(HELLO)
        await client.say(b"STARTTLS\r\n")
        with contextlib.suppress(OSError):  # with TLS 1.3 the refusal arrives after the client believes itself done
            await client.start_tls(context)
            assert await client.say(HELLO) == ""
        with contextlib.suppress(OSError):
            assert await client.ended()
    assert handler.sessions == []


@on_both_loops
async def test_case_17_where_a_certificate_is_required_none_means_no_command(authority, client_context):
    require = settings(client_certificate=CertificateRequest.REQUIRE)
    async with (
        door(Accepting(), require, contexts=asking(authority, ssl.CERT_OPTIONAL)) as listener,
        client_of(listener) as client,
    ):
        await client.say(HELLO)
        await client.say(b"STARTTLS\r\n")
        await client.start_tls(client_context)
        assert await client.say(HELLO) == "554 5.7.0 Command refused due to lack of security"


async def test_tls_without_contexts_is_a_mistake_at_the_start():
    with pytest.raises(ValueError, match="needs contexts"):
        await listen(Accepting(), settings())


async def test_a_socket_made_elsewhere_is_listened_on():
    sock = socket.create_server(("127.0.0.1", 0))
    async with door(Accepting(), ServerSettings(hostname="h", connections=QUICK), sock=sock) as listener:
        assert listener.addresses == [sock.getsockname()]
        async with client_of(listener) as client:
            assert await client.say(b"NOOP\r\n") == "250 2.0.0 OK"


async def test_swaks_delivers_over_starttls_with_a_password(contexts):
    program = find_program("swaks")
    require_peer("swaks", program)
    probe = await asyncio.create_subprocess_exec("perl", "-MNet::SSLeay", "-e", "1", stderr=asyncio.subprocess.DEVNULL)
    require_peer("Net::SSLeay, for swaks over TLS", await probe.wait() == 0)
    handler = Accepting()

    def prove(server, session, envelope, mechanism, given):
        return AuthResult(success=given == (b"demo", b"secret"), auth_data=given)

    required = settings(TlsMode.REQUIRE, auth_required=True)
    async with door(handler, required, contexts=contexts, authenticator=prove) as listener:
        host, port = listener.addresses[0]
        for mechanism in ("PLAIN", "LOGIN"):
            process = await asyncio.create_subprocess_exec(
                str(program), "--server", host, "--port", str(port), "--from", "a@example.com", "--to", "447700900123@sms.example.net",
                "--tls", "--auth", mechanism, "--auth-user", "demo", "--auth-password", "secret",
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            )  # fmt: skip
            output, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
            assert process.returncode == 0, output.decode()
    assert [session.auth_data.login for session in handler.sessions] == [b"demo", b"demo"]
