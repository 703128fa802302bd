"""`mail2sms demo`: the whole path on this machine, shown: a mail goes in, an SMS comes out, its status comes back.

Real parts throughout: our SMTP server, SQLite, SMPP over TCP to the sandbox carrier, SMTP with STARTTLS to the sandbox
mailbox. Nothing leaves loopback. Not here: what runs (process.gateway).
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

from cli.context import database_of
from cli.serve import run
from cli.setup import DOMAIN, PASSWORD_NAME, write_configuration
from config.model import Config
from mta.sandbox import Sandbox, StoredMail
from process.gateway import Gateway, running_gateway
from process.log import configure_log
from smpp.simulator.record import Shown

PHONE = "+447700900123"
SENDER = "anna.keller@example.com"
_PATIENCE = 30.0
_LINE = "─" * 78


@click.command()
@click.option("--once", is_flag=True, help="End after the first round; exit code 0 only if all of it worked.")
@click.option("--verbose", is_flag=True, help="Show the gateway's log too.")
def demo(*, once: bool, verbose: bool) -> None:
    """Show a mail become an SMS on this machine, and its status come back as a mail; then serve until Ctrl-C."""
    with tempfile.TemporaryDirectory(prefix="mail2sms-demo-") as folder, Sandbox(hostname="mailbox.example.net") as box:
        values_of_route = {"domain": "*", "host": box.host, "port": box.port, "tls": "encrypt"}
        listen = f"127.0.0.1:{_free_port()}"
        config = write_configuration(
            Path(folder), listen, mail={"route": [values_of_route]}, log={"level": "info" if verbose else "error"}
        )
        configure_log(config.log)
        password = (Path(folder) / PASSWORD_NAME).read_text("utf-8").strip()
        try:
            run(_play(config, box, password, once=once))
        except _NotShownError as error:
            click.echo(f"The demo did not work: {error}", err=True)
            sys.exit(1)
        except KeyboardInterrupt:
            click.echo("Stopped; everything it wrote is gone.")


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
        status = await _status_mail(box)
        _show(f"3. The status mail, delivered over {status.tls or 'clear text'}", _readable(status))
        if once:
            return
        click.echo(f"Serving on 127.0.0.1:{port} until Ctrl-C. Send more: login «demo», password «{password}»,")
        click.echo(f"recipient {PHONE}@{DOMAIN}. Status mails go to the sandbox mailbox and nowhere else.")
        await _serve_on(gateway, box)


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
        code, answer = client.rcpt(f"{PHONE}@{DOMAIN}")
        if code == 250:
            code, answer = client.data(mail.as_bytes(policy=SMTP))
    if code != 250:
        raise _NotShownError(f"the gateway refused the mail: {code} {answer.decode()}")
    return f"{code} {answer.decode()}"


async def _phone(gateway: Gateway) -> Shown:
    (sandbox,) = gateway.sandboxes.values()
    try:
        async with asyncio.timeout(_PATIENCE):
            await sandbox.until(lambda: bool(sandbox.record.shown()))
    except TimeoutError as error:
        raise _NotShownError(f"no SMS reached the phone within {_PATIENCE:.0f} s") from error
    return sandbox.record.shown()[0]


async def _status_mail(box: Sandbox) -> StoredMail:
    try:
        return await box.wait_for_mail(_PATIENCE)
    except TimeoutError as error:
        raise _NotShownError(f"no status mail came within {_PATIENCE:.0f} s") from error


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
            _show(f"Status mail to {', '.join(mail.recipients)}", _readable(mail))
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
    body = message.get_body(("plain",))
    text = body.get_content() if body is not None else ""
    return f"From: {message['From']}\nTo: {message['To']}\nSubject: {message['Subject']}\n\n{text}"
