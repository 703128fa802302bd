"""MTA-STS against a policy host on loopback: what is fetched, what is refused, and what mail then does (case 32)."""

import asyncio
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import pytest

from sms.outcome import Done, Retry
from tests.kit.mail_servers import (
    DOMAIN,
    HOST,
    LOOPBACK,
    Identity,
    Peer,
    issue,
    make_authority,
    make_deliverer,
    one_host,
    server_context,
    status_mail,
)
from tests.kit.resolver import TableResolver
from tls.contexts import ClientContexts, ClientRole
from tls.mtasts import MemoryStsCache, StsLookup
from tls.mx import AddressGuard
from tls.policy import StsMode, TlsLevel
from tls.stsfetch import HttpsStsFetcher

POLICY_HOST = f"mta-sts.{DOMAIN}"
POLICY = f"version: STSv1\nmode: enforce\nmx: {HOST}\nmax_age: 86400\n".encode()
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"


def plain(body: bytes) -> bytes:
    return OK + b"Content-Length: %d\r\n\r\n" % len(body) + body


def chunked(*chunks: bytes) -> bytes:
    return (
        OK
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in chunks)
        + b"0\r\n\r\n"
    )


@dataclass
class PolicyHost:
    """An HTTPS server that answers every request with the same bytes, or for ever."""

    context: ssl.SSLContext
    answer: bytes = b""
    endless: bytes = b""
    silent: bool = False
    requests: list[bytes] = field(default_factory=list)
    port: int = 0
    _server: asyncio.Server | None = None
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        try:
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(self.answer)
            await writer.drain()
            while self.endless:
                writer.write(self.endless)
                await writer.drain()
            if not self.silent:
                writer.close()
        except (OSError, asyncio.IncompleteReadError):
            pass


@dataclass(frozen=True)
class StsHarness:
    roots: Path
    good: Identity
    wrong: Identity
    mx: Identity
    stranger_mx: Identity


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> StsHarness:
    root = make_authority()
    roots = tmp_path_factory.mktemp("sts") / "roots.pem"
    roots.write_bytes(root.pem)
    return StsHarness(roots, issue(root, names=(POLICY_HOST,)), issue(root, names=(DOMAIN,)), issue(root), issue())


def resolver(**more: Any) -> TableResolver:
    return one_host(hosts={POLICY_HOST: ["127.0.0.1"]}, texts={f"_mta-sts.{DOMAIN}": ["v=STSv1; id=1;"]}, **more)


def fetcher(world: StsHarness, port: int, *, guard: AddressGuard = LOOPBACK, deadline: float = 2.0) -> HttpsStsFetcher:
    contexts = ClientContexts(world.roots)
    role = ClientRole(verify=True, check_hostname=True)
    return HttpsStsFetcher(resolver(), lambda: contexts.get(role), guard=guard, port=port, deadline_seconds=deadline)


FETCHES = [
    (plain(POLICY), POLICY, ""),
    (OK + b"\r\n" + POLICY, POLICY, ""),
    (chunked(POLICY[:10], POLICY[10:]), POLICY, ""),
    (b"HTTP/1.1 301 Moved\r\nLocation: https://elsewhere.example/\r\n\r\n", b"", "answered 301, not 200"),
    (b"HTTP/1.1 404 Not Found\r\n\r\n", b"", "answered 404"),
    (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + POLICY, b"", "no text/plain"),
    (b"HTTP/1.1 200 OK\r\n\r\n" + POLICY, b"", "no text/plain"),
    (OK + b"Content-Length: 65537\r\n\r\n", b"", "more than 65536"),
    (OK + b"Content-Length: x\r\n\r\n", b"", "ValueError"),
    (OK + b"Content-Length: 500\r\n\r\nshort", b"", "IncompleteReadError"),
    (chunked(b"x" * 40000, b"x" * 40000), b"", "more than 65536"),
    (b"nonsense\r\n\r\n", b"", "not 200"),
    (b"x" * 20000, b"", "LimitOverrunError"),
    (b"", b"", "IncompleteReadError"),
]


@pytest.mark.parametrize(("answer", "body", "fault"), FETCHES, ids=range(len(FETCHES)))
async def test_case_32_what_a_policy_host_answers(answer, body, fault, world, tmp_path):
    async with PolicyHost(server_context(world.good, tmp_path), answer) as host:
        fetched = await fetcher(world, host.port).fetch(DOMAIN)
    assert fetched.body == body
    assert fault in fetched.fault
    assert bool(fetched.fault) == bool(fault)
    assert host.requests[0].startswith(b"GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.example.com\r\n")


