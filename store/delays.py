"""Jobs that take long: each job's sender is told once, when the job has been open for the operator's time.

Jobs are examined once, in the order of their acceptance: the place reached is kept in the database, so a sweep costs
what was accepted since the last one, whatever else is stored. Not here: when to sweep (gateway.delays), and whether
a machine wants to know (mta.sending.dsn).
"""

from dataclasses import dataclass
from datetime import timedelta

from msgspec import Struct

from sms.report import NoticeKind, addressees
from sms.settings import StatusChannel, StatusReport
from store.engine.database import Transaction
from store.engine.keys import Keys
from store.engine.rows import query
from store.meta import begin_meta, lock_meta, put_meta
from store.outbox import OUTBOX, notice_row

_PLACE = "delays_told_until"
_MOST = 500
# No validity is longer than 7 days; an older job that is open only awaits a receipt that no longer comes.
_OLDEST = int(timedelta(days=8).total_seconds()) * 1_000_000


class _OpenJob(Struct, frozen=True, array_like=True):
    """A job that has not settled, and how its sender is told."""

    key: int
    accepted_at: int
    reverse_path: str
    report: StatusReport
    channel: StatusChannel
    push_url: str


_OPEN = query(
    _OpenJob,
    "FROM job WHERE accepted_at >= ? AND accepted_at <= ? AND (accepted_at > ? OR key > ?) AND settled_at IS NULL"
    " ORDER BY accepted_at, key LIMIT ?",
)


# What goes out at its sender's time, and was not tried, is late only after that.
_SCHEDULED = (
    "SELECT job_key, min(due_at) FROM message WHERE job_key IN (??) AND NOT ended GROUP BY job_key"
    " HAVING min(CASE WHEN attempts = 0 AND NOT held AND state = 'queued' AND due_at > ? THEN 1 ELSE 0 END) = 1"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayCursor:
    """The last job that was examined, in order of acceptance (microseconds), then key."""

    accepted_at: int = 0
    key: int = 0


def find_late(tx: Transaction, since: DelayCursor, until: int) -> DelayCursor | None:
    """Return the place just before the first open job accepted after a place and not after `until`; None for none."""
    jobs = _open_jobs(tx, since, until, 1)
    return DelayCursor(accepted_at=jobs[0].accepted_at, key=jobs[0].key - 1) if jobs else None


def _open_jobs(tx: Transaction, since: DelayCursor, until: int, most: int) -> list[_OpenJob]:
    start = max(since.accepted_at, until - _OLDEST)
    return tx.select(_OpenJob, _OPEN, (start, until, start, since.key, most))


@dataclass(frozen=True, slots=True, kw_only=True)
class TellLate:
    """A request to tell of jobs accepted after `since`, before which none is open untold, and not after `until`.

    `until` and `now` are in microseconds.
    """

    since: DelayCursor
    until: int
    now: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldLate:
    """How many notices were written, up to which place; ask again while `more`."""

    notices: int
    place: DelayCursor
    more: bool


class DelayStore:
    """The statements of delays; `tell` is a batch function for `Database.write`."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def tell(self, tx: Transaction, requests: list[TellLate]) -> list[ToldLate]:
        """Write the notices of the next open jobs that are due to be told of."""
        return [self._tell(tx, request) for request in requests]

    def _tell(self, tx: Transaction, request: TellLate) -> ToldLate:
        place = max(_read_place(tx), request.since, key=lambda place: (place.accepted_at, place.key))
        jobs = _open_jobs(tx, place, request.until, _MOST)
        starts: dict[int, int] = dict(tx.rows_in(_SCHEDULED, [job.key for job in jobs], (request.now,)))
        # The notice of one that is scheduled waits for its start and as long; it is dropped if its job settles first.
        after = request.now - request.until
        rows = [
            notice_row(self._keys.take(), job.key, NoticeKind.DELAYED.value, way, late_at)
            for job in jobs
            if job.report is not StatusReport.NEVER
            for late_at in (starts[job.key] + after if job.key in starts else request.now,)
            for way in addressees(job.channel, job.reverse_path, job.push_url)
        ]
        tx.insert(OUTBOX, rows)
        if jobs:
            place = DelayCursor(accepted_at=jobs[-1].accepted_at, key=jobs[-1].key)
            put_meta(tx, _PLACE, f"{place.accepted_at} {place.key}")
        return ToldLate(notices=len(rows), place=place, more=len(jobs) == _MOST)


def _read_place(tx: Transaction) -> DelayCursor:
    # Written first and then locked, so that two processes never tell of the same job.
    begin_meta(tx, _PLACE, "0 0")
    place = lock_meta(tx, _PLACE)
    accepted_at, _, key = str(place).partition(" ")
    return DelayCursor(accepted_at=int(accepted_at), key=int(key))
