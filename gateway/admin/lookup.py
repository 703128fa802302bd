"""Finds what an administrator names; what is not there is a fault."""

from addressbook.lists import DistributionList
from addressbook.people import Customer, Profile, User, canonical_address
from gateway.admin.faults import AdminFault, FaultCode
from store.directory_lookup import find_customer, find_profile, find_user
from store.engine.database import Transaction
from store.lists import find_list


def get_customer(tx: Transaction, name: str) -> Customer:
    """Return the customer of this name, however it is spelled. Raises AdminFault."""
    customer = find_customer(tx, name)
    if customer is None:
        raise AdminFault(FaultCode.NO_CUSTOMER, name=name)
    return customer


def get_profile(tx: Transaction, customer: Customer, name: str) -> Profile:
    """Return a customer's profile. Raises AdminFault."""
    profile = find_profile(tx, customer.id, name)
    if profile is None:
        raise AdminFault(FaultCode.NO_PROFILE, customer=customer.name, name=name)
    return profile


def get_user(tx: Transaction, address: str) -> User:
    """Return the user with this address. Raises AdminFault."""
    canonical = canonical_address(address)
    user = find_user(tx, canonical) if canonical is not None else None
    if user is None:
        raise AdminFault(FaultCode.NO_USER, address=address)
    return user


def get_list(tx: Transaction, customer: Customer, name: str) -> DistributionList:
    """Return a customer's distribution list. Raises AdminFault."""
    found = find_list(tx, customer.id, name)
    if found is None:
        raise AdminFault(FaultCode.NO_LIST, customer=customer.name, name=name)
    return found
