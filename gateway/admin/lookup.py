"""Finds what an administrator names; what is not there is a fault."""

from dataclasses import replace
from typing import TypeVar

from addressbook.canonical import canonical_address, canonical_application, canonical_login
from addressbook.lists import DistributionList
from addressbook.people import AddressRange, Credential, Customer, Profile, User
from addressbook.rights import Role
from gateway.admin.faults import AdminFault, FaultCode
from sms.message import MAIL_SERVICES, Origin
from store.directory_lookup import find_credential, find_customer, find_profile, find_user
from store.engine.database import Transaction
from store.lists import find_list
from store.portal_accounts import accounts_of

Bound = TypeVar("Bound", AddressRange, Credential)


def get_customer(tx: Transaction, name: str) -> Customer:
    """Return the customer of this name, however it is spelled. Raises AdminFault."""
    customer = find_customer(tx, name)
    if customer is None:
        raise AdminFault(FaultCode.NO_CUSTOMER, name=name)
    return customer


def readers_of(tx: Transaction, customer: Customer) -> list[str]:
    """Return who gets letters to a customer: its administrator's address, else who administers it in the portal."""
    if customer.admin_address:
        return [customer.admin_address]
    accounts = accounts_of(tx, customer.key)
    return [account.address for account in accounts if account.role_at(customer.key) is Role.ADMINISTRATOR]


def get_profile(tx: Transaction, customer: Customer, name: str) -> Profile:
    """Return a customer's profile. Raises AdminFault."""
    profile = find_profile(tx, customer.key, name)
    if profile is None:
        raise AdminFault(FaultCode.NO_PROFILE, customer=customer.name, name=name)
    return profile


def get_user(tx: Transaction, address: str) -> User:
    """Return the user with this address, or the application of this name. Raises AdminFault."""
    canonical = canonical_address(address) or canonical_application(address)
    user = find_user(tx, canonical) if canonical is not None else None
    if user is None:
        raise AdminFault(FaultCode.NO_USER, address=address)
    return user


def get_user_of(tx: Transaction, customer: Customer, address: str) -> User:
    """Return the user of a customer with this address. Raises AdminFault, for another customer's too."""
    user = get_user(tx, address)
    if user.customer_id != customer.key:
        raise AdminFault(FaultCode.NO_USER, address=address)
    return user


def get_login(tx: Transaction, login: str) -> Credential:
    """Return the credential of this login. Raises AdminFault."""
    found = find_credential(tx, canonical_login(login))
    if found is None:
        raise AdminFault(FaultCode.NO_LOGIN, login=login)
    return found


def get_list(tx: Transaction, customer: Customer, name: str) -> DistributionList:
    """Return a customer's distribution list. Raises AdminFault."""
    found = find_list(tx, customer.key, name)
    if found is None:
        raise AdminFault(FaultCode.NO_LIST, customer=customer.name, name=name)
    return found


def bind(tx: Transaction, customer: Customer, item: Bound, service: str | None, profile: str | None) -> Bound:
    """Return what proves a sender with the service of its mails and the profile of who is no user.

    None leaves a value as it is, an empty text takes it away. Raises AdminFault for what there is not.
    """
    if service and service not in MAIL_SERVICES:
        raise AdminFault(FaultCode.NO_MAIL_SERVICE, service=service)
    if service is not None:
        item = replace(item, service=Origin(service) if service else None)
    if profile is not None:
        item = replace(item, profile_id=get_profile(tx, customer, profile).key if profile else None)
    return item
