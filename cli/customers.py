"""`mail2sms customer …` and `mail2sms profile …`: who pays, from where, and with which settings and constraints.

Each command reads its arguments, calls one use case and prints its sentence. Not here: what is allowed (gateway), users
(people), what these commands share (desk).
"""

import base64
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from cli.admin_session import (
    admin_session,
    customer_option,
    hash_password,
    json_option,
    password_option,
    print_table,
    print_view,
    read_password,
)
from cli.context import config_option
from cli.settings import with_settings
from gateway.admin.customers import (
    Change,
    add_customer,
    add_domain,
    add_profile,
    add_range,
    all_of,
    remove_customer,
    remove_domain,
    remove_profile,
    remove_range,
    set_customer_active,
    set_default_profile,
)
from gateway.admin.push_keys import set_push
from gateway.admin.settings import ConstraintLimits, limit, of_customer, of_profile
from gateway.admin.users import add_login, remove_login
from gateway.admin.views import list_customers, list_profiles, show_customer, show_profile

service_option = click.option(
    "--service", default="", metavar="NAME", help="Only for what comes in through mail, sap, rest, …"
)


def limit_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that change constraints."""
    options: list[Any] = [
        click.option("--lock", multiple=True, metavar="FIELD", help="Nobody below may change it."),
        click.option("--unlock", multiple=True, metavar="FIELD", help="Lift a lock."),
        click.option("--sender-ids", metavar="A,B|any", help="The sender IDs that may be used."),
        click.option("--max-parts", metavar="N|any", help="Parts of one SMS at most."),
        click.option("--express/--no-express", default=None, help="Whether express is allowed."),
        click.option("--flash/--no-flash", default=None, help="Whether flash is allowed."),
        click.option("--countries", metavar="DE,ES|any", help="The countries that may be written to."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def limits_of(options: dict[str, Any]) -> ConstraintLimits:
    """Return what the options of `limit_options` said; none at all ends the command."""
    limits = ConstraintLimits(**options)
    if limits == ConstraintLimits():
        raise click.UsageError("nothing to change: give at least one option")
    return limits


@with_settings(
    of_customer,
    service_option,
    click.argument("name"),
    set_help="Set settings of a customer: an empty VALUE unsets, «<none>» stops inheritance.",
    unset_help="Take settings of a customer away, so that weaker layers decide.",
)
@click.group()
def customer() -> None:
    """Handle who pays: domains, address ranges, logins, settings and constraints."""


@customer.command("add")
@config_option
@click.argument("name")
@click.option("--domain", "domains", multiple=True, metavar="DOMAIN", help="A sender domain; may be repeated.")
@click.option("--address-range", "ranges", multiple=True, metavar="CIDR", help="Clients that need no login.")
@click.option("--login", metavar="LOGIN", help="A login of the customer; needs --password-file.")
@password_option
def add_new(  # noqa: PLR0913 - the options of the command
    *,
    file: Path,
    name: str,
    domains: tuple[str, ...],
    ranges: tuple[str, ...],
    login: str | None,
    password_file: Path | None,
) -> None:
    """Add a customer, all of it or nothing."""
    if (login is None) != (password_file is None):
        raise click.UsageError("--login and --password-file go together")
    changes: list[Change] = [add_customer(name)]
    changes += [add_domain(name, domain) for domain in domains]
    changes += [add_range(name, network) for network in ranges]
    if login is not None and password_file is not None:
        changes.append(add_login(login, read_password(password_file), hash_password, customer=name))
    with admin_session(file) as desk:
        desk.change(all_of(*changes))


@customer.command("push")
@config_option
@click.argument("name")
@click.argument("url")
def set_application(file: Path, name: str, url: str) -> None:
    """Set where a customer's application is told by push, and make the key that signs: it is shown once.

    Jobs are told of by push where status_channel is push or both. A second call makes a new key.
    """
    secret = secrets.token_bytes(32)
    with admin_session(file) as desk:
        desk.change(set_push(name, url, secret))
    click.echo(f"whsec_{base64.b64encode(secret).decode('ascii')}")


@customer.command("limit")
@config_option
@click.argument("name")
@limit_options
def limit_customer(file: Path, name: str, **options: Any) -> None:
    """Change what a customer's profiles, users and messages may ask for."""
    limits = limits_of(options)
    with admin_session(file) as desk:
        desk.change(limit(of_customer(name), limits))


@customer.command("show")
@config_option
@json_option
@click.argument("name")
def show_one(file: Path, name: str, *, as_json: bool) -> None:
    """Show a customer with its settings."""
    with admin_session(file) as desk:
        print_view(desk.look(lambda tx: show_customer(tx, name)), as_json=as_json)


