"""The outbox as people see it: what waits of every kind, one row with its attempts, mails to the postmaster.

Not here: the trace of a job (views), holding and releasing (queue).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from msgspec import Struct
from msgspec.structs import asdict

from store.engine.database import Transaction
from store.engine.keys import to_instant, to_instant_if_set
from store.engine.rows import query
from store.tables import FAR


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingNotice:
    """One row that has not ended.

    `due_at` is None while it is held or behind an earlier one, `job_id` empty where it belongs to no job.
    """

    job_id: str
    notice_id: str
    kind: str
    channel: str
    recipient: str
    state: str
    attempts: int
    reason: str
    problem: str
    due_at: datetime | None


class _WaitingNotice(Struct, array_like=True):
    """The same as it is stored."""

    job_id: str
    notice_id: str
    kind: str
    channel: str
    recipient: str
    state: str
    attempts: int
    reason: str
    problem: str
    due_at: int


_WAITING = query(
    _WaitingNotice,
    "FROM outbox n LEFT JOIN job j ON j.key = n.job_key WHERE n.ended_at IS NULL ORDER BY n.due_at, n.key LIMIT ?",
    "n",
    job_id="coalesce(j.public_id, '')",
    notice_id="n.public_id",
)


def list_notices(tx: Transaction, limit: int) -> list[WaitingNotice]:
    """Return rows that have not ended, the next due first."""
    return [
        WaitingNotice(**asdict(row) | {"due_at": None if row.due_at >= FAR else to_instant(row.due_at)})
        for row in tx.select(_WaitingNotice, _WAITING, (limit,))
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedOutboxAttempt:
    """One attempt to send a row."""

    at: datetime
    outcome: str
    host: str
    address: str
    tls: str
    policy: str
    reply: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedNotice:
    """One row in a trace, with its attempts."""

    public_id: str
    kind: str
    channel: str
    recipient: str
    state: str
    due_at: datetime
    created_at: datetime
    ended_at: datetime | None
    reason: str
    problem: str
    attempts: tuple[TracedOutboxAttempt, ...]


class _Attempt(Struct, array_like=True):
    outbox_key: int
    at: int
    outcome: str
    host: str
    address: str
    tls: str
    policy: str
    reply: str


class _Traced(Struct, array_like=True):
    key: int
    public_id: str
    kind: str
    channel: str
    recipient: str
    state: str
    due_at: int
    created_at: int
    ended_at: int | None
    reason: str
    problem: str


_ATTEMPTS = query(_Attempt, "FROM outbox_attempt WHERE outbox_key IN (??) ORDER BY key")
_OF_JOB = query(_Traced, "FROM outbox WHERE job_key = ? ORDER BY key")
_PUSH = query(_Traced, "FROM outbox WHERE public_id = ? AND channel = 'push'")
_OF_SMS = query(_Traced, "FROM outbox WHERE sms_key = ? ORDER BY key")
_OF_NO_JOB = query(_Traced, "FROM outbox WHERE public_id = ? AND job_key IS NULL")


def trace_notices(tx: Transaction, job_key: int) -> tuple[TracedNotice, ...]:
    """Return all rows of a job, oldest first."""
    return _trace(tx, tx.select(_Traced, _OF_JOB, (job_key,)))


def trace_notices_of_sms(tx: Transaction, sms_key: int) -> tuple[TracedNotice, ...]:
    """Return all rows of an inbound SMS, oldest first."""
    return _trace(tx, tx.select(_Traced, _OF_SMS, (sms_key,)))


def trace_notice(tx: Transaction, name: str) -> TracedNotice | None:
    """Return the row of this id that belongs to no job."""
    return next(iter(_trace(tx, tx.select(_Traced, _OF_NO_JOB, (name,)))), None)


def trace_push(tx: Transaction, name: str) -> tuple[TracedOutboxAttempt, ...]:
    """Return the attempts of the push of this id, oldest first."""
    return next((found.attempts for found in _trace(tx, tx.select(_Traced, _PUSH, (name,)))), ())


def _trace(tx: Transaction, rows: Sequence[_Traced]) -> tuple[TracedNotice, ...]:
    attempts: dict[int, list[TracedOutboxAttempt]] = {}
    for attempt in tx.select_in(_Attempt, _ATTEMPTS, [row.key for row in rows]):
        attempts.setdefault(attempt.outbox_key, []).append(
            TracedOutboxAttempt(
                at=to_instant(attempt.at),
                outcome=attempt.outcome,
                host=attempt.host,
                address=attempt.address,
                tls=attempt.tls,
                policy=attempt.policy,
                reply=attempt.reply,
            )
        )
    return tuple(
        TracedNotice(
            public_id=row.public_id,
            kind=row.kind,
            channel=row.channel,
            recipient=row.recipient,
            state=row.state,
            due_at=to_instant(row.due_at),
            created_at=to_instant(row.created_at),
            ended_at=to_instant_if_set(row.ended_at),
            reason=row.reason,
            problem=row.problem,
            attempts=tuple(attempts.get(row.key, ())),
        )
        for row in rows
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedForward:
    """A mail to the postmaster as the operator's list shows it."""

    mail_id: str
    received_at: datetime
    client: str
    helo: str
    octets: int
    state: str
    attempts: int
    due_at: datetime
    last_reply: str


