"""`mail2sms country …`: the rules of countries: what is known, what is applied, what an issue of them changes.

Not here: the rules (countries), who reads them (gateway.admin.countries).
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from cli.admin_session import csv_option, json_option, one_customer_option, print_rows, print_view
from cli.context import CONFIG_VARIABLE, default_config, read_config
from cli.country_words import MODES, change_sentence, idle_sentence, origin_of
from cli.shapes import table_command
from countries.book import OperatorRule, RuleBook, RuleInForce, RuleSubject
from countries.changes import RuleChange, find_changes
from countries.rules import Country, RuleName
from countries.tables import TableFault
from gateway.admin.countries import (
    changes_since_start,
    find_country,
    find_idle,
    known_countries,
    read_issue,
    version_of_tables,
)
from reports.ruled import list_ruled
from sms.settings import UseCase
from templates.words import Dictionary, find_languages

_LISTED = (RuleName.ALPHA, RuleName.ALPHA_REGISTRATION, RuleName.TWO_WAY, RuleName.QUIET_HOURS)

_EU_LETTERS = {"GB": "uk", "GR": "el"}


def _find_config(context: click.Context, _: click.Parameter, given: Path | None) -> Path | None:
    """Return the operator's file, None where there is none: what is shipped can be read without."""
    return given if given is not None or context.resilient_parsing else default_config().file


config_option = click.option(
    "--config",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    callback=_find_config,
    help="The operator's file, where it is not the default one; its rules count, too.",
)


@click.command("list")
@json_option
@csv_option
def list_all(*, as_json: bool, as_csv: bool) -> None:
    """List the countries with what is known of sender IDs, answers and quiet hours; «?»: nothing."""
    print_rows([_line(country) for country in known_countries().values()], as_json=as_json, as_csv=as_csv)


@click.command("show")
@config_option
@json_option
@click.option("--use-case", type=click.Choice([*map(str, UseCase)]), default=str(UseCase.TRANSACTIONAL))
@click.option("--customer", default="", metavar="NAME", help="As it is for this customer.")
@click.option("--carrier", default="", metavar="NAME", help="Where this carrier is the first.")
@click.argument("country", metavar="XX")
def show_one(  # noqa: PLR0913 - what the command is given
    *, file: Path | None, as_json: bool, use_case: str, country: str, customer: str, carrier: str
) -> None:
    """Show the rules of a country, such as GB: what each says and does, who decided that, with sources and date.

    Rules of another purpose than --use-case are left out.
    """
    found = find_country(country)
    if found is None:
        raise click.ClickException(_unknown(country))
    place = RuleSubject(country=found.letters, use_case=UseCase(use_case), customer=customer, carrier=carrier)
    book, today = RuleBook(known_countries(), _rulings(file)), datetime.now(UTC).date()
    rules = [_rule(rule) for rule in book.rules_at(place) if not rule.has_ended(today)]
    if as_json:
        click.echo(json.dumps({**_place(found), "rules": rules}, indent=2, ensure_ascii=False))
        return
    print_view(_place(found), as_json=False)
    click.echo(f"Purpose {use_case}. «applied»: messages are changed, delayed or refused; «a note»: only told of.\n")
    for rule in rules:
        click.echo(_sentence(rule))
    click.echo()
    for key, source in sorted({source.key: source for rule in found.rules for source in rule.sources}.items()):
        click.echo(f"{key}: {source.name}, {source.address}")


@click.command("diff")
@json_option
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
def show_changes(*, as_json: bool, folder: Path) -> None:
    """Show what the shipped tables say otherwise than those in DIR, which has another issue of them.

    That is countries.tsv, rules.tsv and sources.tsv. The gateway keeps those that were in force when it
    started last in the folder «countries» of its data directory.
    """
    try:
        before = read_issue(folder)
    except (OSError, TableFault) as error:
        raise click.ClickException(f"The tables in {folder} can't be read: {error}") from error
    _print_changes(find_changes(before, known_countries()), as_json=as_json)


