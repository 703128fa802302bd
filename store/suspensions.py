"""Suspensions as rows: the planned ones, those in force, and those that are due to begin or to end.

Not here: who may suspend and what is told of it (gateway.admin.suspensions).
"""

from collections import defaultdict

import peewee
from msgspec import Struct

from addressbook.options import Option
from addressbook.suspensions import Suspension
from store.engine.database import Transaction
from store.engine.keys import to_instant_if_set
from store.engine.rows import query
from store.engine.statements import Insert
from store.tables import KeyedRow


class SuspensionRow(KeyedRow):
    """A customer or one option of it (empty: the whole customer) that is suspended, or will be from `from_at` on.

    One that has ended has no row. `declaration_key` is set where a declaration that nobody confirmed suspends.
    """

    customer_key = peewee.BigIntegerField(index=True)
    option = peewee.TextField(default="")
    reason = peewee.TextField()
    from_at = peewee.BigIntegerField()
    until_at = peewee.BigIntegerField(null=True)
    in_force = peewee.BooleanField()
    declaration_key = peewee.BigIntegerField(null=True)

    class Meta:  # noqa: D106 - peewee's configuration
        table_name = "suspension"


class StoredSuspension(Struct, frozen=True, array_like=True):
    """A suspension as stored; instants in microseconds."""

    key: int
    customer_key: int
    option: str
    reason: str
    from_at: int
    until_at: int | None
    in_force: bool
    declaration_key: int | None


_PUT = Insert(SuspensionRow)
_ALL = query(StoredSuspension, "FROM suspension")
_DUE = _ALL + " WHERE (from_at <= ? AND NOT in_force) OR until_at <= ? ORDER BY key"


def suspensions_in_force(tx: Transaction) -> dict[int, tuple[Suspension, ...]]:
    """Return what is suspended now, by customer; an option that this version does not know is left out."""
    found: dict[int, list[Suspension]] = defaultdict(list)
    for row in tx.select(StoredSuspension, _ALL + " WHERE in_force ORDER BY key"):
        if row.option in {"", *Option}:
            found[row.customer_key].append(
                Suspension(
                    reason=row.reason,
                    option=Option(row.option) if row.option else None,
                    until_at=to_instant_if_set(row.until_at),
                )
            )
    return {key: tuple(items) for key, items in found.items()}


def suspensions_of(tx: Transaction, customer_key: int) -> list[StoredSuspension]:
    """Return a customer's suspensions, those that are planned too."""
    return tx.select(StoredSuspension, _ALL + " WHERE customer_key = ? ORDER BY from_at, key", (customer_key,))


def suspensions_due(tx: Transaction, now: int) -> list[StoredSuspension]:
    """Return those that must begin or end by an instant (microseconds)."""
    return tx.select(StoredSuspension, _DUE, (now, now))


def put_suspension(tx: Transaction, row: StoredSuspension) -> None:
    """Store a suspension, in place of the one with its key."""
    end_suspension(tx, row.key)
    stored = _PUT.row(
        key=row.key,
        customer_key=row.customer_key,
        option=row.option,
        reason=row.reason,
        from_at=row.from_at,
        until_at=row.until_at,
        in_force=row.in_force,
        declaration_key=row.declaration_key,
    )
    tx.insert(_PUT, [stored])


def end_suspension(tx: Transaction, key: int) -> None:
    """Delete a suspension."""
    tx.execute("DELETE FROM suspension WHERE key = ?", (key,))
