"""Who may send: customers, profiles, users, credentials, address ranges, and the snapshot of them.

A `Directory` never changes: `apply` returns the next one and copies only the indexes that a change touches, so that a
reader in any thread sees one version throughout. Every look-up costs the same with a hundred or 100,000 users.

Not here: how a sender is proven (mta.identify), their settings (hierarchy), storing them (store.directory).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeVar

from addressbook.api_keys import Scope, digests_in
from addressbook.canonical import canonical_address, canonical_domain, canonical_login, canonical_name, domains_above
from addressbook.options import Option
from addressbook.phones import PhoneIndex, common_name, index_phones, moved_phones
from addressbook.proof import IdentityProvider, ProofKind
from addressbook.suspensions import Suspension
from sms.message import Origin

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """Who pays. `domains` are the proven sender domains as canonical A-labels; only one customer owns each.

    `options` are what it has contracted, None: the operator's default ones. Without `stop_listed` it never had a stop
    entry, and nobody looks for one. `admin_address` is told what concerns it; empty: the operator's is. With
    `tls_required` no mail of it is taken in clear. `proofs` are those that it takes, None: all. `arc_sealers` are the
    domains, as A-labels, whose word on what they sealed it trusts (RFC 8617). `suspensions` are those in force.
    """

    key: int
    name: str
    domains: tuple[str, ...] = ()
    default_profile_id: int | None = None
    active: bool = True
    options: frozenset[Option] | None = None
    stop_listed: bool = False
    admin_address: str = ""
    tls_required: bool = False
    proofs: frozenset[ProofKind] | None = None
    identity_provider: IdentityProvider | None = None
    arc_sealers: frozenset[str] = frozenset()
    suspensions: tuple[Suspension, ...] = ()

    def __hash__(self) -> int:
        """Return its key: equal customers have the same."""
        return self.key

    def takes_proof(self, kind: ProofKind) -> bool:
        """Return whether such a proof lets its mail through."""
        return self.proofs is None or kind in self.proofs

    def has_option(self, option: Option, default_options: frozenset[Option]) -> bool:
        """Return whether it has contracted an option."""
        return option in (default_options if self.options is None else self.options)

    def suspension_of(self, option: Option | None = None) -> Suspension | None:
        """Return what suspends the whole customer, else what suspends one option of it."""
        found = {item.option: item for item in self.suspensions}
        return found.get(None) or found.get(option)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A named set of settings of one customer that several users share."""

    key: int
    customer_id: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One sender. `address` is canonical and unique over all customers; `phone` is E.164 without the plus, or empty.

    A person's address is a mailbox, that of an application its name.
    An administrator decides `active`; its directory says that it is `disabled`, or has its entry no more (`missing`).
    `directory_id` is None where no directory speaks of it.
    """

    key: int
    customer_id: int
    address: str
    profile_id: int | None = None
    name: str = ""
    active: bool = True
    phone: str = ""
    directory_id: int | None = None
    disabled: bool = False
    missing: bool = False

    @property
    def is_application(self) -> bool:
        """Whether it is no person, and has no mailbox."""
        return "@" not in self.address

    @property
    def may_send(self) -> bool:
        """Whether neither an administrator nor its directory stopped it."""
        return self.active and not self.disabled and not self.missing


class CredentialKind(StrEnum):
    """What proves a login: a password's argon2 verifier, or what a client certificate must be.

    Of a certificate it is `spki:` and the SHA-256 of its public key in lower-case hex (RFC 7469 §2.4), or `ca:`, the
    certificate of the authority that signed it (DER in base64), a colon, and a name that it must have. Of an API key
    it is what `addressbook.api_keys` makes.
    """

    PASSWORD = "password"  # noqa: S105 - the name of the kind, no secret
    CERTIFICATE = "certificate"
    KEY = "key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One login of a customer, or of one of its users. `verifier` is never the secret itself.

    `scram` is the verifier of SCRAM-SHA-256, empty where there is none. `service` is that of its mails, None where they
    say it themselves; `profile_id` is that of senders who are no users. `scopes`, `expires_at` (None: never) and
    `sandbox` are those of an API key.
    """

    login: str
    customer_id: int
    kind: CredentialKind
    verifier: str = field(repr=False)
    user_id: int | None = None
    active: bool = True
    scram: str = field(default="", repr=False)
    service: Origin | None = None
    profile_id: int | None = None
    scopes: frozenset[Scope] = frozenset()
    expires_at: datetime | None = None
    sandbox: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifiers:
    """What is kept of a password: for those who send it, and for SCRAM."""

    password: str
    scram: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressRange:
    """Client addresses that prove a customer without a login.

    One that is `shared` with strangers, as a cloud provider's is, proves nothing alone. With `tls_required` no mail is
    taken from it in clear. `service` and `profile_id` are as those of a credential.
    """

    network: IpNetwork
    customer_id: int
    shared: bool = False
    tls_required: bool = False
    service: Origin | None = None
    profile_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryChange:
    """The changes of `version`: the new state of each record by key, None if it was removed.

    `ranges` is the whole new set, None if no range changed.
    """

    version: int
    customers: Mapping[int, Customer | None] = field(default_factory=dict)
    profiles: Mapping[int, Profile | None] = field(default_factory=dict)
    users: Mapping[int, User | None] = field(default_factory=dict)
    credentials: Mapping[str, Credential | None] = field(default_factory=dict)
    ranges: tuple[AddressRange, ...] | None = None


