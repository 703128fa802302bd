"""`mail2sms tls …`: how safe mail travels to which domain, who decided it, and what a domain's servers really show.

Not here: what is allowed (gateway.admin.tls_rules), the walk (tls_walk).
"""

import asyncio
import json
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from cli.admin_session import admin_session, json_option, print_table
from cli.context import config_option, read_config
from cli.shapes import change_command
from cli.tls_reports import report_import, reports, summary, summed_since
from cli.tls_walk import Walk, towards, walk_domain
from config.field_types import HostPort
from gateway.admin.edit import Change
from gateway.admin.lookup import get_customer
from gateway.admin.tls_rules import (
    TlsRule,
    accept_tls_rules,
    enforce_tls,
    list_domains,
    parse_rule_domain,
    withdraw_tls,
)
from gateway.mail_rules import StoredStsCache, join_rules
from gateway.received_reports import list_reports
from mta.sending.outgoing import ClientTimeouts
from process.clock import SystemClock
from process.mail_out import build_transport, lines_in_file
from store.mail_rules import RulesDamagedError, read_tls_rules
from tls.contexts import ClientContexts, ClientRole, ContextError
from tls.names import parse_domain
from tls.policy import Pin, PolicyEntry, TlsLevel, TlsVersion, parse_pin

INHERIT = "inherit"
# A person waits for this; a mail would wait longer.
_PATIENCE = ClientTimeouts(connect=30, handshake=30, command=60, attempt=180)
_whose = click.option("--customer", default="", metavar="NAME", help="Whose mail; without it, everybody's.")


@click.command("list")
@config_option
@json_option
@_whose
def list_all(file: Path, customer: str, *, as_json: bool) -> None:
    """List every domain that mail went to or that a rule names, with what is in force; «!» marks those not enforced.

    «*» stands for all other domains, «.example.com» for all below it.
    """
    operator = _lines(file)
    with admin_session(file) as session:
        states = session.look(lambda tx: list_domains(tx, customer, operator, datetime.now(UTC)))
        reported = session.look(partial(list_reports, since=summed_since(), domain="", limit=10_000))
    views = [state.view() for state in states]
    if as_json:
        print_table(views, as_json=True)
        return
    print_table([{"": "" if view["enforced"] else "!", **view} for view in views], as_json=False)
    loose = sum(not state.enforced and bool(state.delivered or state.waiting) for state in states)
    click.echo(f"{loose} of these get mail that is not enforced." if loose else "All that get mail are enforced.")
    if told := summary(reported):
        click.echo(told)


@click.command("enforce")
@config_option
@click.argument("domain")
@click.argument("level", type=click.Choice([*map(str, TlsLevel), INHERIT]))
@_whose
@click.option("--pin", "pins", multiple=True, metavar="PIN", help="For fingerprint: spki:HEX or cert:HEX.")
@click.option("--name", "names", multiple=True, metavar="NAME", help="For secure, private-ca: a name to show.")
@click.option("--ca-file", type=click.Path(path_type=Path), metavar="FILE", help="For private-ca: PEM, kept as it is.")
@click.option("--min-version", type=click.Choice([*map(str, TlsVersion)]), default="1.2", show_default=True)
@click.option("--requiretls", "require_tls", is_flag=True, help="Only to servers that offer REQUIRETLS (RFC 8689).")
@click.option("--lower", is_flag=True, help="Allow what demands less than is in force now.")
def enforce(  # noqa: PLR0913 - the options of the command
    *,
    file: Path,
    domain: str,
    level: str,
    customer: str,
    pins: tuple[str, ...],
    names: tuple[str, ...],
    ca_file: Path | None,
    min_version: str,
    require_tls: bool,
    lower: bool,
) -> None:
    """Demand a level for mail to DOMAIN, for all below it («.example.com»), or for all («*»).

    «*» with --customer means «enforce or defer» for everything that goes out for this customer. The level «inherit»
    takes the line away. The gateway heeds it from the next attempt on, for mail that waits too.
    """
    parsed = parse_rule_domain(domain)
    if parsed is None:
        raise click.BadParameter(f"«{domain}» is not «example.com», «.example.com» or «*»", param_hint="DOMAIN")
    operator = _lines(file)
    change: Change
    if level == INHERIT:
        change = partial(withdraw_tls, customer=customer, domain=parsed, operator=operator, lower=lower)
    else:
        rule = TlsRule(
            customer=customer,
            domain=parsed,
            level=TlsLevel(level),
            names=tuple(_name(name) for name in names),
            pins=tuple(_pin(pin) for pin in pins),
            authorities=_read_authorities(ca_file) if ca_file is not None else "",
            minimum_version=TlsVersion(min_version),
            require_tls=require_tls,
        )
        change = partial(enforce_tls, rule=rule, operator=operator, lower=lower)
    with admin_session(file) as session:
        session.change(change)


