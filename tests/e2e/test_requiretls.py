"""A mail sent with REQUIRETLS: its report travels as it demands, or ends with a reason that «status» shows."""

import asyncio
import hashlib
import json
import smtplib
import ssl
from email.message import EmailMessage
from email.policy import SMTP

import pytest

from tests.kit.installation import DOMAIN, SENDER, Installation
from tests.kit.mail_servers import Peer, issue, server_context
from tests.kit.patience import PATIENCE
from tls.selfsigned import make_self_signed


@pytest.fixture
def identity():
    return issue()


@pytest.fixture
async def site(tmp_path, gateway_database, peer):
    files = make_self_signed("localhost").write(tmp_path)
    door = {"tls": "require", "certificate_file": str(files[0]), "key_file": str(files[1])}
    mail = {
        "route": [{"domain": "*", "host": peer.host, "port": peer.port}],
        "retry_after": ["1s"],
        "postmaster": "ops@example.org",
    }
    site = Installation(tmp_path / "site", gateway_database, doors={"tls": door}, mail=mail)
    await site.open()
    yield site
    await site.close()


@pytest.fixture
async def peer(tmp_path, identity):
    async with Peer(server_context(identity, tmp_path)) as peer:
        yield peer


def send(site: Installation, *options: str, header: str = "", to: str = "+447700900123") -> str:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = SENDER, f"{to}@{DOMAIN}", ""
    if header:
        message["TLS-Required"] = header
    message.set_content("Pump 7 has stopped")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP("127.0.0.1", site.ports["tls"], timeout=PATIENCE) as client:
        client.starttls(context=context)
        client.login("demo", site.password)
        client.mail(SENDER, list(options))
        client.rcpt(f"{to}@{DOMAIN}")
        code, answer = client.data(message.as_bytes(policy=SMTP))
    assert code == 250, answer
    return answer.decode().split(" ")[1]


async def owed(site: Installation, state: str):
    def found():
        return [row for row in site.outbox_rows() if row.job_key is not None and row.state == state]

    await site.until(lambda: bool(found()))
    return found()


async def test_a_report_of_a_mail_with_requiretls_goes_only_to_a_server_that_keeps_it(site, peer, identity):
    pin = f"spki:{hashlib.sha256(identity.spki).hexdigest()}"
    await site.command("tls", "enforce", "example.com", "fingerprint", "--pin", pin)
    await site.start()
    job = await asyncio.to_thread(send, site, "REQUIRETLS", "RET=FULL", header="No")
    (notice,) = await owed(site, "failed")
    assert notice.reason == "tls-policy"
    assert "5.7.30 the server does not offer REQUIRETLS" in notice.problem
    told = await site.command("status", job)
    assert "REQUIRETLS" in told
    assert "5.7.30 the server does not offer REQUIRETLS, domain example.com" in told
    assert "RET HDRS" in told
    assert not any(line.startswith("MAIL") for line in peer.in_clear + peer.in_tls)
    peer.extensions = (*peer.extensions, "REQUIRETLS")
    await asyncio.to_thread(send, site, "REQUIRETLS")
    await owed(site, "sent")
    (asked,) = [line for line in peer.in_tls if line.startswith("MAIL")]
    assert asked.endswith(" REQUIRETLS")


async def test_a_report_of_a_mail_without_need_of_tls_goes_out_where_tls_fails(site, peer):
    peer.answers["STARTTLS"] = "454 4.7.0 not now"
    await site.start()
    job = await asyncio.to_thread(send, site, header="No")
    await owed(site, "sent")
    assert "«TLS-Required: No»" in await site.command("status", job)
    assert "policy=none (TLS-Required: No of the mail)" in await site.command("status", job)


async def test_what_the_postmaster_gets_with_requiretls_is_forwarded_so_and_no_stranger_lowers_it(site, peer):
    await site.start()
    await asyncio.to_thread(send, site, "REQUIRETLS", header="No", to="postmaster")
    await asyncio.to_thread(send, site, header="No", to="postmaster")
    await site.until(lambda: {row.state for row in site.outbox_rows(kind="postmaster")} == {"failed", "sent"})
    tags = {row.state: json.loads(row.about)["tls_tag"] for row in site.outbox_rows(kind="postmaster")}
    assert tags == {"failed": "required", "sent": ""}
