"""Writes who may send and how: each change with what it touched, the new version and the audit in one transaction.

A `DirectoryChanges` lives for one call inside one transaction. Its methods write at once and remember what they touch;
`finish` makes the new version. Whether a change is allowed is decided by gateway; the tables keep names, addresses,
logins, domains and networks unique. Not here: reading for the hot path (directory).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from msgspec import Struct

from addressbook.canonical import canonical_name
from addressbook.hierarchy import Constraints, LayerKey, LayerKind
from addressbook.people import AddressRange, Credential, User
from addressbook.proof import IdentityProvider, ProofKind
from store.audit import AuditLine, write_audit
from store.directory import LOG_REACH, VERSION, read_version
from store.directory_tables import (
    AddressRangeRow,
    ConstraintRow,
    CredentialRow,
    CustomerDomainRow,
    CustomerRow,
    DirectoryChangeRow,
    ProfileRow,
    SettingRow,
    UserRow,
)
from store.engine.database import StorageError, Transaction
from store.engine.keys import Keys, to_stored
from store.engine.rows import query
from store.engine.statements import Insert, Update
from store.lists import remove_list
from store.meta import lock_meta, put_meta
from store.usage import forget_usage
from store.versions import IN_FORCE, end_runs_that_give, end_runs_that_replace, find_owners

_CELLS = Insert(SettingRow)
_CONSTRAINTS = Insert(ConstraintRow)
_CREDENTIALS = Insert(CredentialRow)
_CUSTOMERS = Insert(CustomerRow)
_DOMAINS = Insert(CustomerDomainRow)
_PROFILES = Insert(ProfileRow)
_RANGES = Insert(AddressRangeRow)
_TOUCHED = Insert(DirectoryChangeRow)
_USERS = Insert(UserRow)
_SET_CUSTOMER = Update(CustomerRow, "active", "default_profile_key")
_SET_USERS = Update(UserRow, "profile_key", "name", "phone", "active")
_OWN_TABLES = (
    *("credential", "address_range", "customer_domain", "domain_claim", "directory", "directory_run"),
    *("mail_template", "template_version", "mail_graphic", "push_key", "suspension", "portal_draft"),
    *("declaration_request", "support_request", "support_post", "registration", "registration_paper", "download"),
)
_INBOUND_TABLES = ("number_share", "keyword", "inbound_action", "conversation", "stop_entry")
_DISOWN_NUMBERS = "UPDATE own_number SET state = 'blocked', customer_key = NULL WHERE customer_key = ?"
_LISTS_OF = "SELECT key FROM distribution_list WHERE customer_key = ?"
_VERSIONS = f"SELECT user_key, key FROM mail_user WHERE {IN_FORCE} AND user_key IN (??)"  # noqa: S608 - ours
_RELEASE_USER = (
    "UPDATE mail_user SET source = 'manual', directory_key = NULL, anchor = '', unseen_at = NULL, missing_at = NULL,"
    " active = active AND NOT disabled AND missing_at IS NULL, disabled = ? WHERE user_key = ?"
)
MOST_TOUCHED = 5_000
"""A change that touches more records is logged as one entry, and readers load everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellToStore:
    """One cell of a layer: `text` is what `parse_setting` reads back, None takes the cell away."""

    key: LayerKey
    field: str
    text: str | None
    origin: str


class StoredCell(Struct, frozen=True, array_like=True):
    """One cell as stored, with who set it and when (microseconds)."""

    field: str
    text: str
    origin: str
    set_at: int
    set_by: str


class AddressTakenError(StorageError):
    """A user's address is another user's."""


