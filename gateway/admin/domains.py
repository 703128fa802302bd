"""Changes to the sender domains of customers: given by the operator, or claimed and proved by a TXT record.

Whoever proves a domain first has it: control of its DNS says more than any row here. Not here: for which domains a
customer may send (addressbook.senders), the question to the name servers (tls.resolver), whose answer is passed in.
"""

import secrets
from collections.abc import Iterable

from addressbook.canonical import canonical_domain, domains_above
from addressbook.people import Customer
from addressbook.senders import DomainBar, find_domain_bar
from gateway.admin.domain_proof import proof_name, proof_value
from gateway.admin.edit import AuditAction, Changed, Edit, Subject, ValueChange, changed
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import get_customer
from sms.facts import Fact
from store.directory_lookup import users_of
from store.domains import (
    DomainClaim,
    add_claim,
    claims_of,
    find_domain_owner,
    find_domain_owners,
    remove_claim,
    users_below,
)
from store.engine.database import Transaction
from store.engine.keys import to_stored
from tls.resolver import DnsAnswer, Lookup


def find_domain_bars(tx: Transaction, customer: Customer, domains: Iterable[str]) -> dict[str, DomainBar]:
    """Return those of these canonical domains that a customer may not send for, and why."""
    wanted = set(domains)
    owners = find_domain_owners(tx, wanted)
    bars = {domain: find_domain_bar(customer, owners.get(domain)) for domain in wanted}
    return {domain: bar for domain, bar in bars.items() if bar is not None}


def add_domain(edit: Edit, name: str, domain: str) -> Changed:
    """Give a sender domain to a customer; a domain has one owner, and nobody else has users in it."""
    customer = get_customer(edit.tx, name)
    canonical = _free_domain(edit.tx, domain)
    strangers = sum(len(found) for found in _strangers(edit.tx, canonical, customer).values())
    if strangers:
        raise AdminFault(FaultCode.DOMAIN_HAS_STRANGERS, domain=canonical, users=strangers)
    outside = _give(edit, customer, canonical)
    return _domain_done(edit, AuditAction.ADD_DOMAIN, customer, "", canonical, outside=outside)


def remove_domain(edit: Edit, name: str, domain: str) -> Changed:
    """Take a sender domain from a customer."""
    customer = get_customer(edit.tx, name)
    canonical = canonical_domain(domain)
    if canonical is None or not edit.stored.remove_domain(customer.key, canonical):
        raise AdminFault(FaultCode.DOMAIN_NOT_OWNED, customer=customer.name, domain=domain)
    return _domain_done(edit, AuditAction.REMOVE_DOMAIN, customer, canonical, "")


def claim_domain(edit: Edit, name: str, domain: str) -> Changed:
    """Note that a customer says a domain is its own; said again, the record that proves it stays the same."""
    customer = get_customer(edit.tx, name)
    canonical = _free_domain(edit.tx, domain)
    claim = _find_claim(edit.tx, customer, canonical)
    known = claim is not None
    if claim is None:
        claim = DomainClaim(canonical, secrets.token_hex(16), to_stored(edit.now))
        add_claim(edit.tx, customer.key, canonical, claim.token, claim.claimed_at)
    facts = {
        "customer": customer.name,
        "domain": canonical,
        "record": proof_name(canonical),
        "value": proof_value(claim),
    }
    if known:
        return changed(AuditAction.CLAIM_DOMAIN, **facts)
    return edit.done(AuditAction.CLAIM_DOMAIN, Subject(customer.name, customer.key, canonical), **facts)


def get_claimed_domain(tx: Transaction, name: str, domain: str) -> str:
    """Return the canonical domain that a customer claims. Raises AdminFault where it does not."""
    customer = get_customer(tx, name)
    canonical = canonical_domain(domain)
    if canonical is None or _find_claim(tx, customer, canonical) is None:
        raise AdminFault(FaultCode.NO_CLAIM, customer=customer.name, domain=domain)
    return canonical


