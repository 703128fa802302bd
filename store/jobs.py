"""Jobs in: accepted jobs are added, and what was accepted before is known again.

Not here: how parts are taken (due), what answers, receipts and crashes change (results), notices (outbox), views for
people (views).
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from msgspec import Struct
from msgspec.structs import replace

from inbound.stop_list import StopList
from sms.job import FirstUse, NewJob, NewMessage
from sms.lifecycle import MessageState
from sms.message import PartToSubmit
from sms.outcome import Refusal
from sms.schedule import Schedule
from sms.usage import LimitReached
from store.directory import read_version
from store.due import Take, take_due
from store.engine.database import Transaction
from store.engine.keys import Keys, PublicIds, to_stored
from store.job_rows import JobRows
from store.leases import check_alive
from store.message_pushes import ReachedState, push_row
from store.outbox import notice_row
from store.references import count_references, forget_references
from store.stop_list import STOPPED, stop_messages, stops_in_force
from store.sums import close_jobs
from store.usage import UsageLedger, UsageNews

_LATE = timedelta(minutes=15)
"""Who sends is told at once of SMS that go out later than this."""


class Added(Struct, frozen=True, kw_only=True):
    """What became of a new job: stored under `public_id`, or nothing stored since all of it was known already.

    `stale` says that the directory moved: nothing was stored and the job must be resolved again. `duplicate` says that
    the job named by `public_id` sent the same texts to the same numbers a short time ago, and nothing was stored.
    `stopped` says the same of a job of which stop lists leave no recipient, `replayed` of one whose mail was bound to
    other recipients by its first use, `over` of one for which a limit has no room. `news` is what it did to its limits.
    `refused` are its recipients who get nothing, with the reason; `key` is that of the new job.
    """

    public_id: str
    repeated: bool = False
    duplicate: bool = False
    stale: bool = False
    stopped: bool = False
    replayed: bool = False
    over: LimitReached | None = None
    news: Sequence[UsageNews] = ()
    skipped: tuple[str, ...] = ()
    key: int = 0
    refused: Mapping[str, str] = {}


# One query, since each waits for its answer; always a row, whose digest is null where none was seen.
_VERSION_AND_SEEN = (
    "SELECT (SELECT value FROM meta WHERE name = 'directory_version'), s.digest, s.until, j.public_id"
    " FROM (SELECT 1) AS one LEFT JOIN seen s ON s.digest IN (??) LEFT JOIN job j ON j.key = s.job_key"
)


class Outbound:
    """The statements of acceptance and dispatch; its methods are batch functions for `Database.write`."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._ids = PublicIds()

    def add_jobs(self, tx: Transaction, new_jobs: list[NewJob]) -> list[Added]:
        """Store jobs with their messages, notices and digests; recipients already seen are left out."""
        digests = {
            digest
            for job in new_jobs
            for message in job.messages
            for digest in (message.digest, message.duplicate)
            if digest
        }
        digests |= {key for job in new_jobs for key in _keys_of(job.first_use)}
        now = to_stored(max(job.accepted_at for job in new_jobs))
        current, seen = self._version_and_seen(tx, digests, now)
        long = [
            message.number.digits
            for job in new_jobs
            for message in job.messages
            if message.number and message.encoded and len(message.encoded.lengths) > 1
        ]
        rows = JobRows(references=count_references(tx, long, now))
        stops = StopList(stops_in_force(tx, _stoppable(new_jobs)))
        usage = UsageLedger(tx, new_jobs)
        added = []
        for job in new_jobs:
            if job.directory_version != current:
                added.append(Added(public_id="", stale=True))
            elif _is_replayed(job.first_use, seen):
                added.append(Added(public_id="", replayed=True))
            elif job.first_use is not None and job.first_use.once and job.first_use.marker in seen:
                added.append(Added(public_id=seen[job.first_use.marker], repeated=True))
            else:
                added.append(self._add(job, seen, stops, usage, rows))
        rows.insert(tx)
        close_jobs(tx, rows.dry_runs, now, counted=False)
        usage.write()
        return added

    def _version_and_seen(self, tx: Transaction, digests: set[bytes], now: int) -> tuple[int, dict[bytes, str]]:
        """Return the directory's version, and the public id of the first job of each digest.

        A digest whose time has ended is forgotten here.
        """
        if not digests:
            return read_version(tx), {}
        rows = tx.rows_in(_VERSION_AND_SEEN, digests)
        found = [(bytes(digest), until, first) for _, digest, until, first in rows if digest is not None]
        over = sorted({digest for digest, until, _ in found if until <= now})
        tx.execute_many("DELETE FROM seen WHERE digest = ?", [(digest,) for digest in over])
        return int(rows[0][0] or 0), {digest: first for digest, until, first in found if until > now}

    def _add(self, job: NewJob, seen: dict[bytes, str], stops: StopList, usage: UsageLedger, rows: JobRows) -> Added:
        fresh = [message for message in job.messages if message.digest not in seen]
        skipped: tuple[str, ...] = ()
        if len(fresh) < len(job.messages):
            skipped = tuple(message.given for message in job.messages if message.digest in seen)
        sifted = _sift(job, fresh, skipped, seen, stops)
        if isinstance(sifted, Added):
            return sifted
        counted = usage.take(job, sifted)
        if isinstance(counted, LimitReached):
            return Added(public_id="", over=counted)
        key, public_id = self._keys.take(), self._ids.take("J", job.accepted_at)
        accepted_at = to_stored(job.accepted_at)
        refused = [message for message in sifted if message.encoded is None]
        rows.add_job(job, key, public_id, accepted_at, len(sifted) - len(refused))
        is_late = False
        for seq, message in enumerate(sifted):
            message_key = self._keys.take()
            turned = _in_turn(job, message, usage)
            is_late |= turned.schedule is not None and turned.schedule.due_at - job.accepted_at > _LATE
            rows.add_message(job, turned, message_key, seq, self._ids.take("S", job.accepted_at))
            if message.encoded is None and MessageState.REJECTED in job.push_states:
                reached = _refusal(message_key, key, message)
                rows.notices.append(push_row(self._keys.take(), reached, job.push_url, accepted_at))
            if message.digest:
                seen[message.digest] = public_id
                rows.add_seen(message.digest, key, job.seen_until)
            if message.duplicate and message.encoded is not None:
                seen[message.duplicate] = public_id
                rows.add_seen(message.duplicate, key, job.duplicate_until)
        for bound in _bind(job.first_use, seen, public_id):
            rows.add_seen(bound, key, job.seen_until)
        for kind, way in (*job.notices, *(job.late_notices if is_late else ())):
            rows.notices.append(notice_row(self._keys.take(), key, kind.value, way, accepted_at))
        reasons = {message.given: message.reason for message in refused} if refused else {}
        return Added(public_id=public_id, key=key, skipped=skipped, news=counted, refused=reasons)

    def take(self, tx: Transaction, takes: list[Take]) -> list[list[PartToSubmit]]:
        """Return parts for each carrier and mark them `submitting`: committed before a byte goes out.

        Express first, then by due time; whole messages, except where the first alone has more parts than there is room.
        Raises LeaseLostError for an owner that was declared dead.
        """
        check_alive(tx, (request.owner for request in takes))
        blocked: set[int] = set()
        taken = [take_due(tx, self._keys, request, blocked) for request in takes]
        stop_messages(tx, self._keys, blocked, max(request.now for request in takes))
        return taken

    def forget_digests(self, tx: Transaction, digests: list[tuple[bytes, ...]]) -> list[None]:
        """Delete digests before their time has ended."""
        tx.execute_many("DELETE FROM seen WHERE digest = ?", sorted({(digest,) for some in digests for digest in some}))
        return [None] * len(digests)

    def forget_seen(self, tx: Transaction, nows: list[int]) -> list[int]:
        """Delete up to 5,000 digests and as many references whose time has ended; returns how many."""
        return [
            tx.execute("DELETE FROM seen WHERE digest IN (SELECT digest FROM seen WHERE until <= ? LIMIT 5000)", (now,))
            + forget_references(tx, now)
            for now in nows
        ]


