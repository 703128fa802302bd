"""Whose submission it is: the proven principal, and the customer, user and profile of the sender's address.

Not here: how a login is proven (gateway.auth), the records themselves (people), their settings (hierarchy).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from ipaddress import ip_address
from typing import Final

from addressbook.api_keys import LOGIN_SCOPES, Scope
from addressbook.people import AddressRange, Customer, Directory, Profile, User
from addressbook.proof import Proof, ProofKind
from addressbook.suspensions import refuse_suspended
from sms.message import Origin
from sms.outcome import Refusal, Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The customer that was proven, and by what.

    `user_id` is set if the login belongs to one user; `login` is empty where none was given. `service` is that of its
    mails, named by what `service_by` says, None where the mail itself says it; `profile_id` is that of senders who are
    no users, None for the customer's default one. `scopes` are what it may do by HTTP; what a `sandbox` one sends is
    played by number and reaches nobody.
    """

    customer_id: int
    user_id: int | None = None
    login: str = ""
    service: Origin | None = None
    profile_id: int | None = None
    scopes: frozenset[Scope] = LOGIN_SCOPES
    sandbox: bool = False
    service_by: str = field(default="", compare=False)
    proof: Proof | None = field(default=None, compare=False)

    def __hash__(self) -> int:
        """Return the same for equal ones, and nearly always another for others."""
        return hash((self.customer_id, self.login))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """The sender of a submission: the customer that pays, and the user and profile whose settings apply."""

    customer: Customer
    user: User | None = None
    profile: Profile | None = None


def find_ranges(directory: Directory, client: str) -> tuple[AddressRange, ...]:
    """Return the address ranges with a client's address, the narrowest first."""
    try:
        address = ip_address(client.partition("%")[0])
    except ValueError:
        return ()
    return directory.ranges_of_client(address)


def own_range(found: Iterable[AddressRange], customer_id: int) -> AddressRange | None:
    """Return the first of these ranges that is a customer's."""
    return next((item for item in found if item.customer_id == customer_id), None)


def prove_by_address(directory: Directory, ranges: tuple[AddressRange, ...]) -> Principal | None:
    """Return the active customer that the narrowest of a client's address ranges proves."""
    if not ranges or ranges[0].shared:
        return None
    (found,) = ranges
    customer = directory.customer(found.customer_id)
    if customer is None or not customer.active or not customer.takes_proof(ProofKind.RANGE):
        return None
    proof = Proof(kind=ProofKind.RANGE, evidence=str(found.network))
    return bind_to_range(Principal(customer_id=customer.key, proof=proof), found)


def bind_to_range(principal: Principal, found: AddressRange | None) -> Principal:
    """Return a principal with the service and profile of its customer's range, as far as it has none of its own."""
    if found is None:
        return principal
    if principal.profile_id is None and found.profile_id is not None:
        principal = replace(principal, profile_id=found.profile_id)
    if principal.service is None and found.service is not None:
        principal = replace(principal, service=found.service, service_by=f"address range {found.network}")
    return principal


def refuse_proof(directory: Directory, principal: Principal) -> Refused | None:
    """Return why a proof that held lets nothing through: its customer takes other ones only."""
    customer = directory.customer(principal.customer_id)
    if customer is None or principal.proof is None or customer.takes_proof(principal.proof.kind):
        return None
    return _refused(f"This customer does not take the proof «{principal.proof.kind}».")


def find_customer(directory: Directory, principal: Principal) -> Customer | Refused:
    """Return the proven customer, refused if it is not active, suspended, or does not take such a proof."""
    customer = directory.customer(principal.customer_id)
    if customer is None or not customer.active:
        return _refused("This customer is not active.")
    suspension = customer.suspension_of()
    suspended = refuse_suspended(customer.name, suspension) if suspension is not None else None
    return refuse_proof(directory, principal) or suspended or customer


def find_owner(directory: Directory, address: str) -> Principal | None:
    """Return as whom an address would send once it has logged in: the customer of its user, else of its domain."""
    user = directory.user(address)
    if user is not None:
        return Principal(customer_id=user.customer_id)
    owner = directory.customer_of_domain(address.rpartition("@")[2])
    return Principal(customer_id=owner.key) if owner is not None else None


def choose_sender(directory: Directory, principal: Principal, address: str) -> Sender | Refused:
    """Return the sender with this address, which must belong to the proven customer."""
    customer = find_customer(directory, principal)
    if isinstance(customer, Refused):
        return customer
    user = directory.user(address)
    if user is not None and (user.is_application or user.customer_id != customer.key):
        whose = "an application, which sends no mail" if user.is_application else "a user of another customer"
        return _refused(f"The sender address is {whose}.")
    owner = directory.customer_of_domain(address.rpartition("@")[2])
    bar = find_domain_bar(customer, owner.key if owner is not None else None)
    if bar is not None:
        return _refused(_WHY_BARRED[bar])
    if principal.user_id not in (None, user.key if user is not None else None):
        return _refused("This login may send as its own user only.")
    if user is not None and not user.may_send:
        return _refused("This sender is not active.")
    return Sender(customer=customer, user=user, profile=_choose_profile(directory, principal, user))


def find_login_sender(directory: Directory, principal: Principal) -> Sender | Refused:
    """Return the sender of an interface for applications: the user whose login was proven.

    A login of a whole customer is for mail, where the author of each mail says who sends it.
    """
    customer = find_customer(directory, principal)
    if isinstance(customer, Refused):
        return customer
    user = directory.user_with_id(principal.user_id) if principal.user_id is not None else None
    if user is None or user.customer_id != customer.key:
        return _refused("This login belongs to no application and to no user: it is for mail alone.")
    if not user.may_send:
        return _refused("This sender is not active.")
    return Sender(customer=customer, user=user, profile=directory.profile_in_force(customer.key, user))


def find_account_sender(directory: Directory, principal: Principal) -> Sender | Refused:
    """Return the sender of what an account sends by hand: the customer's user with its address, else the customer."""
    customer = find_customer(directory, principal)
    if isinstance(customer, Refused):
        return customer
    user = directory.user(principal.login)
    if user is not None and user.customer_id != customer.key:
        user = None
    if user is not None and not user.may_send:
        return _refused("This sender is not active.")
    return Sender(customer=customer, user=user, profile=directory.profile_in_force(customer.key, user))


def _choose_profile(directory: Directory, principal: Principal, user: User | None) -> Profile | None:
    """Return the profile in force: for who is no user that which the proof names, if it names one."""
    if user is None and principal.profile_id is not None:
        return directory.profile(principal.profile_id)
    return directory.profile_in_force(principal.customer_id, user)


class DomainBar(StrEnum):
    """Why a customer may not send for a domain."""

    OF_ANOTHER = "of-another"
    NOT_OWN = "not-own"


_WHY_BARRED: Final = {
    DomainBar.OF_ANOTHER: "The domain of the sender address is another customer's.",
    DomainBar.NOT_OWN: "The domain of the sender address is none of the authenticated customer's.",
}


def find_domain_bar(customer: Customer, owner_id: int | None) -> DomainBar | None:
    """Return why a customer may not send for a domain that this one owns, None if nobody does.

    Who has domains sends only for these and what is below them, whoever its users are; who has none, for what is free.
    """
    if owner_id is not None:
        return None if owner_id == customer.key else DomainBar.OF_ANOTHER
    return DomainBar.NOT_OWN if customer.domains else None


def _refused(detail: str) -> Refused:
    return Refused(refusal=Refusal.SENDER_NOT_AUTHORISED, detail=detail)
