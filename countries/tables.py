"""Reads the tables of countries, rules and sources: tab-separated, a header line, no quoting; judged line by line.

Not here: the files (data/), and who opens them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from types import MappingProxyType
from typing import Final

from countries.rules import Confidence, Country, Rule, RuleName, Source, is_well_formed
from sms.settings import UseCase

COUNTRIES: Final = ("country", "name", "mcc", "dial")
RULES: Final = ("country", "rule", "value", "use_case", "networks", "in_force", "sources", "as_of", "confidence")
SOURCES: Final = ("source", "name", "address")

_NETWORK: Final = re.compile(r"\d{5,6}")
_MONTH: Final = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])")


class TableFault(ValueError):  # noqa: N818 - a refusal, not a defect
    """A line that breaks the schema: which table, which line, and what is expected."""

    def __init__(self, table: str, line: int, expected: str) -> None:
        super().__init__(f"{table}, line {line}: {expected}")


def read_countries(countries: str, rules: str, sources: str) -> Mapping[str, Country]:
    """Return the countries by their letters, in the order of their table, from the text of the three tables.

    Raises TableFault for the first line that breaks the schema.
    """
    known = {
        key: Source(key=key, name=name, address=address)
        for _, (key, name, address) in _rows("sources", sources, SOURCES)
    }
    rows = dict(_places(countries))
    found: dict[str, list[Rule]] = {letters: [] for letters in rows}
    seen: set[tuple[str, Rule]] = set()
    for line, (letters, *cells) in _rows("rules", rules, RULES):
        if letters not in found:
            raise TableFault("rules", line, f"«{letters}» is no country of the table of countries")
        rule = _rule(line, cells, known)
        if (key := (letters, replace(rule, in_force_at=None, as_of="", confidence=Confidence.LOW))) in seen:
            raise TableFault("rules", line, "the same sources say the same in another line")
        seen.add(key)
        found[letters].append(rule)
    return MappingProxyType(
        {
            letters: Country(letters=letters, name=name, mcc=mcc, calling_code=dial, rules=tuple(found[letters]))
            for letters, (name, mcc, dial) in rows.items()
        }
    )


def _places(text: str) -> Iterator[tuple[str, tuple[str, str, str]]]:
    seen: set[str] = set()
    for line, (letters, name, mcc, dial) in _rows("countries", text, COUNTRIES):
        if not re.fullmatch("[A-Z]{2}", letters) or letters in seen:
            raise TableFault("countries", line, f"«{letters}»: two capital letters are expected, each country once")
        if not re.fullmatch(r"\d{3}(?: \d{3})*", mcc) or not re.fullmatch(r"\+\d{1,4}", dial):
            raise TableFault(
                "countries", line, f"«{mcc}», «{dial}»: a code such as 262 and one such as +49 are expected"
            )
        seen.add(letters)
        yield letters, (name, mcc, dial)


def _rule(line: int, cells: list[str], known: Mapping[str, Source]) -> Rule:
    name, value, use_case, networks, in_force, keys, as_of, confidence = cells
    try:
        rule = RuleName(name)
    except ValueError:
        raise TableFault("rules", line, f"«{name}» is no rule; there are {', '.join(RuleName)}") from None
    if not is_well_formed(rule, value):
        raise TableFault("rules", line, f"«{value}» is nothing that «{name}» can say")
    if not keys.split() or not known.keys() >= set(keys.split()):
        raise TableFault("rules", line, f"«{keys}»: keys of the table of sources are expected")
    if not _MONTH.fullmatch(as_of):
        raise TableFault("rules", line, f"«{as_of}»: a month such as 2026-05 is expected")
    if use_case and use_case not in set(UseCase):
        raise TableFault("rules", line, f"«{use_case}» is no use case; there are {', '.join(UseCase)}")
    if not all(_NETWORK.fullmatch(network) for network in networks.split()):
        raise TableFault("rules", line, f"«{networks}»: networks such as 26201 are expected (MCC and MNC)")
    try:
        return Rule(
            name=rule,
            value=value,
            in_force_at=date.fromisoformat(in_force) if in_force else None,
            sources=tuple(known[key] for key in keys.split()),
            as_of=as_of,
            confidence=Confidence(confidence),
            use_case=UseCase(use_case) if use_case else None,
            networks=tuple(networks.split()),
        )
    except ValueError:
        expected = f"«{in_force}», «{confidence}»: a day or nothing, and one of {', '.join(Confidence)} are expected"
        raise TableFault("rules", line, expected) from None


def _rows(table: str, text: str, columns: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the cells of each line after the header."""
    lines = text.split("\n")
    if tuple(lines[0].split("\t")) != columns:
        raise TableFault(table, 1, f"the header is not {' '.join(columns)}")
    for number, line in enumerate(lines[1:], 2):
        if not line and number == len(lines):
            return
        cells = line.split("\t")
        if len(cells) != len(columns):
            raise TableFault(table, number, f"{len(cells)} cells; {len(columns)} are expected")
        yield number, cells