def _refusal(message_key: int, job_key: int, message: NewMessage) -> ReachedState:
    return ReachedState(
        message_key=message_key,
        job_key=job_key,
        state=MessageState.REJECTED,
        ended=True,
        reason=message.reason,
        problem=message.problem,
        from_network=False,
    )


def _in_turn(job: NewJob, message: NewMessage, usage: UsageLedger) -> NewMessage:
    """Return a message that goes when its sender ID may send, and says so."""
    if message.rate is None or message.encoded is None:
        return message
    planned = message.schedule or Schedule(due_at=job.due_at, expires_at=job.expires_at, blackouts=job.blackouts)
    turn = usage.take_turn(message.rate, len(message.encoded.lengths), planned)
    if turn == planned:
        return message
    return replace(message, schedule=turn, findings=(*message.findings, ("rate", "delayed", message.rate.rule)))


def _is_replayed(use: FirstUse | None, seen: Mapping[bytes, str]) -> bool:
    """Return whether a signed mail was used before, and for none of some recipient."""
    return use is not None and use.marker in seen and not all(key in seen for key in use.recipients)


def _bind(use: FirstUse | None, seen: dict[bytes, str], public_id: str) -> tuple[bytes, ...]:
    """Return the keys that the first use of a signed mail stores; a later one stores none."""
    if use is None or use.marker in seen:
        return ()
    seen.update(dict.fromkeys(_keys_of(use), public_id))
    return _keys_of(use)


