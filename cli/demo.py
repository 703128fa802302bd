"""`mail2sms demo`: both ways on this machine, shown.

A mail becomes an SMS, and its status comes back; the phone answers, its SMS becomes a mail, and the reply to that an
SMS. Real parts throughout: our SMTP server, SQLite, SMPP over TCP to the sandbox carrier, SMTP with STARTTLS to the
sandbox mailbox. Nothing leaves loopback. Not here: what runs (process.gateway), what the page shows (cli.demo_desk).
"""

import asyncio
import socket
import sys
import tempfile
from contextlib import AsyncExitStack
from email.message import EmailMessage
from functools import partial
from pathlib import Path

import click

from addressbook.rights import Role
from cli.admin_session import admin_session
from cli.context import database_of
from cli.demo_desk import OWN_NUMBER, PATIENCE, PHONE, SENDER, DemoDesk, commands, compose_mail, compose_reply, text_of
from cli.serve import run
from cli.setup import CONFIG_NAME, DOMAIN, PASSWORD_NAME, write_configuration
from config.model import Config
from gateway.admin.account_links import link_to_sign_in
from gateway.admin.accounts import invite_account
from gateway.admin.actions import make_action
from gateway.admin.numbers import make_number
from gateway.admin.settings import CustomerScope, set_settings
from mta.sandbox import Sandbox, StoredMail
from process.gateway import running_gateway
from process.log import configure_log
from smpp.simulator.record import ShownMessage
from smpp.simulator.simulator import Simulator
from templates.pages import Pages
from web.demo import Unusable, demo_routes
from web.server import HttpServer

_PAGE_PORT = 8642
ANSWER = "I am at pump 7. It runs again."
_LINE = "─" * 78


@click.command()
@click.option("--once", is_flag=True, help="End after the first round; exit code 0 only if all of it worked.")
@click.option("--port", default=_PAGE_PORT, show_default=True, help="Where the page is served; if taken, elsewhere.")
@click.option("--verbose", is_flag=True, help="Show the gateway's log too.")
def demo(*, once: bool, port: int, verbose: bool) -> None:
    """Show a mail become an SMS, and an answer from the phone a mail, on a page of this machine, until Ctrl-C."""
    with tempfile.TemporaryDirectory(prefix="mail2sms-demo-") as folder, Sandbox(hostname="mailbox.example.net") as box:
        values_of_route = {"domain": "*", "host": box.host, "port": box.port, "tls": "encrypt"}
        listen = f"127.0.0.1:{_free_port()}"
        config = write_configuration(
            Path(folder),
            listen,
            mail={"route": [values_of_route]},
            log={"level": "info" if verbose else "error"},
            http=[{"name": "portal", "address": f"127.0.0.1:{_free_port()}", "serves": ["portal"]}],
        )
        configure_log(config.log)
        _serve_number(Path(folder) / CONFIG_NAME)
        portal = _open_portal(Path(folder) / CONFIG_NAME, config.portal_address)
        password = (Path(folder) / PASSWORD_NAME).read_text("utf-8").strip()
        try:
            run(_play(config, box, password, portal, once=once, page_port=port))
        except (_NotShownError, Unusable) as error:
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


def _open_portal(file: Path, address: str) -> str:
    """Make Anna the administrator of the customer, and return a link that signs her in once."""
    with admin_session(file) as session:
        invite = partial(
            invite_account,
            address=SENDER,
            customer="demo",
            role=Role.ADMINISTRATOR,
            portal=address,
            name="Anna Keller",
            tell=False,
        )
        done = session.administration.change_now(invite, partial(link_to_sign_in, address=SENDER, portal=address))
        return str(done[-1].facts["link"])


class _NotShownError(Exception):
    """Something that the demo is about did not come."""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _play(  # noqa: PLR0913 - what was made before
    config: Config, box: Sandbox, password: str, portal: str, *, once: bool, page_port: int
) -> None:
    database = database_of(config.server)
    database.open(serving=True)
    async with AsyncExitStack() as stack:
        stack.callback(database.close)
        gateway = await stack.enter_async_context(running_gateway(config, database))
        (sandbox,) = gateway.sandboxes.values()
        port = config.listeners[0].address.port
        desk = DemoDesk(sandbox=sandbox, box=box, port=port, password=password, portal=portal)
        if once:
            await _tell_story(desk, sandbox, box)
            return
        address = await _serve_page(stack, desk, page_port)
        click.echo(f"The demo is on the page {address}\n")
        await _tell_story(desk, sandbox, box)
        click.echo(f"The portal, signed in as {SENDER}, once:\n   {portal}\n")
        click.echo(f"The page {address} shows all this, and sends more. From a terminal:\n")
        for name, command in commands(port, password):
            click.echo(f"{name}:\n   {command}\n")
        click.echo("Ctrl-C ends the demo, and everything that it wrote goes with it.\n")
        await asyncio.Event().wait()


