"""`mail2sms demo`: both ways on this machine, shown.

A mail becomes an SMS, and its status comes back; the phone answers, its SMS becomes a mail, and the reply to that an
SMS. Real parts throughout: our SMTP server, SQLite, SMPP over TCP to the sandbox carrier, SMTP with STARTTLS to the
sandbox mailbox. Nothing leaves loopback. Not here: what runs (process.gateway).
"""

import asyncio
import smtplib
import socket
import sys
import tempfile
from contextlib import AsyncExitStack
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import make_msgid
from pathlib import Path

import click

from cli.admin_session import admin_session
from cli.context import database_of
from cli.serve import run
from cli.setup import CONFIG_NAME, DOMAIN, PASSWORD_NAME, write_configuration
from config.model import Config
from gateway.admin.actions import make_action
from gateway.admin.numbers import make_number
from gateway.admin.settings import CustomerScope, set_settings
from mta.sandbox import Sandbox, StoredMail
from process.gateway import Gateway, running_gateway
from process.log import configure_log
from smpp.simulator.record import Shown
from sms.message import Alphabet, EncodedText
from sms.parts import encode_text
from sms.settings import Unencodable

PHONE = "+447700900123"
OWN_NUMBER = "+447700900999"
SENDER = "anna.keller@example.com"
ANSWER = "I am at pump 7. It runs again."
_PATIENCE = 30.0
_LINE = "─" * 78


@click.command()
@click.option("--once", is_flag=True, help="End after the first round; exit code 0 only if all of it worked.")
@click.option("--verbose", is_flag=True, help="Show the gateway's log too.")
def demo(*, once: bool, verbose: bool) -> None:
    """Show a mail become an SMS, and an answer from the phone a mail, on this machine; then serve until Ctrl-C."""
    with tempfile.TemporaryDirectory(prefix="mail2sms-demo-") as folder, Sandbox(hostname="mailbox.example.net") as box:
        values_of_route = {"domain": "*", "host": box.host, "port": box.port, "tls": "encrypt"}
        listen = f"127.0.0.1:{_free_port()}"
        config = write_configuration(
            Path(folder), listen, mail={"route": [values_of_route]}, log={"level": "info" if verbose else "error"}
        )
        configure_log(config.log)
        _serve_number(Path(folder) / CONFIG_NAME)
        password = (Path(folder) / PASSWORD_NAME).read_text("utf-8").strip()
        try:
            run(_play(config, box, password, once=once))
        except _NotShownError as error:
            click.echo(f"The demo did not work: {error}", err=True)
            sys.exit(1)
        except KeyboardInterrupt:
            click.echo("Stopped; everything it wrote is gone.")


def _serve_number(file: Path) -> None:
    """Give the customer a number of its own, whose SMS go to whoever wrote to the handset last."""
    with admin_session(file) as session:
        session.change(
            lambda edit: make_number(edit, OWN_NUMBER, known_carriers=(), customer="demo"),
            lambda edit: make_action(
                edit, "people", "demo", "mail", {"to": "newest", "addresses": SENDER}, check_push=lambda *_: None
            ),
            lambda edit: set_settings(edit, CustomerScope("demo"), {"sender_id": OWN_NUMBER}),
            silent=True,
        )


class _NotShownError(Exception):
    """Something that the demo is about did not come."""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _play(config: Config, box: Sandbox, password: str, *, once: bool) -> None:
    database = database_of(config)
    database.open(serving=True)
    async with AsyncExitStack() as stack:
        stack.callback(database.close)
        gateway = await stack.enter_async_context(running_gateway(config, database))
        port = config.listeners[0].address.port
        mail = compose_sample()
        _show("1. The mail, as Outlook would send it", _without_headers_of_no_interest(mail))
        reply = await asyncio.to_thread(send, mail, port, "demo", password)
        click.echo(f"   The gateway says: {reply}\n")
        shown = await _phone(gateway)
        _show(f"2. The SMS, as the phone {shown.number} shows it (from {shown.sender or 'the carrier'})", shown.text)
        status = await _mail(box, 1)
        _show(f"3. The status mail, delivered over {status.tls or 'clear text'}", _readable(status))
        await _talk_back(gateway, box, port, password)
        if once:
            return
        click.echo(f"Serving on 127.0.0.1:{port} until Ctrl-C. Send more: login «demo», password «{password}»,")
        click.echo(f"recipient {PHONE}@{DOMAIN}. Status mails go to the sandbox mailbox and nowhere else.")
        await _serve_on(gateway, box)


