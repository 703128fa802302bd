"""Clients behind a proxy that names them (PROXY protocol 1 and 2): by SMTP, STARTTLS, implicit TLS and HTTP."""

import asyncio
import ssl
from ipaddress import ip_address, ip_network

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from structlog.testing import capture_logs

from gateway.listener import ConnectionLimits
from gateway.proxy_header import MalformedHeaderError, ProxyHeader, read_proxy_header
from mta.smtp.server.server import ServerSettings
from tests.kit.dialogues import HELLO, ROUTE
from tests.kit.patience import PATIENCE
from tests.kit.smtp_door import Accepting, client_of, door, on_both_loops
from tls.listening import TlsMode
from web.connection import HttpLimits
from web.server import HttpServer

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V1 = b"PROXY TCP4 203.0.113.7 192.0.2.1 40000 25\r\n"
LISTED, UNLISTED = (ip_network("127.0.0.0/8"),), (ip_network("192.0.2.0/24"),)
MORE = b"\x04\x00\x03abc\x20\x00\x00"  # additions of no meaning here, the last one cut


def v2(source: str, *, command: int = 0x21, family: int | None = None, more: bytes = b"") -> bytes:
    """Return a header of version 2."""
    address = ip_address(source)
    other = ip_address("192.0.2.1" if address.version == 4 else "2001:db8::1")
    body = address.packed + other.packed + (40000).to_bytes(2) + (25).to_bytes(2) + more
    kind = family if family is not None else 0x11 if address.version == 4 else 0x21
    return SIGNATURE + bytes([command, kind]) + len(body).to_bytes(2) + body


HEADERS = [
    (V1, ("203.0.113.7", 40000)),
    (b"PROXY TCP6 2001:db8::7 2001:DB8::1 65535 25\r\n", ("2001:db8::7", 65535)),
    (b"PROXY TCP6 ::ffff:203.0.113.7 ::1 1 25\r\n", ("203.0.113.7", 1)),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ffff:f...f:ffff what ever 1 2\r\n", None),
    (v2("203.0.113.7"), ("203.0.113.7", 40000)),
    (v2("2001:db8::7"), ("2001:db8::7", 40000)),
    (v2("::ffff:203.0.113.7"), ("203.0.113.7", 40000)),
    (v2("203.0.113.7", more=MORE), ("203.0.113.7", 40000)),
    (v2("2001:db8::7", more=b"\0" * 60000), ("2001:db8::7", 40000)),
    (v2("203.0.113.7", command=0x20), None),
    (v2("203.0.113.7", family=0x00), None),
    (v2("203.0.113.7", family=0x31, more=b"\0" * 204), None),
    (SIGNATURE + b"\x20\x00\0\0", None),
]
MALFORMED = [
    b"EHLO client.example.com\r\n",
    b"proxy TCP4 203.0.113.7 192.0.2.1 40000 25\r\n",
    b"PROXY\r\n",
    b"PROXY TCP4 203.0.113.7 192.0.2.1 40000\r\n",
    b"PROXY TCP4 203.0.113.7  192.0.2.1 40000 25\r\n",
    b"PROXY TCP4 203.0.113.7 192.0.2.1 40000 25 \r\n",
    b"PROXY TCP4 203.0.113.7 192.0.2.1 40000 25\n\r\n",
    b"PROXY TCP4 2001:db8::7 2001:db8::1 40000 25\r\n",
    b"PROXY TCP6 203.0.113.7 192.0.2.1 40000 25\r\n",
    b"PROXY TCP4 203.0.113.256 192.0.2.1 40000 25\r\n",
    b"PROXY TCP4 203.0.113.07 192.0.2.1 40000 25\r\n",
    b"PROXY TCP6 fe80::1%eth0 2001:db8::1 40000 25\r\n",
    b"PROXY TCP4 203.0.113.7 192.0.2.1 65536 25\r\n",
    b"PROXY TCP4 203.0.113.7 192.0.2.1 -1 25\r\n",
    b"PROXY UDP4 203.0.113.7 192.0.2.1 40000 25\r\n",
    b"PROXY UNKNOWN" + b"x" * 200,
    SIGNATURE + b"\x11\x11\0\x0c" + bytes(12),
    SIGNATURE + b"\x22\x11\0\x0c" + bytes(12),
    SIGNATURE + b"\x21\x11\0\x0b" + bytes(11),
    SIGNATURE + b"\x21\x21\0\x0c" + bytes(12),
    v2("203.0.113.7", family=0x12),
    v2("203.0.113.7", family=0x41),
    b"\r\n\r\n\0\r\nQUIX\n\x21\x11\0\x0c",
    b"\x16\x03\x01",
]