@click.command("check")
@config_option
@json_option
def check(*, file: Path | None, as_json: bool) -> None:
    """Name what the shipped tables change since the gateway started last, and rules of yours that do nothing."""
    if file is None:
        raise click.ClickException(f"There is no operator's file: give --config FILE, or set {CONFIG_VARIABLE}.")
    config = read_config(file)
    changes = changes_since_start(config.server.data_dir)
    delivered = [network for carrier in config.carriers for network in carrier.networks]
    idle = find_idle(config.rulings, delivered)
    if as_json:
        told: dict[str, Any] = {"version": version_of_tables(), "changes": [*map(_change, changes)]}
        click.echo(
            json.dumps({**told, "without_effect": [ruling.by for ruling, _ in idle]}, indent=2, ensure_ascii=False)
        )
        return
    if config.countries.rules_file is not None:
        click.echo(f"{config.countries.rules_file}: {len(config.rulings)} rules of yours.")
    click.echo(f"The shipped tables are of {version_of_tables()}, with {len(known_countries())} countries.")
    for ruling, why in idle:
        click.echo(idle_sentence(ruling, why))
    _print_changes(changes, as_json=False)


report = table_command(
    "report",
    "Count the SMS that rules of countries replaced, changed, delayed or refused, by customer and month, newest first.",
    list_ruled,
    one_customer_option,
    click.option("--month", default="", metavar="YYYY-MM", help="Only this one: 2026-11."),
    click.option("--country", default="", metavar="XX", help="Only this one."),
    click.option("--by-day", is_flag=True, help="By day in place of month."),
)


def _unknown(given: str) -> str:
    """Say that nothing is known of a country, and which ones may be meant where a name or a calling code was given."""
    asked = given.strip().casefold()
    meant = [
        f"{one.name} is «{one.letters}»"
        for one in known_countries().values()
        if asked and asked in (_EU_LETTERS.get(one.letters), one.calling_code, one.calling_code[1:], *_names_of(one))
    ]
    advice = "; ".join(meant) or "«country list» names all countries by two letters"
    return f"Nothing is known of «{given}»; {advice}."


def _names_of(country: Country) -> set[str]:
    """Return the names of a country in the languages of our mails, in small letters."""
    words = map(Dictionary().words, find_languages())
    return {country.name.casefold(), *(each.territory(country.letters).casefold() for each in words)}


def _rulings(file: Path | None) -> tuple[OperatorRule, ...]:
    return read_config(file).rulings if file is not None else ()


def _print_changes(changes: list[RuleChange], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([*map(_change, changes)], indent=2, ensure_ascii=False))
        return
    for change in changes:
        click.echo(change_sentence(change))
    click.echo(f"{len(changes)} differences, {sum(change.is_stricter for change in changes)} of them applied anew.")


def _change(change: RuleChange) -> Mapping[str, object]:
    return {
        "country": change.country,
        "rule": change.name.value,
        "before": [rule.value for rule in change.before],
        "after": [rule.value for rule in change.after],
        "applied_anew": change.is_stricter,
    }


def _place(country: Country) -> Mapping[str, object]:
    return {
        "country": country.letters,
        "name": country.name,
        "mcc": country.mcc,
        "calling_code": country.calling_code,
    }


def _line(country: Country) -> Mapping[str, object]:
    said = {name.value: ", ".join(dict.fromkeys(rule.value for rule in country.said(name))) or "?" for name in _LISTED}
    return {**_place(country), **said}


def _sentence(rule: Mapping[str, object]) -> str:
    """Say a rule in a line: what it says and does, who decided it and why, when it holds and who says so."""
    when = [f"{word} {rule[key]}" for word, key in (("from", "in_force"), ("until", "ends")) if rule[key]]
    where = [f"on {rule['networks']}"] if rule["networks"] else []
    known = [rule["sources"], rule["as_of"], rule["confidence"]] if rule["sources"] else []
    told = ", ".join(map(str, (*when, *where, *known)))
    reason = f": {rule['reason']}" if rule["reason"] else ""
    said = f"{rule['rule']}: {rule['value']}   [{rule['does']} by {rule['by']}{reason}]"
    return f"{said}   ({told})" if told else said


def _rule(rule: RuleInForce) -> Mapping[str, object]:
    shipped = rule.rule
    return {
        "rule": rule.name.value,
        "value": rule.value,
        "does": MODES[rule.mode],
        "by": origin_of(rule),
        "reason": rule.reason,
        "networks": " ".join(rule.networks),
        "in_force": rule.in_force_at.isoformat() if rule.in_force_at else "",
        "ends": rule.ends_at.isoformat() if rule.ends_at else "",
        "sources": " ".join(source.key for source in shipped.sources) if shipped is not None else "",
        "as_of": shipped.as_of if shipped is not None else "",
        "confidence": shipped.confidence.value if shipped is not None else "",
    }


country = click.Group(
    "country",
    help="Look at the rules of the countries that SMS go to, and at what an issue changes.",
    commands=[list_all, show_one, show_changes, check, report],
)
