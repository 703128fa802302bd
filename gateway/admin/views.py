"""Who is stored and with which settings, as plain values for the command line and for programs (JSON).

Not here: changes (customers, users, settings).
"""

from collections.abc import Iterable, Sequence

from addressbook.hierarchy import Constraints, LayerKey, LayerKind
from addressbook.people import AddressRange, Customer, Profile, User
from addressbook.proof import ProofKind
from gateway.admin.domain_proof import proof_name, proof_value
from gateway.admin.lookup import get_customer, get_profile, get_user
from gateway.admin.suspensions import EVERYTHING, suspension_lines
from sms.facts import Fact
from sms.message import Origin
from sms.settings import NONE, UNSET, format_setting
from store.directory_changes import read_cells
from store.directory_lookup import (
    all_customers,
    count_users,
    find_customer_by_key,
    logins_of,
    profiles_of,
    ranges_of,
    read_constraints,
    users_after,
    users_of,
)
from store.domains import claims_of
from store.engine.database import Transaction
from store.engine.keys import to_instant
from store.portal_accounts import find_portal_client
from store.suspensions import suspensions_of

View = dict[str, object]


def _settings_view(tx: Transaction, key: LayerKey) -> View:
    return {
        cell.field: {
            "value": cell.text,
            "origin": cell.origin,
            "set_by": cell.set_by,
            "set_at": to_instant(cell.set_at).isoformat(timespec="seconds"),
        }
        for cell in read_cells(tx, key)
    }


def list_customers(tx: Transaction) -> list[View]:
    """Return all customers by name."""
    return [
        {
            "name": customer.name,
            "active": customer.active,
            "suspended": [item.option or EVERYTHING for item in customer.suspensions],
            "domains": list(customer.domains),
            "users": count_users(tx, customer_key=customer.key),
        }
        for customer in all_customers(tx)
    ]


def show_customer(tx: Transaction, name: str) -> View:
    """Return a customer with all that is its own, except the users, who are counted.

    Its `options` are None where they are those of the operator's file.
    """
    customer = get_customer(tx, name)
    profiles = profiles_of(tx, customer.key)
    services = {
        f"settings for {service}": view
        for service in Origin
        if (view := _settings_view(tx, LayerKey(LayerKind.SERVICE, customer.key, service.value)))
    }
    default = next((profile.name for profile in profiles if profile.key == customer.default_profile_id), "")
    return {
        "name": customer.name,
        "active": customer.active,
        "suspensions": suspension_lines(suspensions_of(tx, customer.key)),
        "domains": list(customer.domains),
        "claimed_domains": [
            f"{claim.domain} ({proof_name(claim.domain)} TXT {proof_value(claim)})"
            for claim in claims_of(tx, customer.key)
        ],
        "admin_address": customer.admin_address,
        "options": None if customer.options is None else sorted(customer.options),
        "address_ranges": [_range_view(item, profiles) for item in ranges_of(tx, customer.key)],
        "tls_required": customer.tls_required,
        "proofs": sorted(customer.proofs or ProofKind),
        "arc_sealers": sorted(customer.arc_sealers),
        "identity_provider": customer.identity_provider.issuer if customer.identity_provider is not None else "",
        "portal_client": _portal_client(tx, customer.key),
        "logins": [credential.login for credential in logins_of(tx, customer.key) if credential.user_id is None],
        "profiles": [profile.name for profile in profiles],
        "default_profile": default,
        "users": count_users(tx, customer_key=customer.key),
        "constraints": restrictions(read_constraints(tx, customer.key, customer.name)),
        "settings": _settings_view(tx, LayerKey(LayerKind.CUSTOMER, customer.key)),
        **services,
    }


def _range_view(item: AddressRange, profiles: Sequence[Profile]) -> str:
    words = [str(item.network), *(["shared"] if item.shared else []), *(["TLS only"] if item.tls_required else [])]
    if item.service is not None:
        words.append(f"service {item.service}")
    words += [f"profile {profile.name}" for profile in profiles if profile.key == item.profile_id]
    return " ".join(words)


def show_system(tx: Transaction) -> View:
    """Return what is set for everybody by command; the operator's file may say more."""
    return {
        "constraints": restrictions(read_constraints(tx, 0, "")),
        "settings": _settings_view(tx, LayerKey(LayerKind.SYSTEM)),
    }


