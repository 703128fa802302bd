"""Every level against certificates of every quality and peers that fight TLS: who gets the mail, who never sees MAIL.

The tables are the promise (docs/tls.md shows them): d = delivered, w = waits.
"""

import ssl
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.ports import TlsFailure
from mta.sending.outgoing import ClientTimeouts
from mta.sending.routes import Route
from sms.outcome import Done, ProblemCode, Retry
from tests.kit.mail_out import LEVELS, NO_TLSA, REASONS, World, make_world, policies_of, tlsa_of
from tests.kit.mail_servers import (
    CUT,
    DOMAIN,
    HOST,
    PATIENT,
    Identity,
    Peer,
    make_deliverer,
    one_host,
    server_context,
    status_mail,
)
from tests.kit.resolver import TableResolver
from tls.policy import PolicyEntry, PolicyTable, TlsLevel, TlsPolicy, TlsVersion


def patience_with(temper: str) -> ClientTimeouts:
    return replace(PATIENT, handshake=0.5) if temper.startswith("silence") else PATIENT


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.mark.parametrize("quality", NO_TLSA)
async def test_case_29_each_certificate_at_each_level(quality, world, tmp_path):
    expected = dict(zip(LEVELS, NO_TLSA[quality].split(), strict=True))
    resolver = one_host(authentic=True)
    got, reasons = {}, {}
    async with Peer(server_context(world.peers[quality], tmp_path)) as peer:
        for level, policy in policies_of(world).items():
            if level not in expected:
                continue
            peer.in_clear.clear()
            deliverer = make_deliverer(peer.port, policy, resolver=resolver, ca_file=world.roots)
            attempt = await deliverer.deliver(status_mail())
            await deliverer.close()
            got[level] = "d" if isinstance(attempt.outcome, Done) else "w"
            if isinstance(attempt.outcome, Retry):
                assert attempt.outcome.problem.code is ProblemCode.TLS_POLICY
                reasons[level] = attempt.outcome.problem.cause
            if policy.level.enforced:
                assert "MAIL" not in peer.verbs_in_clear
    assert got == expected
    for level in {"verify", "secure"} & set(reasons):
        assert REASONS[quality] in reasons[level]
        assert f"domain {DOMAIN}, policy {level} (system)" in reasons[level]


@pytest.mark.parametrize(
    ("level", "quality", "result"),
    [
        ("dane-only", "good", "d"),
        ("dane", "good", "d"),
        ("may", "good", "d"),
        ("dane-only", "self-signed", "w"),
        ("dane", "self-signed", "w"),
        ("encrypt", "self-signed", "w"),
        ("may", "self-signed", "w"),
        ("verify", "good", "d"),
        ("verify", "good wildcard", "w"),
    ],
)
async def test_tlsa_records_that_bind_another_key_raise_every_level_that_looks_for_them(
    level, quality, result, world, tmp_path
):
    async with Peer(server_context(world.peers[quality], tmp_path)) as peer:
        name = f"_{peer.port}._tcp.{HOST}"
        resolver = one_host(
            authentic=True, authentic_names=(name,), tlsa_records={name: [tlsa_of(world.peers["good"])]}
        )
        deliverer = make_deliverer(peer.port, policies_of(world)[level], resolver=resolver, ca_file=world.roots)
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert ("d" if isinstance(attempt.outcome, Done) else "w") == result
    assert attempt.policy == f"{level} + DANE (system)"
    assert "MAIL" not in peer.verbs_in_clear


ENFORCED = ("encrypt", "dane", "verify", "secure", "private-ca", "fingerprint", "dane-only")
HOSTILE: dict[str, dict[str, Any]] = {
    "no STARTTLS": {"offers_tls": False},
    "refused 454": {"answers": {"STARTTLS": "454 4.7.0 not now"}},
    "refused 500": {"answers": {"STARTTLS": "500 what"}},
    "refused 502": {"answers": {"STARTTLS": "502 no"}},
    "answers 250": {"answers": {"STARTTLS": "250 fine, no need"}},
    "cut at STARTTLS": {"answers": {"STARTTLS": CUT}},
    "garbage as ServerHello": {"instead_of_hello": b"\x16\x03\x01garbage" * 20},
    "a TLS alert": {"instead_of_hello": b"\x15\x03\x03\x00\x02\x02\x28"},
    "replies as ServerHello": {"instead_of_hello": b"250 fine\r\n250 fine\r\n250 fine\r\n354 go on\r\n250 kept\r\n"},
    "silence as ServerHello": {"instead_of_hello": b" "},
}


