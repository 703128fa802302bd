"""What people write in the portal, until it is sent or a day is over: whole as it was previewed.

Not here: what a draft holds (gateway.portal), accounts.
"""

# ruff: noqa: D106 - peewee's Meta is configuration, the docstring is its model's

from dataclasses import dataclass

import peewee
from msgspec import Struct

from store.engine.database import Transaction
from store.engine.rows import query
from store.engine.statements import Insert
from store.tables import KeyedRow


class PortalDraftRow(KeyedRow):
    """A draft of an account at a customer. `content` is JSON, empty once it was sent as the job `job_id`."""

    customer_key = peewee.BigIntegerField()
    account = peewee.TextField()
    content = peewee.TextField()
    job_id = peewee.TextField(default="")
    expires_at = peewee.BigIntegerField(index=True)

    class Meta:
        table_name = "portal_draft"


class StoredDraft(Struct, frozen=True, array_like=True):
    """One draft."""

    key: int
    content: str
    job_id: str


_DRAFT = query(StoredDraft, "FROM portal_draft WHERE key = ? AND customer_key = ? AND account = ? AND expires_at > ?")
_NEW = Insert(PortalDraftRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDraft:
    """A draft to be kept until an instant (microseconds)."""

    key: int
    customer_key: int
    account: str
    content: str
    expires_at: int


def add_drafts(tx: Transaction, calls: list[tuple[NewDraft, int]]) -> list[None]:
    """Keep drafts, and forget those whose time is over; with each comes the present instant (microseconds)."""
    for draft, now in calls:
        tx.execute("DELETE FROM portal_draft WHERE expires_at <= ?", (now,))
        row = _NEW.row(
            key=draft.key,
            customer_key=draft.customer_key,
            account=draft.account,
            content=draft.content,
            expires_at=draft.expires_at,
        )
        tx.insert(_NEW, [row])
    return [None for _ in calls]


def find_draft(tx: Transaction, key: int, customer_key: int, account: str, now: int) -> StoredDraft | None:
    """Return an account's draft at a customer, None where there is none any more."""
    return next(iter(tx.select(StoredDraft, _DRAFT, (key, customer_key, account, now))), None)


def note_sent(tx: Transaction, sent: list[tuple[int, str]]) -> list[None]:
    """Keep of drafts nothing but the job that each became, so that sending it again leads there."""
    tx.execute_many("UPDATE portal_draft SET content = '', job_id = ? WHERE key = ?", [(job, key) for key, job in sent])
    return [None for _ in sent]
