"""A certificate from a real ACME authority: ordered once, renewed in time, shared by all nodes, kept while nobody gives another."""

import asyncio
import contextlib
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from structlog.testing import capture_logs

from gateway.certificate_renewal import CertificateRenewal
from store.acme import read_renewal
from store.engine.database import Database
from tests.kit.clock import Clock
from tests.kit.handshakes import shake
from tests.kit.installation import Installation
from tests.kit.tls_doors import hang_up, shown
from tests.peers.pebble import BINDING, Pebble, answering, pebble
from tls.acme import AcmeAccount, AcmeClient, AcmeError
from tls.contexts import ClientContexts, ClientRole
from tls.listening import ListenerTls, ServerCertificate
from tls.server_contexts import ServerContexts

DOMAINS = ("mx.example.net", "sms.example.net")
LIFE = timedelta(days=5 * 365)  # of Pebble's certificates, a little more


@dataclass
class World:
    """One node: its folder, its database and the authority."""

    folder: Path
    database: Database
    authority: Pebble
    clock: Clock

    def node(self, name: str = "one", *, domains=DOMAINS, **account) -> CertificateRenewal:
        return CertificateRenewal(
            database=self.database,
            clock=self.clock,
            account=self.authority.account(self.folder / name, **account),
            domains=domains,
            file=self.file(name),
            owner=name,
            chance=lambda: 0.5,
        )

    def file(self, name: str = "one") -> Path:
        return self.folder / name / "acme" / "certificate.pem"

    def serial(self, name: str = "one") -> int:
        return x509.load_pem_x509_certificate(self.file(name).read_bytes()).serial_number

    @property
    def orders(self) -> int:
        return sum("/order-plz" in line for line in self.authority.said)

    @property
    def kept(self):
        return self.database.read_now(read_renewal)


@contextlib.asynccontextmanager
async def world_of(folder: Path, url: str):
    database = Database(url)
    database.open(serving=True)
    try:
        async with contextlib.AsyncExitStack() as stack:
            run = await stack.enter_async_context(pebble(folder, *DOMAINS))
            await stack.enter_async_context(answering(database, run.http_port, *DOMAINS))
            yield World(folder, database, run, Clock())
    finally:
        database.close()


@pytest.fixture
async def world(tmp_path, database_url):
    async with world_of(tmp_path, database_url) as made:
        yield made


@pytest.mark.slow
async def test_a_certificate_is_ordered_once_shown_for_all_its_names_and_renewed_in_time(world):
    node = world.node()
    await node.step()
    files = ServerCertificate(certificate_file=world.file(), key_file=world.file())
    shown = ServerContexts(ListenerTls(certificates=(files,)))
    anybody = ClientContexts().get(ClientRole(verify=False))
    der = shake(anybody, shown.current(), DOMAINS[1])[0].getpeercert(True)
    leaf = x509.load_der_x509_certificate(der or b"")
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert sorted(names.get_values_for_type(x509.DNSName)) == sorted(DOMAINS)
    for private in (world.file(), world.file().with_name("account.key")):
        assert private.stat().st_mode & 0o777 == 0o600
    first = world.serial()
    world.clock.move(LIFE * 0.6)
    await node.step()
    assert (world.serial(), world.orders) == (first, 1)
    world.clock.move(LIFE * 0.07)
    await node.step()
    assert (world.serial() != first, world.orders) == (True, 2)
    assert world.kept.failures == 0


@pytest.mark.slow
async def test_a_gateway_gets_its_certificate_shows_it_at_every_listener_and_tells_of_it(tmp_path, gateway_database):
    async with pebble(tmp_path, *DOMAINS) as authority:
        site = Installation(
            tmp_path / "site",
            gateway_database,
            doors={"starttls": {"tls": "require"}, "implicit": {"tls": "implicit"}},
            acme={"domains": list(DOMAINS), "directory": authority.directory, "ca_file": str(authority.ca_file)},
            http=[{"name": "acme", "address": f"127.0.0.1:{authority.http_port}", "serves": ["acme"]}],
            mail={"admin_address": "operator@example.com"},
            alerts={"every": "100ms"},
        )
        authority.names.failing.add(DOMAINS[0])
        try:
            await site.open()
            await site.command("check")
            await site.start()
            first = [await shown(site, door, DOMAINS[0]) for door in site.ports]
            await site.until(lambda: any("[acme]" in row.about for row in site.outbox_rows(kind="alert")))
            assert "the authority of [acme] gives no certificate (1 attempts): " in await site.command("health", code=1)
            authority.names.failing.clear()
            await hang_up(site, "event=certificate_renewed")
            later = [await shown(site, door, DOMAINS[0]) for door in site.ports]
            assert first[0] == first[1] != later[0] == later[1]
            assert b"Pebble" in later[0]
            assert "certificate  [acme]: 18" in await site.command("health")
        finally:
            await site.close()


