"""`mail2sms login …`: what applications and people log in with, and the settings of what an application sends.

Not here: what is allowed (gateway.admin), logins and certificates of a whole customer, which are for mail (trust).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from addressbook.api_keys import Scope, digest_of
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
from cli.files import file_faults, write_private
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


class _Lifetime(click.ParamType[timedelta]):
    """How long something is good, in days, hours or minutes."""

    name = "DURATION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return the duration; ends the command for anything else."""
        from config.field_types import parse_duration

        try:
            return parse_duration(str(value))
        except ValueError:
            self.fail(f"«{value}» is no duration such as 90d, 12h or 30m", param, ctx)


KEY_FILE = click.option(
    "--key-file",
    "key_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the key there in place of showing it; the file must not exist.",
)


@click.command("add-key")
@config_option
@LOGIN
@click.argument("name", metavar="NAME")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What the key may do; repeat it for more. Without: send, read.",
)
@click.option("--expires", type=_Lifetime(), help="How long it is good, such as 90d. Without: until it is removed.")
@click.option("--sandbox", is_flag=True, help="What it sends is played by number and reaches nobody.")
@KEY_FILE
def add_key(  # noqa: PLR0913 - the options of the command
    *,
    file: Path,
    login: str,
    name: str,
    scopes: tuple[str, ...],
    expires: timedelta | None,
    sandbox: bool,
    key_file: Path | None,
) -> None:
    """Give the user of a login an API key named NAME, for the HTTP interface of version 2.

    «login list» shows it, «login rotate-key», «disable», «enable» and «remove» take its name.
    """
    asked = frozenset(map(Scope, scopes)) or frozenset({Scope.SEND, Scope.READ})
    ends = datetime.now(UTC) + expires if expires is not None else None
    with _new_key(key_file) as key, admin_session(file) as session:
        session.change(
            lambda edit: logins.add_key(
                edit, name, digest_of(key), login=login, scopes=asked, expires_at=ends, sandbox=sandbox
            )
        )


@click.command("rotate-key")
@config_option
@click.argument("name", metavar="NAME")
@click.option("--keep", type=_Lifetime(), help="How long the old key stays good beside the new one, such as 24h.")
@KEY_FILE
def rotate_key(file: Path, name: str, keep: timedelta | None, key_file: Path | None) -> None:
    """Replace an API key by a new one with the same scopes."""
    until = datetime.now(UTC) + keep if keep is not None else None
    with _new_key(key_file) as key, admin_session(file) as session:
        session.change(lambda edit: logins.rotate_key(edit, name, digest_of(key), keep_until=until))


@contextmanager
def _new_key(key_file: Path | None) -> Iterator[str]:
    """Give a new key; show it once the command has done its work, or leave it in a file."""
    from gateway.admin.logins import random_key

    key = random_key()
    if key_file is not None:
        with file_faults("; nothing was changed"):
            write_private(key_file, f"{key}\n".encode())
    try:
        yield key
    except BaseException:
        if key_file is not None:
            key_file.unlink(missing_ok=True)
        raise
    click.echo(f"{key_file}: the new key." if key_file is not None else key)


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
        add_key,
        rotate_key,
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
