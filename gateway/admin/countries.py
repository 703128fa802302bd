"""What is known of the countries that SMS go to. Not here: the schema of the tables and what follows (countries)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from countries.book import OperatorRule, RuleBook
from countries.changes import RuleChange, find_changes
from countries.judge import Judge
from countries.rules import Country, RuleName
from countries.tables import TableFault, read_countries

_TABLES: Final = ("countries", "rules", "sources")
_ISSUE: Final = "countries"
"""The folder of the data directory that has the tables which were in force when the gateway started last."""


@cache
def known_countries() -> Mapping[str, Country]:
    """Return all countries by their ISO 3166-1 letters, in their order; read once, when first asked for."""
    return _read(files("countries") / "data")


def version_of_tables() -> str:
    """Return the name of the issue of the tables that is shipped, such as 2026.11."""
    return (files("countries") / "data" / "VERSION").read_text("utf-8").strip()


def read_issue(folder: Path) -> Mapping[str, Country]:
    """Return the countries of another issue of the tables.

    Raises OSError where a table can't be read, and TableFault for the first line that breaks the schema.
    """
    return _read(folder)


def changes_since_start(data_dir: Path) -> list[RuleChange]:
    """Return what differs from the tables that were in force when the gateway started last; nothing before its first.

    Tables of a schema that is no longer read count as the first.
    """
    before, shipped = data_dir / _ISSUE, files("countries") / "data"
    try:
        if all((before / f"{name}.tsv").read_bytes() == (shipped / f"{name}.tsv").read_bytes() for name in _TABLES):
            return []
        return find_changes(read_issue(before), known_countries())
    except (OSError, TableFault):
        return []


def keep_issue(data_dir: Path) -> list[RuleChange]:
    """Keep the shipped tables as those in force from now on; return what differs from those before."""
    changes = changes_since_start(data_dir)
    folder = data_dir / _ISSUE
    folder.mkdir(mode=0o700, exist_ok=True)
    for name in _TABLES:
        part = folder / f"{name}.tsv.part"
        part.write_bytes((files("countries") / "data" / f"{name}.tsv").read_bytes())
        part.replace(folder / f"{name}.tsv")
    return changes


def _read(folder: Traversable) -> Mapping[str, Country]:
    countries, rules, sources = (_text(folder, name) for name in _TABLES)
    return read_countries(countries, rules, sources)


def _text(folder: Traversable, name: str) -> str:
    octets = (folder / f"{name}.tsv").read_bytes()
    try:
        return octets.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise TableFault(name, octets.count(b"\n", 0, error.start) + 1, "text in UTF-8 is expected") from error


def find_country(letters: str) -> Country | None:
    """Return a country by its two letters in either case, None where nothing is known of it."""
    return known_countries().get(letters.strip().upper())


def banned_content(letters: str) -> tuple[str, ...]:
    """Return what kinds of content a country forbids, such as gambling; none where nothing is known."""
    country = find_country(letters)
    said = country.said(RuleName.CONTENT_BANS) if country is not None else ()
    return tuple(dict.fromkeys(ban for rule in said for ban in rule.value.split(",")))


class Idleness(StrEnum):
    """Why a ruling of the operator's does nothing."""

    NOT_SHIPPED = "not-shipped"
    NO_CUSTOMER = "no-customer"
    NO_NETWORK = "no-network"
    NOT_DELIVERED = "not-delivered"


def find_idle(
    rulings: Iterable[OperatorRule], delivered: Collection[str], customers: Collection[str] | None = None
) -> list[tuple[OperatorRule, Idleness]]:
    """Return the rulings that do nothing, and why.

    `delivered` are the networks that carriers deliver to; `customers` the names of all, None where they are not known.
    """
    found = ((ruling, _idleness(ruling, delivered, customers)) for ruling in rulings)
    return [(ruling, why) for ruling, why in found if why is not None]


def _idleness(ruling: OperatorRule, delivered: Collection[str], customers: Collection[str] | None) -> Idleness | None:
    countries = known_countries()
    country = countries.get(ruling.country)
    named = [country] if country is not None else countries.values()
    if not ruling.value and not any(one.said(ruling.name) for one in named):
        return Idleness.NOT_SHIPPED
    if ruling.customer and customers is not None and ruling.customer not in customers:
        return Idleness.NO_CUSTOMER
    if country is not None and not all(network.startswith(tuple(country.mcc.split())) for network in ruling.networks):
        return Idleness.NO_NETWORK
    return Idleness.NOT_DELIVERED if ruling.networks and not {*ruling.networks} & {*delivered} else None


def judge_by(rulings: Sequence[OperatorRule] = ()) -> Judge:
    """Return what judges messages by the countries as shipped, with the operator's rulings over them."""
    return Judge(lambda: RuleBook(known_countries(), rulings))
