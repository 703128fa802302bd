"""Changes to the address ranges of customers.

Not here: whom a range proves (addressbook.senders).
"""

from dataclasses import replace
from ipaddress import ip_interface, ip_network

from addressbook.people import AddressRange, Customer, IpNetwork
from gateway.admin.edit import AuditAction, Changed, Edit, Subject, ValueChange, differences
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import bind, get_customer
from store.directory_lookup import find_customer_by_key, profiles_of, ranges_at, ranges_of


def add_range(  # noqa: PLR0913 - what a range has
    edit: Edit,
    name: str,
    network: str,
    *,
    shared: bool = False,
    tls_required: bool = False,
    service: str | None = None,
    profile: str | None = None,
) -> Changed:
    """Let client addresses prove a customer; within a range of somebody else, the narrower range decides.

    Several customers may have one range where each of them shares it.
    """
    customer = get_customer(edit.tx, name)
    parsed = _parse_range(network)
    if any(item.customer_id == customer.key for item in ranges_at(edit.tx, parsed)):
        raise AdminFault(FaultCode.RANGE_TAKEN, range=str(parsed), owner=customer.name)
    bare = AddressRange(network=parsed, customer_id=customer.key, shared=shared, tls_required=tls_required)
    return _put(edit, AuditAction.ADD_RANGE, customer, None, bind(edit.tx, customer, bare, service, profile))


def set_range(  # noqa: PLR0913 - what a range has
    edit: Edit,
    name: str,
    network: str,
    *,
    shared: bool | None = None,
    tls_required: bool | None = None,
    service: str | None = None,
    profile: str | None = None,
) -> Changed:
    """Change what an address range says; None leaves a field as it is, an empty text takes its value away."""
    customer = get_customer(edit.tx, name)
    before = _get_range(edit, customer, network)
    after = replace(
        before,
        shared=before.shared if shared is None else shared,
        tls_required=before.tls_required if tls_required is None else tls_required,
    )
    return _put(edit, AuditAction.SET_RANGE, customer, before, bind(edit.tx, customer, after, service, profile))


def remove_range(edit: Edit, name: str, network: str) -> Changed:
    """Stop an address range from proving a customer."""
    customer = get_customer(edit.tx, name)
    found = _get_range(edit, customer, network)
    edit.stored.remove_range(customer.key, str(found.network))
    about = Subject(customer.name, customer.key, values=[ValueChange("range", str(found.network), "")])
    return edit.done(AuditAction.REMOVE_RANGE, about, customer=customer.name, range=str(found.network))


def _get_range(edit: Edit, customer: Customer, network: str) -> AddressRange:
    parsed = _parse_range(network)
    found = next((item for item in ranges_of(edit.tx, customer.key) if item.network == parsed), None)
    if found is None:
        raise AdminFault(FaultCode.RANGE_NOT_OWNED, customer=customer.name, range=str(parsed))
    return found


def _put(
    edit: Edit, action: AuditAction, customer: Customer, before: AddressRange | None, after: AddressRange
) -> Changed:
    network = str(after.network)
    for other in ranges_at(edit.tx, after.network):
        if other.customer_id != customer.key and not (other.shared and after.shared):
            owner = find_customer_by_key(edit.tx, other.customer_id)
            raise AdminFault(FaultCode.RANGE_TAKEN, range=network, owner=owner.name if owner is not None else "")
    if before is not None:
        edit.stored.remove_range(customer.key, network)
    edit.stored.add_range(after)
    names = {profile.key: profile.name for profile in profiles_of(edit.tx, customer.key)}
    told = [
        {}
        if item is None
        else {
            "range": network,
            "shared": item.shared or None,
            "tls_required": item.tls_required or None,
            "service": item.service,
            "profile": names.get(item.profile_id or 0),
        }
        for item in (before, after)
    ]
    about = Subject(customer.name, customer.key, network, differences(*told))
    return edit.done(
        action, about, customer=customer.name, range=network, shared=after.shared, tls_required=after.tls_required
    )


def _parse_range(text: str) -> IpNetwork:
    try:
        network = ip_network(text.strip())
    except ValueError as error:
        raise AdminFault(FaultCode.BAD_RANGE, range=text, cause=_mend(text) or str(error)) from None
    if network.prefixlen == 0:
        raise AdminFault(FaultCode.RANGE_TOO_WIDE, range=str(network))
    return network


def _mend(text: str) -> str:
    """Return what an address with the length of its network was meant to be, "" for anything else."""
    try:
        meant = ip_interface(text.strip())
    except ValueError:
        return ""
    return f"write {meant.network} for the whole network, or {meant.ip} for this address alone"
