"""Changes to customers, their administrators, and what proves their senders.

Not here: their sender domains (domains), address ranges (ranges), profiles and users, logins, settings and constraints.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from addressbook.canonical import canonical_address, canonical_domain
from addressbook.proof import IdentityProvider, ProofKind
from gateway.admin.edit import AuditAction, Changed, Edit, Subject, differences
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import get_customer
from sms.facts import Fact
from store.directory_lookup import count_users, find_customer


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
    users = count_users(edit.tx, customer_key=customer.key)
    if users and not with_users:
        raise AdminFault(FaultCode.CUSTOMER_HAS_USERS, customer=customer.name, users=users)
    edit.stored.remove_customer(customer.key)
    facts: dict[str, Fact] = {"customer": customer.name, "users": users}
    return edit.done(AuditAction.REMOVE_CUSTOMER, Subject(customer.name, customer.key, f"users: {users}"), **facts)


def set_customer_active(edit: Edit, name: str, *, active: bool) -> Changed:
    """Let a customer send, or stop it from sending without removing anything."""
    customer = get_customer(edit.tx, name)
    edit.stored.set_customer(customer.key, active=active, default_profile=customer.default_profile_id)
    action = AuditAction.ENABLE_CUSTOMER if active else AuditAction.DISABLE_CUSTOMER
    values = differences({"active": customer.active}, {"active": active})
    return edit.done(action, Subject(customer.name, customer.key, values=values), customer=customer.name)


def set_admin_address(edit: Edit, name: str, address: str = "") -> Changed:
    """Choose who is told what concerns a customer; an empty address is whom the operator's file names."""
    customer = get_customer(edit.tx, name)
    canonical = canonical_address(address) if address else ""
    if canonical is None:
        raise AdminFault(FaultCode.BAD_ADDRESS, address=address)
    edit.stored.set_admin_address(customer.key, canonical)
    values = differences({"admin_address": customer.admin_address}, {"admin_address": canonical})
    facts = {"customer": customer.name, "address": canonical}
    return edit.done(AuditAction.SET_ADMIN, Subject(customer.name, customer.key, values=values), **facts)


def set_tls_required(edit: Edit, name: str, *, required: bool) -> Changed:
    """Take a customer's mail under TLS only, or also in clear."""
    customer = get_customer(edit.tx, name)
    edit.stored.set_tls_required(customer.key, required=required)
    values = differences({"tls_required": customer.tls_required}, {"tls_required": required})
    facts: dict[str, Fact] = {"customer": customer.name, "required": required}
    return edit.done(AuditAction.REQUIRE_TLS, Subject(customer.name, customer.key, values=values), **facts)


def set_proofs(edit: Edit, name: str, kinds: Sequence[str] = ()) -> Changed:
    """Say which proofs let a customer's mail through; none given: all that there are."""
    customer = get_customer(edit.tx, name)
    for kind in kinds:
        if kind not in set(ProofKind):
            raise AdminFault(FaultCode.NO_PROOF, given=kind)
    chosen = frozenset(map(ProofKind, kinds)) or None
    edit.stored.set_proofs(customer.key, chosen)
    told = [{"proofs": None if found is None else tuple(sorted(found))} for found in (customer.proofs, chosen)]
    facts: dict[str, Fact] = {"customer": customer.name, "proofs": tuple(sorted(chosen or ProofKind))}
    return edit.done(AuditAction.SET_PROOFS, Subject(customer.name, customer.key, values=differences(*told)), **facts)


def set_arc_sealer(edit: Edit, name: str, action: str, domain: str) -> Changed:
    """Trust what a domain says of the mails that it sealed (RFC 8617), or no longer; `action` is add or remove."""
    customer = get_customer(edit.tx, name)
    canonical = canonical_domain(domain)
    if canonical is None:
        raise AdminFault(FaultCode.BAD_DOMAIN, domain=domain)
    sealers = customer.arc_sealers | {canonical} if action == "add" else customer.arc_sealers - {canonical}
    edit.stored.set_arc_sealers(customer.key, sealers)
    told = [{"arc_sealers": tuple(sorted(found))} for found in (customer.arc_sealers, sealers)]
    facts: dict[str, Fact] = {"customer": customer.name, "sealers": tuple(sorted(sealers))}
    return edit.done(AuditAction.SET_SEALERS, Subject(customer.name, customer.key, values=differences(*told)), **facts)


def set_identity_provider(edit: Edit, name: str, issuer: str = "", audience: str = "", claim: str = "email") -> Changed:
    """Let tokens of an OpenID Connect issuer be logins of a customer; without an issuer no token is."""
    customer = get_customer(edit.tx, name)
    parts = urlsplit(issuer)
    # OpenID Connect Discovery 1.0 §4.1
    if issuer and not (parts.scheme == "https" and parts.hostname and issuer.isascii() and issuer.isprintable()):
        raise AdminFault(FaultCode.BAD_ISSUER, issuer=issuer)
    if issuer and (parts.query or parts.fragment or parts.username is not None):
        raise AdminFault(FaultCode.BAD_ISSUER, issuer=issuer)
    if issuer and not (audience and claim):
        raise AdminFault(FaultCode.NO_AUDIENCE, issuer=issuer)
    provider = IdentityProvider(issuer=issuer, audience=audience, claim=claim) if issuer else None
    edit.stored.set_identity_provider(customer.key, provider)
    told = [
        {"issuer": found.issuer, "audience": found.audience, "claim": found.claim} if found is not None else {}
        for found in (customer.identity_provider, provider)
    ]
    facts = {"customer": customer.name, "issuer": issuer, "audience": audience, "claim": claim}
    return edit.done(AuditAction.SET_OIDC, Subject(customer.name, customer.key, values=differences(*told)), **facts)
