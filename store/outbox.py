"""Notices: what we owe somebody to be told, until it is told or given up.

Not here: what a notice looks like (mta.sending.compose) or how it travels (mta.sending.deliver). A notice whose sending
a crash interrupted is sent again with the same Message-ID: receivers can fold it, and it costs nobody money.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from sms.report import Addressee, Channel, NoticeKind
from store.engine.database import Row, Transaction
from store.engine.keys import Keys, public_id, to_instant
from store.engine.statements import Insert, Update
from store.leases import check_alive, end_overdue
from store.tables import NoticeAttemptRow, NoticeRow

NOTICES = Insert(
    NoticeRow,
    *("key", "public_id", "job_key", "kind", "recipient", "state", "attempts", "due_at", "expires_at", "created_at"),
    *("reason", "problem", "owner", "channel"),
)
_ATTEMPTS = Insert(NoticeAttemptRow, "key", "notice_key", "at", "outcome", "host", "address", "tls", "policy", "reply")
_SENDING = Update(NoticeRow, "owner", also="state = 'sending', attempts = attempts + 1")
_ENDED = Update(NoticeRow, "state", "due_at", "ended_at", "reason", "problem", also="owner = ''")
_LIFE = int(timedelta(days=5).total_seconds()) * 1_000_000


def notice_row(key: int, job_key: int, kind: NoticeKind, way: Addressee, now: int) -> Row:
    """Return the row of a new notice to tell by one way, due at once; `now` is in microseconds."""
    identity = public_id("N", to_instant(now))
    channel, recipient = way
    row = (key, identity, job_key, kind.value, recipient, "queued", 0, now, now + _LIFE, now, "", "", "")
    return (*row, channel.value)


def count_unanswered(tx: Transaction, mails: Iterable[int]) -> Counter[int]:
    """Return how many attempts at each of these mails, by key, were never answered."""
    return Counter(dict(tx.rows_in(_COUNT_UNANSWERED, mails)))


def add_unanswered(tx: Transaction, keys: Keys, ends: Iterable[tuple[int, int, str]]) -> None:
    """Record attempts that were never answered, each as (key of the mail, instant in microseconds, words)."""
    tx.insert(_ATTEMPTS, [(keys.take(), key, at, "unanswered", "", "", "", "", words) for key, at, words in ends])


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenNotice:
    """A notice that this process now sends; `attempt` counts from 1, `unanswered` those before that left doubt.

    Instants are microseconds.
    """

    key: int
    public_id: str
    job_key: int
    kind: NoticeKind
    recipient: str
    attempt: int
    created_at: int
    expires_at: int
    channel: Channel = Channel.MAIL
    unanswered: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeEnd:
    """What an attempt came to: `state` is sent, failed, skipped, or queued again until `due_at` (microseconds).

    `unanswered` marks an attempt after which nobody knows whether the notice arrived.
    It is recorded, but changes the notice only while that is being sent in this `attempt`: what a process says that was
    declared dead, and whose notice another one took, changes nothing.
    """

    key: int
    job_key: int
    attempt: int
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
    unanswered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeNotices:
    """A request for due notices of a channel, at most `most`; `now` is in microseconds."""

    now: int
    most: int
    owner: str
    channel: Channel = Channel.MAIL


class Outbox:
    """The statements of the outbox; its methods are batch functions for `Database.write`."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def take(self, tx: Transaction, requests: list[TakeNotices]) -> list[list[TakenNotice]]:
        """Return due notices, oldest first, and mark them `sending`. Raises LeaseLostError for a dead owner."""
        check_alive(tx, (request.owner for request in requests))
        return [self._take(tx, request) for request in requests]

    def _take(self, tx: Transaction, request: TakeNotices) -> list[TakenNotice]:
        rows = tx.rows(_DUE_LOCKED if tx.postgresql else _DUE, (request.channel.value, request.now, request.most))
        tx.update(_SENDING, [(request.owner, row[0]) for row in rows])
        unanswered = count_unanswered(tx, [row[0] for row in rows])
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
                channel=Channel(channel),
                unanswered=unanswered[key],
            )
            for key, identity, job_key, kind, recipient, attempts, created_at, expires_at, channel in rows
        ]

    def end(self, tx: Transaction, ends: list[NoticeEnd]) -> list[None]:
        """Record attempts and what became of their notices; a job with nothing left to tell forgets the mail's body."""
        tx.insert(
            _ATTEMPTS,
            [
                (self._keys.take(), end.key, end.at, "unanswered" if end.unanswered else end.state)
                + (end.host, end.address, end.tls, end.policy, end.reply)
                for end in ends
            ],
        )
        sending: dict[int, int] = dict(
            tx.rows_in(_SENDING_LOCKED if tx.postgresql else _SENDING_NOW, {end.key for end in ends})
        )
        valid = {end.key: end for end in ends if sending.get(end.key) == end.attempt}
        tx.update(
            _ENDED,
            [
                (end.state, end.due_at, None if end.state == "queued" else end.at, end.reason, end.problem, end.key)
                for end in valid.values()
            ],
        )
        told = {end.job_key for end in valid.values() if end.state != "queued"}
        with_body = {key for (key,) in tx.rows_in(_BODY_LOCKED if tx.postgresql else _WITH_BODY, told)}
        waiting = {key for (key,) in tx.rows_in(_STILL_TO_TELL, with_body)}
        tx.execute_many("UPDATE job SET body = NULL WHERE key = ?", [(key,) for key in sorted(with_body - waiting)])
        return [None] * len(ends)

    def recover(self, tx: Transaction, owners: list[str | None]) -> list[int]:
        """Queue again what an owner was sending when it ended; returns how many.

        None stands for everybody who lives no more: with SQLite for everybody, so that it is for the start only, with
        PostgreSQL for those who have no lease, at any time.
        """
        return [self._recover(tx, owner) for owner in owners]

    def _recover(self, tx: Transaction, owner: str | None) -> int:
        if owner is not None:
            return tx.execute(_REQUEUE_OF, (owner,))
        if not tx.postgresql:
            return tx.execute(_REQUEUE)
        end_overdue(tx)
        return tx.execute(_REQUEUE_LEFT)