class DirectoryChanges:
    """The changes of one call by `who` at `now` (microseconds)."""

    def __init__(self, tx: Transaction, keys: Keys, who: str, now: int) -> None:
        self._tx = tx
        self._keys = keys
        self._who = who
        self._now = now
        self._touched: set[tuple[str, int, str]] = set()
        # Changes come one after the other, so what one checked is still true when it writes.
        lock_meta(tx, VERSION)

    def finish(self) -> int:
        """Return the version that the changes make, or the present one where nothing was touched."""
        version = read_version(self._tx)
        if not self._touched:
            return version
        version += 1
        put_meta(self._tx, VERSION, str(version))
        touched = sorted(self._touched) if len(self._touched) <= MOST_TOUCHED else [("all", 0, "")]
        self._tx.insert(
            _TOUCHED,
            [
                _TOUCHED.row(key=self._keys.take(), version=version, kind=kind, target=target, name=name)
                for kind, target, name in touched
            ],
        )
        self._tx.execute("DELETE FROM directory_change WHERE version < ?", (version - LOG_REACH,))
        return version

    def new_key(self) -> int:
        """Return a key for a record of another file's table."""
        return self._keys.take()

    def touch_inbound(self) -> None:
        """Say that numbers, actions or keywords are different."""
        self._touch("inbound", 0)

    def touch_registrations(self) -> None:
        """Say that other sender IDs are registered."""
        self._touch("registration", 0)

    def touch_run(self, key: int) -> None:
        """Say that a run of a directory is in force: what it touched are the users of whom it has versions."""
        self._touch("run", key)

    def touch_customer(self, key: int) -> None:
        """Say that a customer is different, in a table of another file."""
        self._touch("customer", key)

    def touch_list(self, key: int) -> None:
        """Say that a distribution list is different: what was resolved with the version before is stale."""
        self._touch("list", key)

    def audit(self, *lines: AuditLine) -> None:
        """Record what was done to whom."""
        write_audit(self._tx, self._keys, self._who, self._now, lines)

    def add_customer(self, name: str) -> int:
        """Store a new customer and return its key."""
        key = self._keys.take()
        self._tx.insert(_CUSTOMERS, [_CUSTOMERS.row(key=key, name=name, canonical=canonical_name(name))])
        self._touch("customer", key)
        return key

    def set_customer(self, key: int, *, active: bool, default_profile: int | None) -> None:
        """Store whether a customer may send, and its default profile."""
        self._tx.update(_SET_CUSTOMER, [_SET_CUSTOMER.row(active=active, default_profile_key=default_profile, key=key)])
        self._touch("customer", key)

    def set_admin_address(self, key: int, address: str) -> None:
        """Store who is told what concerns a customer; empty: whom the operator's file names."""
        self._tx.execute("UPDATE customer SET admin_address = ? WHERE key = ?", (address, key))
        self._touch("customer", key)

    def set_tls_required(self, key: int, *, required: bool) -> None:
        """Store whether no mail of a customer is taken in clear."""
        self._tx.execute("UPDATE customer SET tls_required = ? WHERE key = ?", (required, key))
        self._touch("customer", key)

    def set_proofs(self, key: int, kinds: Iterable[ProofKind] | None) -> None:
        """Store which proofs a customer takes; None for all."""
        text = None if kinds is None else ",".join(sorted(kinds))
        self._tx.execute("UPDATE customer SET proofs = ? WHERE key = ?", (text, key))
        self._touch("customer", key)

    def set_identity_provider(self, key: int, provider: IdentityProvider | None) -> None:
        """Store whose tokens are a customer's logins; None for nobody's."""
        words = ("", "", "") if provider is None else (provider.issuer, provider.audience, provider.claim)
        self._tx.execute(
            "UPDATE customer SET oidc_issuer = ?, oidc_audience = ?, oidc_claim = ? WHERE key = ?", (*words, key)
        )
        self._touch("customer", key)

    def set_options(self, key: int, options: Iterable[str]) -> None:
        """Store what a customer has contracted."""
        self._tx.execute("UPDATE customer SET options = ? WHERE key = ?", (",".join(sorted(options)), key))
        self._touch("customer", key)

    def set_arc_sealers(self, key: int, domains: Iterable[str]) -> None:
        """Store whose seals a customer trusts."""
        self._tx.execute("UPDATE customer SET arc_sealers = ? WHERE key = ?", (",".join(sorted(domains)), key))
        self._touch("customer", key)

    def say_stop_listed(self, key: int) -> None:
        """Store that a customer has had an entry of a stop list."""
        self._tx.execute("UPDATE customer SET stop_listed = ? WHERE key = ?", (True, key))
        self._touch("customer", key)

    def remove_customer(self, key: int) -> None:
        """Delete a customer with everything that is its own; its past jobs and what came for it stay.

        A number that was its alone is nobody's and blocked.
        """
        self._tx.execute(
            "DELETE FROM setting WHERE owner_key = ? OR owner_key IN (SELECT key FROM profile WHERE customer_key = ?)"
            " OR owner_key IN (SELECT user_key FROM mail_user WHERE customer_key = ?)",
            (key, key, key),
        )
        owned = [
            *self._tx.rows("SELECT key FROM profile WHERE customer_key = ?", (key,)),
            *self._tx.rows("SELECT DISTINCT user_key FROM mail_user WHERE customer_key = ?", (key,)),
        ]
        self._forget_constraints([key, *(owner for (owner,) in owned)])
        for list_key in [found for (found,) in self._tx.rows(_LISTS_OF, (key,))]:
            remove_list(self._tx, list_key)
        self._tx.execute(_DISOWN_NUMBERS, (key,))
        for table in (*_OWN_TABLES, *_INBOUND_TABLES, "mail_user", "profile"):
            self._tx.execute(f"DELETE FROM {table} WHERE customer_key = ?", (key,))  # noqa: S608 - names of ours
        self._tx.execute("DELETE FROM customer WHERE key = ?", (key,))
        self._touch("all", 0)

    def add_domain(self, customer_key: int, domain: str) -> None:
        """Store a canonical sender domain of a customer."""
        self._tx.insert(_DOMAINS, [_DOMAINS.row(domain=domain, customer_key=customer_key)])
        self._touch("customer", customer_key)

    def remove_domain(self, customer_key: int, domain: str) -> bool:
        """Delete a domain; False if the customer does not have it."""
        self._touch("customer", customer_key)
        return (
            self._tx.execute(
                "DELETE FROM customer_domain WHERE customer_key = ? AND domain = ?", (customer_key, domain)
            )
            > 0
        )

    def add_range(self, item: AddressRange) -> None:
        """Store an address range."""
        row = _RANGES.row(
            network=str(item.network),
            customer_key=item.customer_id,
            shared=item.shared,
            tls_required=item.tls_required,
            service=item.service or "",
            profile_key=item.profile_id,
        )
        self._tx.insert(_RANGES, [row])
        self._touch("range", item.customer_id)

    def remove_range(self, customer_key: int, network: str) -> bool:
        """Delete an address range; False if the customer does not have it."""
        self._touch("range", customer_key)
        return (
            self._tx.execute(
                "DELETE FROM address_range WHERE customer_key = ? AND network = ?", (customer_key, network)
            )
            > 0
        )

    def add_profile(self, customer_key: int, name: str) -> int:
        """Store a new profile and return its key."""
        key = self._keys.take()
        row = _PROFILES.row(key=key, customer_key=customer_key, name=name, canonical=canonical_name(name))
        self._tx.insert(_PROFILES, [row])
        self._touch("profile", key)
        return key

    def remove_profile(self, key: int) -> None:
        """Delete a profile that no user has."""
        end_runs_that_give(self._tx, key)
        self._forget_constraints([key])
        self._tx.execute("DELETE FROM setting WHERE owner_key = ?", (key,))
        self._tx.execute("DELETE FROM mail_template WHERE profile_key = ?", (key,))
        self._tx.execute("DELETE FROM template_version WHERE profile_key = ?", (key,))
        self._tx.execute("DELETE FROM profile WHERE key = ?", (key,))
        self._touch("profile", key)
        self._touch("layer", key, LayerKind.PROFILE)

    def add_users(self, users: Sequence[User], source: str) -> dict[str, int]:
        """Store new users, whatever their `id` says, and return their keys by address; `source` is manual or file.

        Raises AddressTakenError for an address that a user has, or will have by an open run.
        """
        taken = find_owners(self._tx, [user.address for user in users])
        if taken or len({user.address for user in users}) < len(users):
            raise AddressTakenError(f"{len(taken)} of these addresses have users")
        keys = {user.address: self._keys.take() for user in users}
        self._tx.insert(
            _USERS,
            [
                _USERS.row(
                    key=self._keys.take(),
                    user_key=keys[user.address],
                    customer_key=user.customer_id,
                    profile_key=user.profile_id,
                    address=user.address,
                    name=user.name,
                    phone=user.phone,
                    active=user.active,
                    source=source,
                )
                for user in users
            ],
        )
        self._touch_all("user", keys.values())
        return keys

    def set_users(self, users: Sequence[User]) -> None:
        """Store name, phone, profile and activity of users that exist."""
        end_runs_that_replace(self._tx, (user.key for user in users))
        versions: dict[int, int] = dict(self._tx.rows_in(_VERSIONS, [user.key for user in users]))
        self._tx.update(
            _SET_USERS,
            [
                _SET_USERS.row(
                    profile_key=user.profile_id,
                    name=user.name,
                    phone=user.phone,
                    active=user.active,
                    key=versions[user.key],
                )
                for user in users
            ],
        )
        self._touch_all("user", (user.key for user in users))

    def release_user(self, key: int) -> None:
        """Leave a user of a directory to administrators; who could not send goes on not to."""
        self._tx.execute(_RELEASE_USER, (False, key))
        self._touch("user", key)

    def remove_user(self, key: int) -> None:
        """Delete a user with its settings and logins."""
        end_runs_that_replace(self._tx, [key])
        self._forget_constraints([key])
        for (login,) in self._tx.rows("SELECT login FROM credential WHERE user_key = ?", (key,)):
            self._touch("credential", 0, login)
        self._tx.execute("DELETE FROM credential WHERE user_key = ?", (key,))
        self._tx.execute("DELETE FROM setting WHERE owner_key = ?", (key,))
        self._tx.execute("DELETE FROM push_key WHERE owner_key = ?", (key,))
        self._tx.execute("DELETE FROM mail_user WHERE user_key = ?", (key,))
        self._touch("user", key)

    def put_credential(self, credential: Credential) -> None:
        """Store a login, in place of what the same login proved itself with before."""
        self._tx.execute("DELETE FROM credential WHERE login = ?", (credential.login,))
        row = _CREDENTIALS.row(
            key=self._keys.take(),
            login=credential.login,
            customer_key=credential.customer_id,
            user_key=credential.user_id,
            kind=credential.kind.value,
            verifier=credential.verifier,
            active=credential.active,
            scram=credential.scram,
            service=credential.service or "",
            profile_key=credential.profile_id,
            scopes=" ".join(sorted(credential.scopes)),
            expires_at=to_stored(credential.expires_at) if credential.expires_at is not None else None,
            sandbox=credential.sandbox,
        )
        self._tx.insert(_CREDENTIALS, [row])
        self._touch("credential", 0, credential.login)

    def remove_credential(self, login: str) -> bool:
        """Delete a login; False if there is none."""
        self._touch("credential", 0, login)
        return self._tx.execute("DELETE FROM credential WHERE login = ?", (login,)) > 0

    def put_cells(self, cells: Sequence[CellToStore], *, of_new_owners: bool = False) -> None:
        """Store cells of any layers, each in place of the one before; the owners made in this call have none before."""
        end_runs_that_replace(self._tx, (cell.key.owner_id for cell in cells if cell.key.kind is LayerKind.USER))
        if not of_new_owners:
            self._tx.execute_many(
                "DELETE FROM setting WHERE owner_key = ? AND scope = ? AND service = ? AND field = ?",
                [(cell.key.owner_id, cell.key.kind.value, cell.key.service, cell.field) for cell in cells],
            )
        self._tx.insert(
            _CELLS,
            [
                _CELLS.row(
                    key=self._keys.take(),
                    scope=cell.key.kind.value,
                    owner_key=cell.key.owner_id,
                    service=cell.key.service,
                    field=cell.field,
                    value=cell.text,
                    origin=cell.origin,
                    set_at=self._now,
                    set_by=self._who,
                )
                for cell in cells
                if cell.text is not None
            ],
        )
        for key in {cell.key for cell in cells}:
            if key.kind is LayerKind.SERVICE:
                self._touch("service", key.owner_id, key.service)
            else:
                self._touch("layer", key.owner_id, key.kind.value)

    def put_constraints(self, owner_key: int, rules: Constraints) -> None:
        """Store the constraints of the system (key 0), a customer, a profile or a user."""
        self._tx.execute("DELETE FROM constraint_set WHERE owner_key = ?", (owner_key,))
        row = _CONSTRAINTS.row(
            owner_key=owner_key,
            locked=_joined(rules.locked),
            sender_ids=_joined(rules.sender_ids),
            max_parts=rules.max_parts,
            express=rules.express,
            flash=rules.flash,
            countries=_joined(rules.countries),
            number_types=_joined(rules.number_types),
            usage=",".join(f"{limit.name}={limit.most}" for limit in rules.usage),
        )
        self._tx.insert(_CONSTRAINTS, [row])
        self._touch("constraint", owner_key)

    def _forget_constraints(self, owners: Sequence[int]) -> None:
        """Delete what owners that are removed allowed, and what they used."""
        limited = self._tx.rows_in("SELECT owner_key FROM constraint_set WHERE owner_key IN (??)", owners)
        for (owner,) in limited:
            self._tx.execute("DELETE FROM constraint_set WHERE owner_key = ?", (owner,))
            forget_usage(self._tx, owner)
            self._touch("constraint", owner)

    def _touch(self, kind: str, target: int, name: str = "") -> None:
        self._touched.add((kind, target, name))

    def _touch_all(self, kind: str, targets: Iterable[int]) -> None:
        self._touched.update((kind, target, "") for target in targets)


