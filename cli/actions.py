"""`mail2sms action …`: what is done with a customer's inbound SMS.

Not here: what is allowed (gateway.admin.actions), what a setting means (gateway.admin.action_fields).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from cli.admin_session import AdminSession, admin_session, customer_option, one_customer_option
from cli.context import config_option
from cli.files import read_text
from cli.shapes import NAME, assigned, change_command, table_command
from gateway.admin.actions import (
    ALL_NUMBERS,
    NO_KEYWORD,
    CheckPush,
    change_action,
    drop_action,
    find_push,
    list_actions,
    make_action,
)
from gateway.admin.lookup import get_customer
from inbound.actions import ActionKind, PushAction, PushForm
from process.allowances import networks_of

_ASSIGNMENTS = click.argument("assignments", nargs=-1, metavar="FIELD=VALUE…")
_TEMPLATE = click.option(
    "--template-file", metavar="FILE", type=click.Path(path_type=Path), help="The template of a push: «push template»."
)


@click.command("add")
@config_option
@customer_option
@click.option("--kind", required=True, type=click.Choice([*map(str, ActionKind)]), help="What it does.")
@click.option("--number", default=ALL_NUMBERS, show_default=True, metavar="NUMBER", help="For texts to this number.")
@click.option("--keyword", default=NO_KEYWORD, metavar="WORD", help="For texts that begin with it, else by default.")
@_TEMPLATE
@NAME
@_ASSIGNMENTS
def add_one(  # noqa: PLR0913 - the options of the command
    *,
    file: Path,
    customer: str,
    kind: str,
    number: str,
    keyword: str,
    template_file: Path | None,
    name: str,
    assignments: tuple[str, ...],
) -> None:
    """Add an action.

    \b
    mail   to=static|newest|all addresses=A,B profile=NAME
    reply  text=… text.mail=… text.de=… text.mail.de=…
    list   addresses=A,B at=10:00 mode=changes|full
    push   url=… method=POST|PUT form=xml|json|key-value|soap
           login=none|basic|digest user=… password_file=…
           header.NAME=…

    With to=newest, the addresses are for SMS whose handset none of the customer's users wrote to lately.
    """  # noqa: D301 - click wants the character
    fields = _assigned(assignments, template_file)
    with admin_session(file) as session:
        _refuse_broken(session, customer, name, fields)
        session.change(
            lambda edit: make_action(
                edit, name, customer, kind, fields, check_push=_checker(session), number=number, keyword=keyword
            )
        )


@click.command("set")
@config_option
@customer_option
@click.option("--number", metavar="NUMBER", help="For texts to this number, or «all».")
@click.option("--keyword", metavar="WORD", help="For texts that begin with it; an empty WORD: by default.")
@click.option("--enable/--disable", "active", default=None, help="Whether it is done.")
@_TEMPLATE
@NAME
@_ASSIGNMENTS
def set_one(  # noqa: PLR0913 - the options of the command
    *,
    file: Path,
    customer: str,
    number: str | None,
    keyword: str | None,
    active: bool | None,
    template_file: Path | None,
    name: str,
    assignments: tuple[str, ...],
) -> None:
    """Change an action; an empty VALUE is the default again.

    Every customer has the actions reply, stop, start and help. Their settings are text=…, text.SERVICE=…,
    text.LANGUAGE=… and text.SERVICE.LANGUAGE=…; stop and start have scope=service|customer as well.
    """
    fields = _assigned(assignments, template_file)
    with admin_session(file) as session:
        _refuse_broken(session, customer, name, fields)
        session.change(
            lambda edit: change_action(
                edit,
                name,
                customer,
                fields,
                check_push=_checker(session),
                number=number,
                keyword=keyword,
                active=active,
            )
        )


def _assigned(words: Sequence[str], template_file: Path | None) -> dict[str, str]:
    fields = assigned(words)
    return fields if template_file is None else {**fields, "template": read_text(template_file)}


def _refuse_broken(session: AdminSession, customer: str, name: str, fields: Mapping[str, str]) -> None:
    """End the command where the template of a push does not work: tried before the change, which waits for nothing."""
    if not fields.keys() & {"template", "form"}:
        return
    found = session.look(lambda tx: find_push(tx, get_customer(tx, customer), name))
    settings = found[1] if found is not None else PushAction(url="")
    form, source = fields.get("form") or settings.form, fields.get("template", settings.template)
    if not source:
        return
    from gateway.admin.push_templates import PushWorkshop

    workshop = PushWorkshop()
    try:
        faults = workshop.find_faults(PushForm(form), source) if form in list(PushForm) else []
    finally:
        workshop.close()
    if faults:
        raise click.ClickException("\n".join(["the template does not work; nothing was changed", *faults]))


def _checker(session: AdminSession) -> CheckPush:
    """Return what checks a push against the operator's file."""

    def check(settings: PushAction, customer: str) -> None:
        from gateway.admin.push_actions import check_push

        check_push(settings, customer, networks_of(session.config.push))

    return check


action = click.Group(
    "action",
    help="Handle what is done with a customer's inbound SMS: mail, reply, list or push, by default or for a keyword.",
    commands=[
        add_one,
        set_one,
        change_command(
            "remove",
            "Remove an action; of reply, stop, start and help, what the customer set.",
            drop_action,
            customer_option,
            NAME,
        ),
        table_command("list", "List actions with their settings.", list_actions, one_customer_option),
    ],
)
