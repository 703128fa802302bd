"""Mail in, SMS out, status back, on the real process: what a user sees, and what survives."""

import asyncio
import json
import smtplib
from collections import Counter

import pytest

from smpp.simulator.script import Script
from sms.message import ReceiptState
from tests.kit.installation import SENDER, addresses, mail
from tests.kit.patience import PATIENCE


async def test_a_mail_becomes_an_sms_and_its_status_comes_back_over_tls(site):
    await site.open()
    await site.start()

    def send():
        with site.client() as client:
            client.sendmail(
                SENDER, addresses("+447700900123"), mail("Pump 7 has stopped", message_id="<1@example.com>")
            )

    await asyncio.to_thread(send)
    status = await site.box.wait_for_mail(120)
    (shown,) = site.carrier.record.shown()
    assert (shown.number, shown.text) == ("447700900123", "Pump 7 has stopped")
    assert status.tls.startswith("TLSv1.")
    assert status.message["To"] == SENDER
    assert status.message["In-Reply-To"] == "<1@example.com>"
    assert status.message["Auto-Submitted"] == "auto-replied"
    assert status.envelope_from in ("", "<>")
    assert "Reported by the network" in status.message.get_body(("plain",)).get_content()
    assert await site.stop() == 0


async def test_a_status_mail_and_the_listings_have_the_names_of_those_who_were_written_to(site):
    await site.open()
    of = ("--customer", "demo")
    await site.command("user", "add", "anna@example.org", *of, "--name", "Anna Keller", "--phone", "+44 7700 900123")
    (site.folder / "members.csv").write_text("number,first name,last name\n+447700900124,Jonas,Weber\n")
    await site.command("list", "add", *of, "--author", "*", "crew")
    await site.command("list", "import", *of, "crew", str(site.folder / "members.csv"))
    await site.start()
    job = await site.send("To one")
    status = (await site.box.wait_for_mail(120)).message
    assert "Anna Keller (+44 7700 900123)" in status["Subject"]
    assert "Anna Keller (+44 7700 900123)" in status.get_body(("plain",)).get_content()
    assert ", Anna Keller: delivered" in await site.command("status", job)

    def send_to_three():
        with site.client() as client:
            numbers = addresses("+447700900123", "+447700900124", "+447700900125")
            client.sendmail(SENDER, numbers, mail("To three", to=("+447700900123",)))

    await asyncio.to_thread(send_to_three)
    status = (await site.box.wait_for_mails(2, PATIENCE))[-1].message
    text = " ".join(status.get_body(("plain",)).get_content().split())
    for shown in ("Anna Keller (+44 7700 900123)", "Jonas Weber (+44 7700 900124)", "+44 7700 900125"):
        assert shown in text
    page = status.get_body(("html",)).get_content()
    assert "<bdi>Jonas Weber</bdi><br>" in page.replace("=\n", "")
    listed = json.loads(await site.command("user", "list", *of, "--json"))
    assert [(row["name"], row["phone"]) for row in listed if row["name"]] == [("Anna Keller", "+447700900123")]
    assert "Anna Keller" not in "".join(site.log)
    assert await site.stop() == 0


