"""«mail2sms cancel»: what waits ends, what a carrier has is asked back, and the sender is told."""

import asyncio
from datetime import UTC, datetime, timedelta

from smpp.simulator.script import Script
from tests.kit.installation import SENDER, addresses, mail


async def send(site, *numbers):
    def go():
        with site.client() as client:
            client.mail(SENDER)
            for address in addresses(*numbers):
                client.rcpt(address)
            return client.data(mail("Cancel me", message_id="<c@example.com>"))[1].decode().split()[1]

    return await asyncio.to_thread(go)


async def test_a_message_that_no_carrier_was_offered_is_cancelled_at_once_and_its_sender_is_told(site):
    await site.open(Script(throttle_until=10**9))
    await site.start()
    job = await send(site, "+447700900101", "+447700900102")
    await site.until(lambda: [message.attempts > 0 for message in site.messages(state="queued")].count(True) == 2)
    assert "2 messages cancelled" in await site.command("cancel", job)
    status = await site.box.wait_for_mail(120)
    assert set(site.states()) == {"cancelled"}
    assert "cancelled" in status.message.get_body(("plain",)).get_content().lower()
    assert site.carrier.record.taken == []


async def test_a_carrier_that_offers_it_is_asked_to_hold_a_message_back(site):
    await site.open(Script(receipt_delay=60), cancels=True)
    await site.start()
    job = await send(site, "+447700900101")
    await site.until(lambda: site.states() == {"submitted": 1})
    assert "with a carrier" in await site.command("cancel", job)
    await site.until(lambda: site.states() == {"cancelled": 1})
    await site.box.wait_for_mail(120)
    assert site.cancel_requests() == []
    await site.until(lambda: any(f"event=job_settled job={job} by=carrier-cancel" in line for line in site.log))


async def test_a_text_that_its_carrier_took_whole_is_asked_back_once(site):
    await site.open(Script(receipt_delay=60), cancels=True, dialect={"long_messages": "whole"})
    await site.start()
    job = await site.send("x" * 300, to=("+447700900101",))
    await site.until(lambda: site.states() == {"submitted": 1})
    assert "with a carrier" in await site.command("cancel", job)
    await site.until(lambda: site.states() == {"cancelled": 1})
    assert [part.state for part in site.parts()] == ["cancelled"] * 2
    assert len(site.carrier.record.taken) == 1
    assert not any("event=cancel_asked" in line and "outcome=failed" in line for line in site.log)


async def test_a_carrier_that_does_not_offer_it_is_not_asked_and_the_message_goes_its_way(site):
    await site.open(Script(receipt_delay=2.5))
    await site.start()
    job = await send(site, "+447700900101")
    await site.until(lambda: site.states() == {"submitted": 1})
    await site.command("cancel", job)
    await site.until_all_told()
    assert site.states() == {"delivered": 1}


async def test_a_message_that_is_scheduled_for_later_is_cancelled_and_never_offered(site):
    await site.open()
    await site.command("customer", "set", "demo", "subject_options=on")
    await site.start()
    start = (datetime.now(UTC) + timedelta(days=2)).isoformat(timespec="seconds")
    job = await site.send("Not yet", to=("+447700900101",), subject=f"[JOBPERIOD:{start}] Later")
    assert "It goes out on" in await site.told()
    assert site.states() == {"queued": 1}
    assert "cancelled" in await site.command("cancel", job)
    assert "cancelled" in (await site.told(2)).lower()
    await site.until_all_told()
    assert site.carrier.record.taken == []


async def test_what_has_ended_or_is_not_there_cannot_be_cancelled_and_the_command_says_so(site):
    await site.open()
    await site.start()
    job = await site.send("Gone", to=("+447700900101",))
    await site.until_all_told()
    assert "everything of it has ended already" in await site.command("cancel", job)
    assert "J.20260101-000000-nobody" in await site.command("cancel", "J.20260101-000000-nobody", code=1)
    assert set(site.state(job).values()) <= {"submitted", "delivered"}
