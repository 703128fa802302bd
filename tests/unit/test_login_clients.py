"""Programs of others log in: msmtp, whose mechanisms are GNU SASL's and its own."""

import asyncio
import shutil
import ssl
from time import monotonic

import pytest

from gateway.auth.tokens import IssuerKeys, Tokens
from tests.kit.installation import mail
from tests.kit.issuer import AUDIENCE, issuer
from tests.kit.peer import require_peer
from tests.kit.testbed import ANNA, administer, open_core
from tests.unit.test_client_certificates import SAP, Site
from tls.listening import TlsMode
from web.issuer import IssuerFetcher

MSMTP = shutil.which("msmtp") or ""
PASSWORD = "a passwörd, long"


@pytest.fixture
def core(house):
    core = open_core(house)
    yield core
    core.database.close()


@pytest.fixture
def site(core, tmp_path):
    require_peer("msmtp", present=bool(MSMTP))
    made = Site(core, tmp_path)
    made.say("customer remove-range acme 127.0.0.0/8")
    return made


async def send(site: Site, listener, mechanism: str, *more: str) -> tuple[int, str]:
    """Send a mail of anna with msmtp; returns its exit code and what it says."""
    options = {
        "host": "127.0.0.1",
        "port": str(listener.addresses[0][1]),
        "tls": "on",
        "tls_starttls": "on",
        "tls_trust_file": str(site.folder / "server-ca.pem"),
        "tls_host_override": "mx.example.net",
        "auth": mechanism,
        "from": ANNA,
        "timeout": "60",
    }
    file = site.folder / "msmtprc"
    file.write_text(
        "account default\n" + "".join(f"{name} {value}\n" for name, value in options.items()) + "\n".join(more)
    )
    file.chmod(0o600)
    process = await asyncio.create_subprocess_exec(
        MSMTP,
        f"--file={file}",
        "--debug",
        "+447700900101@sms.example.net",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await process.communicate(mail(f"By {mechanism}", sender=ANNA, to=("+447700900101",)))
    return process.returncode or 0, told.decode("utf-8", "replace")


def proof_of_last(core) -> tuple[str, str]:
    job = core.jobs()[-1]
    return job.proof, job.evidence


@pytest.mark.parametrize("mechanism", ["plain", "login", "scram-sha-256", "on"])
async def test_msmtp_logs_in_with_a_password(site, core, mechanism):
    (site.folder / "password").write_text(PASSWORD)
    administer(core.folder, f"user add-login {ANNA} --password-file {site.folder / 'password'}")
    core.book.load_now()
    async with site.listening(TlsMode.REQUIRE) as listener:
        code, told = await send(site, listener, mechanism, f"user {ANNA}", f'password "{PASSWORD}"')
        assert code == 0, told
        wrong, told = await send(site, listener, mechanism, f"user {ANNA}", "password wrong-one")
        assert wrong != 0, told
    assert proof_of_last(core) == ("login", ANNA)
    used = {"on": "AUTH PLAIN"}.get(mechanism, f"AUTH {mechanism.upper()}")
    assert used in told


async def test_msmtp_logs_in_with_its_certificate(site, core):
    mine = site.clients.issue_cert(SAP)
    site.keep(mine)
    mine.private_key_pem.write_to_path(site.folder / "client.key")
    (site.folder / "client.key").chmod(0o600)
    site.say("customer add-certificate acme sap --file @client.pem")
    shown = (f"tls_cert_file {site.folder / 'client.pem'}", f"tls_key_file {site.folder / 'client.key'}")
    async with site.listening(TlsMode.REQUIRE) as listener:
        for auth, more in (("off", ()), ("external", ("user sap",))):
            code, told = await send(site, listener, auth, *shown, *more)
            assert code == 0, told
            assert proof_of_last(core)[0] == "certificate"
        code, told = await send(site, listener, "external", *shown, "user somebody-else")
        assert code != 0, told


@pytest.mark.parametrize("mechanism", ["oauthbearer", "xoauth2"])
async def test_msmtp_logs_in_with_a_token_of_the_customers_issuer(site, core, mechanism):
    context = ssl.create_default_context()
    site.server.configure_trust(context)
    keys = IssuerKeys(IssuerFetcher(lambda: context), monotonic)
    tokens = Tokens(directory=lambda: core.book.current.directory, keys=keys, clock=core.clock)
    async with issuer(site.server, core.clock.now()) as made, site.listening(TlsMode.REQUIRE, tokens) as listener:
        site.say(f"customer oidc acme --issuer {made.url} --audience {AUDIENCE}")
        (site.folder / "token").write_text(made.token())
        code, told = await send(site, listener, mechanism, f"user {ANNA}", f"passwordeval cat {site.folder / 'token'}")
        assert code == 0, told
        assert proof_of_last(core) == ("login", f"{ANNA}, token of {made.url}")
        (site.folder / "token").write_text(made.token(exp=1))
        code, told = await send(site, listener, mechanism, f"user {ANNA}", f"passwordeval cat {site.folder / 'token'}")
        assert code != 0, told
        assert "535" in told
