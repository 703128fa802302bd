"""The HTTP server on real connections: what it answers, what it refuses, what a slow, wrong or hostile peer costs."""

import asyncio
import contextlib
import json
import ssl
from dataclasses import dataclass, replace
from ipaddress import ip_network

import pytest
import trustme
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route
from structlog.testing import capture_logs

from gateway.listener import ConnectionLimits
from tests.kit.clock import leap
from tests.kit.patience import PATIENCE
from tests.kit.smtp_door import on_both_loops
from web.connection import HttpLimits
from web.front import require_same_origin
from web.server import HttpServer

QUICK = ConnectionLimits(sweep_seconds=0.01, handshake_seconds=5)
LIMITS = HttpLimits(body=1000, connections=QUICK)
HOST = b"Host: 127.0.0.1\r\n"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Peer:
    """A client that sends raw octets."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def say(self, data: bytes) -> Answer:
        self.writer.write(data)
        return await self.hear()

    async def hear(self) -> Answer:
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE)).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await self.reader.readexactly(int(headers["content-length"])) if "content-length" in headers else b""
        return Answer(int(first.split()[1]), headers, body)

    async def ended(self) -> bytes:
        """Return what still comes until the end of the connection."""
        with contextlib.suppress(ConnectionError):
            return await asyncio.wait_for(self.reader.read(), PATIENCE)
        return b""


class House:
    """Routes that tests call, and what came of them."""

    def __init__(self) -> None:
        self.server: HttpServer
        self.begun = asyncio.Event()
        self.may_go_on = asyncio.Event()
        self.said: list[str] = []

    def routes(self):
        return [
            Route("/", self.show),
            Route("/echo", self.echo, methods=["POST"]),
            Route("/own", self.own, methods=["POST"]),
            Route("/fails", self.fail),
            Route("/slow", self.slow),
            Route("/stream", self.stream),
            Route("/large", self.large),
        ]

    async def show(self, request: Request):
        assert request.client is not None
        return JSONResponse(
            {"client": request.client.host, "scheme": request.url.scheme, "id": request.state.request_id}
        )

    async def echo(self, request: Request):
        try:
            return PlainTextResponse(str(len(await request.body())))
        except ClientDisconnect:
            self.said.append("gone")
            raise

    async def own(self, request: Request):
        require_same_origin(request)
        return PlainTextResponse("done")

    async def fail(self, request: Request):
        raise ValueError("the secret of the house")

    async def slow(self, request: Request):
        self.begun.set()
        await self.may_go_on.wait()
        return PlainTextResponse("late")

    async def stream(self, request: Request):
        async def lines():
            yield "data: 1\n\n"
            await self.may_go_on.wait()
            yield "data: end\n\n"

        return StreamingResponse(lines(), media_type="text/event-stream")

    async def large(self, request: Request):
        async def blocks():
            self.begun.set()
            for _ in range(2000):
                yield b"x" * 65536

        return StreamingResponse(blocks())


@contextlib.asynccontextmanager
async def serving(limits=LIMITS, **more):
    house = House()
    house.server = HttpServer(house.routes(), limits=limits, **more)
    await house.server.start()
    peers: list[Peer] = []

    async def connect(**how) -> Peer:
        peers.append(Peer(*await asyncio.open_connection("127.0.0.1", house.server.port, **how)))
        return peers[-1]

    try:
        yield house, connect
    finally:
        house.may_go_on.set()
        await house.server.stop(5)
        for peer in peers:
            peer.writer.close()
            with contextlib.suppress(OSError):
                await peer.writer.wait_closed()


@on_both_loops
async def test_every_answer_has_its_id_the_strict_headers_and_no_word_about_the_server():
    async with serving() as (_, connect):
        peer = await connect()
        answers = [
            await peer.say(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"),
            await peer.say(b"GET /nothing HTTP/1.1\r\n" + HOST + b"\r\n"),
            await peer.say(b"PUT / HTTP/1.1\r\n" + HOST + b"\r\n"),
            await peer.say(b"GET /fails HTTP/1.1\r\n" + HOST + b"\r\n"),
        ]
    assert [answer.status for answer in answers] == [200, 404, 405, 500]
    assert json.loads(answers[0].body)["id"] == answers[0].headers["x-request-id"]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 4
    for answer in answers:
        assert answer.headers["content-security-policy"].startswith("default-src 'self'; base-uri 'none'")
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["date"].endswith("GMT")
        assert "server" not in answer.headers


async def test_what_failed_is_in_the_log_under_the_id_that_the_peer_was_told_and_nowhere_else():
    with capture_logs() as lines:
        async with serving() as (_, connect):
            answer = await (await connect()).say(b"GET /fails?token=hush HTTP/1.1\r\n" + HOST + b"\r\n")
    assert answer.status == 500
    assert b"secret" not in answer.body
    assert answer.headers["x-request-id"].encode() in answer.body
    failed = next(line for line in lines if line["event"] == "http_failed")
    assert (failed["request"], failed["cause"]) == (
        answer.headers["x-request-id"],
        "ValueError: the secret of the house",
    )
    assert "hush" not in str(lines)


async def test_each_request_is_one_line_of_the_log_without_its_query():
    with capture_logs() as lines:
        async with serving() as (_, connect):
            peer = await connect()
            await peer.say(b"GET /%0Aevil?password=hush HTTP/1.1\r\n" + HOST + b"\r\n")
            await peer.say(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
    told = [line for line in lines if line["event"] == "http"]
    assert [(line["path"], line["status"], line["log_level"]) for line in told] == [
        ("/%0Aevil", 404, "info"),
        ("/", 200, "debug"),
    ]
    assert "hush" not in str(lines)


@pytest.mark.parametrize("host", ["rebound.example.com", "127.0.0.1.example.com", "0", "localhost.", "[::1", ""])
async def test_a_page_of_a_foreign_name_that_points_here_reads_nothing(host):
    async with serving() as (_, connect):
        answer = await (await connect()).say(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert answer.status == 421
    assert b"client" not in answer.body


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "LOCALHOST", "localhost:1", "[::1]", "[::1]:8080"])
async def test_this_machine_is_known_by_its_own_names_with_any_port(host):
    async with serving() as (_, connect):
        assert (await (await connect()).say(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())).status == 200


async def test_a_server_answers_under_its_own_address_too():
    house = House()
    server = HttpServer(house.routes(), host="127.0.0.2")
    await server.start()
    peer = Peer(*await asyncio.open_connection("127.0.0.2", server.port))
    assert (await peer.say(b"GET / HTTP/1.1\r\nHost: 127.0.0.2\r\n\r\n")).status == 200
    assert (await peer.say(b"GET / HTTP/1.1\r\nHost: 127.0.0.3\r\n\r\n")).status == 421
    await server.stop(5)
    peer.writer.close()


async def test_no_header_changes_who_the_client_is():
    forwarded = (
        b"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\nForwarded: for=203.0.113.9;proto=https\r\n"
    )
    async with serving() as (_, connect):
        said = json.loads((await (await connect()).say(b"GET / HTTP/1.1\r\n" + HOST + forwarded + b"\r\n")).body)
    assert (said["client"], said["scheme"]) == ("127.0.0.1", "http")


ORIGINS = [
    (b"", 403),
    (b"Origin: http://127.0.0.1\r\n", 200),
    (b"Origin: http://127.0.0.1:1\r\n", 403),
    (b"Origin: null\r\n", 403),
    (b"Origin: null\r\nSec-Fetch-Site: same-origin\r\n", 200),
    (b"Sec-Fetch-Site: none\r\n", 403),
    (b"Sec-Fetch-Site: same-site\r\nOrigin: http://127.0.0.1\r\n", 403),
    (b"Sec-Fetch-Site: cross-site\r\nOrigin: http://127.0.0.1\r\n", 403),
]  # fmt: skip


@pytest.mark.parametrize(("headers", "status"), ORIGINS)
async def test_only_a_page_of_this_server_can_change_something(headers, status):
    async with serving() as (_, connect):
        request = b"POST /own HTTP/1.1\r\nContent-Length: 0\r\n" + HOST + headers + b"\r\n"
        assert (await (await connect()).say(request)).status == status


async def test_a_body_that_is_too_large_is_refused_whether_it_says_so_or_not():
    async with serving() as (_, connect):
        peer = await connect()
        post = b"POST /echo HTTP/1.1\r\n" + HOST
        assert (await peer.say(post + b"Content-Length: 1000\r\n\r\n" + b"x" * 1000)).body == b"1000"
        assert (await peer.say(post + b"Content-Length: 1001\r\n\r\n" + b"x" * 1001)).status == 413
        # What was refused is read to its end, so that the answer is not lost in a reset.
        assert (await peer.say(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")).status == 200
        chunks = 3 * (b"190\r\n" + b"x" * 400 + b"\r\n")
        assert (await peer.say(post + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")).status == 413


@on_both_loops
async def test_a_head_that_is_too_large_is_refused():
    async with serving(replace(LIMITS, head=2000)) as (_, connect):
        peer = await connect()
        assert (await peer.say(b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 3000)).status == 400
        assert await peer.ended() == b"Invalid HTTP request received."


WRONG = [
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: localhost\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"POST /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    b"POST /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: xchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"POST /echo HTTP/1.1\r\nHost : 127.0.0.1\r\nContent-Length: 0\r\n\r\n",
    b"EHLO mail.example.com\r\n\r\n",
]


@pytest.mark.parametrize("octets", WRONG)
async def test_what_is_no_request_is_refused_and_ends_the_connection(octets):
    with capture_logs() as lines:
        async with serving() as (_, connect):
            peer = await connect()
            assert (await peer.say(octets)).status in {400, 501}
            await peer.ended()
    assert {line["log_level"] for line in lines} <= {"debug", "info"}


TRICKLES = [b"", b"G", b"GET / HTTP/1.1\r\nHost: 127", b"GET / HTTP/1.1\r\n" + HOST + b"\r\nG"]


@pytest.mark.parametrize("begun", TRICKLES)
@on_both_loops
async def test_who_begins_a_request_and_does_not_end_it_is_cut_though_octets_still_come(begun):
    async with serving(replace(LIMITS, head_seconds=0.1)) as (_, connect):
        peer = await connect()
        peer.writer.write(begun)
        await peer.writer.drain()

        async def trickle():
            with contextlib.suppress(ConnectionError):
                while begun:
                    await asyncio.sleep(0.02)  # between octets
                    peer.writer.write(b"x")

        trickling = asyncio.ensure_future(trickle())
        await peer.ended()
        trickling.cancel()


@on_both_loops
async def test_who_sends_a_body_too_slowly_is_cut_and_the_application_hears_of_it():
    async with serving(replace(LIMITS, body_seconds=0.1)) as (house, connect):
        peer = await connect()
        peer.writer.write(b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\nx")
        assert await peer.ended() == b""
    assert house.said == ["gone"]


async def test_many_bodies_one_after_the_other_are_not_one_slow_body():
    async with serving(replace(LIMITS, body_seconds=60)) as (house, connect):
        peer, seen = await connect(), set[object]()
        for count in range(1, 5):
            peer.writer.write(b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n\r\nx")
            while len(seen) < count:
                await asyncio.sleep(0.01)  # until the server's next look
                awaited = [one._awaited or ("", None) for one in house.server._listener._connections]
                seen |= {body for what, body in awaited if what == "body"}
            leap(50)
            assert (await peer.say(b"y")).body == b"2"


async def test_an_application_that_takes_its_time_is_not_cut():
    async with serving(replace(LIMITS, head_seconds=0.05, body_seconds=0.05, stalled_seconds=0.05)) as (house, connect):
        peer = await connect()
        peer.writer.write(b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\n")
        await house.begun.wait()
        asyncio.get_running_loop().call_later(0.3, house.may_go_on.set)
        assert (await peer.hear()).body == b"late"


async def test_who_does_not_read_the_answer_is_cut():
    async with serving(replace(LIMITS, stalled_seconds=0.1)) as (house, connect):
        peer = await connect(limit=1024)
        peer.writer.write(b"GET /large HTTP/1.1\r\n" + HOST + b"\r\n")
        await house.begun.wait()
        lost = peer.writer.transport
        peer.reader._transport.pause_reading()
        while house.server.connections:
            await asyncio.sleep(0.01)  # until the server's next look
        lost.abort()


async def test_a_connection_between_requests_is_kept_for_a_while_only():
    async with serving(replace(LIMITS, keep_alive_seconds=1)) as (_, connect):
        peer = await connect()
        assert (await peer.say(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")).status == 200
        assert await peer.ended() == b""


async def test_one_client_has_so_many_connections_and_the_next_hears_503():
    with capture_logs() as lines:
        async with serving(replace(LIMITS, connections=replace(QUICK, per_address=2))) as (house, connect):
            first, _ = await connect(), await connect()
            await first.say(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
            refused = await (await connect()).hear()
            assert (refused.status, refused.headers["connection"]) == (503, "close")
            first.writer.close()
            while house.server.connections > 1:
                await asyncio.sleep(0.01)  # until the server has seen the end
            assert (await (await connect()).say(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")).status == 200
    assert [line["rip"] for line in lines if line["event"] == "connection_refused"] == ["127.0.0.1"]


@on_both_loops
async def test_a_stop_closes_idle_connections_lets_what_was_begun_finish():
    async with serving() as (house, connect):
        idle, slow, streaming = await connect(), await connect(), await connect()
        await idle.say(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        streaming.writer.write(b"GET /stream HTTP/1.1\r\n" + HOST + b"\r\n")
        await streaming.reader.readuntil(b"data: 1\n\n")
        slow.writer.write(b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\n")
        await house.begun.wait()
        stopping = asyncio.ensure_future(house.server.stop(60))
        assert await idle.ended() == b""
        house.may_go_on.set()
        assert b"data: end" in await streaming.ended()
        assert (await slow.hear()).body == b"late"
        await stopping
        with pytest.raises(OSError, match="onnect"):
            await connect()


async def test_what_has_not_ended_at_the_end_of_the_grace_is_cut():
    async with serving() as (house, connect):
        peer = await connect()
        peer.writer.write(b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\n")
        await house.begun.wait()
        await house.server.stop(0.05)
        assert await peer.ended() == b""


async def test_a_port_that_is_taken_is_an_error_that_names_it():
    async with serving() as (house, _):
        second = HttpServer([], port=house.server.port)
        with pytest.raises(OSError, match=str(house.server.port)):
            await second.start()
        await second.stop(0)


def contexts_of(authority: trustme.CA):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(made)
    return made


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@on_both_loops
async def test_under_tls_each_connection_gets_the_certificate_of_the_day():
    old, new = trustme.CA(), trustme.CA()
    current = [contexts_of(old)]
    async with serving(contexts=lambda: current[0]) as (_, connect):
        early = await connect(ssl=trusting(old))
        assert json.loads((await early.say(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")).body)["scheme"] == "https"
        current[0] = contexts_of(new)
        late = await connect(ssl=trusting(new))
        answer = json.loads((await late.say(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")).body)
        assert (answer["scheme"], answer["client"]) == ("https", "127.0.0.1")
        assert (await early.say(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")).status == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect(ssl=trusting(old))


@on_both_loops
async def test_a_handshake_that_does_not_end_is_cut_and_so_is_http_without_tls():
    authority = trustme.CA()
    context = contexts_of(authority)
    limits = replace(LIMITS, connections=replace(QUICK, handshake_seconds=0.1))
    with capture_logs() as lines:
        async with serving(limits, contexts=lambda: context) as (house, connect):
            silent, clear = await connect(), await connect()
            clear.writer.write(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
            assert b"HTTP" not in await clear.ended()
            assert await silent.ended() == b""
            assert house.server.connections == 0
            house.server._listener.limits = QUICK
            assert (
                await (await connect(ssl=trusting(authority))).say(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
            ).status == 200
    assert [line["event"] for line in lines].count("tls_handshake_failed") == 2


PROXY = b"GET / HTTP/1.1\r\n" + HOST
CLIENTS = {
    "one proxy": (b"X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n", ("192.0.2.7", "https")),
    "its port": (b"X-Forwarded-For: 192.0.2.7:4711\r\n", ("192.0.2.7", "http")),
    "IPv6": (b'Forwarded: for="[2001:db8::7]:4711";proto=https\r\n', ("2001:db8::7", "https")),
    "a client that claims to be another": (b"X-Forwarded-For: 198.51.100.1, 192.0.2.7\r\n", ("192.0.2.7", "http")),
    "a chain of ours": (b"X-Forwarded-For: 198.51.100.1, 192.0.2.7, 127.0.0.2\r\n", ("192.0.2.7", "http")),
    "a client on the proxy's machine": (b"X-Forwarded-For: 127.0.0.1\r\n", ("127.0.0.1", "http")),
    "octets of no address": (b'X-Forwarded-For: }__t|O:21:"x\xfd\xfd\r\n', ("127.0.0.1", "http")),
    "two lines": (b"X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 192.0.2.7\r\n", ("192.0.2.7", "http")),
    "a scheme of the client's": (
        b"X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https, http\r\n",
        ("192.0.2.7", "http"),
    ),
    "the other scheme": (
        b"Forwarded: for=198.51.100.1;proto=https, for=192.0.2.7;proto=http\r\n",
        ("192.0.2.7", "http"),
    ),
    "both headers": (b"Forwarded: for=198.51.100.1\r\nX-Forwarded-For: 192.0.2.7\r\n", ("127.0.0.1", "http")),
    "nonsense": (b"X-Forwarded-For: me\r\nX-Forwarded-Proto: gopher\r\n", ("127.0.0.1", "http")),
    "nobody": (b"Forwarded: for=unknown\r\n", ("127.0.0.1", "http")),
    "half of it": (b'Forwarded: for="192.0.2.7\r\n', ("127.0.0.1", "http")),
    "another header": (b"X-Real-IP: 192.0.2.7\r\nX-Forwarded-Host: evil.example\r\n", ("127.0.0.1", "http")),
}


@pytest.mark.parametrize(("said", "found"), CLIENTS.values(), ids=CLIENTS)
async def test_a_trusted_proxy_says_who_its_client_is_and_no_client_says_it(said, found):
    async with serving(forwarded_from=[ip_network("127.0.0.0/8")]) as (_, connect):
        told = json.loads((await (await connect()).say(PROXY + said + b"\r\n")).body)
        assert (told["client"], told["scheme"]) == found


@pytest.mark.parametrize("said", [said for said, _ in CLIENTS.values()], ids=CLIENTS)
async def test_nobody_else_is_believed(said):
    async with serving(forwarded_from=[ip_network("10.0.0.0/8")]) as (_, connect):
        told = json.loads((await (await connect()).say(PROXY + said + b"\r\n")).body)
        assert (told["client"], told["scheme"]) == ("127.0.0.1", "http")


@pytest.mark.parametrize(
    ("given", "logged"), [("a1-B2.c_3", True), ("", False), ("x" * 65, False), ("a b", False), ("a\x1b[31m", False)]
)
async def test_the_clients_own_id_of_a_request_is_logged_where_it_is_well_formed_and_never_ours(given, logged):
    async with serving() as (_, connect):
        with capture_logs() as logs:
            request = b"POST /own HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\nX-Request-Id: "
            answer = await (await connect()).say(request + given.encode() + b"\r\n\r\n")
        assert answer.headers.get("x-request-id") != given
        assert [line["asked_as"] for line in logs if "asked_as" in line] == ([given] if logged else [])
