"""What a plan is made upon: a customer's users and lists as they are in force, and who else has or awaits an address.

Not here: the settings of users (directory_changes), the plan (addressbook.sync_plan).
"""

from collections.abc import Iterable

from msgspec import Struct

from store.engine.database import Transaction
from store.engine.rows import query
from store.versions import AWAITED, BUT_OF, IN_FORCE


class StoredPerson(Struct, frozen=True, array_like=True):
    """One user as stored. Instants are microseconds."""

    user_key: int
    customer_key: int
    address: str
    name: str
    phone: str
    active: bool
    profile_key: int | None
    source: str
    directory_key: int | None
    anchor: str
    disabled: bool
    unseen_at: int | None
    missing_at: int | None


class ListPlace(Struct, frozen=True, array_like=True):
    """Where a list's members are, and whose group it is."""

    key: int
    name: str
    members_key: int
    directory_key: int | None


_PEOPLE = query(StoredPerson, f"FROM mail_user WHERE {IN_FORCE} AND customer_key = ?")
_HOLDERS = query(StoredPerson, f"FROM mail_user WHERE address IN (??) AND {AWAITED}{BUT_OF}")
_PLACES = query(ListPlace, "FROM distribution_list WHERE customer_key = ? ORDER BY canonical")


def people_of(tx: Transaction, customer_key: int) -> list[StoredPerson]:
    """Return a customer's users."""
    return tx.select(StoredPerson, _PEOPLE, (customer_key,))


def holders_of(tx: Transaction, addresses: Iterable[str], but_of_directory: int) -> list[StoredPerson]:
    """Return who has one of these canonical addresses, or will by an open run of another directory, as it will be."""
    return tx.select_in(StoredPerson, _HOLDERS, addresses, (but_of_directory,))


def list_places(tx: Transaction, customer_key: int) -> list[ListPlace]:
    """Return where a customer's lists are, by name."""
    return tx.select(ListPlace, _PLACES, (customer_key,))
