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
class Ruling:
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

    `rule` is None for a rule of the operator's alone, which is in `ruling` then.
    """

    name: RuleName
    value: str
    mode: Mode
    in_force_at: date | None
    by: str = ""
    rule: Rule | None = None
    use_case: UseCase | None = None
    networks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
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

    def __init__(self, countries: Mapping[str, Country], rulings: Sequence[Ruling] = ()) -> None:
        self.countries = countries
        self.rulings = tuple(rulings)

    def rules_at(self, place: Place) -> tuple[RuleInForce, ...]:
        """Return every rule that counts at a place, `off` ones too, in the order of the tables."""
        country = self.countries.get(place.country)
        mine = [ruling for ruling in self.rulings if _fits(ruling, place)]
        own = {ruling.name for ruling in mine if ruling.value}
        shipped = [
            _shipped(rule, mine)
            for rule in (country.rules if country is not None else ())
            if rule.name not in own and rule.use_case in (None, place.use_case)
        ]
        return (*shipped, *(_own(ruling) for ruling in mine if ruling.value))

    def find(self, place: Place, name: RuleName, value: str) -> RuleInForce | None:
        """Return the rule of a name that says this at a place, None where none does any more."""
        return next((rule for rule in self.rules_at(place) if (rule.name, rule.value) == (name, value)), None)

    def all_rules(self, country: str, customer: str = "") -> tuple[RuleInForce, ...]:
        """Return every rule of a country for a customer, whatever the purpose; one of no purpose as for the first."""
        found = {
            (rule.name, rule.value, rule.use_case, rule.networks): rule
            for use_case in reversed(list(UseCase))
            for rule in self.rules_at(Place(country=country, customer=customer, use_case=use_case))
        }
        order = {name: number for number, name in enumerate(RuleName)}
        return tuple(sorted(found.values(), key=lambda rule: order[rule.name]))


def built_in_mode(rule: Rule) -> Mode:
    """Return what a shipped rule does where the operator says nothing: it is applied where sources agree."""
    return Mode.APPLY if rule.confidence is Confidence.HIGH else Mode.NOTE


def _fits(ruling: Ruling, place: Place) -> bool:
    return (
        ruling.country in (place.country, EVERY_COUNTRY)
        and ruling.use_case in (None, place.use_case)
        and ruling.customer in ("", place.customer)
        and ruling.carrier in ("", place.carrier)
    )


def _shipped(rule: Rule, rulings: Iterable[Ruling]) -> RuleInForce:
    """Return a shipped rule in the mode of the nearest decision about it: customer, carrier, use case, country."""
    deciding = [ruling for ruling in rulings if ruling.name == rule.name and not ruling.value]
    nearest = max(deciding, key=_nearness, default=None)
    return RuleInForce(
        name=rule.name,
        value=rule.value,
        mode=nearest.mode if nearest is not None else built_in_mode(rule),
        in_force_at=rule.in_force_at,
        by=nearest.by if nearest is not None else "",
        rule=rule,
        use_case=rule.use_case,
        networks=rule.networks,
    )


def _nearness(ruling: Ruling) -> tuple[bool, bool, bool, bool]:
    return bool(ruling.customer), bool(ruling.carrier), ruling.use_case is not None, ruling.country != EVERY_COUNTRY


def _own(ruling: Ruling) -> RuleInForce:
    return RuleInForce(
        name=ruling.name,
        value=ruling.value,
        mode=ruling.mode,
        in_force_at=ruling.in_force_at,
        by=ruling.by,
        use_case=ruling.use_case,
        networks=ruling.networks,
    )
