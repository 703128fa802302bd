"""The keys that sign pushes: one per customer, made by us, shown once.

Not here: what is signed with it and how (web.push). Unlike a password's verifier the secret itself is kept, since a
signature needs it; so the database file is private.
"""

import peewee

from addressbook.canonical import canonical_name
from store.engine.database import Transaction
from store.engine.statements import Insert
from store.tables import StoredRow


class PushKeyRow(StoredRow):
    """The key of one customer; `secret` is hexadecimal, `made_at` in microseconds."""

    customer_key = peewee.BigIntegerField(primary_key=True)
    secret = peewee.TextField()
    made_at = peewee.BigIntegerField()
    made_by = peewee.TextField()

    class Meta:  # noqa: D106 - configuration, the docstring is the model's
        table_name = "push_key"


_KEYS = Insert(PushKeyRow, replace=True)


def keep_push_key(tx: Transaction, customer_key: int, secret: bytes, who: str) -> None:
    """Store a customer's key in place of the one before."""
    tx.insert(_KEYS, [_KEYS.row(customer_key=customer_key, secret=secret.hex(), made_at=tx.now(), made_by=who)])


def find_push_key(tx: Transaction, customer: str) -> bytes | None:
    """Return the key of the customer of this name, None where it has none."""
    secret = tx.value(
        "SELECT k.secret FROM push_key k JOIN customer c ON c.key = k.customer_key WHERE c.canonical = ?",
        (canonical_name(customer),),
    )
    return None if secret is None else bytes.fromhex(secret)