@pytest.mark.parametrize(("header", "client"), HEADERS)
def test_a_header_names_the_client_whatever_follows_it_and_however_it_is_cut(header, client):
    assert read_proxy_header(header + b"EHLO x\r\n") == ProxyHeader(client=client, octets=len(header))
    for end in range(0, len(header), max(1, len(header) // 300)):
        assert read_proxy_header(header[:end]) is None


@pytest.mark.parametrize("header", MALFORMED)
def test_what_is_no_header_is_refused(header):
    with pytest.raises(MalformedHeaderError):
        read_proxy_header(header)


@given(st.one_of(st.binary(), st.binary().map(SIGNATURE.__add__), st.binary().map(b"PROXY TCP6 ".__add__)))
def test_any_octets_are_a_header_that_they_hold_whole_or_none_or_refused(data):
    try:
        header = read_proxy_header(data)
    except MalformedHeaderError:
        return
    assert header is None or 0 < header.octets <= len(data)


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


def settings(proxies=LISTED, **more) -> ServerSettings:
    connections = ConnectionLimits(
        sweep_seconds=0.01, linger_seconds=0.5, handshake_seconds=60, header_seconds=60, **more.pop("connections", {})
    )
    return ServerSettings(hostname="mx.example.net", connections=connections, proxies=proxies, **more)


async def send(client) -> None:
    client.writer.write(ROUTE + b"Subject: x\r\n\r\nHello\r\n.\r\n")
    assert [(await client.hear())[:3] for _ in range(5)] == ["250", "250", "250", "354", "250"]


@pytest.mark.parametrize("header", [V1, v2("203.0.113.7", more=MORE)], ids=["version 1", "version 2"])
@on_both_loops
async def test_a_session_is_that_of_the_client_whom_a_listed_proxy_names(header):
    handler = Accepting()
    async with door(handler, settings()) as listener, client_of(listener, greeted=False) as client:
        for octet in header:
            client.writer.write(bytes([octet]))
            await client.writer.drain()
        assert (await client.hear()).startswith("220 ")
        await send(client)
    assert [session.client_address for session in handler.sessions] == ["203.0.113.7"]


@on_both_loops
async def test_starttls_and_implicit_tls_begin_behind_the_header(contexts, client_context):
    handler = Accepting()
    for tls in (TlsMode.OFFER, TlsMode.IMPLICIT):
        async with (
            door(handler, settings(tls=tls), contexts=contexts) as listener,
            client_of(listener, greeted=False) as client,
        ):
            client.writer.write(v2("2001:db8::7"))
            if tls is TlsMode.OFFER:
                assert (await client.hear()).startswith("220 ")
                await client.say(HELLO)
                assert (await client.say(b"STARTTLS\r\n")).startswith("220 ")
                await client.start_tls(client_context)
            else:
                await client.start_tls(client_context)
                assert (await client.hear()).startswith("220 ")
            await send(client)
    assert [(session.client_address, session.tls[:4]) for session in handler.sessions] == [("2001:db8::7", "TLSv")] * 2


@on_both_loops
async def test_tls_in_the_same_segment_as_the_header_is_not_lost(contexts, client_context):
    handler = Accepting()
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = client_context.wrap_bio(into, out, server_hostname="mx.example.net")
    async with (
        door(handler, settings(tls=TlsMode.IMPLICIT), contexts=contexts) as listener,
        client_of(listener, greeted=False) as client,
    ):
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        client.writer.write(V1 + out.read())
        greeting = b""
        while not greeting:
            into.write(await asyncio.wait_for(client.reader.read(2**16), PATIENCE))
            try:
                tls.do_handshake()
                client.writer.write(out.read())
                greeting = tls.read()
            except ssl.SSLWantReadError:
                client.writer.write(out.read())
        assert greeting.startswith(b"220 ")


@on_both_loops
async def test_a_proxy_that_speaks_for_itself_is_a_client_like_any_other():
    handler = Accepting()
    for header in (b"PROXY UNKNOWN\r\n", SIGNATURE + b"\x20\x00\0\0"):
        async with door(handler, settings()) as listener, client_of(listener, greeted=False) as client:
            client.writer.write(header)
            assert (await client.hear()).startswith("220 ")
            await send(client)
    assert {session.client_address for session in handler.sessions} == {"127.0.0.1"}


@pytest.mark.parametrize("garbage", [b"EHLO client.example.com\r\n", V1.replace(b"TCP4", b"TCP9"), b"\x16\x03\x01\x02"])
@on_both_loops
async def test_a_listed_proxy_without_a_right_header_is_cut_and_hears_nothing(garbage):
    with capture_logs() as logs:
        async with door(Accepting(), settings()) as listener, client_of(listener, greeted=False) as client:
            client.writer.write(garbage)
            assert await client.ended()
            assert not listener.connections
    (line,) = [line for line in logs if line["event"] == "proxy_header_malformed"]
    assert line["proxy"] == "127.0.0.1"


@pytest.mark.parametrize("header", [V1, v2("203.0.113.7")], ids=["version 1", "version 2"])
@on_both_loops
async def test_a_header_from_anywhere_else_is_not_interpreted(header):
    handler = Accepting()
    async with door(handler, settings(proxies=UNLISTED)) as listener, client_of(listener) as client:
        client.writer.write(header)
        assert (await client.hear())[:3] in {"500", "554"}
        client.writer.write(b"RSET\r\n" * 9 + ROUTE + b"Subject: x\r\n\r\nHello\r\n.\r\n")
        while not (heard := await client.hear()).endswith("Kept") and heard:
            pass
    assert [session.client_address for session in handler.sessions] in ([], ["127.0.0.1"])


@on_both_loops
async def test_a_proxy_that_names_no_client_in_time_is_cut_and_counts_for_all_connections():
    limits = ConnectionLimits(total=1, sweep_seconds=0.01, header_seconds=0.05)
    quick = ServerSettings(hostname="mx.example.net", connections=limits, proxies=LISTED)
    with capture_logs() as logs:
        async with door(Accepting(), quick) as listener, client_of(listener, greeted=False) as client:
            client.writer.write(V1[:-1])
            assert await client.ended()
            assert not listener.connections
    assert [line["event"] for line in logs] == ["proxy_header_missing"]
    async with (
        door(Accepting(), settings(connections={"total": 1})) as listener,
        client_of(listener, greeted=False),
    ):
        while not listener.connections:
            await asyncio.sleep(0)
        async with client_of(listener, greeted=False) as second:
            assert await second.ended()


@on_both_loops
async def test_clients_behind_one_proxy_are_counted_each_for_himself():
    async with (
        door(Accepting(), settings(connections={"per_address": 1})) as listener,
        client_of(listener, greeted=False) as one,
        client_of(listener, greeted=False) as two,
        client_of(listener, greeted=False) as again,
    ):
        one.writer.write(V1)
        assert (await one.hear()).startswith("220 ")
        two.writer.write(v2("203.0.113.8"))
        assert (await two.hear()).startswith("220 ")
        again.writer.write(v2("203.0.113.7"))
        assert (await again.hear()).startswith("421 4.7.0 Too many connections")


@on_both_loops
async def test_a_proxy_may_look_as_often_as_it_likes_whether_we_live():
    limits = {"per_address": 1, "per_minute": 1}
    async with (
        door(Accepting(), settings(connections=limits)) as listener,
        client_of(listener, greeted=False) as one,
    ):
        one.writer.write(b"PROXY UNKNOWN\r\n")
        assert (await one.hear()).startswith("220 ")
        for _ in range(9):
            async with client_of(listener, greeted=False) as again:
                again.writer.write(SIGNATURE + b"\x20\x00\0\0")
                assert (await again.hear()).startswith("220 ")
                assert (await again.say(b"QUIT\r\n")).startswith("221 ")


@on_both_loops
async def test_a_listed_proxy_that_only_connects_leaves_nothing_behind():
    with capture_logs() as logs:
        async with door(Accepting(), settings()) as listener:
            for _ in range(9):
                async with client_of(listener, greeted=False):
                    pass
            async with client_of(listener, greeted=False) as last:
                last.writer.write(V1)
                await last.hear()
                while listener.connections > 1:
                    await asyncio.sleep(0)
    assert logs == []


@on_both_loops
async def test_a_client_behind_a_proxy_must_wait_for_the_greeting_too():
    async with door(Accepting(), settings()) as listener, client_of(listener, greeted=False) as client:
        client.writer.write(V1 + HELLO)
        assert await client.hear() == "554 5.5.1 Protocol error: client talked before the greeting"


async def show_client(request: Request) -> PlainTextResponse:
    assert request.client is not None
    return PlainTextResponse(request.client.host)


@on_both_loops
async def test_http_with_and_without_tls_knows_the_client_behind_a_proxy(contexts, client_context):
    limits = HttpLimits(connections=ConnectionLimits(sweep_seconds=0.01, handshake_seconds=60, header_seconds=60))
    for tls in (None, contexts):
        server = HttpServer([Route("/", show_client)], limits=limits, contexts=tls, proxies=LISTED)
        await server.start()
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(v2("203.0.113.7"))
            if tls is not None:
                await writer.start_tls(client_context, server_hostname="mx.example.net")
            writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            answer = await asyncio.wait_for(reader.read(), PATIENCE)
            assert answer.endswith(b"\r\n\r\n203.0.113.7")
            writer.close()
        finally:
            await server.stop(1)
