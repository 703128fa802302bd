"""Accounts of the portal with their roles at customers. Not here: sessions and links (portal_sessions)."""

from collections import defaultdict
from collections.abc import Sequence

from msgspec import Struct

from addressbook.accounts import Account, AccountState, Membership
from addressbook.rights import Role
from store.engine.database import Transaction
from store.engine.keys import to_instant_if_set
from store.engine.rows import query
from store.engine.statements import Insert
from store.portal_tables import PortalAccountRow, PortalMembershipRow

_ACCOUNTS = Insert(PortalAccountRow)
_MEMBERSHIPS = Insert(PortalMembershipRow, replace=True)


class _AccountRecord(Struct, frozen=True, array_like=True):
    key: int
    address: str
    name: str
    language: str
    zone: str
    state: AccountState
    verifier: str
    totp_secret: str
    signed_in_at: int | None


_BY_ADDRESS = query(_AccountRecord, "FROM portal_account WHERE address = ?")
_BY_KEY = query(_AccountRecord, "FROM portal_account WHERE key = ?")
_ALL = query(_AccountRecord, "FROM portal_account ORDER BY address")
_OF_CUSTOMER = query(
    _AccountRecord,
    "FROM portal_account WHERE key IN (SELECT account_key FROM portal_membership WHERE customer_key = ?)"
    " ORDER BY address",
)


def find_account(tx: Transaction, address: str) -> Account | None:
    """Return the account of a canonical address."""
    return next(iter(_with_memberships(tx, tx.select(_AccountRecord, _BY_ADDRESS, (address,)))), None)


def find_account_by_key(tx: Transaction, key: int) -> Account | None:
    """Return the account of a key."""
    return next(iter(_with_memberships(tx, tx.select(_AccountRecord, _BY_KEY, (key,)))), None)


def accounts_of(tx: Transaction, customer_key: int | None = None) -> list[Account]:
    """Return the accounts that have a role at a customer (0: the operator's), or all of them, by address."""
    if customer_key is None:
        return _with_memberships(tx, tx.select(_AccountRecord, _ALL))
    return _with_memberships(tx, tx.select(_AccountRecord, _OF_CUSTOMER, (customer_key,)))


def find_verifier(tx: Transaction, address: str) -> str:
    """Return what proves the password of an active account, empty where nothing does."""
    found = tx.value(
        "SELECT verifier FROM portal_account WHERE address = ? AND state = ?", (address, AccountState.ACTIVE.value)
    )
    return str(found or "")


def add_account(tx: Transaction, key: int, address: str, name: str, at: int) -> None:
    """Store a new account that is invited."""
    row = _ACCOUNTS.row(key=key, address=address, name=name, state=AccountState.INVITED.value, created_at=at)
    tx.insert(_ACCOUNTS, [row])


def put_membership(tx: Transaction, account_key: int, customer_key: int, role: Role) -> None:
    """Store the role of an account at a customer (0: the operator's)."""
    row = _MEMBERSHIPS.row(account_key=account_key, customer_key=customer_key, role=role.value)
    tx.insert(_MEMBERSHIPS, [row])


def remove_membership(tx: Transaction, account_key: int, customer_key: int) -> None:
    """Take an account's role at a customer away."""
    tx.execute("DELETE FROM portal_membership WHERE account_key = ? AND customer_key = ?", (account_key, customer_key))


def put_password(tx: Transaction, account_key: int, verifier: str) -> None:
    """Store what proves an account's password, which makes an invited account active."""
    tx.execute(
        "UPDATE portal_account SET verifier = ?, state = CASE state WHEN 'invited' THEN 'active' ELSE state END"
        " WHERE key = ?",
        (verifier, account_key),
    )


class AccountSecrets(Struct, frozen=True, array_like=True):
    """What proves somebody: a password's verifier, the secret of an authenticator, digests of recovery codes."""

    verifier: str
    totp_secret: str
    recovery: str


_SECRETS = query(AccountSecrets, "FROM portal_account WHERE key = ?")
_NO_SECRETS = AccountSecrets("", "", "")


def find_secrets(tx: Transaction, account_key: int) -> AccountSecrets:
    """Return what proves an account."""
    return next(iter(tx.select(AccountSecrets, _SECRETS, (account_key,))), _NO_SECRETS)


def put_authenticator(tx: Transaction, account_key: int, secret: str, recovery: str, step: int) -> None:
    """Store an account's authenticator with the digests of its recovery codes (empty: it has none).

    Codes of the time step `step` and of those before prove nothing.
    """
    tx.execute(
        "UPDATE portal_account SET totp_secret = ?, recovery = ?, totp_step = ? WHERE key = ?",
        (secret, recovery, step, account_key),
    )


