"""What commands say of countries' rules. Not here: the rules (countries), sentences about messages (templates)."""

from countries.book import Mode, OperatorRule, RuleInForce, built_in_mode
from countries.changes import RuleChange
from countries.rules import Rule
from gateway.admin.countries import Idleness

MODES = {Mode.APPLY: "applied", Mode.NOTE: "a note", Mode.OFF: "off"}


def change_sentence(change: RuleChange) -> str:
    """Say what an issue of the tables changes in a country, and whether messages may be changed or refused by it."""
    said = f"{change.country}: {change.name}: {_all(change.before)} → {_all(change.after)}"
    return f"{said}; it is applied from now on: messages may be changed or refused" if change.is_stricter else said


def idle_sentence(ruling: OperatorRule, why: Idleness) -> str:
    """Say why a decision of the operator's does nothing."""
    said = {
        Idleness.NOT_SHIPPED: f"no rule {ruling.name} is shipped for {ruling.country}: its mode does nothing",
        Idleness.NO_CUSTOMER: f"there is no customer «{ruling.customer}»: the rule does nothing",
        Idleness.NO_NETWORK: f"not all of the networks {' '.join(ruling.networks)} are of {ruling.country}",
        Idleness.NOT_DELIVERED: f"no carrier has one of the networks {' '.join(ruling.networks)}: it is only a note",
    }
    return f"{ruling.by}: {said[why]}"


def origin_of(rule: RuleInForce) -> str:
    """Say who decided a rule or its mode."""
    return rule.by or "the product"


def _all(rules: tuple[Rule, ...]) -> str:
    return " | ".join(_said(rule) for rule in rules) or "nothing"


def _said(rule: Rule) -> str:
    since = f" from {rule.in_force_at}" if rule.in_force_at else ""
    purpose = f" ({rule.use_case})" if rule.use_case else ""
    networks = f" on {' '.join(rule.networks)}" if rule.networks else ""
    return f"«{rule.value}»{purpose}{networks}{since} [{MODES[built_in_mode(rule)]}]"
