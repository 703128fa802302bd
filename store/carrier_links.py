"""Where each link of each carrier is: written by the process that holds it, for commands that run beside it.

Not here: the links (smpp.client), the leases of carriers (leases).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import peewee
from msgspec import Struct

from store.engine.database import Transaction
from store.engine.keys import to_instant
from store.engine.rows import query
from store.engine.statements import Insert
from store.tables import StoredRow


class CarrierLinkRow(StoredRow):
    """One link of a carrier: whose process has it, the host where it is or was tried last, and since when it is so."""

    carrier = peewee.TextField()
    link = peewee.TextField()
    owner = peewee.TextField()
    host = peewee.TextField()
    is_up = peewee.BooleanField()
    trouble = peewee.TextField()
    since_at = peewee.BigIntegerField()

    class Meta:
        """The table."""

        table_name = "carrier_link"
        primary_key = peewee.CompositeKey("carrier", "link")


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierLink:
    """One link as a command shows it; `trouble` says why it is not up, or not at the host that it prefers."""

    carrier: str
    link: str
    host: str
    is_up: bool
    trouble: str
    since_at: datetime


class _CarrierLink(Struct, frozen=True, array_like=True):
    carrier: str
    link: str
    owner: str
    host: str
    is_up: bool
    trouble: str
    since_at: int


LINKS = Insert(CarrierLinkRow, replace=True)
_ALL = query(_CarrierLink, "FROM carrier_link ORDER BY carrier, link")
_LIVING = "SELECT owner FROM node_lease WHERE NOT ended AND expires_at > ?"


def begin_links(tx: Transaction, carriers: Sequence[str]) -> list[None]:
    """Forget what was written of the links of carriers."""
    tx.execute_many("DELETE FROM carrier_link WHERE carrier = ?", [(carrier,) for carrier in carriers])
    return [None] * len(carriers)


def save_links(tx: Transaction, batches: Sequence[Sequence[tuple[object, ...]]]) -> list[None]:
    """Write rows of `LINKS`, each in place of the one before of its link."""
    for rows in batches:
        tx.insert(LINKS, list(rows))
    return [None] * len(batches)


def list_links(tx: Transaction) -> list[CarrierLink]:
    """Return the links of processes that live; with SQLite the caller must know whether the one process does."""
    living = {owner for (owner,) in tx.rows(_LIVING, (tx.now(),))} if tx.postgresql else None
    return [
        CarrierLink(
            carrier=row.carrier,
            link=row.link,
            host=row.host,
            is_up=row.is_up,
            trouble=row.trouble,
            since_at=to_instant(row.since_at),
        )
        for row in tx.select(_CarrierLink, _ALL)
        if living is None or row.owner in living
    ]
