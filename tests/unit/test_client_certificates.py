"""Client certificates on real sockets: whose they are, and that one which is nobody's is helped by no address."""

import contextlib
import ssl
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import trustme
from structlog.testing import capture_logs

from gateway.auth.authenticator import Authenticator
from gateway.auth.tokens import Tokens
from mta.identify import ListenerTerms, login_hook
from mta.smtp.server.server import ServerSettings
from tests.kit.smtp_door import QUICK, client_of, door
from tests.kit.testbed import ANNA, administer, open_core
from tests.unit.test_handler import handler, proofs_of
from tls.listening import CertificateRequest, ListenerTls, ServerCertificate, TlsMode
from tls.server_contexts import build_server_context

SAP = "sap.acme.example.com"


@pytest.fixture
def core(house):
    core = open_core(house)
    yield core
    core.database.close()


@dataclass
class Site:
    """A listener that asks for certificates which `clients` signs; 127.0.0.1 is in a range of acme."""

    core: Any
    folder: Any
    clients: trustme.CA = field(default_factory=trustme.CA)
    server: trustme.CA = field(default_factory=trustme.CA)

    def __post_init__(self) -> None:
        self.say("customer add-range acme 127.0.0.0/8")
        mine = self.server.issue_cert("mx.example.net")
        mine.cert_chain_pems[0].write_to_path(self.folder / "server.pem")
        mine.private_key_pem.write_to_path(self.folder / "server.key")
        self.clients.cert_pem.write_to_path(self.folder / "clients.pem")
        self.server.cert_pem.write_to_path(self.folder / "server-ca.pem")

    def say(self, *lines: str) -> None:
        for line in lines:
            administer(self.core.folder, line.replace(" @", f" {self.folder}/"))
        self.core.book.load_now()

    def keep(self, certificate: trustme.LeafCert, name: str = "client.pem") -> None:
        certificate.cert_chain_pems[0].write_to_path(self.folder / name)

    @contextlib.asynccontextmanager
    async def listening(self, tls: TlsMode = TlsMode.IMPLICIT, tokens: Tokens | None = None):
        """Give the open listener."""
        shown = ServerCertificate(certificate_file=self.folder / "server.pem", key_file=self.folder / "server.key")
        files = ListenerTls(
            certificates=(shown,),
            client_certificate=CertificateRequest.REQUEST,
            client_ca_file=self.folder / "clients.pem",
        )
        authenticator = Authenticator(
            credential_of=lambda login: self.core.book.current.directory.credential(login),  # noqa: PLW0108
            confirm=self.core.book.confirm,
        )
        proofs = proofs_of(self.core, authenticator, tokens)
        try:
            async with door(
                handler(self.core, terms=ListenerTerms(), sessions=proofs),
                ServerSettings(hostname="mx.example.net", tls=tls, connections=QUICK),
                contexts=partial(build_server_context, files),
                authenticator=login_hook(authenticator, proofs),
                mechanisms=proofs.mechanisms,
            ) as listener:
                yield listener
        finally:
            authenticator.close()

    @contextlib.asynccontextmanager
    async def client(self, certificate: trustme.LeafCert | None):
        """Give a client that has done EHLO under TLS, with the lines that it heard."""
        context = ssl.create_default_context()
        self.server.configure_trust(context)
        if certificate is not None:
            certificate.configure_cert(context)
        async with self.listening() as listener, client_of(listener, tls=context) as client:
            client.writer.write(b"EHLO sap\r\n")
            yield client, await client.lines()

    async def reply_to_mail(self, certificate: trustme.LeafCert | None, sender: str = ANNA) -> str:
        async with self.client(certificate) as (client, _):
            return str(await client.say(f"MAIL FROM:<{sender}>\r\n".encode()))


@pytest.fixture
def site(core, tmp_path):
    return Site(core, tmp_path)


NOBODYS = "530 5.7.0 Authentication required: The client certificate is nobody's here."


async def test_case_17_a_certificate_proves_its_customer_without_a_login(site):
    mine = site.clients.issue_cert(SAP)
    site.keep(mine)
    site.say("customer add-certificate acme sap --file @client.pem", "customer proof acme certificate")
    assert await site.reply_to_mail(mine) == "250 2.1.0 Sender OK"
    assert (await site.reply_to_mail(None))[:3] == "530"


async def test_case_17_a_certificate_that_is_nobodys_is_not_helped_by_its_address(site):
    assert await site.reply_to_mail(None) == "250 2.1.0 Sender OK"
    assert await site.reply_to_mail(site.clients.issue_cert(SAP)) == NOBODYS


