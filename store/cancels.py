"""Requests to cancel what a carrier has already: left by a command, carried out by the process that has its bind.

A request ends when the carrier has said yes or no, when it was put off too often, or with its message.
Not here: what cancelling does to a message (progress).
"""

from dataclasses import dataclass

import peewee
from msgspec import Struct

from store.engine.database import Transaction
from store.engine.rows import query
from store.tables import StoredRow


class CancelRequestRow(StoredRow):
    """A message whose sender wants it back; instants in microseconds. `attempts` were put off by the carrier."""

    message_key = peewee.BigIntegerField(primary_key=True)
    asked_at = peewee.BigIntegerField()
    attempts = peewee.IntegerField(default=0)
    due_at = peewee.BigIntegerField(default=0)

    class Meta:  # noqa: D106 - configuration, the docstring is the model's
        table_name = "cancel_request"


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequest:
    """A request to cancel messages at their carriers; `now` is in microseconds."""

    message_keys: tuple[int, ...]
    now: int


class Cancellable(Struct, frozen=True, kw_only=True, array_like=True):
    """A part that a carrier has and may still hold back."""

    message_key: int
    message_id: str
    part_key: int
    carrier: str
    carrier_id: str
    number: str
    sender: str
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """A request that its carrier put off until `due_at`, in microseconds."""

    message_key: int
    due_at: int


_REQUEST = (
    "INSERT INTO cancel_request (message_key, asked_at, attempts, due_at) VALUES (?, ?, 0, 0)"
    " ON CONFLICT (message_key) DO NOTHING"
)
_CANCELLABLE = query(
    Cancellable,
    "FROM cancel_request c JOIN message m ON m.key = c.message_key JOIN part p ON p.message_key = m.key"
    " WHERE p.state = 'submitted' AND NOT m.ended AND c.due_at <= ? ORDER BY p.key LIMIT ?",
    "p",
    message_key="m.key",
    message_id="m.public_id",
    part_key="p.key",
    number="m.number",
    sender="m.sender",
    attempts="c.attempts",
)


def request(tx: Transaction, requests: list[CancelRequest]) -> list[None]:
    """Remember that messages are to be cancelled at their carriers."""
    for item in requests:
        tx.execute_many(_REQUEST, [(key, item.now) for key in item.message_keys])
    return [None] * len(requests)


def find_cancellable(tx: Transaction, now: int, most: int) -> list[Cancellable]:
    """Return parts whose cancelling is asked for and due, oldest first."""
    return tx.select(Cancellable, _CANCELLABLE, (now, most))


def put_off(tx: Transaction, batches: list[list[Later]]) -> list[None]:
    """Have requests wait."""
    for later in batches:
        tx.execute_many(
            "UPDATE cancel_request SET attempts = attempts + 1, due_at = ? WHERE message_key = ?",
            [(item.due_at, item.message_key) for item in later],
        )
    return [None] * len(batches)


def forget(tx: Transaction, batches: list[tuple[int, ...]]) -> list[None]:
    """Forget the requests for these messages."""
    for keys in batches:
        tx.execute_many("DELETE FROM cancel_request WHERE message_key = ?", [(key,) for key in keys])
    return [None] * len(batches)


def drop_ended(tx: Transaction, calls: list[None]) -> list[int]:
    """Forget the requests for messages that ended by themselves; returns how many."""
    count = tx.execute("DELETE FROM cancel_request WHERE message_key IN (SELECT key FROM message WHERE ended)")
    return [count] * len(calls)
