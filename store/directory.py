"""Reads who may send and how: the whole directory, or only what changed since a version.

A process keeps the `Directory` and `Layers` it loaded and calls `refresh` when the version has moved. Not here: changes
(directory_changes), which value wins (addressbook.hierarchy).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from ipaddress import ip_network
from typing import TypeVar

import structlog

from addressbook.hierarchy import Cell, Constraints, Layer, LayerKey, LayerKind, Layers, LayersChange
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
from sms.settings import FIELDS, UNSET, SettingProblem, parse_setting
from store.engine.database import Row, Transaction

log = structlog.get_logger()

K = TypeVar("K")
V = TypeVar("V")

LOG_REACH = 1_000
"""So many versions back a directory can be brought up to date by what changed; an older one is read whole."""

_CUSTOMERS = "SELECT key, name, default_profile_key, active FROM customer"
_DOMAINS = "SELECT customer_key, domain FROM customer_domain"
_PROFILES = "SELECT key, customer_key, name FROM profile"
_PEOPLE = "SELECT key, customer_key, address, profile_key, name, active FROM mail_user"
_CREDENTIALS = "SELECT login, customer_key, kind, verifier, user_key, active FROM credential"
_RANGES = "SELECT network, customer_key FROM address_range"
_SETTINGS = "SELECT scope, owner_key, service, field, value, origin FROM setting"
_CONSTRAINTS = "SELECT owner_key, locked, sender_ids, max_parts, express, flash, countries FROM constraint_set"


def read_version(tx: Transaction) -> int:
    """Return the directory's version: 0 before the first change."""
    rows = tx.rows("SELECT value FROM meta WHERE name = 'directory_version'")
    return int(rows[0][0]) if rows else 0


def load_directory(tx: Transaction) -> tuple[Directory, Layers]:
    """Return everybody and all layers as of the present version."""
    version = read_version(tx)
    directory = Directory(
        version=version,
        customers=_customers(tx.rows(_CUSTOMERS), tx.rows(_DOMAINS + " ORDER BY domain")),
        profiles=map(_profile, tx.rows(_PROFILES)),
        users=map(_user, tx.rows(_PEOPLE)),
        credentials=map(_credential, tx.rows(_CREDENTIALS)),
        ranges=_ranges(tx),
    )
    layers = Layers(
        version=version,
        layers=_layers(tx.rows(_SETTINGS), _owner_names(directory)),
        constraints={row[0]: _constraints(row, _customer_name(directory, row[0])) for row in tx.rows(_CONSTRAINTS)},
    )
    return directory, layers


def refresh(tx: Transaction, directory: Directory, layers: Layers) -> tuple[Directory, Layers]:
    """Return the directory and layers as of the present version: the same objects where nothing moved."""
    version = read_version(tx)
    if version == directory.version:
        return directory, layers
    changes = None
    if 0 <= version - directory.version <= LOG_REACH:
        touched = _touched(tx, directory.version)
        changes = None if "all" in touched else _read_changes(tx, version, touched, directory)
    if changes is None:
        return load_directory(tx)
    people, layers_change = changes
    return directory.apply(people), layers.apply(layers_change)


def _touched(tx: Transaction, since: int) -> Mapping[str, set[tuple[int, str]]]:
    touched: dict[str, set[tuple[int, str]]] = defaultdict(set)
    for kind, target, name in tx.rows(
        "SELECT DISTINCT kind, target, name FROM directory_change WHERE version > ?", (since,)
    ):
        touched[kind].add((target, name))
    return touched


