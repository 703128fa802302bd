"""Jobs in: accepted jobs are added, and what was accepted before is known again.

Not here: how parts are taken (due), what answers, receipts and crashes change (results), notices (outbox), views for
people (views).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from msgspec.structs import replace

from inbound.stop_list import StopList
from sms.job import FirstUse, NewJob, NewMessage
from sms.lifecycle import MessageState
from sms.message import Alphabet, EncodedText, MailOrigin, PartToSubmit, Priority
from sms.outcome import Refusal
from sms.parameters import freeze_parameters
from sms.schedule import Schedule
from sms.settings import format_setting
from sms.usage import LimitReached
from store.details import DETAILS, detail_row
from store.directory import read_version
from store.due import Take, take_due
from store.engine.database import Row, Transaction
from store.engine.keys import Keys, PublicIds, to_indexed, to_stored
from store.engine.statements import Insert
from store.esme import freeze_origin
from store.leases import check_alive
from store.message_pushes import ReachedState, push_row
from store.outbox import OUTBOX, notice_row
from store.references import count_references, forget_references
from store.rulings import RULINGS, ruling_row
from store.serialise import freeze_lengths, freeze_replaced, schedule_columns
from store.stop_list import STOPPED, stop_messages, stops_in_force
from store.sums import close_jobs
from store.tables import JobRow, MessageRow, SeenRow
from store.usage import UsageLedger, UsageNews

_NO_TEXT = EncodedText(text="", alphabet=Alphabet.GSM7, lengths=())
_LATE = timedelta(minutes=15)
"""Who sends is told at once of SMS that go out later than this."""
_URGENCY = {Priority.EXPRESS: 0, Priority.NORMAL: 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
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
    refused: Mapping[str, str] = field(default_factory=dict)


_JOBS = Insert(JobRow)
_MESSAGES = Insert(MessageRow)
_SEEN = Insert(SeenRow)
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
        rows = _Rows(references=count_references(tx, long, now))
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
        tx.insert(_JOBS, rows.jobs)
        tx.insert(_MESSAGES, rows.messages)
        tx.insert(DETAILS, rows.details)
        tx.insert(RULINGS, [rows.rulings[digest] for digest in sorted(rows.rulings)])
        tx.insert(OUTBOX, rows.notices)
        tx.insert(_SEEN, rows.seen)
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

    def _add(self, job: NewJob, seen: dict[bytes, str], stops: StopList, usage: UsageLedger, rows: "_Rows") -> Added:
        skipped = tuple(message.given for message in job.messages if message.digest in seen)
        fresh = _sift(job, seen, stops, skipped)
        if isinstance(fresh, Added):
            return fresh
        counted = usage.take(job, fresh)
        if isinstance(counted, LimitReached):
            return Added(public_id="", over=counted)
        key, public_id, accepted_at = (
            self._keys.take(),
            self._ids.take("J", job.accepted_at),
            to_stored(job.accepted_at),
        )
        if job.dry_run:
            rows.dry_runs.append((key, job.customer_key))
        mail = job.mail or MailOrigin(reverse_path=job.status_address)
        open_messages = 0 if job.dry_run else sum(message.encoded is not None for message in fresh)
        rows.jobs.append(
            _JOBS.row(
                key=key,
                public_id=public_id,
                customer_key=job.customer_key,
                customer=job.customer,
                profile=job.profile,
                user_address=job.user_address,
                sender=(job.user_address or mail.header_from or mail.reverse_path).lower(),
                login=job.login,
                service=job.service,
                reference=job.reference,
                accepted_at=accepted_at,
                settled_at=accepted_at if job.dry_run else None,
                open_messages=open_messages,
                report=job.report.value,
                settings=job.settings,
                origins=job.origins,
                from_mail=job.mail is not None,
                reverse_path=mail.reverse_path,
                header_from=mail.header_from,
                header_sender=mail.header_sender,
                mail_id=to_indexed(mail.message_id),
                mail_references=mail.references,
                subject=mail.subject,
                envid=mail.envid,
                ret=mail.ret,
                helo=mail.helo,
                tls_tag=mail.tls_tag.value,
                header=mail.header,
                body=mail.body,
                channel=job.channel.value,
                push_url=job.push_url,
                past_stop=job.past_stop,
                unanswerable=job.unanswerable,
                ignored_options="\n".join(job.ignored_options),
                proof=job.proof,
                evidence=job.evidence,
                service_by=job.service_by,
                esme=freeze_origin(job.esme),
                sandbox=job.sandbox,
            )
        )
        new_row, is_late = _message_row(key, job), False
        for seq, message in enumerate(fresh):
            message_key = self._keys.take()
            turned = _in_turn(job, message, usage)
            is_late |= turned.schedule is not None and turned.schedule.due_at - job.accepted_at > _LATE
            self._add_message(partial(new_row, key=message_key, seq=seq), job, turned, rows)
            if message.encoded is None and MessageState.REJECTED in job.push_states:
                reached = _refusal(message_key, key, message)
                rows.notices.append(push_row(self._keys.take(), reached, job.push_url, accepted_at))
            if message.digest:
                seen[message.digest] = public_id
                rows.seen.append(_SEEN.row(digest=message.digest, job_key=key, until=to_stored(job.seen_until)))
            if message.duplicate and message.encoded is not None:
                seen[message.duplicate] = public_id
                rows.seen.append(_SEEN.row(digest=message.duplicate, job_key=key, until=to_stored(job.duplicate_until)))
        rows.seen += [
            _SEEN.row(digest=bound, job_key=key, until=to_stored(job.seen_until))
            for bound in _bind(job.first_use, seen, public_id)
        ]
        for kind, way in (*job.notices, *(job.late_notices if is_late else ())):
            rows.notices.append(notice_row(self._keys.take(), key, kind.value, way, accepted_at))
        refused = {message.given: message.reason for message in fresh if message.encoded is None}
        return Added(public_id=public_id, key=key, skipped=skipped, news=counted, refused=refused)

    def _add_message(self, new_row: Callable[..., Row], job: NewJob, message: NewMessage, rows: "_Rows") -> None:
        encoded = message.encoded or _NO_TEXT
        several = len(encoded.lengths) > 1
        waiting = MessageState.CANCELLED if job.dry_run else MessageState.QUEUED
        state = waiting if message.encoded else MessageState.REJECTED
        ruling = ""
        if message.findings:
            ruling, found = ruling_row(message.country, message.findings, job.accepted_at)
            rows.rulings[ruling] = found
        row = new_row(
            public_id=self._ids.take("S", job.accepted_at),
            given=message.given,
            number=message.number.digits if message.number else "",
            notify=message.notify,
            orcpt=message.orcpt,
            body=encoded.text,
            cut=encoded.cut,
            replaced=freeze_replaced(encoded.replaced),
            alphabet=encoded.alphabet.value,
            part_count=len(encoded.lengths),
            part_lengths=freeze_lengths(encoded.lengths),
            reference=next(rows.references[message.number.digits]) if several and message.number else 0,
            wide_reference=encoded.wide,
            locking_shift=encoded.shifts.locking,
            single_shift=encoded.shifts.single,
            parameters=freeze_parameters(message.parameters),
            udh=encoded.udh.hex(),
            state=state.value,
            reason=message.reason,
            problem=message.problem,
            route=message.route,
            ended=state is not MessageState.QUEUED,
            customer_ref=message.reference,
            ruling=ruling,
            **({"sender": format_setting(message.sender_id)} if message.sender_id else {}),
            **(schedule_columns(message.schedule) if message.schedule is not None else {}),
        )
        rows.messages.append(row)
        rows.details.append(detail_row(rows.jobs[-1], row, job.cost_centre, message.country))

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


def _message_row(job_key: int, job: NewJob) -> Callable[..., Row]:
    """Return what makes the row of a message of a job, with all that its messages share."""
    return partial(
        _MESSAGES.row,
        job_key=job_key,
        sender=format_setting(job.sender) if job.sender else "",
        priority=_URGENCY[job.priority],
        flash=job.flash,
        receipt_wanted=job.receipt_wanted,
        registered=job.esme.registered if job.esme is not None else 0,
        push_states=",".join(job.push_states),
        updated_at=to_stored(job.accepted_at),
        **schedule_columns(Schedule(due_at=job.due_at, expires_at=job.expires_at, blackouts=job.blackouts)),
    )


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
    job: NewJob, seen: Mapping[bytes, str], stops: StopList, skipped: tuple[str, ...]
) -> list[NewMessage] | Added:
    """Return the messages of a job that were not there before, with those that may not go out refused."""
    fresh = [message for message in job.messages if message.digest not in seen]
    if not any(message.encoded for message in fresh) and skipped:
        first = next(seen[message.digest] for message in job.messages if message.digest in seen)
        return Added(public_id=first, repeated=True, skipped=skipped)
    if job.stop_listed and not job.past_stop:
        fresh = [_refuse_stopped(message, job, stops) for message in fresh]
        if not any(message.encoded for message in fresh):
            return Added(public_id="", stopped=True)
    first = next((seen[message.duplicate] for message in fresh if message.duplicate in seen), "")
    if first:
        fresh = [_refuse_duplicate(message, seen) for message in fresh]
        if not any(message.encoded for message in fresh):
            return Added(public_id=first, duplicate=True)
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


class _Rows:
    """Rows of one batch, by table; `references` are those that its long texts get, by number."""

    def __init__(self, *, references: Mapping[str, Iterator[int]]) -> None:
        self.references = references
        self.jobs: list[Row] = []
        self.messages: list[Row] = []
        self.details: list[Row] = []
        self.rulings: dict[str, Row] = {}
        self.notices: list[Row] = []
        self.seen: list[Row] = []
        self.dry_runs: list[tuple[int, int]] = []
