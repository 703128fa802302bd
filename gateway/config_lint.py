"""What settings, constraints and carriers say against each other, before an SMS suffers.

Not here: the words (cli.words), what the operator's file alone contradicts (config).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from addressbook.hierarchy import Constraints, Layer, LayerKey, LayerKind, Layers, Resolved
from addressbook.numbers import NumberKind, OwnNumber, OwnNumbers, Sharing
from addressbook.people import Customer, Directory, User
from addressbook.snapshot import Snapshot
from addressbook.suspensions import refuse_suspended
from countries.book import EVERY_COUNTRY
from countries.judge import Case, Judge
from countries.rules import RuleName
from gateway.admin.demanded_answers import asks_for_help, find_demand, sources_of
from gateway.routing import CarrierRoutes
from inbound.actions import ActionKind, AnswerAction, InboundRules
from inbound.answers import asks_contact, contact_of
from sms.facts import Code, Fact
from sms.message import Origin
from sms.parameters import names_and_values
from sms.route import SEPARATOR, first_carrier
from sms.schedule import Hours
from sms.settings import StatusChannel, UseCase, format_setting
from templates.words import find_languages, language_spoken

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_WHOSE = ("kind", "name", "customer", "service")


class Contradicts(Code):
    """What is contradicted; where it is somebody's setting, the facts name whose."""

    UNKNOWN_CUSTOMER = "unknown-customer", "name"
    SUSPENDED = "suspended", "cause"
    NUMBER_WITHOUT_CARRIER = "number-without-carrier", "number", "carriers"
    SENDER_ID_REFUSED = "sender-id-refused", "cause", *_WHOSE
    WITHOUT_EFFECT = "without-effect", "field", "wanted", "value", "by", *_WHOSE
    NO_PUSH_URL = "no-push-url", "channel", *_WHOSE
    NO_PUSHES = "no-pushes", *_WHOSE
    LANGUAGE_WITHOUT_WORDS = "language-without-words", "language", "spoken", "languages", *_WHOSE
    NUMBER_OF_NOBODY = "number-of-nobody", "number", "state"
    NUMBER_OF_UNKNOWN_CARRIER = "number-of-unknown-carrier", "number", "carriers"
    PARAMETER_OF_NO_CARRIER = "parameter-of-no-carrier", "cause", *_WHOSE
    HELP_WITHOUT_CONTACT = "help-without-contact", "number", "country", "customers"
    KEYWORD_TAKES_HELP = "keyword-takes-help", "number", "word", "customer", "country", "rule", "sources"
    VALIDITY_SHORTENED = "validity-shortened", "validity", "kept", "countries", "route", "minutes", *_WHOSE
    VALIDITY_TOO_SHORT = "validity-too-short", "validity", "route", "minutes", *_WHOSE


@dataclass(frozen=True, slots=True)
class Contradiction:
    """One thing that an operator would want to be told."""

    code: Contradicts
    facts: Mapping[str, Fact]

    def __post_init__(self) -> None:
        self.code.check(self.facts)


def find_contradictions(
    snapshot: Snapshot, routes: CarrierRoutes, hours: Mapping[str, Hours], now: datetime
) -> list[Contradiction]:
    """Return what an operator would want to be told, each once; `hours` are those of carriers that have some.

    What a customer's own settings contradict is not said again of its profiles and users, who inherit it.
    """
    directory, layers, numbers = snapshot.directory, snapshot.layers, snapshot.numbers
    found: dict[object, Contradiction] = {}
    gaps = {route: _gap([hours.get(name) for name in route.split(SEPARATOR)], now) for route in routes.known}
    for name in sorted(routes.customers):
        if directory.customer_named(name) is None:
            found[name] = Contradiction(Contradicts.UNKNOWN_CUSTOMER, {"name": name})
    users: dict[int, list[User]] = {}
    for user in directory.users():
        users.setdefault(user.customer_id, []).append(user)
    for customer in directory.customers():
        for item in customer.suspensions:
            cause = refuse_suspended(customer.name, item).detail
            found[cause] = Contradiction(Contradicts.SUSPENDED, {"cause": cause})
        mine = [(route, gaps[route]) for route in routes.routes_for(customer.name)]
        closed = max(mine, key=lambda item: item[1], default=("", timedelta(0)))
        abroad = _closed_abroad(snapshot, routes, customer, gaps, now.date()) if closed[1] else {}
        fields = _fields_at_stake(layers.constraints(customer.key), closed[1], numbers)
        for stack in _all_stacks(directory, layers, customer, users.get(customer.key, ()), fields):
            for said in (
                *_judge_sender(stack, numbers, customer),
                *_judge(stack),
                *_judge_language(stack),
                *_judge_validity(stack, closed),
                *_judge_validity_abroad(stack, snapshot.judge, abroad),
                *_judge_parameters(stack, routes),
            ):
                found.setdefault((said.code, *said.facts.values()), said)
    return list(found.values())


