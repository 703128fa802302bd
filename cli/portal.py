"""`mail2sms portal …`: who signs in to the portal, and as what at which customer.

Not here: what is allowed (gateway.admin), the pages (web.portal).
"""

from functools import partial
from pathlib import Path

import click

from addressbook.rights import Role, roles_of_customers
from cli.admin_session import AdminSession, admin_session, one_customer_option, read_password
from cli.context import config_option
from cli.shapes import change_command, table_command
from cli.use_cases import account_links, accounts, portal_issuer

ADDRESS = click.argument("address")
CUSTOMER = click.option("--customer", default="", metavar="NAME", help="Whose it is; without, the operator's.")
ROLE = click.option("--role", required=True, type=click.Choice([role.value for role in Role]), help="What it is there.")


def _portal_address(session: AdminSession) -> str:
    """Return how links to the portal begin; ends the command where no listener serves it."""
    address = session.config.portal_address
    if not address:
        raise click.ClickException('no listener serves the portal: give an [[http]] serves = ["portal"]')
    return address


@click.command("invite")
@config_option
@ADDRESS
@CUSTOMER
@ROLE
@click.option("--name", default="", metavar="NAME", help="The person's name.")
@click.option("--mail/--no-mail", "tell", default=True, help="Whether the link is mailed too.")
def invite(  # noqa: PLR0913 - the options of the command
    *, file: Path, address: str, customer: str, role: str, name: str, tell: bool
) -> None:
    """Give somebody a role in the portal, and print the link by which a new account gets its password."""
    with admin_session(file) as session:
        portal = _portal_address(session)
        session.change(
            partial(
                accounts.invite_account,
                address=address,
                customer=customer,
                role=role,
                name=name,
                portal=portal,
                tell=tell,
            )
        )


@click.command("reset")
@config_option
@ADDRESS
def reset(file: Path, address: str) -> None:
    """Print a link by which an account gets a new password; its authenticator is gone and its sessions end."""
    with admin_session(file) as session:
        session.change(partial(account_links.reset_account, address=address, portal=_portal_address(session)))


@click.command("issuer")
@config_option
@click.option("--customer", required=True, metavar="NAME", help="Whose accounts sign in so.")
@click.option(
    "--client", default="", metavar="ID", help="What the portal is called at the customer's identity provider."
)
@click.option(
    "--secret-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file whose first line is the portal's secret there.",
)
@click.option(
    "--role",
    type=click.Choice([role.value for role in roles_of_customers()]),
    help="What somebody is who has no role at the customer yet; without, nobody gets one by signing in.",
)
@click.option("--off", is_flag=True, help="Sign in by password alone again.")
def issuer(  # noqa: PLR0913 - the options of the command
    *, file: Path, customer: str, client: str, secret_file: Path | None, role: str | None, off: bool
) -> None:
    """Let a customer's accounts sign in at its identity provider, which `customer oidc` names."""
    if off == bool(client) or bool(client) != (secret_file is not None) or (off and role):
        raise click.UsageError("give --client with --secret-file, or --off alone")
    secret = read_password(secret_file) if secret_file is not None else ""
    if secret_file is not None and not secret:
        raise click.ClickException(f"{secret_file}: the first line is empty; it must be the secret")
    with admin_session(file) as session:
        portal = _portal_address(session) if client else ""
        session.change(
            partial(
                portal_issuer.set_portal_issuer,
                customer=customer,
                portal=portal,
                client=client,
                secret=secret,
                role=role or "",
            )
        )


portal_commands = click.Group(
    "portal",
    help="Handle who signs in to the portal: accounts and their roles at customers.",
    commands=[
        invite,
        table_command("list", "List the accounts with their roles.", accounts.list_accounts, one_customer_option),
        change_command("set", "Give an account another role.", accounts.set_role, ADDRESS, CUSTOMER, ROLE),
        reset,
        issuer,
        change_command(
            "enable", "Let an account sign in again.", partial(accounts.set_account_active, active=True), ADDRESS
        ),
        change_command(
            "disable",
            "Refuse an account from now on; its sessions end.",
            partial(accounts.set_account_active, active=False),
            ADDRESS,
        ),
        change_command(
            "end-sessions",
            "End all sessions of an account: it must sign in anew.",
            accounts.end_account_sessions,
            ADDRESS,
        ),
        change_command(
            "require-authenticator",
            "Ask every account of a customer for an authenticator, or not.",
            accounts.require_authenticator,
            CUSTOMER,
            click.option("--required/--not-required", default=True, help="Whether it is asked for."),
        ),
        change_command(
            "remove", "Take an account's role away; its other ones stay.", accounts.remove_role, ADDRESS, CUSTOMER
        ),
    ],
)
