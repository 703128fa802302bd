"""Writes who may send and how: each change with what it touched, the new version and the audit in one transaction.

A `DirectoryChanges` lives for one call inside one transaction. Its methods write at once and remember what they touch;
`finish` makes the new version. Whether a change is allowed is decided by gateway; the tables keep names, addresses,
logins, domains and networks unique. Not here: reading for the hot path (directory).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from addressbook.hierarchy import Constraints, LayerKey, LayerKind
from addressbook.people import Credential, User, canonical_name
from store.directory import LOG_REACH, read_version
from store.engine.database import Transaction
from store.engine.keys import Keys
from store.lists import remove_list

_OWN_TABLES = ("credential", "address_range", "customer_domain", "mail_template", "mail_graphic", "push_key")
_LISTS_OF = "SELECT key FROM distribution_list WHERE customer_key = ?"
MOST_TOUCHED = 5_000
"""A change that touches more records is logged as one entry, and readers load everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellToStore:
    """One cell of a layer: `text` is what `parse_setting` reads back, None takes the cell away."""

    key: LayerKey
    field: str
    text: str | None
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCell:
    """One cell as stored, with who set it and when (microseconds)."""

    field: str
    text: str
    origin: str
    set_at: int
    set_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One line of the audit; `at` is in microseconds."""

    at: int
    who: str
    action: str
    target: str
    detail: str


class DirectoryChanges:
    """The changes of one call by `who` at `now` (microseconds)."""

    def __init__(self, tx: Transaction, keys: Keys, who: str, now: int) -> None:
        self._tx = tx
        self._keys = keys
        self._who = who
        self._now = now
        self._touched: set[tuple[str, int, str]] = set()
        if tx.postgresql:
            # Changes come one after the other, so what one checked is still true when it writes.
            tx.rows("SELECT value FROM meta WHERE name = 'directory_version' FOR UPDATE")

    def finish(self) -> int:
        """Return the version that the changes make, or the present one where nothing was touched."""
        version = read_version(self._tx)
        if not self._touched:
            return version
        version += 1
        if not self._tx.execute("UPDATE meta SET value = ? WHERE name = 'directory_version'", (str(version),)):
            self._tx.execute("INSERT INTO meta (name, value) VALUES ('directory_version', ?)", (str(version),))
        touched = sorted(self._touched) if len(self._touched) <= MOST_TOUCHED else [("all", 0, "")]
        self._tx.execute_many(
            "INSERT INTO directory_change (key, version, kind, target, name) VALUES (?,?,?,?,?)",
            [(self._keys.take(), version, *record) for record in touched],
        )
        self._tx.execute("DELETE FROM directory_change WHERE version < ?", (version - LOG_REACH,))
        return version

    def new_key(self) -> int:
        """Return a key for a record of another file's table."""
        return self._keys.take()

    def touch_list(self, key: int) -> None:
        """Say that a distribution list is different: what was resolved with the version before is stale."""
        self._touch("list", key)

    def audit(self, action: str, target: str, detail: str = "") -> None:
        """Record what was done to whom."""
        self._tx.execute(
            "INSERT INTO audit (key, at, who, action, target, detail) VALUES (?,?,?,?,?,?)",
            (self._keys.take(), self._now, self._who, action, target, detail),
        )

    def add_customer(self, name: str) -> int:
        """Store a new customer and return its key."""
        key = self._keys.take()
        self._tx.execute(
            "INSERT INTO customer (key, name, canonical, default_profile_key, active) VALUES (?,?,?,?,?)",
            (key, name, canonical_name(name), None, True),
        )
        self._touch("customer", key)
        return key

    def set_customer(self, key: int, *, active: bool, default_profile: int | None) -> None:
        """Store whether a customer may send, and its default profile."""
        self._tx.execute(
            "UPDATE customer SET active = ?, default_profile_key = ? WHERE key = ?", (active, default_profile, key)
        )
        self._touch("customer", key)

    def remove_customer(self, key: int) -> None:
        """Delete a customer with everything that is its own; its past jobs stay."""
        self._tx.execute(
            "DELETE FROM setting WHERE owner_key = ? OR owner_key IN (SELECT key FROM profile WHERE customer_key = ?)"
            " OR owner_key IN (SELECT key FROM mail_user WHERE customer_key = ?)",
            (key, key, key),
        )
        self._tx.execute("DELETE FROM constraint_set WHERE owner_key = ?", (key,))
        for list_key in [found for (found,) in self._tx.rows(_LISTS_OF, (key,))]:
            remove_list(self._tx, list_key)
        for table in (*_OWN_TABLES, "mail_user", "profile"):
            self._tx.execute(f"DELETE FROM {table} WHERE customer_key = ?", (key,))  # noqa: S608 - names of ours
        self._tx.execute("DELETE FROM customer WHERE key = ?", (key,))
        self._touch("all", 0)

    def add_domain(self, customer_key: int, domain: str) -> None:
        """Store a canonical sender domain of a customer."""
        self._tx.execute("INSERT INTO customer_domain (domain, customer_key) VALUES (?,?)", (domain, customer_key))
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

    def add_range(self, customer_key: int, network: str) -> None:
        """Store an address range in CIDR form."""
        self._tx.execute("INSERT INTO address_range (network, customer_key) VALUES (?,?)", (network, customer_key))
        self._touch("range", customer_key)

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
        self._tx.execute(
            "INSERT INTO profile (key, customer_key, name, canonical) VALUES (?,?,?,?)",
            (key, customer_key, name, canonical_name(name)),
        )
        self._touch("profile", key)
        return key

    def remove_profile(self, key: int) -> None:
        """Delete a profile that no user has."""
        self._tx.execute("DELETE FROM setting WHERE owner_key = ?", (key,))
        self._tx.execute("DELETE FROM mail_template WHERE profile_key = ?", (key,))
        self._tx.execute("DELETE FROM profile WHERE key = ?", (key,))
        self._touch("profile", key)
        self._touch("layer", key, LayerKind.PROFILE)

    def add_users(self, users: Sequence[User], source: str) -> dict[str, int]:
        """Store new users, whatever their `id` says, and return their keys by address; `source` is manual or file."""
        keys = {user.address: self._keys.take() for user in users}
        self._tx.execute_many(
            "INSERT INTO mail_user (key, customer_key, profile_key, address, name, active, source)"
            " VALUES (?,?,?,?,?,?,?)",
            [
                (keys[user.address], user.customer_id, user.profile_id, user.address, user.name, user.active, source)
                for user in users
            ],
        )
        self._touch_all("user", keys.values())
        return keys

    def set_users(self, users: Sequence[User]) -> None:
        """Store name, profile and activity of users that exist."""
        self._tx.execute_many(
            "UPDATE mail_user SET profile_key = ?, name = ?, active = ? WHERE key = ?",
            [(user.profile_id, user.name, user.active, user.id) for user in users],
        )
        self._touch_all("user", (user.id for user in users))

    def remove_user(self, key: int) -> None:
        """Delete a user with its settings and logins."""
        for (login,) in self._tx.rows("SELECT login FROM credential WHERE user_key = ?", (key,)):
            self._touch("credential", 0, login)
        self._tx.execute("DELETE FROM credential WHERE user_key = ?", (key,))
        self._tx.execute("DELETE FROM setting WHERE owner_key = ?", (key,))
        self._tx.execute("DELETE FROM mail_user WHERE key = ?", (key,))
        self._touch("user", key)
        self._touch("layer", key, LayerKind.USER)
        self._touch("layer", key, LayerKind.PINNED)

    def put_credential(self, credential: Credential) -> None:
        """Store a login, in place of what the same login proved itself with before."""
        self._tx.execute("DELETE FROM credential WHERE login = ?", (credential.login,))
        self._tx.execute(
            "INSERT INTO credential (key, login, customer_key, user_key, kind, verifier, active)"
            " VALUES (?,?,?,?,?,?,?)",
            (
                self._keys.take(),
                credential.login,
                credential.customer_id,
                credential.user_id,
                credential.kind.value,
                credential.verifier,
                credential.active,
            ),
        )
        self._touch("credential", 0, credential.login)

    def remove_credential(self, login: str) -> bool:
        """Delete a login; False if there is none."""
        self._touch("credential", 0, login)
        return self._tx.execute("DELETE FROM credential WHERE login = ?", (login,)) > 0

    def put_cells(self, cells: Sequence[CellToStore], *, of_new_owners: bool = False) -> None:
        """Store cells of any layers, each in place of the one before; the owners made in this call have none before."""
        if not of_new_owners:
            self._tx.execute_many(
                "DELETE FROM setting WHERE owner_key = ? AND scope = ? AND service = ? AND field = ?",
                [(cell.key.owner_id, cell.key.kind.value, cell.key.service, cell.field) for cell in cells],
            )
        self._tx.execute_many(
            "INSERT INTO setting (key, scope, owner_key, service, field, value, origin, set_at, set_by)"
            " VALUES (?,?,?,?,?,?,?,?,?)",
            [
                (
                    self._keys.take(),
                    cell.key.kind.value,
                    cell.key.owner_id,
                    cell.key.service,
                    cell.field,
                    cell.text,
                    cell.origin,
                    self._now,
                    self._who,
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
        """Store the constraints of the system (key 0) or of a customer."""
        self._tx.execute("DELETE FROM constraint_set WHERE owner_key = ?", (owner_key,))
        self._tx.execute(
            "INSERT INTO constraint_set (owner_key, locked, sender_ids, max_parts, express, flash, countries)"
            " VALUES (?,?,?,?,?,?,?)",
            (
                owner_key,
                ",".join(sorted(rules.locked)),
                _joined(rules.sender_ids),
                rules.max_parts,
                rules.express,
                rules.flash,
                _joined(rules.countries),
            ),
        )
        self._touch("constraint", owner_key)

    def _touch(self, kind: str, target: int, name: str = "") -> None:
        self._touched.add((kind, target, name))

    def _touch_all(self, kind: str, targets: Iterable[int]) -> None:
        self._touched.update((kind, target, "") for target in targets)


def _joined(words: frozenset[str] | None) -> str | None:
    return None if words is None else ",".join(sorted(words))


def read_cells(tx: Transaction, key: LayerKey) -> list[StoredCell]:
    """Return the cells of one layer by field."""
    rows = tx.rows(
        "SELECT field, value, origin, set_at, set_by FROM setting"
        " WHERE owner_key = ? AND scope = ? AND service = ? ORDER BY field",
        (key.owner_id, key.kind.value, key.service),
    )
    return [
        StoredCell(field=name, text=text, origin=origin, set_at=set_at, set_by=set_by)
        for name, text, origin, set_at, set_by in rows
    ]


def read_cells_of(tx: Transaction, customer_key: int, kind: LayerKind) -> dict[int, dict[str, str]]:
    """Return the cells of all users of a customer in one layer (USER or PINNED): user → field → text."""
    cells: dict[int, dict[str, str]] = {}
    for owner, name, text in tx.rows(
        "SELECT s.owner_key, s.field, s.value FROM mail_user u JOIN setting s ON s.owner_key = u.key AND s.scope = ?"
        " WHERE u.customer_key = ?",
        (kind.value, customer_key),
    ):
        cells.setdefault(owner, {})[name] = text
    return cells


def read_audit(tx: Transaction, target: str = "", most: int = 100) -> list[AuditEntry]:
    """Return the newest audit entries, of one target if named, newest first."""
    where, values = (" WHERE target = ?", (target,)) if target else ("", ())
    rows = tx.rows(
        f"SELECT at, who, action, target, detail FROM audit{where} ORDER BY key DESC LIMIT ?",  # noqa: S608 - ours
        (*values, most),
    )
    return [
        AuditEntry(at=at, who=who, action=action, target=aim, detail=detail) for at, who, action, aim, detail in rows
    ]