class _Forward(Struct, array_like=True):
    public_id: str
    created_at: int
    about: str
    state: str
    attempts: int
    due_at: int
    last_reply: str


_FORWARDS = query(
    _Forward,
    "FROM outbox WHERE kind = 'postmaster' AND job_key IS NULL AND sms_key IS NULL"
    " ORDER BY CASE WHEN ended_at IS NULL THEN 0 ELSE 1 END, key DESC LIMIT ?",
    last_reply="coalesce(nullif((SELECT a.reply FROM outbox_attempt a WHERE a.outbox_key = outbox.key"
    " ORDER BY a.key DESC LIMIT 1), ''), problem)",
)


def list_forwards(tx: Transaction, *, limit: int) -> list[ListedForward]:
    """Return mails to the postmaster, those that wait first, then the newest."""
    listed = []
    for row in tx.select(_Forward, _FORWARDS, (limit,)):
        facts = json.loads(row.about)
        listed.append(
            ListedForward(
                mail_id=row.public_id,
                received_at=to_instant(row.created_at),
                client=facts["client"],
                helo=facts["helo"],
                octets=facts["octets"],
                state=row.state,
                attempts=row.attempts,
                due_at=to_instant(row.due_at),
                last_reply=row.last_reply,
            )
        )
    return listed


def find_content(tx: Transaction, *, name: str) -> bytes | None:
    """Return the content of a row by its id as it is stored, None where there is none or it is kept no longer."""
    content = tx.value("SELECT content FROM outbox WHERE public_id = ?", (name,))
    return None if content is None else bytes(content)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldTopic:
    """The newest alert of a topic: whom it told what, how far that had come, and whether it said that it is over."""

    topic: str
    subject: str
    recipient: str
    stage: int
    over: bool


def told_topics(tx: Transaction, prefix: str) -> list[ToldTopic]:
    """Return the newest alert of each topic that begins with a prefix."""
    rows = tx.rows(
        "SELECT topic, recipient, about FROM outbox WHERE topic <> '' AND topic >= ? AND topic < ? ORDER BY key",
        (prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1)),
    )
    newest = {topic: (recipient, json.loads(about)) for topic, recipient, about in rows}
    return [
        ToldTopic(topic=topic, subject=about["subject"], recipient=recipient, stage=about["stage"], over=about["over"])
        for topic, (recipient, about) in newest.items()
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldAlert:
    """One alert that the administrator was told of, or will be; `over`: that an earlier one counts no longer."""

    subject: str
    recipient: str
    created_at: datetime
    over: bool


def list_alerts(tx: Transaction, limit: int) -> list[ToldAlert]:
    """Return the newest alerts, the newest first."""
    found = "SELECT about, recipient, created_at FROM outbox WHERE topic <> '' ORDER BY key DESC LIMIT ?"
    rows = ((json.loads(about), recipient, created_at) for about, recipient, created_at in tx.rows(found, (limit,)))
    return [
        ToldAlert(
            subject=told["subject"],
            recipient=recipient,
            created_at=to_instant(created_at),
            over=told.get("over", False),  # those of an earlier version have none
        )
        for told, recipient, created_at in rows
        if "subject" in told
    ]
