"""Writes docs/countries.md from the tables: `python -m tests.country_pages FILE` (make example)."""

import sys
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from cli.country_words import MODES
from countries.book import RuleBook, RuleInForce
from countries.rules import Country, Source, restricts
from gateway.admin.countries import known_countries, version_of_tables

WORDS = Path(__file__).parent.parent / "templates" / "portal" / "words" / "en" / "documentation.toml"
NAMES = tomllib.loads(WORDS.read_text("utf-8"))["rules"]
HEAD = """\
# Countries

What is known of the countries that SMS go to, and what follows, as of the tables {version}. Written by `make example` from
`countries/data`; a test keeps it true. The portal shows it with what the operator decided for a customer, and so does
`mail2sms country show GB`.

A rule that is **applied** changes, delays or refuses SMS; **a note** changes nothing and tells what may happen. A rule is
applied where sources agree; the operator can decide otherwise ([operations](operations.md#countries)). What is not here is
unknown: the SMS is sent as it is. A rule without a word under «Does» keeps nothing from passing. This is no legal advice, and networks change their rules without notice.
"""


def country_pages() -> str:
    """Return the document: an index, a table for each country, the sources."""
    countries = known_countries()
    book = RuleBook(countries)
    sources = {source.key: source for one in countries.values() for rule in one.rules for source in rule.sources}
    index = " · ".join(f"[{one.name}](#{_anchor(one)})" for one in countries.values())
    parts = [HEAD.format(version=version_of_tables()), index, *(_page(one, book) for one in countries.values())]
    return "\n".join([*parts, *_sources(sources)]) + "\n"


def _page(country: Country, book: RuleBook) -> str:
    rows = [_row(rule) for rule in book.all_rules(country.letters, date.max)]
    head = f"\n## {country.name} ({country.letters})\n\nCalling code {country.calling_code}, MCC {country.mcc}.\n"
    return "\n".join([head, "| Rule | Says | Does | For | Sources |", "| --- | --- | --- | --- | --- |", *rows])


def _row(rule: RuleInForce) -> str:
    assert rule.rule is not None
    since = f" from {rule.in_force_at}" if rule.in_force_at else ""
    networks = f" (networks {', '.join(rule.networks)})" if rule.networks else ""
    keys = ", ".join(source.key for source in rule.rule.sources)
    purpose = rule.use_case or ""
    does = f"{MODES[rule.mode]}{since}" if restricts(rule.name, rule.value) else ""
    value = rule.value.replace("|", "\\|")
    return f"| {NAMES[rule.name]} | {value}{networks} | {does} | {purpose} | {keys}, {rule.rule.as_of} |"


def _sources(sources: dict[str, Source]) -> Iterator[str]:
    yield "\n## Sources\n"
    for key in sorted(sources):
        yield f"- **{key}**: {sources[key].name}, {sources[key].address}"


def _anchor(country: Country) -> str:
    words = f"{country.name} {country.letters}".lower()
    return "".join(letter for letter in words.replace(" ", "-") if letter.isalnum() or letter == "-")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(country_pages(), encoding="utf-8")
