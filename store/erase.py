"""What is known of one number or of one user is erased in small steps: texts, numbers and addresses, not that it was.

Rows stay with their states, parts and times, so that details still agree with the sums; whom they were of is gone. Not
here: whether it may be done now (gateway.admin.erase), what goes by time (retention).
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sms.outbox import WAITING
from store.engine.database import Transaction
from store.engine.statements import Row
from store.outbox import words_of
from store.retention import AT_ONCE, delete_outbox, erase_texts
from store.sums import ADD_SUMS, SUM_KEYS, sum_columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """What is not over: messages, rows of the outbox that tell of some, and fragments that wait for others."""

    messages: tuple[int, ...] = ()
    untold: int = 0
    fragments: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptOfNumber:
    """What of a number stays: entries of stop lists, and where the address book has it."""

    stop_entries: int = 0
    list_members: int = 0
    users: int = 0


class BlottedWords(NamedTuple):
    """Words as they stand in a row from now on."""

    table: str
    column: str
    key: int
    words: str


_BLOT: Final = "…"
_OF_NOBODY: Final = "job_key IS NULL AND sms_key IS NULL"
_WORDS: Final = (
    ("support_request", "subject", ""),
    ("support_request", "trace", ""),
    ("support_post", "text", ""),
    ("outbox", "about", f"WHERE {_OF_NOBODY} AND kind = 'letter'"),
)
_WAITS = f"state IN ({words_of(WAITING)})"
_UNTOLD_JOBS = f"SELECT key FROM outbox WHERE job_key IN (??) AND {_WAITS}"  # noqa: S608 - words of ours
_UNTOLD_SMS = f"SELECT key FROM outbox WHERE sms_key IN (??) AND {_WAITS}"  # noqa: S608 - the same
_JOBS_TO = "SELECT DISTINCT job_key FROM message WHERE number = ?"
_FRAGMENTS = "SELECT count(*) FROM inbound_fragment WHERE source IN (?, ?)"
_DETAIL_OF = (
    "(customer_key, accepted_at, key) IN"
    " (SELECT j.customer_key, j.accepted_at, m.key FROM message m JOIN job j ON j.key = m.job_key WHERE {} IN (??))"
)
_ERASE_REFERENCES = f"UPDATE detail SET customer_ref = '' WHERE {_DETAIL_OF.format('m.key')} RETURNING key"  # noqa: S608
_ERASE_DETAILS = f"UPDATE detail SET sender = '' WHERE {_DETAIL_OF.format('j.key')} RETURNING key"  # noqa: S608
_ERASE_RECEIPTS = (
    "UPDATE receipt SET number = '' WHERE part_key IN (SELECT key FROM part WHERE message_key IN (??)) RETURNING key"
)
_ERASE_NUMBERS = (
    "UPDATE message SET number = '', given = '', orcpt = '', customer_ref = '', body = '', cut = '', replaced = ''"
    " WHERE key IN (??) RETURNING job_key"
)
_MAIL: Final = "subject = '', header = ?, body = NULL"
_SENDER: Final = ", ".join(
    f"{name} = ''"
    for name in (
        *("user_address", "sender", "reverse_path", "header_from", "header_sender"),
        *("mail_id", "mail_references", "helo", "evidence"),
    )
)
_ERASE_PHONES = (
    "UPDATE inbound_sms SET source = '', phone = '', body = '', shown = '', awaited = '', conversation_key = NULL,"
    " texts_until = NULL WHERE key IN (??) RETURNING key"
)
_ERASE_TARGETS = "UPDATE inbound_effect SET target = '' WHERE sms_key IN (??) AND target LIKE ? RETURNING key"
_OF_NUMBER = (
    "DELETE FROM automatic_answer WHERE phone = ?",
    "DELETE FROM concatenation WHERE number = ?",
    "DELETE FROM receipt WHERE part_key IS NULL AND number = ?",
)
_TAKE_SUM = (
    f"DELETE FROM traffic_sum WHERE {' AND '.join(f'{name} = ?' for name in SUM_KEYS)} RETURNING {sum_columns()}"  # noqa: S608
)
_USER: Final = SUM_KEYS.index("user_address")


def open_of_number(tx: Transaction, digits: str) -> Open:
    """Return what of a number is not over."""
    messages = tuple(key for (key,) in tx.rows("SELECT key FROM message WHERE number = ? AND NOT ended", (digits,)))
    jobs = [key for (key,) in tx.rows(_JOBS_TO, (digits,))]
    sms = [key for (key,) in tx.rows("SELECT key FROM inbound_sms WHERE phone = ?", (digits,))]
    untold = len(tx.rows_in(_UNTOLD_JOBS, jobs)) + len(tx.rows_in(_UNTOLD_SMS, sms))
    return Open(messages=messages, untold=untold, fragments=int(tx.value(_FRAGMENTS, (digits, f"+{digits}"))))


def open_of_jobs(tx: Transaction, jobs: Collection[int]) -> Open:
    """Return what of jobs is not over."""
    messages = tx.rows_in("SELECT key FROM message WHERE job_key IN (??) AND NOT ended", jobs)
    return Open(messages=tuple(key for (key,) in messages), untold=len(tx.rows_in(_UNTOLD_JOBS, jobs)))


def jobs_of_user(tx: Transaction, address: str) -> list[int]:
    """Return the keys of the jobs of a user, by the address in small letters."""
    return [key for (key,) in tx.rows("SELECT key FROM job WHERE sender = ?", (address,))]


def kept_of_number(tx: Transaction, digits: str) -> KeptOfNumber:
    """Return what stays of a number."""
    return KeptOfNumber(
        stop_entries=int(tx.value("SELECT count(*) FROM stop_entry WHERE number = ?", (digits,))),
        list_members=int(tx.value("SELECT count(*) FROM list_member WHERE number = ?", (digits,))),
        users=int(tx.value("SELECT count(DISTINCT user_key) FROM mail_user WHERE phone = ?", (digits,))),
    )


def erase_messages_to(tx: Transaction, numbers: list[str]) -> list[int]:
    """Erase some messages to each of numbers, and the mails of their jobs; returns how many."""
    return [_erase_messages_to(tx, digits) for digits in numbers]


def _erase_messages_to(tx: Transaction, digits: str) -> int:
    found = tx.rows("SELECT key FROM message WHERE number = ? AND ended LIMIT ?", (digits, AT_ONCE))
    keys = [key for (key,) in found]
    tx.rows_in(_ERASE_REFERENCES, keys)
    tx.rows_in(_ERASE_RECEIPTS, keys)
    _erase_mails(tx, {key for (key,) in tx.rows_in(_ERASE_NUMBERS, keys)}, _MAIL)
    return len(keys)


def _erase_mails(tx: Transaction, jobs: Collection[int], columns: str) -> None:
    """Erase the mails that jobs came by, and what was told of them by SMPP, which repeats text and number."""
    tx.execute_many(f"UPDATE job SET {columns} WHERE key = ?", [(b"", key) for key in sorted(jobs)])  # noqa: S608 - ours
    delete_outbox(tx, "job_key", jobs, "AND channel = 'smpp' AND ended_at IS NOT NULL")


def erase_sms_from(tx: Transaction, phones: list[str]) -> list[int]:
    """Erase some inbound SMS of each of phones, and what was told of them; returns how many."""
    return [_erase_sms_from(tx, digits) for digits in phones]


def _erase_sms_from(tx: Transaction, digits: str) -> int:
    keys = [key for (key,) in tx.rows("SELECT key FROM inbound_sms WHERE phone = ? LIMIT ?", (digits, AT_ONCE))]
    tx.rows_in(_ERASE_TARGETS, keys, (f"%{digits}%",))
    delete_outbox(tx, "sms_key", keys, "AND ended_at IS NOT NULL")
    tx.rows_in(_ERASE_PHONES, keys)
    return len(keys)


def erase_traces_of(tx: Transaction, numbers: list[str]) -> list[int]:
    """Erase what else is known of numbers; returns how many conversations that were."""
    for digits in numbers:
        for statement in _OF_NUMBER:
            tx.execute(statement, (digits,))
        tx.execute("DELETE FROM portal_draft WHERE content LIKE ?", (f"%{digits}%",))
    return [tx.execute("DELETE FROM conversation WHERE phone = ?", (digits,)) for digits in numbers]


def words_naming(tx: Transaction, pattern: re.Pattern[str]) -> list[BlottedWords]:
    """Return what people wrote about something that a pattern finds, in support requests and letters, without it."""
    return [
        BlottedWords(table, column, key, pattern.sub(_BLOT, words))
        for table, column, condition in _WORDS
        for key, words in tx.rows(f"SELECT key, {column} FROM {table} {condition}")  # noqa: S608 - ours
        if pattern.search(words)
    ]


def blot_words(tx: Transaction, portions: list[Sequence[BlottedWords]]) -> list[int]:
    """Store words in the place of those that named somebody; returns how many."""
    for portion in portions:
        for words in portion:
            tx.execute(f"UPDATE {words.table} SET {words.column} = ? WHERE key = ?", (words.words, words.key))  # noqa: S608
    return [len(portion) for portion in portions]


def kept_contents(tx: Transaction, *, ended: bool) -> list[tuple[int, bytes]]:
    """Return what rows of the outbox carry that belong to no job and no SMS: their keys and contents, packed."""
    condition = "ended_at IS NOT NULL" if ended else _WAITS
    rows = tx.rows(f"SELECT key, content FROM outbox WHERE {_OF_NOBODY} AND content IS NOT NULL AND {condition}")  # noqa: S608
    return [(key, bytes(content)) for key, content in rows]


def erase_contents(tx: Transaction, portions: list[Sequence[int]]) -> list[int]:
    """Erase what rows of the outbox carry; returns how many."""
    statement = "UPDATE outbox SET content = NULL WHERE key IN (??) RETURNING key"
    return [len(tx.rows_in(statement, keys)) for keys in portions]


def erase_texts_of(tx: Transaction, portions: list[Sequence[int]]) -> list[int]:
    """Erase some texts of jobs; returns how many."""
    return [erase_texts(tx, jobs) for jobs in portions]


def erase_senders_of(tx: Transaction, portions: list[Sequence[int]]) -> list[int]:
    """Erase who sent jobs, and the mails that they came by; returns how many jobs."""
    for jobs in portions:
        tx.rows_in(_ERASE_DETAILS, jobs)
        _erase_mails(tx, jobs, f"{_MAIL}, {_SENDER}")
        tx.rows_in(
            "UPDATE outbox SET recipient = '' WHERE job_key IN (??) AND ended_at IS NOT NULL RETURNING key", jobs
        )
    return [len(jobs) for jobs in portions]


def mails_to(tx: Transaction, address: str) -> list[int]:
    """Return the keys of what went to an address, in small letters, and has ended."""
    return [
        key
        for (key,) in tx.rows("SELECT key FROM outbox WHERE lower(recipient) = ? AND ended_at IS NOT NULL", (address,))
    ]


def effects_to(tx: Transaction, address: str) -> list[int]:
    """Return the keys of effects of inbound SMS whose target is an address, in small letters."""
    return [key for (key,) in tx.rows("SELECT key FROM inbound_effect WHERE lower(target) = ?", (address,))]


def erase_mails_to(tx: Transaction, portions: list[Sequence[int]]) -> list[int]:
    """Erase the addresses of rows of the outbox; returns how many."""
    return [
        len(tx.rows_in("UPDATE outbox SET recipient = '' WHERE key IN (??) RETURNING key", keys)) for keys in portions
    ]


def erase_effects_to(tx: Transaction, portions: list[Sequence[int]]) -> list[int]:
    """Erase the targets of effects; returns how many."""
    return [
        len(tx.rows_in("UPDATE inbound_effect SET target = '' WHERE key IN (??) RETURNING key", keys))
        for keys in portions
    ]


def sums_of_user(tx: Transaction, address: str) -> list[Row]:
    """Return the keys of the sums of a user."""
    return tx.rows(f"SELECT {', '.join(SUM_KEYS)} FROM traffic_sum WHERE user_address = ?", (address,))  # noqa: S608 - ours


def erase_sums_of(tx: Transaction, portions: list[Sequence[Row]]) -> list[int]:
    """Have sums count for no user any more; returns how many."""
    for keys in portions:
        taken = [row for rows in tx.rows_each(_TAKE_SUM, keys) for row in rows]
        tx.insert(ADD_SUMS, [(*row[:_USER], "", *row[_USER + 1 :]) for row in taken])
    return [len(keys) for keys in portions]


def erase_drops_of(tx: Transaction, addresses: list[str]) -> list[int]:
    """Delete the traces of mails that were dropped and came from addresses; returns how many."""
    statement = "DELETE FROM dropped_mail WHERE lower(header_from) = ? OR lower(reverse_path) = ?"
    return [tx.execute(statement, (address, address)) for address in addresses]
