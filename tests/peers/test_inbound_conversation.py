"""A conversation through real peers: node's smpp is the carrier, Postfix the mailbox, over TLS that was verified."""

import asyncio
import smtplib
from email.message import EmailMessage
from email.policy import SMTP

import pytest

from tests.kit.installation import Installation
from tests.kit.patience import PATIENCE
from tests.peers.postfix_relay import PostfixRelay
from tests.peers.smpp.node import Facts, centres
from tests.peers.smpp.tls import Authority

PHONE, OWN = "447700900123", "447700900999"
ANNA, BORIS, DESK = "anna@example.com", "boris@example.com", "desk@example.com"
QUESTION = "Will the fitter come today? The pump in hall 2 has stopped again and we have no spare one."
OUTLOOK = """\
<html xmlns:o="urn:schemas-microsoft-com:office:office"><head><meta charset="utf-8"></head><body lang="EN-GB">
<div class="WordSection1"><p class="MsoNormal">Yes, at four.<o:p></o:p></p><p class="MsoNormal"><o:p>&nbsp;</o:p></p>
<p class="MsoNormal"><a name="_MailAutoSig">Kind regards<br>Anna Keller<br>Example Ltd</a></p>
<div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm"><p class="MsoNormal">
<b>From:</b> {name} &lt;{address}&gt;<br><b>Sent:</b> 29 November 2026 14:10<br><b>To:</b> Anna Keller<br>
<b>Subject:</b> {subject}</p></div>
{quoted}</div></body></html>
"""


@pytest.fixture
async def conversation(tmp_path, database_url):
    authority = Authority(tmp_path / "certificates")
    key, chain = authority.files()
    key.chmod(0o644)
    mailbox = PostfixRelay("example.com", key=key, chain=chain)
    async with centres({"name": "alpha"}) as (facts, ports):
        site = Installation(
            tmp_path / "site",
            database_url,
            mail={
                "route": [{"domain": "*", "host": "localhost", "port": mailbox.port}],
                "tls": [{"domain": "example.com", "level": "private-ca", "ca_file": str(authority.file)}],
            },
        )
        try:
            await site.open(port=ports["alpha"])
            mailbox.start(site.port)
            await site.command("number", "add", f"+{OWN}", "--customer", "demo")
            for address, name in ((ANNA, "Anna Keller"), (BORIS, "Boris Brandt"), (DESK, "Service Desk")):
                await site.command("user", "add", address, "--customer", "demo", "--name", name)
            await site.command(
                "action", "add", "people", "--customer", "demo", "--kind", "mail", "to=newest", f"addresses={DESK}"
            )
            await site.command("customer", "set", "demo", f"sender_id=+{OWN}", "status_report=never")
            await site.start()
            await facts.until(lambda: bool(facts.those("bound")))
            yield site, facts, mailbox
        finally:
            await site.close()
            mailbox.stop()


async def arrived(mailbox: PostfixRelay, site: Installation, count: int) -> list[EmailMessage]:
    """Return the mails once there are so many."""
    await site.until(lambda: len(mailbox.mails()) >= count)
    return mailbox.mails()


def said(facts: Facts) -> list[tuple[str, str, str]]:
    """Return sender ID, number and text of each SMS that the carrier took."""
    return [(fact["source"][2], fact["destination"][2], fact["submitted"]) for fact in facts.those("submitted")]


async def answer(site: Installation, mail: EmailMessage, content: EmailMessage, envelope_from: str) -> None:
    """Answer a mail as a mail client does: to its Reply-To, in its thread."""
    content["To"] = str(mail["Reply-To"])
    content["Subject"] = f"Re: {mail['Subject']}"
    content["Message-ID"] = f"<{len(str(content))}.{envelope_from}>"
    content["In-Reply-To"] = mail["Message-ID"]
    content["References"] = f"{mail['References'] or ''} {mail['Message-ID']}".strip()
    recipient = mail["Reply-To"].addresses[0].addr_spec

    def send() -> None:
        with smtplib.SMTP("127.0.0.1", site.port, timeout=PATIENCE) as client:
            client.login("demo", site.password)
            client.sendmail(envelope_from, [recipient], content.as_bytes(policy=SMTP))

    await asyncio.to_thread(send)


def outlook_reply(mail: EmailMessage) -> EmailMessage:
    """Return an answer as classic Outlook writes it, with the mail quoted below."""
    body = mail.get_body(("html",))
    assert body is not None
    quoted = body.get_content().partition("<body")[2].partition(">")[2].partition("</body>")[0]
    sender = mail["From"].addresses[0]
    content = EmailMessage()
    content["From"] = f"Anna Keller <{ANNA}>"
    content.set_content(
        OUTLOOK.format(name=sender.display_name, address=sender.addr_spec, subject=mail["Subject"], quoted=quoted),
        subtype="html",
    )
    return content


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


@pytest.mark.slow
async def test_a_user_and_a_phone_talk_by_mail_and_sms_in_one_thread(conversation):
    site, facts, mailbox = conversation
    await site.send("Pump 7 is being looked at.", to=(f"+{PHONE}",), sender=ANNA)
    await facts.until(lambda: len(said(facts)) == 1)
    assert said(facts)[0][:2] == (OWN, PHONE)
    # Faster than any hand: the phone must not answer before it is stored that the carrier took the SMS.
    await site.until(lambda: {message.state for message in site.messages()}.isdisjoint({"queued", "submitting"}))

    parts = [QUESTION[:40], QUESTION[40:70], QUESTION[70:]]
    await facts.tell(deliver="alpha", source=PHONE, destination=OWN, texts=parts, order=[2, 0, 1])
    (asked,) = await arrived(mailbox, site, 1)
    assert asked["To"].addresses[0].addr_spec == ANNA
    assert PHONE in asked["From"].addresses[0].addr_spec
    assert QUESTION in text_of(asked).replace("\n", " ")
    assert "Pump 7 is being looked at." in text_of(asked)
    assert any("TLS" in received for received in asked.get_all("Received", []))

    await answer(site, asked, outlook_reply(asked), ANNA)
    await facts.until(lambda: len(said(facts)) == 2)
    assert said(facts)[1] == (OWN, PHONE, "Yes, at four.")

    await facts.tell(deliver="alpha", source=PHONE, destination=OWN, texts=["Good, thank you"])
    _, thanked = await arrived(mailbox, site, 2)
    assert thanked["Subject"] == asked["Subject"]
    assert asked["Message-ID"] in thanked["References"]
    assert thanked["Reply-To"] == asked["Reply-To"]
    assert "Yes, at four." in text_of(thanked)

    # From a shared mailbox: From is the mailbox, Sender who wrote it, who is proven.
    content = EmailMessage()
    content["From"] = f"Service Desk <{DESK}>"
    content["Sender"] = f"Boris Brandt <{BORIS}>"
    content.set_content("Shall we bring a spare pump?\n")
    await answer(site, thanked, content, BORIS)
    await facts.until(lambda: len(said(facts)) == 3)
    assert said(facts)[2] == (OWN, PHONE, "Shall we bring a spare pump?")

    await facts.tell(deliver="alpha", source=PHONE, destination=OWN, texts=["Yes please"])
    *_, last = await arrived(mailbox, site, 3)
    assert "Boris" in text_of(last)
    assert len(mailbox.mails()) == 3
