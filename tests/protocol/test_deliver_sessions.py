"""What an attempt says of its TLS sessions for reports: one for each call, as the domain's own policies see it."""

from dataclasses import replace

import pytest

from mta.sending.outgoing import DeliverySettings
from mta.sending.routes import Route
from sms.message import TlsTag
from sms.outcome import Done
from tests.kit.mail_out import World, make_world, tlsa_of
from tests.kit.mail_servers import CUT, HOST, Peer, make_deliverer, one_host, server_context, status_mail
from tls.mtasts import StsLookup
from tls.policy import StsMode, StsResult, TlsLevel, TlsPolicy
from tls.report import PolicyType


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    return make_world(tmp_path_factory.mktemp("world"))


class Published(StsLookup):
    """An MTA-STS policy without DNS and HTTPS."""

    def __init__(self, mode: StsMode) -> None:
        self._mode = mode

    async def find(self, domain):
        return StsResult(mode=self._mode, mx=(HOST,), max_age=86_400)


async def sessions(peer, world, *entries, mails=1, tag=TlsTag.NONE, **more):
    more.setdefault("resolver", one_host(authentic=True))
    deliverer = make_deliverer(peer.port, *entries, ca_file=world.roots, **more)
    attempts = [await deliverer.deliver(replace(status_mail(), tls_tag=tag)) for _ in range(mails)]
    await deliverer.close()
    return [(each.policy.kind, each.result and each.result.value) for attempt in attempts for each in attempt.sessions]


async def test_a_kept_connection_is_one_session_for_all_its_mails(world, tmp_path):
    async with Peer(server_context(world.peers["good"], tmp_path)) as peer:
        assert await sessions(peer, world, mails=3) == [(PolicyType.NONE, None)]
        assert peer.connections == 1


@pytest.mark.parametrize(
    ("options", "result"),
    [
        ({"offers_tls": False}, "starttls-not-supported"),
        ({"answers": {"STARTTLS": "454 4.7.0 not now"}}, "starttls-not-supported"),
        ({"answers": {"STARTTLS": CUT}}, "validation-failure"),
        ({"instead_of_hello": b"\x15\x03\x03\x00\x02\x02\x28"}, "validation-failure"),
    ],
)
async def test_tls_that_does_not_come_about_is_a_failure_whether_mail_goes_in_clear_or_waits(
    options, result, world, tmp_path
):
    async with Peer(server_context(world.peers["good"], tmp_path), **options) as peer:
        assert await sessions(peer, world) == [(PolicyType.NONE, result)]
        assert await sessions(peer, world, TlsLevel.ENCRYPT) == [(PolicyType.NONE, result)]


async def test_a_host_that_does_not_answer_is_no_session(world, tmp_path):
    async with Peer(server_context(world.peers["good"], tmp_path), answers={"GREETING": CUT}) as peer:
        assert await sessions(peer, world) == []


async def test_a_mail_that_is_refused_was_a_good_session(world, tmp_path):
    async with Peer(server_context(world.peers["good"], tmp_path), answers={"RCPT": "550 5.1.1 nobody"}) as peer:
        assert await sessions(peer, world) == [(PolicyType.NONE, None)]


@pytest.mark.parametrize(("shown", "result"), [("good", None), ("self-signed", "validation-failure")])
async def test_tlsa_records_are_the_policy_where_there_are_some(shown, result, world, tmp_path):
    async with Peer(server_context(world.peers[shown], tmp_path)) as peer:
        name = f"_{peer.port}._tcp.{HOST}"
        records = {name: [tlsa_of(world.peers["good"])]}
        resolver = one_host(authentic=True, authentic_names=(name,), tlsa_records=records)
        assert await sessions(peer, world, resolver=resolver) == [(PolicyType.TLSA, result)]


@pytest.mark.parametrize("mode", [StsMode.ENFORCE, StsMode.TESTING])
@pytest.mark.parametrize(
    ("shown", "result"),
    [
        ("good", None),
        ("good by intermediate", None),
        ("self-signed", "certificate-not-trusted"),
        ("wrong CA", "certificate-not-trusted"),
        ("missing intermediate", "certificate-not-trusted"),
        ("expired", "certificate-expired"),
        ("wrong name", "certificate-host-mismatch"),
    ],
)
async def test_a_policy_that_only_tests_tells_what_one_that_enforces_would_refuse(mode, shown, result, world, tmp_path):
    async with Peer(server_context(world.peers[shown], tmp_path)) as peer:
        assert await sessions(peer, world, sts=Published(mode)) == [(PolicyType.STS, result)]
        assert len(peer.mails) == (0 if result and mode is StsMode.ENFORCE else 1)


async def test_a_rule_of_ours_alone_is_nobody_elses_failure(world, tmp_path):
    async with Peer(server_context(world.peers["self-signed"], tmp_path)) as peer:
        assert await sessions(peer, world, TlsLevel.SECURE) == []


async def test_a_route_is_no_session_with_the_domain(world, tmp_path):
    async with Peer(server_context(world.peers["good"], tmp_path)) as peer:
        route = Route(domain="*", host=HOST, port=peer.port)
        assert await sessions(peer, world, routes=(route,)) == []


async def test_nothing_is_counted_where_no_reports_go_out(world, tmp_path):
    assert not DeliverySettings(helo="gateway.example.net").counts_sessions
    async with Peer(server_context(world.peers["good"], tmp_path)) as peer:
        deliverer = make_deliverer(peer.port, counts_sessions=False)
        attempt = await deliverer.deliver(replace(status_mail(), tls_tag=TlsTag.OPTIONAL))
        await deliverer.close()
    assert isinstance(attempt.outcome, Done)
    assert attempt.sessions == ()


async def test_a_host_that_does_not_offer_requiretls_was_a_good_session_all_the_same(world, tmp_path):
    async with Peer(server_context(world.peers["good"], tmp_path)) as peer:
        rule = TlsPolicy(level=TlsLevel.ENCRYPT, require_tls=True)
        assert await sessions(peer, world, rule) == [(PolicyType.NONE, None)]
        assert peer.mails == []


async def test_a_mail_for_which_nobody_asked_what_is_published_is_not_counted(world, tmp_path):
    async with Peer(server_context(world.peers["good"], tmp_path)) as peer:
        assert await sessions(peer, world, tag=TlsTag.OPTIONAL) == []
        assert await sessions(peer, world, TlsLevel.ENCRYPT, tag=TlsTag.OPTIONAL) == [(PolicyType.NONE, None)]
    assert len(peer.mails) == 2
