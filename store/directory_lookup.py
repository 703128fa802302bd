"""Looks up who may send and how, one by one or of one customer, for administration.

Not here: the hot path, which asks the directory that a process has in memory (directory).
"""

from collections.abc import Iterable

from addressbook.canonical import canonical_name
from addressbook.hierarchy import Constraints, LayerKind
from addressbook.people import AddressRange, Credential, Customer, IpNetwork, Profile, User
from addressbook.phones import common_name
from store.directory_records import (
    CONSTRAINTS,
    CREDENTIALS,
    CUSTOMERS,
    DOMAINS,
    DOMAINS_OF,
    PROFILES,
    USERS_IN_FORCE,
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
from store.suspensions import suspensions_in_force
from store.versions import IN_FORCE


def read_constraints(tx: Transaction, owner_key: int, owner: str, kind: LayerKind | None = None) -> Constraints:
    """Return the stored constraints of an owner; free ones where none are stored. Key 0 is the system."""
    rows = tx.select(ConstraintRecord, CONSTRAINTS + " WHERE owner_key = ?", (owner_key,))
    kind = kind or (LayerKind.CUSTOMER if owner_key else LayerKind.SYSTEM)
    return constraints_of(next(iter(rows), _free(owner_key)), kind, owner)


def _free(owner_key: int) -> ConstraintRecord:
    return ConstraintRecord(
        owner_key=owner_key,
        locked="",
        sender_ids=None,
        max_parts=None,
        express=True,
        flash=True,
        countries=None,
        number_types=None,
        usage="",
    )


def find_customer(tx: Transaction, name: str) -> Customer | None:
    """Return the customer of this name."""
    return _find_customer(tx, "canonical = ?", canonical_name(name))


def find_customer_by_key(tx: Transaction, key: int) -> Customer | None:
    """Return the customer with this key."""
    return _find_customer(tx, "key = ?", key)


def _find_customer(tx: Transaction, condition: str, value: str | int) -> Customer | None:
    rows = tx.select(CustomerRecord, f"{CUSTOMERS} WHERE {condition}", (value,))
    domains = tx.select_in(DomainRecord, DOMAINS_OF, [row.key for row in rows])
    return next(iter(customers_of(rows, domains, suspensions_in_force(tx))), None)


def find_credential_by_verifier(tx: Transaction, verifier: str) -> Credential | None:
    """Return the credential that just this proves."""
    found = tx.select(CredentialRecord, CREDENTIALS + " WHERE verifier = ?", (verifier,))
    return next(map(credential_of, found), None)


def ranges_at(tx: Transaction, network: IpNetwork) -> list[AddressRange]:
    """Return what customers have of exactly this network: one of them, or several that share it."""
    return [item for item in load_ranges(tx) if item.network == network]


def find_profile(tx: Transaction, customer_key: int, name: str) -> Profile | None:
    """Return the customer's profile of this name."""
    found = PROFILES + " WHERE customer_key = ? AND canonical = ?"
    return next(map(profile_of, tx.select(ProfileRecord, found, (customer_key, canonical_name(name)))), None)


def profiles_of(tx: Transaction, customer_key: int) -> list[Profile]:
    """Return a customer's profiles by name."""
    found = PROFILES + " WHERE customer_key = ? ORDER BY canonical"
    return [profile_of(row) for row in tx.select(ProfileRecord, found, (customer_key,))]


def find_user(tx: Transaction, address: str) -> User | None:
    """Return the user with this canonical address."""
    return next(map(user_of, tx.select(UserRecord, USERS_IN_FORCE + " AND address = ?", (address,))), None)


def find_user_by_key(tx: Transaction, key: int) -> User | None:
    """Return the user with this key."""
    return next(map(user_of, tx.select(UserRecord, USERS_IN_FORCE + " AND user_key = ?", (key,))), None)


def find_users(tx: Transaction, addresses: Iterable[str]) -> dict[str, User]:
    """Return the users, of any customer, that have these canonical addresses."""
    return {
        row.address: user_of(row)
        for row in tx.select_in(UserRecord, USERS_IN_FORCE + " AND address IN (??)", addresses)
    }


def names_of_users(tx: Transaction, customer_key: int, phones: Iterable[str]) -> dict[str, str]:
    """Return the names of a customer's users by their phones (digits), as far as one phone has one name."""
    found = f"SELECT phone, name FROM mail_user WHERE phone IN (??) AND customer_key = ? AND {IN_FORCE}"  # noqa: S608 - a condition of ours
    names: dict[str, list[str]] = {}
    for phone, name in tx.rows_in(found, phones, (customer_key,)):
        names.setdefault(phone, []).append(name)
    return {phone: name for phone, of_phone in names.items() if (name := common_name(of_phone))}


def users_of(tx: Transaction, customer_key: int) -> list[User]:
    """Return a customer's users by address."""
    found = USERS_IN_FORCE + " AND customer_key = ? ORDER BY address"
    return [user_of(row) for row in tx.select(UserRecord, found, (customer_key,))]


def users_after(tx: Transaction, customer_key: int, after: str, limit: int) -> list[User]:
    """Return a customer's users behind an address, by address."""
    found = USERS_IN_FORCE + " AND customer_key = ? AND address > ? ORDER BY address LIMIT ?"
    return [user_of(row) for row in tx.select(UserRecord, found, (customer_key, after, limit))]


def count_users(tx: Transaction, *, customer_key: int = 0, profile_key: int = 0) -> int:
    """Return how many users a customer or a profile has."""
    column, key = ("profile_key", profile_key) if profile_key else ("customer_key", customer_key)
    return int(tx.value(f"SELECT COUNT(*) FROM mail_user WHERE {IN_FORCE} AND {column} = ?", (key,)))  # noqa: S608 - one of two


def find_credential(tx: Transaction, login: str) -> Credential | None:
    """Return the credential of this canonical login."""
    found = tx.select(CredentialRecord, CREDENTIALS + " WHERE login = ?", (login,))
    return next(map(credential_of, found), None)


def all_customers(tx: Transaction) -> list[Customer]:
    """Return all customers by name."""
    rows, domains = tx.select(CustomerRecord, CUSTOMERS + " ORDER BY canonical"), tx.select(DomainRecord, DOMAINS)
    return customers_of(rows, domains, suspensions_in_force(tx))


def ranges_of(tx: Transaction, customer_key: int) -> list[AddressRange]:
    """Return a customer's address ranges by network."""
    return [item for item in load_ranges(tx) if item.customer_id == customer_key]


def logins_of(tx: Transaction, customer_key: int) -> list[Credential]:
    """Return the credentials of a customer and its users by login."""
    found = CREDENTIALS + " WHERE customer_key = ? ORDER BY login"
    return [credential_of(row) for row in tx.select(CredentialRecord, found, (customer_key,))]
