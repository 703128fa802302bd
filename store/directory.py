"""Reads who may send and how: the whole directory, or only what changed since a version.

A process keeps the `Directory` and `Layers` it loaded and calls `refresh` when the version has moved. Not here: changes
(directory_changes), which value wins (addressbook.hierarchy).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_network
from itertools import groupby
from operator import attrgetter
from typing import TypeVar

import structlog
from msgspec import Struct

from addressbook.hierarchy import Cell, Constraints, Layer, LayerKey, LayerKind, Layers, LayersChange
from addressbook.options import Option
from addressbook.people import (
    AddressRange,
    Credential,
    CredentialKind,
    Customer,
    Directory,
    DirectoryChange,
    Profile,
    User,
    canonical_name,
)
from addressbook.phones import common_name
from sms.settings import FIELDS, UNSET, SettingProblem, parse_setting
from store.engine.database import Transaction
from store.engine.rows import query
from store.versions import IN_FORCE

log = structlog.get_logger()

K = TypeVar("K")
V = TypeVar("V")

LOG_REACH = 1_000
"""So many versions back a directory can be brought up to date by what changed; an older one is read whole."""
MOST_READ = 10_000
"""Where more users changed, everybody is read."""


class _Customer(Struct, frozen=True, array_like=True):
    key: int
    name: str
    default_profile_key: int | None
    active: bool
    options: str | None
    stop_listed: bool
    admin_address: str


class _Domain(Struct, frozen=True, array_like=True):
    customer_key: int
    domain: str


class _Profile(Struct, frozen=True, array_like=True):
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


class _Credential(Struct, frozen=True, array_like=True):
    login: str
    customer_key: int
    kind: CredentialKind
    verifier: str
    user_key: int | None
    active: bool


class _Range(Struct, frozen=True, array_like=True):
    network: str
    customer_key: int


class CellRecord(Struct, frozen=True, array_like=True):
    """What is read of a cell."""

    scope: LayerKind
    owner_key: int
    service: str
    field: str
    value: str
    origin: str


class _Constraint(Struct, frozen=True, array_like=True):
    owner_key: int
    locked: str
    sender_ids: str | None
    max_parts: int | None
    express: bool
    flash: bool
    countries: str | None


class _Touched(Struct, frozen=True, array_like=True):
    kind: str
    target: int
    name: str


_CUSTOMERS = query(_Customer, "FROM customer")
_DOMAINS = query(_Domain, "FROM customer_domain")
_DOMAINS_OF = _DOMAINS + " WHERE customer_key IN (??)"
_PROFILES = query(_Profile, "FROM profile")
USERS = query(UserRecord, "FROM mail_user WHERE ", key="user_key", missing="missing_at IS NOT NULL")
CELLS = query(CellRecord, "FROM setting WHERE ")
_USERS = USERS + IN_FORCE
_CREDENTIALS = query(_Credential, "FROM credential")
_RANGES = query(_Range, "FROM address_range ORDER BY network")
_CELLS = CELLS + IN_FORCE
_CONSTRAINTS = query(_Constraint, "FROM constraint_set")
_TOUCHED = query(_Touched, "FROM directory_change WHERE version > ?")
_USERS_OF_RUN = (
    "SELECT user_key FROM mail_user WHERE since_run = ?"
    " UNION SELECT user_key FROM mail_user WHERE until_run = ? LIMIT ?"
)


def read_version(tx: Transaction) -> int:
    """Return the directory's version: 0 before the first change."""
    return int(tx.value("SELECT value FROM meta WHERE name = 'directory_version'") or 0)


def load_directory(tx: Transaction) -> tuple[Directory, Layers]:
    """Return everybody and all layers as of the present version."""
    version = read_version(tx)
    directory = Directory(
        version=version,
        customers=_customers(tx.select(_Customer, _CUSTOMERS), tx.select(_Domain, _DOMAINS)),
        profiles=map(_profile, tx.select(_Profile, _PROFILES)),
        users=map(user_of, tx.each(UserRecord, _USERS)),
        credentials=map(_credential, tx.select(_Credential, _CREDENTIALS)),
        ranges=_ranges(tx),
    )
    layers = Layers(
        version=version,
        layers=layers_of(tx.each(CellRecord, _CELLS), _owner_names(directory)),
        constraints=_constraints_by_owner(tx.select(_Constraint, _CONSTRAINTS), directory),
    )
    return directory, layers


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitedRun:
    """What a run of a directory changes once it is in force, read before (store.awaited_runs): None for who ends."""

    key: int = 0
    users: Mapping[int, User | None] = field(default_factory=dict)
    layers: Mapping[LayerKey, Layer | None] = field(default_factory=dict)


