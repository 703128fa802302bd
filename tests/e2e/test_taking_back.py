"""A scheduled SMS is confirmed with a link that takes it back; a mail there is kept, whatever is killed."""

import asyncio
import re
import smtplib
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from tests.kit.installation import SENDER, mail

NUMBERS = ("+447700900101", "+447700900102")


async def schedule(site, **script) -> str:
    """Start the gateway and have it keep a mail for tomorrow."""
    await site.open(**script)
    await site.command("customer", "set", "demo", "subject_options=on")
    await site.start()
    start = (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="seconds")
    job: str = await site.send("Gate 4", to=NUMBERS, subject=f"[JOBPERIOD:{start}] Gate")
    return job


async def write_to(site, address: str, *, sender: str = SENDER) -> tuple[int, str]:
    """Send a mail as a mail program does that follows the link, and return the reply to its content."""

    def deliver():
        with site.client() as client:
            client.mail(sender)
            assert client.rcpt(address) == (250, b"2.1.5 Recipient OK")
            return client.data(mail("", to=(address,), sender=sender))

    code, text = await asyncio.to_thread(deliver)
    return code, text.decode()


async def test_the_link_in_the_confirmation_takes_a_scheduled_job_back(site):
    job = await schedule(site)
    confirmed = await site.box.wait_for_mail(120)
    (link,) = re.findall(r'<a [^>]*href="([^"]*)"', confirmed.message.get_body(("html",)).get_content())
    parts = urlsplit(link)
    address = unquote(parts.path)
    assert parts.scheme == "mailto"
    assert "+" not in link
    assert address == f"cancel+{job}@sms.example.net"
    assert parse_qs(parts.query) == {"subject": [f"cancel {job}"]}
    plain = confirmed.message.get_body(("plain",)).get_content()
    assert address in plain
    assert "We have taken over your message. It goes out on " in plain
    assert await write_to(site, address.upper(), sender="eve@example.com") == (
        550,
        f"5.1.1 No such recipient: you sent no job {job}, or sent it from another address",
    )
    assert site.states() == {"queued": 2}
    assert await write_to(site, address) == (250, f"2.0.0 {job}: 2 SMS cancelled")
    assert "cancelled" in (await site.told(2)).lower()
    assert await write_to(site, address) == (250, f"2.0.0 {job}: cancelled before")
    assert site.states() == {"cancelled": 2}
    assert SENDER in await site.command("audit", "list", "--about", job)
    await site.until_all_told()
    assert len(site.box.mails) == 2
    assert site.carrier.record.taken == []


@pytest.mark.parametrize(
    ("killed_at", "left", "said"),
    [
        ("store.cancels:report_end", "queued", "2 SMS cancelled"),
        ("gateway.taking_back:TakenBack.__str__", "cancelled", "cancelled before"),
    ],
)
async def test_a_cancelling_that_was_killed_is_done_or_not_and_its_repeat_says_so(killed_at, left, said, site):
    job = await schedule(site)
    await site.box.wait_for_mail(120)
    assert await site.stop() == 0
    await site.start(killed_at=killed_at)
    address = f"cancel+{job}@sms.example.net"
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        await write_to(site, address)
    await site.until_killed()
    assert site.states() == {left: 2}
    await site.start()
    assert await write_to(site, address) == (250, f"2.0.0 {job}: {said}")
    assert "cancelled" in (await site.told(2)).lower()
    assert site.states() == {"cancelled": 2}


async def test_explain_says_what_a_mail_would_cancel(site):
    job = await schedule(site)
    address = f"cancel+{job}@sms.example.net"
    file = site.folder / "cancel.eml"
    file.write_bytes(mail("", to=(address,)))
    command = ("explain", "--from", SENDER, "--to", address, "--as", "demo")
    said = await site.command(*command, str(file))
    assert '"verdict": "cancel"' in said
    assert f'"cancels": {{\n    "job": "{job}",\n    "cancelled": 2,' in said
    assert site.states() == {"queued": 2}