def _read_changes(
    tx: Transaction, version: int, touched: Mapping[str, set[tuple[int, str]]], directory: Directory
) -> tuple[DirectoryChange, LayersChange]:
    keys = {kind: {target for target, _ in records} for kind, records in touched.items()}
    customer_keys, profile_keys = keys.get("customer", set()), keys.get("profile", set())
    user_keys, logins = keys.get("user", set()), {name for _, name in touched.get("credential", ())}
    customers = _customers(
        tx.rows_in(_CUSTOMERS + " WHERE key IN (??)", customer_keys),
        sorted(tx.rows_in(_DOMAINS + " WHERE customer_key IN (??)", customer_keys)),
    )
    profiles = map(_profile, tx.rows_in(_PROFILES + " WHERE key IN (??)", profile_keys))
    users = map(_user, tx.rows_in(_PEOPLE + " WHERE key IN (??)", user_keys))
    credentials = map(_credential, tx.rows_in(_CREDENTIALS + " WHERE login IN (??)", logins))
    people = DirectoryChange(
        version=version,
        customers=_with_gone(customer_keys, {item.id: item for item in customers}),
        profiles=_with_gone(profile_keys, {item.id: item for item in profiles}),
        users=_with_gone(user_keys, {item.id: item for item in users}),
        credentials=_with_gone(logins, {item.login: item for item in credentials}),
        ranges=_ranges(tx) if "range" in touched else None,
    )
    following = directory.apply(people)
    layer_keys = {LayerKey(LayerKind(name), target) for target, name in touched.get("layer", ())}
    services = {(target, name) for target, name in touched.get("service", ())}
    layer_keys |= {LayerKey(LayerKind.SERVICE, target, name) for target, name in services}
    owners = {key.owner_id for key in layer_keys}
    stored = _layers(tx.rows_in(_SETTINGS + " WHERE owner_key IN (??)", owners), _owner_names(following))
    rule_owners = keys.get("constraint", set())
    rules = {
        row[0]: _constraints(row, _customer_name(following, row[0]))
        for row in tx.rows_in(_CONSTRAINTS + " WHERE owner_key IN (??)", rule_owners)
    }
    return people, LayersChange(
        version=version,
        layers={key: stored.get(key) for key in layer_keys},
        constraints={owner: rules.get(owner) for owner in rule_owners},
    )


def _with_gone(touched: Iterable[K], found: Mapping[K, V]) -> dict[K, V | None]:
    """Return every touched key with its record, None where there is none any more."""
    return {key: found.get(key) for key in touched}


def _customers(rows: Iterable[Row], domain_rows: Iterable[Row]) -> list[Customer]:
    domains: dict[int, list[str]] = defaultdict(list)
    for customer_key, domain in domain_rows:
        domains[customer_key].append(domain)
    return [
        Customer(
            id=key, name=name, domains=tuple(domains.get(key, ())), default_profile_id=profile, active=bool(active)
        )
        for key, name, profile, active in rows
    ]


def _profile(row: Row) -> Profile:
    return Profile(id=row[0], customer_id=row[1], name=row[2])


def _user(row: Row) -> User:
    key, customer, address, profile, name, active = row
    return User(id=key, customer_id=customer, address=address, profile_id=profile, name=name, active=bool(active))


def _credential(row: Row) -> Credential:
    login, customer, kind, verifier, user, active = row
    return Credential(
        login=login,
        customer_id=customer,
        kind=CredentialKind(kind),
        verifier=verifier,
        user_id=user,
        active=bool(active),
    )


def _ranges(tx: Transaction) -> tuple[AddressRange, ...]:
    return tuple(
        AddressRange(network=ip_network(network), customer_id=customer)
        for network, customer in tx.rows(_RANGES + " ORDER BY network")
    )


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


def _layers(rows: Iterable[Row], owner_of: Callable[[LayerKey], str]) -> dict[LayerKey, Layer]:
    parse = lru_cache(maxsize=10_000)(_parse_cell)
    cells: dict[LayerKey, dict[str, Cell]] = {}
    last: tuple[object, ...] = ()
    row_cells: dict[str, Cell] = {}
    for scope, owner, service, name, text, origin in rows:
        if last != (scope, owner, service):
            last = (scope, owner, service)
            row_cells = cells.setdefault(LayerKey(LayerKind(scope), owner, service), {})
        value = parse(name, text)
        if value is not UNSET:
            row_cells[name] = Cell(value, origin)
    return {key: Layer(kind=key.kind, owner=owner_of(key), cells=found) for key, found in cells.items() if found}


def _parse_cell(name: str, text: str) -> object:
    """Return a stored value; UNSET for what this version of the program does not know, which the log names."""
    if name not in FIELDS:
        log.warning("stored_setting_unknown", field=name)
        return UNSET
    value = parse_setting(name, text)
    if isinstance(value, SettingProblem):
        log.warning("stored_setting_invalid", field=name, expected=value.expected)
        return UNSET
    return value


def _words(text: str | None) -> frozenset[str] | None:
    return None if text is None else frozenset(word for word in text.split(",") if word)


def _constraints(row: Row, owner: str) -> Constraints:
    key, locked, sender_ids, max_parts, express, flash, countries = row
    return Constraints(
        kind=LayerKind.CUSTOMER if key else LayerKind.SYSTEM,
        owner=owner,
        locked=_words(locked) or frozenset(),
        sender_ids=_words(sender_ids),
        max_parts=max_parts,
        express=bool(express),
        flash=bool(flash),
        countries=_words(countries),
    )


def read_constraints(tx: Transaction, owner_key: int, owner: str) -> Constraints:
    """Return the stored constraints of the system (key 0) or a customer; free ones where none are stored."""
    rows = tx.rows(_CONSTRAINTS + " WHERE owner_key = ?", (owner_key,))
    return _constraints(rows[0], owner) if rows else _constraints((owner_key, "", None, None, True, True, None), owner)