def _joined(words: Iterable[str] | None) -> str | None:
    return None if words is None else ",".join(sorted(words))


class _UserCell(Struct, frozen=True, array_like=True):
    owner_key: int
    field: str
    value: str


_CELLS_OF = query(
    StoredCell,
    f"FROM setting WHERE {IN_FORCE} AND owner_key = ? AND scope = ? AND service = ? ORDER BY field",
    text="value",
)
_CELLS_OF_USERS = query(
    _UserCell,
    f"FROM setting WHERE {IN_FORCE} AND scope = ? AND owner_key IN (SELECT user_key FROM mail_user"  # noqa: S608 - ours
    " WHERE customer_key = ?)",
)


def read_cells(tx: Transaction, key: LayerKey) -> list[StoredCell]:
    """Return the cells of one layer by field."""
    return tx.select(StoredCell, _CELLS_OF, (key.owner_id, key.kind.value, key.service))


def read_cells_of(tx: Transaction, customer_key: int, kind: LayerKind) -> dict[int, dict[str, str]]:
    """Return the cells of all users of a customer in one layer (USER or PINNED): user → field → text."""
    cells: dict[int, dict[str, str]] = {}
    for cell in tx.select(_UserCell, _CELLS_OF_USERS, (kind.value, customer_key)):
        cells.setdefault(cell.owner_key, {})[cell.field] = cell.value
    return cells
