"""Reads who may send and how: the whole directory, or only what changed since a version.

A process keeps the `Directory` and `Layers` it loaded and calls `refresh` when the version has moved. Not here: changes
(directory_changes), which value wins (addressbook.hierarchy).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import Final, TypeVar

from msgspec import Struct

from addressbook.hierarchy import Cell, Constraints, Layer, LayerKey, LayerKind, Layers, LayersChange
from addressbook.people import (
    Directory,
    DirectoryChange,
    User,
)
from sms.settings import FIELDS, UNSET, SettingProblem, parse_setting
from store.directory_records import (
    CELLS_IN_FORCE,
    CONSTRAINTS,
    CREDENTIALS,
    CUSTOMERS,
    DOMAINS,
    DOMAINS_OF,
    PROFILES,
    USERS_IN_FORCE,
    CellRecord,
    ConstraintRecord,
    CredentialRecord,
    CustomerRecord,
    DomainRecord,
    ProfileRecord,
    UserRecord,
    constraints_of,
    credential_of,
    customers_of,
    load_ranges,
    profile_of,
    user_of,
)
from store.engine.database import Transaction
from store.engine.log import log
from store.engine.rows import query
from store.meta import read_meta
from store.suspensions import suspensions_in_force

K = TypeVar("K")
V = TypeVar("V")

LOG_REACH = 1_000
"""So many versions back a directory can be brought up to date by what changed; an older one is read whole."""
MOST_READ = 10_000
"""Where more users changed, everybody is read."""


class _Touched(Struct, frozen=True, array_like=True):
    kind: str
    target: int
    name: str


_TOUCHED = query(_Touched, "FROM directory_change WHERE version > ?")
_USERS_OF_RUN = (
    "SELECT user_key FROM mail_user WHERE since_run = ?"
    " UNION SELECT user_key FROM mail_user WHERE until_run = ? LIMIT ?"
)

VERSION: Final = "directory_version"
"""The name of what grows with each change of the address book; who changes it has it locked."""


def read_version(tx: Transaction) -> int:
    """Return the directory's version: 0 before the first change."""
    return int(read_meta(tx, VERSION) or 0)


def load_directory(tx: Transaction) -> tuple[Directory, Layers]:
    """Return everybody and all layers as of the present version."""
    version = read_version(tx)
    directory = Directory(
        version=version,
        customers=customers_of(
            tx.select(CustomerRecord, CUSTOMERS), tx.select(DomainRecord, DOMAINS), suspensions_in_force(tx)
        ),
        profiles=map(profile_of, tx.select(ProfileRecord, PROFILES)),
        users=map(user_of, tx.each(UserRecord, USERS_IN_FORCE)),
        credentials=map(credential_of, tx.select(CredentialRecord, CREDENTIALS)),
        ranges=load_ranges(tx),
    )
    layers = Layers(
        version=version,
        layers=layers_of(tx.each(CellRecord, CELLS_IN_FORCE), _owner_names(directory)),
        constraints=_constraints_by_owner(tx.select(ConstraintRecord, CONSTRAINTS), directory),
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
    customers = customers_of(
        tx.select_in(CustomerRecord, CUSTOMERS + " WHERE key IN (??)", customer_keys),
        tx.select_in(DomainRecord, DOMAINS_OF, customer_keys),
        suspensions_in_force(tx) if customer_keys else {},
    )
    profiles = map(profile_of, tx.select_in(ProfileRecord, PROFILES + " WHERE key IN (??)", profile_keys))
    users = map(user_of, tx.select_in(UserRecord, USERS_IN_FORCE + " AND user_key IN (??)", user_keys))
    credentials = map(credential_of, tx.select_in(CredentialRecord, CREDENTIALS + " WHERE login IN (??)", logins))
    people = DirectoryChange(
        version=version,
        customers=_with_gone(customer_keys, {item.key: item for item in customers}),
        profiles=_with_gone(profile_keys, {item.key: item for item in profiles}),
        users={**known.users, **_with_gone(user_keys, {item.key: item for item in users})},
        credentials=_with_gone(logins, {item.login: item for item in credentials}),
        ranges=load_ranges(tx) if "range" in touched else None,
    )
    following = directory.apply(people)
    layer_keys = {LayerKey(LayerKind(name), target) for target, name in touched.get("layer", ())}
    services = {(target, name) for target, name in touched.get("service", ())}
    layer_keys |= {LayerKey(LayerKind.SERVICE, target, name) for target, name in services}
    layer_keys |= {LayerKey(kind, key) for key in user_keys for kind in (LayerKind.USER, LayerKind.PINNED)}
    # What is pinned is no change of the run, but is called by the user's address.
    layer_keys |= {pins for key in known.users if layers.layer(pins := LayerKey(LayerKind.PINNED, key)) is not None}
    owners = {key.owner_id for key in layer_keys}
    stored = layers_of(
        tx.select_in(CellRecord, CELLS_IN_FORCE + " AND owner_key IN (??)", owners), _owner_names(following)
    )
    rule_owners = keys.get("constraint", set())
    rules = _constraints_by_owner(
        tx.select_in(ConstraintRecord, CONSTRAINTS + " WHERE owner_key IN (??)", rule_owners), following
    )
    return people, LayersChange(
        version=version,
        layers={**known.layers, **{key: stored.get(key) for key in layer_keys}},
        constraints={owner: rules.get(owner) for owner in rule_owners},
    )


def _with_gone(touched: Iterable[K], found: Mapping[K, V]) -> dict[K, V | None]:
    """Return every touched key with its record, None where there is none any more."""
    return {key: found.get(key) for key in touched}


def _constraints_by_owner(rows: Iterable[ConstraintRecord], directory: Directory) -> dict[int, Constraints]:
    return {row.owner_key: constraints_of(row, *_constrained(directory, row.owner_key)) for row in rows}


def _constrained(directory: Directory, owner: int) -> tuple[LayerKind, str]:
    """Return whose constraints these are, and how it is called."""
    if not owner:
        return LayerKind.SYSTEM, ""
    if (profile := directory.profile(owner)) is not None:
        return LayerKind.PROFILE, profile.name
    if (user := directory.user_with_id(owner)) is not None:
        return LayerKind.USER, user.address
    return LayerKind.CUSTOMER, _customer_name(directory, owner)


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