def find_idle_numbers(numbers: OwnNumbers, carriers: Collection[str], sending: Collection[str]) -> list[Contradiction]:
    """Return which of our numbers are nobody's, or of carriers that the operator's file does not have.

    Those are told of as well that have carriers, and none of those `sending`.
    """
    found = []
    for number in numbers.everyone():
        name = _named(number)
        if number.sharing is Sharing.DEDICATED and number.customer_key is None:
            facts: dict[str, Fact] = {"number": name, "state": number.state.value}
            found.append(Contradiction(Contradicts.NUMBER_OF_NOBODY, facts))
        unknown = tuple(carrier for carrier in number.carriers if carrier not in carriers)
        if unknown:
            facts = {"number": name, "carriers": unknown}
            found.append(Contradiction(Contradicts.NUMBER_OF_UNKNOWN_CARRIER, facts))
        elif number.carriers and not any(carrier in sending for carrier in number.carriers):
            facts = {"number": name, "carriers": number.carriers}
            found.append(Contradiction(Contradicts.NUMBER_WITHOUT_CARRIER, facts))
    return found


def find_help_without_contact(snapshot: Snapshot, rules: InboundRules, now: datetime) -> list[Contradiction]:
    """Return which of our active numbers answer HELP without whom to ask, where their country demands the answer."""
    found = []
    for number in snapshot.numbers.everyone():
        customers = tuple(
            customer.name
            for customer in snapshot.directory.customers()
            if number.serves_customer(customer.key)
            and _lacks_contact(rules, customer, number)
            and find_demand(snapshot.judge.book, number, customer.name, now.date()) is not None
        )
        if customers:
            facts: dict[str, Fact] = {"number": _named(number), "country": number.country, "customers": customers}
            found.append(Contradiction(Contradicts.HELP_WITHOUT_CONTACT, facts))
    return found


def find_help_taken(snapshot: Snapshot, rules: InboundRules, now: datetime) -> list[Contradiction]:
    """Return which keywords take a word on our active numbers that their country wants answered.

    They were made before the rule was applied: now they would be refused.
    """
    found = []
    for customer in snapshot.directory.customers():
        for number in snapshot.numbers.everyone():
            words = [item.word for item in rules.keywords(customer.key, number.key) if asks_for_help(item.word)]
            if not words or not number.serves_customer(customer.key):
                continue
            demand = find_demand(snapshot.judge.book, number, customer.name, now.date())
            if demand is None:
                continue
            for word in words:
                facts: dict[str, Fact] = {"number": _named(number), "word": word, "customer": customer.name}
                facts |= {"country": number.country, "rule": demand.name.value, "sources": sources_of(demand)}
                found.append(Contradiction(Contradicts.KEYWORD_TAKES_HELP, facts))
    return found


def _lacks_contact(rules: InboundRules, customer: Customer, number: OwnNumber) -> bool:
    actions = rules.actions(customer.key, number.key)
    own = next((item.settings for item in actions if item.kind is ActionKind.HELP), None)
    return not contact_of(actions) and asks_contact(own if isinstance(own, AnswerAction) else None)


def _named(number: OwnNumber) -> str:
    return f"+{number.digits}" if number.kind is NumberKind.LONG else f"{number.digits} ({number.country})"


@dataclass(frozen=True, slots=True)
class _Stack:
    """What is in force for somebody, and the layers that are theirs alone."""

    whose: Mapping[str, str]
    resolved: Resolved
    own: Collection[LayerKind]

    def decides(self, field: str) -> bool:
        """Return whether a layer of theirs says what would be in force without constraints."""
        explained = self.resolved.explained[field]
        is_clamped = explained.layer is LayerKind.CONSTRAINT
        said = [cell.layer for cell in explained.shadowed if cell.layer is not LayerKind.CONSTRAINT]
        return (said[0] if is_clamped else explained.layer) in self.own