def _keys_of(use: FirstUse | None) -> tuple[bytes, ...]:
    return () if use is None else (use.marker, *use.recipients, *use.named)


def _stoppable(new_jobs: list[NewJob]) -> set[str]:
    """Return the numbers for which stop lists are to be asked."""
    return {
        message.number.digits
        for job in new_jobs
        if job.stop_listed and not job.past_stop
        for message in job.messages
        if message.number
    }


def _sift(
    job: NewJob, fresh: list[NewMessage], skipped: tuple[str, ...], seen: Mapping[bytes, str], stops: StopList
) -> list[NewMessage] | Added:
    """Return the messages of a job that were not there before, with those that may not go out refused."""
    if skipped and not any(message.encoded for message in fresh):
        first = next(seen[message.digest] for message in job.messages if message.digest in seen)
        return Added(public_id=first, repeated=True, skipped=skipped)
    if job.stop_listed and not job.past_stop:
        fresh = [_refuse_stopped(message, job, stops) for message in fresh]
        if not any(message.encoded for message in fresh):
            return Added(public_id="", stopped=True)
    firsts = [seen[message.duplicate] for message in fresh if message.duplicate in seen]
    if firsts:
        fresh = [_refuse_duplicate(message, seen) for message in fresh]
        if not any(message.encoded for message in fresh):
            return Added(public_id=firsts[0], duplicate=True)
    return fresh


def _refuse_stopped(message: NewMessage, job: NewJob, stops: StopList) -> NewMessage:
    number = message.number
    if number is None or message.encoded is None or not stops.blocks(number.digits, job.customer_key, job.service):
        return message
    return replace(message, encoded=None, reason=STOPPED.code.value, problem=STOPPED.text)


def _refuse_duplicate(message: NewMessage, seen: Mapping[bytes, str]) -> NewMessage:
    first = seen.get(message.duplicate, "") if message.duplicate and message.encoded is not None else ""
    if not first:
        return message
    problem = f"The same text went to this number a short time ago in job {first}."
    return replace(message, encoded=None, reason=Refusal.DUPLICATE.value, problem=problem)
