"""[countries] of the operator's file, and the file of rules that it names: what the operator decides of countries.

Not here: the rules that are shipped and what follows from them (countries).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from config.field_types import FieldType, Name, ReadableFile, ShortText, option, text_like
from config.reader import ConfigIssue
from countries.book import EVERY_COUNTRY, Mode, OperatorRule
from countries.quiet import leaves_an_hour
from countries.rules import RuleName, expected_of, has_one_value, is_well_formed
from sms.number import is_country
from sms.settings import UseCase


def _parse_day(value: object) -> date:
    if isinstance(value, str):
        return date.fromisoformat(value)
    if type(value) is not date:
        raise ValueError
    return value


Day = Annotated[date, FieldType("a day such as 2026-09-15", _parse_day)]
Network = Annotated[str, text_like(r"[0-9]{5,6}", 'a network as MCC and MNC, such as "26201"')]
CountryLetters = Annotated[str, text_like(r"[A-Z]{2}|\*", 'a country by two letters such as "GB", or "*" for all')]


@dataclass(frozen=True, slots=True, kw_only=True)
class CountryOptions:
    """The rules of countries for sender IDs, texts and times; «mail2sms country show GB» tells what is in force.

    A rule of which sources agree is applied; any other is only told of. The file of rules decides otherwise, in a table
    [[rule]] each: `country`, `rule`, `mode` (apply, note, off), `value`, `use_case`, `customer`, `carrier`, `networks`,
    `from` and `reason`.
    """

    rules_file: ReadableFile | None = option(
        "The file of your own rules, TOML.", default=None, example="countries.toml"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CountryRule:
    """One decision: of a rule that is shipped, its mode; with a value, a rule in place of those of its name."""

    country: CountryLetters = option("Two letters, or * for all countries.")
    rule: RuleName = option("The rule, as «country show» names it.")
    mode: Mode = option("What it does.", default=Mode.APPLY)
    value: ShortText = option("What it says, in place of what is shipped.", default="")
    use_case: UseCase | None = option("Only for this purpose.", default=None)
    customer: ShortText = option("Only for this customer.", default="")
    carrier: Name | None = option("Only where this carrier is the first.", default=None)
    networks: tuple[Network, ...] = option("Only for these networks.", default=())
    begins: Day | None = option("The day from which it holds.", default=None, key="from")
    reason: ShortText = option("Why: a contract, a letter, a date.", default="")

    def complaints(self) -> Iterator[ConfigIssue]:
        """Yield: no country of these letters, a value that the rule can't have, a rule of networks without a value."""
        if self.country != EVERY_COUNTRY and not is_country(self.country):
            yield ConfigIssue("country", f'"{self.country}" is no country: two letters such as "GB" are expected')
        if self.value and not is_well_formed(self.rule, self.value):
            yield ConfigIssue(
                "value", f'"{self.value}" is nothing that {self.rule} can say: expected {expected_of(self.rule)}'
            )
        elif self.rule is RuleName.QUIET_HOURS and self.value not in ("", "none") and not leaves_an_hour(self.value):
            yield ConfigIssue("value", f'"{self.value}" leaves no time at all: what waits for it would never go')
        if not self.value and (self.networks or self.begins):
            yield ConfigIssue("value", "expected a value with networks or from: the shipped rule has its own")

    def ruling(self, by: str) -> OperatorRule:
        """Return what the rule book makes of it; `by` says where it stands."""
        return OperatorRule(
            country=self.country,
            name=self.rule,
            mode=self.mode,
            value=self.value,
            use_case=self.use_case,
            customer=self.customer,
            carrier=self.carrier or "",
            networks=self.networks,
            in_force_at=self.begins,
            by=by,
            reason=self.reason,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFile:
    """The file of the operator's own rules."""

    rules: tuple[CountryRule, ...] = option("", default=(), key="rule")

    def complaints(self) -> Iterator[ConfigIssue]:
        """Yield each rule that says something else than an earlier one of the same place, where one alone can count."""
        for number, rule in enumerate(self.rules):
            for earlier, other in enumerate(self.rules[:number]):
                if _contradicts(rule, other):
                    yield ConfigIssue(("rule", number), _contradiction(rule, other, earlier))
                    break


def _contradicts(rule: CountryRule, other: CountryRule) -> bool:
    """Return whether two rules of one place can't both count: as decisions about a mode, or as values."""
    if _place_of(rule) != _place_of(other):
        return False
    if rule.value == other.value or not (rule.value and other.value):
        return rule.mode is not other.mode
    return has_one_value(rule.rule) and rule.mode is other.mode


def _contradiction(rule: CountryRule, other: CountryRule, earlier: int) -> str:
    said = [f'"{one.value}" ({one.mode})' if one.value else f'mode "{one.mode}"' for one in (rule, other)]
    return f"{said[0]} contradicts rule[{earlier + 1}], which has {said[1]} of {rule.rule} for the same: keep one"


def _place_of(rule: CountryRule) -> tuple[object, ...]:
    networks = frozenset(rule.networks)
    return rule.country, rule.rule, rule.use_case, rule.customer, rule.carrier, networks, rule.begins