async def test_what_one_node_renews_every_node_shows_also_one_that_was_away(world):
    one, other, later = world.node("one"), world.node("other"), world.node("later")
    await one.step()
    await other.step()
    await later.start()
    assert world.serial("one") == world.serial("other") == world.serial("later")
    await later.stop(0)
    assert world.orders == 1


@pytest.mark.slow
async def test_the_old_certificate_stays_while_the_authority_gives_none_and_it_is_asked_ever_more_seldom(world):
    node = world.node()
    await node.step()
    first = world.serial()
    world.clock.move(LIFE * 0.7)
    world.file().with_name("account.key").unlink()  # the authority would not ask a known account each time
    world.authority.names.failing.add(DOMAINS[0])
    with capture_logs() as logged:
        await node.step()
        await node.step()
    assert [line["event"] for line in logged if line["event"] != "http"] == ["certificate_not_renewed"]
    assert DOMAINS[0] in world.kept.problem
    assert (world.serial(), world.orders) == (first, 2)
    restarted = world.node()
    await restarted.step()
    assert world.orders == 2
    world.clock.move(timedelta(minutes=7))
    await restarted.step()
    assert (world.orders, world.kept.failures) == (3, 2)
    world.authority.names.failing.clear()
    world.clock.move(timedelta(minutes=10))
    await restarted.step()
    assert world.orders == 3
    world.clock.move(timedelta(minutes=10))
    await restarted.step()
    assert (world.orders, world.kept.problem, world.kept.failures) == (4, "", 0)
    assert world.serial() != first


@pytest.mark.slow
async def test_who_has_mended_the_cause_need_not_wait(world):
    world.authority.names.failing.add(DOMAINS[0])
    node = world.node()
    await node.step()
    world.authority.names.failing.clear()
    await node.step()
    assert not world.kept.pem
    node.try_now()
    await node.step()
    assert world.kept.pem


@pytest.mark.slow
async def test_other_names_are_ordered_at_once_whatever_failed_before(world):
    node = world.node(domains=("unknown.example.net",))
    await node.step()
    assert world.kept.failures == 1
    await world.node(domains=DOMAINS[:1]).step()
    assert (bool(world.kept.pem), world.kept.failures) == (True, 0)
    first = world.serial()
    await world.node().step()
    assert world.serial() != first


async def test_a_clock_that_was_put_back_holds_up_no_attempt(world):
    world.clock.move(timedelta(days=400))
    world.authority.names.failing.add(DOMAINS[0])
    node = world.node()
    await node.step()
    world.authority.names.failing.clear()
    world.clock.move(timedelta(days=-400))
    await node.step()
    assert world.kept.pem


async def refused(account: AcmeAccount, *domains: str) -> str:
    """Return why an authority takes no order."""

    def order() -> None:
        AcmeClient(account).begin(domains)

    with pytest.raises(AcmeError) as caught:
        await asyncio.to_thread(order)
    assert "\n" not in str(caught.value)
    return str(caught.value)


async def test_why_an_order_is_not_taken_is_said_in_one_line(tmp_path):
    async with pebble(tmp_path, *DOMAINS, account_keys=dict([BINDING])) as authority:
        account = authority.account(tmp_path)
        assert "name account_id and account_key_file in [acme]" in await refused(account, *DOMAINS)
        known = replace(account, binding=BINDING)
        assert "unauthorized" in await refused(replace(known, binding=("other", BINDING[1])), *DOMAINS)
        assert "CERTIFICATE_VERIFY_FAILED" in await refused(replace(known, ca_file=None), *DOMAINS)
        assert "404" in await refused(replace(known, directory=f"{authority.directory}/none"), *DOMAINS)
        account.key_file.write_text("torn")
        said = await refused(known, *DOMAINS)
        assert "account.key can't be used" in said
        assert "without the file a new account is made" in said
    assert "refused" in await refused(replace(known, key_file=tmp_path / "new.key"), *DOMAINS)


async def test_an_account_made_at_the_authority_before_is_named_by_its_id(tmp_path):
    async with pebble(tmp_path, *DOMAINS, account_keys=dict([BINDING])) as authority:
        client = AcmeClient(authority.account(tmp_path, binding=BINDING))
        assert len((await asyncio.to_thread(client.begin, DOMAINS)).answers) == 2
        assert len((await asyncio.to_thread(client.begin, DOMAINS)).answers) == 2
