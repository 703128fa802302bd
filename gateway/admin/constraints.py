"""Changes to the constraints of the system and of customers. Not here: what they forbid to set (settings)."""

from dataclasses import dataclass, replace

from addressbook.hierarchy import Constraints, LayerKind
from gateway.admin.edit import Action, Changed, Edit
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.settings import CustomerScope, SystemScope, field_named, find_scope
from sms.number import parse_sender_id
from sms.settings import UNSET, SettingProblem, parse_setting
from store.directory import read_constraints

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


def limit(edit: Edit, scope: SystemScope | CustomerScope, limits: ConstraintLimits) -> Changed:
    """Change the constraints of the system or of a customer; a customer's service has none of its own."""
    found = find_scope(edit.tx, scope)
    if found.key.kind not in (LayerKind.SYSTEM, LayerKind.CUSTOMER):
        raise AdminFault(FaultCode.NO_CONSTRAINTS, **found.facts)
    before = read_constraints(edit.tx, found.key.owner_id, found.name)
    after = replace(
        before,
        locked=(before.locked | set(map(field_named, limits.lock))) - set(map(field_named, limits.unlock)),
        sender_ids=_read_sender_ids(before.sender_ids, limits.sender_ids),
        max_parts=_read_max_parts(before.max_parts, limits.max_parts),
        express=before.express if limits.express is None else limits.express,
        flash=before.flash if limits.flash is None else limits.flash,
        countries=_read_countries(before.countries, limits.countries),
    )
    edit.stored.put_constraints(found.key.owner_id, after)
    detail = describe_constraints(after)
    return edit.done(Action.SET_CONSTRAINTS, found.target, detail, constraints=detail, **found.facts)


def _read_max_parts(before: int | None, text: str | None) -> int | None:
    if text is None:
        return before
    if text == ANY:
        return None
    parsed = parse_setting("max_parts", text)
    if not isinstance(parsed, int):
        raise AdminFault(FaultCode.BAD_MAX_PARTS, given=text)
    return parsed


def _read_sender_ids(before: frozenset[str] | None, text: str | None) -> frozenset[str] | None:
    if text is None:
        return before
    if text.strip() == ANY:
        return None
    sender_ids = set[str]()
    for given in _split(text):
        sender = parse_sender_id(given)
        if sender is None:
            raise AdminFault(FaultCode.BAD_SENDER_ID, given=given)
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


def _split(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def describe_constraints(rules: Constraints) -> str:
    """Return constraints as the audit and a customer's view have them, `none` where everything is allowed."""
    told = []
    if rules.locked:
        told.append("locked " + ", ".join(sorted(rules.locked)))
    if rules.sender_ids is not None:
        told.append("sender IDs " + (", ".join(sorted(rules.sender_ids)) or "none"))
    if rules.max_parts is not None:
        told.append("one part at most" if rules.max_parts == 1 else f"{rules.max_parts} parts at most")
    if not rules.express:
        told.append("no express")
    if not rules.flash:
        told.append("no flash")
    if rules.countries is not None:
        told.append("countries " + (", ".join(sorted(rules.countries)) or "none"))
    return "; ".join(told) or "none"
