"""Traces of mail that was taken and is neither sent nor answered: what it was, by which field, whose, when.

Kept for thirty days, the newest 100,000 at most. Not here: what is dropped (mta.reading.automatic).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import peewee
from msgspec import Struct

from store.engine.database import Transaction
from store.engine.keys import Keys, to_indexed, to_instant
from store.engine.rows import query
from store.engine.statements import Insert
from store.tables import KeyedRow


class DroppedMailRow(KeyedRow):
    """One mail that was dropped; `reason` is bounce, receipt or auto-reply, `mark` the field that makes it so."""

    customer = peewee.TextField()
    reverse_path = peewee.TextField()
    header_from = peewee.TextField()
    mail_id = peewee.TextField()
    client = peewee.TextField()
    reason = peewee.TextField()
    mark = peewee.TextField()
    dropped_at = peewee.BigIntegerField()

    class Meta:  # noqa: D106 - peewee's configuration
        table_name = "dropped_mail"


DroppedMailRow.add_index(DroppedMailRow.index(DroppedMailRow.dropped_at, name="dropped_mail_at"))

_MAILS = Insert(DroppedMailRow)
_KEPT = int(timedelta(days=30).total_seconds()) * 1_000_000
_MOST_KEPT = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDrop:
    """One mail to remember; `at` is in microseconds."""

    customer: str
    reverse_path: str
    header_from: str
    mail_id: str
    client: str
    reason: str
    mark: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedDrop:
    """A trace as an operator sees it."""

    public_id: str
    customer: str
    reverse_path: str
    header_from: str
    mail_id: str
    client: str
    reason: str
    mark: str
    dropped_at: datetime


class _Dropped(Struct, frozen=True, array_like=True):
    """The same as it is stored."""

    key: int
    customer: str
    reverse_path: str
    header_from: str
    mail_id: str
    client: str
    reason: str
    mark: str
    dropped_at: int


_FIND = query(_Dropped, "FROM dropped_mail")


class DroppedStore:
    """The statements of dropped mail; its methods are batch functions for `Database.write`."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def add(self, tx: Transaction, drops: list[NewDrop]) -> list[str]:
        """Keep traces and return their public ids."""
        keys = [self._keys.take() for _ in drops]
        tx.insert(
            _MAILS,
            [
                _MAILS.row(
                    key=key,
                    customer=drop.customer,
                    reverse_path=drop.reverse_path,
                    header_from=drop.header_from,
                    mail_id=to_indexed(drop.mail_id),
                    client=drop.client,
                    reason=drop.reason,
                    mark=drop.mark,
                    dropped_at=drop.at,
                )
                for key, drop in zip(keys, drops, strict=True)
            ],
        )
        return [_public_id(key) for key in keys]


def _public_id(key: int) -> str:
    return f"D.{key}"


def find_dropped(tx: Transaction, *, name: str) -> TracedDrop | None:
    """Return the trace of this public id, or the newest of this Message-ID; None for none."""
    digits = name.removeprefix("D.")
    if digits != name and digits.isascii() and digits.isdecimal() and len(digits) < 20:
        rows = tx.select(_Dropped, _FIND + " WHERE key = ?", (int(digits),))
    else:
        newest = _FIND + " WHERE mail_id = ? ORDER BY dropped_at DESC, key DESC LIMIT 1"
        rows = tx.select(_Dropped, newest, (to_indexed(name),))
    return next(map(_traced, rows), None)


def _traced(row: _Dropped) -> TracedDrop:
    return TracedDrop(
        public_id=_public_id(row.key),
        customer=row.customer,
        reverse_path=row.reverse_path,
        header_from=row.header_from,
        mail_id=row.mail_id,
        client=row.client,
        reason=row.reason,
        mark=row.mark,
        dropped_at=to_instant(row.dropped_at),
    )


def forget_dropped(tx: Transaction, nows: list[int]) -> list[None]:
    """Delete the traces that are older than is kept, and those beyond the newest that are kept."""
    for now in nows:
        tx.execute("DELETE FROM dropped_mail WHERE dropped_at < ?", (now - _KEPT,))
        tx.execute(
            "DELETE FROM dropped_mail WHERE dropped_at <="
            " (SELECT dropped_at FROM dropped_mail ORDER BY dropped_at DESC LIMIT 1 OFFSET ?)",
            (_MOST_KEPT,),
        )
    return [None] * len(nows)