_REQUEUE = "UPDATE notice SET state = 'queued', owner = '' WHERE state = 'sending'"
_REQUEUE_OF = _REQUEUE + " AND owner = ?"
_REQUEUE_LEFT = (
    "UPDATE notice SET state = 'queued', owner = '' WHERE state = 'sending'"
    " AND owner NOT IN (SELECT owner FROM node_lease WHERE NOT ended)"
)
_DUE = (
    "SELECT key, public_id, job_key, kind, recipient, attempts, created_at, expires_at, channel FROM notice"
    " WHERE state = 'queued' AND channel = ? AND due_at <= ? ORDER BY due_at, key LIMIT ?"
)
_DUE_LOCKED = _DUE + " FOR UPDATE SKIP LOCKED"
_COUNT_UNANSWERED = (
    "SELECT notice_key, count(*) FROM notice_attempt WHERE notice_key IN (??) AND outcome = 'unanswered'"
    " GROUP BY notice_key"
)
_SENDING_NOW = "SELECT key, attempts FROM notice WHERE key IN (??) AND state = 'sending' ORDER BY key"
_SENDING_LOCKED = _SENDING_NOW + " FOR UPDATE"
_WITH_BODY = "SELECT key FROM job WHERE key IN (??) AND body IS NOT NULL AND settled_at IS NOT NULL ORDER BY key"
# Locked, so that of two processes that end the last two notices of a job the later one sees the earlier one's.
_BODY_LOCKED = _WITH_BODY + " FOR NO KEY UPDATE"
_STILL_TO_TELL = "SELECT job_key FROM notice WHERE job_key IN (??) AND state IN ('queued', 'sending', 'held')"