@customer.command("list")
@config_option
@json_option
def list_all(file: Path, *, as_json: bool) -> None:
    """List all customers."""
    with admin_session(file) as desk:
        print_table(desk.look(list_customers), as_json=as_json)


@customer.command("remove")
@config_option
@click.argument("name")
@click.option("--with-users", is_flag=True, help="Remove its users too.")
def remove(file: Path, name: str, *, with_users: bool) -> None:
    """Remove a customer; its past jobs stay."""
    with admin_session(file) as desk:
        desk.change(remove_customer(name, with_users=with_users))


@customer.command("enable")
@config_option
@click.argument("name")
def enable(file: Path, name: str) -> None:
    """Let a customer send again."""
    with admin_session(file) as desk:
        desk.change(set_customer_active(name, active=True))


@customer.command("disable")
@config_option
@click.argument("name")
def disable(file: Path, name: str) -> None:
    """Stop a customer from sending; nothing is removed."""
    with admin_session(file) as desk:
        desk.change(set_customer_active(name, active=False))


@customer.command("add-domain")
@config_option
@click.argument("name")
@click.argument("domain")
def give_domain(file: Path, name: str, domain: str) -> None:
    """Give a customer a sender domain."""
    with admin_session(file) as desk:
        desk.change(add_domain(name, domain))


@customer.command("remove-domain")
@config_option
@click.argument("name")
@click.argument("domain")
def take_domain(file: Path, name: str, domain: str) -> None:
    """Take a sender domain from a customer."""
    with admin_session(file) as desk:
        desk.change(remove_domain(name, domain))


@customer.command("add-range")
@config_option
@click.argument("name")
@click.argument("network", metavar="CIDR")
def give_range(file: Path, name: str, network: str) -> None:
    """Let clients in an address range send without a login."""
    with admin_session(file) as desk:
        desk.change(add_range(name, network))


@customer.command("remove-range")
@config_option
@click.argument("name")
@click.argument("network", metavar="CIDR")
def take_range(file: Path, name: str, network: str) -> None:
    """Let an address range prove a customer no longer."""
    with admin_session(file) as desk:
        desk.change(remove_range(name, network))


@customer.command("add-login")
@config_option
@click.argument("name")
@click.argument("login")
@click.option(
    "--password-file", required=True, metavar="FILE", type=click.Path(path_type=Path), help="Holds the password."
)
def give_login(file: Path, name: str, login: str, password_file: Path) -> None:
    """Add a login of a customer, or give it a new password."""
    change = add_login(login, read_password(password_file), hash_password, customer=name)
    with admin_session(file) as desk:
        desk.change(change)


@customer.command("remove-login")
@config_option
@click.argument("login")
def take_login(file: Path, login: str) -> None:
    """Remove a login of a customer or of a user."""
    with admin_session(file) as desk:
        desk.change(remove_login(login))


@with_settings(
    of_profile,
    customer_option,
    click.argument("name"),
    set_help="Set settings of a profile: an empty VALUE unsets, «<none>» stops inheritance.",
    unset_help="Take settings of a profile away, so that weaker layers decide.",
)
@click.group()
def profile() -> None:
    """Handle the settings that several users of a customer share."""


@profile.command("add")
@config_option
@customer_option
@click.argument("name")
@click.option("--default", is_flag=True, help="Also make it the profile of users that have none.")
def add_new_profile(file: Path, customer: str, name: str, *, default: bool) -> None:
    """Add a profile."""
    with admin_session(file) as desk:
        desk.change(add_profile(customer, name, default=default))


@profile.command("default")
@config_option
@customer_option
@click.argument("name", default="")
def choose_default(file: Path, customer: str, name: str) -> None:
    """Choose the profile of users that have none; without NAME none."""
    with admin_session(file) as desk:
        desk.change(set_default_profile(customer, name))


@profile.command("show")
@config_option
@customer_option
@json_option
@click.argument("name")
def show_one_profile(file: Path, customer: str, name: str, *, as_json: bool) -> None:
    """Show a profile with its settings."""
    with admin_session(file) as desk:
        print_view(desk.look(lambda tx: show_profile(tx, customer, name)), as_json=as_json)


@profile.command("list")
@config_option
@customer_option
@json_option
def list_all_profiles(file: Path, customer: str, *, as_json: bool) -> None:
    """List the profiles of a customer."""
    with admin_session(file) as desk:
        print_table(desk.look(lambda tx: list_profiles(tx, customer)), as_json=as_json)


@profile.command("remove")
@config_option
@customer_option
@click.argument("name")
def remove_one_profile(file: Path, customer: str, name: str) -> None:
    """Remove a profile that no user has."""
    with admin_session(file) as desk:
        desk.change(remove_profile(customer, name))
