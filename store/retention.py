"""What is no longer kept goes in small steps: each deletes some hundred rows, so that it holds up no transaction.

A job goes with everything of it, once it is summed, told of, and old enough; so does an inbound SMS. Texts may go
before. Not here: when, and how much rest lies between two steps (reports.retention).
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from sms.outbox import WAITING
from store.engine.database import Transaction
from store.outbox import words_of
from store.rulings import forget_rulings
from store.sums import SUM_KEYS, customers_of_sums, take_turn

AT_ONCE: Final = 20
"""So many messages, or rows of another table, go in one step."""
_JOBS: Final = 20
_TURN: Final = "retention"
_LOOK_AGAIN: Final = 3_600 * 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionLimits:
    """Until when what is over goes, each instant in microseconds; texts, drafts and sessions are due by `now`."""

    now: int
    details: int
    conversations: int
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OldDay:
    """The sums of a customer before a day, an ISO date; and its months before that one's."""

    customer_key: int
    before: str


_WAITS = f"EXISTS (SELECT 1 FROM outbox o WHERE o.{{}} AND o.state IN ({words_of(WAITING)}))"  # noqa: S608 - ours
_JOB_WAITS, _SMS_WAITS = _WAITS.format("job_key = s.job_key"), _WAITS.format("sms_key = s.key")
_OLD_JOBS = (
    f"SELECT s.job_key FROM job_sum s WHERE s.closed_at <= ? AND s.changes = 0 AND NOT {_JOB_WAITS}"  # noqa: S608 - ours
    " ORDER BY s.closed_at LIMIT ?"
)
_OLD_SMS = (
    f"SELECT s.key FROM inbound_sms s WHERE s.received_at <= ? AND s.summed AND NOT {_SMS_WAITS}"  # noqa: S608 - ours
    " ORDER BY s.received_at LIMIT ?"
)
_TEXTS_DUE = "s.texts_until IS NOT NULL AND s.texts_until <= ? ORDER BY s.texts_until LIMIT ?"
_TEXTS_OF_JOBS = f"SELECT s.job_key, {_JOB_WAITS} FROM job_sum s WHERE {_TEXTS_DUE}"  # noqa: S608 - ours
_TEXTS_OF_SMS = f"SELECT s.key, {_SMS_WAITS} FROM inbound_sms s WHERE {_TEXTS_DUE}"  # noqa: S608 - ours
_MESSAGES = "SELECT key FROM message WHERE job_key IN (??) LIMIT ?"
_WITH_TEXT = "SELECT key FROM message WHERE job_key IN (??) AND (body <> '' OR cut <> '') LIMIT ?"
_PARTS = "SELECT key FROM part WHERE message_key IN (??)"
_DETAILS = (
    "DELETE FROM detail WHERE (customer_key, accepted_at, key) IN"
    " (SELECT j.customer_key, j.accepted_at, m.key FROM message m JOIN job j ON j.key = m.job_key WHERE m.key IN (??))"
    " RETURNING key"
)
_ERASE_TEXTS = "UPDATE message SET body = '', cut = '', replaced = '' WHERE key IN (??) RETURNING key"
_ERASE_SMS = "UPDATE inbound_sms SET body = '', shown = '', texts_until = NULL WHERE key IN (??) RETURNING key"
_CONVERSATIONS = (
    "DELETE FROM conversation WHERE key IN (SELECT key FROM conversation WHERE used_at <= ? ORDER BY used_at LIMIT ?)"
)
_OLD_REQUESTS = (
    "SELECT key FROM support_request WHERE state IN ('solved', 'closed') AND changed_at <= ?"
    " ORDER BY changed_at LIMIT ?"
)
_EXPIRED = (
    "DELETE FROM {0} WHERE key IN (SELECT key FROM {0} WHERE expires_at <= ? ORDER BY expires_at LIMIT ?) RETURNING key"
)
_EXPIRING: Final = ("portal_draft", "portal_session")
_DAY_KEYS = ", ".join(SUM_KEYS)
_OLD_SUMS = f"SELECT {_DAY_KEYS} FROM traffic_sum WHERE customer_key = ? AND day < ? LIMIT ?"  # noqa: S608 - ours
_FORGET_SUM = "DELETE FROM traffic_sum WHERE " + " AND ".join(f"{name} = ?" for name in SUM_KEYS)  # noqa: S608 - ours
_FIRST_DAY = "SELECT min(day) FROM traffic_sum WHERE customer_key = ?"


def forget_details(tx: Transaction, requests: list[RetentionLimits]) -> list[int]:
    """Delete what is over, of whatever kind; returns how many rows.

    Ask again until that is none. One node at a time does so.
    """
    return [_forget(tx, request) if take_turn(tx, _TURN) else 0 for request in requests]


def _forget(tx: Transaction, limits: RetentionLimits) -> int:
    return (
        _forget_jobs(tx, limits.details)
        or _forget_sms(tx, limits.details)
        or _forget_texts(tx, limits.now)
        or _forget_texts_of_sms(tx, limits.now)
        or tx.execute(_CONVERSATIONS, (limits.conversations, AT_ONCE))
        or _forget_requests(tx, limits.requests)
        or sum(len(tx.rows(_EXPIRED.format(table), (limits.now, AT_ONCE))) for table in _EXPIRING)
        or forget_rulings(tx, limits.details, AT_ONCE)
    )


