"""swaks into the real process: logins, TLS by listener, SIZE, 8BITMIME, PIPELINING, attachments, refusals."""

import asyncio
import base64
import re
import subprocess

import pytest
import pytest_asyncio
import trustme

from tests.kit.installation import DOMAIN, SENDER, Installation
from tests.kit.patience import PATIENCE
from tests.kit.peer import find_program, require_peer

pytestmark = pytest.mark.asyncio(loop_scope="module")

SWAKS = find_program("swaks")
NUMBER = "447700900131"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(tmp_path_factory, module_database):
    require_peer("swaks", SWAKS)
    folder = tmp_path_factory.mktemp("swaks")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    identity = authority.issue_cert("localhost", "127.0.0.1")
    identity.private_key_pem.write_to_path(str(folder / "gateway.key"))
    (folder / "gateway.key").chmod(0o600)
    for pem in identity.cert_chain_pems:
        pem.write_to_path(str(folder / "gateway.pem"), append=True)
    files = {"certificate_file": str(folder / "gateway.pem"), "key_file": str(folder / "gateway.key")}
    doors: dict[str, dict[str, object]] = {
        "offers": {"tls": "offer", "auth": "require", **files},
        "requires": {"tls": "require", "auth": "require", **files},
        "implicit": {"tls": "implicit", "auth": "require", "max_size": 100_000, **files},
        "bare": {"tls": "off", "auth": "off"},
    }
    site = Installation(folder / "site", module_database, doors=doors)
    await site.open()
    await site.start()
    yield site
    await site.close()


@pytest.fixture
def swaks(site):
    """Run swaks against a listener; returns its exit code, the transcript, and what was sent and received."""

    async def run(door: str, *arguments: str, login: bool = True, number: str = NUMBER) -> tuple[int, str]:
        given = [
            str(SWAKS),
            "--server",
            f"127.0.0.1:{site.ports[door]}",
            "--from",
            SENDER,
            "--to",
            f"{number}@{DOMAIN}",
        ]
        given += ["--timeout", "20", "--helo", "client.example.com", *arguments]
        if login:
            given += ["--auth-user", "demo", "--auth-password", site.password]
        done = await asyncio.to_thread(
            lambda: subprocess.run(given, capture_output=True, timeout=PATIENCE, check=False)
        )
        return done.returncode, done.stdout.decode("utf-8", "replace") + done.stderr.decode("utf-8", "replace")

    return run


async def shown(site: Installation, number: str) -> str:
    """Return the newest SMS that a phone shows."""
    async with asyncio.timeout(PATIENCE):
        await site.carrier.until(
            lambda: any(sms.number == number and not sms.missing for sms in site.carrier.record.shown())
        )
    return [sms.text for sms in site.carrier.record.shown() if sms.number == number][-1]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize(
    ("door", "tls"), [("offers", "--tls"), ("requires", "--tls"), ("implicit", "--tls-on-connect")]
)
async def test_a_login_under_tls_sends_an_sms(mechanism, door, tls, site, swaks):
    number = f"4477009001{40 + 10 * (mechanism == 'LOGIN') + ['offers', 'requires', 'implicit'].index(door)}"
    words = f"{door} with {mechanism}"
    code, said = await swaks(door, tls, "--auth", mechanism, "--body", words, number=number)
    assert code == 0, said
    assert re.search(r"TLS started with cipher TLSv1\.3", said)
    assert re.search(r"<~\s+250 2\.0\.0 J\.\S+ kept", said)
    assert await shown(site, number) == words


async def test_the_certificate_can_be_verified(site, swaks):
    code, said = await swaks(
        "requires",
        "--tls",
        "--tls-verify",
        "--tls-ca-path",
        str(site.folder.parent / "ca.pem"),
        "--auth",
        "--quit-after",
        "AUTH",
    )
    assert code == 0, said


