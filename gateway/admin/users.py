"""Changes to users.

Not here: their logins, their settings, the address book file (user_import).
"""

from dataclasses import replace

from addressbook.canonical import canonical_address, canonical_application
from addressbook.people import Customer, User
from addressbook.senders import DomainBar
from gateway.admin.domains import find_domain_bars
from gateway.admin.edit import AuditAction, Changed, Edit, Subject, ValueChange, differences
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import get_customer, get_profile, get_user
from store.directory_lookup import find_customer_by_key, find_user, profiles_of
from store.domains import find_domain_owners
from store.engine.database import Transaction
from store.versions import find_owners


def add_user(  # noqa: PLR0913 - what a user has
    edit: Edit, customer: str, address: str, *, profile: str = "", name: str = "", phone: str = ""
) -> Changed:
    """Make a user; without a profile the customer's default one applies. An address has one owner."""
    owner = get_customer(edit.tx, customer)
    canonical = canonical_address(address)
    if canonical is None:
        raise AdminFault(FaultCode.BAD_ADDRESS, address=address)
    _check_free(edit.tx, canonical, owner)
    chosen = get_profile(edit.tx, owner, profile) if profile else None
    user = User(
        key=0,
        customer_id=owner.key,
        address=canonical,
        profile_id=chosen.key if chosen is not None else None,
        name=_one_line(name),
        phone=phone,
    )
    edit.stored.add_users([user], "manual")
    named = chosen.name if chosen is not None else ""
    facts = {"address": canonical, "customer": owner.name, "profile": named}
    return edit.done(AuditAction.ADD_USER, Subject(canonical, owner.key, named), **facts)


def add_application(edit: Edit, customer: str, name: str, *, profile: str = "") -> Changed:
    """Make a user that is no person: it has logins and settings, and no mailbox. A name has one owner."""
    owner = get_customer(edit.tx, customer)
    canonical = canonical_application(name)
    if canonical is None:
        raise AdminFault(FaultCode.BAD_APPLICATION_NAME, name=name)
    _check_unused(edit.tx, canonical)
    chosen = get_profile(edit.tx, owner, profile) if profile else None
    user = User(key=0, customer_id=owner.key, address=canonical, profile_id=chosen.key if chosen is not None else None)
    edit.stored.add_users([user], "manual")
    facts = {"name": canonical, "customer": owner.name, "profile": chosen.name if chosen is not None else ""}
    return edit.done(AuditAction.ADD_APPLICATION, Subject(canonical, owner.key, facts["profile"]), **facts)


def _check_unused(tx: Transaction, address: str) -> None:
    found = find_user(tx, address)
    if found is not None:
        owner = find_customer_by_key(tx, found.customer_id)
        raise AdminFault(FaultCode.USER_EXISTS, address=address, owner=owner.name if owner else "")
    if find_owners(tx, [address]):
        raise AdminFault(FaultCode.ADDRESS_AWAITED, address=address)


def _check_free(tx: Transaction, address: str, customer: Customer) -> None:
    _check_unused(tx, address)
    domain = address.rpartition("@")[2]
    bar = find_domain_bars(tx, customer, [domain]).get(domain)
    if bar is DomainBar.OF_ANOTHER:
        owner = find_customer_by_key(tx, find_domain_owners(tx, [domain])[domain])
        name = owner.name if owner else ""
        raise AdminFault(FaultCode.DOMAIN_OF_ANOTHER, domain=domain, owner=name, customer=customer.name)
    if bar is DomainBar.NOT_OWN:
        named = {"address": address, "customer": customer.name}
        raise AdminFault(FaultCode.OUTSIDE_DOMAINS, domains=customer.domains, **named)


def remove_user(edit: Edit, address: str) -> Changed:
    """Remove a user with its settings and logins; its past jobs stay."""
    user = get_user(edit.tx, address)
    edit.stored.remove_user(user.key)
    return edit.done(AuditAction.REMOVE_USER, Subject(user.address, user.customer_id), address=user.address)


def set_user_profile(edit: Edit, address: str, name: str = "") -> Changed:
    """Give a user another profile; an empty name means the customer's default."""
    user = get_user(edit.tx, address)
    customer = find_customer_by_key(edit.tx, user.customer_id)
    assert customer is not None
    profile = get_profile(edit.tx, customer, name) if name else None
    edit.stored.set_users([replace(user, profile_id=profile.key if profile is not None else None)])
    chosen = profile.name if profile is not None else ""
    names = {item.key: item.name for item in profiles_of(edit.tx, customer.key)}
    values = [ValueChange("profile", names.get(user.profile_id or 0, ""), chosen)]
    facts = {"address": user.address, "profile": chosen}
    return edit.done(AuditAction.CHOOSE_PROFILE, Subject(user.address, customer.key, values=values), **facts)


def set_user_name(edit: Edit, address: str, name: str = "") -> Changed:
    """Say how a user is called; an empty name is none."""
    user = get_user(edit.tx, address)
    return _set_user(edit, AuditAction.NAME_USER, user, replace(user, name=_one_line(name)))


def set_user_phone(edit: Edit, address: str, phone: str = "") -> Changed:
    """Say which phone (digits) is a user's; an empty one is none."""
    user = get_user(edit.tx, address)
    return _set_user(edit, AuditAction.PHONE_USER, user, replace(user, phone=phone))


def _set_user(edit: Edit, action: AuditAction, before: User, after: User) -> Changed:
    edit.stored.set_users([after])
    told = [{"name": user.name, "phone": user.phone and f"+{user.phone}"} for user in (before, after)]
    about = Subject(after.address, after.customer_id, values=differences(*told))
    changes = {name: text for name, text in told[1].items() if name in action.facts}
    return edit.done(action, about, address=after.address, **changes)


def _one_line(name: str) -> str:
    return " ".join(name.split())[:200]


def set_user_active(edit: Edit, address: str, *, active: bool) -> Changed:
    """Let a user send, or stop it from sending without removing anything."""
    user = get_user(edit.tx, address)
    edit.stored.set_users([replace(user, active=active)])
    action = AuditAction.ENABLE_USER if active else AuditAction.DISABLE_USER
    values = differences({"active": user.active}, {"active": active})
    return edit.done(action, Subject(user.address, user.customer_id, values=values), address=user.address)
