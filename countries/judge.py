"""What the rules of a country do to one message: its sender ID, its wording, when it may go, what is told of it.

Pure and apart from the text, so that one judgement serves all messages that are alike. Not here: which rules count
(book), a text under the judgement (wording), quiet hours as periods (quiet), who registered what (addressbook).
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Final, NamedTuple

from countries.book import Mode, Place, RuleBook, RuleInForce
from countries.rules import RuleName
from sms.number import SenderId, SenderKind
from sms.outcome import Refusal, Refused
from sms.settings import UseCase

_MOST_JUDGEMENTS: Final = 20_000

GENERIC_IDS: Final = frozenset(
    {"alert", "alerts", "bank", "info", "infosms", "message", "msg", "news", "notice", "notify", "otp", "parcel"}
    | {"service", "sms", "smsinfo", "test", "textmessage", "verify"}
)
"""Names that say nothing of who sends, in small letters; networks refuse or replace them."""


class Effect(StrEnum):
    """What a rule did: nothing but a note, another sender ID, another text, a later time, or a refusal."""

    NOTED = "noted"
    REPLACED = "replaced"
    CHANGED = "changed"
    DELAYED = "delayed"
    REFUSED = "refused"


class Finding(NamedTuple):
    """What one rule did to a message, and what the rule says."""

    rule: RuleName
    effect: Effect
    value: str


class Registration(StrEnum):
    """Whether a sender ID is registered in a country for a customer and a use case."""

    NONE = "none"
    OWN = "own"
    SHARED = "shared"


class Case(NamedTuple):
    """What a judgement depends on. `sender_id` is None where the carrier chooses it.

    `abroad` says that a number as the sender ID is none of the country; `toll_free` that it is a toll-free one.
    """

    country: str
    sender_id: SenderId | None
    use_case: UseCase
    day: date
    customer: str = ""
    carrier: str = ""
    networks: frozenset[str] = frozenset()
    registration: Registration = Registration.NONE
    fallback: SenderId | None = None
    abroad: bool = False
    toll_free: bool = False
    brand: str = ""
    opt_out: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """What a text must look like: words before and after it, and what it may not have.

    `lacking` are characters that the country's networks lose; `links` is how links are judged, and in which mode.
    `opt_out` is the wording to be added where the text has none; `wants_opt_out` says that there ought to be one.
    """

    before: str = ""
    after: str = ""
    most_parts: int = 0
    gsm7_only: bool = False
    lacking: frozenset[str] = frozenset()
    opt_out: str = ""
    wants_opt_out: RuleInForce | None = None
    links: RuleInForce | None = None
    concatenation: RuleInForce | None = None
    banned: RuleInForce | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the rules do to messages of one case. `sender_id` stands in place of what was asked, None: as asked.

    `quiet` are the quiet hours, `rates` how fast the sender ID may send, each with its mode.
    """

    findings: tuple[Finding, ...] = ()
    refused: Refused | None = None
    sender_id: SenderId | None = None
    wording: Wording | None = None
    quiet: tuple[RuleInForce, ...] = ()
    rates: tuple[RuleInForce, ...] = ()


NOTHING: Final = Judgement()


@dataclass(slots=True)
class _Draft:
    """A judgement in the making."""

    findings: list[Finding] = field(default_factory=list)
    refused: Refused | None = None
    sender_id: SenderId | None = None

    def note(self, rule: RuleInForce, effect: Effect = Effect.NOTED) -> None:
        self.findings.append(Finding(rule.name, effect, rule.value))


class Judge:
    """Judges cases by the rule book that `read_book` returns, and remembers a bounded number of answers.

    Without a book it finds nothing.
    """

    def __init__(self, read_book: Callable[[], RuleBook] | None = None) -> None:
        self._read_book = read_book
        self._judge = lru_cache(_MOST_JUDGEMENTS)(self._decide)

    @property
    def is_idle(self) -> bool:
        """Whether it knows no rules at all."""
        return self._read_book is None

    @cached_property
    def book(self) -> RuleBook:
        """The rules, which are read when they are first asked for."""
        return RuleBook({}) if self._read_book is None else self._read_book()

    def judge(self, case: Case) -> Judgement:
        """Return what the rules do to messages of a case."""
        return NOTHING if self.is_idle else self._judge(case)

    def _decide(self, case: Case) -> Judgement:
        place = Place(
            country=case.country,
            customer=case.customer,
            use_case=case.use_case,
            carrier=case.carrier,
            networks=case.networks,
        )
        rules: dict[RuleName, list[RuleInForce]] = {}
        for rule in self.book.rules_at(place):
            if (counting := _as_it_counts(rule, case)) is not None:
                rules.setdefault(rule.name, []).append(counting)
        if not rules:
            return NOTHING
        draft = _Draft()
        _judge_sender(draft, case, rules)
        return Judgement(
            findings=tuple(dict.fromkeys(draft.findings)),
            refused=draft.refused,
            sender_id=draft.sender_id,
            quiet=tuple(rule for rule in rules.get(RuleName.QUIET_HOURS, ()) if rule.value != "none"),
            rates=tuple(rules.get(RuleName.RATE, ())),
        )


