"""`mail2sms portal …`: who signs in to the portal, and as what at which customer.

Not here: what is allowed (gateway.admin), the pages (web.portal).
"""

from functools import partial
from pathlib import Path

import click

from addressbook.rights import Role
from cli.admin_session import AdminSession, admin_session, one_customer_option
from cli.context import config_option
from cli.shapes import change_command, table_command
from cli.use_cases import account_links, accounts

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


portal_commands = click.Group(
    "portal",
    help="Handle who signs in to the portal: accounts and their roles at customers.",
    commands=[
        invite,
        table_command("list", "List the accounts with their roles.", accounts.list_accounts, one_customer_option),
        change_command("set", "Give an account another role.", accounts.set_role, ADDRESS, CUSTOMER, ROLE),
        reset,
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
