"""Changes to settings: whose they are, what a text means, and what a constraint forbids to set.

A user's settings made here are pinned: no address book file changes them. Not here: who wins (addressbook.hierarchy),
changes to constraints (constraints).
"""

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from addressbook.hierarchy import Constraints, LayerKey, LayerKind, layer_of, resolve
from addressbook.numbers import OwnNumbers
from addressbook.options import Option
from gateway.admin.edit import AuditAction, Changed, Edit, Subject, ValueChange
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import get_customer, get_list, get_login, get_profile, get_user
from sms.facts import Fact
from sms.message import Origin, Priority
from sms.number import SenderId
from sms.settings import FIELDS, NONE, UNSET, SettingProblem, format_setting, parse_setting
from store.directory_changes import CellToStore, read_cells
from store.directory_lookup import find_customer_by_key, find_user_by_key, read_constraints
from store.engine.database import Transaction
from store.inbound_rules import load_numbers
from store.mail_templates import graphics_of
from templates.brand import fit_accent


@dataclass(frozen=True, slots=True)
class SystemScope:
    """The settings of everybody."""


@dataclass(frozen=True, slots=True)
class CustomerScope:
    """A customer's settings, or those of one of its services."""

    name: str
    service: str = ""


@dataclass(frozen=True, slots=True)
class ProfileScope:
    """A profile's settings."""

    customer: str
    name: str


@dataclass(frozen=True, slots=True)
class UserScope:
    """A user's pinned settings."""

    address: str


@dataclass(frozen=True, slots=True)
class LoginScope:
    """The pinned settings of a login's user."""

    login: str


@dataclass(frozen=True, slots=True)
class ListScope:
    """A distribution list's settings."""

    customer: str
    name: str


Scope = SystemScope | CustomerScope | ProfileScope | UserScope | LoginScope | ListScope


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundScope:
    """The layer of a scope with its owner's names as they are stored, and the customer (0: none) that it belongs to."""

    key: LayerKey
    customer_id: int = 0
    name: str = ""
    customer: str = ""

    @property
    def target(self) -> str:
        """Name it for the audit."""
        if self.key.kind is LayerKind.SYSTEM:
            return "the system"
        return f"{self.customer}/{self.name}" if self.customer else self.name

    @property
    def qualifier(self) -> str:
        """Say for the audit which settings of the target they are, where its name alone does not."""
        if self.key.service or self.customer:
            return self.key.service or self.key.kind.value
        return ""

    @property
    def facts(self) -> dict[str, str]:
        """Name it for an answer."""
        kind, service = self.key.kind.value, self.key.service
        return {"kind": kind, "name": self.name, "customer": self.customer, "service": service}


def find_scope(tx: Transaction, scope: Scope) -> FoundScope:
    """Return the layer that a scope names. Raises AdminFault."""
    match scope:
        case SystemScope():
            return FoundScope(key=LayerKey(LayerKind.SYSTEM))
        case CustomerScope(name, service):
            customer = get_customer(tx, name)
            check_service(service)
            kind = LayerKind.SERVICE if service else LayerKind.CUSTOMER
            return FoundScope(key=LayerKey(kind, customer.key, service), customer_id=customer.key, name=customer.name)
        case UserScope(address):
            user = get_user(tx, address)
            key = LayerKey(LayerKind.PINNED, user.key)
            return FoundScope(key=key, customer_id=user.customer_id, name=user.address)
        case LoginScope(login):
            found_login = get_login(tx, login)
            owner_of_login = find_user_by_key(tx, found_login.user_id or 0)
            if owner_of_login is None:
                raise AdminFault(FaultCode.LOGIN_OF_NO_USER, login=found_login.login)
            return find_scope(tx, UserScope(owner_of_login.address))
        case ProfileScope(owner, name):
            customer = get_customer(tx, owner)
            profile = get_profile(tx, customer, name)
            key = LayerKey(LayerKind.PROFILE, profile.key)
            return FoundScope(key=key, customer_id=customer.key, name=profile.name, customer=customer.name)
        case ListScope(owner, name):
            customer = get_customer(tx, owner)
            found = get_list(tx, customer, name)
            key = LayerKey(LayerKind.LIST, found.key)
            return FoundScope(key=key, customer_id=customer.key, name=found.name, customer=customer.name)


def check_service(service: str) -> None:
    """Raise AdminFault for a service that there is not; none at all is right."""
    if service and service not in list(Origin):
        raise AdminFault(FaultCode.NO_SERVICE, service=service)


def field_named(text: str) -> str:
    """Return a setting's name from what was typed, hyphens allowed. Raises AdminFault with the nearest name."""
    name = text.strip().lower().replace("-", "_")
    if name not in FIELDS:
        near = difflib.get_close_matches(name, FIELDS, n=1)
        raise AdminFault(FaultCode.NO_SETTING, name=text, near=near[0] if near else "")
    return name