async def test_case_32_a_body_without_end_is_cut_at_the_cap(world, tmp_path):
    async with PolicyHost(server_context(world.good, tmp_path), OK + b"\r\n", endless=b"x" * 9000) as host:
        fetched = await fetcher(world, host.port).fetch(DOMAIN)
    assert "more than 65536" in fetched.fault


async def test_case_32_a_host_that_says_nothing_is_left_in_time(world, tmp_path):
    async with PolicyHost(server_context(world.good, tmp_path), silent=True) as host:
        fetched = await fetcher(world, host.port, deadline=0.2).fetch(DOMAIN)
    assert "did not answer in time" in fetched.fault


async def test_case_32_a_wrong_certificate_is_no_policy(world, tmp_path):
    async with PolicyHost(server_context(world.wrong, tmp_path), plain(POLICY)) as host:
        fetched = await fetcher(world, host.port).fetch(DOMAIN)
    assert "Hostname mismatch" in fetched.fault
    assert host.requests == []


async def test_a_policy_host_inside_our_network_is_not_called(world):
    fetched = await fetcher(world, 1, guard=AddressGuard()).fetch(DOMAIN)
    assert "no public address" in fetched.fault


# --- what mail does then -----------------------------------------------------------------------------------------


async def deliver(world: StsHarness, port: int, policy_port: int, level: TlsLevel, cache: MemoryStsCache) -> Any:
    sts = StsLookup(resolver(), fetcher(world, policy_port), cache, now=lambda: datetime.now(UTC))
    deliverer = make_deliverer(port, level, resolver=resolver(), ca_file=world.roots, sts=sts)
    attempt = await deliverer.deliver(status_mail())
    await deliverer.close()
    return attempt


MAILS = [
    ("enforce", HOST, "mx", "may", Done, "may + MTA-STS (system)"),
    ("enforce", HOST, "mx", "mta-sts", Done, "mta-sts + MTA-STS (system)"),
    ("enforce", HOST, "stranger_mx", "may", Retry, "may + MTA-STS (system)"),
    ("enforce", "*.example.org", "mx", "may", Retry, "may + MTA-STS (system)"),
    ("testing", HOST, "stranger_mx", "may", Done, "may (system)"),
    ("testing", HOST, "mx", "mta-sts", Retry, "mta-sts (system)"),
    ("none", HOST, "stranger_mx", "may", Done, "may (system)"),
]


@pytest.mark.parametrize("case", MAILS)
async def test_case_32_mail_follows_the_mode(case, world, tmp_path):
    mode, mx, shown, level, outcome, policy = case
    body = f"version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: 60\n".encode()
    async with (
        PolicyHost(server_context(world.good, tmp_path / "host"), plain(body)) as host,
        Peer(server_context(getattr(world, shown), tmp_path / "mx")) as peer,
    ):
        attempt = await deliver(world, peer.port, host.port, TlsLevel(level), MemoryStsCache())
    assert type(attempt.outcome) is outcome
    assert attempt.policy == policy
    assert "MAIL" not in peer.verbs_in_clear


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 500 Oops\r\n\r\n", plain(b"<html/>")])
async def test_case_32_a_kept_policy_stays_in_force_when_the_host_fails(answer, world, tmp_path):
    cache = MemoryStsCache()
    async with Peer() as peer:
        async with PolicyHost(server_context(world.good, tmp_path), plain(POLICY)) as host:
            first = await deliver(world, peer.port, host.port, TlsLevel.MAY, cache)
        kept = await cache.get(DOMAIN)
        assert kept is not None
        assert kept.policy.mode is StsMode.ENFORCE
        async with PolicyHost(server_context(world.good, tmp_path), answer) as host:
            second = await deliver(world, peer.port, host.port, TlsLevel.MAY, cache)
    assert isinstance(first.outcome, Retry)
    assert isinstance(second.outcome, Retry)
    assert "MAIL" not in peer.verbs_in_clear


async def test_a_policy_that_appears_ends_the_use_of_connections_made_without_it(world, tmp_path):
    cache = MemoryStsCache()
    async with (
        PolicyHost(server_context(world.good, tmp_path / "host"), plain(POLICY)) as host,
        Peer(server_context(world.stranger_mx, tmp_path / "mx")) as peer,
    ):
        silent, announced = one_host(), resolver()
        asked = {"resolver": silent}

        class Changing:
            async def txt(self, name: str) -> Any:
                return await asked["resolver"].txt(name)

        lookup = StsLookup(Changing(), fetcher(world, host.port), cache, now=lambda: datetime.now(UTC))  # type: ignore[arg-type] # only txt is asked
        deliverer = make_deliverer(peer.port, ca_file=world.roots, sts=lookup)
        before = await deliverer.deliver(status_mail())
        asked["resolver"] = announced
        after = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert isinstance(before.outcome, Done)
    assert isinstance(after.outcome, Retry)
    assert len(peer.mails) == 1
