"""A stop list beside a running gateway: RCPT, the queue and the sender hear of it, until the entry is ended."""

import smtplib

import pytest

from smpp.simulator.script import Script, Treatment
from smpp.wire.statuses import Status
from tests.e2e.test_inbound import whole
from tests.kit.inbound_harness import PHONE as HANDSET
from tests.kit.inbound_harness import furnish_site
from tests.kit.installation import SENDER, Installation, addresses, mail

PHONE = "+447700900101"
BUSY = Treatment(status=Status.RSYSERR)


async def test_a_stop_ends_what_is_queued_and_refuses_what_comes_until_it_is_ended(site: Installation) -> None:
    unwell = [True]
    await site.open(Script(treat=lambda _: BUSY if unwell[0] else None))
    await site.start()
    job = await site.send("Still waiting", to=(PHONE,))
    await site.until(lambda: [message.attempts > 0 for message in site.messages(state="queued")] == [True])
    assert "1 waiting SMS ended" in await site.command("stoplist", "add", PHONE, "--customer", "demo")
    assert "BLOCKED" in await site.told()
    assert site.state(job) == {PHONE.removeprefix("+"): "rejected"}
    assert "BLOCKED" in await site.command("status", job)
    assert "BLOCKED" in await site.until_answered(PHONE, 550)
    await site.command("stoplist", "remove", PHONE, "--customer", "demo")
    unwell[0] = False
    await site.until_answered(PHONE, 250)
    again = await site.send("Welcome back", to=(PHONE,))
    await site.told(2)
    assert site.state(again) == {PHONE.removeprefix("+"): "delivered"}
    assert [taken.submitted.text for taken in site.carrier.record.taken] == ["Welcome back"]


async def test_of_several_recipients_the_report_names_who_is_blocked(site: Installation) -> None:
    await site.open()
    await site.command("stoplist", "add", PHONE, "--customer", "demo", "--service", "mail")
    await site.start()
    with site.client() as client, pytest.raises(smtplib.SMTPDataError, match="BLOCKED"):
        client.sendmail(SENDER, addresses(PHONE), mail("Hello", to=(PHONE,)))
    job = await site.send("To both", to=(PHONE, "+447700900102"))
    assert "BLOCKED" in await site.told()
    assert site.state(job) == {"447700900101": "rejected", "447700900102": "delivered"}


@pytest.mark.slow
async def test_a_phone_stops_what_waits_and_what_comes_and_starts_it_again(site: Installation) -> None:
    unwell = [True]
    await site.open(Script(treat=lambda _: BUSY if unwell[0] else None))
    furnish_site(site)
    await site.start()
    job = await site.send("Still waiting", to=(HANDSET,))
    await site.until(lambda: [message.attempts > 0 for message in site.messages(state="queued")] == [True])
    assert await site.carrier.deliver_raw(whole(b"Stop, thanks", HANDSET)) == 0
    assert "BLOCKED" in await site.told()
    assert site.state(job) == {HANDSET.removeprefix("+"): "rejected"}
    assert "sms" in await site.command("stoplist", "list", "--customer", "demo")
    with site.client() as client, pytest.raises(smtplib.SMTPException, match="BLOCKED"):
        client.sendmail(SENDER, addresses(HANDSET), mail("Hello", to=(HANDSET,)))
    await site.until_answered(HANDSET, 550)
    unwell[0] = False
    await site.until(lambda: len(site.carrier.record.taken) == 1)
    assert "no more SMS" in site.carrier.record.taken[0].submitted.text
    assert await site.carrier.deliver_raw(whole(b"START", HANDSET)) == 0
    await site.until(lambda: len(site.carrier.record.taken) == 2)
    again = await site.send("Welcome back", to=(HANDSET,))
    await site.told(2)
    assert site.state(again) == {HANDSET.removeprefix("+"): "delivered"}