_Key = TypeVar("_Key")
_Record = TypeVar("_Record")
_Networks = tuple[tuple[int, int, Mapping[int, tuple[AddressRange, ...]]], ...]


def _index_ranges(ranges: Iterable[AddressRange]) -> _Networks:
    """Return per address family and prefix length, longest first, the ranges of each network's number."""
    by_length: dict[tuple[int, int], dict[int, tuple[AddressRange, ...]]] = {}
    for item in ranges:
        network = item.network
        numbers = by_length.setdefault((network.version, network.prefixlen), {})
        number = int(network.network_address) >> (network.max_prefixlen - network.prefixlen)
        numbers[number] = (*numbers.get(number, ()), item)
    ordered = sorted(by_length.items(), key=lambda row: row[0][1], reverse=True)
    return tuple((family, length, numbers) for (family, length), numbers in ordered)


def _merged(records: Mapping[_Key, _Record], changed: Mapping[_Key, _Record | None]) -> Mapping[_Key, _Record]:
    """Return the records with the changed ones replaced or removed: the same object if nothing changed."""
    if not changed:
        return records
    merged = dict(records)
    for key, record in changed.items():
        if record is None:
            merged.pop(key, None)
        else:
            merged[key] = record
    return merged


@dataclass(frozen=True, slots=True)
class _Index:
    """The hash tables of one version; a change copies only those that it modifies."""

    customers: Mapping[int, Customer]
    customer_names: Mapping[str, Customer]
    domains: Mapping[str, Customer]
    issuers: tuple[Customer, ...]
    profiles: Mapping[int, Profile]
    profile_names: Mapping[tuple[int, str], Profile]
    users: Mapping[int, User]
    addresses: Mapping[str, User]
    phones: PhoneIndex
    credentials: Mapping[str, Credential]
    by_proof: Mapping[str, tuple[Credential, ...]]
    scram_for_all: bool
    networks: _Networks


def _all_have_scram(credentials: Iterable[Credential]) -> bool:
    """Return whether every active password has a verifier of SCRAM, and there is one."""
    found = {bool(item.scram) for item in credentials if item.active and item.kind is CredentialKind.PASSWORD}
    return found == {True}


def _index_proofs(credentials: Iterable[Credential]) -> Mapping[str, tuple[Credential, ...]]:
    """Return what is found by what it shows: a certificate by key digest or by its name, an API key by its digest."""
    found: dict[str, tuple[Credential, ...]] = {}
    for item in credentials:
        for proof in _proofs_of(item):
            found[proof] = (*found.get(proof, ()), item)
    return found


def _proofs_of(item: Credential) -> Iterable[str]:
    if item.kind is CredentialKind.KEY:
        return digests_in(item.verifier)
    if item.kind is CredentialKind.CERTIFICATE:
        kind, _, rest = item.verifier.partition(":")
        return (item.verifier if kind == "spki" else rest.partition(":")[2],)
    return ()