async def test_case_17_a_certificate_of_another_customer_does_not_fall_back_to_the_address_of_ours(site):
    theirs = site.clients.issue_cert("sap.rival.example.com")
    site.keep(theirs)
    site.say("customer add-certificate rival sap --file @client.pem")
    assert (await site.reply_to_mail(theirs)).startswith("550 5.7.1 Sender not authorised")
    assert await site.reply_to_mail(theirs, "x@rival.example.com") == "250 2.1.0 Sender OK"


async def test_case_17_after_a_pin_was_rotated_the_old_certificate_is_nobodys(site):
    old, new = site.clients.issue_cert(SAP), site.clients.issue_cert(SAP)
    site.keep(old)
    site.say("customer add-certificate acme sap --file @client.pem")
    assert (await site.reply_to_mail(old))[:3] == "250"
    site.keep(new)
    site.say("customer add-certificate acme sap-2027 --file @client.pem")
    assert [(await site.reply_to_mail(item))[:3] for item in (old, new)] == ["250", "250"]
    site.say("customer remove-login sap")
    assert await site.reply_to_mail(old) == NOBODYS
    assert (await site.reply_to_mail(new))[:3] == "250"


async def test_case_17_an_expired_certificate_comes_to_no_mail(site):
    old = site.clients.issue_cert(SAP, not_after=datetime.now(UTC) - timedelta(days=1))
    site.keep(old)
    site.say("customer add-certificate acme sap --file @client.pem")
    await refused_in_the_handshake(site, old)


async def test_case_17_a_certificate_of_another_authority_comes_to_no_mail(site):
    foreign = trustme.CA().issue_cert(SAP)
    site.keep(foreign)
    site.say("customer add-certificate acme sap --file @client.pem")
    await refused_in_the_handshake(site, foreign)


async def refused_in_the_handshake(site, certificate) -> None:
    # With TLS 1.3 the refusal arrives after the client believes itself done, in place of the greeting.
    with capture_logs() as logs, pytest.raises((OSError, AssertionError)):
        await site.reply_to_mail(certificate)
    assert "tls_handshake_failed" in {line["event"] for line in logs}


async def test_a_name_counts_only_where_the_customers_own_authority_signed_it(site):
    theirs = trustme.CA()
    with (site.folder / "clients.pem").open("ab") as file:
        file.write(theirs.cert_pem.bytes())
    site.clients.cert_pem.write_to_path(site.folder / "ours.pem")
    site.say(f"customer add-certificate acme sap --subject {SAP.upper()} --ca @ours.pem")
    assert (await site.reply_to_mail(site.clients.issue_cert(SAP)))[:3] == "250"
    assert await site.reply_to_mail(theirs.issue_cert(SAP)) == NOBODYS
    assert await site.reply_to_mail(site.clients.issue_cert("other.acme.example.com")) == NOBODYS


async def test_a_listener_may_trust_the_clients_certificate_itself_in_place_of_its_authority(site):
    mine = trustme.CA().issue_cert(SAP)
    site.keep(mine)
    site.keep(mine, "clients.pem")
    site.say("customer add-certificate acme sap --file @client.pem")
    assert (await site.reply_to_mail(mine))[:3] == "250"


async def test_external_is_offered_to_the_owner_of_a_certificate_alone_and_acts_for_nobody_else(site):
    mine = site.clients.issue_cert(SAP)
    site.keep(mine)
    async with site.client(mine) as (_, lines):
        assert "250-AUTH LOGIN PLAIN SCRAM-SHA-256" in lines
    site.say(f"customer add-certificate acme anna-key --user {ANNA} --file @client.pem")
    async with site.client(None) as (client, lines):
        assert "250-AUTH LOGIN PLAIN SCRAM-SHA-256" in lines
        assert await client.say(b"AUTH EXTERNAL =\r\n") == "504 5.5.4 Unrecognized authentication type"
    for identity, code in (("", "235"), ("anna-key", "235"), (ANNA, "235"), ("bob@acme.example.com", "535")):
        async with site.client(mine) as (client, lines):
            assert "250-AUTH LOGIN PLAIN SCRAM-SHA-256 EXTERNAL" in lines
            given = b64encode(identity.encode()) if identity else b"="
            assert (await client.say(b"AUTH EXTERNAL " + given + b"\r\n"))[:3] == code
    async with site.client(mine) as (client, _):
        assert await client.say(b"AUTH EXTERNAL\r\n") == "334 "
        assert (await client.say(b"\r\n"))[:3] == "235"
        assert (await client.say(b"MAIL FROM:<bob@acme.example.com>\r\n"))[:3] == "550"
        assert (await client.say(f"MAIL FROM:<{ANNA}>\r\n".encode()))[:3] == "250"