@pytest.mark.parametrize("level", ENFORCED)
@pytest.mark.parametrize("temper", HOSTILE)
async def test_case_04_a_peer_that_fights_tls_never_sees_mail_in_clear(temper, level, world, tmp_path):
    options = HOSTILE[temper]
    async with Peer(server_context(world.peers["good"], tmp_path), **options) as peer:
        name = f"_{peer.port}._tcp.{HOST}"
        resolver = one_host(
            authentic=True,
            authentic_names=(name,),
            tlsa_records={name: [tlsa_of(world.peers["good"])]} if level == "dane-only" else {},
        )
        deliverer = make_deliverer(
            peer.port,
            policies_of(world)[level],
            resolver=resolver,
            ca_file=world.roots,
            patience=patience_with(temper),
        )
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert isinstance(attempt.outcome, Retry)
    assert attempt.outcome.problem.code is ProblemCode.TLS_POLICY
    assert f"domain {DOMAIN}" in attempt.outcome.problem.text
    assert set(peer.verbs_in_clear) <= {"EHLO", "STARTTLS", "QUIT"}
    assert peer.mails == []


@pytest.mark.parametrize("temper", [name for name in HOSTILE if name != "no STARTTLS"])
async def test_level_may_never_falls_back_to_clear_text_once_tls_was_offered(temper, world, tmp_path):
    options = HOSTILE[temper]
    async with Peer(server_context(world.peers["good"], tmp_path), **options) as peer:
        deliverer = make_deliverer(peer.port, TlsLevel.MAY, patience=patience_with(temper))
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert isinstance(attempt.outcome, Retry)
    assert "MAIL" not in peer.verbs_in_clear


async def test_case_03_replies_injected_behind_the_220_of_starttls_are_forgotten(world, tmp_path):
    options: dict[str, Any] = {
        "injected": b"250-mx.example.com\r\n250 AUTH PLAIN\r\n250 2.1.0 sender fine\r\n250 2.1.5 fine\r\n"
    }
    async with Peer(server_context(world.peers["good"], tmp_path), **options) as peer:
        deliverer = make_deliverer(peer.port, TlsLevel.SECURE, ca_file=world.roots)
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert isinstance(attempt.outcome, Done)
    assert [line.split()[0] for line in peer.in_tls] == ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]
    assert peer.verbs_in_clear == ["EHLO", "STARTTLS"]


async def test_case_05_where_only_the_second_mx_offers_tls_the_first_never_gets_mail(world, tmp_path):
    resolver = TableResolver(
        mx_records={DOMAIN: [(10, "mx1.example.com"), (20, HOST)]},
        hosts={"mx1.example.com": ["127.0.0.1"], HOST: ["127.0.0.2"]},
    )
    context = server_context(world.peers["good"], tmp_path)
    async with Peer() as first, Peer(context, host="127.0.0.2", port=first.port) as second:
        deliverer = make_deliverer(first.port, TlsLevel.ENCRYPT, resolver=resolver)
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert isinstance(attempt.outcome, Done)
    assert attempt.host == HOST
    assert "MAIL" not in first.verbs_in_clear
    assert len(second.mails) == 1