@click.command("check")
@config_option
@json_option
@click.argument("domain")
@_whose
@click.option("--mx", metavar="HOST:PORT", help="Walk to this host instead of those that DNS or a route names.")
def check(file: Path, domain: str, customer: str, mx: str | None, *, as_json: bool) -> None:
    """Walk to the mail servers of DOMAIN as a mail would, and tell each step and the verdict; sends nothing.

    Ends with 1 where mail would wait.
    """
    name = parse_domain(domain)
    if name is None:
        raise click.BadParameter(f"«{domain}» is not a domain such as example.com", param_hint="DOMAIN")
    walk = _walk(file, name, customer, _host_port(mx) if mx else None)
    if as_json:
        steps = [{"step": title, "told": list(lines)} for title, lines in walk.steps]
        click.echo(json.dumps({"domain": name, "granted": walk.granted, "steps": steps}, indent=2, ensure_ascii=False))
    else:
        for title, lines in walk.steps:
            click.echo(f"{title}:")
            for line in lines:
                click.echo(f"  {line}")
    sys.exit(0 if walk.granted else 1)


def _walk(file: Path, domain: str, customer: str, host: HostPort | None) -> Walk:
    config = read_config(file)
    operator = lines_in_file(config)
    ways = build_transport(config)
    ways = replace(ways, settings=replace(ways.settings, patience=_PATIENCE))
    if host is not None:
        ways = towards(ways, host.host, host.port)
    # The gateway's own folder of authorities is its user's; a person's command leaves nothing there.
    with admin_session(file) as session, TemporaryDirectory() as folder:
        database = session.database
        try:
            table = database.read_now(lambda tx: join_rules(operator, read_tls_rules(tx), Path(folder)))
        except (RulesDamagedError, OSError) as error:
            raise click.ClickException(f"the TLS rules can't be read, so all mail waits: {error}") from error
        if customer:
            customer = session.look(lambda tx: get_customer(tx, customer)).name
        cache, clock = StoredStsCache(database), SystemClock()
        return asyncio.run(walk_domain(domain, customer, ways=ways, table=table, cache=cache, clock=clock))


def _lines(file: Path) -> tuple[PolicyEntry, ...]:
    return lines_in_file(read_config(file))


def _pin(text: str) -> Pin:
    pin = parse_pin(text)
    if pin is None:
        raise click.BadParameter(f"«{text}» is not spki:HEX or cert:HEX with the 64 digits of a SHA-256")
    return pin


def _name(text: str) -> str:
    name = parse_domain(text.removeprefix("."))
    if name is None:
        raise click.BadParameter(f"«{text}» is not a host name or «.example.com»")
    return f".{name}" if text.startswith(".") else name


def _read_authorities(file: Path) -> str:
    """Return a PEM file's text after seeing that TLS can use it."""
    try:
        ClientContexts().get(ClientRole(verify=True, ca_file=file))
        return file.read_text("ascii")
    except (ContextError, OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{file} holds no usable authorities: {error}") from error


def _host_port(text: str) -> HostPort:
    host, _, port = text.rpartition(":")
    with suppress(ValueError):
        if host and 0 < int(port) < 65536:
            return HostPort(host=host.removeprefix("[").removesuffix("]"), port=int(port))
    raise click.BadParameter(f"«{text}» is not HOST:PORT", param_hint="--mx")


tls = click.Group(
    "tls",
    help="Look at the TLS of outgoing mail, and demand more of it.",
    commands=[
        list_all,
        enforce,
        check,
        reports,
        report_import,
        change_command(
            "accept",
            "Take the stored TLS rules as they stand, after something other than these commands changed them.",
            accept_tls_rules,
        ),
    ],
)
