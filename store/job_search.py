"""Finds jobs by number, sender, customer, state and time, newest first, however many there are.

Each question goes through one index: of a number, of messages that ended badly, or of all jobs by their time; what else
is asked of messages goes through the details of each customer. Not here: everything of one job (views), what waits
(queue).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from msgspec import Struct

from sms.lifecycle import OPEN, SUCCESS, MessageState
from store.details import DetailFilter, DetailPlace, find_places, of_sender
from store.engine.database import Transaction
from store.engine.keys import to_instant, to_instant_if_set
from store.engine.rows import query
from store.tables import ENDED_BADLY

_PAGE = 500
_NEWEST = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs are wanted; what is empty or None asks for nothing.

    `number` is E.164 without the plus; `sender` a canonical address, or `@` and a domain; `sender_id` is
    what the handset shows. Instants are microseconds, `until` is not within.
    """

    number: str = ""
    sender: str = ""
    sender_id: str = ""
    proof: str = ""
    customer_key: int | None = None
    states: frozenset[MessageState] = frozenset()
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundJob:
    """One job in a list of them: whose, when, to whom, and how many of its messages are in which state.

    `number` is that of its message, or of the first of several.
    """

    public_id: str
    accepted_at: datetime
    settled_at: datetime | None
    customer: str
    sender: str
    service: str
    proof: str
    subject: str
    number: str
    parts: int = 0
    states: Mapping[MessageState, int] = field(default_factory=dict)


class _Job(Struct, frozen=True, array_like=True):
    key: int
    public_id: str
    accepted_at: int
    settled_at: int | None
    customer: str
    sender: str
    service: str
    proof: str
    subject: str


class _States(Struct, frozen=True, array_like=True):
    job_key: int
    state: MessageState
    messages: int
    parts: int
    number: str


_JOBS = query(_Job, "FROM job WHERE key IN (??)")
_STATES = query(
    _States,
    "FROM message WHERE job_key IN (??) GROUP BY job_key, state ORDER BY job_key",
    messages="COUNT(*)",
    parts="SUM(part_count)",
    number="MIN(number)",
)


def search_jobs(tx: Transaction, wanted: JobFilter, most: int) -> list[FoundJob]:
    """Return the newest jobs that fit, newest first, at most so many."""
    keys = list(_keys(tx, wanted, most))
    states: dict[int, list[_States]] = {}
    for row in tx.select_in(_States, _STATES, keys):
        states.setdefault(row.job_key, []).append(row)
    jobs = {job.key: _found(job, states.get(job.key, [])) for job in tx.select_in(_Job, _JOBS, keys)}
    return [jobs[key] for key in keys if key in jobs]


def _found(job: _Job, states: list[_States]) -> FoundJob:
    return FoundJob(
        public_id=job.public_id,
        accepted_at=to_instant(job.accepted_at),
        settled_at=to_instant_if_set(job.settled_at),
        customer=job.customer,
        sender=job.sender,
        service=job.service,
        proof=job.proof,
        subject=job.subject,
        number=min((row.number for row in states), default=""),
        parts=sum(row.parts for row in states),
        states={row.state: row.messages for row in states},
    )


def _keys(tx: Transaction, wanted: JobFilter, most: int) -> Iterator[int]:
    """Yield the keys of the newest jobs that fit, each once."""
    ended_badly = bool(wanted.states) and wanted.states.isdisjoint(OPEN | SUCCESS)
    if wanted.number or (ended_badly and not wanted.sender and wanted.customer_key is None):
        yield from _through_messages(tx, wanted, most)
        return
    if wanted.states or wanted.sender_id:
        yield from _through_details(tx, wanted, most)
        return
    conditions, values = _of_job(wanted)
    where = " AND ".join(["j.accepted_at >= 0", *conditions])
    found = f"SELECT j.key FROM job j WHERE {where} ORDER BY j.accepted_at DESC, j.key DESC LIMIT ?"  # noqa: S608 - ours
    yield from (key for (key,) in tx.rows(found, (*values, most)))