def list_profiles(tx: Transaction, customer: str) -> list[View]:
    """Return a customer's profiles by name."""
    owner = get_customer(tx, customer)
    return [
        {
            "name": profile.name,
            "default": profile.key == owner.default_profile_id,
            "users": count_users(tx, profile_key=profile.key),
        }
        for profile in profiles_of(tx, owner.key)
    ]


def show_profile(tx: Transaction, customer: str, name: str) -> View:
    """Return a profile with its settings."""
    owner = get_customer(tx, customer)
    profile = get_profile(tx, owner, name)
    return {
        "name": profile.name,
        "customer": owner.name,
        "default": profile.key == owner.default_profile_id,
        "users": count_users(tx, profile_key=profile.key),
        "constraints": restrictions(read_constraints(tx, profile.key, profile.name, LayerKind.PROFILE)),
        "settings": _settings_view(tx, LayerKey(LayerKind.PROFILE, profile.key)),
    }


def list_users(tx: Transaction, customer: str) -> list[View]:
    """Return a customer's users by address; of all customers where no name is given."""
    customers = [get_customer(tx, customer)] if customer else all_customers(tx)
    return [view for owner in customers for view in _users_view(tx, owner, users_of(tx, owner.key))]


def list_users_after(tx: Transaction, customer: str, after: str, limit: int) -> list[View]:
    """Return some of a customer's users by address, behind one."""
    owner = get_customer(tx, customer)
    return _users_view(tx, owner, users_after(tx, owner.key, after, limit))


def _users_view(tx: Transaction, customer: Customer, users: Iterable[User]) -> list[View]:
    names = {profile.key: profile.name for profile in profiles_of(tx, customer.key)}
    return [
        {
            "address": user.address,
            "customer": customer.name,
            "profile": names.get(user.profile_id or 0, ""),
            "name": user.name,
            "phone": user.phone and f"+{user.phone}",
            "active": user.active,
            "in_directory": _in_directory(user),
        }
        for user in users
    ]


def _in_directory(user: User) -> str:
    """Return what its directory says of a user: yes, off or gone, which both stop it; empty without a directory."""
    if user.missing:
        return "gone"
    if user.disabled:
        return "off"
    return "yes" if user.directory_id is not None else ""


def show_user(tx: Transaction, address: str) -> View:
    """Return a user with what is set for it alone; `explain_user` has what is in force."""
    user = get_user(tx, address)
    customer = find_customer_by_key(tx, user.customer_id)
    names = {profile.key: profile.name for profile in profiles_of(tx, user.customer_id)}
    return {
        "address": user.address,
        "customer": customer.name if customer is not None else "",
        "profile": names.get(user.profile_id or 0, ""),
        "name": user.name,
        "phone": user.phone and f"+{user.phone}",
        "active": user.active,
        "in_directory": _in_directory(user),
        "logins": [item.login for item in logins_of(tx, user.customer_id) if item.user_id == user.key],
        "settings from the address book": _settings_view(tx, LayerKey(LayerKind.USER, user.key)),
        "pinned settings": _settings_view(tx, LayerKey(LayerKind.PINNED, user.key)),
    }


def restrictions(rules: Constraints) -> dict[str, Fact]:
    """Return what constraints restrict, by their names: nothing where everything is allowed."""
    named: dict[str, Fact] = {}
    if rules.locked:
        named["locked"] = tuple(sorted(rules.locked))
    if rules.sender_ids is not None:
        named["sender_ids"] = tuple(sorted(rules.sender_ids))
    if rules.max_parts is not None:
        named["max_parts"] = rules.max_parts
    named |= {name: False for name in ("express", "flash") if not getattr(rules, name)}
    if rules.countries is not None:
        named["countries"] = tuple(sorted(rules.countries))
    if rules.number_types is not None:
        named["number_types"] = tuple(sorted(rules.number_types))
    if rules.usage:
        named["usage"] = tuple(f"{item.name}={item.most}" for item in rules.usage)
    return named


def spoken_value(value: object) -> str:
    """Return a setting's value as it is typed; NONE and UNSET by their tokens."""
    return str(value) if value in (NONE, UNSET) else format_setting(value)


def _portal_client(tx: Transaction, customer_key: int) -> str:
    """Return what the portal is at a customer's identity provider, with the role of newcomers; empty: nothing."""
    client = find_portal_client(tx, customer_key)
    return "" if client is None else f"{client.name}{client.role and f' ({client.role} for newcomers)'}"
