"""`mail2sms push …`: every push, of jobs and of inbound SMS: listed, shown, sent again; keys and templates.

Not here: what is allowed (gateway.admin), where pushes go (`customer push`, `action`).
"""

import base64
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import click

from cli.admin_session import admin_session, one_customer_option
from cli.context import config_option
from cli.files import read_text
from cli.shapes import NAME, since_option, table_command, view_command
from gateway.admin.push_actions import PushWorkshop
from gateway.admin.push_keys import set_push_key
from gateway.admin.pushes import list_pushes, replay_failed, replay_push, show_push
from inbound.actions import PushForm
from sms.outbox import OutboxState
from templates.pushes import standard_push_template
from templates.render import TemplateBroken

_form = click.option(
    "--form",
    type=click.Choice([*map(str, PushForm)]),
    default=PushForm.XML.value,
    show_default=True,
    help="How its values are escaped.",
)
_source = click.argument("source_file", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.command("replay")
@config_option
@click.argument("names", metavar="[ID…]", nargs=-1)
@click.option("--failed", is_flag=True, help="All that failed; needs --since.")
@since_option
@one_customer_option
def replay(*, file: Path, names: tuple[str, ...], failed: bool, since: datetime | None, customer: str) -> None:
    """Send pushes that have ended again: the same events, with the same ids."""
    if failed == bool(names) or failed != (since is not None) or (customer and not failed):
        raise click.UsageError("give IDs, or --failed with --since and perhaps --customer")
    with admin_session(file) as session:
        if since is not None:
            session.change(lambda edit: replay_failed(edit, since, customer))
        else:
            session.change(*((lambda edit, name=name: replay_push(edit, name)) for name in names))


@click.command("key")
@config_option
@NAME
def make_key(file: Path, name: str) -> None:
    """Make the key that signs the pushes of the customer NAME, in place of the last one; it is shown once."""
    secret = secrets.token_bytes(32)
    with admin_session(file) as session:
        session.change(lambda edit: set_push_key(edit, name, secret))
    click.echo(f"whsec_{base64.b64encode(secret).decode('ascii')}")


@click.command("template")
@_form
def template(form: str) -> None:
    """Print the standard template of an inbound SMS, from which own ones start."""
    click.echo(standard_push_template(PushForm(form), "inbound"), nl=False)


@click.command("check")
@_form
@_source
def check(form: str, source_file: Path) -> None:
    """Try FILE as a template of an inbound SMS, and keep nothing."""
    with _workshop() as workshop:
        faults = workshop.find_faults(PushForm(form), read_text(source_file))
    for fault in faults:
        click.echo(f"{source_file}: {fault}", err=True)
    if faults:
        sys.exit(1)
    click.echo(f"{source_file}: good for the form «{form}».")


@click.command("preview")
@_form
@_source
def preview(form: str, source_file: Path) -> None:
    """Print what FILE makes of sample SMS."""
    with _workshop() as workshop:
        try:
            for body in workshop.preview(PushForm(form), read_text(source_file)):
                click.echo(body)
        except TemplateBroken as broken:
            raise click.ClickException(f"{source_file}: {broken}") from None


@contextmanager
def _workshop() -> Iterator[PushWorkshop]:
    workshop = PushWorkshop()
    try:
        yield workshop
    finally:
        workshop.close()


push = click.Group(
    "push",
    help="Look at pushes to customers' applications and send them again; handle their keys and templates.",
    commands=[
        table_command(
            "list",
            "List pushes, the newest first.",
            list_pushes,
            one_customer_option,
            click.option("--state", type=click.Choice([*map(str, OutboxState)]), default="", help="Only those in it."),
            since_option,
            click.option("--limit", default=100, show_default=True, help="At most so many."),
        ),
        view_command("show", "Show a push with its attempts.", show_push, NAME),
        replay,
        make_key,
        template,
        check,
        preview,
    ],
)
