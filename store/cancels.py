"""Requests to cancel what a carrier has already: left by a command, carried out by the process that has its bind.

A request ends when the carrier has said yes or no, when it was put off too often, or with its message.
Not here: what cancelling does to a message (progress).
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

import peewee
from msgspec import Struct

from sms.lifecycle import MessageState
from sms.settings import StatusReport
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
    # In this order, which SQLite heeds: few requests, their messages, the parts of these.
    "FROM cancel_request c CROSS JOIN message m CROSS JOIN part p"
    " WHERE m.key = c.message_key AND p.message_key = m.key AND p.state = 'submitted' AND NOT m.ended"
    " AND c.due_at <= ? ORDER BY c.message_key, p.key LIMIT ?",
    "p",
    message_key="m.key",
    message_id="m.public_id",
    part_key="p.key",
    number="m.number",
    sender="m.sender",
    attempts="c.attempts",
)


_DROP_ENDED = (
    "DELETE FROM cancel_request WHERE EXISTS"
    " (SELECT 1 FROM message m WHERE m.key = cancel_request.message_key AND m.ended)"
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
    count = tx.execute(_DROP_ENDED)
    return [count] * len(calls)


class _Job(Struct, frozen=True, array_like=True):
    key: int
    public_id: str
    customer_key: int
    user_address: str
    header_from: str


class MessageToCancel(Struct, frozen=True, array_like=True):
    """One SMS of a job; `carrier` was offered a part of it and has it, or may have it."""

    key: int
    public_id: str
    state: MessageState
    ended: bool
    carrier: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobToCancel:
    """A job, or one SMS of it, that somebody wants back: whose it is, and its SMS but those refused at acceptance."""

    key: int = 0
    public_id: str = ""
    customer_key: int = 0
    user_address: str = ""
    header_from: str = ""
    messages: tuple[MessageToCancel, ...] = ()

    @property
    def waiting(self) -> tuple[int, ...]:
        """The SMS of which no carrier has anything."""
        return tuple(message.key for message in self.messages if not message.ended and not message.carrier)

    def at_carriers(self, names: Collection[str]) -> tuple[int, ...]:
        """Return the SMS that have not ended and are at one of these carriers."""
        return tuple(message.key for message in self.messages if not message.ended and message.carrier in names)


_OWN = query(_Job, "FROM job WHERE public_id = ?")
_OF_MESSAGE = query(_Job, "FROM job WHERE key = (SELECT job_key FROM message WHERE public_id = ?)")
_MESSAGES = query(
    MessageToCancel,
    "FROM message m WHERE m.job_key = ? AND m.part_count > 0 ORDER BY m.key",
    "m",
    carrier="(SELECT max(p.carrier) FROM part p WHERE p.message_key = m.key AND p.state <> 'queued')",
)
_CANCELLED = "SELECT key FROM message WHERE key IN (??) AND state = 'cancelled'"


def find_job_to_cancel(tx: Transaction, name: str) -> JobToCancel:
    """Return the job of a public id, nobody's where there is none."""
    found = tx.select(_Job, _OWN, (name,))
    return _to_cancel(tx, found[0]) if found else JobToCancel()


def find_message_to_cancel(tx: Transaction, name: str) -> JobToCancel:
    """Return the job of an SMS with that SMS alone, nobody's where there is none."""
    found = tx.select(_Job, _OF_MESSAGE, (name,))
    job = _to_cancel(tx, found[0]) if found else JobToCancel()
    return replace(job, messages=tuple(message for message in job.messages if message.public_id == name))


def _to_cancel(tx: Transaction, job: _Job) -> JobToCancel:
    messages = tx.select(MessageToCancel, _MESSAGES, (job.key,))
    return JobToCancel(
        key=job.key,
        public_id=job.public_id,
        customer_key=job.customer_key,
        user_address=job.user_address,
        header_from=job.header_from,
        messages=tuple(messages),
    )


def find_cancelled(tx: Transaction, keys: Collection[int]) -> frozenset[int]:
    """Return which of these messages are cancelled."""
    return frozenset(key for (key,) in tx.rows_in(_CANCELLED, keys))


def report_end(tx: Transaction, job_key: int) -> None:
    """Have the sender told how a job ends, though no report was wanted."""
    tx.execute(
        "UPDATE job SET report = ? WHERE key = ? AND report = ?",
        (StatusReport.ALWAYS.value, job_key, StatusReport.NEVER.value),
    )
