"""What the rules of a country do to one message: its sender ID, when it may go, what is told of it.

Pure and apart from the text, so that one judgement serves all messages that are alike. Not here: which rules count
(book), what they want of a text (wording), quiet hours as periods (quiet), who registered what (addressbook).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Final, NamedTuple

from countries.book import Mode, RuleBook, RuleInForce, RuleSubject
from countries.findings import Effect, Finding
from countries.rules import KindOfSender, RuleName, validity_range
from countries.wording import Wording, wording_of
from sms.number import SenderId, SenderKind
from sms.outcome import Refusal, Refused
from sms.sender_rate import SenderRate, parse_rate
from sms.settings import UseCase

_MOST_JUDGEMENTS: Final = 20_000
_WORTH_LESS: Final = ("network", "unreliable", "false", "none")
"""Receipts that do not say what a receipt says: that the handset has the text."""

GENERIC_IDS: Final = frozenset(
    {"alert", "alerts", "bank", "info", "infosms", "message", "msg", "news", "notice", "notify", "otp", "parcel"}
    | {"service", "sms", "smsinfo", "test", "textmessage", "verify"}
)
"""Names that say nothing of who sends, in small letters; networks refuse or replace them."""


class Registration(StrEnum):
    """Whether a sender ID is registered in a country for a customer and a use case."""

    NONE = "none"
    OWN = "own"
    SHARED = "shared"


class Case(NamedTuple):
    """What a judgement depends on. `sender_id` is None where the carrier chooses it.

    `abroad` says that a number as the sender ID is none of the country; `toll_free` that it is a toll-free one;
    `is_answerable` that answers to it would reach the customer. So do those of the fallback.
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
    is_answerable: bool = False
    fallback_registration: Registration = Registration.NONE
    fallback_abroad: bool = False
    fallback_toll_free: bool = False
    validity: timedelta | None = None

    def with_fallback(self) -> "Case":
        """Return the case with the fallback as its sender ID."""
        return self._replace(
            sender_id=self.fallback,
            registration=self.fallback_registration,
            abroad=self.fallback_abroad,
            toll_free=self.fallback_toll_free,
            is_answerable=False,
        )


def kind_of_sender(case: Case) -> KindOfSender | None:
    """Return what the sender ID of a case is, None where the carrier chooses it."""
    if case.sender_id is None:
        return None
    if case.sender_id.kind is SenderKind.ALPHANUMERIC:
        return KindOfSender.NAME
    if case.sender_id.kind is SenderKind.SHORT_CODE:
        return KindOfSender.SHORT
    return KindOfSender.TOLL_FREE if case.toll_free else KindOfSender.LONG


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the rules do to messages of one case.

    `sender_id` and `validity` stand in place of what was asked, None: as asked. `quiet` are the quiet hours, each
    with its mode, `rate` how fast the sender ID may send.
    """

    findings: tuple[Finding, ...] = ()
    refused: Refused | None = None
    sender_id: SenderId | None = None
    wording: Wording | None = None
    quiet: tuple[RuleInForce, ...] = ()
    rate: SenderRate | None = None
    validity: timedelta | None = None


NOTHING: Final = Judgement()


@dataclass(slots=True)
class _Draft:
    """A judgement in the making."""

    findings: list[Finding] = field(default_factory=list)
    refused: Refused | None = None
    sender_id: SenderId | None = None
    validity: timedelta | None = None

    def note(self, rule: RuleInForce, effect: Effect = Effect.NOTED) -> None:
        self.findings.append(Finding(rule.name, effect, rule.value))


class Judge:
    """Judges cases by the rule book that `read_book` returns, and remembers a bounded number of answers.

    Without a book it is idle: it knows no rules at all, and finds nothing.
    """

    def __init__(self, read_book: Callable[[], RuleBook] | None = None) -> None:
        self._read_book = read_book
        self.is_idle = read_book is None
        self._judge = lru_cache(_MOST_JUDGEMENTS)(self._decide)

    @cached_property
    def book(self) -> RuleBook:
        """The rules, which are read when they are first asked for."""
        return RuleBook({}) if self._read_book is None else self._read_book()

    def judge(self, case: Case) -> Judgement:
        """Return what the rules do to messages of a case."""
        return NOTHING if self.is_idle else self._judge(case)

    def _decide(self, case: Case) -> Judgement:
        place = RuleSubject(
            country=case.country,
            customer=case.customer,
            use_case=case.use_case,
            carrier=case.carrier,
            networks=case.networks,
        )
        counting = (_as_it_counts(rule, case) for rule in self.book.rules_at(place))
        rules = _by_name((rule for rule in counting if rule is not None), case)
        if not rules:
            return NOTHING
        draft = _Draft()
        _judge_sender(draft, case, rules)
        shown = case if draft.sender_id is None else case.with_fallback()
        if draft.refused is None:
            _note_the_rest(draft, shown, rules)
            _judge_validity(draft, case.validity, rules)
        return Judgement(
            findings=tuple(dict.fromkeys(draft.findings)),
            refused=draft.refused,
            sender_id=draft.sender_id,
            wording=wording_of(
                case.country, rules, kind_of_sender(shown), case.use_case, brand=case.brand, opt_out=case.opt_out
            ),
            quiet=tuple(rule for rule in rules.get(RuleName.QUIET_HOURS, ()) if rule.value != "none"),
            rate=_rate_of(shown, rules),
            validity=draft.validity,
        )


def _as_it_counts(rule: RuleInForce, case: Case) -> RuleInForce | None:
    """Return a rule in the mode that it has today and here, None where it is off or another stands in its place.

    Before its day, and where only some networks have it and the message's is not known, it can only be a note.
    """
    if rule.mode is Mode.OFF or rule.has_ended(case.day):
        return None
    early = rule.in_force_at is not None and rule.in_force_at > case.day
    elsewhere = bool(rule.networks) and bool(case.networks) and case.networks.isdisjoint(rule.networks)
    if elsewhere:
        return None
    unsure = bool(rule.networks) and not (case.networks and case.networks <= set(rule.networks))
    return _noted(rule) if early or unsure else rule


def _by_name(counting: Iterable[RuleInForce], case: Case) -> "Rules":
    """Return rules by name; what is known of the message's network stands in place of what is said of the country."""
    rules: dict[RuleName, list[RuleInForce]] = {}
    for rule in counting:
        rules.setdefault(rule.name, []).append(rule)
    if case.networks:
        for name, said in rules.items():
            rules[name] = [rule for rule in said if case.networks <= set(rule.networks)] or said
    return rules


