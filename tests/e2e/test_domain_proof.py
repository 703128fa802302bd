"""A mail that only its DKIM signature proves, through the real process: the key comes from a name server on loopback."""

import asyncio
import smtplib

import pytest
import pytest_asyncio

from tests.kit.installation import Installation
from tests.kit.name_server import name_server
from tests.kit.patience import PATIENCE
from tests.kit.proving_site import DOMAIN, KEY, NUMBER, OTHER, signed, written
from tests.kit.signed_mail import key_record
from tests.kit.testbed import ANNA

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY_NAME = f"s1._domainkey.{DOMAIN}"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def names():
    async with name_server() as names:
        names.add_text(KEY_NAME, key_record(KEY))
        yield names


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(tmp_path_factory, module_database, names):
    site = Installation(tmp_path_factory.mktemp("proof") / "site", module_database)
    mailbox = {"domain": "*", "host": site.box.host, "port": site.box.port, "tls": "encrypt"}
    site.tables = {"mail": {"resolvers": [f"127.0.0.1:{names.port}"], "route": [mailbox]}}
    await site.open()
    await site.command("customer", "add", "acme", "--domain", DOMAIN)
    await site.command("user", "add", ANNA, "--customer", "acme")
    await site.start()
    yield site
    await site.close()


async def send(site: Installation, raw: bytes, *, sender: str = ANNA, to: str = NUMBER) -> str:
    """Give a mail without a login; returns the last reply."""

    def deliver() -> tuple[int, bytes]:
        with smtplib.SMTP("127.0.0.1", site.port, timeout=PATIENCE) as client:
            client.ehlo("client.example.com")
            replies = [client.mail(sender), client.rcpt(to)]
            return next((reply for reply in replies if reply[0] >= 400), None) or client.data(raw)

    code, text = await asyncio.to_thread(deliver)
    return f"{code} {text.decode()}"


async def test_a_signature_alone_sends_an_sms_and_its_author_hears_of_it_and_status_names_the_proof(site):
    await site.until_all_told()
    mails = len(site.box.mails)
    reply = await send(site, signed(written("Proven by DKIM")))
    assert reply.startswith("250 2.0.0 J."), reply
    await site.until_all_told()
    assert len(site.box.mails) == mails + 1
    assert [sms.text for sms in site.carrier.record.shown()].count("Proven by DKIM") == 1
    status = await site.command("status", reply.split()[2])
    assert f"proven by dkim: d={DOMAIN} s=s1" in status


@pytest.mark.parametrize(
    ("raw", "to"),
    [
        (written("No signature"), NUMBER),
        (signed(written("Before")).replace(b"Before", b"Behind"), NUMBER),
        (signed(domain=f"mail.{DOMAIN}"), NUMBER),
        (signed(written("Another number")), OTHER),
    ],
    ids=["none", "text changed", "of a sub-domain", "to a number that it does not name"],
)
async def test_a_mail_that_its_signature_does_not_prove_is_refused_and_answered_by_nobody(raw, to, site):
    await site.until_all_told()
    mails, sms = len(site.box.mails), len(site.carrier.record.shown())
    assert (await send(site, raw, to=to)).startswith("550 5.7.1 ")
    assert site.unfinished() == 0
    assert (len(site.box.mails), len(site.carrier.record.shown())) == (mails, sms)


async def test_while_dns_fails_a_signed_mail_waits_at_its_sender_and_is_sent_once_when_dns_is_back(site, names):
    names.failing.add(f"later._domainkey.{DOMAIN}")
    raw = signed(written("After the failure"), selector="later")
    assert (await send(site, raw)).startswith("451 4.")
    names.failing.clear()
    names.add_text(f"later._domainkey.{DOMAIN}", key_record(KEY))
    job = (await send(site, raw)).split()[2]
    await site.until_all_told()
    assert await send(site, raw) == f"250 2.0.0 {job} kept"
    assert [sms.text for sms in site.carrier.record.shown()].count("After the failure") == 1
