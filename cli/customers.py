"""`mail2sms customer …`: who pays, from where, and with which settings and constraints.

Not here: what is allowed (gateway.admin).
"""

import asyncio
import base64
import secrets
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.admin_session import admin_session, password_option, read_password, verifiers_of
from cli.context import config_option
from cli.shapes import (
    NAME,
    ahead_option,
    change_command,
    from_option,
    limit_command,
    settings_commands,
    table_command,
    view_command,
)
from cli.trust import TRUST_COMMANDS
from cli.use_cases import (
    customers,
    domain_proof,
    domains,
    logins,
    options,
    push_keys,
    ranges,
    settings,
    suspensions,
    views,
)

if TYPE_CHECKING:
    from gateway.admin.edit import Change, Changed, Edit

_DOMAIN = click.argument("domain")
_ONLY = click.option(
    "--only", default="", metavar="mail|rest|push|…", help="A service, or an option as «customer option» names it."
)


@click.command("add")
@config_option
@NAME
@click.option("--domain", "sender_domains", multiple=True, metavar="DOMAIN", help="A sender domain; may be repeated.")
@click.option("--address-range", "client_ranges", multiple=True, metavar="CIDR", help="Clients that need no login.")
@click.option("--login", metavar="LOGIN", help="A login of the customer; needs --password-file.")
@password_option
def add_whole(  # noqa: PLR0913 - the options of the command
    *,
    file: Path,
    name: str,
    sender_domains: tuple[str, ...],
    client_ranges: tuple[str, ...],
    login: str | None,
    password_file: Path | None,
) -> None:
    """Add a customer, all of it or nothing."""
    if (login is None) != (password_file is None):
        raise click.UsageError("--login and --password-file go together")
    changes: list[Change] = [partial(customers.add_customer, name=name)]
    changes += [partial(domains.add_domain, name=name, domain=domain) for domain in sender_domains]
    changes += [partial(ranges.add_range, name=name, network=network) for network in client_ranges]
    with admin_session(file) as session:
        if login is not None and password_file is not None:
            made = verifiers_of(read_password(password_file))
            changes.append(
                partial(logins.add_login, login=login, verifier=made.password, scram=made.scram, customer=name)
            )
        session.change(*changes)


@click.command("push")
@config_option
@NAME
@click.argument("url")
def set_application(file: Path, name: str, url: str) -> None:
    """Set where a customer's application is told by push, and make the key that signs: it is shown once.

    Jobs are told of by push where status_channel is push or both. A second call makes a new key; the one before signs
    as well for a day.
    """
    secret = secrets.token_bytes(32)
    with admin_session(file) as session:

        def set_url(edit: "Edit") -> "Changed":
            from gateway.admin.push_actions import check_push_url
            from process.allowances import networks_of

            done = settings.set_settings(edit, settings.CustomerScope(name), {"push_url": url})
            check_push_url(url, name, networks_of(session.config.push))
            return done

        session.change(
            set_url,
            lambda edit: push_keys.set_push_key(edit, name, secret),
        )
    click.echo(f"whsec_{base64.b64encode(secret).decode('ascii')}")


@click.command("verify-domain")
@config_option
@NAME
@_DOMAIN
def prove_domain(file: Path, name: str, domain: str) -> None:
    """Ask DNS for the record of a claimed domain, and give the domain to the customer if it is there."""
    from process.mail_out import build_resolver

    with admin_session(file) as session:
        claimed = session.look(lambda tx: domains.get_claimed_domain(tx, name, domain))
        answer = asyncio.run(build_resolver(session.config).txt(domain_proof.proof_name(claimed)))
        session.change(lambda edit: domains.verify_domain(edit, name, claimed, answer))


customer = click.Group(
    "customer",
    help="Handle who pays: domains, address ranges, logins, settings and constraints.",
    commands=[
        add_whole,
        set_application,
        *settings_commands(
            settings.CustomerScope,
            click.option(
                "--service",
                default="",
                metavar="NAME",
                help="Only for mail, sap or inbound; rest, soap, http and smpp are not built yet.",
            ),
            NAME,
            set_help="Set settings of a customer: an empty VALUE unsets, «<none>» stops inheritance.",
            unset_help="Take settings of a customer away, so that weaker layers decide.",
        ),
        limit_command(
            "Change what a customer's profiles, users and messages may ask for.", settings.CustomerScope, NAME
        ),
        view_command("show", "Show a customer with its settings.", views.show_customer, NAME),
        table_command("list", "List all customers.", views.list_customers),
        change_command(
            "option",
            "Change what a customer has contracted; without options, say what it has.",
            options.set_options,
            NAME,
            click.option("--add", multiple=True, metavar="OPTION", help="One more; may be repeated."),
            click.option("--remove", multiple=True, metavar="OPTION", help="One that it has no longer."),
        ),
        change_command(
            "admin",
            "Choose who is told of a customer's directories, limits and reports; without ADDRESS the operator is.",
            customers.set_admin_address,
            NAME,
            click.argument("address", default=""),
        ),
        change_command(
            "remove",
            "Remove a customer; its past jobs stay.",
            customers.remove_customer,
            NAME,
            click.option("--with-users", is_flag=True, help="Remove its users too."),
        ),
        change_command(
            "enable", "Let a customer send again.", partial(customers.set_customer_active, active=True), NAME
        ),
        change_command(
            "disable",
            "Stop a customer from sending; nothing is removed.",
            partial(customers.set_customer_active, active=False),
            NAME,
        ),
        change_command(
            "suspend",
            "Refuse what a customer, or only a service or option of it, sends from now on; what was taken is sent.",
            suspensions.suspend,
            NAME,
            click.option("--reason", required=True, metavar="TEXT", help="Why; the refused read it."),
            _ONLY,
            from_option,
            ahead_option,
        ),
        change_command(
            "resume",
            "End the suspensions of a customer, those planned too; or only those of a service or option.",
            suspensions.resume,
            NAME,
            _ONLY,
        ),
        change_command("add-domain", "Give a customer a sender domain.", domains.add_domain, NAME, _DOMAIN),
        change_command(
            "claim-domain",
            "Claim a sender domain: print the TXT record that proves it, the same each time.",
            domains.claim_domain,
            NAME,
            _DOMAIN,
        ),
        prove_domain,
        change_command("remove-domain", "Take a sender domain from a customer.", domains.remove_domain, NAME, _DOMAIN),
        *TRUST_COMMANDS,
    ],
)