Rules = Mapping[RuleName, list[RuleInForce]]


def _noted(rule: RuleInForce) -> RuleInForce:
    return replace(rule, mode=Mode.NOTE)


def _first(rules: Rules, name: RuleName, *values: str) -> RuleInForce | None:
    """Return the strictest rule of a name that says one of these: one to apply before a note."""
    said = [rule for rule in rules.get(name, ()) if not values or rule.value in values]
    return min(said, key=lambda rule: rule.mode is Mode.NOTE, default=None)


def _judge_sender(draft: _Draft, case: Case, rules: Rules) -> None:
    for rule, refusal in _problems_of(case, rules):
        if rule.mode is Mode.NOTE:
            draft.note(rule)
            continue
        others = [other for other, _ in _problems_of(case.with_fallback(), rules)]
        if case.fallback is not None and not any(other.mode is Mode.APPLY for other in others):
            draft.sender_id = case.fallback
            draft.note(rule, Effect.REPLACED)
            for other in others:
                draft.note(other)
            return
        draft.note(rule, Effect.REFUSED)
        draft.refused = Refused(refusal=refusal, detail=_refusal_detail(case, rule, refusal))
        return


def _problems_of(case: Case, rules: Rules) -> Iterator[tuple[RuleInForce, Refusal]]:
    """Yield what a country has against the sender ID of a case."""
    sender = case.sender_id
    impossible = Refusal.SENDER_ID_IMPOSSIBLE
    if sender is None:
        return
    if sender.kind is SenderKind.ALPHANUMERIC:
        yield from _problems_of_name(sender, case, rules)
    elif sender.kind is SenderKind.SHORT_CODE:
        if (rule := _first(rules, RuleName.SHORT_CODE, "no")) is not None:
            yield rule, impossible
    elif (rule := _first(rules, RuleName.LONG_INTL if case.abroad else RuleName.LONG_LOCAL, "no")) is not None:
        yield rule, impossible


def _problems_of_name(sender: SenderId, case: Case, rules: Rules) -> Iterator[tuple[RuleInForce, Refusal]]:
    impossible = Refusal.SENDER_ID_IMPOSSIBLE
    if (rule := _first(rules, RuleName.ALPHA, "none")) is not None:
        yield rule, impossible
    required = _first(rules, RuleName.ALPHA_REGISTRATION, "required")
    if required is not None and case.registration is Registration.NONE:
        # Where it is shown as another name, it is not blocked.
        is_shown = _first(rules, RuleName.REPLACED_BY) is not None and not required.networks
        yield (_noted(required) if is_shown else required), Refusal.SENDER_ID_UNREGISTERED
    yield from ((rule, impossible) for rule in rules.get(RuleName.ID_FORM, ()) if not _has_form(sender, rule))
    yield from ((rule, impossible) for rule in rules.get(RuleName.ALPHA_MAX, ()) if not _fits(sender, rule))
    yield from ((rule, impossible) for rule in rules.get(RuleName.BLOCKED_ID, ()) if _is_named(sender, rule))
    generic = _first(rules, RuleName.GENERIC_ID, "no")
    # One that the country registers beforehand, for everybody, passes.
    if generic is not None and _is_generic(sender) and case.registration is Registration.NONE:
        yield generic, impossible


