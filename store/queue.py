"""The queue as an administrator handles it: held or released, made due at once.

Not here: what waits (queue_views), ending a message (progress.cancel), which must reach its sender. A held row is due
in the far future, so that the statements of dispatch need not know of it; its validity runs on. Nothing here sends a
message before the time that its sender chose: one that no carrier was offered yet waits for that time, every other one
for a later attempt.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sms.outbox import OutboxEvent
from store.engine.database import Transaction
from store.outbox import change, find_rows
from store.serialise import end_of_blackout
from store.tables import FAR


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRows:
    """What a public id names: keys of messages that have not ended, and of notices that have not."""

    messages: tuple[int, ...] = ()
    notices: tuple[int, ...] = ()
    known: bool = False


def find_waiting(tx: Transaction, name: str) -> FoundRows:
    """Return what still waits under the id of a job (J.), a message (S.) or a row of the outbox (N., A., P.)."""
    jobs = [key for (key,) in tx.rows("SELECT key FROM job WHERE public_id = ?", (name,))]
    messages = tx.rows("SELECT key FROM message WHERE public_id = ? AND NOT ended", (name,))
    notices = find_rows(tx, "public_id", name)
    for key in jobs:
        messages += tx.rows("SELECT key FROM message WHERE job_key = ? AND NOT ended", (key,))
        notices += find_rows(tx, "job_key", key)
    known = bool(jobs or messages or notices) or bool(
        tx.rows(
            "SELECT 1 FROM message WHERE public_id = ? UNION ALL SELECT 1 FROM outbox WHERE public_id = ?", (name, name)
        )
    )
    return FoundRows(messages=tuple(key for (key,) in messages), notices=tuple(notices), known=known)


def find_customer_key(tx: Transaction, name: str) -> int | None:
    """Return whose the job, message or row of the outbox of a public id is; None where it is nobody's."""
    of_message = (
        "SELECT job.customer_key FROM message JOIN job ON job.key = message.job_key WHERE message.public_id = ?"
    )
    found = tx.rows(
        f"SELECT customer_key FROM job WHERE public_id = ? UNION ALL {of_message}"  # noqa: S608 - ours
        " UNION ALL SELECT customer_key FROM outbox WHERE public_id = ?",
        (name, name, name),
    )
    return next((key for (key,) in found if key), None)


def hold(tx: Transaction, requests: Sequence[FoundRows]) -> list[int]:
    """Hold what is queued; returns how many rows each request held."""
    return [
        _update(
            tx,
            "UPDATE message SET held = ?, due_at = due_at + ? WHERE key = ? AND NOT held AND state = 'queued'",
            (True, FAR),
            found.messages,
        )
        + change(tx, OutboxEvent.HOLD, found.notices, due_at=FAR)
        for found in requests
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A request to release what is held; `now` is in microseconds."""

    found: FoundRows
    now: int


def release(tx: Transaction, requests: Sequence[Release]) -> list[int]:
    """Make what is held due at once, or at the time that its sender chose; returns the number of rows per request."""
    return [
        _update(
            tx,
            "UPDATE message SET held = ?, due_at = CASE WHEN attempts > 0 THEN ? ELSE due_at - ? END"
            " WHERE key = ? AND held AND state = 'queued'",
            (False, request.now, FAR),
            request.found.messages,
        )
        + change(tx, OutboxEvent.RELEASE, request.found.notices, due_at=request.now)
        for request in requests
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Which notices nobody is to be told; `now` is in microseconds."""

    found: FoundRows
    now: int


def drop(tx: Transaction, drops: Sequence[Drop]) -> list[int]:
    """End notices that are queued or held without telling anybody; returns how many of each."""
    return [change(tx, OutboxEvent.DROP, item.found.notices, ended_at=item.now) for item in drops]


def flush(tx: Transaction, nows: Sequence[int]) -> list[int]:
    """Make everything that waits for a later attempt due at once, what is held or in a blackout excepted.

    Returns how many rows.
    """
    return [
        tx.execute(
            "UPDATE message SET due_at = ?"
            " WHERE state = 'queued' AND due_at > ? AND attempts > 0 AND NOT held AND blackouts IS NULL",
            (now, now),
        )
        + _update(tx, "UPDATE message SET due_at = ? WHERE key = ?", (now,), _in_no_blackout(tx, now))
        + tx.execute(
            "UPDATE outbox SET due_at = ? WHERE state = 'queued' AND due_at > ? AND due_at < ? AND attempts > 0",
            (now, now, FAR),
        )
        for now in nows
    ]


def _in_no_blackout(tx: Transaction, now: int) -> list[int]:
    """Return those that are deferred and have blackouts, but none now."""
    rows = tx.rows(
        "SELECT key, blackouts FROM message"
        " WHERE state = 'queued' AND due_at > ? AND attempts > 0 AND NOT held AND blackouts IS NOT NULL",
        (now,),
    )
    return [key for key, blackouts in rows if end_of_blackout(blackouts, now) is None]


def _update(tx: Transaction, sql: str, values: tuple[object, ...], keys: Sequence[int]) -> int:
    return sum(tx.execute(sql, (*values, key)) for key in sorted(keys))