def verify_domain(edit: Edit, name: str, domain: str, answer: DnsAnswer[str]) -> Changed:
    """Give a claimed domain to a customer if the answer to the question for its TXT record proves the claim.

    Users of others in it can send no longer, unless their customer has a domain above: then the operator decides.
    """
    canonical = get_claimed_domain(edit.tx, name, domain)
    customer = get_customer(edit.tx, name)
    claim = _find_claim(edit.tx, customer, _free_domain(edit.tx, canonical))
    assert claim is not None
    record = proof_name(canonical)
    if answer.lookup is Lookup.FAILED:
        raise AdminFault(FaultCode.PROOF_UNKNOWN, domain=canonical, record=record, cause=answer.cause)
    if answer.lookup is Lookup.FOUND and answer.name != record:
        # A wildcard alias of the domain would let the host that it names prove it.
        raise AdminFault(FaultCode.PROOF_BY_ALIAS, domain=canonical, record=record, alias=answer.name)
    texts = tuple(text.strip() for text in answer.values)
    if proof_value(claim) not in texts:
        raise AdminFault(FaultCode.NOT_PROVED, domain=canonical, record=record, value=proof_value(claim), found=texts)
    strangers = _strangers(edit.tx, canonical, customer)
    above = find_domain_owners(edit.tx, [canonical]).get(canonical)
    if above in strangers:
        raise AdminFault(FaultCode.DOMAIN_HAS_STRANGERS, domain=canonical, users=len(strangers[above]))
    outside = _give(edit, customer, canonical)
    facts = {"outside": outside, "strangers": sum(len(found) for found in strangers.values())}
    return _domain_done(edit, AuditAction.VERIFY_DOMAIN, customer, "", canonical, **facts)


def _domain_done(edit: Edit, action: AuditAction, customer: Customer, before: str, after: str, **more: Fact) -> Changed:
    values = [ValueChange("domain", before, after)]
    facts: dict[str, Fact] = {"customer": customer.name, "domain": after or before, **more}
    return edit.done(action, Subject(customer.name, customer.key, values=values), **facts)


def _free_domain(tx: Transaction, text: str) -> str:
    """Return a domain in its canonical form. Raises AdminFault for what is none, or is some customer's."""
    canonical = canonical_domain(text)
    if canonical is None or "." not in canonical:
        raise AdminFault(FaultCode.BAD_DOMAIN, domain=text)
    owner = find_domain_owner(tx, canonical)
    if owner is not None:
        raise AdminFault(FaultCode.DOMAIN_TAKEN, domain=canonical, owner=owner.name)
    return canonical


def _find_claim(tx: Transaction, customer: Customer, domain: str) -> DomainClaim | None:
    return next((claim for claim in claims_of(tx, customer.key) if claim.domain == domain), None)


def _strangers(tx: Transaction, domain: str, customer: Customer) -> dict[int, list[str]]:
    """Return by customer the users of others whose addresses would be the customer's, if it got a domain."""
    others = {key: found for key, found in users_below(tx, domain).items() if key != customer.key}
    domains = {address.rpartition("@")[2] for found in others.values() for address in found}
    lower = find_domain_owners(tx, domains, below=domain)
    by_customer = {
        key: [address for address in found if address.rpartition("@")[2] not in lower] for key, found in others.items()
    }
    return {key: found for key, found in by_customer.items() if found}


def _give(edit: Edit, customer: Customer, domain: str) -> int:
    """Store a domain of a customer, and return how many of its users are outside of all its domains."""
    edit.stored.add_domain(customer.key, domain)
    remove_claim(edit.tx, customer.key, domain)
    own = {*customer.domains, domain}
    return sum(
        own.isdisjoint(domains_above(user.address.rpartition("@")[2])) for user in users_of(edit.tx, customer.key)
    )