def _has_form(sender: SenderId, rule: RuleInForce) -> bool:
    return re.fullmatch(rule.value, sender.value) is not None


def _fits(sender: SenderId, rule: RuleInForce) -> bool:
    fewest, _, most = rule.value.rpartition("-")
    return int(fewest or 1) <= len(sender.value) <= int(most)


def _is_named(sender: SenderId, rule: RuleInForce) -> bool:
    return sender.value.casefold() in {name.strip().casefold() for name in rule.value.split(",")}


def _is_generic(sender: SenderId) -> bool:
    return sender.value.casefold().strip() in GENERIC_IDS


def _note_the_rest(draft: _Draft, case: Case, rules: Rules) -> None:
    """Note what a country does that changes nothing here: what is shown, what a receipt is worth, what it wants."""
    sender, name = case.sender_id, RuleName
    noted: list[RuleInForce | None] = []
    if sender is not None and sender.kind is SenderKind.ALPHANUMERIC:
        is_registered = case.registration is not Registration.NONE
        is_required = _first(rules, name.ALPHA_REGISTRATION, "required") is not None
        if not (is_registered or is_required):
            noted.append(
                _first(rules, name.ALPHA_REGISTRATION, "part")
                or _first(rules, name.ALPHA_REGISTRATION_LOCAL, "required", "part", "local only")
                or _first(rules, name.ALPHA, "registered", "registered on some networks")
            )
        shown = _first(rules, name.ALPHA_KEPT, "no") or _first(rules, name.ALPHA, "replaced", "mixed", "none")
        if shown is not None or (is_required and not is_registered):
            noted.append(_first(rules, name.REPLACED_BY) or shown)
        if not (name.ID_FORM in rules or name.BLOCKED_ID in rules):
            noted.append(_first(rules, name.ID_RULE))
    elif sender is not None and sender.kind is SenderKind.NUMERIC and case.abroad:
        shown = _first(rules, name.LONG_INTL_KEPT, "no")
        noted += [shown, _first(rules, name.REPLACED_BY) if shown is not None else None]
    if case.is_answerable and all(rule.value == "no" for rule in rules.get(name.TWO_WAY, ())):
        noted.append(_first(rules, name.TWO_WAY))
    noted.append(_first(rules, name.RECEIPTS, *_WORTH_LESS))
    if not (name.TEXT_PREFIX in rules or name.TEXT_SUFFIX in rules):
        noted.append(_first(rules, name.TEXT_RULE))
    for rule in noted:
        if rule is not None:
            draft.note(rule)


def _rate_of(case: Case, rules: Rules) -> SenderRate | None:
    """Return how fast the sender ID may send to the country: the slowest of the rates that are applied to its kind."""
    kind = kind_of_sender(case)
    if case.sender_id is None or kind is None:
        return None
    counter = f"rate {case.country} {case.sender_id.value}"
    rates = [
        parse_rate(counter, rule.value)
        for rule in rules.get(RuleName.RATE, ())
        if rule.mode is Mode.APPLY and rule.value.startswith(f"{kind} ")
    ]
    return min(rates, key=lambda rate: rate.parts / rate.period.total_seconds(), default=None)


def _judge_validity(draft: _Draft, asked: timedelta | None, rules: Rules) -> None:
    """Take a validity into the country's range, such as `1m-48h`; a note is about what goes out."""
    if asked is None:
        return
    validity = asked
    for rule in sorted(rules.get(RuleName.VALIDITY, ()), key=lambda rule: rule.mode is Mode.NOTE):
        shortest, longest = validity_range(rule.value)
        kept = min(max(validity, shortest), longest)
        if kept == validity:
            continue
        if rule.mode is Mode.NOTE:
            draft.note(rule)
        else:
            draft.note(rule, Effect.CHANGED)
            validity = kept
    if validity != asked:
        draft.validity = validity


def _refusal_detail(case: Case, rule: RuleInForce, refusal: Refusal) -> str:
    sender = case.sender_id.value if case.sender_id is not None else ""
    what = (
        "is not registered there, and the country's networks block it"
        if refusal is Refusal.SENDER_ID_UNREGISTERED
        else f"can't be the sender there ({rule.name}: {rule.value})"
    )
    return f"{case.country}: «{sender}» {what}; a number can be set as fallback_sender_id"
