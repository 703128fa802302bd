"""What counts for pushes at each attempt: the keys that sign them, and how the webhook of a user stands.

A key is made by us and shown once. Not here: what is signed with it and how (web.push). Unlike a password's verifier
the secret itself is kept, since a signature needs it; so the database file is private.
"""

from dataclasses import dataclass
from datetime import timedelta

import peewee
from msgspec import Struct

from addressbook.canonical import canonical_name
from store.engine.database import Transaction
from store.engine.rows import query
from store.engine.statements import Insert
from store.tables import FAR, StoredRow
from store.versions import IN_FORCE


class PushKeyRow(StoredRow):
    """The key of one owner, a customer or one of its users; secrets are hexadecimal, instants microseconds.

    The `previous` key signs as well until `previous_until`, so that a receiver can change to the new one. While a
    user's is `paused` its pushes wait. Without a secret it is what a deleted webhook leaves.
    """

    owner_key = peewee.BigIntegerField(primary_key=True)
    customer_key = peewee.BigIntegerField(default=0)
    secret = peewee.TextField()
    made_at = peewee.BigIntegerField()
    made_by = peewee.TextField()
    previous = peewee.TextField(default="")
    previous_until = peewee.BigIntegerField(default=0)
    paused = peewee.BooleanField(default=False)

    class Meta:  # noqa: D106 - configuration, the docstring is the model's
        table_name = "push_key"


@dataclass(frozen=True, slots=True, kw_only=True)
class PushTerms:
    """What counts for a push now: the `keys` that sign it, the newest first, and whether it has to wait.

    `url` is where the webhook of its user is, empty where that was deleted; None where it is no webhook's.
    """

    keys: tuple[bytes, ...] = ()
    url: str | None = None
    paused: bool = False


class StoredWebhook(Struct, frozen=True, array_like=True):
    """A user with a pinned `push_url`, and the key for it (0: none was made); instants are microseconds."""

    address: str
    made_at: int
    made_by: str
    previous_until: int
    paused: bool


_KEYS = Insert(PushKeyRow, replace=True)
# The webhook of a user is the push_url in one of its own layers; what is pinned is stronger.
_OWN_URL = (
    f"(SELECT value FROM setting WHERE owner_key = k.owner_key AND scope IN ('pinned', 'user')"  # noqa: S608 - ours
    f" AND field = 'push_url' AND {IN_FORCE} ORDER BY scope LIMIT 1)"
)
_USER = f"(SELECT user_key FROM mail_user WHERE address = ? AND customer_key = c.key AND {IN_FORCE})"  # noqa: S608 - ours
_TERMS = (
    f"SELECT k.owner_key = c.key, k.secret, k.previous, k.previous_until > ?, k.paused, coalesce({_OWN_URL}, '')"  # noqa: S608 - ours
    f" FROM customer c JOIN push_key k ON k.owner_key IN (c.key, coalesce({_USER}, 0)) WHERE c.canonical = ?"
)
_WEBHOOKS = query(
    StoredWebhook,
    f"FROM mail_user u LEFT JOIN push_key k ON k.owner_key = u.user_key AND k.secret <> ''"  # noqa: S608 - ours
    f" WHERE u.customer_key = ? AND u.address > ? AND (? = '' OR u.address = ?) AND {IN_FORCE}"
    f" AND EXISTS (SELECT 1 FROM setting s WHERE s.owner_key = u.user_key AND s.scope = 'pinned'"
    f" AND s.field = 'push_url' AND s.value <> '<none>' AND {IN_FORCE}) ORDER BY u.address LIMIT ?",
    address="u.address",
    made_at="coalesce(k.made_at, 0)",
    made_by="coalesce(k.made_by, '')",
    previous_until="coalesce(CASE WHEN k.previous <> '' THEN k.previous_until END, 0)",
    paused="coalesce(k.paused, FALSE)",
)
_DUE = (
    "UPDATE outbox SET due_at = ? WHERE channel = 'push' AND state = 'queued' AND due_at > ? AND due_at < ?"
    " AND EXISTS (SELECT 1 FROM job j WHERE j.key = outbox.job_key AND j.customer_key = ? AND j.user_address = ?)"
)


def keep_push_key(  # noqa: PLR0913 - one row
    tx: Transaction, owner_key: int, secret: bytes, *, customer_key: int, who: str, beside: timedelta
) -> None:
    """Store an owner's key in place of the one before, which signs as well for as long as `beside`."""
    found = tx.rows("SELECT secret, paused FROM push_key WHERE owner_key = ?", (owner_key,))
    before, paused = next(iter(found), ("", False))
    row = _KEYS.row(
        owner_key=owner_key,
        customer_key=customer_key,
        secret=secret.hex(),
        made_at=tx.now(),
        made_by=who,
        previous=before,
        previous_until=tx.now() + int(beside.total_seconds()) * 1_000_000,
        paused=bool(paused),
    )
    tx.insert(_KEYS, [row])


def forget_push_key(tx: Transaction, owner_key: int) -> None:
    """Forget the secrets of an owner; that there was a key is remembered."""
    tx.execute(
        "UPDATE push_key SET secret = '', previous = '', previous_until = 0, paused = ? WHERE owner_key = ?",
        (False, owner_key),
    )


def set_paused(tx: Transaction, owner_key: int, *, paused: bool) -> bool:
    """Make pushes to the webhook of a user wait, or go out again; returns whether it has a key."""
    return bool(tx.execute("UPDATE push_key SET paused = ? WHERE owner_key = ? AND secret <> ''", (paused, owner_key)))


def make_due(tx: Transaction, customer_key: int, user: str, now: int) -> int:
    """Make the pushes of a user's jobs due that wait for a later attempt; returns how many."""
    return tx.execute(_DUE, (now, now, FAR, customer_key, user))


def find_push_terms(tx: Transaction, customer: str, user: str) -> PushTerms:
    """Return what counts for a push to a URL of this user, or to one of the customer's alone where `user` is empty.

    The user's own key is that of its webhook; without one the customer's signs.
    """
    rows = tx.rows(_TERMS, (tx.now(), user, canonical_name(customer)))
    keys = {bool(of_customer): _usable(secret, previous, both) for of_customer, secret, previous, both, *_ in rows}
    paused, url = next(((bool(paused), url) for of_customer, *_, paused, url in rows if not of_customer), (False, None))
    return PushTerms(keys=keys.get(False) or keys.get(True, ()), url="" if url == "<none>" else url, paused=paused)


def _usable(secret: str, previous: str, both: bool) -> tuple[bytes, ...]:  # noqa: FBT001 - a column
    return tuple(bytes.fromhex(each) for each in (secret, previous if both else "") if each)


def find_webhooks(tx: Transaction, customer_key: int, after: str, limit: int, user: str = "") -> list[StoredWebhook]:
    """Return the webhooks of a customer by the addresses of their users, behind one; of one `user` alone."""
    return tx.select(StoredWebhook, _WEBHOOKS, (customer_key, after, user, user, limit))
