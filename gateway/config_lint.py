"""What settings, constraints and carriers say against each other: in sentences for the operator, before an SMS suffers.

Not here: what the operator's file alone contradicts (config), whose sentences have lines.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from addressbook.hierarchy import Constraints, Layer, LayerKey, LayerKind, Layers, Resolved
from addressbook.people import Customer, Directory, User
from gateway.routing import SEPARATOR, CarrierRoutes
from sms.message import Origin
from sms.schedule import Hours
from sms.settings import StatusChannel, format_setting
from templates.words import find_languages, language_spoken

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)


def find_contradictions(
    directory: Directory, layers: Layers, routes: CarrierRoutes, hours: Mapping[str, Hours], now: datetime
) -> list[str]:
    """Return what an operator would want to be told, each once; `hours` are those of carriers that have some.

    What a customer's own settings contradict is not said again of its profiles and users, who inherit it.
    """
    told: dict[str, None] = {}
    gaps = {route: _gap([hours.get(name) for name in route.split(SEPARATOR)], now) for route in routes.known}
    for name in sorted(routes.customers):
        if directory.customer_named(name) is None:
            told[f"A carrier is for the customer «{name}», whom there is not: nobody's SMS go by it."] = None
    users: dict[int, list[User]] = {}
    for user in directory.users():
        users.setdefault(user.customer_id, []).append(user)
    for customer in directory.customers():
        mine = [(route, gaps[route]) for route in routes.routes_for(customer.name)]
        closed = max(mine, key=lambda item: item[1], default=("", timedelta(0)))
        fields = _fields_at_stake(layers.constraints(customer.id), closed[1])
        for stack in _all_stacks(directory, layers, customer, users.get(customer.id, ()), fields):
            for sentence in (*_judge(stack), *_judge_language(stack), *_judge_validity(stack, closed)):
                told[sentence] = None
    return list(told)


@dataclass(frozen=True, slots=True)
class _Stack:
    """What is in force for somebody, and the layers that are theirs alone."""

    whose: str
    resolved: Resolved
    own: Collection[LayerKind]

    def decides(self, field: str) -> bool:
        """Tell whether a layer of theirs says what would be in force without constraints."""
        explained = self.resolved.explained[field]
        is_clamped = explained.layer is LayerKind.CONSTRAINT
        said = [cell.layer for cell in explained.shadowed if cell.layer is not LayerKind.CONSTRAINT]
        return (said[0] if is_clamped else explained.layer) in self.own


_OF_A_CUSTOMER = (LayerKind.SYSTEM, LayerKind.CUSTOMER)
_OF_A_USER = (LayerKind.USER, LayerKind.PINNED)


def _fields_at_stake(rules: Collection[Constraints], gap: timedelta) -> frozenset[str]:
    """Return the fields that a layer can contradict something with: not to look at thousands of users in vain."""
    possible = {
        "status_channel": True,
        "validity": gap > timedelta(0),
        "sender_id": any(rule.sender_ids is not None for rule in rules),
        "max_parts": any(rule.max_parts is not None for rule in rules),
        "priority": not all(rule.express for rule in rules),
        "flash": not all(rule.flash for rule in rules),
    }
    return frozenset(name for name, is_possible in possible.items() if is_possible)


def _all_stacks(
    directory: Directory, layers: Layers, customer: Customer, users: Iterable[User], fields: frozenset[str]
) -> Iterator[_Stack]:
    name, mail = f"customer «{customer.name}»", Origin.MAIL.value
    yield _Stack(name, layers.resolve(customer.id, ""), _OF_A_CUSTOMER)
    for service in Origin:
        if layers.layer(LayerKey(LayerKind.SERVICE, customer.id, service.value)) is not None:
            yield _Stack(f"{name} for {service}", layers.resolve(customer.id, service.value), (LayerKind.SERVICE,))
    for profile in directory.profiles(customer.id):
        if layers.layer(LayerKey(LayerKind.PROFILE, profile.id)) is not None:
            whose = f"profile «{profile.name}» of «{customer.name}»"
            yield _Stack(whose, layers.resolve(customer.id, mail, profile.id), (LayerKind.PROFILE,))
    for user in users:
        own = [layers.layer(LayerKey(kind, user.id)) for kind in _OF_A_USER]
        if any(layer is not None and (not fields.isdisjoint(layer.cells) or _is_mute(layer)) for layer in own):
            in_force = directory.profile_in_force(customer.id, user)
            profile_id = in_force.id if in_force is not None else None
            yield _Stack(f"user {user.address}", layers.resolve(customer.id, mail, profile_id, user.id), _OF_A_USER)


def _judge(stack: _Stack) -> Iterator[str]:
    settings, whose = stack.resolved.settings, stack.whose
    if stack.decides("sender_id"):
        for refused in stack.resolved.refused:
            yield f"Every SMS of {whose} is refused: {refused.detail}"
    for clamped in stack.resolved.clamped:
        if stack.decides(clamped.field):
            wanted, value = format_setting(clamped.wanted), format_setting(clamped.value)
            yield f"{clamped.field} = {wanted} of {whose} is without effect, {value} is in force: {clamped.by}."
    if settings.status_channel is not StatusChannel.MAIL and not settings.push_url and stack.decides("status_channel"):
        channel = f"status_channel = {settings.status_channel} of {whose}"
        yield f"{channel} is without effect, all is told by mail: push_url is not set."


def _is_mute(layer: Layer) -> bool:
    """Tell whether a layer names a language that has no words."""
    cell = layer.cells.get("language")
    return cell is not None and isinstance(cell.value, str) and not _has_words(cell.value)


def _has_words(tag: str) -> bool:
    return language_spoken(tag) == tag.partition("-")[0]


def _judge_language(stack: _Stack) -> Iterator[str]:
    language = stack.resolved.settings.language
    if not _has_words(language) and stack.decides("language"):
        yield (
            f"language = {language} of {stack.whose} has no words: status mails are in {language_spoken(language)}. "
            f"There are {', '.join(find_languages())}."
        )


def _judge_validity(stack: _Stack, closed: tuple[str, timedelta]) -> Iterator[str]:
    route, gap = closed
    validity = stack.resolved.settings.validity
    if validity <= gap and (stack.decides("validity") or stack.own is _OF_A_CUSTOMER):
        hours, minutes = divmod(int(gap / _MINUTE), 60)
        yield (
            f"validity = {format_setting(validity)} of {stack.whose} can end before any carrier of {route} is used "
            f"again: they are closed for {hours} h {minutes} min."
        )


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