def _forget_requests(tx: Transaction, until: int) -> int:
    keys = [key for (key,) in tx.rows(_OLD_REQUESTS, (until, AT_ONCE))]
    _delete(tx, "support_post", "request_key", keys)
    _delete(tx, "support_request", "key", keys)
    return len(keys)


def _forget_jobs(tx: Transaction, until: int) -> int:
    jobs = [key for (key,) in tx.rows(_OLD_JOBS, (until, _JOBS))]
    messages = [key for (key,) in tx.rows_in(_MESSAGES, jobs, (AT_ONCE,))]
    delete_messages(tx, messages)
    if len(messages) < AT_ONCE:  # else there may be more
        delete_outbox(tx, "job_key", jobs)
        _delete(tx, "job_sum", "job_key", jobs)
        _delete(tx, "job", "key", jobs)
    return len(messages) + len(jobs)


def delete_messages(tx: Transaction, keys: Collection[int]) -> None:
    """Delete messages with all of their own: details, parts, attempts and receipts."""
    parts = [key for (key,) in tx.rows_in(_PARTS, keys)]
    _delete(tx, "receipt", "part_key", parts)
    _delete(tx, "part_attempt", "part_key", parts)
    _delete(tx, "part", "key", parts)
    _delete(tx, "cancel_request", "message_key", keys)
    _delete(tx, "message_reroute", "message_key", keys)
    tx.rows_in(_DETAILS, keys)
    _delete(tx, "message", "key", keys)


def delete_outbox(tx: Transaction, column: str, keys: Collection[int], only: str = "") -> None:
    """Delete the rows of the outbox of these jobs (`job_key`) or inbound SMS (`sms_key`), with their attempts.

    `only` is a further condition in SQL.
    """
    rows = [key for (key,) in tx.rows_in(f"SELECT key FROM outbox WHERE {column} IN (??) {only}", keys)]  # noqa: S608 - ours
    _delete(tx, "outbox_attempt", "outbox_key", rows)
    _delete(tx, "outbox", "key", rows)


def _delete(tx: Transaction, table: str, column: str, keys: Collection[int]) -> None:
    tx.rows_in(f"DELETE FROM {table} WHERE {column} IN (??) RETURNING {column}", keys)  # noqa: S608 - our own names


def _forget_sms(tx: Transaction, until: int) -> int:
    keys = [key for (key,) in tx.rows(_OLD_SMS, (until, AT_ONCE))]
    delete_sms(tx, keys)
    return len(keys)


def delete_sms(tx: Transaction, keys: Collection[int]) -> None:
    """Delete inbound SMS with all that followed from them."""
    delete_outbox(tx, "sms_key", keys)
    _delete(tx, "inbound_effect", "sms_key", keys)
    _delete(tx, "inbound_sms", "key", keys)


def _forget_texts(tx: Transaction, now: int) -> int:
    due = tx.rows(_TEXTS_OF_JOBS, (now, _JOBS))
    free = [key for key, waits in due if not waits]
    erased = erase_texts(tx, free)
    if erased < AT_ONCE:
        tx.execute_many(
            "UPDATE job SET subject = '', header = ?, body = NULL WHERE key = ?", [(b"", key) for key in free]
        )
        delete_outbox(tx, "job_key", free, "AND channel = 'smpp'")  # receipts for an ESME repeat the text
        again = [(now + _LOOK_AGAIN if waits else None, key) for key, waits in due]
        tx.execute_many("UPDATE job_sum SET texts_until = ? WHERE job_key = ?", again)
    return erased + len(free)


def erase_texts(tx: Transaction, jobs: Collection[int]) -> int:
    """Erase some texts of jobs; returns how many."""
    messages = [key for (key,) in tx.rows_in(_WITH_TEXT, jobs, (AT_ONCE,))]
    tx.rows_in(_ERASE_TEXTS, messages)
    return len(messages)


def _forget_texts_of_sms(tx: Transaction, now: int) -> int:
    due = tx.rows(_TEXTS_OF_SMS, (now, AT_ONCE))
    tx.rows_in(_ERASE_SMS, [key for key, waits in due if not waits])
    again = [(now + _LOOK_AGAIN, key) for key, waits in due if waits]
    tx.execute_many("UPDATE inbound_sms SET texts_until = ? WHERE key = ?", again)
    return len(due)


def find_old_days(tx: Transaction, before: str) -> list[OldDay]:
    """Return the customers that have sums before a day, an ISO date, or what remains of such."""
    customers = (key for key in customers_of_sums(tx) if tx.value(_FIRST_DAY, (key,)) < before)
    return [OldDay(customer_key=key, before=before) for key in customers]


def forget_days(tx: Transaction, old: list[OldDay]) -> list[int]:
    """Delete some sums of customers, and their months when none is left; returns how many of each."""
    return [_forget_days(tx, item) for item in old]


def _forget_days(tx: Transaction, old: OldDay) -> int:
    keys = tx.rows(_OLD_SUMS, (old.customer_key, old.before, AT_ONCE))
    tx.execute_many(_FORGET_SUM, keys)
    if len(keys) < AT_ONCE:
        tx.execute("DELETE FROM ruling_sum WHERE customer_key = ? AND day < ?", (old.customer_key, old.before))
        months = "DELETE FROM archive_month WHERE customer_key = ? AND month < ?"
        tx.execute(months, (old.customer_key, old.before[:7]))
    return len(keys)
