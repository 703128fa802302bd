"""SAPconnect's mail S1 through Postfix into the real process, and one DSN back to a port that stands for the SAP
system's.

That port speaks for the ICM: STARTTLS is mandatory, a login is asked for (senders.md: TLS=2, AUTHMECHANISMS=PLAIN).
"""

import asyncio
import smtplib
import ssl
from email import message_from_bytes
from email.policy import default as modern
from pathlib import Path

import pytest
import pytest_asyncio
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from tests.kit.installation import DOMAIN, Installation
from tests.kit.patience import PATIENCE
from tests.kit.ports import free_port
from tests.peers.postfix_relay import PostfixRelay

S1 = Path(__file__).parents[1] / "e2e" / "samples" / "s1.eml"
SAP = "s4p-100.erp.example.com"
SENDER = f"WF-BATCH@{SAP}"
ENVID = "005056A1B2C31EDFA0B1C2D3E4F50607"
RECIPIENT = f"SMS=+447700900123@{DOMAIN}"


class SapSystem:
    """The ICM's mail port; keeps what it was given, and by whom."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.got: list[tuple[str | None, list[str], bytes]] = []
        self.logins: list[bytes] = []
        self.port = free_port()
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=self.port,
            server_hostname=SAP,
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            auth_require_tls=True,
            authenticator=self.prove,
        )
        self.start, self.stop = self._controller.start, self._controller.stop

    def prove(self, _server, _session, _envelope, mechanism, data):
        self.logins.append(data.login)
        return AuthResult(success=mechanism == "PLAIN" and (data.login, data.password) == (b"SMSGATE", b"from-the-icm"))

    async def handle_DATA(self, _server, session, envelope):  # noqa: N802 - aiosmtpd's hook
        assert session.ssl is not None
        assert session.authenticated
        self.got.append((envelope.mail_from, envelope.rcpt_tos, envelope.original_content))
        return "250 2.0.0 taken"


@pytest_asyncio.fixture
async def sap(tmp_path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "company-ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(SAP).configure_cert(context)
    system = SapSystem(context)
    await asyncio.to_thread(system.start)
    yield system
    await asyncio.to_thread(system.stop)


@pytest_asyncio.fixture
async def site(tmp_path, gateway_database, sap):
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "icm.password").write_text("from-the-icm\n")
    (folder / "icm.password").chmod(0o600)
    route = {
        "domain": SAP,
        "host": "127.0.0.1",
        "port": sap.port,
        "tls": "encrypt",
        "user": "SMSGATE",
        "password_file": "icm.password",
    }
    tls = {"domain": SAP, "level": "private-ca", "ca_file": str(tmp_path / "company-ca.pem"), "names": [SAP]}
    site = Installation(folder, gateway_database, mail={"route": [route], "tls": [tls]})
    await site.open()
    await site.command("customer", "add", "erp", "--domain", SAP, "--address-range", "127.0.0.1/32")
    await site.command("customer", "set", "erp", "--service", "sap", "report_format=dsn")
    await site.start()
    yield site
    await site.close()


@pytest_asyncio.fixture
async def relay(site):
    """Return a Postfix that relays to the site."""
    relay = PostfixRelay("example.com")
    await asyncio.to_thread(relay.start, site.port)
    yield relay
    await asyncio.to_thread(relay.stop)


@pytest.mark.slow
async def test_s1_comes_back_as_exactly_one_dsn_over_tls_with_a_login_and_its_ids_to_the_byte(site, sap, relay):
    content = S1.read_bytes().replace(b"\n", b"\r\n")

    def deliver():
        with smtplib.SMTP("127.0.0.1", relay.port, SAP, timeout=PATIENCE) as client:
            client.sendmail(
                SENDER,
                [RECIPIENT],
                content,
                ["RET=HDRS", f"ENVID={ENVID}"],
                ["NOTIFY=SUCCESS,FAILURE", f"ORCPT=rfc822;SMS+3D+2B447700900123@{DOMAIN}"],
            )

    await asyncio.to_thread(deliver)
    await site.until(lambda: len(sap.got) == 1)
    await site.until_all_told()
    (sms,) = site.carrier.record.shown()
    assert sms.number == "447700900123"
    assert sms.text == "Ihre Lieferung 80012345 trifft heute zwischen 14 und 16 Uhr ein. Rückfragen: +44 20 7946 0000"

    ((envelope_from, recipients, raw),) = sap.got
    assert (envelope_from, recipients) == ("<>", [SENDER])
    assert sap.logins == [b"SMSGATE"]
    dsn = message_from_bytes(raw, policy=modern)
    assert dsn.defects == []
    assert (dsn.get_content_type(), dsn.get_param("report-type")) == ("multipart/report", "delivery-status")
    assert dsn["To"] == SENDER
    assert dsn["Auto-Submitted"] == "auto-replied"
    assert dsn["In-Reply-To"] == f"<{ENVID}@{SAP}>"
    words, status, returned = dsn.iter_parts()
    assert words.get_content_type() == "text/plain"
    of_mail, of_recipient = status.iter_parts()
    assert of_mail["Original-Envelope-Id"] == ENVID
    assert of_mail["Reporting-MTA"] == "dns; gateway.example.net"
    assert of_mail["DSN-Gateway"] == "dns; gateway.example.net"
    assert of_recipient["Original-Recipient"] == f"rfc822;{RECIPIENT}"
    assert of_recipient["Final-Recipient"] == f"rfc822;{RECIPIENT}"
    assert (of_recipient["Action"], of_recipient["Status"]) == ("delivered", "2.1.5")
    header = returned.get_content()
    assert returned.get_content_type() == "text/rfc822-headers"
    assert f"Message-ID: <{ENVID}@{SAP}>" in header
    assert "Disposition-Notification-To" in header
    assert "Lieferung 80012345 trifft" not in raw.decode()
    assert site.box.mails == ()
    assert relay.mails() == []


async def test_a_number_that_cannot_be_is_refused_at_rcpt_and_a_dsn_never_follows(site, sap):
    def refused():
        with smtplib.SMTP("127.0.0.1", site.port, SAP, timeout=PATIENCE) as client:
            client.ehlo()
            assert client.mail(SENDER, ["RET=HDRS"])[0] == 250
            return client.rcpt(f"SMS=+4412@{DOMAIN}", ["NOTIFY=SUCCESS,FAILURE"])

    code, text = await asyncio.to_thread(refused)
    assert (code, text[:5]) == (550, b"5.1.3")
    assert site.jobs() == []
    assert sap.got == []


async def test_a_prefix_that_only_sap_mail_may_use_is_taken_at_rcpt(site):
    """Service names of SAP's customizing are the customer's own (TSAPD); who writes is seen only after DATA."""
    await site.command("customer", "set", "erp", "--service", "sap", "address_prefixes=PAGER")
    content = S1.read_bytes().replace(b"\n", b"\r\n")

    def deliver():
        with smtplib.SMTP("127.0.0.1", site.port, SAP, timeout=PATIENCE) as client:
            return client.sendmail(SENDER, [f"PAGER=+447700900123@{DOMAIN}"], content)

    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await asyncio.to_thread(deliver)
            except smtplib.SMTPRecipientsRefused:
                await asyncio.sleep(0.2)  # the change is in force within a second
            else:
                break
    await site.until(lambda: len(site.carrier.record.shown()) == 1)