async def _serve_page(stack: AsyncExitStack, desk: DemoDesk, port: int) -> str:
    """Serve the page until the stack ends, and return its address; where the port is taken, on any free one."""
    pages = Pages()
    routes = demo_routes(desk, pages.render, pages.read)
    try:
        server = HttpServer(routes, port=port)
        await server.start()
    except OSError:
        server = HttpServer(routes)
        await server.start()
    stack.push_async_callback(server.stop, 0)
    return f"http://127.0.0.1:{server.port}/"


async def _tell_story(desk: DemoDesk, sandbox: Simulator, box: Sandbox) -> None:
    """Show a mail become an SMS, its status mail, the phone's answer as a mail, and the reply as an SMS."""
    mail = compose_sample()
    _show("1. The mail, as Outlook would send it", _without_headers_of_no_interest(mail))
    await _send(desk, mail)
    shown = await _phone(sandbox)
    _show(f"2. The SMS, as the phone {shown.number} shows it (from {shown.sender or 'the carrier'})", shown.text)
    status = await _mail(box, 1)
    _show(f"3. The status mail, delivered over {status.tls or 'clear text'}", _readable(status))
    _show(f"4. The phone answers to {OWN_NUMBER}", ANSWER)
    await desk.type_sms(PHONE, ANSWER)
    received = await _mail(box, 2)
    _show(f"5. Its SMS as a mail, delivered over {received.tls or 'clear text'}", _readable(received))
    reply = compose_reply(received.message, "Thank you, please stay there.")
    _show("6. The reply, as a mail client writes it", _without_headers_of_no_interest(reply))
    await _send(desk, reply)
    shown = await _phone(sandbox, 2)
    _show(f"7. The SMS, as the phone {shown.number} shows it (from {shown.sender or 'the carrier'})", shown.text)


def compose_sample() -> EmailMessage:
    """Return a mail that shows what the gateway does: an own text with a signature below it."""
    return compose_mail(
        f"{PHONE}@{DOMAIN}",
        "Pump 7",
        "Pump 7 in hall 2 has stopped \u2013 please call the control room: +44 20 7946 0000.\n\n"
        "-- \nAnna Keller\nOperations, Example Ltd",
    )


async def _send(desk: DemoDesk, mail: EmailMessage) -> None:
    code, said = await desk.send(mail)
    if code != 250:
        raise _NotShownError(f"the gateway refused the mail: {code} {said}")
    click.echo(f"   The gateway says: {code} {said}\n")


async def _phone(sandbox: Simulator, count: int = 1) -> ShownMessage:
    """Return the SMS of this number, from 1, once the phone has it."""
    try:
        async with asyncio.timeout(PATIENCE):
            await sandbox.until(lambda: len(sandbox.record.shown()) >= count)
    except TimeoutError as error:
        raise _NotShownError(f"no SMS reached the phone within {PATIENCE:.0f} s") from error
    return sandbox.record.shown()[count - 1]


async def _mail(box: Sandbox, count: int) -> StoredMail:
    """Return the mail of this number, from 1, once it came."""
    try:
        return (await box.wait_for_mails(count, PATIENCE))[count - 1]
    except TimeoutError as error:
        raise _NotShownError(f"mail {count} did not come within {PATIENCE:.0f} s") from error


def _show(title: str, text: str) -> None:
    click.echo(f"{title}\n{_LINE}")
    click.echo("\n".join(f"   {line}" for line in text.strip().splitlines()))
    click.echo(f"{_LINE}\n")


def _without_headers_of_no_interest(mail: EmailMessage) -> str:
    shown = ("From", "To", "Subject")
    return "\n".join(f"{name}: {mail[name]}" for name in shown) + "\n\n" + str(mail.get_content())


def _readable(stored: StoredMail) -> str:
    message = stored.message
    return f"From: {message['From']}\nTo: {message['To']}\nSubject: {message['Subject']}\n\n{text_of(message)}"