def set_settings(edit: Edit, scope: Scope, assignments: Mapping[str, str]) -> Changed:
    """Set fields from texts; an empty text unsets, `<none>` stops inheritance. Refused as a whole by a single fault."""
    found = find_scope(edit.tx, scope)
    limits = limits_of(edit.tx, found.customer_id)
    values: dict[str, object] = {}
    for typed, text in assignments.items():
        name = field_named(typed)
        value = parse_setting(name, text)
        if isinstance(value, SettingProblem):
            raise AdminFault(FaultCode.BAD_VALUE, field=value.field, given=value.given)
        barred = find_bar(name, value, found.key.kind, limits)
        if barred is not None:
            raise barred
        check_contracted(edit, found, name, value)
        values[name] = value
    texts = {name: None if value is UNSET else format_setting(value) for name, value in values.items()}
    origin = f"manual:{edit.who}"
    before = {cell.field: cell.text for cell in read_cells(edit.tx, found.key)}
    edit.stored.put_cells(
        [CellToStore(key=found.key, field=name, text=text, origin=origin) for name, text in texts.items()]
    )
    clamped: tuple[Fact, ...] = tuple(
        (item.field, format_setting(item.value), str(item.why))
        for item in resolve([layer_of(found.key.kind, values, "")], limits.rules).clamped
        if values.get(item.field, UNSET) is not UNSET
    )
    clamped += tuple(_unfit_brand(edit.tx, found, values))
    cells = tuple((name, text or "") for name, text in texts.items())
    facts: dict[str, Fact] = {"cells": cells, "clamped": clamped, **found.facts}
    moved = [ValueChange(name, before.get(name, ""), text) for name, text in cells]
    whose = found.customer_id or None
    return edit.done(AuditAction.SET_SETTINGS, Subject(found.target, whose, found.qualifier, values=moved), **facts)


def _unfit_brand(tx: Transaction, found: FoundScope, values: Mapping[str, object]) -> Iterator[Fact]:
    """Yield what our mails show in place of a colour that cannot be read, or of a graphic that is not there."""
    accent, logo = values.get("accent"), values.get("logo")
    if isinstance(accent, str) and accent.startswith("#") and fit_accent(accent) != (accent, accent):
        light, dark = fit_accent(accent)
        yield ("accent", f"{light} in light mails and {dark} in dark ones", "some could not read this colour")
    named = isinstance(logo, str) and logo and logo not in {UNSET, NONE}
    if named and found.customer_id and all(graphic.name != logo for graphic in graphics_of(tx, found.customer_id)):
        yield ("logo", "no logo", f"there is no graphic {logo} yet (template graphic add)")


def unset_settings(edit: Edit, scope: Scope, names: Collection[str]) -> Changed:
    """Take fields away from a layer, so that the weaker ones decide."""
    return set_settings(edit, scope, dict.fromkeys(names, ""))


@dataclass(frozen=True, slots=True)
class LayerLimits:
    """What binds a customer's layers: constraints, those of the system first, and whose our numbers are."""

    customer_id: int
    rules: tuple[Constraints, ...]
    numbers: OwnNumbers


def limits_of(tx: Transaction, customer_id: int) -> LayerLimits:
    """Return what binds a customer's layers; 0 is the system itself."""
    rules = [read_constraints(tx, 0, "")]
    customer = find_customer_by_key(tx, customer_id) if customer_id else None
    if customer is not None:
        rules.append(read_constraints(tx, customer_id, customer.name))
    return LayerLimits(customer_id, tuple(rules), load_numbers(tx))


def check_contracted(edit: Edit, found: FoundScope, name: str, value: object) -> None:
    """Raise AdminFault for a value that needs an option which the customer has not contracted."""
    pushed = name == "push_url" and value not in {UNSET, NONE, ""}
    option = Option.EXPRESS if value is Priority.EXPRESS else Option.PUSH if pushed else None
    customer = find_customer_by_key(edit.tx, found.customer_id) if option is not None else None
    if option is not None and customer is not None:
        edit.check_option(customer, option)


def find_bar(name: str, value: object, kind: LayerKind, limits: LayerLimits) -> AdminFault | None:
    """Return why a value cannot be set at a layer, None where it can; anything can be unset."""
    if value is UNSET:
        return None
    for rule in limits.rules:
        if rule.locks(name, kind):
            return AdminFault(FaultCode.LOCKED, field=name, by=rule.name)
        if isinstance(value, SenderId) and rule.sender_ids is not None and value.value not in rule.sender_ids:
            allowed = tuple(sorted(rule.sender_ids))
            return AdminFault(FaultCode.SENDER_ID_BARRED, sender_id=value.value, by=rule.name, allowed=allowed)
    if isinstance(value, SenderId) and limits.numbers.refuse_sender(value, limits.customer_id) is not None:
        return AdminFault(FaultCode.SENDER_ID_DEDICATED, sender_id=value.value)
    return None
