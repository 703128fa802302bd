"""Mail out on the real process: demanded TLS, own templates, delays, signatures, and what the administrator hears."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from email import message_from_bytes, policy
from functools import partial
from pathlib import Path

import dkim
import pytest

from cli.context import opened
from config.model import load_config
from smpp.simulator.script import Script
from store.mail_templates import TemplateRef, put_template
from tests.kit.installation import Installation
from tests.kit.mail_servers import Peer

PAGE = "<!DOCTYPE html><html><head><title>x</title></head><body>{}</body></html>"


@pytest.fixture
def house(tmp_path, gateway_database):
    """Return a function that opens an installation whose mail all goes to one peer."""
    return partial(_house, tmp_path / "site", gateway_database)


@asynccontextmanager
async def _house(folder: Path, database: str, peer: Peer, script: Script | None = None, **mail):
    tables = {
        "mail": {
            "route": [{"domain": "*", "host": peer.host, "port": peer.port}],
            "retry_after": ["1s"],
            "admin_address": "admin@example.net",
            **mail,
        }
    }
    site = Installation(folder, database, **tables)
    try:
        await site.open(script)
        yield site
    finally:
        await site.close()


def told(peer: Peer) -> list:
    return [message_from_bytes(mail, policy=policy.default) for mail in peer.mails]


def to(peer: Peer, address: str) -> list:
    return [mail for mail in told(peer) if mail["To"] == address]


def notices(site: Installation) -> list:
    """Return what is or was owed to the senders of jobs."""
    return [row for row in site.outbox_rows() if row.job_key is not None]


def attempts(site: Installation) -> list[tuple[str, str]]:
    of_jobs = {notice.key for notice in notices(site)}
    return [(tried.outcome, tried.policy) for tried in site.outbox_attempts() if tried.outbox_key in of_jobs]


async def test_enforced_mail_waits_and_never_goes_in_clear_until_the_policy_is_lowered(house):
    async with Peer() as peer, house(peer) as site:
        await site.start()
        said = await site.command("tls", "enforce", "*", "encrypt", "--customer", "demo")
        assert "may (system) became encrypt (customer demo)" in said
        await site.send("Pump 7 has stopped")
        await site.until(lambda: len(attempts(site)) >= 2)
        await site.until(lambda: bool(to(peer, "admin@example.net")))
        assert set(attempts(site)) == {("queued", "encrypt (customer demo)")}
        (alert,) = to(peer, "admin@example.net")
        assert alert["Subject"] == "Mail for example.com waits: its TLS is not as demanded"
        assert "4.7.4 the server does not offer STARTTLS, domain example.com, policy encrypt" in alert.get_body(
            ("plain",)
        ).get_content().replace("\n", " ")
        assert to(peer, "anna@example.com") == []
        assert not any("anna@example.com" in line for line in peer.in_clear)
        (notice,) = notices(site)
        assert notice.reason == "tls-policy"
        assert "policy encrypt (customer demo)" in notice.problem
        listed = await site.command("tls", "list", "--customer", "demo")
        assert ["-", "example.com", "demo", "encrypt", "yes", "customer", "demo", "0", "0", "1"] in [
            line.split() for line in listed.splitlines()
        ]
        refused = await site.command("tls", "enforce", "*", "may", "--customer", "demo", code=1)
        assert "--lower does it all the same" in refused
        await site.command("tls", "enforce", "*", "may", "--customer", "demo", "--lower")
        await site.until(lambda: bool(to(peer, "anna@example.com")))
        actions = [done.action for done in site.audit() if done.action.startswith("tls.")]
        assert actions == ["tls.enforce", "tls.lower"]


async def test_rules_damaged_behind_the_gateways_back_make_all_mail_wait_and_tell_the_log(house):
    async with Peer() as peer, house(peer) as site:
        await site.command("tls", "enforce", "example.org", "encrypt")
        await site.start()
        with opened(site.file) as (database, _keys):
            database.write_now(lambda tx, _: [tx.execute("DELETE FROM tls_rule")], None)
            database.write_now(
                lambda tx, _: [tx.execute("UPDATE meta SET value = '99' WHERE name = 'mail_rules_version'")], None
            )
        await site.until(lambda: any("mail_rules_unreadable" in line for line in site.log))
        await site.send("Pump 7 has stopped")
        await site.until(lambda: [notice.reason for notice in notices(site)] == ["tls-policy"])
        assert peer.mails == []
        await site.command("tls", "accept")
        await site.until(lambda: any("mail_rules_readable_again" in line for line in site.log))
        site.execute("UPDATE outbox SET due_at = 0 WHERE state = 'queued'")  # else in half a minute
        await site.until(lambda: bool(to(peer, "anna@example.com")))


async def test_a_mail_that_is_given_up_is_recorded_as_5_7_and_told_to_the_administrator(house):
    async with Peer() as peer, house(peer, expire_after="3s") as site:
        await site.command("tls", "enforce", "example.com", "secure")
        await site.start()
        await site.send("Pump 7 has stopped")
        await site.until(lambda: [notice.state for notice in notices(site)] == ["failed"])
        (notice,) = notices(site)
        assert notice.reason == "tls-policy"
        assert "5.7.4 the server does not offer STARTTLS" in notice.problem
        await site.until(lambda: len(to(peer, "admin@example.net")) >= 2)
        subjects = {mail["Subject"] for mail in to(peer, "admin@example.net")}
        assert "A status mail to example.com was given up" in subjects


class Ending(Peer):
    """Takes each mail, says its last word as it is, and goes or stays silent."""

    def __init__(self, last: str = "", *, stays: bool = False) -> None:
        super().__init__()
        self.last = last
        self.stays = stays

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, secure: bool) -> None:
        self.mails.append(await reader.readuntil(b"\r\n.\r\n"))
        writer.write(self.last.encode())
        await writer.drain()
        if self.stays:
            await asyncio.Event().wait()
        raise ConnectionResetError


@pytest.mark.slow
async def test_whatever_a_server_says_after_the_dot_with_a_first_digit_2_a_status_mail_is_sent_once(house):
    endings = {
        "message.example": Ending("200 Message accepted\r\n", stays=True),
        "perhaps.example": Ending("252 2.0.0 perhaps\r\n"),
        "no-end.example": Ending("250-2.0.0 kept\r\n250-and\r\n", stays=True),
        "half.example": Ending("250 2.0.0 ke"),
    }
    async with AsyncExitStack() as stack:
        for peer in endings.values():
            await stack.enter_async_context(peer)
        route = [{"domain": domain, "host": peer.host, "port": peer.port} for domain, peer in endings.items()]
        site = await stack.enter_async_context(house(peer, route=route))
        for mails in (4, 8):
            await site.start()
            for domain in endings:
                await site.send("Pump 7 has stopped", sender=f"anna@{domain}")
            await site.until(lambda mails=mails: [notice.state for notice in notices(site)] == ["sent"] * mails)
            await site.stop()
            for peer in endings.values():  # after the second mail its ending is heard at once
                peer.last, peer.stays = "250 2.0.0 kept\r\n", False
        assert {domain: len(peer.mails) for domain, peer in endings.items()} == dict.fromkeys(endings, 2)
        assert [outcome for outcome, _ in attempts(site)] == ["sent"] * 8


@pytest.mark.slow
async def test_mail_that_is_never_confirmed_comes_three_times_and_then_its_end_is_told(house):
    async with Ending() as peer, house(peer) as site:
        await site.start()
        job = await site.send("Pump 7 has stopped")
        await site.until(lambda: [notice.state for notice in notices(site)] == ["failed"])
        await site.until(lambda: [row.state for row in site.outbox_rows(kind="alert")] == ["failed"])
        assert [outcome for outcome, _ in attempts(site)].count("unanswered") == 3
        assert len(to(peer, "anna@example.com")) == len(to(peer, "admin@example.net")) == 3
        assert len({mail["Message-ID"] for mail in told(peer)}) == 2
        trace = await site.command("status", job)
        assert "failed, The mail server of example.com took the mail and did not confirm it." in trace
        await site.until(lambda: any("alert_attempted" in line and "did not confirm it" in line for line in site.log))


@pytest.mark.slow
async def test_the_sender_of_an_sms_that_takes_long_is_told_once(house):
    async with Peer() as peer, house(peer, Script(receipt_delay=600), delay_after="1s") as site:
        await site.start()
        await site.send("Pump 7 has stopped")
        await site.until(lambda: bool(peer.mails))
        (mail,) = to(peer, "anna@example.com")
        assert "has not reached its end yet" in mail.get_body(("plain",)).get_content()
        await site.until(lambda: [(notice.kind, notice.state) for notice in notices(site)] == [("delayed", "sent")])
        await site.stop()
        await site.start()
        await site.send("Another")
        await site.until(lambda: len(peer.mails) == 2)
        assert [row.kind for row in site.outbox_rows()] == ["delayed"] * 2


@pytest.mark.slow
async def test_a_customers_own_template_with_its_graphic_is_what_its_sender_sees(house, tmp_path):
    png = tmp_path / "logo.png"
    png.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + b"x" * 50 + b"\0\0\0\0IEND\xaeB`\x82")
    source = tmp_path / "own.html"
    source.write_text(PAGE.format('<img src="cid:logo" alt="Example"><p>Own: {{ m.headline }}</p>'))
    async with Peer() as peer, house(peer) as site:
        await site.start()
        own = ("--customer", "demo", "result", str(source))
        refused = await site.command("template", "set", *own, code=1)
        assert "cid:logo shows a graphic that is not there" in refused
        await site.command("template", "graphic", "add", "--customer", "demo", "logo", str(png))
        assert "now has its own template" in await site.command("template", "set", *own)
        await site.send("Pump 7 has stopped")
        await site.until(lambda: bool(peer.mails))
        (mail,) = told(peer)
        assert mail.get_body(("html",)).get_content().count("Own: Delivered") == 1
        (picture,) = [part for part in mail.walk() if part.get_content_type() == "image/png"]
        assert picture.get_content() == png.read_bytes()
        with opened(site.file) as (database, _keys):
            (customer,) = site.customers()
            ref = TemplateRef(customer_key=customer.key, profile_key=0, form="result")
            broken = PAGE.format("{{ m.no_such_word }}")

            def spoil(tx, items):
                put_template(tx, ref, broken, "somebody")
                return items

            database.write_now(spoil, None)
        await site.send("Pump 8 has stopped")
        await site.until(lambda: len(to(peer, "anna@example.com")) == 2)
        second = to(peer, "anna@example.com")[1]
        assert "Own:" not in second.get_body(("html",)).get_content()
        assert "Pump 8 has stopped" in second.get_body(("html",)).get_content()
        await site.until(lambda: bool(to(peer, "admin@example.net")))
        (alert,) = to(peer, "admin@example.net")
        assert alert["Subject"] == "Template of demo fails: the standard one goes out"
        await site.until(lambda: any("template_fell_back" in line for line in site.log))


async def test_mail_is_signed_with_every_key_and_a_key_that_cannot_sign_keeps_the_gateway_from_starting(house):
    async with Peer() as peer, house(peer) as site:
        records = {}
        for kind in ("rsa", "ed25519"):
            said = await site.command("dkim", "new", "--kind", kind, "--selector", kind, "sms.example.net")
            table = said[said.index("[[mail.dkim]]") :]
            text = site.file.read_text()
            site.file.write_text(f"{text}\n{table}")
            record = "".join(said.split('"')[1:-1:2][: 2 if kind == "rsa" else 1])
            records[f"{kind}._domainkey.sms.example.net"] = record.encode()
        files = sorted(site.folder.glob("*.dkim.pem"))
        assert [oct(file.stat().st_mode & 0o777) for file in files] == ["0o600", "0o600"]
        await site.start()
        await site.send("Pump 7 has stopped")
        await site.until(lambda: bool(peer.mails))
        wire = peer.mails[0].removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n.")
        assert wire.count(b"DKIM-Signature: ") == 2
        for index in range(2):
            assert dkim.DKIM(wire).verify(idx=index, dnsfunc=lambda name, timeout=5: records[name.decode().rstrip(".")])
        await site.stop()
        files[0].write_text("no key\n")
        checked = await site.command("check", code=1)
        assert "[[mail.dkim]] sms.example.net, ed25519" in checked
        with pytest.raises(RuntimeError, match="cannot start"):
            await site.start()


async def test_keys_of_another_domain_only_are_an_error_rather_than_unsigned_mail(house):
    async with Peer() as peer, house(peer) as site:
        said = await site.command("dkim", "new", "--selector", "s1", "example.org")
        site.file.write_text(f"{site.file.read_text()}\n{said[said.index('[[mail.dkim]]') :]}")
        assert "none of the keys is of sms.example.net" in await site.command("check", code=1)
        assert not isinstance(await asyncio.to_thread(load_config, site.file), list)
