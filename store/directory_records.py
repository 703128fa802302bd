"""What is read of who may send and how, as records of their tables and as the values that they become.

Not here: which of them are read together (directory), or one by one (directory_lookup).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from ipaddress import ip_network

from msgspec import Struct

from addressbook.api_keys import parse_scopes
from addressbook.hierarchy import Constraints, LayerKind
from addressbook.options import Option
from addressbook.people import AddressRange, Credential, CredentialKind, Customer, Profile, User
from addressbook.proof import IdentityProvider, ProofKind
from addressbook.suspensions import Suspension
from sms.message import Origin
from sms.number import NumberType
from sms.usage import UsageLimit, parse_limit
from store.engine.database import Transaction
from store.engine.keys import to_instant_if_set
from store.engine.log import log
from store.engine.rows import query
from store.versions import IN_FORCE


class CustomerRecord(Struct, frozen=True, array_like=True):
    """What is read of a customer."""

    key: int
    name: str
    default_profile_key: int | None
    active: bool
    options: str | None
    stop_listed: bool
    admin_address: str
    tls_required: bool
    proofs: str | None
    oidc_issuer: str
    oidc_audience: str
    oidc_claim: str
    arc_sealers: str


class DomainRecord(Struct, frozen=True, array_like=True):
    """What is read of a sender domain."""

    customer_key: int
    domain: str


class ProfileRecord(Struct, frozen=True, array_like=True):
    """What is read of a profile."""

    key: int
    customer_key: int
    name: str


class UserRecord(Struct, frozen=True, array_like=True):
    """What is read of a user."""

    key: int
    customer_key: int
    address: str
    profile_key: int | None
    name: str
    active: bool
    phone: str
    directory_key: int | None
    disabled: bool
    missing: bool


class CredentialRecord(Struct, frozen=True, array_like=True):
    """What is read of a login."""

    login: str
    customer_key: int
    kind: CredentialKind
    verifier: str
    user_key: int | None
    active: bool
    scram: str
    service: str
    profile_key: int | None
    scopes: str
    expires_at: int | None
    sandbox: bool


class RangeRecord(Struct, frozen=True, array_like=True):
    """What is read of an address range."""

    network: str
    customer_key: int
    shared: bool
    tls_required: bool
    service: str
    profile_key: int | None


class CellRecord(Struct, frozen=True, array_like=True):
    """What is read of a cell."""

    scope: LayerKind
    owner_key: int
    service: str
    field: str
    value: str
    origin: str


class ConstraintRecord(Struct, frozen=True, array_like=True):
    """What is read of a set of constraints."""

    owner_key: int
    locked: str
    sender_ids: str | None
    max_parts: int | None
    express: bool
    flash: bool
    countries: str | None
    number_types: str | None
    usage: str


CUSTOMERS = query(CustomerRecord, "FROM customer")
DOMAINS = query(DomainRecord, "FROM customer_domain")
DOMAINS_OF = DOMAINS + " WHERE customer_key IN (??)"
PROFILES = query(ProfileRecord, "FROM profile")
USERS = query(UserRecord, "FROM mail_user WHERE ", key="user_key", missing="missing_at IS NOT NULL")
CELLS = query(CellRecord, "FROM setting WHERE ")
USERS_IN_FORCE = USERS + IN_FORCE
CREDENTIALS = query(CredentialRecord, "FROM credential")
RANGES = query(RangeRecord, "FROM address_range ORDER BY network, customer_key")
CELLS_IN_FORCE = CELLS + IN_FORCE
CONSTRAINTS = query(ConstraintRecord, "FROM constraint_set")


def customers_of(
    rows: Iterable[CustomerRecord], domain_rows: Iterable[DomainRecord], suspended: Mapping[int, tuple[Suspension, ...]]
) -> list[Customer]:
    """Return customers from their records, those of their domains, and the suspensions in force by customer."""
    domains: dict[int, list[str]] = defaultdict(list)
    for row in domain_rows:
        domains[row.customer_key].append(row.domain)
    return [
        Customer(
            key=row.key,
            name=row.name,
            domains=tuple(sorted(domains.get(row.key, ()))),
            default_profile_id=row.default_profile_key,
            active=row.active,
            options=_options(row.options),
            stop_listed=row.stop_listed,
            admin_address=row.admin_address,
            tls_required=row.tls_required,
            proofs=_proofs(row.proofs),
            identity_provider=IdentityProvider(issuer=row.oidc_issuer, audience=row.oidc_audience, claim=row.oidc_claim)
            if row.oidc_issuer
            else None,
            arc_sealers=_words(row.arc_sealers) or frozenset(),
            suspensions=suspended.get(row.key, ()),
        )
        for row in rows
    ]


def _proofs(text: str | None) -> frozenset[ProofKind] | None:
    """Return stored kinds of proof; one that this version of the program does not know proves nothing."""
    words = _words(text)
    return None if words is None else frozenset(ProofKind(word) for word in words & set(ProofKind))


def _options(text: str | None) -> frozenset[Option] | None:
    """Return stored options; one that this version of the program does not know is left out, and the log names it."""
    words = _words(text)
    if words is None:
        return None
    unknown = words - set(Option)
    if unknown:
        log.warning("stored_options_unknown", options=sorted(unknown))
    return frozenset(Option(word) for word in words - unknown)


def profile_of(row: ProfileRecord) -> Profile:
    """Return a profile from its record."""
    return Profile(key=row.key, customer_id=row.customer_key, name=row.name)


def user_of(row: UserRecord) -> User:
    """Return a user from its record."""
    return User(
        key=row.key,
        customer_id=row.customer_key,
        address=row.address,
        profile_id=row.profile_key,
        name=row.name,
        active=row.active,
        phone=row.phone,
        directory_id=row.directory_key,
        disabled=row.disabled,
        missing=row.missing,
    )


def credential_of(row: CredentialRecord) -> Credential:
    """Return a login from its record."""
    return Credential(
        login=row.login,
        customer_id=row.customer_key,
        kind=row.kind,
        verifier=row.verifier,
        user_id=row.user_key,
        active=row.active,
        scram=row.scram,
        service=_service(row.service),
        profile_id=row.profile_key,
        scopes=parse_scopes(row.scopes),
        expires_at=to_instant_if_set(row.expires_at),
        sandbox=row.sandbox,
    )


def load_ranges(tx: Transaction) -> tuple[AddressRange, ...]:
    """Return all address ranges, by network."""
    return tuple(
        AddressRange(
            network=ip_network(row.network),
            customer_id=row.customer_key,
            shared=row.shared,
            tls_required=row.tls_required,
            service=_service(row.service),
            profile_id=row.profile_key,
        )
        for row in tx.select(RangeRecord, RANGES)
    )


def _service(text: str) -> Origin | None:
    """Return a stored service; None for none, and for one that this version of the program does not know."""
    return Origin(text) if text in set(Origin) else None


def _words(text: str | None) -> frozenset[str] | None:
    return None if text is None else frozenset(word for word in text.split(",") if word)


def constraints_of(row: ConstraintRecord, kind: LayerKind, owner: str) -> Constraints:
    """Return constraints from their record; `kind` is whose they are, `owner` how it is called."""
    return Constraints(
        kind=kind,
        owner=owner,
        locked=_words(row.locked) or frozenset(),
        sender_ids=_words(row.sender_ids),
        max_parts=row.max_parts,
        express=row.express,
        flash=row.flash,
        countries=_words(row.countries),
        number_types=_number_types(row.number_types),
        usage=tuple(limit for text in row.usage.split(",") if (limit := _limit(text)) is not None),
    )


def _number_types(text: str | None) -> frozenset[NumberType] | None:
    words = _words(text)
    return None if words is None else frozenset(map(NumberType, words & set(NumberType)))


def _limit(text: str) -> UsageLimit | None:
    read = parse_limit(text)
    if read is None and text:
        log.warning("stored_limit_unknown", limit=text)
    return None if read is None else read[1]
