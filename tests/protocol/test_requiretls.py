"""REQUIRETLS and TLS-Required (RFC 8689): who may ask, what goes over which connection, and what never goes."""

import ssl
from dataclasses import replace

import pytest

from mta.reading.headers import find_tls_tag
from mta.sending.routes import Route
from mta.smtp.engine.events import Mail
from sms.message import TlsTag
from sms.outcome import Done, Failed, ProblemCode, Retry
from tests.kit.dialogues import HELLO, talk
from tests.kit.mail_out import World, make_world, tlsa_of
from tests.kit.mail_servers import CUT, DOMAIN, HOST, Peer, make_deliverer, one_host, server_context, status_mail
from tls.policy import PolicyEntry, PolicyTable, TlsLevel, TlsPolicy

OFFERS = ("8BITMIME", "SIZE 1000000", "REQUIRETLS")
REQUIRED = replace(status_mail(), tls_tag=TlsTag.REQUIRED)
OPTIONAL = replace(status_mail(), tls_tag=TlsTag.OPTIONAL)


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def good(world, tmp_path) -> ssl.SSLContext:
    return server_context(world.peers["good"], tmp_path)


async def send(peer, mail, *entries, world, **more):
    more.setdefault("resolver", one_host(authentic=True))
    deliverer = make_deliverer(peer.port, *entries, ca_file=world.roots, **more)
    attempt = await deliverer.deliver(mail)
    await deliverer.close()
    return attempt


def test_requiretls_is_offered_and_taken_under_tls_alone():
    mail = HELLO + b"MAIL FROM:<anna@example.com> REQUIRETLS\r\n"
    under = talk(mail, tls=True)
    assert under.last.startswith("250")
    assert [event.command.require_tls for event in under.of(Mail)] == [True]
    assert "250-REQUIRETLS" in under.dialogue.ehlo_lines()
    clear = talk(mail)
    assert clear.last.startswith("555")
    assert "250-REQUIRETLS" not in clear.dialogue.ehlo_lines()


@pytest.mark.parametrize("parameter", [b"REQUIRETLS=1", b"REQUIRETLS REQUIRETLS", b"REQUIRETLS="])
def test_requiretls_has_no_value_and_comes_once(parameter):
    assert talk(HELLO + b"MAIL FROM:<anna@example.com> " + parameter + b"\r\n", tls=True).last[:3] in {"501", "555"}


@pytest.mark.parametrize(
    ("fields", "required", "tag"),
    [
        ({"tls-required": [b" No"]}, False, TlsTag.OPTIONAL),
        ({"tls-required": [b"NO "]}, False, TlsTag.OPTIONAL),
        ({"tls-required": [b"No", b"No"]}, False, TlsTag.NONE),
        ({"tls-required": [b"Yes"]}, False, TlsTag.NONE),
        ({"tls-required": [b"No"]}, True, TlsTag.REQUIRED),
        ({}, True, TlsTag.REQUIRED),
        ({}, False, TlsTag.NONE),
    ],
)
def test_the_envelope_is_stronger_than_the_header_which_counts_once_and_as_no(fields, required, tag):
    assert find_tls_tag(fields, required=required) is tag


async def test_a_mail_that_requires_tls_goes_to_a_proven_host_that_offers_it_and_asks_it_the_same(good, world):
    async with Peer(good, extensions=OFFERS) as peer:
        attempt = await send(peer, REQUIRED, world=world)
    assert isinstance(attempt.outcome, Done)
    assert [line for line in peer.in_tls if line.startswith("MAIL")] == ["MAIL FROM:<> SIZE=75 REQUIRETLS"]
    assert "MAIL" not in peer.verbs_in_clear
    assert attempt.policy == "may + REQUIRETLS (system; REQUIRETLS of the mail)"


async def test_tlsa_records_prove_a_host_too(world, tmp_path):
    own = world.peers["self-signed"]
    async with Peer(server_context(own, tmp_path), extensions=OFFERS) as peer:
        name = f"_{peer.port}._tcp.{HOST}"
        resolver = one_host(authentic=True, authentic_names=(name,), tlsa_records={name: [tlsa_of(own)]})
        attempt = await send(peer, REQUIRED, world=world, resolver=resolver)
    assert isinstance(attempt.outcome, Done)
    assert attempt.policy.startswith("may + DANE + REQUIRETLS")


@pytest.mark.parametrize(
    ("quality", "extensions", "authentic", "offers", "status", "cause"),
    [
        ("good", ("8BITMIME",), True, True, "5.7.30", "the server does not offer REQUIRETLS"),
        ("good", OFFERS, False, True, "5.7.10", "mx.example.com comes from unsigned DNS, so REQUIRETLS can't be kept"),
        ("good", OFFERS, True, False, "5.7.10", "the server does not offer STARTTLS"),
        ("self-signed", OFFERS, True, True, "5.7.10", "self-signed certificate"),
        ("wrong name", OFFERS, True, True, "5.7.10", "certificate name mismatch"),
        ("expired", OFFERS, True, True, "5.7.10", "certificate has expired"),
    ],
)
async def test_a_mail_that_requires_tls_ends_at_once_where_no_host_keeps_it(  # noqa: PLR0917 - one line of the table
    quality, extensions, authentic, offers, status, cause, world, tmp_path
):
    context = server_context(world.peers[quality], tmp_path)
    async with Peer(context, extensions=extensions, offers_tls=offers) as peer:
        attempt = await send(peer, REQUIRED, world=world, resolver=one_host(authentic=authentic))
    assert isinstance(attempt.outcome, Failed)
    assert attempt.outcome.problem.code is ProblemCode.TLS_POLICY
    assert f" {status} " in attempt.outcome.problem.text
    assert cause in attempt.outcome.problem.text
    assert not any(line.startswith("MAIL") for line in peer.in_clear + peer.in_tls)