async def test_level_may_does_not_go_on_in_clear_at_another_host_after_tls_failed(world, tmp_path):
    resolver = TableResolver(
        mx_records={DOMAIN: [(10, HOST), (20, "mx2.example.com")]},
        hosts={HOST: ["127.0.0.1"], "mx2.example.com": ["127.0.0.2"]},
    )
    context = server_context(world.peers["good"], tmp_path)
    async with (
        Peer(context, answers={"STARTTLS": "454 no"}) as first,
        Peer(host="127.0.0.2", port=first.port) as second,
    ):
        deliverer = make_deliverer(first.port, TlsLevel.MAY, resolver=resolver)
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert isinstance(attempt.outcome, Retry)
    assert second.connections == 1
    assert "MAIL" not in second.verbs_in_clear


def old_context(identity: Identity, folder: Path, highest: str) -> ssl.SSLContext:
    context = server_context(identity, folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1 if highest == "1.0" else ssl.TLSVersion.TLSv1_1
    return context


@pytest.mark.parametrize("highest", ["1.0", "1.1"])
@pytest.mark.parametrize("level", ["may", "encrypt", "verify", "secure", "fingerprint"])
async def test_case_30_old_versions_are_refused_at_every_level(level, highest, world, tmp_path):
    async with Peer(old_context(world.peers["good"], tmp_path, highest)) as peer:
        deliverer = make_deliverer(
            peer.port,
            policies_of(world)[level],
            resolver=one_host(authentic=True),
            ca_file=world.roots,
        )
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert isinstance(attempt.outcome, Retry)
    assert attempt.outcome.problem.code is ProblemCode.TLS_POLICY
    assert "MAIL" not in peer.verbs_in_clear


async def test_case_30_a_domain_with_an_explicit_exception_may_use_tls_1_0(world, tmp_path):
    policy = TlsPolicy(level=TlsLevel.ENCRYPT, minimum_version=TlsVersion.TLS_1_0)
    async with Peer(old_context(world.peers["good"], tmp_path, "1.0")) as peer:
        deliverer = make_deliverer(peer.port, PolicyEntry(domain=DOMAIN, policy=policy))
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert isinstance(attempt.outcome, Done)
    assert attempt.tls.startswith("TLSv1 ")


@pytest.mark.parametrize("ciphers", ["aNULL:@SECLEVEL=0", "AES128-SHA:@SECLEVEL=0"])
async def test_case_30_anonymous_and_old_ciphers_are_refused(ciphers, world, tmp_path):
    context = server_context(world.peers["good"], tmp_path)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(ciphers)
    async with Peer(context) as peer:
        deliverer = make_deliverer(peer.port, TlsLevel.ENCRYPT)
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert isinstance(attempt.outcome, Retry)
    assert attempt.outcome.problem.code is ProblemCode.TLS_POLICY


async def test_verify_over_an_mx_from_unsigned_dns_waits_since_anybody_could_have_named_it(world, tmp_path):
    async with Peer(server_context(world.peers["good"], tmp_path)) as peer:
        deliverer = make_deliverer(peer.port, TlsLevel.VERIFY, ca_file=world.roots)
        attempt = await deliverer.deliver(status_mail())
        await deliverer.close()
    assert isinstance(attempt.outcome, Retry)
    assert "unsigned DNS" in attempt.reply
    assert peer.connections == 0


async def test_secure_judges_a_route_by_the_name_of_its_configured_host(world, tmp_path):
    async with Peer(server_context(world.peers["good"], tmp_path)) as peer:
        resolver = TableResolver(hosts={HOST: ["127.0.0.1"]})
        route = Route(domain="customer.example.org", host=f"[{HOST}]", port=peer.port)
        deliverer = make_deliverer(1, TlsLevel.SECURE, resolver=resolver, routes=(route,), ca_file=world.roots)
        attempt = await deliverer.deliver(status_mail(recipient="anna@customer.example.org"))
        await deliverer.close()
    assert isinstance(attempt.outcome, Done)


async def test_a_route_by_address_cannot_be_verified_unless_names_are_given(world, tmp_path):
    async with Peer(server_context(world.peers["good"], tmp_path)) as peer:
        route = Route(domain=DOMAIN, host="127.0.0.1", port=peer.port)
        bare = make_deliverer(1, TlsLevel.SECURE, routes=(route,), ca_file=world.roots)
        named = make_deliverer(1, TlsPolicy(level=TlsLevel.SECURE, names=(HOST,)), routes=(route,), ca_file=world.roots)
        waits = await bare.deliver(status_mail())
        goes = await named.deliver(status_mail())
        await bare.close()
        await named.close()
    assert isinstance(waits.outcome, Retry)
    assert isinstance(goes.outcome, Done)


async def test_a_private_ca_file_that_vanished_makes_the_mail_wait(world, tmp_path):
    authority = tmp_path / "ca.pem"
    authority.write_bytes(world.private.read_bytes())
    policy = TlsPolicy(level=TlsLevel.PRIVATE_CA, ca_file=str(authority))
    async with Peer(server_context(world.peers["wrong CA"], tmp_path)) as peer:
        deliverer = make_deliverer(peer.port, policy)
        before = await deliverer.deliver(status_mail())
        authority.unlink()
        await deliverer.close()
        after = await deliverer.deliver(status_mail(recipient="b@example.com"))
        await deliverer.close()
    assert isinstance(before.outcome, Done)
    assert isinstance(after.outcome, Retry)
    assert "No such file" in after.reply


async def test_the_admin_is_told_at_the_first_tls_failure_and_at_every_tenth():
    alerts: list[TlsFailure] = []
    async with Peer() as peer:
        deliverer = make_deliverer(peer.port, TlsLevel.ENCRYPT, on_tls_failure=alerts.append)
        for _ in range(20):
            await deliverer.deliver(status_mail(), customer="acme")
        await deliverer.close()
    assert [alert.failures for alert in alerts] == [1, 10, 20]
    assert (alerts[0].domain, alerts[0].customer, alerts[0].policy) == (DOMAIN, "acme", "encrypt (system)")
    assert "does not offer STARTTLS" in alerts[0].cause


async def test_after_a_success_the_next_tls_failure_is_a_first_one_again(world, tmp_path):
    alerts: list[TlsFailure] = []
    context = server_context(world.peers["good"], tmp_path)
    async with Peer(context, offers_tls=False) as peer:
        deliverer = make_deliverer(peer.port, TlsLevel.ENCRYPT, on_tls_failure=alerts.append)
        for offers in (False, False, True, False):
            peer.offers_tls = offers
            await deliverer.deliver(status_mail())
            await deliverer.close()
    assert [alert.failures for alert in alerts] == [1, 1]


async def test_case_36_mail_whose_policy_was_corrupted_while_it_waited_waits_on():
    tables = [PolicyTable((PolicyEntry(domain=DOMAIN, policy=TlsPolicy(level=TlsLevel.ENCRYPT)),))]
    async with Peer() as peer:
        deliverer = make_deliverer(peer.port, policies=tables.pop)  # the second time it raises
        attempts = [await deliverer.deliver(status_mail()) for _ in range(2)]
        await deliverer.close()
    for attempt in attempts:
        assert isinstance(attempt.outcome, Retry)
        assert attempt.outcome.problem.code is ProblemCode.TLS_POLICY
    assert peer.verbs_in_clear == ["EHLO"]


async def test_checking_a_domain_walks_to_the_point_before_mail(world, tmp_path):
    async with Peer(server_context(world.peers["self-signed"], tmp_path)) as peer:
        lax = make_deliverer(peer.port, TlsLevel.ENCRYPT)
        strict = make_deliverer(peer.port, TlsLevel.SECURE, ca_file=world.roots)
        (good,) = await lax.check(DOMAIN)  # type: ignore[misc] # a tuple here, not an outcome
        (bad,) = await strict.check(DOMAIN)  # type: ignore[misc] # a tuple here, not an outcome
        await lax.close()
        await strict.close()
    assert (good.fault, good.host, good.tls[:7]) == ("", HOST, "TLSv1.3")
    assert "self-signed certificate" in bad.fault
    assert peer.verbs_in_clear == ["EHLO", "STARTTLS", "EHLO", "STARTTLS"]
    assert [line.split()[0] for line in peer.in_tls] == ["EHLO", "QUIT"]
