"""`mail2sms carrier …` and `mail2sms route`: which carrier takes a number and why, and whether a carrier answers.

Not here: how routes are made (gateway.routing) and SMPP (smpp). `carrier test` binds by itself, beside the gateway.
"""

import asyncio
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import click
import structlog

from cli.admin_session import admin_session, json_option
from cli.context import config_option, opened, read_config, who_serves
from cli.traces import link_line
from config.carriers import CarrierKind, CarrierOptions, OnUnknown
from config.model import Config
from gateway.admin.lookup import get_customer
from gateway.ports import CarrierEvents, LinkState
from process.carriers import build_client, password_of
from process.clock import SystemClock
from process.routes import routes_of
from smpp.client.client import SmppClient
from smpp.client.troubles import UNDER_WAY
from sms.message import Alphabet, EncodedText, InboundFragment, Origin, PartToSubmit, Priority, Receipt, ReceiptState
from sms.number import MobileNumber, SenderId, parse_number
from sms.outcome import Done, Outcome, Refused
from sms.parts import encode_text, payload_of
from sms.settings import SettingProblem, Unencodable, parse_setting
from store.carrier_links import CarrierLink, list_links

_TEXT = "Test of the SMS gateway."
_SILENCE_SECONDS = 1.5
R = TypeVar("R")


@click.group()
def carrier() -> None:
    """Look at the ways to the handsets, and try one."""


@carrier.command("list")
@config_option
@json_option
def list_all(file: Path, *, as_json: bool) -> None:
    """List the carriers of the operator's file, best first."""
    with opened(file) as (config, database, _keys):
        links = database.read_now(list_links) if who_serves(config, database) is not None else []
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
    with admin_session(file) as session:
        found = session.look(lambda tx: get_customer(tx, customer))
        _, layers = session.in_force()
        return layers.resolve(found.id, Origin.MAIL.value).settings.default_country


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
    config = read_config(file)
    parsed = _or_end(parse_number(number, ""))
    if name is None:
        name = _or_end(routes_of(config.carriers).explain(parsed)).carriers[0]
    options = _find(config, name)
    if options.kind is CarrierKind.SANDBOX:
        raise click.ClickException(
            f"{name} is the sandbox carrier: it lives inside the gateway; send it a mail instead"
        )
    lacking = options.dialect.lacking
    encoded = _or_end(
        encode_text(text, coding=Alphabet.GSM7, unencodable=Unencodable.SWITCH, max_parts=1, lacking=lacking)
    )
    if encoded.cut:
        raise click.ClickException("the text is longer than one SMS, which is all that a test sends")
    # What the log would say is said below, in one sentence.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    shown = _or_end(parse_setting("sender_id", sender))
    part = _part(parsed, encoded, shown if isinstance(shown, SenderId) else None)
    if not asyncio.run(_try(options, part, wait)):
        sys.exit(1)


def _part(number: MobileNumber, encoded: EncodedText, sender: SenderId | None) -> PartToSubmit:
    return PartToSubmit(
        part_key=1,
        message_key=1,
        message_id="test",
        number=number,
        sender=sender,
        alphabet=encoded.alphabet,
        udh=b"",
        payload=payload_of(encoded.text, encoded.alphabet),
        index=1,
        total=1,
        reference=0,
        priority=Priority.EXPRESS,
        flash=False,
        receipt_wanted=True,
        expires_at=datetime.now(UTC) + timedelta(minutes=10),
    )


@dataclass(slots=True)
class _Witness(CarrierEvents):
    """Says what the carrier says."""

    changed: asyncio.Event = field(default_factory=asyncio.Event)
    answer: "asyncio.Future[Outcome]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    receipted: asyncio.Event = field(default_factory=asyncio.Event)

    def answered(self, carrier: str, part_key: int, outcome: Outcome) -> None:  # noqa: ARG002 - the protocol's
        if not self.answer.done():
            self.answer.set_result(outcome)

    def answered_late(self, carrier: str, part_key: int, outcome: Outcome) -> None:
        self.answered(carrier, part_key, outcome)

    def window_changed(self, carrier: str) -> None:  # noqa: ARG002 - the protocol's
        self.changed.set()

    def link_changed(self, state: LinkState) -> None:  # noqa: ARG002 - the protocol's
        self.changed.set()

    async def reported(self, receipts: Sequence[Receipt]) -> None:
        for receipt in receipts:
            click.echo(f"Receipt: {receipt.state} for id {receipt.carrier_id} {receipt.error}".rstrip())
            if receipt.state is not ReceiptState.ENROUTE:
                self.receipted.set()

    async def arrived(self, fragments: Sequence[InboundFragment]) -> None:
        # Not ours to take: raising leaves it with the carrier for the gateway's own bind.
        raise RuntimeError(f"an inbound SMS for {fragments[0].destination} is left to the gateway")


async def _try(options: CarrierOptions, part: PartToSubmit, wait: int) -> bool:
    """Bind at each host, and send the SMS by the first that takes the bind; returns whether all went well."""
    parts, well = [part], True
    for host in options.centres:
        client = build_client(
            replace(options, links=1),
            hosts=[host],
            system_id=options.system_id,
            password=password_of(options),
            clock=SystemClock(),
        )
        witness = _Witness()
        await client.start(witness)
        try:
            if not await _bind(client, witness, options, f"{host} as {options.system_id}"):
                well = False
            elif parts:
                well &= await _converse(client, witness, parts, wait)
                parts = []
        finally:
            await client.stop(2.0)
    return well


async def _wait_aloud(event: asyncio.Event, words: str) -> None:
    """Wait for an event; where it takes long, say what for."""
    waiting = asyncio.get_running_loop().call_later(_SILENCE_SECONDS, click.echo, words)
    try:
        await event.wait()
    finally:
        waiting.cancel()


async def _bind(client: SmppClient, witness: _Witness, options: CarrierOptions, where: str) -> bool:
    try:
        async with asyncio.timeout(options.response_timeout.total_seconds()):
            while client.free_window() <= 0 and client.trouble == UNDER_WAY:
                witness.changed.clear()
                await _wait_aloud(witness.changed, f"Waiting for {where}: {UNDER_WAY} …")
    except TimeoutError:
        pass
    if client.free_window() <= 0:
        click.echo(f"No bind to {where}: {client.trouble}.")
        return False
    click.echo(f"Bound to {where}.")
    return True


async def _converse(client: SmppClient, witness: _Witness, parts: Sequence[PartToSubmit], wait: int) -> bool:
    client.submit(parts)
    outcome = await witness.answer
    if not isinstance(outcome, Done):
        click.echo(f"Refused: {outcome.problem.text} ({outcome.problem.cause or outcome.problem.code})")
        return False
    click.echo(f"Taken under id {outcome.reference}.")
    if wait:
        try:
            async with asyncio.timeout(wait):
                await witness.receipted.wait()
        except TimeoutError:
            click.echo(f"No receipt within {wait} s; it may still come.")
    return True