NOTHING_AWAITED = AwaitedRun()


def refresh(
    tx: Transaction, directory: Directory, layers: Layers, awaited: AwaitedRun = NOTHING_AWAITED
) -> tuple[Directory, Layers]:
    """Return the directory and layers as of the present version: the same objects where nothing moved.

    What a run changed that was awaited need not be read.
    """
    version = read_version(tx)
    if version == directory.version:
        return directory, layers
    changes = None
    if 0 <= version - directory.version <= LOG_REACH:
        touched = _touched(tx, directory.version, awaited)
        whole = "all" in touched or len(touched["user"]) > MOST_READ
        changes = None if whole else _read_changes(tx, touched, directory, layers, awaited)
    if changes is None:
        return load_directory(tx)
    people, layers_change = changes
    return directory.apply(people), layers.apply(layers_change)


def _touched(tx: Transaction, since: int, awaited: AwaitedRun) -> Mapping[str, set[tuple[int, str]]]:
    touched: dict[str, set[tuple[int, str]]] = defaultdict(set)
    for row in tx.select(_Touched, _TOUCHED, (since,)):
        touched[row.kind].add((row.target, row.name))
    for run in {run for run, _ in touched["run"]} - {awaited.key}:
        touched["user"].update((key, "") for (key,) in tx.rows(_USERS_OF_RUN, (run, run, MOST_READ + 1)))
    return touched


def _read_changes(
    tx: Transaction,
    touched: Mapping[str, set[tuple[int, str]]],
    directory: Directory,
    layers: Layers,
    awaited: AwaitedRun,
) -> tuple[DirectoryChange, LayersChange]:
    version = read_version(tx)
    known = awaited if (awaited.key, "") in touched.get("run", ()) else NOTHING_AWAITED
    keys = {kind: {target for target, _ in records} for kind, records in touched.items()}
    customer_keys, profile_keys = keys.get("customer", set()), keys.get("profile", set())
    user_keys, logins = keys.get("user", set()), {name for _, name in touched.get("credential", ())}
    customers = _customers(
        tx.select_in(_Customer, _CUSTOMERS + " WHERE key IN (??)", customer_keys),
        tx.select_in(_Domain, _DOMAINS_OF, customer_keys),
    )
    profiles = map(_profile, tx.select_in(_Profile, _PROFILES + " WHERE key IN (??)", profile_keys))
    users = map(user_of, tx.select_in(UserRecord, _USERS + " AND user_key IN (??)", user_keys))
    credentials = map(_credential, tx.select_in(_Credential, _CREDENTIALS + " WHERE login IN (??)", logins))
    people = DirectoryChange(
        version=version,
        customers=_with_gone(customer_keys, {item.id: item for item in customers}),
        profiles=_with_gone(profile_keys, {item.id: item for item in profiles}),
        users={**known.users, **_with_gone(user_keys, {item.id: item for item in users})},
        credentials=_with_gone(logins, {item.login: item for item in credentials}),
        ranges=_ranges(tx) if "range" in touched else None,
    )
    following = directory.apply(people)
    layer_keys = {LayerKey(LayerKind(name), target) for target, name in touched.get("layer", ())}
    services = {(target, name) for target, name in touched.get("service", ())}
    layer_keys |= {LayerKey(LayerKind.SERVICE, target, name) for target, name in services}
    layer_keys |= {LayerKey(kind, key) for key in user_keys for kind in (LayerKind.USER, LayerKind.PINNED)}
    # What is pinned is no change of the run, but is called by the user's address.
    layer_keys |= {pins for key in known.users if layers.layer(pins := LayerKey(LayerKind.PINNED, key)) is not None}
    owners = {key.owner_id for key in layer_keys}
    stored = layers_of(tx.select_in(CellRecord, _CELLS + " AND owner_key IN (??)", owners), _owner_names(following))
    rule_owners = keys.get("constraint", set())
    rules = _constraints_by_owner(
        tx.select_in(_Constraint, _CONSTRAINTS + " WHERE owner_key IN (??)", rule_owners), following
    )
    return people, LayersChange(
        version=version,
        layers={**known.layers, **{key: stored.get(key) for key in layer_keys}},
        constraints={owner: rules.get(owner) for owner in rule_owners},
    )


def _with_gone(touched: Iterable[K], found: Mapping[K, V]) -> dict[K, V | None]:
    """Return every touched key with its record, None where there is none any more."""
    return {key: found.get(key) for key in touched}


