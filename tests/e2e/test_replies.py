"""A handset writes, and who answers by mail reaches it from the number that it wrote to: with the real process."""

import asyncio
from contextlib import closing

import pytest

from cli.context import database_of
from config.model import Config, load_config
from inbound.actions import MailAction
from inbound.reply_token import Conversation, write_reply_token
from inbound.thread import root_id
from process.clock import SystemClock
from smpp.simulator.simulator import Simulator
from sms.message import Alphabet
from sms.parts import encode_text
from sms.settings import Unencodable
from store.dropped import DroppedMailRow
from store.inbound_rules import write_settings
from store.inbound_tables import ConversationRow
from store.inbound_views import load_inbound_reports
from store.tables import MetaRow
from tests.kit.installation import DOMAIN
from tests.kit.patience import PATIENCE

PHONE, OWN, SECOND = "447700900123", "447700900900", "447700900901"
DESK, ANNA = "desk@example.com", "anna.keller@example.com"


@pytest.fixture
async def beta():
    simulator = Simulator(accounts={"gateway": "secret"}, clock=SystemClock())
    await simulator.start()
    yield simulator
    await simulator.stop()


async def open_with_numbers(site, beta, *, mailed_to=""):
    """Open a site whose two numbers are served by the carrier that is not the best; their SMS may go to a mailbox."""
    site.more_carriers = [{"name": "beta", "port": beta.port, "priority": 20}]
    await site.open(priority=10)
    demo = site.customers(name="demo")[0].key
    for key, digits in enumerate((OWN, SECOND), 1):
        site.execute(
            "INSERT INTO own_number (key, digits, kind, country, state, sharing, customer_key, carriers, join_seconds)"
            " VALUES (?, ?, 'long', 'GB', 'active', 'dedicated', ?, 'beta', 600)",
            key,
            digits,
            demo,
        )
    if mailed_to:
        site.execute(
            "INSERT INTO inbound_action (key, customer_key, name, canonical, kind, settings, active, problem, listed_key)"
            " VALUES (1, ?, 'desk', 'desk', 'mail', ?, ?, '', 0)",
            demo,
            write_settings(MailAction(addresses=(mailed_to,))),
            True,
        )
    await site.start()
    await beta.until(lambda: beta.bound > 0)
    return demo


async def receive(site, beta, text, own=OWN):
    """Let the handset write, and return the conversation's key when the gateway has handled it."""
    before = len(site.inbound_sms())
    encoded = encode_text(text, coding=Alphabet.GSM7, unencodable=Unencodable.SMART, max_parts=4)
    await beta.deliver(f"+{PHONE}", f"+{own}", encoded)
    await site.until(lambda: len(site.inbound_sms()) > before)
    return site.stored(ConversationRow, own_number=own)[0].key


def token(site, customer, own=OWN):
    (stored,) = site.stored(MetaRow, name="secret.reply")
    return write_reply_token(
        bytes.fromhex(stored.value), Conversation(customer_key=customer, phone=PHONE, own_number=own)
    )


def reply(words, to, *, author=ANNA, **fields):
    """Return an answer as new Outlook writes it."""
    header = {"From": author, "To": f"SMS <{to}>", "Subject": "AW: SMS von +44 7700 900123", **fields}
    html = (
        f'<div class="elementToProof">{words}</div><div id="Signature"><p>Anna Keller<br>Example AG</p></div>'
        '<div id="appendonsend"></div><hr><div id="divRplyFwdMsg" dir="ltr"><b>Von:</b> SMS +447700900123<br>'
        "<b>Gesendet:</b> Montag, 23. November 2026 16:10<br><b>An:</b> Keller, Anna<br><b>Betreff:</b> SMS</div>"
        "<div>Passt 16 Uhr?</div>"
    )
    lines = [f"{name}: {value}" for name, value in header.items()]
    lines += ["MIME-Version: 1.0", "Content-Type: text/html; charset=utf-8", "", html]
    return "\r\n".join(lines).encode()


async def mail(site, raw, to, *, reverse_path=ANNA):
    """Send a mail and return the answers to RCPT and DATA."""

    def send():
        with site.client() as client:
            client.mail(reverse_path)
            code, text = client.rcpt(to)
            return (code, text.decode()) if code != 250 else (client.data(raw)[0], "")

    return await asyncio.to_thread(send)


