"""`mail2sms country …`: what is known of the countries that SMS go to; nothing of it is applied yet.

Not here: the rules (countries), who reads them (gateway.admin.countries).
"""

import json
from collections.abc import Mapping

import click

from cli.admin_session import csv_option, json_option, print_rows, print_view
from countries.rules import Country, Rule, RuleName
from gateway.admin.countries import find_country, known_countries

_LISTED = (RuleName.ALPHA, RuleName.ALPHA_REGISTRATION, RuleName.TWO_WAY, RuleName.QUIET_HOURS)


@click.command("list")
@json_option
@csv_option
def list_all(*, as_json: bool, as_csv: bool) -> None:
    """List the countries with what is known of sender IDs, answers and quiet hours; «?»: nothing."""
    print_rows([_line(country) for country in known_countries().values()], as_json=as_json, as_csv=as_csv)


@click.command("show")
@json_option
@click.argument("country", metavar="XX")
def show_one(*, country: str, as_json: bool) -> None:
    """Show everything that is known of a country, such as GB: each rule with its sources, date and confidence."""
    found = find_country(country)
    if found is None:
        raise click.ClickException(
            f"Nothing is known of «{country}»; «country list» names all countries by two letters."
        )
    rules = [_rule(rule) for rule in found.rules]
    if as_json:
        click.echo(json.dumps({**_place(found), "applied": False, "rules": rules}, indent=2, ensure_ascii=False))
        return
    print_view(_place(found), as_json=False)
    click.echo("Information, not yet applied: no SMS is changed, delayed or refused by it.\n")
    for rule in rules:
        since = f"from {rule['in_force']}, " if rule["in_force"] else ""
        click.echo(
            f"{rule['rule']}: {rule['value']}   ({since}{rule['sources']}, {rule['as_of']}, {rule['confidence']})"
        )
    click.echo()
    for key, source in sorted({source.key: source for rule in found.rules for source in rule.sources}.items()):
        click.echo(f"{key}: {source.name}, {source.address}")


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


def _rule(rule: Rule) -> Mapping[str, object]:
    return {
        "rule": rule.name.value,
        "value": rule.value,
        "in_force": rule.in_force_at.isoformat() if rule.in_force_at else "",
        "sources": " ".join(source.key for source in rule.sources),
        "as_of": rule.as_of,
        "confidence": rule.confidence.value,
    }


country = click.Group(
    "country",
    help="Look at what is known of the countries that SMS go to; nothing of it is applied yet.",
    commands=[list_all, show_one],
)
