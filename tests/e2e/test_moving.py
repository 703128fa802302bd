"""Moving from a bought service, as docs/moving.md says: its files and commands, then mail of those who used it."""

import asyncio
import smtplib

import pytest

from tests.kit.guide import Guide
from tests.kit.installation import Installation, mail
from tests.kit.patience import PATIENCE

FILES = ("users.csv", "stops.csv", "crew.csv", "orders.password")
SENDER = "j.berg@example.com"


async def test_who_used_the_service_before_reaches_the_same_phones_with_the_same_settings(tmp_path):
    site = Installation(tmp_path / "site")
    guide = Guide("moving", {name: f"{site.folder}/{name}" for name in FILES})
    site.tables = guide.tables()
    await site.open()
    try:
        for name, content in zip(FILES, [*guide.blocks("csv"), "Example-12-Only\n"], strict=True):
            (site.folder / name).write_text(content)
        await guide.run(site, *{words[0] for words, _ in guide.commands()})
        await site.command("customer", "add-range", "acme", "127.0.0.1/32")
        await site.start()

        await send(site, "0152 28817386", "Gate 4")
        await send(site, "004915228895456", "x" * 500)
        with pytest.raises(smtplib.SMTPRecipientsRefused, match="stop list"):
            await send(site, "IMCEASMS-+2B447700900199", "Nobody")
        await site.box.wait_for_mails(2, PATIENCE)
        shown = {sms.number: sms for sms in site.carrier.record.shown()}
        assert set(shown) == {"4915228817386", "4915228895456"}
        assert all(sms.sender == "ACME" for sms in shown.values())
        assert shown["4915228817386"].text == "Tor\nGate 4"
        assert len(shown["4915228895456"].text) == 3 * 153
        assert {str(one.message["Subject"]) for one in site.box.mails} == {
            "SMS an +49 1522 8817386: zugestellt",
            "SMS an +49 1522 8895456: zugestellt, aber gekürzt",
        }
    finally:
        await site.close()


async def send(site, number, text):
    to = f"{number}@eu.rsms.net"

    def deliver():
        with smtplib.SMTP("127.0.0.1", site.port, timeout=PATIENCE) as client:
            content = mail(text, to=(number,), sender=SENDER, subject="Tor").replace(b"sms.example.net", b"eu.rsms.net")
            assert client.sendmail(SENDER, [f'"{number}"@eu.rsms.net' if " " in number else to], content) == {}

    await asyncio.to_thread(deliver)