async def test_an_answer_reaches_the_handset_from_the_number_that_it_wrote_to(site, beta):
    customer = await open_with_numbers(site, beta)
    await receive(site, beta, "Passt 16 Uhr?")
    to = f"{token(site, customer)}@{DOMAIN}"
    assert await mail(site, reply("Ja, 16 Uhr passt.", to), to.upper()) == (250, "")
    await site.until_all_told()
    assert [(one.number, one.sender, one.text) for one in beta.record.shown()] == [(PHONE, OWN, "Ja, 16 Uhr passt.")]
    assert site.carrier.record.shown() == []
    status = await site.box.wait_for_mail(120)
    assert status.message["To"] == ANNA


async def test_a_mailbox_answers_the_mail_that_it_got_and_sees_its_answer_below_the_next(site, beta):
    customer = await open_with_numbers(site, beta, mailed_to=DESK)
    await receive(site, beta, "Passt 16 Uhr?")
    (first,) = await site.box.wait_for_mails(1, PATIENCE)
    assert first.message["From"].endswith(f"<{PHONE}@{DOMAIN}>")
    to = first.message["Reply-To"].addresses[0].addr_spec
    assert to == f"{token(site, customer)}@{DOMAIN}"
    thread = {"In-Reply-To": first.message["Message-ID"], "References": first.message["References"]}
    raw = reply("Ja, 16 Uhr passt.", to, author=DESK, Sender=ANNA, **thread)
    assert (await mail(site, raw, to)) == (250, "")
    await site.until_all_told()
    assert [(one.sender, one.text) for one in beta.record.shown()] == [(OWN, "Ja, 16 Uhr passt.")]
    await receive(site, beta, "Danke")
    await site.until(lambda: any("Danke" in text_of(item) for item in site.box.mails))
    last = next(item for item in site.box.mails if "Danke" in text_of(item))
    assert "Ja, 16 Uhr passt." in text_of(last)
    assert ANNA in text_of(last)


def text_of(received):
    return received.message.get_body(("plain",)).get_content()


async def test_the_number_alone_answers_the_conversation_of_the_thread_else_the_newest(site, beta):
    await open_with_numbers(site, beta)
    first = await receive(site, beta, "One?")
    await receive(site, beta, "Two?", SECOND)
    to = f"{PHONE}@{DOMAIN}"
    root = root_id(first, DOMAIN)
    assert (await mail(site, reply("To one.", to, References=root), to))[0] == 250
    assert (await mail(site, reply("To two.", to), to))[0] == 250
    await site.until_all_told()
    assert {one.text: one.sender for one in beta.record.shown()} == {"To one.": OWN, "To two.": SECOND}


async def test_who_answers_on_behalf_of_a_mailbox_is_shown_below_the_next_sms(site, beta):
    customer = await open_with_numbers(site, beta)
    await receive(site, beta, "Who is there?")
    to = f"{token(site, customer)}@{DOMAIN}"
    raw = reply("The desk.", to, author=f"Desk <{DESK}>", Sender=f"Anna <{ANNA}>")
    assert (await mail(site, raw, to))[0] == 250
    status = await site.box.wait_for_mail(120)
    assert status.message["To"] == ANNA
    await receive(site, beta, "Thanks")
    key = site.inbound_sms()[-1].key
    config = load_config(site.file)
    assert isinstance(config, Config)
    with closing(database_of(config.server)) as database:
        database.open()
        told = database.read_now(lambda tx: load_inbound_reports(tx, [key]))[key]
    assert [(item.text, item.by) for item in told.earlier] == [("The desk.", ANNA), ("Who is there?", "")]


async def test_out_of_office_and_a_forged_reply_address_text_nobody(site, beta):
    customer = await open_with_numbers(site, beta)
    await receive(site, beta, "Passt 16 Uhr?")
    to = f"{token(site, customer)}@{DOMAIN}"
    away = (
        f"From: {DESK}\r\nTo: {to}\r\nSubject: Automatische Antwort: SMS\r\nauto-submitted: auto-generated\r\n"
        "X-MS-Exchange-Inbox-Rules-Loop: desk@example.com\r\n\r\nIch bin nicht im B=FCro."
    )
    assert (await mail(site, away.encode(), to, reverse_path=""))[0] == 250
    code, text = await mail(site, reply("Yes", to), "r.aaaa" + to[6:])
    assert (code, "reply address" in text) == (550, True)
    code, _ = await mail(site, reply("", to), to)
    assert code == 554
    assert site.jobs() == []
    assert [dropped.reason for dropped in site.stored(DroppedMailRow)] == ["auto-reply"]
