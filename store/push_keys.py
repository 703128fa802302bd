"""The keys that sign pushes: one per customer, made by us, shown once.

Not here: what is signed with it and how (web.push). Unlike a password's verifier the secret itself is kept, since a
signature needs it; so the database file is private.
"""

from datetime import timedelta

import peewee

from addressbook.canonical import canonical_name
from store.engine.database import Transaction
from store.engine.statements import Insert
from store.tables import StoredRow


class PushKeyRow(StoredRow):
    """The key of one customer; secrets are hexadecimal, instants microseconds.

    The `previous` key signs as well until `previous_until`, so that a receiver can change to the new one.
    """

    customer_key = peewee.BigIntegerField(primary_key=True)
    secret = peewee.TextField()
    made_at = peewee.BigIntegerField()
    made_by = peewee.TextField()
    previous = peewee.TextField(default="")
    previous_until = peewee.BigIntegerField(default=0)

    class Meta:  # noqa: D106 - configuration, the docstring is the model's
        table_name = "push_key"


_KEYS = Insert(PushKeyRow, replace=True)


def keep_push_key(tx: Transaction, customer_key: int, secret: bytes, who: str, beside: timedelta) -> None:
    """Store a customer's key in place of the one before, which signs as well for as long as `beside`."""
    before = tx.value("SELECT secret FROM push_key WHERE customer_key = ?", (customer_key,))
    row = _KEYS.row(
        customer_key=customer_key,
        secret=secret.hex(),
        made_at=tx.now(),
        made_by=who,
        previous=before or "",
        previous_until=tx.now() + int(beside.total_seconds()) * 1_000_000,
    )
    tx.insert(_KEYS, [row])


def find_push_keys(tx: Transaction, customer: str) -> tuple[bytes, ...]:
    """Return the keys that sign for the customer of this name, the newest first."""
    rows = tx.rows(
        "SELECT k.secret, CASE WHEN k.previous_until > ? THEN k.previous ELSE '' END"
        " FROM push_key k JOIN customer c ON c.key = k.customer_key WHERE c.canonical = ?",
        (tx.now(), canonical_name(customer)),
    )
    return tuple(bytes.fromhex(secret) for secret in next(iter(rows), ()) if secret)