def _as_it_counts(rule: RuleInForce, case: Case) -> RuleInForce | None:
    """Return a rule in the mode that it has today and here, None where it is off.

    Before its day, and where only some networks have it and the message's is not known, it can only be a note.
    """
    if rule.mode is Mode.OFF:
        return None
    early = rule.in_force_at is not None and rule.in_force_at > case.day
    elsewhere = bool(rule.networks) and bool(case.networks) and case.networks.isdisjoint(rule.networks)
    if elsewhere:
        return None
    unsure = bool(rule.networks) and not (case.networks and case.networks <= set(rule.networks))
    return _noted(rule) if early or unsure else rule


def _noted(rule: RuleInForce) -> RuleInForce:
    return replace(rule, mode=Mode.NOTE)


def _first(rules: dict[RuleName, list[RuleInForce]], name: RuleName, *values: str) -> RuleInForce | None:
    """Return the strictest rule of a name that says one of these: one to apply before a note."""
    said = [rule for rule in rules.get(name, ()) if not values or rule.value in values]
    return min(said, key=lambda rule: rule.mode is Mode.NOTE, default=None)


def _judge_sender(draft: _Draft, case: Case, rules: dict[RuleName, list[RuleInForce]]) -> None:
    if case.sender_id is None:
        return
    for problem in _problems_of(case.sender_id, case, rules):
        rule, refusal = problem
        if rule.mode is Mode.NOTE:
            draft.note(rule)
            continue
        fallback = case.fallback
        if fallback is not None and not any(
            other.mode is Mode.APPLY for other, _ in _problems_of(fallback, case, rules)
        ):
            draft.sender_id = fallback
            draft.note(rule, Effect.REPLACED)
            return
        draft.note(rule, Effect.REFUSED)
        draft.refused = Refused(refusal=refusal, detail=_refusal_detail(case, rule, refusal))
        return
    shown = _first(rules, RuleName.REPLACED_BY)
    if shown is not None and _first(rules, RuleName.ALPHA_KEPT, "no") is not None:
        draft.note(shown)


def _problems_of(
    sender: SenderId, case: Case, rules: dict[RuleName, list[RuleInForce]]
) -> Iterable[tuple[RuleInForce, Refusal]]:
    """Yield what a country has against a sender ID."""
    impossible, unregistered = Refusal.SENDER_ID_IMPOSSIBLE, Refusal.SENDER_ID_UNREGISTERED
    if sender.kind is SenderKind.ALPHANUMERIC:
        if (rule := _first(rules, RuleName.ALPHA, "none")) is not None:
            yield rule, impossible
        required = _first(rules, RuleName.ALPHA_REGISTRATION, "required")
        if required is not None and case.registration is Registration.NONE:
            # Where it is shown as another name, it is not blocked.
            yield (_noted(required) if _first(rules, RuleName.REPLACED_BY) is not None else required), unregistered
        yield from ((rule, impossible) for rule in rules.get(RuleName.ID_FORM, ()) if not _has_form(sender, rule))
        yield from ((rule, impossible) for rule in rules.get(RuleName.BLOCKED_ID, ()) if _is_named(sender, rule))
        if (rule := _first(rules, RuleName.GENERIC_ID, "no")) is not None and _is_generic(sender):
            yield rule, impossible
    elif sender.kind is SenderKind.SHORT_CODE:
        if (rule := _first(rules, RuleName.SHORT_CODE, "no")) is not None:
            yield rule, impossible
    elif (rule := _first(rules, RuleName.LONG_INTL if case.abroad else RuleName.LONG_LOCAL, "no")) is not None:
        yield rule, impossible


def _has_form(sender: SenderId, rule: RuleInForce) -> bool:
    return re.fullmatch(rule.value, sender.value) is not None


def _is_named(sender: SenderId, rule: RuleInForce) -> bool:
    return sender.value.casefold() in {name.strip().casefold() for name in rule.value.split(",")}


def _is_generic(sender: SenderId) -> bool:
    return sender.value.casefold().strip() in GENERIC_IDS


def _refusal_detail(case: Case, rule: RuleInForce, refusal: Refusal) -> str:
    sender = case.sender_id.value if case.sender_id is not None else ""
    what = (
        "is not registered there, and the country's networks block it"
        if refusal is Refusal.SENDER_ID_UNREGISTERED
        else f"can't be the sender there ({rule.name}: {rule.value})"
    )
    return f"{case.country}: «{sender}» {what}; a number can be set as fallback_sender_id"
