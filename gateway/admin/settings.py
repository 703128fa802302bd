"""Changes to settings and constraints: whose they are, what a text means, and what a constraint forbids to set.

A user's settings made here are pinned: no address book file changes them. Not here: who wins (addressbook.hierarchy).
"""

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from addressbook.hierarchy import Constraints, LayerKey, LayerKind, layer_of, resolve
from addressbook.people import canonical_address
from gateway.admin.customers import Answer, Change, Edit, Fault, no_customer, no_profile
from gateway.admin.lists import no_list
from sms.message import Origin
from sms.number import SenderId, parse_sender_id
from sms.settings import FIELDS, UNSET, SettingProblem, format_setting, parse_setting
from store.directory import find_customer, find_customer_by_key, find_profile, find_user, read_constraints
from store.directory_changes import CellToStore
from store.engine.database import Transaction
from store.lists import find_list


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose settings: `name` is of a customer, a profile, a list or a user's address; nothing for the system."""

    kind: LayerKind
    name: str = ""
    customer: str = ""
    service: str = ""


SYSTEM_OWNER = Owner(kind=LayerKind.SYSTEM)


def of_customer(name: str, service: str = "") -> Owner:
    """Name a customer's settings, or those of one of its services."""
    return Owner(kind=LayerKind.SERVICE if service else LayerKind.CUSTOMER, name=name, service=service)


def of_profile(customer: str, name: str) -> Owner:
    """Name a profile's settings."""
    return Owner(kind=LayerKind.PROFILE, name=name, customer=customer)


def of_user(address: str) -> Owner:
    """Name a user's pinned settings."""
    return Owner(kind=LayerKind.PINNED, name=address)


def of_list(customer: str, name: str) -> Owner:
    """Name a distribution list's settings."""
    return Owner(kind=LayerKind.LIST, name=name, customer=customer)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundOwner:
    """The layer that an owner names, with the customer whose constraints bind it (0 for the system)."""

    key: LayerKey
    customer_id: int
    spoken: str


def find_owner(tx: Transaction, owner: Owner) -> FoundOwner | Fault:
    """Return the layer that an owner names."""
    if owner.kind is LayerKind.SYSTEM:
        return FoundOwner(key=LayerKey(LayerKind.SYSTEM), customer_id=0, spoken="the system")
    if owner.kind is LayerKind.PINNED:
        return _find_user_layer(tx, owner)
    if owner.kind in (LayerKind.PROFILE, LayerKind.LIST):
        return (_find_list_layer if owner.kind is LayerKind.LIST else _find_profile_layer)(tx, owner)
    customer = find_customer(tx, owner.name)
    if customer is None:
        return no_customer(owner.name)
    if owner.service and owner.service not in list(Origin):
        return Fault(sentence=f"There is no service «{owner.service}»; the services are {', '.join(Origin)}.")
    spoken = f"the customer «{customer.name}»" + (f" for {owner.service}" if owner.service else "")
    return FoundOwner(key=LayerKey(owner.kind, customer.id, owner.service), customer_id=customer.id, spoken=spoken)


def _find_profile_layer(tx: Transaction, owner: Owner) -> FoundOwner | Fault:
    customer = find_customer(tx, owner.customer)
    if customer is None:
        return no_customer(owner.customer)
    profile = find_profile(tx, customer.id, owner.name)
    if profile is None:
        return no_profile(owner.name, customer)
    spoken = f"the profile «{profile.name}» of «{customer.name}»"
    return FoundOwner(key=LayerKey(LayerKind.PROFILE, profile.id), customer_id=customer.id, spoken=spoken)


def _find_list_layer(tx: Transaction, owner: Owner) -> FoundOwner | Fault:
    customer = find_customer(tx, owner.customer)
    if customer is None:
        return no_customer(owner.customer)
    found = find_list(tx, customer.id, owner.name)
    if found is None:
        return no_list(owner.name, customer)
    spoken = f"the list «{found.name}» of «{customer.name}»"
    return FoundOwner(key=LayerKey(LayerKind.LIST, found.id), customer_id=customer.id, spoken=spoken)


def _find_user_layer(tx: Transaction, owner: Owner) -> FoundOwner | Fault:
    address = canonical_address(owner.name)
    user = find_user(tx, address) if address is not None else None
    if user is None:
        return no_user(owner.name)
    key = LayerKey(LayerKind.PINNED, user.id)
    return FoundOwner(key=key, customer_id=user.customer_id, spoken=f"the user {user.address}")


def no_user(address: str) -> Fault:
    """Return the fault of an unknown user."""
    return Fault(sentence=f"There is no user {address}; «user list» names all.")


def field_named(text: str) -> str | Fault:
    """Return a setting's name from what was typed, hyphens allowed; the fault suggests the nearest."""
    name = text.strip().lower().replace("-", "_")
    if name in FIELDS:
        return name
    near = difflib.get_close_matches(name, FIELDS, n=1)
    advice = f"did you mean «{near[0]}»?" if near else "the settings are " + ", ".join(FIELDS) + "."
    return Fault(sentence=f"There is no setting «{text}»; {advice}")


