"""The keys that sign pushes: one per customer, made by us, shown once.

Not here: what is signed with it and how (web.push). Unlike a password's verifier the secret itself is kept, since a
signature needs it; so the database file is private.
"""

import peewee

from addressbook.people import canonical_name
from store.engine.database import Transaction
from store.tables import StoredRow


class PushKeyRow(StoredRow):
    """The key of one customer; `secret` is hexadecimal, `made_at` in microseconds."""

    customer_key = peewee.BigIntegerField(primary_key=True)
    secret = peewee.TextField()
    made_at = peewee.BigIntegerField()
    made_by = peewee.TextField()

    class Meta:  # noqa: D106 - configuration, the docstring is the model's
        table_name = "push_key"


def keep_push_key(tx: Transaction, customer_key: int, secret: bytes, who: str) -> None:
    """Store a customer's key in place of the one before."""
    tx.execute(
        "INSERT INTO push_key (customer_key, secret, made_at, made_by) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (customer_key) DO UPDATE SET secret = excluded.secret, made_at = excluded.made_at,"
        " made_by = excluded.made_by",
        (customer_key, secret.hex(), tx.now(), who),
    )


def find_push_key(tx: Transaction, customer: str) -> bytes | None:
    """Return the key of the customer of this name, None where it has none."""
    rows = tx.rows(
        "SELECT k.secret FROM push_key k JOIN customer c ON c.key = k.customer_key WHERE c.canonical = ?",
        (canonical_name(customer),),
    )
    return bytes.fromhex(rows[0][0]) if rows else None