def _of_job(wanted: JobFilter) -> tuple[list[str], list[Any]]:
    conditions, values = list[str](), list[Any]()
    if wanted.customer_key is not None:
        conditions.append("j.customer_key = ?")
        values.append(wanted.customer_key)
    if wanted.proof:
        conditions.append("j.proof = ?")
        values.append(wanted.proof)
    if wanted.sender:
        condition, value = of_sender("j.sender", wanted.sender)
        conditions.append(condition)
        values.append(value)
    for sign, instant in ((">=", wanted.since), ("<", wanted.until)):
        if instant is not None:
            conditions.append(f"j.accepted_at {sign} ?")
            values.append(instant)
    return conditions, values


def _of_message(wanted: JobFilter) -> tuple[list[str], list[Any]]:
    conditions, values = list[str](), list[Any]()
    if wanted.number:
        conditions.append("m.number = ?")
        values.append(wanted.number)
    if wanted.sender_id:
        conditions.append("m.sender = ?")
        values.append(wanted.sender_id)
    if wanted.states:
        condition, states = _in_states(wanted)
        conditions.append(condition)
        values += states
    if not wanted.number:
        conditions.append(f"m.{ENDED_BADLY}")
    return conditions, values


def _in_states(wanted: JobFilter) -> tuple[str, list[str]]:
    states = sorted(state.value for state in wanted.states)
    return f"m.state IN ({', '.join('?' * len(states))})", states


def _through_messages(tx: Transaction, wanted: JobFilter, most: int) -> Iterator[int]:
    """Yield the jobs of messages to a number, or of those that ended badly."""
    of_message, message_values = _of_message(wanted)
    of_job, job_values = _of_job(wanted)
    conditions, values = [*of_message, *of_job], [*message_values, *job_values]
    # CROSS JOIN: SQLite then begins with the messages, whose index bounds the work.
    found = (
        "SELECT m.key, m.job_key FROM message m CROSS JOIN job j"  # noqa: S608 - conditions of ours
        f" WHERE j.key = m.job_key AND m.key < ? AND {' AND '.join(conditions)} ORDER BY m.key DESC LIMIT ?"
    )
    below, seen = _NEWEST, set[int]()
    while True:
        rows = tx.rows(found, (below, *values, _PAGE))
        for _, job_key in rows:
            if job_key not in seen:
                seen.add(job_key)
                yield job_key
                if len(seen) == most:
                    return
        if len(rows) < _PAGE:
            return
        below = rows[-1][0]


def _through_details(tx: Transaction, wanted: JobFilter, most: int) -> list[int]:
    """Return the jobs of messages of each customer; its details stop where enough of them are found."""
    customers = _customers(tx) if wanted.customer_key is None else [wanted.customer_key]
    found = [job for customer in customers for job in _jobs_of(tx, customer, wanted, most)]
    return [key for _, key in sorted(found, reverse=True)[:most]]


def _customers(tx: Transaction) -> Iterator[int]:
    key = -1
    while (key := tx.value("SELECT min(customer_key) FROM detail WHERE customer_key > ?", (key,))) is not None:
        yield key


def _jobs_of(tx: Transaction, customer_key: int, wanted: JobFilter, most: int) -> list[tuple[int, int]]:
    """Return when the newest jobs of a customer that fit were accepted, with their keys."""
    asked = DetailFilter(
        customer_key=customer_key,
        states=wanted.states,
        sender=wanted.sender,
        sender_id=wanted.sender_id,
        since=wanted.since,
        until=wanted.until,
    )
    jobs = "SELECT m.key, m.job_key FROM message m JOIN job j ON j.key = m.job_key WHERE m.key IN (??)"
    proof = [wanted.proof] if wanted.proof else []
    portion = min(_PAGE, 4 * most)
    found: dict[int, int] = {}
    after: DetailPlace | None = None
    while len(found) < most:
        places = find_places(tx, asked, portion, after)
        job_of: dict[int, int] = dict(
            tx.rows_in(jobs + " AND j.proof = ?" * len(proof), [place.key for place in places], proof)
        )
        found |= {job_of[place.key]: place.accepted_at for place in places if place.key in job_of}
        if len(places) < portion:
            break
        after = places[-1]
    return sorted(((accepted_at, key) for key, accepted_at in found.items()), reverse=True)[:most]