def set_settings(owner: Owner, assignments: Mapping[str, str]) -> Change:
    """Set fields from texts; an empty text unsets, `<none>` stops inheritance. Refused as a whole by a single fault."""

    def run(edit: Edit) -> Answer:
        found = find_owner(edit.tx, owner)
        if isinstance(found, Fault):
            return found
        rules = constraints_of(edit.tx, found.customer_id)
        cells: list[CellToStore] = []
        values: dict[str, object] = {}
        for typed, text in assignments.items():
            name = field_named(typed)
            if isinstance(name, Fault):
                return name
            value = parse_setting(name, text)
            if isinstance(value, SettingProblem):
                return Fault(sentence=f"{value}.")
            forbidden = "" if value is UNSET else why_forbidden(name, value, found.key.kind, rules)
            if forbidden:
                return Fault(sentence=forbidden)
            values[name] = value
            stored = None if value is UNSET else format_setting(value)
            cells.append(CellToStore(key=found.key, field=name, text=stored, origin=f"manual:{edit.who}"))
        edit.stored.put_cells(cells)
        told = ", ".join(f"{cell.field} = {cell.text}" if cell.text else f"{cell.field} unset" for cell in cells)
        clamped = resolve([layer_of(found.key.kind, values, "")], rules).clamped
        notes = [
            f" But {item.by}: {item.field} = {format_setting(item.value)} is in force."
            for item in clamped
            if values.get(item.field, UNSET) is not UNSET
        ]
        return edit.done("settings.set", found.spoken, f"Set for {found.spoken}: {told}." + "".join(notes), told)

    return run


def unset_settings(owner: Owner, names: Collection[str]) -> Change:
    """Take fields away from a layer, so that the weaker ones decide."""
    return set_settings(owner, dict.fromkeys(names, ""))


def constraints_of(tx: Transaction, customer_id: int) -> tuple[Constraints, ...]:
    """Return the constraints that bind a customer's layers: the system's, then its own; 0 is the system itself."""
    system = read_constraints(tx, 0, "")
    if not customer_id:
        return (system,)
    customer = find_customer_by_key(tx, customer_id)
    return system, read_constraints(tx, customer_id, customer.name if customer is not None else "")


def why_forbidden(name: str, value: object, kind: LayerKind, rules: Collection[Constraints]) -> str:
    """Return the sentence why a value cannot be set at a layer, empty where it can."""
    for rule in rules:
        if rule.locks(name, kind):
            return f"The setting {name} is locked by {rule.name}."
        if isinstance(value, SenderId) and rule.sender_ids is not None and value.value not in rule.sender_ids:
            allowed = ", ".join(sorted(rule.sender_ids)) or "none"
            return f"The sender ID {value.value} is not among those that {rule.name} permits ({allowed})."
    return ""


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


def limit(owner: Owner, limits: ConstraintLimits) -> Change:
    """Change the constraints of the system or of a customer."""

    def run(edit: Edit) -> Answer:
        found = find_owner(edit.tx, owner)
        if isinstance(found, Fault):
            return found
        if found.key.kind not in (LayerKind.SYSTEM, LayerKind.CUSTOMER):
            return Fault(sentence=f"Only the system and customers have constraints, not {found.spoken}.")
        before = read_constraints(edit.tx, found.key.owner_id, owner.name)
        after = _limited(before, limits)
        if isinstance(after, Fault):
            return after
        edit.stored.put_constraints(found.key.owner_id, after)
        told = describe_constraints(after)
        return edit.done("constraints.set", found.spoken, f"Constraints of {found.spoken}: {told}.", told)

    return run


def _limited(before: Constraints, limits: ConstraintLimits) -> Constraints | Fault:
    locked = set(before.locked)
    for typed, add in [*((name, True) for name in limits.lock), *((name, False) for name in limits.unlock)]:
        name = field_named(typed)
        if isinstance(name, Fault):
            return name
        (locked.add if add else locked.discard)(name)
    sender_ids = _limited_sender_ids(before.sender_ids, limits.sender_ids)
    if isinstance(sender_ids, Fault):
        return sender_ids
    countries = _limited_countries(before.countries, limits.countries)
    if isinstance(countries, Fault):
        return countries
    max_parts = before.max_parts
    if limits.max_parts is not None:
        parsed = None if limits.max_parts == "any" else parse_setting("max_parts", limits.max_parts)
        if parsed is not None and not isinstance(parsed, int):
            return Fault(sentence=f"«{limits.max_parts}» is not a number from 1 to 20, or «any».")
        max_parts = parsed
    return replace(
        before,
        locked=frozenset(locked),
        sender_ids=sender_ids,
        max_parts=max_parts,
        express=before.express if limits.express is None else limits.express,
        flash=before.flash if limits.flash is None else limits.flash,
        countries=countries,
    )


def _limited_sender_ids(before: frozenset[str] | None, wanted: str | None) -> frozenset[str] | Fault | None:
    if wanted is None:
        return before
    if wanted.strip() == "any":
        return None
    texts = [text.strip() for text in wanted.split(",") if text.strip()]
    senders = {text: parse_sender_id(text) for text in texts}
    wrong = [text for text, sender in senders.items() if sender is None]
    if wrong:
        return Fault(sentence=f"«{wrong[0]}» cannot be a sender ID: {FIELDS['sender_id'].expected} is expected.")
    return frozenset(sender.value for sender in senders.values() if sender is not None)


def _limited_countries(before: frozenset[str] | None, wanted: str | None) -> frozenset[str] | Fault | None:
    if wanted is None:
        return before
    if wanted.strip() == "any":
        return None
    countries = {text: parse_setting("default_country", text) for text in wanted.split(",") if text.strip()}
    wrong = [text for text, country in countries.items() if isinstance(country, SettingProblem) or country is UNSET]
    if wrong:
        return Fault(sentence=f"«{wrong[0]}» is not {FIELDS['default_country'].expected}.")
    return frozenset(map(str, countries.values()))


def describe_constraints(rules: Constraints) -> str:
    """Return constraints in words, `none` where everything is allowed."""
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
