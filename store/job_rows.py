"""The rows of accepted jobs: what becomes which column, and all rows of one commit.

Most columns are attributes of the job, its mail or a message and come from there in one step; the others are named.
Not here: which jobs and messages are stored (jobs).
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, NamedTuple

from sms.job import NewJob, NewMessage
from sms.lifecycle import MessageState
from sms.message import Alphabet, EncodedText, MailOrigin, Priority
from sms.parameters import freeze_parameters
from sms.schedule import Schedule
from sms.settings import format_setting
from store.details import DETAILS, detail_row
from store.engine.database import Row, Transaction
from store.engine.keys import to_indexed, to_stored
from store.engine.statements import Insert
from store.esme import freeze_origin
from store.outbox import OUTBOX
from store.rulings import RULINGS, ruling_row
from store.serialise import freeze_lengths, freeze_replaced, schedule_columns
from store.tables import JobRow, MessageRow, SeenRow

_NO_TEXT = EncodedText(text="", alphabet=Alphabet.GSM7, lengths=())
_URGENCY = {Priority.EXPRESS: 0, Priority.NORMAL: 1}


class _JobColumns(NamedTuple):
    key: int
    public_id: str
    sender: str
    accepted_at: int
    settled_at: int | None
    open_messages: int
    report: str
    from_mail: bool
    mail_id: str
    mail_references: str
    tls_tag: str
    channel: str
    ignored_options: str
    esme: str
    corrected: bool = False


class _SharedColumns(NamedTuple):
    """The columns that all messages of a job have alike, unless one has a sender ID or a schedule of its own."""

    job_key: int
    sender: str
    priority: int
    flash: bool
    receipt_wanted: bool
    registered: int
    push_states: str
    updated_at: int
    due_at: int
    expires_at: int
    watch_at: int
    blackouts: str | None
    from_network: bool = False
    held: bool = False
    attempts: int = 0
    owner: str = ""
    throttled: int = 0
    id_missing: bool = False
    cause: str = ""
    repeats: int = 0
    tried: str = ""

    def of(self, message: NewMessage) -> "_SharedColumns":
        """Return them with what the message has of its own."""
        sender, schedule = message.sender_id, message.schedule
        own: dict[str, Any] = {"sender": format_setting(sender)} if sender else {}
        return self._replace(**own, **(schedule_columns(schedule) if schedule else {}))


class _MessageColumns(NamedTuple):
    key: int
    seq: int
    public_id: str
    number: str
    body: str
    cut: str
    replaced: str
    alphabet: str
    part_count: int
    part_lengths: str
    reference: int
    wide_reference: bool
    locking_shift: int
    single_shift: int
    parameters: str
    udh: str
    state: str
    ended: bool
    customer_ref: str
    ruling: str


_OF_JOB = (
    *("customer_key", "customer", "profile", "user_address", "login", "service", "service_by", "reference"),
    *("settings", "origins", "push_url", "past_stop", "unanswerable", "proof", "evidence", "sandbox"),
)
_OF_MAIL = ("reverse_path", "header_from", "header_sender", "subject", "envid", "ret", "helo", "header", "body")
_OF_MESSAGE = ("given", "notify", "orcpt", "reason", "problem", "route")
_of_job, _of_mail, _of_message = attrgetter(*_OF_JOB), attrgetter(*_OF_MAIL), attrgetter(*_OF_MESSAGE)
_JOBS = Insert(JobRow, *_JobColumns._fields, *_OF_JOB, *_OF_MAIL)
_MESSAGES = Insert(MessageRow, *_MessageColumns._fields, *_OF_MESSAGE, *_SharedColumns._fields)
_SEEN = Insert(SeenRow)


class JobRows:
    """Rows of one batch, by table; `references` are those that its long texts get, by number."""

    def __init__(self, *, references: Mapping[str, Iterator[int]]) -> None:
        self.notices: list[Row] = []
        self.dry_runs: list[tuple[int, int]] = []
        self._references = references
        self._jobs: list[Row] = []
        self._messages: list[Row] = []
        self._details: list[Row] = []
        self._rulings: dict[tuple[object, ...], tuple[str, Row]] = {}
        self._seen: list[Row] = []

    def insert(self, tx: Transaction) -> None:
        """Store them."""
        tx.insert(_JOBS, self._jobs)
        tx.insert(_MESSAGES, self._messages)
        tx.insert(DETAILS, self._details)
        tx.insert(RULINGS, [row for _, row in sorted(self._rulings.values())])
        tx.insert(OUTBOX, self.notices)
        tx.insert(_SEEN, self._seen)

    def add_job(self, job: NewJob, key: int, public_id: str, accepted_at: int, open_messages: int) -> None:
        """Add a job; of a dry run nothing is open."""
        mail = job.mail or MailOrigin(reverse_path=job.status_address)
        if job.dry_run:
            self.dry_runs.append((key, job.customer_key))
        columns = _JobColumns(
            key=key,
            public_id=public_id,
            sender=(job.user_address or mail.header_from or mail.reverse_path).lower(),
            accepted_at=accepted_at,
            settled_at=accepted_at if job.dry_run else None,
            open_messages=0 if job.dry_run else open_messages,
            report=str(job.report),
            from_mail=job.mail is not None,
            mail_id=to_indexed(mail.message_id),
            mail_references=mail.references,
            tls_tag=str(mail.tls_tag),
            channel=str(job.channel),
            ignored_options="\n".join(job.ignored_options),
            esme=freeze_origin(job.esme),
        )
        self._jobs.append(_JOBS.make((*columns, *_of_job(job), *_of_mail(mail))))
        self._shared = _shared_columns(job, key, accepted_at)

    def add_message(self, job: NewJob, message: NewMessage, key: int, seq: int, public_id: str) -> None:
        """Add a message of the job that was added last."""
        encoded = message.encoded or _NO_TEXT
        several = len(encoded.lengths) > 1
        waiting = MessageState.CANCELLED if job.dry_run else MessageState.QUEUED
        state = waiting if message.encoded else MessageState.REJECTED
        columns = _MessageColumns(
            key=key,
            seq=seq,
            public_id=public_id,
            number=message.number.digits if message.number else "",
            body=encoded.text,
            cut=encoded.cut,
            replaced=freeze_replaced(encoded.replaced),
            alphabet=str(encoded.alphabet),
            part_count=len(encoded.lengths),
            part_lengths=freeze_lengths(encoded.lengths) if several else "",
            reference=next(self._references[message.number.digits]) if several and message.number else 0,
            wide_reference=encoded.wide,
            locking_shift=encoded.shifts.locking,
            single_shift=encoded.shifts.single,
            parameters=freeze_parameters(message.parameters) if message.parameters else "",
            udh=encoded.udh.hex(),
            state=str(state),
            ended=state is not MessageState.QUEUED,
            customer_ref=message.reference,
            ruling=self._ruling(message, job.accepted_at) if message.findings else "",
        )
        shared = self._shared.of(message) if message.sender_id or message.schedule else self._shared
        row = _MESSAGES.make((*columns, *_of_message(message), *shared))
        self._messages.append(row)
        self._details.append(detail_row(self._jobs[-1], row, job.cost_centre, message.country))

    def add_seen(self, digest: bytes, job_key: int, until: datetime) -> None:
        """Add a digest that tells a repeat until then."""
        self._seen.append(_SEEN.row(digest=digest, job_key=job_key, until=to_stored(until)))

    def _ruling(self, message: NewMessage, accepted_at: datetime) -> str:
        """Return the digest of what was found for a message; what is found for many is one row a month."""
        found = (accepted_at.astimezone(UTC).month, message.country, message.findings)
        known = self._rulings.get(found)
        if known is None:
            known = self._rulings[found] = ruling_row(message.country, message.findings, accepted_at)
        return known[0]


def _shared_columns(job: NewJob, key: int, accepted_at: int) -> _SharedColumns:
    """Return what all messages of a job have alike."""
    return _SharedColumns(
        job_key=key,
        sender=format_setting(job.sender) if job.sender else "",
        priority=_URGENCY[job.priority],
        flash=job.flash,
        receipt_wanted=job.receipt_wanted,
        registered=job.esme.registered if job.esme is not None else 0,
        push_states=",".join(job.push_states),
        updated_at=accepted_at,
        **schedule_columns(Schedule(due_at=job.due_at, expires_at=job.expires_at, blackouts=job.blackouts)),
    )
