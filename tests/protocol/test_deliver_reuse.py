"""What mail out uses again: open connections that a server may end any time, and TLS sessions of the same policy."""

import asyncio
import socket
import ssl
from dataclasses import dataclass, field
from typing import cast

import pytest
import uvloop

from gateway.ports import MailAttempt
from mta.sending.attempts import Deliverer
from mta.sending.connections import PoolLimits
from sms.outcome import Done, Unknown
from sms.retry import BreakerRule, Ladder
from tests.kit.mail_servers import (
    HOST,
    Identity,
    Peer,
    issue,
    make_authority,
    make_deliverer,
    make_intermediate,
    one_host,
    server_context,
    status_mail,
)
from tests.kit.patience import PATIENCE
from tls.policy import PolicyEntry, Tlsa, TlsLevel, TlsPolicy

# One failure opens it: whatever were to count as the server's failure would show.
BREAKER = BreakerRule(failures=1, rests=Ladder.of_seconds(60))
AT_ONCE = PoolLimits(idle_seconds=0.0)
MODES = pytest.mark.parametrize("extensions", [(), ("PIPELINING",)], ids=["in turn", "pipelined"])


@dataclass
class Fickle(Peer):
    """A server that ends each connection at the second mail over it, in one of the ways in which servers do."""

    way: str = ""
    used: dict[asyncio.StreamWriter, int] = field(default_factory=dict)
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    async def say(self, writer: asyncio.StreamWriter, text: str) -> None:
        said = (self.in_tls or self.in_clear or [""])[-1]
        if text == "250 2.0.0 fine" and said.startswith("MAIL"):
            self.used[writer] = self.used.get(writer, 0) + 1
            if self.used[writer] > 1:
                if self.way == "421":
                    text = "421 4.4.2 idle too long"
                elif self.way == "reset":
                    writer.transport.abort()
                    raise ConnectionResetError
                elif self.way == "close":
                    writer.close()
                    raise ConnectionResetError
        await super().say(writer, text)
        if text.startswith("250 2.0.0 kept") and self.way in {"goodbye", "hang up"}:
            if self.way == "goodbye":
                writer.write(b"421 4.4.2 idle too long\r\n")
            writer.close()
            self.idle.set()
            raise ConnectionResetError


@MODES
@pytest.mark.parametrize("way", ["421", "reset", "close", "goodbye", "hang up"])
async def test_a_kept_connection_that_the_server_ended_costs_one_call_and_no_mail(way, extensions):
    async with Fickle(way=way, extensions=extensions) as peer:
        deliverer = make_deliverer(peer.port, breaker=BREAKER)
        for number in range(4):
            message = b"Subject: %d\r\n\r\nx\r\n" % number
            attempt = await asyncio.wait_for(deliverer.deliver(status_mail(message=message)), PATIENCE)
            assert isinstance(attempt.outcome, Done), attempt
            if peer.way in {"goodbye", "hang up"}:
                await peer.idle.wait()
        await deliverer.close()
    assert [mail.split(b"\r\n")[0] for mail in peer.mails] == [b"Subject: %d" % number for number in range(4)]
    assert peer.connections == 4


@MODES
async def test_many_kept_connections_that_ended_together_lose_and_double_nothing(extensions):
    async with Fickle(way="reset", extensions=extensions) as peer:
        deliverer = make_deliverer(peer.port, breaker=BREAKER)
        sent = [b"Subject: %d\r\n\r\nx\r\n" % number for number in range(25)]
        for begin in range(0, 25, 5):
            attempts = await asyncio.gather(
                *(deliverer.deliver(status_mail(message=each)) for each in sent[begin : begin + 5])
            )
            assert all(isinstance(attempt.outcome, Done) for attempt in attempts)
        await deliverer.close()
    assert sorted(mail.removesuffix(b".\r\n") for mail in peer.mails) == sorted(sent)


@MODES
async def test_a_kept_connection_that_ends_after_the_content_is_not_tried_again_at_once(extensions):
    async with Peer(extensions=extensions) as peer:
        deliverer = make_deliverer(peer.port)
        await deliverer.deliver(status_mail())
        peer.answers["DOT"] = "<cut>"
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert isinstance(attempt.outcome, Unknown)
    assert (peer.connections, len(peer.mails)) == (1, 2)


@pytest.fixture(scope="module")
def authority() -> Identity:
    return make_authority()


@dataclass
class Deaf(Peer):
    """A server that answers QUIT and then hears nothing more, the end of TLS neither."""

    async def say(self, writer: asyncio.StreamWriter, text: str) -> None:
        await super().say(writer, text)
        if self.in_tls and self.in_tls[-1] == "QUIT":
            cast("asyncio.Transport", writer.transport).pause_reading()
            await asyncio.Event().wait()


