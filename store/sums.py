"""Sums of what was sent and received: which jobs are due, their details as lines, and what is added, each once.

A job is due from the transaction in which its last message ends, and again from each that changes an ended message. It
is read in one snapshot and added under the number of changes seen there: of two nodes, or of two tries, one counts.
Not here: what a line counts as (reports.counting), what the archive shows (archive).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Final

from msgspec import Struct

from sms.route import SANDBOX_ROUTE
from store.engine.database import Transaction
from store.engine.rows import query
from store.engine.statements import Insert, Row, Update
from store.meta import begin_meta
from store.sums_tables import JobSumRow, RulingSumRow, TrafficSumRow

AT_ONCE: Final = 8
"""So many jobs, and so many inbound SMS, are summed in one step."""
_TURN: Final = "sums"


class DueJob(Struct, frozen=True, array_like=True):
    """A job to be summed; `closed_at` in microseconds, `settings` is JSON. `counted` is empty where it never was."""

    job_key: int
    customer_key: int
    closed_at: int
    changes: int
    counted: str
    service: str
    sender: str
    login: str
    settings: str


class CountedLine(Struct, frozen=True, array_like=True):
    """What a message, a part of it at its carrier, or a part at one that gave it back counts for in its job.

    `country` is that of its number when it was accepted, empty where that was not written down.
    """

    job_key: int
    number: str
    country: str
    state: str
    carrier: str
    messages: int
    parts: int
    billed: int
    unanswered: int


class RuledMessages(Struct, frozen=True, array_like=True):
    """How many messages of a job the rules of a country did the same to; `findings` is JSON (store.rulings)."""

    job_key: int
    country: str
    findings: str
    messages: int


class UnsummedSms(Struct, frozen=True, array_like=True):
    """An inbound SMS to be summed; `handled_at` in microseconds. `part_count` is 0 where it was not written down."""

    key: int
    customer_key: int | None
    phone: str
    carrier: str
    total: int
    missing: str
    late_of: int | None
    handled_at: int
    part_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSum:
    """What is added to one row of the sums, in the order of its columns (store.sums_tables)."""

    customer_key: int
    day: str
    zone: str
    direction: str
    service: str
    cost_centre: str
    user_address: str
    country: str
    carrier: str
    state: str
    corrected_on: str
    messages: int
    parts: int
    billed: int
    unanswered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRulingSum:
    """What is added to one row of what rules did, in the order of its columns."""

    customer_key: int
    day: str
    country: str
    rule: str
    effect: str
    messages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SumRecord:
    """What a job adds to the sums, if it has changed no more than `changes` times, and what then stands in them.

    `texts_until` is when its texts go, in microseconds; None where they stay as long as its details.
    """

    job_key: int
    changes: int
    counted: str
    texts_until: int | None
    news: tuple[NewSum, ...]
    ruled: tuple[NewRulingSum, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsRecord:
    """What an inbound SMS adds to the sums; `texts_until` as that of a job."""

    key: int
    texts_until: int | None
    new: NewSum


@dataclass(frozen=True, slots=True, kw_only=True)
class SumStep:
    """Jobs and inbound SMS that are added in one transaction."""

    jobs: tuple[SumRecord, ...] = ()
    inbound: tuple[SmsRecord, ...] = ()


_COLUMNS = tuple(item.name for item in fields(NewSum))
_FIGURES = ("messages", "parts", "billed", "unanswered")
SUM_KEYS: Final = _COLUMNS[: -len(_FIGURES)]
"""The columns that tell the sums apart."""
_KEYS = len(SUM_KEYS)
_VALUES = attrgetter(*_COLUMNS)
ADD_SUMS = Insert(TrafficSumRow, *_COLUMNS, add=_FIGURES)
_RULED_COLUMNS = tuple(item.name for item in fields(NewRulingSum))
_RULED_VALUES = attrgetter(*_RULED_COLUMNS)
_ADD_RULED = Insert(RulingSumRow, *_RULED_COLUMNS, add=("messages",))
_CLOSED = Insert(JobSumRow)
_CHANGED = Update(JobSumRow, key=("job_key",), also="changes = changes + 1")
_DUE = query(
    DueJob,
    # The due ones first: else PostgreSQL may walk all jobs beside them.
    "FROM (SELECT * FROM job_sum WHERE changes > 0 ORDER BY job_key LIMIT ?) AS s JOIN job j ON j.key = s.job_key"
    " ORDER BY s.job_key",
    "j",
    job_key="s.job_key",
    customer_key="s.customer_key",
    closed_at="s.closed_at",
    changes="s.changes",
    counted="s.counted",
)
# What is sent with a sandbox key costs nothing.
_COUNTED = f"m.job_key IN (??) AND m.route <> '{SANDBOX_ROUTE}'"
_COUNTRY = (
    "coalesce((SELECT d.country FROM detail d JOIN job j ON j.key = m.job_key"
    " WHERE d.customer_key = j.customer_key AND d.accepted_at = j.accepted_at AND d.key = m.key), '')"
)
_OF_MESSAGES = query(
    CountedLine,
    f"FROM message m WHERE {_COUNTED}",
    "m",
    country=_COUNTRY,
    carrier="coalesce((SELECT max(p.carrier) FROM part p WHERE p.message_key = m.key), '')",
    messages="1",
    parts="m.part_count",
    billed="0",
    unanswered="0",
)
# As sms.report.ReportedPart.billed says it; each time that a part was sent again its carrier may have it once more.
_OF_PARTS = query(
    CountedLine,
    f"FROM message m JOIN part p ON p.message_key = m.key WHERE {_COUNTED}",
    "m",
    country=_COUNTRY,
    carrier="p.carrier",
    messages="0",
    parts="0",
    billed="CASE WHEN p.carrier_id <> '' OR p.state = 'submitted' THEN 1 ELSE 0 END",
    unanswered="p.resends + CASE WHEN p.carrier_id = '' AND p.state = 'unknown' THEN 1 ELSE 0 END",
)
_OF_ATTEMPTS = query(
    CountedLine,
    "FROM message m JOIN part p ON p.message_key = m.key JOIN part_attempt a ON a.part_key = p.key"
    f" WHERE {_COUNTED} AND a.carrier_id <> ''",
    "m",
    country=_COUNTRY,
    carrier="a.carrier",
    messages="0",
    parts="0",
    billed="1",
    unanswered="0",
)
_RULED = query(
    RuledMessages,
    f"FROM message m JOIN ruling r ON r.digest = m.ruling WHERE {_COUNTED} GROUP BY m.job_key, r.digest",
    "m",
    country="r.country",
    findings="r.findings",
    messages="COUNT(*)",
)
_UNSUMMED = query(UnsummedSms, "FROM inbound_sms WHERE NOT summed ORDER BY key LIMIT ?")
_SUMMED = (
    "UPDATE job_sum SET texts_until = CASE counted WHEN '' THEN ? ELSE texts_until END, changes = 0, counted = ?"
    " WHERE job_key = ? AND changes = ? RETURNING job_key"
)
_NEXT_CUSTOMER = "SELECT min(customer_key) FROM traffic_sum WHERE customer_key > ?"
_SUMMED_SMS = "UPDATE inbound_sms SET summed = TRUE, texts_until = ? WHERE key = ? AND NOT summed RETURNING key"


def sum_columns() -> str:
    """Return the columns of a sum, in the order of `ADD_SUMS`, as they stand in SQL."""
    return ", ".join(_COLUMNS)


def close_jobs(tx: Transaction, jobs: Iterable[tuple[int, int]], now: int, *, counted: bool = True) -> None:
    """Note that jobs have closed, each by key and customer; those that are not `counted` add nothing to the sums."""
    tx.insert(
        _CLOSED,
        [
            _CLOSED.row(job_key=key, customer_key=customer_key, closed_at=now, changes=int(counted))
            for key, customer_key in jobs
        ],
    )


def note_changes(tx: Transaction, job_keys: Iterable[int]) -> None:
    """Note that ended messages of jobs have changed; one that has not closed yet is not there."""
    tx.update(_CHANGED, [(key,) for key in sorted(job_keys)])


def find_due_jobs(tx: Transaction, most: int = AT_ONCE) -> list[DueJob]:
    """Return jobs that are to be summed, oldest first."""
    return tx.select(DueJob, _DUE, (most,))


def read_lines(tx: Transaction, job_keys: Sequence[int]) -> Iterator[CountedLine]:
    """Yield what the details of jobs count for, in any order."""
    for statement in (_OF_MESSAGES, _OF_PARTS, _OF_ATTEMPTS):
        yield from tx.each_in(CountedLine, statement, job_keys)


def read_ruled(tx: Transaction, job_keys: Sequence[int]) -> list[RuledMessages]:
    """Return what rules of countries did to the messages of jobs."""
    return tx.select_in(RuledMessages, _RULED, job_keys)


def find_unsummed_sms(tx: Transaction, most: int = AT_ONCE) -> list[UnsummedSms]:
    """Return inbound SMS that are to be summed, oldest first."""
    return tx.select(UnsummedSms, _UNSUMMED, (most,))


def add_sums(tx: Transaction, steps: list[SumStep]) -> list[int]:
    """Add to the sums what was read; returns of each step how much of it counted. One node at a time does so."""
    return [_add(tx, step) if take_turn(tx, _TURN) else 0 for step in steps]


def _add(tx: Transaction, step: SumStep) -> int:
    jobs = [(job.texts_until, job.counted, job.job_key, job.changes) for job in step.jobs]
    done = {key for rows in tx.rows_each(_SUMMED, jobs) for (key,) in rows}
    inbound = [(sms.texts_until, sms.key) for sms in step.inbound]
    of_sms = {key for rows in tx.rows_each(_SUMMED_SMS, inbound) for (key,) in rows}
    news = [new for job in step.jobs if job.job_key in done for new in job.news]
    news += [sms.new for sms in step.inbound if sms.key in of_sms]
    tx.insert(ADD_SUMS, add_up(news))
    tx.insert(_ADD_RULED, _add_up_ruled(job for job in step.jobs if job.job_key in done))
    return len(done) + len(of_sms)


def add_up(news: Iterable[NewSum]) -> list[Row]:
    """Return the rows of `ADD_SUMS`, one for what goes into the same row of the sums."""
    summed: dict[Row, list[int]] = {}
    for new in news:
        values = _VALUES(new)
        figures = summed.setdefault(values[:_KEYS], [0] * len(_FIGURES))
        for index, value in enumerate(values[_KEYS:]):
            figures[index] += value
    return [(*key, *figures) for key, figures in summed.items()]


def _add_up_ruled(records: Iterable[SumRecord]) -> list[Row]:
    """Return rows of what rules did, one for what is alike."""
    summed = Counter[tuple[str | int, ...]]()
    for record in records:
        for one in record.ruled:
            *key, messages = _RULED_VALUES(one)
            summed[tuple(key)] += messages
    return [(*key, messages) for key, messages in summed.items()]


def customers_of_sums(tx: Transaction) -> Iterator[int]:
    """Yield the customers that have sums, each by one look into their index."""
    key = -1
    while (key := tx.value(_NEXT_CUSTOMER, (key,))) is not None:
        yield key


def take_turn(tx: Transaction, name: str) -> bool:
    """Return whether this transaction alone does what goes by a name: no other waits for it, nor it for another."""
    if not tx.postgresql:
        return True
    begin_meta(tx, name, "")
    return bool(tx.rows("SELECT name FROM meta WHERE name = ? FOR UPDATE SKIP LOCKED", (name,)))
