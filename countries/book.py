"""Which rules count where: what is shipped, what the operator adds or decides, and the mode of each.

Not here: the facts (rules), the operator's file (config), what follows for a message (judge).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from countries.rules import Confidence, Country, Rule, RuleName
from sms.settings import UseCase

EVERY_COUNTRY: Final = "*"


class Mode(StrEnum):
    """What a rule does: its effect, a note that tells what may happen, or nothing."""

    APPLY = "apply"
    NOTE = "note"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorRule:
    """One decision of the operator: a rule of its own where it has a `value`, else the `mode` of what is shipped.

    `country` is its letters or EVERY_COUNTRY. What is empty or None asks for nothing: it counts for every use case,
    customer, carrier and network. `by` says where it stands, `reason` why (a contract, a letter).
    """

    country: str
    name: RuleName
    mode: Mode
    value: str = ""
    use_case: UseCase | None = None
    customer: str = ""
    carrier: str = ""
    networks: tuple[str, ...] = ()
    in_force_at: date | None = None
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleInForce:
    """A rule that counts in a place, with its mode; `by` names the operator's decision, empty where the product's own.

    `rule` is None for a rule of the operator's alone. `reason` is the decision's. From `ends_at` another decision
    stands in its place, None: none does.
    """

    name: RuleName
    value: str
    mode: Mode
    in_force_at: date | None
    by: str = ""
    rule: Rule | None = None
    use_case: UseCase | None = None
    networks: tuple[str, ...] = ()
    reason: str = ""
    ends_at: date | None = None

    def has_ended(self, day: date) -> bool:
        """Return whether another decision stands in its place on a day."""
        return self.ends_at is not None and self.ends_at <= day


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSubject:
    """Where a message goes, and for whom: a country's letters, a customer, the use case, the carrier that is first.

    `networks` are those that this carrier delivers to, none where that is not known.
    """

    country: str
    customer: str = ""
    use_case: UseCase = UseCase.TRANSACTIONAL
    carrier: str = ""
    networks: frozenset[str] = frozenset()


class RuleBook:
    """The countries as shipped with the operator's decisions over them; it never changes."""

    def __init__(self, countries: Mapping[str, Country], rulings: Sequence[OperatorRule] = ()) -> None:
        self.countries = countries
        self.rulings = tuple(rulings)

    def rules_at(self, place: RuleSubject) -> tuple[RuleInForce, ...]:
        """Return every rule that counts at a place, `off` ones too, in the order of the tables.

        Of the operator's values the nearest stands in place of the others and of what is shipped, from its day on.
        """
        country = self.countries.get(place.country)
        mine = [ruling for ruling in self.rulings if _fits(ruling, place)]
        shipped = [
            _shipped(rule, mine, ends_at)
            for rule in (country.rules if country is not None else ())
            if rule.use_case in (None, place.use_case) and (ends_at := _end_of(rule, mine)) != date.min
        ]
        own = [
            _own(ruling, mine, ends_at)
            for ruling in mine
            if ruling.value and ((ends_at := _end_of(ruling, mine)) is None or ends_at > _begin_of(ruling))
        ]
        return (*shipped, *own)

    def find(self, place: RuleSubject, name: RuleName, value: str) -> RuleInForce | None:
        """Return the rule of a name that says this at a place, None where none does any more.

        What a finding adds to the value, behind a colon or in brackets, is no part of what the rule says.
        """
        said = [rule for rule in self.rules_at(place) if rule.name == name]
        fits = (rule for rule in said if value.startswith((f"{rule.value}: ", f"{rule.value} (")))
        return next((rule for rule in said if rule.value == value), next(fits, None))

    def all_rules(self, country: str, day: date, customer: str = "") -> tuple[RuleInForce, ...]:
        """Return every rule of a country for a customer that has not ended on a day, whatever the purpose.

        One of no purpose is as for the first.
        """
        found = {
            (rule.name, rule.value, rule.use_case, rule.networks): rule
            for use_case in reversed(list(UseCase))
            for rule in self.rules_at(RuleSubject(country=country, customer=customer, use_case=use_case))
            if not rule.has_ended(day)
        }
        order = {name: number for number, name in enumerate(RuleName)}
        return tuple(sorted(found.values(), key=lambda rule: order[rule.name]))