def take_step(tx: Transaction, account_key: int, step: int) -> bool:
    """Mark the time step of a code as used; return whether neither it nor a later one was."""
    taken = "UPDATE portal_account SET totp_step = ? WHERE key = ? AND totp_step < ?"
    return tx.execute(taken, (step, account_key, step)) > 0


def take_recovery(tx: Transaction, account_key: int, before: str, after: str) -> bool:
    """Replace the digests of recovery codes, where they are still those of before; return whether they were."""
    taken = "UPDATE portal_account SET recovery = ? WHERE key = ? AND recovery = ?"
    return tx.execute(taken, (after, account_key, before)) > 0


def put_person(tx: Transaction, account_key: int, name: str, language: str, zone: str) -> None:
    """Store how somebody is called, in which language and in which zone pages are."""
    tx.execute(
        "UPDATE portal_account SET name = ?, language = ?, zone = ? WHERE key = ?", (name, language, zone, account_key)
    )


def put_state(tx: Transaction, account_key: int, state: AccountState) -> None:
    """Store whether an account may sign in."""
    tx.execute("UPDATE portal_account SET state = ? WHERE key = ?", (state.value, account_key))


def remove_account(tx: Transaction, account_key: int) -> None:
    """Delete an account with all that is its own."""
    for table in ("portal_membership", "portal_session", "portal_link"):
        tx.execute(f"DELETE FROM {table} WHERE account_key = ?", (account_key,))  # noqa: S608 - names of ours
    tx.execute("DELETE FROM portal_account WHERE key = ?", (account_key,))


def asks_for_authenticator(tx: Transaction, account_key: int) -> bool:
    """Return whether a customer at which the account has a role asks for an authenticator."""
    return bool(
        tx.value(
            "SELECT COUNT(*) FROM portal_rule WHERE totp_required AND customer_key IN"
            " (SELECT customer_key FROM portal_membership WHERE account_key = ?)",
            (account_key,),
        )
    )


def put_totp_rule(tx: Transaction, customer_key: int, *, required: bool) -> None:
    """Store whether a customer (0: the operator) asks its accounts for an authenticator."""
    tx.execute(
        "INSERT INTO portal_rule (customer_key, totp_required, oidc_client, oidc_secret, oidc_role)"
        " VALUES (?, ?, '', '', '') ON CONFLICT (customer_key) DO UPDATE SET totp_required = excluded.totp_required",
        (customer_key, required),
    )


class PortalClient(Struct, frozen=True, array_like=True):
    """What the portal is at a customer's identity provider: its name and secret there, and the role of newcomers.

    Without a role nobody gets an account by signing in.
    """

    name: str
    secret: str
    role: str


def find_portal_client(tx: Transaction, customer_key: int) -> PortalClient | None:
    """Return what the portal is at a customer's identity provider, None where nobody signs in there."""
    found = tx.rows(
        "SELECT oidc_client, oidc_secret, oidc_role FROM portal_rule WHERE customer_key = ? AND oidc_client <> ''",
        (customer_key,),
    )
    return next((PortalClient(*map(str, row)) for row in found), None)


def customers_with_portal_client(tx: Transaction) -> set[int]:
    """Return the customers whose accounts may sign in at their identity provider."""
    return {int(key) for (key,) in tx.rows("SELECT customer_key FROM portal_rule WHERE oidc_client <> ''")}


def put_portal_client(tx: Transaction, customer_key: int, client: PortalClient) -> None:
    """Store what the portal is at a customer's identity provider; without a name nobody signs in there."""
    tx.execute(
        "INSERT INTO portal_rule (customer_key, totp_required, oidc_client, oidc_secret, oidc_role)"
        " VALUES (?, ?, ?, ?, ?) ON CONFLICT (customer_key) DO UPDATE SET oidc_client = excluded.oidc_client,"
        " oidc_secret = excluded.oidc_secret, oidc_role = excluded.oidc_role",
        (customer_key, False, client.name, client.secret, client.role),
    )


def _with_memberships(tx: Transaction, found: Sequence[_AccountRecord]) -> list[Account]:
    memberships: defaultdict[int, list[Membership]] = defaultdict(list)
    rows = tx.rows_in(
        "SELECT account_key, customer_key, role FROM portal_membership WHERE account_key IN (??)",
        [record.key for record in found],
    )
    for account_key, customer_key, role in rows:
        memberships[account_key].append(Membership(customer_key=customer_key, role=Role(role)))
    return [
        Account(
            key=record.key,
            address=record.address,
            name=record.name,
            language=record.language,
            zone=record.zone,
            state=record.state,
            memberships=tuple(memberships[record.key]),
            has_password=bool(record.verifier),
            has_totp=bool(record.totp_secret),
            signed_in_at=to_instant_if_set(record.signed_in_at),
        )
        for record in found
    ]
