"""What a country asks for where a sender ID is registered, and how soon it drops one that is not used.

Not here: who asks for a registration (gateway.admin.registrations), what the rules do to messages (judge).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from countries.book import Mode, RuleInForce, RuleSubject
from countries.judge import Case, Judge, Registration
from countries.rules import RuleName
from sms.number import SenderId
from sms.outcome import Refused
from sms.settings import UseCase


class Need(StrEnum):
    """What a registration must have; `LETTER` is a letter of authorisation, `LOCAL_ENTITY` a company in the country."""

    COMPANY = "company"
    USE_CASE = "use-case"
    SAMPLES = "samples"
    VOLUME = "volume"
    LETTER = "letter"
    LOCAL_ENTITY = "local-entity"


_ALWAYS: Final = frozenset({Need.COMPANY, Need.SAMPLES})
"""What every register asks for."""
_TOLD: Final = frozenset(
    {
        *(RuleName.ALPHA, RuleName.ALPHA_REGISTRATION, RuleName.ALPHA_REGISTRATION_LOCAL, RuleName.REGISTRATION_NEEDS),
        *(RuleName.REGISTRATION_IDLE, RuleName.ID_RULE, RuleName.ID_FORM, RuleName.ALPHA_MAX, RuleName.NOTES),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """A name that sends less than `fewest` SMS in `within` is dropped; for certain where `is_certain`."""

    fewest: int
    within: timedelta
    is_certain: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """What a country asks for: needs, what speaks against the sender ID even where it is registered, and who says so.

    `is_needed` says that names are registered there at all; `rules` are those that are about registrations.
    """

    needs: frozenset[Need]
    obstacle: Refused | None
    idle: Idle | None
    is_needed: bool
    rules: tuple[RuleInForce, ...]


def demands_of(judge: Judge, place: RuleSubject, sender_id: SenderId | None, day: date) -> Demands:
    """Return what the country of a place asks for, for a sender ID (None: one that is not known yet) on a day."""
    found: dict[RuleName, list[RuleInForce]] = {}
    for rule in judge.book.rules_at(place):
        if rule.mode is not Mode.OFF and not rule.has_ended(day):
            found.setdefault(rule.name, []).append(rule)
    needs = set(_ALWAYS)
    for rule in found.get(RuleName.REGISTRATION_NEEDS, ()):
        needs.update(Need(word) for word in rule.value.split(","))
    if any(rule.value == "local only" for rule in found.get(RuleName.ALPHA_REGISTRATION_LOCAL, ())):
        needs.add(Need.LOCAL_ENTITY)
    judgement = judge.judge(
        Case(
            country=place.country,
            sender_id=sender_id,
            use_case=place.use_case,
            day=day,
            customer=place.customer,
            carrier=place.carrier,
            registration=Registration.OWN,
        )
    )
    return Demands(
        needs=frozenset(needs),
        obstacle=judgement.refused,
        idle=_idle(found.get(RuleName.REGISTRATION_IDLE, ())),
        is_needed=any(rule.value in {"required", "part"} for rule in found.get(RuleName.ALPHA_REGISTRATION, ())),
        rules=tuple(rule for name, rules in found.items() if name in _TOLD for rule in rules),
    )


def _idle(rules: Sequence[RuleInForce]) -> Idle | None:
    """Return the strictest rule: a certain one before a note."""
    found = [_read_idle(rule) for rule in rules]
    return max(found, key=lambda idle: (idle.is_certain, idle.fewest), default=None)


def _read_idle(rule: RuleInForce) -> Idle:
    fewest, _, days = rule.value.partition("/")
    within = timedelta(days=int(days.removesuffix("d")))
    return Idle(fewest=int(fewest), within=within, is_certain=rule.mode is Mode.APPLY)


def use_case_of(text: str) -> UseCase:
    """Return the use case by which the rules of one for all are found."""
    return UseCase(text) if text else UseCase.TRANSACTIONAL
