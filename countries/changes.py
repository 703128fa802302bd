"""What differs between two issues of the tables, so that an update surprises nobody.

Not here: who keeps the issue that was in force before (gateway.admin.countries).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

from countries.book import Mode, built_in_mode
from countries.rules import Country, Rule, RuleName


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChange:
    """What an issue says of one thing in one country, before and after; empty where it says nothing."""

    country: str
    name: RuleName
    before: tuple[Rule, ...]
    after: tuple[Rule, ...]

    @property
    def is_stricter(self) -> bool:
        """Whether something is applied now that was not, or was only a note: messages may be changed or refused."""
        applied = {_core(rule) for rule in self.before if built_in_mode(rule) is Mode.APPLY}
        return any(_core(rule) not in applied for rule in self.after if built_in_mode(rule) is Mode.APPLY)


def find_changes(before: Mapping[str, Country], after: Mapping[str, Country]) -> list[RuleChange]:
    """Return what differs by country in values, days, use cases, networks or modes; not in sources and months."""
    changes = []
    for letters in sorted(before.keys() | after.keys()):
        old, new = (_by_name(issue.get(letters)) for issue in (before, after))
        for name in sorted(old.keys() | new.keys()):
            was, is_now = old.get(name, ()), new.get(name, ())
            if {_said(rule) for rule in was} != {_said(rule) for rule in is_now}:
                changes.append(RuleChange(country=letters, name=name, before=was, after=is_now))
    return changes


def _by_name(country: Country | None) -> dict[RuleName, tuple[Rule, ...]]:
    rules = sorted(country.rules if country is not None else (), key=lambda rule: rule.name)
    return {name: tuple(group) for name, group in groupby(rules, key=lambda rule: rule.name)}


def _core(rule: Rule) -> tuple[object, ...]:
    return rule.value, rule.in_force_at, rule.use_case, rule.networks


def _said(rule: Rule) -> tuple[object, ...]:
    return (*_core(rule), built_in_mode(rule))