_OF_A_CUSTOMER = (LayerKind.SYSTEM, LayerKind.CUSTOMER)
_OF_A_USER = (LayerKind.USER, LayerKind.PINNED)


def _fields_at_stake(rules: Collection[Constraints], gap: timedelta, numbers: OwnNumbers) -> frozenset[str]:
    """Return the fields that a layer can contradict something with: not to look at thousands of users in vain."""
    possible = {
        "status_channel": True,
        "push_states": True,
        "parameters": True,
        "validity": gap > timedelta(0),
        "use_case": gap > timedelta(0),
        "sender_id": any(numbers.everyone()) or any(rule.sender_ids is not None for rule in rules),
        "max_parts": any(rule.max_parts is not None for rule in rules),
        "priority": not all(rule.express for rule in rules),
        "flash": not all(rule.flash for rule in rules),
        "push_url": not all(rule.push for rule in rules),
    }
    return frozenset(name for name, is_possible in possible.items() if is_possible)


def _all_stacks(
    directory: Directory, layers: Layers, customer: Customer, users: Iterable[User], fields: frozenset[str]
) -> Iterator[_Stack]:
    mail = Origin.MAIL.value
    yield _Stack(_whose(LayerKind.CUSTOMER, customer.name), layers.resolve(customer.key, ""), _OF_A_CUSTOMER)
    for service in Origin:
        if layers.layer(LayerKey(LayerKind.SERVICE, customer.key, service.value)) is not None:
            whose = _whose(LayerKind.SERVICE, customer.name, service=service.value)
            yield _Stack(whose, layers.resolve(customer.key, service.value), (LayerKind.SERVICE,))
    for profile in directory.profiles(customer.key):
        if layers.layer(LayerKey(LayerKind.PROFILE, profile.key)) is not None:
            whose = _whose(LayerKind.PROFILE, profile.name, customer.name)
            yield _Stack(whose, layers.resolve(customer.key, mail, profile.key), (LayerKind.PROFILE,))
    for user in users:
        own = [layers.layer(LayerKey(kind, user.key)) for kind in _OF_A_USER]
        if any(layer is not None and (not fields.isdisjoint(layer.cells) or _is_mute(layer)) for layer in own):
            in_force = directory.profile_in_force(customer.key, user)
            profile_id = in_force.key if in_force is not None else None
            whose = _whose(LayerKind.PINNED, user.address)
            yield _Stack(whose, layers.resolve(customer.key, mail, profile_id, user.key), _OF_A_USER)


def _whose(kind: LayerKind, name: str, customer: str = "", service: str = "") -> dict[str, str]:
    return {"kind": kind.value, "name": name, "customer": customer, "service": service}


def _judge(stack: _Stack) -> Iterator[Contradiction]:
    settings, whose = stack.resolved.settings, stack.whose
    for clamped in stack.resolved.clamped:
        if stack.decides(clamped.field):
            values = {"wanted": format_setting(clamped.wanted), "value": format_setting(clamped.value)}
            facts = {"field": clamped.field, "by": str(clamped.why), **values, **whose}
            yield Contradiction(Contradicts.WITHOUT_EFFECT, facts)
    if settings.status_channel is not StatusChannel.MAIL and not settings.push_url and stack.decides("status_channel"):
        yield Contradiction(Contradicts.NO_PUSH_URL, {"channel": settings.status_channel.value, **whose})
    if settings.push_states and settings.status_channel is StatusChannel.MAIL and stack.decides("push_states"):
        yield Contradiction(Contradicts.NO_PUSHES, whose)


def _judge_sender(stack: _Stack, numbers: OwnNumbers, customer: Customer) -> Iterator[Contradiction]:
    if not stack.decides("sender_id"):
        return
    sender_id = stack.resolved.settings.sender_id
    dedicated = numbers.refuse_sender(sender_id, customer.key) if sender_id is not None else None
    for refused in (*stack.resolved.refused, *([dedicated] if dedicated is not None else [])):
        yield Contradiction(Contradicts.SENDER_ID_REFUSED, {"cause": refused.detail, **stack.whose})


