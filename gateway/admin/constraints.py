"""Changes to the constraints of the system, customers, profiles and users.

Not here: what they forbid to set (settings), what was used of limits (limits).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from types import MappingProxyType

from addressbook.hierarchy import LayerKind
from gateway.admin.edit import AuditAction, Changed, Edit, Subject, differences
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.settings import FoundScope, Scope, field_named, find_scope
from gateway.admin.views import restrictions
from sms.facts import Fact
from sms.number import NumberType, parse_sender_id
from sms.settings import UNSET, SettingProblem, parse_setting
from sms.usage import UsageLimit, parse_limit
from store.directory_lookup import read_constraints
from store.inbound_rules import load_numbers

ANY = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstraintLimits:
    """A change of constraints: None leaves as it is, and the text `any` lifts a list or a maximum."""

    lock: tuple[str, ...] = ()
    unlock: tuple[str, ...] = ()
    sender_ids: str | None = None
    max_parts: str | None = None
    express: bool | None = None
    flash: bool | None = None
    countries: str | None = None
    number_types: str | None = None
    usage: tuple[str, ...] = ()

    @property
    def bind_settings(self) -> bool:
        """Whether it changes what settings may say, which only the system and customers decide."""
        told = (self.sender_ids, self.max_parts, self.express, self.flash)
        return bool(self.lock or self.unlock) or any(value is not None for value in told)


_BOUND = MappingProxyType(
    {
        LayerKind.SYSTEM: LayerKind.SYSTEM,
        LayerKind.CUSTOMER: LayerKind.CUSTOMER,
        LayerKind.PROFILE: LayerKind.PROFILE,
        LayerKind.PINNED: LayerKind.USER,
    }
)


def limit(edit: Edit, scope: Scope, limits: ConstraintLimits) -> Changed:
    """Change the constraints of the system, a customer, a profile or a user; services and lists have none."""
    found = find_scope(edit.tx, scope)
    kind = _BOUND.get(found.key.kind)
    if kind is None or (limits.bind_settings and kind not in (LayerKind.SYSTEM, LayerKind.CUSTOMER)):
        raise AdminFault(FaultCode.NO_CONSTRAINTS, **found.facts)
    before = read_constraints(edit.tx, found.key.owner_id, found.name, kind)
    after = replace(
        before,
        locked=(before.locked | set(map(field_named, limits.lock))) - set(map(field_named, limits.unlock)),
        sender_ids=_read_sender_ids(edit, found, before.sender_ids, limits.sender_ids),
        max_parts=_read_max_parts(before.max_parts, limits.max_parts),
        express=before.express if limits.express is None else limits.express,
        flash=before.flash if limits.flash is None else limits.flash,
        countries=_read_countries(before.countries, limits.countries),
        number_types=_read_number_types(before.number_types, limits.number_types),
        usage=_read_usage(before.usage, limits.usage),
    )
    edit.stored.put_constraints(found.key.owner_id, after)
    named = restrictions(after)
    constraints: tuple[Fact, ...] = tuple(named.items())
    values = differences(restrictions(before), named)
    facts: dict[str, Fact] = {"constraints": constraints, **found.facts}
    return edit.done(
        AuditAction.SET_CONSTRAINTS, Subject(found.target, found.customer_id or None, values=values), **facts
    )


def _read_max_parts(before: int | None, text: str | None) -> int | None:
    if text is None:
        return before
    if text == ANY:
        return None
    parsed = parse_setting("max_parts", text)
    if not isinstance(parsed, int):
        raise AdminFault(FaultCode.BAD_MAX_PARTS, given=text)
    return parsed


def _read_sender_ids(
    edit: Edit, found: FoundScope, before: frozenset[str] | None, text: str | None
) -> frozenset[str] | None:
    """Return the sender IDs of a text. The system's may be dedicated numbers, since each owner needs them permitted."""
    if text is None:
        return before
    if text.strip() == ANY:
        return None
    sender_ids, numbers = set[str](), load_numbers(edit.tx)
    for given in _split(text):
        sender = parse_sender_id(given)
        if sender is None:
            raise AdminFault(FaultCode.BAD_SENDER_ID, given=given)
        if found.customer_id and numbers.refuse_sender(sender, found.customer_id) is not None:
            raise AdminFault(FaultCode.SENDER_ID_DEDICATED, sender_id=sender.value)
        sender_ids.add(sender.value)
    return frozenset(sender_ids)


def _read_countries(before: frozenset[str] | None, text: str | None) -> frozenset[str] | None:
    if text is None:
        return before
    if text.strip() == ANY:
        return None
    countries = set[str]()
    for given in _split(text):
        country = parse_setting("default_country", given)
        if isinstance(country, SettingProblem) or country is UNSET:
            raise AdminFault(FaultCode.BAD_COUNTRY, given=given)
        countries.add(str(country))
    return frozenset(countries)


def _read_number_types(before: frozenset[NumberType] | None, text: str | None) -> frozenset[NumberType] | None:
    if text is None:
        return before
    if text.strip() == ANY:
        return None
    unknown = [word for word in _split(text) if word.lower() not in set(NumberType)]
    if unknown:
        raise AdminFault(FaultCode.BAD_NUMBER_TYPE, given=unknown[0])
    return frozenset(NumberType(word.lower()) for word in _split(text))


def _read_usage(before: tuple[UsageLimit, ...], texts: Iterable[str]) -> tuple[UsageLimit, ...]:
    """Return limits of use with those of the texts in place of the ones that they name."""
    limits = {limit.name: limit for limit in before}
    for text in texts:
        read = parse_limit(text)
        if read is None:
            raise AdminFault(FaultCode.BAD_LIMIT, given=text)
        name, found = read
        limits.pop(name, None)
        if found is not None:
            limits[name] = found
    return tuple(sorted(limits.values()))


def _split(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
