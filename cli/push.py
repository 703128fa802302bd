"""`mail2sms push …`: every push, of jobs and of inbound SMS: listed, shown, sent again; keys and templates.

Not here: what is allowed (gateway.admin), where pushes go (`customer push`, `action`).
"""

import asyncio
import base64
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from cli.admin_session import admin_session, customer_option, one_customer_option
from cli.context import config_option
from cli.files import read_text
from cli.shapes import NAME, change_command, since_option, table_command, view_command
from config.field_types import DURATION_EXPECTED, parse_duration
from gateway.admin.mail_templates import TemplateOwner
from gateway.admin.push_actions import check_push_url
from gateway.admin.push_keys import set_push_key
from gateway.admin.push_templates import (
    PushTopic,
    PushWorkshop,
    reset_push_template,
    sample_push,
    set_push_template,
)
from gateway.admin.pushes import list_pushes, replay_failed, replay_push, show_push
from gateway.admin.webhooks import pause_webhook, resume_webhook
from inbound.actions import PushForm
from process.allowances import networks_of
from sms.message import Origin
from sms.outbox import OutboxState
from sms.outcome import Done
from templates.pushes import standard_push_template
from templates.render import TemplateBroken

_form = click.option(
    "--form",
    type=click.Choice([*map(str, PushForm)]),
    default=PushForm.XML.value,
    show_default=True,
    help="How its values are escaped.",
)
_topic = click.option(
    "--of",
    "topic",
    type=click.Choice([*map(str, PushTopic)]),
    default=PushTopic.INBOUND.value,
    show_default=True,
    help="Of an inbound SMS, or of what became of a job.",
)
_profile = click.option("--profile", default="", metavar="NAME", help="Only of this profile's jobs.")
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


@click.command("test")
@config_option
@customer_option
@click.argument("url", required=False)
def try_one(file: Path, customer: str, url: str | None) -> None:
    """Push a sample to URL, or to the customer's push_url, now: with its template, key and login. Nothing is kept.

    The exit code is 1 unless the application took it.
    """
    from process.push import try_push

    with admin_session(file) as session:
        found, layers = session.in_force()
        owner = found.customer_named(customer)
        if owner is None:
            raise click.ClickException(f"there is no customer «{customer}»")
        settings = layers.resolve(owner.key, Origin.MAIL.value).settings
        target = url or settings.push_url
        if not target:
            raise click.ClickException(f"«{owner.name}» has no push_url: name a URL, or set one with «customer push»")
        check_push_url(target, owner.name, networks_of(session.config.push))
        notice = sample_push(owner.name, target, datetime.now(UTC), of_message=bool(settings.push_states))
        attempt = asyncio.run(try_push(session.config, session.database, notice))
    assert attempt is not None
    shown = ", ".join(filter(None, (attempt.host, attempt.address, attempt.tls, attempt.reply)))
    if isinstance(attempt.outcome, Done):
        click.echo(f"{target} took it: {shown}.")
    else:
        click.echo(
            f"{target} did not take it: {attempt.outcome.problem.text}{f' ({shown})' if shown else ''}", err=True
        )
        sys.exit(1)


@click.command("key")
@config_option
@NAME
@click.option(
    "--beside",
    default="24h",
    show_default=True,
    metavar="TIME",
    help="How long the key before signs as well; 0s where somebody else knows it.",
)
@click.option("--user", default="", metavar="ADDRESS", help="For the push_url of this user or application alone.")
def make_key(file: Path, name: str, beside: str, user: str) -> None:
    """Make the key that signs the pushes of the customer NAME, in place of the last one; it is shown once."""
    try:
        overlap = parse_duration(beside)
    except ValueError:
        raise click.UsageError(f"expected --beside {DURATION_EXPECTED}, got «{beside}»") from None
    secret = secrets.token_bytes(32)
    with admin_session(file) as session:
        session.change(lambda edit: set_push_key(edit, name, secret, overlap, user))
    click.echo(f"whsec_{base64.b64encode(secret).decode('ascii')}")


@click.command("show")
@_form
@_topic
def show_template(form: str, topic: str) -> None:
    """Print a standard template, from which own ones start."""
    click.echo(standard_push_template(PushForm(form), topic), nl=False)


@click.command("check")
@_form
@_topic
@_source
def check(form: str, topic: str, source_file: Path) -> None:
    """Try FILE as «set» or an action would, and keep nothing."""
    _read_good(form, topic, source_file)
    click.echo(f"{source_file}: good for the form «{form}».")


@click.command("preview")
@_form
@_topic
@_source
def preview(form: str, topic: str, source_file: Path) -> None:
    """Print what FILE makes of samples."""
    with _workshop() as workshop:
        try:
            for body in workshop.preview(PushForm(form), read_text(source_file), PushTopic(topic)):
                click.echo(body)
        except TemplateBroken as broken:
            raise click.ClickException(f"{source_file}: {broken}") from None


@click.command("set")
@config_option
@customer_option
@_profile
@_form
@_source
def set_one(*, file: Path, customer: str, profile: str, form: str, source_file: Path) -> None:
    """Make FILE the template of pushes that tell what became of jobs: they have its form from now on."""
    source = _read_good(form, PushTopic.STATUS.value, source_file)
    with admin_session(file) as session:
        owner = TemplateOwner(customer, profile)
        session.change(lambda edit: set_push_template(edit, owner, PushForm(form), source))


def _read_good(form: str, topic: str, source_file: Path) -> str:
    """Return the source; ends the command where it is not good."""
    source = read_text(source_file)
    with _workshop() as workshop:
        faults = workshop.find_faults(PushForm(form), source, PushTopic(topic))
    for fault in faults:
        click.echo(f"{source_file}: {fault}", err=True)
    if faults:
        sys.exit(1)
    return source


@contextmanager
def _workshop() -> Iterator[PushWorkshop]:
    workshop = PushWorkshop()
    try:
        yield workshop
    finally:
        workshop.close()


template = click.Group(
    "template",
    help="""Handle templates of pushes: Jinja, whose values are escaped as the form demands.

    One for status pushes is a customer's or a profile's; one for inbound SMS belongs to an action.
    """,
    commands=[
        show_template,
        check,
        preview,
        set_one,
        change_command(
            "reset",
            "Take an own template of status pushes away; the next weaker or the standard one goes out again.",
            lambda edit, customer, profile: reset_push_template(edit, TemplateOwner(customer, profile)),
            customer_option,
            _profile,
        ),
    ],
)

push = click.Group(
    "push",
    help="Look at pushes to customers' applications and send them again; handle their keys and templates.",
    commands=[
        table_command(
            "list",
            "List pushes, the newest first.",
            list_pushes,
            one_customer_option,
            click.option("--state", type=click.Choice([*map(str, OutboxState)]), help="Only those in it."),
            since_option,
            click.option("--limit", default=100, show_default=True, help="At most so many."),
        ),
        view_command("show", "Show a push with its attempts.", show_push, NAME),
        replay,
        try_one,
        make_key,
        change_command(
            "pause",
            "Have pushes to the webhook of a user or application wait.",
            pause_webhook,
            customer_option,
            click.argument("address"),
        ),
        change_command(
            "resume",
            "Send pushes to a webhook again, at once those that wait.",
            resume_webhook,
            customer_option,
            click.argument("address"),
        ),
        template,
    ],
)
