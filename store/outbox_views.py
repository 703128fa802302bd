"""The outbox as people see it: what waits of every kind, one row with its attempts, mails to the postmaster.

Not here: the trace of a job (views), holding and releasing (queue).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from store.due import FAR
from store.engine.database import Row, Transaction
from store.engine.keys import to_instant


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingNotice:
    """One row that has not ended. `due_at` is None while it is held, `job_id` empty where it belongs to no job."""

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


def list_notices(tx: Transaction, limit: int) -> list[WaitingNotice]:
    """Return rows that have not ended, the next due first."""
    return [
        WaitingNotice(
            job_id=row[0] or "",
            notice_id=row[1],
            kind=row[2],
            recipient=row[3],
            state=row[4],
            attempts=row[5],
            reason=row[6],
            problem=row[7],
            due_at=None if row[8] >= FAR else to_instant(row[8]),
            channel=row[9],
        )
        for row in tx.rows(
            "SELECT j.public_id, n.public_id, n.kind, n.recipient, n.state, n.attempts, n.reason, n.problem, n.due_at,"
            " n.channel FROM outbox n LEFT JOIN job j ON j.key = n.job_key WHERE n.ended_at IS NULL"
            " ORDER BY n.due_at, n.key LIMIT ?",
            (limit,),
        )
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedAttempt:
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
    attempts: tuple[TracedAttempt, ...]


_TRACED = (
    "SELECT key, public_id, kind, recipient, state, due_at, created_at, ended_at, reason, problem, channel FROM outbox"
)


def trace_notices(tx: Transaction, job_key: int) -> tuple[TracedNotice, ...]:
    """Return all rows of a job, oldest first."""
    return _traced(tx, tx.rows(_TRACED + " WHERE job_key = ? ORDER BY key", (job_key,)))


def trace_notice(tx: Transaction, name: str) -> TracedNotice | None:
    """Return the row of this id that belongs to no job."""
    found = _traced(tx, tx.rows(_TRACED + " WHERE public_id = ? AND job_key IS NULL", (name,)))
    return found[0] if found else None


def _traced(tx: Transaction, rows: Sequence[Row]) -> tuple[TracedNotice, ...]:
    attempts: dict[int, list[TracedAttempt]] = {}
    query = (
        "SELECT outbox_key, at, outcome, host, address, tls, policy, reply FROM outbox_attempt"
        " WHERE outbox_key IN (??) ORDER BY key"
    )
    for row in tx.rows_in(query, [row[0] for row in rows]):
        attempts.setdefault(row[0], []).append(
            TracedAttempt(
                at=to_instant(row[1]),
                outcome=row[2],
                host=row[3],
                address=row[4],
                tls=row[5],
                policy=row[6],
                reply=row[7],
            )
        )
    return tuple(
        TracedNotice(
            public_id=row[1],
            kind=row[2],
            recipient=row[3],
            state=row[4],
            due_at=to_instant(row[5]),
            created_at=to_instant(row[6]),
            ended_at=None if row[7] is None else to_instant(row[7]),
            reason=row[8],
            problem=row[9],
            channel=row[10],
            attempts=tuple(attempts.get(row[0], ())),
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


def list_forwards(tx: Transaction, *, limit: int) -> list[ListedForward]:
    """Return mails to the postmaster, those that wait first, then the newest."""
    rows = tx.rows(
        "SELECT public_id, created_at, about, state, attempts, due_at, problem, (SELECT a.reply FROM outbox_attempt a"
        " WHERE a.outbox_key = outbox.key ORDER BY a.key DESC LIMIT 1) FROM outbox"
        " WHERE kind = 'postmaster' AND job_key IS NULL"
        " ORDER BY CASE WHEN ended_at IS NULL THEN 0 ELSE 1 END, key DESC LIMIT ?",
        (limit,),
    )
    listed = []
    for public_id, created_at, about, state, attempts, due_at, problem, reply in rows:
        facts = json.loads(about)
        listed.append(
            ListedForward(
                mail_id=public_id,
                received_at=to_instant(created_at),
                client=facts["client"],
                helo=facts["helo"],
                octets=facts["octets"],
                state=state,
                attempts=attempts,
                due_at=to_instant(due_at),
                last_reply=reply or problem,
            )
        )
    return listed


def find_content(tx: Transaction, *, name: str) -> bytes | None:
    """Return the content of a row by its id as it is stored, None where there is none or it is kept no longer."""
    rows = tx.rows("SELECT content FROM outbox WHERE public_id = ? AND content IS NOT NULL", (name,))
    return bytes(rows[0][0]) if rows else None
