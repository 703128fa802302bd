"""Mail to the postmaster on the real process: taken from anybody, kept before 250, forwarded once, refused by rule."""

import asyncio
import smtplib
from email import message_from_bytes, policy

import dkim
import pytest

from mta.sending.sign import KeyKind, new_key
from tests.kit.installation import DOMAIN, SENDER, Installation
from tests.kit.mail_servers import Peer
from tests.kit.patience import PATIENCE
from tests.kit.ports import free_port

MAIL = (
    b"From: Bob <bob@example.org>\r\nTo: postmaster@sms.example.net\r\nSubject: Your mail\r\n"
    b"Message-ID: <1@example.org>\r\n\r\nPlease stop.\r\n"
)


@pytest.fixture
def site_of(tmp_path, gateway_database):
    """Return what makes an installation whose mail all goes to one port, signed."""

    def make(port: int, **mail) -> Installation:
        folder = tmp_path / "site"
        folder.mkdir(parents=True)
        key = new_key(DOMAIN, "s1", KeyKind.ED25519)
        (folder / "s1.key").write_bytes(key.private_pem)
        (folder / "s1.key").chmod(0o600)
        tables = {
            "mail": {
                "route": [{"domain": "*", "host": "127.0.0.1", "port": port}],
                "retry_after": ["1s"],
                "dkim": [{"domain": DOMAIN, "selector": "s1", "key_file": "s1.key"}],
                **mail,
            }
        }
        site = Installation(folder, gateway_database, **tables)
        site.key = key  # type: ignore[attr-defined]  # for the test that looks it up
        return site

    return make


def say(
    site: Installation, *recipients: str, sender: str = "bob@example.org", raw: bytes = MAIL
) -> list[tuple[int, bytes]]:
    """Speak to the gateway as somebody who proves nothing; returns all replies up to the end of the content."""
    with smtplib.SMTP("127.0.0.1", site.port, timeout=PATIENCE) as client:
        client.ehlo("mx.example.org")
        replies = [client.mail(sender), *(client.rcpt(recipient) for recipient in recipients)]
        if any(code == 250 for code, _ in replies[1:]):
            replies.append(client.data(raw))
        return replies


async def test_a_mail_of_a_stranger_reaches_the_operators_mailbox_attached_and_signed(site_of):
    async with Peer() as peer:
        site = site_of(peer.port, postmaster="ops@example.com")
        try:
            await site.open()
            await site.start()
            replies = await asyncio.to_thread(say, site, f"PostMaster@{DOMAIN}", f"abuse@{DOMAIN}")
            assert [code for code, _ in replies] == [250] * 4
            name = replies[-1][1].decode().split()[1]
            await site.until(lambda: bool(peer.mails))
            raw = peer.mails[0].removesuffix(b".\r\n")
            assert "MAIL FROM:<> " in "".join(f"{line} " for line in peer.in_clear)
            assert "RCPT TO:<ops@example.com>" in peer.in_clear
            record = site.key.record_text.encode()
            assert dkim.verify(raw, dnsfunc=lambda *_, **__: record)
            read = message_from_bytes(raw, policy=policy.default)
            assert read["X-Mail2SMS-Notice"] == name
            words, attached = read.iter_parts()
            assert "<bob@example.org>" in words.get_content()
            inner = attached.get_content()
            assert inner["Subject"] == "Your mail"
            received = " ".join(inner["Received"].split())
            assert received.startswith("from mx.example.org ([127.0.0.1]) by gateway.example.net with ESMTP; ")
            assert MAIL in raw
            await site.until(lambda: [row.state for row in site.outbox_rows(kind="postmaster")] == ["sent"])
            listed = await site.command("queue", "postmaster")
            assert f"{name}  " in listed
            assert "from 127.0.0.1 (mx.example.org)" in listed
            assert "forwarded  1 attempt  250" in listed
            assert site.jobs() == []
        finally:
            await site.close()


async def test_a_mail_that_was_answered_with_250_survives_a_kill_and_arrives_once(site_of):
    port = free_port()
    site = site_of(port, postmaster="ops@example.com")
    try:
        await site.open()
        await site.start()
        replies = await asyncio.to_thread(say, site, "Postmaster", sender="")
        name = replies[-1][1].decode().split()[1]
        await site.kill()
        (row,) = site.outbox_rows(kind="postmaster")
        assert row.state in {"queued", "sending"}
        assert (await site.command("queue", "postmaster", name)).endswith("Please stop.\n")
        async with Peer(port=port) as peer:
            await site.start()
            await site.until(lambda: [row.state for row in site.outbox_rows(kind="postmaster")] == ["sent"])
            await site.stop()
            await site.start()
            await asyncio.to_thread(say, site, "postmaster", raw=MAIL.replace(b"Your mail", b"Another"))
            await site.until(lambda: len(peer.mails) == 2)
            subjects = [message_from_bytes(mail, policy=policy.default)["Subject"] for mail in peer.mails]
            assert subjects == ["Mail to the postmaster: Your mail", "Mail to the postmaster: Another"]
    finally:
        await site.close()


async def test_strangers_write_to_nobody_else_and_without_a_mailbox_they_are_told_so(site_of):
    site = site_of(free_port())
    try:
        await site.open()
        await site.start()
        mail, refused, unknown = await asyncio.to_thread(say, site, f"+447700900123@{DOMAIN}", f"postmaster@{DOMAIN}")
        assert mail[0] == 250
        assert (refused[0], refused[1][:5]) == (550, b"5.7.1")
        assert (unknown[0], unknown[1][:5]) == (550, b"5.1.1")
        checked = await site.command("check")
        assert "RFC 5321 §4.5.1 demands that it is taken: name who gets it in [mail] postmaster" in checked

        def logged_in():
            with site.client() as client:
                return client.mail(SENDER), client.rcpt("postmaster")

        assert (await asyncio.to_thread(logged_in))[1][0] == 550
    finally:
        await site.close()
