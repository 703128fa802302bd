"""What is known of the countries that SMS go to. Not here: the schema of the tables and what follows (countries)."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from countries.book import RuleBook, Ruling
from countries.judge import Judge
from countries.rules import Country
from countries.tables import read_countries


@cache
def known_countries() -> Mapping[str, Country]:
    """Return all countries by their ISO 3166-1 letters, in their order; read once, when first asked for."""
    folder = files("countries") / "data"
    countries, rules, sources = (
        (folder / f"{name}.tsv").read_text("utf-8") for name in ("countries", "rules", "sources")
    )
    return read_countries(countries, rules, sources)


def find_country(letters: str) -> Country | None:
    """Return a country by its two letters in either case, None where nothing is known of it."""
    return known_countries().get(letters.strip().upper())


def judge_by(rulings: Sequence[Ruling] = ()) -> Judge:
    """Return what judges messages by the countries as shipped, with the operator's rulings over them."""
    return Judge(lambda: RuleBook(known_countries(), rulings))