def built_in_mode(rule: Rule) -> Mode:
    """Return what a shipped rule does where the operator says nothing: it is applied where sources agree."""
    return Mode.APPLY if rule.confidence is Confidence.HIGH else Mode.NOTE


def _fits(ruling: OperatorRule, place: RuleSubject) -> bool:
    return (
        ruling.country in (place.country, EVERY_COUNTRY)
        and ruling.use_case in (None, place.use_case)
        and ruling.customer in ("", place.customer)
        and ruling.carrier in ("", place.carrier)
    )


_Nearness = tuple[bool, bool, bool, bool]


def _nearness(ruling: OperatorRule) -> _Nearness:
    return bool(ruling.customer), bool(ruling.carrier), ruling.use_case is not None, ruling.country != EVERY_COUNTRY


def _begin_of(rule: Rule | OperatorRule) -> date:
    return rule.in_force_at or date.min


def _end_of(rule: Rule | OperatorRule, rulings: Iterable[OperatorRule]) -> date | None:
    """Return the first day on which a decision with a value stands in place of a rule, None where none ever does."""
    ends = [_begin_of(other) for other in rulings if other.value and _replaces(other, rule)]
    return min(ends, default=None)


def _replaces(other: OperatorRule, rule: Rule | OperatorRule) -> bool:
    """Return whether a decision is nearer than a rule, or as near and of a later day, and about its networks.

    What is shipped is further than any decision.
    """
    if other.name != rule.name:
        return False
    is_nearer = isinstance(rule, Rule) or _nearness(other) > _nearness(rule)
    is_later = (
        isinstance(rule, OperatorRule) and _nearness(other) == _nearness(rule) and _begin_of(other) > _begin_of(rule)
    )
    if not (is_nearer or is_later):
        return False
    if not other.networks:
        return is_nearer or not rule.networks
    return bool(rule.networks) and set(rule.networks) <= set(other.networks)


def _mode_of(name: RuleName, nearness: _Nearness | None, rulings: Iterable[OperatorRule]) -> OperatorRule | None:
    """Return the nearest decision about the mode of a rule, None where none is nearer than the rule itself."""
    deciding = [ruling for ruling in rulings if ruling.name == name and not ruling.value]
    nearest = max(deciding, key=_nearness, default=None)
    return None if nearest is not None and nearness is not None and _nearness(nearest) <= nearness else nearest


def _shipped(rule: Rule, rulings: Iterable[OperatorRule], ends_at: date | None) -> RuleInForce:
    """Return a shipped rule in the mode of the nearest decision about it: customer, carrier, use case, country."""
    nearest = _mode_of(rule.name, None, rulings)
    return RuleInForce(
        name=rule.name,
        value=rule.value,
        mode=nearest.mode if nearest is not None else built_in_mode(rule),
        in_force_at=rule.in_force_at,
        by=nearest.by if nearest is not None else "",
        rule=rule,
        use_case=rule.use_case,
        networks=rule.networks,
        reason=nearest.reason if nearest is not None else "",
        ends_at=ends_at,
    )


def _own(ruling: OperatorRule, rulings: Iterable[OperatorRule], ends_at: date | None) -> RuleInForce:
    """Return a rule of the operator's, in its mode or that of a nearer decision."""
    deciding = _mode_of(ruling.name, _nearness(ruling), rulings) or ruling
    return RuleInForce(
        name=ruling.name,
        value=ruling.value,
        mode=deciding.mode,
        in_force_at=ruling.in_force_at,
        by=deciding.by,
        use_case=ruling.use_case,
        networks=ruling.networks,
        reason=deciding.reason,
        ends_at=ends_at,
    )
