"""`mail2sms carrier …` and `mail2sms route`: which carrier takes a number and why, and whether a carrier answers.

Not here: how routes are made (gateway.routing), what `carrier test` does (carrier_test).
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import click

from cli.admin_session import admin_session, json_option
from cli.context import config_option, opened, read_config, who_serves
from cli.printed import link_line
from config.carriers import CarrierKind, CarrierOptions, OnUnknown
from config.model import Config
from sms.message import Origin
from sms.number import SenderId, parse_number
from sms.outcome import Refused
from sms.settings import SettingProblem, parse_setting
from store.carrier_links import CarrierLink, list_links

_TEXT = "Test of the SMS gateway."
R = TypeVar("R")


@click.group()
def carrier() -> None:
    """Look at the ways to the handsets, and try one."""


@carrier.command("list")
@config_option
@json_option
def list_all(file: Path, *, as_json: bool) -> None:
    """List the carriers of the operator's file, best first."""
    config = read_config(file)
    with opened(file) as (database, _keys):
        links = database.read_now(list_links) if who_serves(config.server, database) is not None else []
    carriers = sorted(config.carriers, key=lambda item: item.priority)
    if as_json:
        rows = [
            _summary(item)
            | {"links": [asdict(link) | {"since_at": link.since_at.isoformat()} for link in _links_of(item, links)]}
            for item in carriers
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    for item in carriers:
        click.echo("  ".join(f"{name} {value}" for name, value in _summary(item).items() if value != ""))
        for line in map(link_line, _links_of(item, links)):
            click.echo(f"    {line}")
    click.echo("Times are UTC." if links else "No process serves, so that no link is up.")


def _links_of(options: CarrierOptions, links: Sequence[CarrierLink]) -> list[CarrierLink]:
    return [link for link in links if link.carrier == options.name]


def _summary(options: CarrierOptions) -> dict[str, object]:
    played = options.kind is CarrierKind.SANDBOX
    return {
        "name": options.name,
        "at": "sandbox" if played else ",".join(map(str, options.centres)),
        "links": options.links if options.links > 1 else "",
        "tls": options.tls.value,
        "priority": options.priority,
        "window": options.window,
        "throughput": options.throughput or "",
        "prefixes": ",".join(options.prefixes),
        "customers": ",".join(options.customers),
        "hours": "" if options.hours is None else _spoken(options),
        "cost": options.cost,
    }


def _spoken(options: CarrierOptions) -> str:
    hours = options.hours
    return "" if hours is None else f"{hours.since:%H:%M}-{hours.until:%H:%M} {hours.zone}"


@carrier.command("show")
@config_option
@click.argument("name")
def show_one(file: Path, name: str) -> None:
    """Show one carrier with everything that the operator's file says of it, its dialect included."""
    options = _find(read_config(file), name)
    for key, value in _summary(options).items():
        click.echo(f"{key}: {value if value != '' else '-'}")
    again = f", {options.resends} times at most" if options.on_unknown is OnUnknown.RESEND else ""
    click.echo(f"on unknown: {options.on_unknown.value}{again}")
    click.echo(f"receipts: {'on' if options.receipts else 'off'}, grace {options.receipt_grace}")
    for key, value in asdict(options.dialect).items():
        click.echo(f"dialect {key.replace('_', ' ')}: {value if value not in ('', {}) else '-'}")


def _find(config: Config, name: str) -> CarrierOptions:
    for options in config.carriers:
        if options.name == name:
            return options
    known = ", ".join(options.name for options in config.carriers)
    raise click.ClickException(f"there is no carrier {name!r} in the operator's file, which has {known}")


@click.command()
@config_option
@click.option("--customer", default="", metavar="NAME", help="For this customer.")
@click.option("--country", metavar="CC", help="The country of a national number; default: the customer's.")
@click.argument("number")
def route(file: Path, customer: str, country: str | None, number: str) -> None:
    """Say which carrier takes a number, which come after it, and why; nothing is sent."""
    from process.routes import routes_of

    config = read_config(file)
    default = _default_country(file, customer) if customer else str(config.settings.get("default_country", ""))
    if country is not None:
        given = _or_end(parse_setting("default_country", country))
        default = given if isinstance(given, str) else ""
    parsed = _or_end(parse_number(number, default))
    routed = _or_end(routes_of(config.carriers).explain(parsed, customer))
    why = (
        f"prefix {routed.prefix}" if routed.prefix else "no carrier has a prefix of this number: those for all numbers"
    )
    whose = f", carriers of customer {customer} first" if routed.own else ""
    click.echo(f"{parsed.e164}: {why}{whose}")
    now = datetime.now(UTC)
    for rank, (name, cost) in enumerate(zip(routed.carriers, routed.costs, strict=True), start=1):
        options = _find(config, name)
        closed = options.hours is not None and not options.hours.open_at(now)
        notes = [f"priority {options.priority}", f"cost {cost or '-'}"]
        notes += [f"closed until {options.hours.since:%H:%M}"] if closed and options.hours is not None else []
        click.echo(f"  {rank}. {name} ({', '.join(notes)})")


def _default_country(file: Path, customer: str) -> str:
    """Return the country of a customer's national numbers."""
    from gateway.admin.lookup import get_customer

    with admin_session(file) as session:
        found = session.look(lambda tx: get_customer(tx, customer))
        _, layers = session.in_force()
        return layers.resolve(found.key, Origin.MAIL.value).settings.default_country


def _or_end(answer: R | Refused | SettingProblem) -> R:
    """Return an answer; a refusal and a wrong value end the command with what is wrong."""
    if isinstance(answer, Refused):
        raise click.ClickException(answer.detail)
    if isinstance(answer, SettingProblem):
        raise click.ClickException(f"{answer.given!r} is not {answer.expected}")
    return answer


@carrier.command("test")
@config_option
@click.option(
    "--carrier", "name", metavar="NAME", help="The carrier; without it, the one that the number's route names."
)
@click.option("--from", "sender", default="", metavar="SENDER", help="The sender ID.")
@click.option("--text", default=_TEXT, show_default=True, help="The text.")
@click.option(
    "--wait",
    default=30,
    show_default=True,
    type=click.IntRange(min=0),
    help="Seconds to wait for the receipt; 0: none.",
)
@click.argument("number")
def test_one(  # noqa: PLR0913, PLR0917 - the options of the command
    file: Path, name: str | None, sender: str, text: str, wait: int, number: str
) -> None:
    """Bind to a carrier, send one SMS that it will bill, and show its answer and receipt."""
    from cli.carrier_test import encode_test, is_taken
    from process.routes import routes_of

    config = read_config(file)
    parsed = _or_end(parse_number(number, ""))
    if name is None:
        name = _or_end(routes_of(config.carriers).explain(parsed)).carriers[0]
    options = _find(config, name)
    if options.kind is CarrierKind.SANDBOX:
        raise click.ClickException(
            f"{name} is the sandbox carrier: it lives inside the gateway; send it a mail instead"
        )
    encoded = _or_end(encode_test(text, options))
    if encoded.cut:
        raise click.ClickException("the text is longer than one SMS, which is all that a test sends")
    shown = _or_end(parse_setting("sender_id", sender))
    if not is_taken(options, parsed, encoded, shown if isinstance(shown, SenderId) else None, wait):
        sys.exit(1)
