"""Changes to customers, their administrators and address ranges.

Not here: their sender domains (domains), profiles, users and logins (users), settings and constraints.
"""

from ipaddress import ip_network

from addressbook.people import AddressRange, Customer, canonical_address
from gateway.admin.edit import AuditAction, Changed, Edit, Subject, ValueChange, differences
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import get_customer
from sms.facts import Fact
from store.directory_lookup import count_users, find_customer, find_range_owner


def is_name(text: str) -> bool:
    """Return whether a text can name a customer or profile: 1 to 100 visible characters."""
    return text == text.strip() and 0 < len(text) <= 100 and text.isprintable()


def add_customer(edit: Edit, name: str) -> Changed:
    """Make a new customer, without domains, ranges and logins."""
    if not is_name(name):
        raise AdminFault(FaultCode.BAD_CUSTOMER_NAME, name=name)
    if find_customer(edit.tx, name) is not None:
        raise AdminFault(FaultCode.CUSTOMER_EXISTS, name=name)
    key = edit.stored.add_customer(name)
    return edit.done(AuditAction.ADD_CUSTOMER, Subject(name, key), customer=name)


def remove_customer(edit: Edit, name: str, *, with_users: bool = False) -> Changed:
    """Remove a customer; one that has users only where `with_users` says so. Its past jobs stay."""
    customer = get_customer(edit.tx, name)
    users = count_users(edit.tx, customer_key=customer.id)
    if users and not with_users:
        raise AdminFault(FaultCode.CUSTOMER_HAS_USERS, customer=customer.name, users=users)
    edit.stored.remove_customer(customer.id)
    facts: dict[str, Fact] = {"customer": customer.name, "users": users}
    return edit.done(AuditAction.REMOVE_CUSTOMER, Subject(customer.name, customer.id, f"users: {users}"), **facts)


def set_customer_active(edit: Edit, name: str, *, active: bool) -> Changed:
    """Let a customer send, or stop it from sending without removing anything."""
    customer = get_customer(edit.tx, name)
    edit.stored.set_customer(customer.id, active=active, default_profile=customer.default_profile_id)
    action = AuditAction.ENABLE_CUSTOMER if active else AuditAction.DISABLE_CUSTOMER
    values = differences({"active": customer.active}, {"active": active})
    return edit.done(action, Subject(customer.name, customer.id, values=values), customer=customer.name)


def set_admin_address(edit: Edit, name: str, address: str = "") -> Changed:
    """Choose who is told what concerns a customer; an empty address is whom the operator's file names."""
    customer = get_customer(edit.tx, name)
    canonical = canonical_address(address) if address else ""
    if canonical is None:
        raise AdminFault(FaultCode.BAD_ADDRESS, address=address)
    edit.stored.set_admin_address(customer.id, canonical)
    values = differences({"admin_address": customer.admin_address}, {"admin_address": canonical})
    facts = {"customer": customer.name, "address": canonical}
    return edit.done(AuditAction.SET_ADMIN, Subject(customer.name, customer.id, values=values), **facts)


def add_range(edit: Edit, name: str, network: str) -> Changed:
    """Let client addresses prove a customer; within a range of somebody else, the narrower range decides."""
    customer = get_customer(edit.tx, name)
    parsed = _parse_range(network)
    owner = find_range_owner(edit.tx, parsed)
    if owner is not None:
        raise AdminFault(FaultCode.RANGE_TAKEN, range=parsed, owner=owner.name)
    edit.stored.add_range(AddressRange(network=ip_network(parsed), customer_id=customer.id))
    return _range_done(edit, AuditAction.ADD_RANGE, customer, "", parsed)


def remove_range(edit: Edit, name: str, network: str) -> Changed:
    """Stop an address range from proving a customer."""
    customer = get_customer(edit.tx, name)
    parsed = _parse_range(network)
    if not edit.stored.remove_range(customer.id, parsed):
        raise AdminFault(FaultCode.RANGE_NOT_OWNED, customer=customer.name, range=parsed)
    return _range_done(edit, AuditAction.REMOVE_RANGE, customer, parsed, "")


def _range_done(edit: Edit, action: AuditAction, customer: Customer, before: str, after: str) -> Changed:
    values = [ValueChange("range", before, after)]
    facts = {"customer": customer.name, "range": after or before}
    return edit.done(action, Subject(customer.name, customer.id, values=values), **facts)


def _parse_range(text: str) -> str:
    try:
        network = ip_network(text.strip())
    except ValueError as error:
        raise AdminFault(FaultCode.BAD_RANGE, range=text, cause=str(error)) from None
    if network.prefixlen == 0:
        raise AdminFault(FaultCode.RANGE_TOO_WIDE, range=str(network))
    return str(network)