async def test_what_is_offered_depends_on_tls(site, swaks):
    _, clear = await swaks("offers", "--quit-after", "EHLO", login=False)
    offered = set(re.findall(r"<-  250[ -](\S+)", clear))
    assert {"SIZE", "8BITMIME", "SMTPUTF8", "PIPELINING", "ENHANCEDSTATUSCODES", "DSN", "STARTTLS"} <= offered
    assert "AUTH" not in offered
    _, protected = await swaks("offers", "--tls", "--quit-after", "EHLO", login=False)
    after = re.findall(r"<~  250[ -](.+)", protected)
    assert "AUTH LOGIN PLAIN SCRAM-SHA-256" in after
    assert "STARTTLS" not in after


async def test_a_password_is_never_asked_for_in_clear(site, swaks):
    code, said = await swaks("offers", "--auth", "PLAIN")
    assert code == 28
    assert base64.b64encode(f"\0demo\0{site.password}".encode()).decode() not in said


@pytest.mark.parametrize(
    ("door", "stage", "reply"),
    [("offers", 23, "530 5.7.0 "), ("requires", 23, "530 5.7.0 "), ("bare", 24, "550 5.7.1 ")],
)
async def test_nobody_sends_without_a_login(door, stage, reply, site, swaks):
    code, said = await swaks(door, login=False)
    assert code == stage
    assert reply in said


async def test_a_wrong_password_is_refused_and_named_in_the_log(site, swaks):
    code, said = await swaks(
        "implicit",
        "--tls-on-connect",
        "--auth",
        "PLAIN",
        "--auth-user",
        "demo",
        "--auth-password",
        "wrong",
        login=False,
    )
    assert code == 28
    assert "535 5.7.8 " in said
    await site.until(
        lambda: any("event=auth_failed user=demo rip=127.0.0.1 mechanism=PLAIN" in line for line in site.log)
    )
    assert not any("wrong" in line for line in site.log)


async def test_pipelined_commands_are_answered_in_order_and_a_bad_recipient_harms_no_other(site, swaks):
    good, bad = "447700900161", "4930123456"
    code, said = await swaks(
        "requires", "--tls", "--auth", "PLAIN", "--pipeline", "--body", "Pipelined", number=f"{bad}@{DOMAIN},{good}"
    )
    assert code == 0, said
    replies = re.findall(r"^<[~*]\S*\s+(\d{3} \d\.\d+\.\d+)", said, re.MULTILINE)
    assert replies[-5:] == ["250 2.1.0", "550 5.1.1", "250 2.1.5", "250 2.0.0", "221 2.0.0"]
    assert await shown(site, good) == "Pipelined"


async def test_eight_bit_text_arrives_as_it_was_typed(site, swaks):
    number = "447700900162"
    code, said = await swaks(
        "requires", "--tls", "--auth", "PLAIN", "--body", "Grüße, 5 €", "--add-header", "MIME-Version: 1.0",
        "--add-header", "Content-Type: text/plain; charset=utf-8", "--add-header", "Content-Transfer-Encoding: 8bit", number=number,
    )  # fmt: skip
    assert code == 0, said
    assert await shown(site, number) == "Grüße, 5 €"


async def test_attachments_are_no_text(site, swaks, tmp_path):
    number = "447700900163"
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n" + bytes(range(256)) * 40)
    code, said = await swaks(
        "requires", "--tls", "--auth", "PLAIN", "--body", "See the picture", "--attach-type", "image/png",
        "--attach", f"@{tmp_path}/picture.png", number=number,
    )  # fmt: skip
    assert code == 0, said
    assert await shown(site, number) == "See the picture"


async def test_a_mail_beyond_the_size_is_refused_and_the_connection_goes_on(site, swaks, tmp_path):
    (tmp_path / "big.txt").write_text(("x" * 99 + "\n") * 1500)
    code, said = await swaks("implicit", "--tls-on-connect", "--auth", "PLAIN", "--body", f"@{tmp_path}/big.txt")
    assert code == 26
    assert "552 5.3.4 " in said
    assert "221 2.0.0 " in said
