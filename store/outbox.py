"""Notices: what we owe somebody to be told, until it is told or given up.

Not here: what a notice looks like (mta.compose) or how it travels (mta.deliver). A notice whose sending a crash interrupted
is sent again with the same Message-ID: receivers can fold it, and it costs nobody money.
"""

from dataclasses import dataclass
from datetime import timedelta

from sms.report import NoticeKind
from store.database import Transaction
from store.keys import Keys, public_id, to_instant

NOTICE_INSERT = """INSERT INTO notice (key, public_id, job_key, kind, recipient, state, attempts, due_at, expires_at,
    created_at, reason, problem, owner) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"""
_LIFE = int(timedelta(days=5).total_seconds()) * 1_000_000


def notice_row(key: int, job_key: int, kind: NoticeKind, recipient: str, now: int) -> tuple[object, ...]:
    """Return the row of a new notice, due at once; `now` is in microseconds."""
    identity = public_id("N", to_instant(now))
    return (key, identity, job_key, kind.value, recipient, "queued", 0, now, now + _LIFE, now, "", "", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenNotice:
    """A notice that this process now sends; `attempt` counts from 1. Instants are microseconds."""

    key: int
    public_id: str
    job_key: int
    kind: NoticeKind
    recipient: str
    attempt: int
    created_at: int
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeEnd:
    """What an attempt came to: `state` is sent, failed, skipped, or queued again until `due_at` (microseconds)."""

    key: int
    job_key: int
    state: str
    at: int
    due_at: int = 0
    reason: str = ""
    problem: str = ""
    host: str = ""
    address: str = ""
    tls: str = ""
    policy: str = ""
    reply: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeNotices:
    """A wish for due notices: at most `most`; `busy` names recipient domains that have no room now."""

    now: int
    most: int
    owner: str


class Outbox:
    """The statements of the outbox; its methods are batch functions for `Database.write`."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def take(self, tx: Transaction, wishes: list[TakeNotices]) -> list[list[TakenNotice]]:
        """Return due notices, oldest first, and mark them `sending`."""
        return [self._take(tx, wish) for wish in wishes]

    def _take(self, tx: Transaction, wish: TakeNotices) -> list[TakenNotice]:
        lock = " FOR UPDATE SKIP LOCKED" if tx.postgresql else ""
        rows = tx.rows(
            "SELECT key, public_id, job_key, kind, recipient, attempts, created_at, expires_at FROM notice"
            " WHERE state = 'queued' AND due_at <= ? ORDER BY due_at, key LIMIT ?" + lock,
            (wish.now, wish.most),
        )
        tx.execute_many(
            "UPDATE notice SET state = 'sending', attempts = attempts + 1, owner = ? WHERE key = ?",
            [(wish.owner, row[0]) for row in rows],
        )
        return [
            TakenNotice(
                key=key,
                public_id=identity,
                job_key=job_key,
                kind=NoticeKind(kind),
                recipient=recipient,
                attempt=attempts + 1,
                created_at=created_at,
                expires_at=expires_at,
            )
            for key, identity, job_key, kind, recipient, attempts, created_at, expires_at in rows
        ]

    def end(self, tx: Transaction, ends: list[NoticeEnd]) -> list[None]:
        """Record attempts and what became of their notices; a told job forgets the mail's body."""
        tx.execute_many(
            "INSERT INTO notice_attempt (key, notice_key, at, outcome, host, address, tls, policy, reply)"
            " VALUES (?,?,?,?,?,?,?,?,?)",
            [
                (self._keys.take(), end.key, end.at, end.state, end.host, end.address, end.tls, end.policy, end.reply)
                for end in ends
            ],
        )
        tx.execute_many(
            "UPDATE notice SET state = ?, due_at = ?, ended_at = ?, reason = ?, problem = ?, owner = '' WHERE key = ?",
            [
                (end.state, end.due_at, None if end.state == "queued" else end.at, end.reason, end.problem, end.key)
                for end in ends
            ],
        )
        tx.execute_many(
            "UPDATE job SET body = NULL WHERE key = ? AND body IS NOT NULL AND settled_at IS NOT NULL",
            [(end.job_key,) for end in ends if end.state != "queued"],
        )
        return [None] * len(ends)

    def recover(self, tx: Transaction, owners: list[str | None]) -> list[int]:
        """Queue again what an owner (None: anyone) was sending when it ended; returns how many."""
        statement = "UPDATE notice SET state = 'queued', owner = '' WHERE state = 'sending'"
        return [
            tx.execute(statement) if owner is None else tx.execute(statement + " AND owner = ?", (owner,))
            for owner in owners
        ]
