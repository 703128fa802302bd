"""Certificates that are renewed while the gateway serves: no session is lost, a bad file changes nothing but what is told."""

from base64 import b64encode

import pytest

from tests.kit.databases import SQLITE_IN_ITS_FOLDER
from tests.kit.installation import DOMAIN, SENDER, Installation, mail
from tests.kit.mail_servers import issue
from tests.kit.smtp_door import Client
from tests.kit.tls_doors import connect, hang_up, shown

SESSIONS = 20


@pytest.fixture
async def site(tmp_path):
    folder = tmp_path / "site"
    issue(names=("mx.example.net",)).write(folder, "mx")
    issue(names=("sms.example.com",)).write(folder, "other")
    own = {"certificate_file": "mx.pem", "key_file": "mx.key"}
    installation = Installation(
        folder,
        SQLITE_IN_ITS_FOLDER,
        doors={"starttls": {"tls": "require", **own}, "implicit": {"tls": "implicit"}},
        certificate=[own, {"certificate_file": "other.pem", "key_file": "other.key"}],
        alerts={"every": "100ms"},
    )
    installation.tables["mail"] = {"admin_address": "operator@example.com"}
    await installation.open()
    await installation.start()
    yield installation
    await installation.close()


async def begin_mail(site: Installation, door: str, number: int) -> Client:
    """Return a session in the middle of a mail."""
    client, _ = await connect(site, door)
    login = b64encode(f"\0demo\0{site.password}".encode())
    assert (await client.say(b"AUTH PLAIN " + login + b"\r\n")).startswith("235")
    assert (await client.say(f"MAIL FROM:<{SENDER}>\r\n".encode())).startswith("250")
    assert (await client.say(f"RCPT TO:<4477009001{number:02}@{DOMAIN}>\r\n".encode())).startswith("250")
    assert (await client.say(b"DATA\r\n")).startswith("354")
    client.writer.write(mail(f"Mail {number}")[:50])
    return client


async def end_mail(client: Client, number: int) -> str:
    answer = await client.say(mail(f"Mail {number}")[50:] + b"\r\n.\r\n")
    await client.close()
    return answer[:3]


async def test_no_session_is_lost_while_certificates_are_renewed_and_then_broken(site):
    sessions = [await begin_mail(site, ("starttls", "implicit")[n % 2], n) for n in range(SESSIONS)]
    renewed = issue(names=("mx.example.net",))
    renewed.write(site.folder, "mx")
    await hang_up(site, "event=certificates_reloaded")
    assert [await shown(site, door) for door in site.ports] == [renewed.der] * 2
    assert [await end_mail(sessions[n], n) for n in range(SESSIONS // 2)] == ["250"] * (SESSIONS // 2)
    (site.folder / "mx.key").write_text("-----BEGIN PRIVATE KEY-----\ntorn\n-----END PRIVATE KEY-----\n")
    await hang_up(site, "event=certificate_unusable")
    assert [await shown(site, door) for door in site.ports] == [renewed.der] * 2
    assert [await end_mail(sessions[n], n) for n in range(SESSIONS // 2, SESSIONS)] == ["250"] * (SESSIONS // 2)
    assert len(site.jobs()) == SESSIONS
    await site.until(lambda: any("can't be used" in row.about for row in site.outbox_rows(kind="alert")))
    said = await site.command("health", code=1)
    assert "LOOK         the TLS of starttls can't be used as its files are" in said


async def test_a_renewed_file_is_shown_without_a_signal_and_beside_a_broken_one(site):
    (site.folder / "mx.pem").write_text("")
    renewed = issue(names=("sms.example.com", "new.example.com"))
    renewed.write(site.folder, "other")
    for door in site.ports:
        assert await shown(site, door, "new.example.com") == renewed.der
        assert await shown(site, door, "mx.example.net") != renewed.der


async def test_check_names_a_key_that_belongs_to_another_certificate(site):
    (site.folder / "other.key").write_bytes((site.folder / "mx.key").read_bytes())
    said = await site.command("check", code=1)
    assert "other.key: the key belongs to another certificate" in said
