"""nodemailer into the real process: what applications written in JavaScript send, over STARTTLS with a login and a pool."""

import asyncio
import json
import subprocess
from pathlib import Path

import pytest
import pytest_asyncio
import trustme

from tests.kit.installation import DOMAIN, SENDER, Installation
from tests.kit.patience import PATIENCE
from tests.kit.peer import find_program, require_peer

pytestmark = pytest.mark.asyncio(loop_scope="module")

FOLDER = Path(__file__).parent / "node_mail"
NODE = find_program("node", "nodejs")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(tmp_path_factory, module_database):
    require_peer("node nodemailer", NODE and (FOLDER / "node_modules" / "nodemailer").is_dir())
    folder = tmp_path_factory.mktemp("nodemailer")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    identity = authority.issue_cert("gateway.example.net")
    identity.private_key_and_cert_chain_pem.write_to_path(str(folder / "gateway.pem"))
    (folder / "gateway.pem").chmod(0o600)
    files = {"certificate_file": str(folder / "gateway.pem"), "key_file": str(folder / "gateway.pem")}
    site = Installation(
        folder / "site", module_database, doors={"submission": {"tls": "require", "auth": "require", **files}}
    )
    await site.open()
    await site.start()
    yield site
    await site.close()


@pytest.fixture
def nodemailer(site):
    """Send mails with nodemailer, the certificate verified; returns what came of each."""

    async def run(*mails: dict, **options) -> list[dict]:
        transport = {
            "host": "127.0.0.1",
            "port": site.ports["submission"],
            "requireTLS": True,
            "tls": {"ca": (site.folder.parent / "ca.pem").read_text(), "servername": "gateway.example.net"},
            "auth": {"user": "demo", "pass": site.password},
            **options,
        }
        given = json.dumps({"transport": transport, "mails": mails}).encode()
        command = [str(NODE), str(FOLDER / "send.js")]
        done = await asyncio.to_thread(
            lambda: subprocess.run(command, input=given, capture_output=True, timeout=PATIENCE, check=False)
        )
        assert done.returncode == 0, done.stderr.decode()
        results: list[dict] = json.loads(done.stdout)
        return results

    return run


async def test_a_pool_sends_text_html_and_attachments_and_asks_for_reports(site, nodemailer):
    mails = [
        {"from": SENDER, "to": f"+447700900181@{DOMAIN}", "text": "Grüße aus Halle 2 – 5 €", "subject": "One"},
        {
            "from": f"Anna Keller <{SENDER}>",
            "to": f"447700900182@{DOMAIN}",
            "html": "<p>Pump <b>7</b> has&nbsp;stopped</p><p>Call back</p>",
            "attachments": [{"filename": "log.txt", "content": "not for the phone"}],
        },
        {
            "from": SENDER,
            "to": f"+447700900183@{DOMAIN}",
            "text": "With reports 🚗",
            "messageId": "<dsn@example.com>",
            "dsn": {"id": "job+42=", "return": "headers", "notify": ["success", "failure"], "recipient": SENDER},
        },
    ]
    results = await nodemailer(*mails, pool=True)
    assert [result["response"].split()[:2] for result in results] == [["250", "2.0.0"]] * 3
    await site.until_all_told()
    texts = {sms.number: sms.text for sms in site.carrier.record.shown()}
    assert texts["447700900181"] == "Grüße aus Halle 2 - 5 €"
    assert texts["447700900182"].split() == ["Pump", "7", "has", "stopped", "Call", "back"]
    assert texts["447700900183"] == "With reports 🚗"
    job = json.loads(await site.command("status", "--json", "<dsn@example.com>"))["report"]
    assert (job["mail"]["envid"], job["mail"]["ret"]) == ("job+42=", "HDRS")
    assert job["messages"][0]["notify"] == "SUCCESS,FAILURE"
    assert job["messages"][0]["orcpt"] == f"rfc822;{SENDER}"


async def test_refusals_reach_the_application_with_their_codes(site, nodemailer):
    to_nobody = {"from": SENDER, "to": f"+4930123456@{DOMAIN}", "text": "x"}
    elsewhere = {"from": SENDER, "to": "somebody@example.org", "text": "x"}
    empty = {"from": SENDER, "to": f"+447700900184@{DOMAIN}", "text": " "}
    some = {"from": SENDER, "to": [f"+447700900185@{DOMAIN}", f"12@{DOMAIN}"], "text": "Two"}
    refused, relayed, without_text, partly = await nodemailer(to_nobody, elsewhere, empty, some)
    assert (refused["responseCode"], refused["response"][:9]) == (550, "550 5.1.1")
    assert (relayed["responseCode"], relayed["response"][:9]) == (550, "550 5.7.1")
    assert (without_text["responseCode"], without_text["response"][:9]) == (554, "554 5.6.1")
    assert (partly["accepted"], partly["rejected"]) == ([f"+447700900185@{DOMAIN}"], [f"12@{DOMAIN}"])
    (wrong,) = await nodemailer(to_nobody, auth={"user": "demo", "pass": "wrong"})
    assert (wrong["code"], wrong["responseCode"]) == ("EAUTH", 535)


async def test_requiretls_of_an_application_is_kept_with_the_job(site, nodemailer):
    mail = {
        "from": SENDER,
        "to": f"+447700900186@{DOMAIN}",
        "text": "Under TLS to the end",
        "messageId": "<requiretls@example.com>",
        "requireTLSExtensionEnabled": True,
    }
    results = await nodemailer(mail, pool=True)
    assert results[0]["response"].startswith("250 2.0.0")
    job = json.loads(await site.command("status", "--json", "<requiretls@example.com>"))["report"]
    assert job["mail"]["tls_tag"] == "required"