def find_customer(tx: Transaction, name: str) -> Customer | None:
    """Return the customer of this name."""
    rows = tx.rows(_CUSTOMERS + " WHERE canonical = ?", (canonical_name(name),))
    return _one_customer(tx, rows)


def find_customer_by_key(tx: Transaction, key: int) -> Customer | None:
    """Return the customer with this key."""
    return _one_customer(tx, tx.rows(_CUSTOMERS + " WHERE key = ?", (key,)))


def _one_customer(tx: Transaction, rows: list[Row]) -> Customer | None:
    if not rows:
        return None
    return _customers(rows, tx.rows(_DOMAINS + " WHERE customer_key = ? ORDER BY domain", (rows[0][0],)))[0]


def find_domain_owner(tx: Transaction, domain: str) -> Customer | None:
    """Return the customer that has this canonical domain."""
    rows = tx.rows("SELECT customer_key FROM customer_domain WHERE domain = ?", (domain,))
    return find_customer_by_key(tx, rows[0][0]) if rows else None


def count_strangers(tx: Transaction, domain: str, customer_key: int) -> int:
    """Return how many users of other customers have an address in this canonical domain."""
    pattern = "%@" + domain.replace("_", "!_")
    rows = tx.rows(
        "SELECT COUNT(*) FROM mail_user WHERE address LIKE ? ESCAPE '!' AND customer_key <> ?", (pattern, customer_key)
    )
    return int(rows[0][0])


def find_range_owner(tx: Transaction, network: str) -> Customer | None:
    """Return the customer that has exactly this address range, in CIDR form."""
    rows = tx.rows("SELECT customer_key FROM address_range WHERE network = ?", (network,))
    return find_customer_by_key(tx, rows[0][0]) if rows else None


def find_profile(tx: Transaction, customer_key: int, name: str) -> Profile | None:
    """Return the customer's profile of this name."""
    rows = tx.rows(_PROFILES + " WHERE customer_key = ? AND canonical = ?", (customer_key, canonical_name(name)))
    return _profile(rows[0]) if rows else None


def profiles_of(tx: Transaction, customer_key: int) -> list[Profile]:
    """Return a customer's profiles by name."""
    return [_profile(row) for row in tx.rows(_PROFILES + " WHERE customer_key = ? ORDER BY canonical", (customer_key,))]


def find_user(tx: Transaction, address: str) -> User | None:
    """Return the user with this canonical address."""
    rows = tx.rows(_PEOPLE + " WHERE address = ?", (address,))
    return _user(rows[0]) if rows else None


def find_users(tx: Transaction, addresses: Iterable[str]) -> dict[str, User]:
    """Return the users, of any customer, that have these canonical addresses."""
    return {row[2]: _user(row) for row in tx.rows_in(_PEOPLE + " WHERE address IN (??)", addresses)}


def users_of(tx: Transaction, customer_key: int) -> list[User]:
    """Return a customer's users by address."""
    return [_user(row) for row in tx.rows(_PEOPLE + " WHERE customer_key = ? ORDER BY address", (customer_key,))]


def count_users(tx: Transaction, *, customer_key: int = 0, profile_key: int = 0) -> int:
    """Return how many users a customer or a profile has."""
    column, key = ("profile_key", profile_key) if profile_key else ("customer_key", customer_key)
    return int(tx.rows(f"SELECT COUNT(*) FROM mail_user WHERE {column} = ?", (key,))[0][0])  # noqa: S608 - one of two


def find_credential(tx: Transaction, login: str) -> Credential | None:
    """Return the credential of this canonical login."""
    rows = tx.rows(_CREDENTIALS + " WHERE login = ?", (login,))
    return _credential(rows[0]) if rows else None


def all_customers(tx: Transaction) -> list[Customer]:
    """Return all customers by name."""
    return _customers(tx.rows(_CUSTOMERS + " ORDER BY canonical"), tx.rows(_DOMAINS + " ORDER BY domain"))


def ranges_of(tx: Transaction, customer_key: int) -> list[str]:
    """Return a customer's address ranges in CIDR form."""
    rows = tx.rows("SELECT network FROM address_range WHERE customer_key = ? ORDER BY network", (customer_key,))
    return [network for (network,) in rows]


def logins_of(tx: Transaction, customer_key: int) -> list[Credential]:
    """Return the credentials of a customer and its users by login."""
    return [
        _credential(row) for row in tx.rows(_CREDENTIALS + " WHERE customer_key = ? ORDER BY login", (customer_key,))
    ]