async def test_a_server_that_never_ends_tls_does_not_hold_a_connection_that_was_closed(
    authority, tmp_path, monkeypatch
):
    opened: list[socket.socket] = []

    class Noted(socket.socket):
        def __init__(self, family: int = -1, kind: int = -1, proto: int = -1, fileno: int | None = None) -> None:
            super().__init__(family, kind, proto, fileno)
            if fileno is None:  # the server's are made of what it accepted
                opened.append(self)

    async with Deaf(server_context(issue(authority), tmp_path)) as peer:
        deliverer = make_deliverer(peer.port)
        with monkeypatch.context() as patch:
            patch.setattr("mta.sending.deliver.socket.socket", Noted)
            attempt = await deliverer.deliver(status_mail())
        assert isinstance(attempt.outcome, Done), attempt
        await deliverer.close()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert [each.fileno() for each in opened] == [-1]


async def deliver_one(deliverer: Deliverer, peer: Peer, customer: str = "") -> MailAttempt:
    """Deliver a mail over a connection of its own."""
    before = len(peer.in_tls)
    attempt = await deliverer.deliver(status_mail(), customer=customer)
    assert isinstance(attempt.outcome, Done), attempt
    while "QUIT" not in peer.in_tls[before:]:
        await asyncio.sleep(0.001)
    return attempt


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("start", [asyncio.run, uvloop.run])
def test_the_next_connection_of_the_same_policy_goes_on_with_the_session(version, start, authority, tmp_path):
    context = server_context(issue(make_intermediate(authority)), tmp_path)
    context.maximum_version = version
    (tmp_path / "ca.pem").write_bytes(authority.pem)

    async def scene() -> None:
        async with Peer(context) as peer:
            deliverer = make_deliverer(
                peer.port,
                TlsLevel.VERIFY,
                resolver=one_host(authentic=True),
                ca_file=tmp_path / "ca.pem",
                pool=AT_ONCE,
            )
            attempts = [await deliver_one(deliverer, peer) for _ in range(3)]
            await deliverer.close()
        assert peer.resumed == [False, True, True]
        assert len({(attempt.tls, attempt.policy) for attempt in attempts}) == 1

    start(scene())


async def test_a_session_is_not_used_under_another_policy(authority, tmp_path):
    entries = (PolicyEntry(policy=TlsPolicy(level=TlsLevel.ENCRYPT), customer="strict"),)
    async with Peer(server_context(issue(authority), tmp_path)) as peer:
        deliverer = make_deliverer(peer.port, *entries, pool=AT_ONCE)
        for customer in ("free", "strict", "free", "strict"):
            await deliver_one(deliverer, peer, customer)
        await deliverer.close()
    assert peer.resumed == [False, False, True, True]


async def test_a_session_is_not_used_once_the_authorities_changed(authority, tmp_path):
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(authority.pem)
    async with Peer(server_context(issue(authority), tmp_path)) as peer:
        deliverer = make_deliverer(
            peer.port, TlsLevel.VERIFY, resolver=one_host(authentic=True), ca_file=ca_file, pool=AT_ONCE
        )
        await deliver_one(deliverer, peer)
        await deliver_one(deliverer, peer)
        ca_file.write_bytes(make_authority("Another").pem + authority.pem)
        await deliver_one(deliverer, peer)
        await deliverer.close()
    assert peer.resumed == [False, True, False]


async def test_a_session_is_not_used_for_ever(authority, tmp_path):
    now = 0.0
    async with Peer(server_context(issue(authority), tmp_path)) as peer:
        deliverer = make_deliverer(peer.port, pool=AT_ONCE, monotonic=lambda: now)
        await deliver_one(deliverer, peer)
        now += 3601
        await deliver_one(deliverer, peer)
        await deliverer.close()
    assert peer.resumed == [False, False]


async def test_dane_sees_the_whole_chain_each_time(authority, tmp_path):
    middle = make_intermediate(authority)
    record = Tlsa(usage=2, selector=1, matching=0, data=middle.spki)
    async with Peer(server_context(issue(middle), tmp_path)) as peer:
        name = f"_{peer.port}._tcp.{HOST}"
        resolver = one_host(authentic=True, authentic_names=(name,), tlsa_records={name: [record]})
        deliverer = make_deliverer(peer.port, TlsLevel.DANE_ONLY, resolver=resolver, pool=AT_ONCE)
        for _ in range(2):
            attempt = await deliver_one(deliverer, peer)
            assert "dane" in attempt.policy
        await deliverer.close()
    assert peer.resumed == [False, False]