def _is_mute(layer: Layer) -> bool:
    """Return whether a layer names a language that has no words."""
    cell = layer.cells.get("language")
    return cell is not None and isinstance(cell.value, str) and not _has_words(cell.value)


def _has_words(tag: str) -> bool:
    return language_spoken(tag) == tag.partition("-")[0]


def _judge_language(stack: _Stack) -> Iterator[Contradiction]:
    language = stack.resolved.settings.language
    if not _has_words(language) and stack.decides("language"):
        facts: dict[str, Fact] = {"spoken": language_spoken(language), "languages": tuple(find_languages())}
        yield Contradiction(Contradicts.LANGUAGE_WITHOUT_WORDS, {"language": language, **facts, **stack.whose})


def _judge_validity(stack: _Stack, closed: tuple[str, timedelta]) -> Iterator[Contradiction]:
    route, gap = closed
    validity = stack.resolved.settings.validity
    if validity <= gap and (stack.decides("validity") or stack.own is _OF_A_CUSTOMER):
        facts: dict[str, Fact] = {"validity": format_setting(validity), "route": route, "minutes": int(gap / _MINUTE)}
        yield Contradiction(Contradicts.VALIDITY_TOO_SHORT, {**facts, **stack.whose})


def _closed_abroad(
    snapshot: Snapshot, routes: CarrierRoutes, customer: Customer, gaps: Mapping[str, timedelta], day: date
) -> Mapping[Case, tuple[str, timedelta]]:
    """Return which route to a country is closed longest, and for how long, for countries with a rule on validity.

    The key is a customer's case there.
    """
    book = snapshot.judge.book
    named = {ruling.country for ruling in book.rulings if ruling.name is RuleName.VALIDITY}
    found = {}
    for letters, country in book.countries.items():
        if named.isdisjoint({letters, EVERY_COUNTRY}) and not country.said(RuleName.VALIDITY):
            continue
        for route in routes.routes_abroad(customer.name, country.calling_code.lstrip("+")):
            first = first_carrier(route)
            case = Case(
                country=letters,
                sender_id=None,
                use_case=UseCase.TRANSACTIONAL,
                day=day,
                customer=customer.name,
                carrier=first,
                networks=routes.networks_of(first),
            )
            found[case] = route, gaps[route]
    return found


def _judge_validity_abroad(
    stack: _Stack, judge: Judge, closed: Mapping[Case, tuple[str, timedelta]]
) -> Iterator[Contradiction]:
    """Judge a validity that is long enough as the rules of countries leave it."""
    settings = stack.resolved.settings
    if not (stack.decides("validity") or stack.decides("use_case") or stack.own is _OF_A_CUSTOMER):
        return
    shortened: dict[tuple[timedelta, str, timedelta], list[str]] = {}
    for case, (route, gap) in closed.items():
        kept = judge.judge(case._replace(use_case=settings.use_case, validity=settings.validity)).validity
        if kept is not None and kept <= gap < settings.validity:
            shortened.setdefault((kept, route, gap), []).append(case.country)
    for (kept, route, gap), countries in shortened.items():
        facts: dict[str, Fact] = {"validity": format_setting(settings.validity), "kept": format_setting(kept)}
        facts |= {"countries": tuple(countries), "route": route, "minutes": int(gap / _MINUTE)}
        yield Contradiction(Contradicts.VALIDITY_SHORTENED, {**facts, **stack.whose})


def _judge_parameters(stack: _Stack, routes: CarrierRoutes) -> Iterator[Contradiction]:
    fault = routes.find_parameter_fault("", names_and_values(stack.resolved.settings.parameters))
    if fault and stack.decides("parameters"):
        yield Contradiction(Contradicts.PARAMETER_OF_NO_CARRIER, {"cause": fault, **stack.whose})


def _gap(carriers: Sequence[Hours | None], now: datetime) -> timedelta:
    """Return for how long all these carriers are out of their hours at most; zero where one is always open."""
    kept = [item for item in carriers if item is not None]
    if len(kept) < len(carriers):
        return timedelta(0)
    longest = closed = timedelta(0)
    for minute in range(2 * (_DAY // _MINUTE)):  # two days, so that a gap over midnight is seen whole
        is_open = any(item.open_at(now + minute * _MINUTE) for item in kept)
        closed = timedelta(0) if is_open else closed + _MINUTE
        longest = max(longest, closed)
    return longest
