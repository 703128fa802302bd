"""Clients of others prove themselves to the real process: SCRAM with msmtp, a certificate with swaks, tokens with nodemailer."""

import asyncio
import json
import re
import smtplib
import ssl
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
import trustme

from tests.kit.installation import DOMAIN, SENDER, Installation
from tests.kit.issuer import AUDIENCE, issuer
from tests.kit.patience import PATIENCE
from tests.kit.peer import find_program, require_peer
from tests.peers.test_mail_in_nodemailer import FOLDER, NODE

pytestmark = pytest.mark.asyncio(loop_scope="module")

MSMTP, SWAKS = find_program("msmtp"), find_program("swaks")
NUMBER = f"447700900155@{DOMAIN}"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def authority():
    return trustme.CA()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(tmp_path_factory, module_database, authority):
    folder = tmp_path_factory.mktemp("logins")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    for name in ("gateway", "client"):
        identity = authority.issue_cert(f"{name}.example.net")
        identity.private_key_and_cert_chain_pem.write_to_path(str(folder / f"{name}.pem"))
        (folder / f"{name}.pem").chmod(0o600)
    own = {"certificate_file": str(folder / "gateway.pem"), "key_file": str(folder / "gateway.pem"), "tls": "require"}
    asks = {"client_certificate": "request", "client_ca_file": str(folder / "ca.pem"), "service": "sap"}
    site = Installation(
        folder / "site",
        module_database,
        doors={"submission": own, "erp": own | asks},
        server={"issuer_ca_file": str(folder / "ca.pem")},
    )
    await site.open()
    await site.start()
    yield site
    await site.close()


async def run(words: list[str], given: bytes = b"") -> tuple[int, str]:
    done = await asyncio.to_thread(
        lambda: subprocess.run(words, input=given, capture_output=True, timeout=PATIENCE, check=False)
    )
    return done.returncode, done.stdout.decode("utf-8", "replace") + done.stderr.decode("utf-8", "replace")


async def trace_of(site: Installation, said: str) -> str:
    """Return what `status` tells of the job that a client's transcript names."""
    found = re.search(r"J\.\S+(?= kept)", said)
    assert found, said
    return str(await site.command("status", found[0]))


async def until_offered(port: int, mechanism: str, authority: Path) -> None:
    """Wait until the gateway has seen what makes it offer a mechanism."""

    context = ssl.create_default_context(cafile=authority)
    context.check_hostname = False  # its name is not the address

    def offered() -> str:
        with smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE) as client:
            client.starttls(context=context)
            client.ehlo()
            return client.esmtp_features.get("auth", "")

    async with asyncio.timeout(PATIENCE):
        while mechanism not in await asyncio.to_thread(offered):
            await asyncio.sleep(0.25)  # a client that proves nothing may connect 300 times a minute


async def test_msmtp_proves_a_password_by_scram_without_sending_it(site):
    require_peer("msmtp", MSMTP)
    (site.folder / "new.password").write_text("another-password")
    await site.command("customer", "add-login", "demo", "demo", "--password-file", str(site.folder / "new.password"))
    options = {
        "host": "127.0.0.1",
        "port": site.ports["submission"],
        "tls_trust_file": site.folder.parent / "ca.pem",
        "tls_host_override": "gateway.example.net",
        "auth": "scram-sha-256",
        "user": "demo",
        "password": "another-password",
        "from": SENDER,
        "tls": "on",
    }
    file = site.folder / "msmtprc"
    file.write_text("account default\n" + "".join(f"{name} {value}\n" for name, value in options.items()))
    file.chmod(0o600)
    raw = f"From: {SENDER}\nSubject: x\n\nBy SCRAM\n".encode()
    command = [str(MSMTP), f"--file={file}", "--debug", NUMBER]
    code, said = await run(command, raw)
    if "454" in said:  # the gateway had begun the exchange with the password of before
        code, said = await run(command, raw)
    assert code == 0, said
    assert "another-password" not in said.partition("<-- 220")[2]
    assert "proven by login: demo" in await trace_of(site, said)


async def test_swaks_sends_by_its_certificate_alone_and_the_listener_names_the_service(site):
    require_peer("swaks", SWAKS)
    pem = str(site.folder.parent / "client.pem")
    words = [str(SWAKS), "--server", f"127.0.0.1:{site.ports['erp']}", "--from", SENDER, "--to", NUMBER, "--tls"]
    shown = [*words, "--tls-cert", pem, "--tls-key", pem, "--body", "By certificate"]
    code, said = await run(shown)
    assert code != 0, said
    assert "530 5.7.0 Authentication required: The client certificate is nobody's here." in said
    await site.command("customer", "add-certificate", "demo", "erp", "--file", pem)
    async with asyncio.timeout(PATIENCE):
        while "EXTERNAL" not in said:  # until the gateway has seen whose the certificate is
            code, said = await run(shown)
    assert code == 0, said
    assert "AUTH LOGIN PLAIN SCRAM-SHA-256 EXTERNAL" in said
    told = await trace_of(site, said)
    assert "proven by certificate: erp, spki:" in told
    assert "service named by listener erp" in told
    code, said = await run(words)
    assert code != 0, said


async def test_nodemailer_sends_with_a_token_of_the_customers_issuer(site, authority):
    require_peer("node nodemailer", NODE and (FOLDER / "node_modules" / "nodemailer").is_dir())
    await site.command("user", "add", SENDER, "--customer", "demo")
    async with issuer(authority, datetime.now(UTC)) as made:
        await site.command("customer", "oidc", "demo", "--issuer", made.url, "--audience", AUDIENCE)

        await until_offered(site.ports["submission"], "XOAUTH2", site.folder.parent / "ca.pem")

        async def send(token: str) -> dict:
            transport = {
                "host": "127.0.0.1",
                "port": site.ports["submission"],
                "requireTLS": True,
                "tls": {"ca": (site.folder.parent / "ca.pem").read_text(), "servername": "gateway.example.net"},
                "auth": {"type": "OAuth2", "user": SENDER, "accessToken": token},
            }
            mails = [{"from": SENDER, "to": NUMBER, "text": "By token", "subject": "x"}]
            code, said = await run(
                [str(NODE), str(FOLDER / "send.js")], json.dumps({"transport": transport, "mails": mails}).encode()
            )
            assert code == 0, said
            (came,) = json.loads(said)
            return dict(came)

        came = await send(made.token(email=SENDER))
        assert f"proven by login: {SENDER}, token of {made.url}" in await trace_of(site, json.dumps(came))
        refused = await send(made.token(email=SENDER, exp=1))
        assert "535" in json.dumps(refused)
