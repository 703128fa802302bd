"""A phone answers, and the SMS finds the mailbox of who wrote to it, or the one that stands in for it."""

import pytest

from inbound.actions import MailAction, MailTo
from inbound.thread import read_thread
from sms.message import Alphabet
from sms.parts import encode_text
from sms.settings import Unencodable
from store.inbound_rules import write_settings
from tests.kit.installation import DOMAIN, SENDER
from tests.kit.mail_servers import Peer

PHONE, OWN = "447700900123", "447700900900"
SHARED = "info@example.com"
LEAVER = "bert@gone.example"


@pytest.fixture
async def desk(site):
    """Yield a site whose own number brings mail to who last wrote to the phone; the mail server of one domain refuses all."""
    async with Peer(answers={"RCPT": "550 5.1.1 no such mailbox"}) as refusing:
        site.tables = {"mail": {"admin_address": "admin@example.net", "route": []}}
        await site.open()
        text = site.file.read_text()
        routes = [
            f'[[mail.route]]\ndomain = "*"\nhost = "{site.box.host}"\nport = {site.box.port}\ntls = "encrypt"\n',
            f'[[mail.route]]\ndomain = "gone.example"\nhost = "{refusing.host}"\nport = {refusing.port}\n',
        ]
        site.file.write_text(text + "\n" + "\n".join(routes))
        for address in (SENDER, LEAVER):
            await site.command("user", "add", "--customer", "demo", address)
        demo = site.customers(name="demo")[0].key
        site.execute(
            "INSERT INTO own_number (key, digits, kind, country, state, sharing, customer_key, carriers, join_seconds)"
            " VALUES (1, ?, 'long', 'GB', 'active', 'dedicated', ?, '', 1)",
            OWN,
            demo,
        )
        site.execute(
            "INSERT INTO inbound_action (key, customer_key, name, canonical, kind, settings, active, problem, listed_key)"
            " VALUES (2, ?, 'mail', 'mail', 'mail', ?, ?, '', 0)",
            demo,
            write_settings(MailAction(to=MailTo.NEWEST, addresses=(SHARED,))),
            True,
        )
        await site.start()
        yield site


async def answer(site, text):
    """Let the phone answer our number."""
    encoded = encode_text(text, coding=Alphabet.GSM7, unencodable=Unencodable.SMART, max_parts=4)
    await site.carrier.deliver(f"+{PHONE}", f"+{OWN}", encoded)


async def mails_of_sms(site, count):
    """Return the mails of inbound SMS that the mailbox has, when there are so many."""

    def found():
        return [mail for mail in site.box.mails if mail.message["Message-ID"].startswith("<in.")]

    await site.until(lambda: len(found()) >= count)
    return found()


async def test_who_wrote_to_the_phone_gets_its_answers_as_one_thread(desk):
    await desk.send("When may we come?", to=(f"+{PHONE}",))
    await desk.until_all_told()
    await answer(desk, "After four")
    await mails_of_sms(desk, 1)
    await answer(desk, "Or tomorrow")
    first, second = (mail for mail in await mails_of_sms(desk, 2))
    assert first.recipients == second.recipients == (SENDER,)
    assert (first.envelope_from, second.envelope_from) == ("", "")
    assert first.tls.startswith("TLSv1.")
    assert first.message["From"] == f"SMS +44 7700 900123 <{PHONE}@{DOMAIN}>"
    assert first.message["Reply-To"].addresses[0].domain == DOMAIN
    assert first.message["Subject"] == second.message["Subject"] == "SMS from +44 7700 900123"
    thread = read_thread(str(second.message["References"]).split(), DOMAIN)
    assert thread.mails == {str(first.message["Message-ID"])[4:].partition("@")[0]}
    assert len(thread.roots) == 1
    text = second.message.get_body(("plain",)).get_content()
    assert "Or tomorrow" in text
    assert text.index("Or tomorrow") < text.index("After four")


async def test_a_mail_that_is_refused_for_good_goes_to_the_address_that_stands_in(desk):
    await desk.send("When may we come?", to=(f"+{PHONE}",), sender=LEAVER)
    await desk.until(lambda: desk.messages() and desk.messages()[0].state == "delivered")
    await answer(desk, "After four")
    (mail,) = await mails_of_sms(desk, 1)
    assert mail.recipients == (SHARED,)
    assert "for which no user was found or reached" in mail.message.get_body(("plain",)).get_content()
    rows = {row.recipient: (row.state, row.reason) for row in desk.outbox_rows(kind="inbound-mail")}
    assert rows == {LEAVER: ("failed", "mail-refused"), SHARED: ("sent", "")}


async def test_where_nobody_gets_the_sms_the_administrator_is_told_and_the_mail_stays_on_record(desk):
    desk.execute("UPDATE inbound_action SET settings = ?", write_settings(MailAction(to=MailTo.NEWEST)))
    await desk.stop()
    await desk.start()
    await desk.send("When may we come?", to=(f"+{PHONE}",), sender=LEAVER)
    await desk.until(lambda: desk.messages() and desk.messages()[0].state == "delivered")
    await answer(desk, "After four")

    def alert():
        return [
            mail for mail in desk.box.mails if "mail of a received SMS to gone.example" in str(mail.message["Subject"])
        ]

    await desk.until(lambda: len(alert()) == 1)
    assert alert()[0].recipients == ("admin@example.net",)
    told = alert()[0].message.get_body(("plain",))
    assert told is not None
    assert "After four" not in told.get_content()
    (row,) = desk.outbox_rows(kind="inbound-mail")
    shown = await desk.command("queue", "show", row.public_id)
    assert "550" in shown


async def test_a_user_who_was_disabled_gets_nothing_and_the_address_that_stands_in_does(desk):
    await desk.send("When may we come?", to=(f"+{PHONE}",))
    await desk.until_all_told()
    await desk.command("user", "disable", SENDER)
    await answer(desk, "After four")
    (mail,) = await mails_of_sms(desk, 1)
    assert mail.recipients == (SHARED,)
