"""`mail2sms user …`: who sends, with which profile, logins and pinned settings.

Not here: what is allowed (gateway.admin), the address book file (people).
"""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.admin_session import (
    AdminSession,
    admin_session,
    asked_password,
    customer_option,
    json_option,
    new_password,
    one_customer_option,
    password_option,
    random_option,
    verifiers_of,
)
from cli.context import config_option
from cli.printed import origin_words
from cli.shapes import change_command, limit_command, settings_commands, table_command, view_command
from cli.trust import BOUND, LOGIN, SET_LOGIN_HELP
from cli.use_cases import drift, explained, logins, settings, stop_list, users, views

if TYPE_CHECKING:
    from addressbook.hierarchy import LayerKind
    from gateway.admin.edit import Change
    from gateway.admin.explained import ExplainedUser

_ADDRESS = click.argument("address")


@click.command("add")
@config_option
@customer_option
@click.argument("address")
@click.option("--profile", default="", metavar="NAME", help="Instead of the customer's default one.")
@click.option("--name", default="", metavar="TEXT", help="How the user is called.")
@click.option("--phone", default="", metavar="NUMBER", help="The user's phone, whose name stands for it.")
@click.option("--login", metavar="LOGIN", help="The login, if a password is given; default: the address.")
@password_option
@random_option
def add_whole(  # noqa: PLR0913 - the options of the command
    *,
    file: Path,
    customer: str,
    address: str,
    profile: str,
    name: str,
    phone: str,
    login: str | None,
    password_file: Path | None,
    random_file: Path | None,
) -> None:
    """Add a user, with a login where a password is given."""
    with asked_password(password_file, random_file) as password, admin_session(file) as session:
        digits = _digits(session, customer, phone)
        changes: list[Change] = [
            lambda edit: users.add_user(edit, customer, address, profile=profile, name=name, phone=digits)
        ]
        if password is not None:
            made = verifiers_of(password)
            changes.append(
                lambda edit: logins.add_login(edit, login or address, made.password, user=address, scram=made.scram)
            )
        session.change(*changes)


@click.command("phone")
@config_option
@_ADDRESS
@click.argument("number", default="")
def give_phone(file: Path, address: str, number: str) -> None:
    """Say which phone is a user's; without NUMBER none. A number without a plus is of the customer's country."""
    with admin_session(file) as session:
        customer = str(session.look(lambda tx: views.show_user(tx, address))["customer"])
        digits = _digits(session, customer, number)
        session.change(lambda edit: users.set_user_phone(edit, address, digits))


def _digits(session: AdminSession, customer: str, number: str) -> str:
    return stop_list.parse_handsets([number], session.country_of(customer))[0] if number else ""


@click.command("add-login")
@config_option
@click.argument("address")
@click.option("--login", metavar="LOGIN", help="Default: the address.")
@password_option
@random_option
def give_login(
    file: Path, address: str, login: str | None, password_file: Path | None, random_file: Path | None
) -> None:
    """Add a login of a user, or give it a new password."""
    with new_password(password_file, random_file) as password, admin_session(file) as session:
        made = verifiers_of(password)
        session.change(
            lambda edit: logins.add_login(edit, login or address, made.password, user=address, scram=made.scram)
        )


@click.command("explain")
@config_option
@json_option
@click.option("--service", default="mail", show_default=True, metavar="NAME", help="Through which door.")
@click.argument("address")
@click.argument("fields", nargs=-1, metavar="[FIELD…]")
def explain_one(file: Path, service: str, address: str, fields: tuple[str, ...], *, as_json: bool) -> None:
    """Say for every setting what is in force, which layer decided it, and what that layer overruled."""
    with admin_session(file) as session:
        directory, layers = session.in_force()
        answer = session.look(lambda tx: explained.explain_user(tx, directory, layers, address, service, fields))
    if as_json:
        click.echo(json.dumps(answer.view(), indent=2, ensure_ascii=False))
    else:
        _print_explained(answer)


def _print_explained(answer: "ExplainedUser") -> None:
    with_profile = f", profile {answer.profile}" if answer.profile else ""
    click.echo(f"{answer.address}: customer {answer.customer}{with_profile}, through {answer.service}")
    for name in answer.fields:
        item = answer.resolved.explained[name]
        ended = ", which stops inheritance" if item.ended else ""
        told = f"{origin_words(item)}{_set(answer, item.layer, name)}{ended}"
        click.echo(f"{name} = {views.spoken_value(item.value) or '(empty)'}   from {told}")
        for cell in item.shadowed:
            where = f"{cell.layer} {cell.owner}".strip()
            told = f"{where} ({cell.origin}){_set(answer, cell.layer, name)}: {cell.why}"
            click.echo(f"    not {views.spoken_value(cell.value) or '(empty)'}   from {told}")
    for refused in answer.resolved.refused:
        click.echo(f"refused: {refused.detail}")
    for clamped in answer.clamped:
        click.echo(f"{clamped.field}: {clamped.why}")


def _set(answer: "ExplainedUser", layer: "LayerKind", name: str) -> str:
    found = answer.stored.get((layer, name))
    return f", set {found.at:%Y-%m-%d %H:%M} UTC by {found.by}" if found is not None else ""


user = click.Group(
    "user",
    help="Handle who sends: addresses, profiles, logins and settings pinned to one person.",
    commands=[
        add_whole,
        give_login,
        give_phone,
        change_command(
            "name",
            "Say how a user is called; without TEXT by no name.",
            users.set_user_name,
            _ADDRESS,
            click.argument("name", default="", metavar="TEXT"),
        ),
        explain_one,
        *settings_commands(
            settings.UserScope,
            _ADDRESS,
            set_help="Pin settings to a user, whatever the address book file says: an empty VALUE unsets, «<none>» is "
            "none at all.",
            unset_help="Take pinned settings away, so that the address book file and weaker layers decide.",
        ),
        limit_command(
            "Change how much a user may send, and where to.", settings.UserScope, _ADDRESS, binds_settings=False
        ),
        change_command("remove-login", "Remove a login.", logins.remove_login, LOGIN),
        change_command("set-login", SET_LOGIN_HELP, logins.set_login, LOGIN, *BOUND),
        change_command(
            "profile",
            "Give a user another profile; without NAME the customer's default one.",
            users.set_user_profile,
            _ADDRESS,
            click.argument("name", default=""),
        ),
        view_command("show", "Show a user with what is set for it alone.", views.show_user, _ADDRESS),
        table_command("list", "List users.", views.list_users, one_customer_option),
        table_command(
            "drift",
            "List pinned settings that differ from what the directory or file says.",
            drift.list_drift,
            customer_option,
        ),
        change_command(
            "remove", "Remove a user with its settings and logins; its past jobs stay.", users.remove_user, _ADDRESS
        ),
        change_command("enable", "Let a user send again.", partial(users.set_user_active, active=True), _ADDRESS),
        change_command(
            "disable",
            "Stop a user from sending; nothing is removed.",
            partial(users.set_user_active, active=False),
            _ADDRESS,
        ),
    ],
)