async def test_what_dns_left_open_makes_a_mail_that_requires_tls_wait(good, world):
    async with Peer(good, extensions=OFFERS) as peer:
        name = f"_{peer.port}._tcp.{HOST}"
        attempt = await send(peer, REQUIRED, world=world, resolver=one_host(authentic=True, failing=frozenset({name})))
    assert isinstance(attempt.outcome, Retry)


async def test_a_host_that_does_not_answer_makes_a_mail_that_requires_tls_wait(good, world):
    async with Peer(good, extensions=OFFERS, answers={"GREETING": CUT}) as peer:
        assert isinstance((await send(peer, REQUIRED, world=world)).outcome, Retry)


async def test_one_mail_that_requires_tls_keeps_no_other_from_the_same_domain(good, world):
    async with Peer(good) as peer:
        deliverer = make_deliverer(peer.port, resolver=one_host(authentic=True), ca_file=world.roots)
        for _ in range(5):
            assert isinstance((await deliverer.deliver(REQUIRED)).outcome, Failed)
        assert isinstance((await deliverer.deliver(status_mail())).outcome, Done)
        await deliverer.close()
    assert [line for line in peer.in_tls if line.startswith("MAIL")] == ["MAIL FROM:<> SIZE=75"]


async def test_a_rule_that_requires_tls_makes_mail_wait(good, world):
    rule = TlsPolicy(level=TlsLevel.MAY, require_tls=True)
    async with Peer(good) as peer:
        attempt = await send(peer, status_mail(), rule, world=world)
        assert isinstance(attempt.outcome, Retry)
        assert "4.7.30 the server does not offer REQUIRETLS" in attempt.outcome.problem.text
        peer.extensions = OFFERS
        assert isinstance((await send(peer, status_mail(), rule, world=world)).outcome, Done)
    assert [line for line in peer.in_tls if line.startswith("MAIL")] == ["MAIL FROM:<> SIZE=75 REQUIRETLS"]


async def test_a_route_must_show_its_name_where_tls_is_required(good, world):
    async with Peer(good, extensions=OFFERS) as peer:
        for name, outcome in ((HOST, Done), ("relay.example.net", Failed)):
            resolver = one_host(hosts={name: ("127.0.0.1",)})
            attempt = await send(
                peer, REQUIRED, world=world, resolver=resolver, routes=(Route(domain="*", host=name, port=peer.port),)
            )
            assert isinstance(attempt.outcome, outcome), attempt


def test_no_scope_takes_away_what_another_requires():
    required, plain = TlsPolicy(level=TlsLevel.ENCRYPT, require_tls=True), TlsPolicy(level=TlsLevel.SECURE)

    def found(*entries):
        return PolicyTable(entries).find(DOMAIN, "acme").policy

    system = PolicyEntry(policy=required, domain=DOMAIN)
    customer = PolicyEntry(policy=plain, customer="acme")
    assert found(system, customer) == replace(plain, require_tls=True)
    assert found(PolicyEntry(policy=plain, domain=DOMAIN), PolicyEntry(policy=required, customer="acme")).require_tls
    # The system's own line for a domain is an exception from its default.
    assert not found(PolicyEntry(policy=required), PolicyEntry(policy=plain, domain=DOMAIN)).require_tls


async def test_a_mail_without_need_of_tls_goes_where_published_policies_would_hold_it(world, tmp_path):
    async with Peer(server_context(world.peers["self-signed"], tmp_path)) as peer:
        name = f"_{peer.port}._tcp.{HOST}"
        records = {name: [tlsa_of(world.peers["good"])]}
        resolver = one_host(authentic=True, authentic_names=(name,), tlsa_records=records)
        assert isinstance((await send(peer, status_mail(), world=world, resolver=resolver)).outcome, Retry)
        attempt = await send(peer, OPTIONAL, world=world, resolver=resolver)
    assert isinstance(attempt.outcome, Done)
    assert attempt.tls.startswith("TLSv1.")


async def test_a_mail_without_need_of_tls_goes_in_clear_only_after_tls_failed(good, world):
    async with Peer(good, answers={"STARTTLS": "454 4.7.0 not now"}) as peer:
        assert isinstance((await send(peer, status_mail(), world=world)).outcome, Retry)
        attempt = await send(peer, OPTIONAL, world=world)
    assert isinstance(attempt.outcome, Done)
    assert not attempt.tls
    assert attempt.policy == "none (TLS-Required: No of the mail)"


@pytest.mark.parametrize("level", [TlsLevel.ENCRYPT, TlsLevel.DANE, TlsLevel.SECURE])
async def test_a_mail_without_need_of_tls_lowers_no_enforced_domain(level, good, world):
    async with Peer(good, answers={"STARTTLS": "454 4.7.0 not now"}) as peer:
        attempt = await send(peer, OPTIONAL, level, world=world)
    assert isinstance(attempt.outcome, Retry)
    assert "MAIL" not in peer.verbs_in_clear