async def test_one_mail_to_several_numbers_is_one_job_with_one_report_and_names_what_was_refused(site):
    await site.open(Script(states={"447700900102": ReceiptState.UNDELIVERABLE}))
    await site.start()

    def send():
        with site.client() as client:
            client.mail(SENDER)
            replies = [client.rcpt(address)[0] for address in addresses("+447700900101", "+447700900102", "+4930123")]
            return replies, client.data(mail("Hello all", to=("+447700900101", "+447700900102")))

    replies, (code, _) = await asyncio.to_thread(send)
    assert (replies[:2], replies[2] // 100, code) == ([250, 250], 5, 250)
    status = await site.box.wait_for_mail(120)
    text = status.message.get_body(("plain",)).get_content()
    assert "+44 7700 900101" in text
    assert "+44 7700 900102" in text
    assert len(site.jobs()) == 1
    assert site.states() == {"delivered": 1, "undelivered": 1}


async def test_two_spellings_of_one_number_are_one_sms(site):
    await site.open()
    await site.start()

    def send():
        with site.client() as client:
            client.sendmail(SENDER, addresses("+447700900101", "00447700900101", "SMS=+447700900101"), mail("Once"))

    await asyncio.to_thread(send)
    await site.box.wait_for_mail(120)
    assert [shown.text for shown in site.carrier.record.shown()] == ["Once"]


async def test_a_mail_sent_again_is_answered_with_the_first_job_and_goes_out_once(site):
    await site.open()
    await site.start()
    again = mail("Only once", message_id="<again@example.com>")

    def send():
        with site.client() as client:
            replies = []
            for _ in range(2):
                client.mail(SENDER)
                client.rcpt(addresses("+447700900101")[0])
                replies.append(client.data(again))
            return replies

    first, second = await asyncio.to_thread(send)
    assert first == second
    await site.box.wait_for_mail(120)
    assert len(site.carrier.record.taken) == 1
    assert len(site.jobs()) == 1


async def test_nobody_sends_without_a_proof_and_nobody_relays(site):
    await site.open()
    await site.start()

    def send():
        with smtplib.SMTP("127.0.0.1", site.port, timeout=PATIENCE) as client:
            client.ehlo()
            client.mail(SENDER)
            unproven = client.rcpt(addresses("+447700900101")[0])
        with site.client() as client:
            client.mail(SENDER)
            return unproven, client.rcpt("somebody@example.org")

    unproven, relay = await asyncio.to_thread(send)
    assert (unproven[0], unproven[1][:5]) == (550, b"5.7.1")
    assert (relay[0], relay[1][:5]) == (550, b"5.7.1")


async def test_a_bounce_to_a_number_is_taken_and_dropped_and_status_tells_why(site):
    await site.open()
    await site.start()
    bounce = mail("Delivery failed", message_id="<b1@example.com>").replace(
        b"Subject:", b"X-Failed-Recipients: b@example.com\r\nSubject:", 1
    )

    def send():
        with site.client() as client:
            client.mail("")
            client.rcpt(addresses("+447700900101")[0])
            return client.data(bounce)

    code, said = await asyncio.to_thread(send)
    assert code == 250
    assert site.jobs() == []
    dropped = said.decode().split()[1]
    for name in (dropped, "<b1@example.com>", "b1@example.com"):
        told = await site.command("status", name)
        assert f"Mail {dropped}: taken " in told
        assert "not sent: a bounce\n  by its field X-Failed-Recipients\n" in told
        assert "customer demo, from host 127.0.0.1\n" in told
    assert json.loads(await site.command("status", dropped, "--json"))["mark"] == "X-Failed-Recipients"


@pytest.mark.slow
async def test_a_cut_link_in_the_middle_of_a_hundred_mails_sends_nothing_twice(site):
    """Must be seen 3: 100 mails to 3 recipients each, the carrier's link cut and restored in the middle."""
    await site.open(Script(receipt_delay=0.05), window=20)
    await site.start()

    def send(numbers):
        with site.client() as client:
            for n in numbers:
                recipients = [f"+4477009{n:03}{k:02}" for k in range(3)]
                client.sendmail(
                    SENDER, addresses(*recipients), mail(f"Mail {n}", to=recipients, message_id=f"<{n}@example.com>")
                )

    sending = [asyncio.to_thread(send, range(start, 100, 4)) for start in range(4)]
    tasks = [asyncio.ensure_future(one) for one in sending]
    await site.until(lambda: len(site.carrier.record.taken) > 90)
    site.carrier.cut_links()
    await asyncio.gather(*tasks)
    statuses = await site.box.wait_for_mails(100, PATIENCE)
    await site.until_all_told()
    taken = Counter((one.submitted.number, one.submitted.text) for one in site.carrier.record.taken)
    assert max(taken.values()) == 1
    states = {message.number: message.state for message in site.messages()}
    assert len(states) == 300
    unknown = {number for number, state in states.items() if state == "unknown"}
    assert {number for number, state in states.items() if state == "delivered"} == states.keys() - unknown
    assert states.keys() - {number for number, _ in taken} <= unknown
    assert len(statuses) == 100
    texts = {status.message["In-Reply-To"]: status.message.get_body(("plain",)).get_content() for status in statuses}
    assert len(texts) == 100
    for number in unknown:
        assert f"+{number}" in texts[f"<{int(number[7:10])}@example.com>"]
