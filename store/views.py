"""Read-only views for people: one job's whole report, its trace, and the queue. They run on the reading connection."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from msgspec import Struct
from msgspec.structs import asdict

from sms.lifecycle import INTERMEDIATE, OPEN, MessageState
from sms.message import Alphabet, MailOrigin, ReceiptState, Shifts, TlsTag
from sms.national import languages_of
from sms.parts import cut_text
from sms.report import Findings, JobReport, ReportedMessage, ReportedPart
from sms.serialise import thaw_origins, thaw_settings
from store.engine.database import Transaction
from store.engine.keys import to_indexed, to_instant, to_instant_if_set
from store.engine.rows import query
from store.outbox_views import TracedNotice, trace_notices
from store.queue_views import when_due
from store.rerouting import TracedReroute, load_reroutes
from store.rulings import read_findings
from store.serialise import thaw_lengths, thaw_replaced


class _ReportedJob(Struct, frozen=True, array_like=True):
    key: int
    public_id: str
    customer: str
    profile: str
    user_address: str
    service: str
    reference: str
    accepted_at: int
    settled_at: int | None
    settings: str
    origins: str
    from_mail: bool
    reverse_path: str
    header_from: str
    header_sender: str
    mail_id: str
    mail_references: str
    subject: str
    envid: str
    ret: str
    helo: str
    header: bytes
    body: bytes | None
    unanswerable: str
    ignored_options: str
    tls_tag: str
    sandbox: bool


class _Proof(Struct, frozen=True, array_like=True):
    proof: str
    evidence: str
    service_by: str


class _ReportedMessage(Struct, frozen=True, array_like=True):
    key: int
    job_key: int
    public_id: str
    given: str
    number: str
    notify: str
    orcpt: str
    body: str
    cut: str
    replaced: str
    alphabet: Alphabet
    part_count: int
    part_lengths: str
    sender: str
    state: MessageState
    reason: str
    problem: str
    cause: str
    from_network: bool
    updated_at: int
    expires_at: int
    due_at: int
    held: bool
    parameters: str
    locking_shift: int
    single_shift: int
    ruling: str


class _ReportedPart(Struct, frozen=True, array_like=True):
    message_key: int
    idx: int
    state: MessageState
    carrier: str
    carrier_id: str
    error: str
    submitted_at: int | None
    reported_at: int | None
    cost_label: str
    resends: int
    network: str
    price: str
    word: str | None


_JOB = query(_ReportedJob, "FROM job WHERE key IN (??)")
_PROOF = query(_Proof, "FROM job WHERE key = ?")
_MESSAGES = query(_ReportedMessage, "FROM message WHERE job_key IN (??) ORDER BY job_key, seq")
_ONE_BY_ONE = query(_ReportedMessage, "FROM message WHERE key IN (??)")
_PARTS = query(
    _ReportedPart,
    "FROM part p JOIN message m ON m.key = p.message_key WHERE m.job_key IN (??)",
    "p",
    word="(SELECT r.word FROM receipt r WHERE r.part_key = p.key AND r.received_at = p.reported_at"
    " ORDER BY r.key LIMIT 1)",
)
_PARTS_OF_ONE = _PARTS.replace("m.job_key", "m.key")


def load_reports(tx: Transaction, job_keys: Iterable[int]) -> dict[int, JobReport]:
    """Return the report of each job that exists, by key."""
    wanted = list(job_keys)
    messages: dict[int, list[ReportedMessage]] = {}
    for row, message in _load_messages(tx, _MESSAGES, _PARTS, wanted):
        messages.setdefault(row.job_key, []).append(message)
    return {
        job.key: _job_report(job, tuple(messages.get(job.key, ()))) for job in tx.select_in(_ReportedJob, _JOB, wanted)
    }


def load_reports_of(tx: Transaction, message_keys: Iterable[int]) -> dict[int, JobReport]:
    """Return for each message that exists, by key, the report of its job with this message alone."""
    found = _load_messages(tx, _ONE_BY_ONE, _PARTS_OF_ONE, list(message_keys))
    jobs = {job.key: job for job in tx.select_in(_ReportedJob, _JOB, {row.job_key for row, _ in found})}
    return {row.key: _job_report(jobs[row.job_key], (message,)) for row, message in found}


def _load_messages(
    tx: Transaction, messages: str, parts: str, keys: list[int]
) -> list[tuple[_ReportedMessage, ReportedMessage]]:
    offered: dict[int, dict[int, _ReportedPart]] = {}
    for part in tx.select_in(_ReportedPart, parts, keys):
        offered.setdefault(part.message_key, {})[part.idx] = part
    rows = tx.select_in(_ReportedMessage, messages, keys)
    found = read_findings(tx, {row.ruling for row in rows})
    return [
        (row, _reported_message(row, _reported_parts(row, offered.get(row.key, {})), *found.get(row.ruling, ("", ()))))
        for row in rows
    ]


def _reported_parts(message: _ReportedMessage, offered: Mapping[int, _ReportedPart]) -> tuple[ReportedPart, ...]:
    """Return all parts: those without a row wait where others have one, and are as their message where none has."""
    state = MessageState.QUEUED if offered else message.state
    other = _ReportedPart(
        message.key, 0, state, "", "", "" if state in OPEN else message.reason, None, None, "", 0, "", "", None
    )
    pieces = cut_text(message.body, thaw_lengths(message.body, message.part_lengths)) if message.part_count else []
    return tuple(
        _reported_part(offered.get(index, other), index, len(pieces), piece) for index, piece in enumerate(pieces, 1)
    )


def _reported_part(part: _ReportedPart, index: int, total: int, text: str) -> ReportedPart:
    return ReportedPart(
        index=index,
        total=total,
        text=text,
        state=part.state,
        carrier=part.carrier,
        carrier_id=part.carrier_id,
        error=part.error,
        submitted_at=to_instant_if_set(part.submitted_at),
        reported_at=to_instant_if_set(part.reported_at),
        cost_label=part.cost_label,
        resends=part.resends,
        word=part.word or "",
        network=part.network,
        price=part.price,
    )


def _reported_message(
    message: _ReportedMessage, parts: tuple[ReportedPart, ...], country: str, findings: Findings
) -> ReportedMessage:
    return ReportedMessage(
        public_id=message.public_id,
        given=message.given,
        number=f"+{message.number}" if message.number else "",
        notify=message.notify,
        orcpt=message.orcpt,
        text=message.body,
        cut=message.cut,
        replaced=thaw_replaced(message.replaced),
        alphabet=message.alphabet,
        sender_id=message.sender,
        state=message.state,
        reason=message.reason,
        problem=message.problem,
        cause=message.cause,
        from_network=message.from_network,
        updated_at=to_instant(message.updated_at),
        expires_at=to_instant(message.expires_at),
        due_at=to_instant(when_due(message.due_at)),
        held=message.held,
        parts=parts,
        parameters=message.parameters,
        languages=languages_of(Shifts(message.locking_shift, message.single_shift)),
        country=country,
        findings=findings,
    )


def _job_report(job: _ReportedJob, messages: tuple[ReportedMessage, ...]) -> JobReport:
    mail = MailOrigin(
        reverse_path=job.reverse_path,
        header_from=job.header_from,
        header_sender=job.header_sender,
        message_id=job.mail_id,
        references=job.mail_references,
        subject=job.subject,
        envid=job.envid,
        ret=job.ret,
        helo=job.helo,
        tls_tag=TlsTag(job.tls_tag),
        header=job.header,
        body=job.body,
    )
    return JobReport(
        public_id=job.public_id,
        customer=job.customer,
        profile=job.profile,
        user=job.user_address,
        service=job.service,
        reference=job.reference,
        accepted_at=to_instant(job.accepted_at),
        settled_at=to_instant_if_set(job.settled_at),
        settings=thaw_settings(job.settings),
        origins=thaw_origins(job.origins),
        mail=mail if job.from_mail else None,
        messages=messages,
        unanswerable=job.unanswerable,
        sandbox=job.sandbox,
        ignored_options=tuple(filter(None, job.ignored_options.split("\n"))),
    )


_OF_MESSAGE = "SELECT j.key FROM message m JOIN job j ON j.key = m.job_key"
_OF_PART = f"{_OF_MESSAGE} JOIN part p ON p.message_key = m.key"
_NEWEST_TO = f"{_OF_MESSAGE} WHERE m.number = ?%s ORDER BY m.key DESC LIMIT 1"
_NAMED = (
    "SELECT j.key FROM job j WHERE j.public_id = ?%s",
    f"{_OF_MESSAGE} WHERE m.public_id = ?%s",
    "SELECT j.key FROM outbox o JOIN job j ON j.key = o.job_key WHERE o.public_id = ?%s",
    # through job_accepted
    "SELECT j.key FROM job j WHERE j.mail_id = ?%s ORDER BY j.accepted_at DESC, j.key DESC LIMIT 1",
    f"{_OF_PART} WHERE p.carrier_id = ? AND p.carrier_id <> ''%s ORDER BY p.key DESC LIMIT 1",
)
_ANSWERED_TO_ESME = "SELECT j.key FROM job j WHERE j.key = ? AND j.esme <> ''%s"


def find_job(tx: Transaction, name: str, customer_key: int | None = None) -> int | None:
    """Return the key of the job with this public id, a message's or notice's id of it, or this Message-ID, or None.

    The id that a carrier gave a part, or that an ESME was answered with, stands for its job, and a number with its
    plus, or 00, for the newest job to it. With a customer, jobs of others are as if they were not there.
    """
    asked: list[tuple[str, str | int]]
    if re.fullmatch(r"(\+|00)[0-9]{6,15}", name, re.ASCII):
        asked = [(_NEWEST_TO, name.removeprefix("+").removeprefix("00"))]
    else:
        asked = [(sql, to_indexed(name)) for sql in _NAMED]
        if re.fullmatch(r"[0-9]{10,18}", name, re.ASCII):
            asked.append((_ANSWERED_TO_ESME, int(name)))
    own, whose = ("", ()) if customer_key is None else (" AND j.customer_key = ?", (customer_key,))
    found = (tx.value(sql % own, (value, *whose)) for sql, value in asked)
    return next((int(key) for key in found if key is not None), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedReceipt:
    """One receipt in a trace; `intermediate` for news on the way, which decide nothing."""

    message_id: str
    part: int
    carrier: str
    carrier_id: str
    state: str
    word: str
    error: str
    received_at: datetime
    intermediate: bool


class _Receipt(Struct, array_like=True):
    message_id: str
    part: int
    carrier: str
    carrier_id: str
    state: str
    word: str
    error: str
    received_at: int


_RECEIPTS = query(
    _Receipt,
    "FROM receipt r JOIN part p ON p.key = r.part_key JOIN message m ON m.key = p.message_key"
    " WHERE m.job_key = ? ORDER BY r.key",
    "r",
    message_id="m.public_id",
    part="p.idx",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedPartAttempt:
    """How a part ended at a carrier that gave it back before another got it; with `submitted_at` it was accepted."""

    message_id: str
    part: int
    carrier: str
    carrier_id: str
    state: str
    error: str
    cost_label: str
    network: str
    price: str
    submitted_at: datetime | None
    ended_at: datetime


class _Attempt(Struct, array_like=True):
    message_id: str
    part: int
    carrier: str
    carrier_id: str
    state: str
    error: str
    cost_label: str
    network: str
    price: str
    submitted_at: int | None
    ended_at: int


_ATTEMPTS = query(
    _Attempt,
    "FROM part_attempt a JOIN part p ON p.key = a.part_key JOIN message m ON m.key = p.message_key"
    " WHERE m.job_key = ? ORDER BY a.key",
    "a",
    message_id="m.public_id",
    part="p.idx",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedProof:
    """What proved the sender of a job (addressbook.proof), and what named its service; empty where nothing did."""

    proof: str
    evidence: str
    service_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Everything remembered of one job."""

    report: JobReport
    proof: TracedProof
    attempts: tuple[TracedPartAttempt, ...]
    reroutes: tuple[TracedReroute, ...]
    receipts: tuple[TracedReceipt, ...]
    notices: tuple[TracedNotice, ...]


def load_trace(tx: Transaction, job_key: int) -> Trace:
    """Return a job's report with what happened to it, oldest first. Raises KeyError for one that is gone."""
    report = load_reports(tx, [job_key])[job_key]
    receipts = [
        TracedReceipt(
            **asdict(row) | {"received_at": to_instant(row.received_at)},
            intermediate=ReceiptState(row.state) in INTERMEDIATE,
        )
        for row in tx.select(_Receipt, _RECEIPTS, (job_key,))
    ]
    attempts = [
        TracedPartAttempt(
            **asdict(row) | {"submitted_at": to_instant_if_set(row.submitted_at), "ended_at": to_instant(row.ended_at)}
        )
        for row in tx.select(_Attempt, _ATTEMPTS, (job_key,))
    ]
    proof = TracedProof(**asdict(tx.select(_Proof, _PROOF, (job_key,))[0]))
    return Trace(
        report=report,
        proof=proof,
        attempts=tuple(attempts),
        reroutes=load_reroutes(tx, job_key),
        receipts=tuple(receipts),
        notices=trace_notices(tx, job_key),
    )