def _customers(rows: Iterable[_Customer], domain_rows: Iterable[_Domain]) -> list[Customer]:
    domains: dict[int, list[str]] = defaultdict(list)
    for row in domain_rows:
        domains[row.customer_key].append(row.domain)
    return [
        Customer(
            id=row.key,
            name=row.name,
            domains=tuple(sorted(domains.get(row.key, ()))),
            default_profile_id=row.default_profile_key,
            active=row.active,
            options=_options(row.options),
            stop_listed=row.stop_listed,
            admin_address=row.admin_address,
        )
        for row in rows
    ]


def _options(text: str | None) -> frozenset[Option] | None:
    """Return stored options; one that this version of the program does not know is left out, and the log names it."""
    words = _words(text)
    if words is None:
        return None
    unknown = words - set(Option)
    if unknown:
        log.warning("stored_options_unknown", options=sorted(unknown))
    return frozenset(Option(word) for word in words - unknown)


def _profile(row: _Profile) -> Profile:
    return Profile(id=row.key, customer_id=row.customer_key, name=row.name)


def user_of(row: UserRecord) -> User:
    """Return a user from its record."""
    return User(
        id=row.key,
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


def _credential(row: _Credential) -> Credential:
    return Credential(
        login=row.login,
        customer_id=row.customer_key,
        kind=row.kind,
        verifier=row.verifier,
        user_id=row.user_key,
        active=row.active,
    )


def _ranges(tx: Transaction) -> tuple[AddressRange, ...]:
    return tuple(
        AddressRange(network=ip_network(row.network), customer_id=row.customer_key)
        for row in tx.select(_Range, _RANGES)
    )


def _constraints_by_owner(rows: Iterable[_Constraint], directory: Directory) -> dict[int, Constraints]:
    return {row.owner_key: _constraints(row, _customer_name(directory, row.owner_key)) for row in rows}


def _customer_name(directory: Directory, customer_id: int) -> str:
    customer = directory.customer(customer_id)
    return customer.name if customer is not None else ""


def _owner_names(directory: Directory) -> Callable[[LayerKey], str]:
    """Return how a layer's owner is called in explanations."""

    def name(key: LayerKey) -> str:
        if key.kind is LayerKind.PROFILE:
            profile = directory.profile(key.owner_id)
            return profile.name if profile is not None else ""
        if key.kind in (LayerKind.USER, LayerKind.PINNED):
            user = directory.user_with_id(key.owner_id)
            return user.address if user is not None else ""
        owner = _customer_name(directory, key.owner_id)
        return f"{owner}, {key.service}" if key.kind is LayerKind.SERVICE else owner

    return name


def layers_of(rows: Iterable[CellRecord], owner_of: Callable[[LayerKey], str]) -> dict[LayerKey, Layer]:
    """Return layers from the records of their cells; `owner_of` says how each is called in explanations."""
    read = lru_cache(maxsize=10_000)(_cell)  # of a directory's users very many have the same
    cells: dict[LayerKey, dict[str, Cell]] = {}
    for (scope, owner, service), of_layer in groupby(rows, attrgetter("scope", "owner_key", "service")):
        layer = cells.setdefault(LayerKey(scope, owner, service), {})
        for row in of_layer:
            cell = read(row.field, row.value, row.origin)
            if cell is not None:
                layer[row.field] = cell
    return {key: Layer(kind=key.kind, owner=owner_of(key), cells=found) for key, found in cells.items() if found}


def _cell(name: str, text: str, origin: str) -> Cell | None:
    """Return a stored cell; None for what this version of the program does not know, which the log names."""
    if name not in FIELDS:
        log.warning("stored_setting_unknown", field=name)
        return None
    value = parse_setting(name, text)
    if isinstance(value, SettingProblem):
        log.warning("stored_setting_invalid", field=name, expected=value.expected)
        return None
    return None if value is UNSET else Cell(value, origin)


def _words(text: str | None) -> frozenset[str] | None:
    return None if text is None else frozenset(word for word in text.split(",") if word)


def _constraints(row: _Constraint, owner: str) -> Constraints:
    return Constraints(
        kind=LayerKind.CUSTOMER if row.owner_key else LayerKind.SYSTEM,
        owner=owner,
        locked=_words(row.locked) or frozenset(),
        sender_ids=_words(row.sender_ids),
        max_parts=row.max_parts,
        express=row.express,
        flash=row.flash,
        countries=_words(row.countries),
    )


def read_constraints(tx: Transaction, owner_key: int, owner: str) -> Constraints:
    """Return the stored constraints of the system (key 0) or a customer; free ones where none are stored."""
    rows = tx.select(_Constraint, _CONSTRAINTS + " WHERE owner_key = ?", (owner_key,))
    return _constraints(next(iter(rows), _free(owner_key)), owner)


def _free(owner_key: int) -> _Constraint:
    return _Constraint(
        owner_key=owner_key, locked="", sender_ids=None, max_parts=None, express=True, flash=True, countries=None
    )


def find_customer(tx: Transaction, name: str) -> Customer | None:
    """Return the customer of this name."""
    return _find_customer(tx, "canonical = ?", canonical_name(name))


def find_customer_by_key(tx: Transaction, key: int) -> Customer | None:
    """Return the customer with this key."""
    return _find_customer(tx, "key = ?", key)


def _find_customer(tx: Transaction, condition: str, value: str | int) -> Customer | None:
    rows = tx.select(_Customer, f"{_CUSTOMERS} WHERE {condition}", (value,))
    return next(iter(_customers(rows, tx.select_in(_Domain, _DOMAINS_OF, [row.key for row in rows]))), None)


def find_range_owner(tx: Transaction, network: str) -> Customer | None:
    """Return the customer that has exactly this address range, in CIDR form."""
    return _find_customer(tx, "key = (SELECT customer_key FROM address_range WHERE network = ?)", network)


def find_profile(tx: Transaction, customer_key: int, name: str) -> Profile | None:
    """Return the customer's profile of this name."""
    found = _PROFILES + " WHERE customer_key = ? AND canonical = ?"
    return next(map(_profile, tx.select(_Profile, found, (customer_key, canonical_name(name)))), None)


def profiles_of(tx: Transaction, customer_key: int) -> list[Profile]:
    """Return a customer's profiles by name."""
    found = _PROFILES + " WHERE customer_key = ? ORDER BY canonical"
    return [_profile(row) for row in tx.select(_Profile, found, (customer_key,))]


def find_user(tx: Transaction, address: str) -> User | None:
    """Return the user with this canonical address."""
    return next(map(user_of, tx.select(UserRecord, _USERS + " AND address = ?", (address,))), None)


def find_users(tx: Transaction, addresses: Iterable[str]) -> dict[str, User]:
    """Return the users, of any customer, that have these canonical addresses."""
    return {row.address: user_of(row) for row in tx.select_in(UserRecord, _USERS + " AND address IN (??)", addresses)}


def names_of_users(tx: Transaction, customer_key: int, phones: Iterable[str]) -> dict[str, str]:
    """Return the names of a customer's users by their phones (digits), as far as one phone has one name."""
    found = f"SELECT phone, name FROM mail_user WHERE phone IN (??) AND customer_key = ? AND {IN_FORCE}"  # noqa: S608 - a condition of ours
    names: dict[str, list[str]] = {}
    for phone, name in tx.rows_in(found, phones, (customer_key,)):
        names.setdefault(phone, []).append(name)
    return {phone: name for phone, of_phone in names.items() if (name := common_name(of_phone))}


def users_of(tx: Transaction, customer_key: int) -> list[User]:
    """Return a customer's users by address."""
    found = _USERS + " AND customer_key = ? ORDER BY address"
    return [user_of(row) for row in tx.select(UserRecord, found, (customer_key,))]


def count_users(tx: Transaction, *, customer_key: int = 0, profile_key: int = 0) -> int:
    """Return how many users a customer or a profile has."""
    column, key = ("profile_key", profile_key) if profile_key else ("customer_key", customer_key)
    return int(tx.value(f"SELECT COUNT(*) FROM mail_user WHERE {IN_FORCE} AND {column} = ?", (key,)))  # noqa: S608 - one of two


def find_credential(tx: Transaction, login: str) -> Credential | None:
    """Return the credential of this canonical login."""
    found = tx.select(_Credential, _CREDENTIALS + " WHERE login = ?", (login,))
    return next(map(_credential, found), None)


def all_customers(tx: Transaction) -> list[Customer]:
    """Return all customers by name."""
    return _customers(tx.select(_Customer, _CUSTOMERS + " ORDER BY canonical"), tx.select(_Domain, _DOMAINS))


def ranges_of(tx: Transaction, customer_key: int) -> list[str]:
    """Return a customer's address ranges in CIDR form."""
    rows = tx.rows("SELECT network FROM address_range WHERE customer_key = ? ORDER BY network", (customer_key,))
    return [network for (network,) in rows]


def logins_of(tx: Transaction, customer_key: int) -> list[Credential]:
    """Return the credentials of a customer and its users by login."""
    found = _CREDENTIALS + " WHERE customer_key = ? ORDER BY login"
    return [_credential(row) for row in tx.select(_Credential, found, (customer_key,))]
