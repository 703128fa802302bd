"""`mail2sms login …`: what applications and people log in with, and the settings of what an application sends.

Not here: what is allowed (gateway.admin), logins and certificates of a whole customer, which are for mail (trust).
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.admin_session import (
    admin_session,
    customer_option,
    new_password,
    one_customer_option,
    password_option,
    random_option,
    verifiers_of,
)
from cli.context import config_option
from cli.shapes import change_command, settings_commands, table_command
from cli.trust import LOGIN
from cli.use_cases import logins, settings, users

if TYPE_CHECKING:
    from gateway.admin.edit import Change


@click.command("add")
@config_option
@customer_option
@LOGIN
@click.option("--user", metavar="ADDRESS", help="Whose it is: a person, or an application that there is already.")
@click.option("--profile", default="", metavar="NAME", help="Of the new application, in place of the default one.")
@password_option
@random_option
def add_application_login(  # noqa: PLR0913 - the options of the command
    *,
    file: Path,
    customer: str,
    login: str,
    user: str | None,
    profile: str,
    password_file: Path | None,
    random_file: Path | None,
) -> None:
    """Add a login, and without --user a new application of its name, whose login it is.

    The application sends by REST, SOAP, HTTP and SMPP with the settings of the customer, its profile and its own ones.
    """
    if user is not None and profile:
        raise click.UsageError("--profile is for a new application; «user profile» gives a user another one")
    with new_password(password_file, random_file) as password, admin_session(file) as session:
        made = verifiers_of(password)
        changes: list[Change] = []
        if user is None:
            changes.append(lambda edit: users.add_application(edit, customer, login, profile=profile))
        changes.append(
            lambda edit: logins.add_login(
                edit, login, made.password, customer=customer, user=user or login, scram=made.scram
            )
        )
        session.change(*changes)


@click.command("rotate")
@config_option
@LOGIN
@password_option
@random_option
def rotate(file: Path, login: str, password_file: Path | None, random_file: Path | None) -> None:
    """Give a login a new password; the one before is refused from then on."""
    with new_password(password_file, random_file) as password, admin_session(file) as session:
        made = verifiers_of(password)
        session.change(lambda edit: logins.rotate_login(edit, login, made.password, made.scram))


login_commands = click.Group(
    "login",
    help="Handle what applications and people log in with, and the settings of what an application sends.",
    commands=[
        add_application_login,
        table_command(
            "list", "List logins and certificates of customers and users.", logins.list_logins, one_customer_option
        ),
        *settings_commands(
            settings.LoginScope,
            LOGIN,
            set_help="Set what holds where a request says nothing, such as sender_id=ACME: settings of the login's "
            "user, pinned. An empty VALUE unsets, «<none>» is none at all.",
            unset_help="Take settings of the login's user away, so that weaker layers decide.",
        ),
        rotate,
        change_command(
            "enable", "Let a login prove its user again.", partial(logins.set_login_active, active=True), LOGIN
        ),
        change_command(
            "disable",
            "Refuse a login from now on; nothing is removed.",
            partial(logins.set_login_active, active=False),
            LOGIN,
        ),
        change_command("remove", "Remove a login; its user and its past jobs stay.", logins.remove_login, LOGIN),
    ],
)