def _name_customers(customers: Mapping[int, Customer]) -> dict[str, Customer]:
    return {canonical_name(item.name): item for item in customers.values()}


def _own_domains(customers: Mapping[int, Customer]) -> dict[str, Customer]:
    return {domain: item for item in customers.values() for domain in item.domains}


def _with_issuer(customers: Mapping[int, Customer]) -> tuple[Customer, ...]:
    return tuple(item for item in customers.values() if item.identity_provider is not None)


def _name_profiles(profiles: Mapping[int, Profile]) -> dict[tuple[int, str], Profile]:
    return {(item.customer_id, canonical_name(item.name)): item for item in profiles.values()}


def _moved_addresses(index: _Index, changed: Mapping[int, User | None]) -> Mapping[str, User]:
    if not changed:
        return index.addresses
    addresses = dict(index.addresses)
    # Remove all old addresses before adding new ones: two users may swap theirs in one change.
    for key in changed:
        before = index.users.get(key)
        if before is not None:
            addresses.pop(before.address, None)
    addresses.update((after.address, after) for after in changed.values() if after is not None)
    return addresses


class Directory:
    """All who may send, as of one `version`. All look-ups are by hash and return None for strangers.

    Names, logins, domains and addresses may be given in any form: they are made canonical here.
    """

    __slots__ = ("_index", "ranges", "version")

    def __init__(  # noqa: PLR0913 - one argument per kind of record
        self,
        *,
        version: int = 0,
        customers: Iterable[Customer] = (),
        profiles: Iterable[Profile] = (),
        users: Iterable[User] = (),
        credentials: Iterable[Credential] = (),
        ranges: Iterable[AddressRange] = (),
    ) -> None:
        self.version = version
        self.ranges = tuple(ranges)
        by_id = {item.key: item for item in customers}
        profiles_by_id = {item.key: item for item in profiles}
        users_by_id = {item.key: item for item in users}
        logins = {item.login: item for item in credentials}
        self._index = _Index(
            customers=by_id,
            customer_names=_name_customers(by_id),
            domains=_own_domains(by_id),
            issuers=_with_issuer(by_id),
            profiles=profiles_by_id,
            profile_names=_name_profiles(profiles_by_id),
            users=users_by_id,
            addresses={item.address: item for item in users_by_id.values()},
            phones=index_phones(users_by_id.values()),
            credentials=logins,
            by_proof=_index_proofs(logins.values()),
            scram_for_all=_all_have_scram(logins.values()),
            networks=_index_ranges(self.ranges),
        )

    def apply(self, change: DirectoryChange) -> "Directory":
        """Return the directory after the change; this one does not change."""
        index = self._index
        customers = _merged(index.customers, change.customers)
        profiles = _merged(index.profiles, change.profiles)
        credentials = _merged(index.credentials, change.credentials)
        following = Directory(version=change.version)
        following.ranges = self.ranges if change.ranges is None else change.ranges
        following._index = _Index(
            customers=customers,
            customer_names=_name_customers(customers) if change.customers else index.customer_names,
            domains=_own_domains(customers) if change.customers else index.domains,
            issuers=_with_issuer(customers) if change.customers else index.issuers,
            profiles=profiles,
            profile_names=_name_profiles(profiles) if change.profiles else index.profile_names,
            users=_merged(index.users, change.users),
            addresses=_moved_addresses(index, change.users),
            phones=moved_phones(index.phones, index.users, change.users),
            credentials=credentials,
            by_proof=_index_proofs(credentials.values()) if change.credentials else index.by_proof,
            scram_for_all=_all_have_scram(credentials.values()) if change.credentials else index.scram_for_all,
            networks=index.networks if change.ranges is None else _index_ranges(change.ranges),
        )
        return following

    def customer(self, customer_id: int) -> Customer | None:
        """Return the customer with this key."""
        return self._index.customers.get(customer_id)

    def customer_named(self, name: str) -> Customer | None:
        """Return the customer of this name, in any case."""
        return self._index.customer_names.get(canonical_name(name))

    def customer_of_domain(self, domain: str) -> Customer | None:
        """Return the customer that owns this sender domain, or the nearest domain above it."""
        found = self._owner_of(domain)
        if found is not None:
            return found
        canonical = canonical_domain(domain)
        return None if canonical is None else self._owner_of(canonical)

    def _owner_of(self, domain: str) -> Customer | None:
        return next(filter(None, map(self._index.domains.get, domains_above(domain))), None)

    def ranges_of_client(self, client: IpAddress) -> tuple[AddressRange, ...]:
        """Return the address ranges with this client, the narrowest first; IPv4 in IPv6 counts as IPv4.

        A range that is not shared is its customer's alone, whatever wider ones there are.
        """
        if isinstance(client, IPv6Address) and client.ipv4_mapped is not None:
            client = client.ipv4_mapped
        number, bits = int(client), client.max_prefixlen
        found: tuple[AddressRange, ...] = ()
        for family, length, numbers in self._index.networks:
            if family == client.version:
                found += numbers.get(number >> (bits - length), ())
                if found and not found[-1].shared:
                    break
        return found

    def profile(self, profile_id: int) -> Profile | None:
        """Return the profile with this key."""
        return self._index.profiles.get(profile_id)

    def profile_named(self, customer_id: int, name: str) -> Profile | None:
        """Return the customer's profile of this name, in any case."""
        return self._index.profile_names.get((customer_id, canonical_name(name)))

    def profile_in_force(self, customer_id: int, user: User | None) -> Profile | None:
        """Return the profile in force: the user's own, else the customer's default."""
        profile_id = user.profile_id if user is not None else None
        if profile_id is None:
            customer = self._index.customers.get(customer_id)
            profile_id = customer.default_profile_id if customer is not None else None
        return None if profile_id is None else self._index.profiles.get(profile_id)

    def user(self, address: str) -> User | None:
        """Return the user with this mail address."""
        found = self._index.addresses.get(address)
        if found is not None:
            return found
        canonical = canonical_address(address)
        return None if canonical is None else self._index.addresses.get(canonical)

    def name_of_phone(self, customer_id: int, phone: str) -> str:
        """Return the name of the customer's user with this phone (digits), empty where there is none, or several."""
        keys = self._index.phones.get(customer_id, {}).get(phone, ())
        return common_name(self._index.users[key].name for key in keys)

    def user_with_id(self, user_id: int) -> User | None:
        """Return the user with this key."""
        return self._index.users.get(user_id)

    def credential(self, login: str) -> Credential | None:
        """Return the credential of this login."""
        return self._index.credentials.get(login) or self._index.credentials.get(canonical_login(login))

    @property
    def issuers(self) -> tuple[Customer, ...]:
        """The customers whose own issuer makes tokens that are logins."""
        return self._index.issuers

    @property
    def scram_for_all(self) -> bool:
        """Whether every active password can be proven by SCRAM."""
        return self._index.scram_for_all

    def certificates(self, key: str) -> tuple[Credential, ...]:
        """Return the client certificates that are bound to a key's digest (`spki:…`) or to a name in lower case."""
        return self._index.by_proof.get(key, ())

    def api_key(self, digest: str) -> Credential | None:
        """Return the API key of a digest (`sha256:…`)."""
        return next(iter(self._index.by_proof.get(digest, ())), None)

    def customers(self) -> tuple[Customer, ...]:
        """Return all customers by name; for listings, not for the hot path."""
        return tuple(sorted(self._index.customers.values(), key=lambda item: canonical_name(item.name)))

    def profiles(self, customer_id: int | None = None) -> tuple[Profile, ...]:
        """Return all profiles, or one customer's, by name; for listings."""
        chosen = (item for item in self._index.profiles.values() if customer_id in (None, item.customer_id))
        return tuple(sorted(chosen, key=lambda item: (item.customer_id, canonical_name(item.name))))

    def users(self, customer_id: int | None = None) -> tuple[User, ...]:
        """Return all users, or one customer's, by address; for listings."""
        chosen = (item for item in self._index.users.values() if customer_id in (None, item.customer_id))
        return tuple(sorted(chosen, key=lambda item: item.address))

    def credentials(self, customer_id: int | None = None) -> tuple[Credential, ...]:
        """Return all credentials, or one customer's, by login; for listings."""
        chosen = (item for item in self._index.credentials.values() if customer_id in (None, item.customer_id))
        return tuple(sorted(chosen, key=lambda item: item.login))
