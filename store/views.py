"""Read-only views for people: one job's whole report, its trace, and the queue. They run on the reading connection."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sms.lifecycle import INTERMEDIATE, MessageState
from sms.message import Alphabet, MailOrigin, ReceiptState
from sms.report import JobReport, ReportedMessage, ReportedPart
from sms.serialise import thaw_origins, thaw_settings
from store.engine.database import Row, Transaction
from store.engine.keys import to_indexed, to_instant
from store.jobs import FAR
from store.outbox_views import TracedNotice, trace_notices
from store.serialise import thaw_replaced

_JOB = (
    "SELECT key, public_id, customer, profile, user_address, service, reference, accepted_at, settled_at, settings,"
    " origins, from_mail, reverse_path, header_from, mail_id, mail_references, subject, envid, ret, helo, header,"
    " body FROM job"
)
_MESSAGES = (
    "SELECT key, job_key, public_id, given, number, notify, orcpt, body, cut, replaced, alphabet, sender, state,"
    " reason, problem, from_network, updated_at, expires_at, due_at FROM message WHERE job_key IN (??)"
    " ORDER BY job_key, seq"
)
_PARTS = (
    "SELECT p.message_key, p.idx, p.total, p.body, p.state, p.carrier, p.carrier_id, p.error, p.submitted_at,"
    " p.reported_at, p.cost_label, p.resends,"
    " (SELECT r.word FROM receipt r WHERE r.part_key = p.key AND r.received_at = p.reported_at ORDER BY r.key LIMIT 1)"
    " FROM part p JOIN message m ON m.key = p.message_key WHERE m.job_key IN (??)"
    " ORDER BY p.message_key, p.idx"
)


def _instant(stored: int | None) -> datetime | None:
    return None if stored is None else to_instant(stored)


def load_reports(tx: Transaction, job_keys: Iterable[int]) -> dict[int, JobReport]:
    """Return the report of each job that exists, by key."""
    wanted = list(job_keys)
    parts: dict[int, list[ReportedPart]] = {}
    for row in tx.rows_in(_PARTS, wanted):
        parts.setdefault(row[0], []).append(_reported_part(row))
    messages: dict[int, list[ReportedMessage]] = {}
    for row in tx.rows_in(_MESSAGES, wanted):
        messages.setdefault(row[1], []).append(_reported_message(row, tuple(parts.get(row[0], ()))))
    jobs = tx.rows_in(_JOB + " WHERE key IN (??)", wanted)
    return {row[0]: _job_report(row, tuple(messages.get(row[0], ()))) for row in jobs}


def _reported_part(row: Row) -> ReportedPart:
    return ReportedPart(
        index=row[1],
        total=row[2],
        text=row[3],
        state=MessageState(row[4]),
        carrier=row[5],
        carrier_id=row[6],
        error=row[7],
        submitted_at=_instant(row[8]),
        reported_at=_instant(row[9]),
        cost_label=row[10],
        resends=row[11],
        word=row[12] or "",
    )


def _reported_message(row: Row, parts: tuple[ReportedPart, ...]) -> ReportedMessage:
    return ReportedMessage(
        public_id=row[2],
        given=row[3],
        number=f"+{row[4]}" if row[4] else "",
        notify=row[5],
        orcpt=row[6],
        text=row[7],
        cut=row[8],
        replaced=thaw_replaced(row[9]),
        alphabet=Alphabet(row[10]),
        sender_id=row[11],
        state=MessageState(row[12]),
        reason=row[13],
        problem=row[14],
        from_network=bool(row[15]),
        updated_at=to_instant(row[16]),
        expires_at=to_instant(row[17]),
        due_at=to_instant(row[18]) if row[18] < FAR else None,
        parts=parts,
    )


def _job_report(row: Row, messages: tuple[ReportedMessage, ...]) -> JobReport:
    mail = MailOrigin(
        reverse_path=row[12],
        header_from=row[13],
        message_id=row[14],
        references=row[15],
        subject=row[16],
        envid=row[17],
        ret=row[18],
        helo=row[19],
        header=bytes(row[20]),
        body=None if row[21] is None else bytes(row[21]),
    )
    return JobReport(
        public_id=row[1],
        customer=row[2],
        profile=row[3],
        user=row[4],
        service=row[5],
        reference=row[6],
        accepted_at=to_instant(row[7]),
        settled_at=_instant(row[8]),
        settings=thaw_settings(row[9]),
        origins=thaw_origins(row[10]),
        mail=mail if row[11] else None,
        messages=messages,
    )


def find_job(tx: Transaction, name: str) -> int | None:
    """Return the key of the job with this public id, a message's or notice's id of it, or this Message-ID, or None."""
    name = to_indexed(name)
    for query in (
        "SELECT key FROM job WHERE public_id = ?",
        "SELECT job_key FROM message WHERE public_id = ?",
        "SELECT job_key FROM outbox WHERE public_id = ? AND job_key IS NOT NULL",
        "SELECT key FROM job WHERE mail_id = ? ORDER BY accepted_at DESC, key DESC LIMIT 1",  # through job_accepted
    ):
        rows = tx.rows(query, (name,))
        if rows:
            return int(rows[0][0])
    return None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Everything remembered of one job."""

    report: JobReport
    receipts: tuple[TracedReceipt, ...]
    notices: tuple[TracedNotice, ...]


def load_trace(tx: Transaction, job_key: int) -> Trace:
    """Return a job's report with its receipts and notices, oldest first. Raises KeyError for a job that is gone."""
    report = load_reports(tx, [job_key])[job_key]
    receipts = tx.rows(
        "SELECT m.public_id, p.idx, r.carrier, r.carrier_id, r.state, r.error, r.received_at, r.word"
        " FROM receipt r JOIN part p ON p.key = r.part_key JOIN message m ON m.key = p.message_key"
        " WHERE m.job_key = ? ORDER BY r.key",
        (job_key,),
    )
    return Trace(
        report=report,
        receipts=tuple(
            TracedReceipt(
                message_id=row[0],
                part=row[1],
                carrier=row[2],
                carrier_id=row[3],
                state=row[4],
                word=row[7],
                error=row[5],
                received_at=to_instant(row[6]),
                intermediate=ReceiptState(row[4]) in INTERMEDIATE,
            )
            for row in receipts
        ),
        notices=trace_notices(tx, job_key),
    )