async def _talk_back(gateway: Gateway, box: Sandbox, port: int, password: str) -> None:
    """Show the phone's answer become a mail, and the reply to that mail an SMS from the same number."""
    (sandbox,) = gateway.sandboxes.values()
    encoded = encode_text(ANSWER, coding=Alphabet.GSM7, unencodable=Unencodable.SMART, max_parts=1)
    assert isinstance(encoded, EncodedText)
    _show(f"4. The phone answers to {OWN_NUMBER}", ANSWER)
    await sandbox.deliver(PHONE, OWN_NUMBER, encoded)
    mail = await _mail(box, 2)
    _show(f"5. Its SMS as a mail, delivered over {mail.tls or 'clear text'}", _readable(mail))
    reply = compose_reply(mail.message)
    _show("6. The reply, as a mail client writes it", _without_headers_of_no_interest(reply))
    said = await asyncio.to_thread(send, reply, port, "demo", password)
    click.echo(f"   The gateway says: {said}\n")
    shown = await _phone(gateway, 2)
    _show(f"7. The SMS, as the phone {shown.number} shows it (from {shown.sender or 'the carrier'})", shown.text)


def compose_reply(mail: EmailMessage) -> EmailMessage:
    """Return a reply to a mail, with its text quoted below as mail clients do."""
    reply = EmailMessage()
    reply["From"] = f"Anna Keller <{SENDER}>"
    reply["To"] = str(mail["Reply-To"] or mail["From"])
    reply["Subject"] = f"Re: {mail['Subject']}"
    reply["Message-ID"] = make_msgid(domain="example.com")
    reply["In-Reply-To"] = mail["Message-ID"]
    reply["References"] = f"{mail['References'] or ''} {mail['Message-ID']}".strip()
    quoted = "\n".join(f"> {line}" for line in _text_of(mail).splitlines())
    reply.set_content(f"Thank you, please stay there.\n\nOn {mail['Date']}, {mail['From']} wrote:\n{quoted}\n")
    return reply


def compose_sample() -> EmailMessage:
    """Return a mail that shows what the gateway does: an own text with a signature below it."""
    mail = EmailMessage()
    mail["From"] = f"Anna Keller <{SENDER}>"
    mail["To"] = f"{PHONE}@{DOMAIN}"
    mail["Subject"] = "Pump 7"
    mail["Message-ID"] = make_msgid(domain="example.com")
    mail.set_content(
        "Pump 7 in hall 2 has stopped \u2013 please call the control room: +44 20 7946 0000.\n\n"
        "-- \nAnna Keller\nOperations, Example Ltd\n"
    )
    return mail


def send(mail: EmailMessage, port: int, login: str, password: str) -> str:
    """Send a mail to the gateway as a mail client does, and return its last reply."""
    with smtplib.SMTP("127.0.0.1", port, timeout=_PATIENCE) as client:
        client.login(login, password)
        client.mail(SENDER)
        code, answer = client.rcpt(mail["To"].addresses[0].addr_spec)
        if code == 250:
            code, answer = client.data(mail.as_bytes(policy=SMTP))
    if code != 250:
        raise _NotShownError(f"the gateway refused the mail: {code} {answer.decode()}")
    return f"{code} {answer.decode()}"


async def _phone(gateway: Gateway, count: int = 1) -> Shown:
    """Return the SMS of this number, from 1, once the phone has it."""
    (sandbox,) = gateway.sandboxes.values()
    try:
        async with asyncio.timeout(_PATIENCE):
            await sandbox.until(lambda: len(sandbox.record.shown()) >= count)
    except TimeoutError as error:
        raise _NotShownError(f"no SMS reached the phone within {_PATIENCE:.0f} s") from error
    return sandbox.record.shown()[count - 1]


async def _mail(box: Sandbox, count: int) -> StoredMail:
    """Return the mail of this number, from 1, once it came."""
    try:
        return (await box.wait_for_mails(count, _PATIENCE))[count - 1]
    except TimeoutError as error:
        raise _NotShownError(f"mail {count} did not come within {_PATIENCE:.0f} s") from error


async def _serve_on(gateway: Gateway, box: Sandbox) -> None:
    (sandbox,) = gateway.sandboxes.values()
    seen_sms, seen_mails = len(sandbox.record.shown()), len(box.mails)
    while True:
        await asyncio.sleep(0.5)
        for shown in sandbox.record.shown()[seen_sms:]:
            if not shown.missing:
                _show(f"SMS to {shown.number}", shown.text)
                seen_sms += 1
        for mail in box.mails[seen_mails:]:
            _show(f"Mail to {', '.join(mail.recipients)}", _readable(mail))
            seen_mails += 1


def _show(title: str, text: str) -> None:
    click.echo(f"{title}\n{_LINE}")
    click.echo("\n".join(f"   {line}" for line in text.strip().splitlines()))
    click.echo(f"{_LINE}\n")


def _without_headers_of_no_interest(mail: EmailMessage) -> str:
    shown = ("From", "To", "Subject")
    return "\n".join(f"{name}: {mail[name]}" for name in shown) + "\n\n" + str(mail.get_content())


def _readable(stored: StoredMail) -> str:
    message = stored.message
    return f"From: {message['From']}\nTo: {message['To']}\nSubject: {message['Subject']}\n\n{_text_of(message)}"


def _text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    return str(body.get_content()) if body is not None else ""
