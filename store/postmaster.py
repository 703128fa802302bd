"""Mail to the postmaster: kept before it is answered, until it is forwarded or given up, and for thirty days after.

One that a process took is its own until it says what came of it, or ends: then it is queued again. What was forwarded
keeps its row and loses its content; of those given up the newest keep theirs. Not here: who may send and how it is
forwarded (gateway.postmaster).
"""

import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta

import peewee

from store.engine.database import Transaction
from store.engine.keys import Keys, to_instant
from store.engine.statements import Insert
from store.leases import end_overdue
from store.outbox import add_unanswered, count_unanswered
from store.tables import KeyedRow


class ForwardedMailRow(KeyedRow):
    """A mail for the operator; `content` is the mail behind our Received line, `octets` its size before compression."""

    sender = peewee.TextField()
    recipients = peewee.TextField()
    client = peewee.TextField()
    helo = peewee.TextField()
    octets = peewee.IntegerField()
    content = peewee.BlobField()
    compressed = peewee.BooleanField()
    state = peewee.TextField()
    owner = peewee.TextField(default="")
    attempts = peewee.IntegerField(default=0)
    due_at = peewee.BigIntegerField()
    received_at = peewee.BigIntegerField()
    ended_at = peewee.BigIntegerField(null=True)
    last_reply = peewee.TextField(default="")

    class Meta:  # noqa: D106 - peewee's configuration
        table_name = "forwarded_mail"


ForwardedMailRow.add_index(
    ForwardedMailRow.index(ForwardedMailRow.due_at, ForwardedMailRow.key, name="forwarded_mail_waiting").where(
        peewee.SQL("ended_at IS NULL")
    )
)
ForwardedMailRow.add_index(
    ForwardedMailRow.index(ForwardedMailRow.ended_at, ForwardedMailRow.key, name="forwarded_mail_ended").where(
        peewee.SQL("ended_at IS NOT NULL")
    )
)

_COLUMNS = (
    *("key", "sender", "recipients", "client", "helo", "octets", "content", "compressed"),
    *("state", "owner", "attempts", "due_at", "received_at", "last_reply"),
)
_MAILS = Insert(ForwardedMailRow, *_COLUMNS)
_KEPT = int(timedelta(days=30).total_seconds()) * 1_000_000
_LARGE = 64 * 1024
GIVEN_UP_KEPT = 500
"""So many mails that were given up keep their content, so that the disk they take is bounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A mail's octets as they are stored."""

    octets: int
    content: bytes
    compressed: bool


def pack(raw: bytes) -> Packed:
    """Return a mail as it is stored; one over 64 KiB is compressed, which may take tens of milliseconds."""
    compressed = len(raw) > _LARGE
    return Packed(octets=len(raw), content=zlib.compress(raw) if compressed else raw, compressed=compressed)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewForward:
    """One mail to keep; it is not where `most` wait already. `recipients` are as given, apart by blanks."""

    sender: str
    recipients: str
    client: str
    helo: str
    packed: Packed
    now: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeForward:
    """The request of the process `owner` for the mail that is due at `now` (microseconds)."""

    owner: str
    now: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenForward:
    """A mail that this process now forwards; `attempt` counts from 1, `unanswered` those before that left doubt.

    The instant is in microseconds.
    """

    key: int
    sender: str
    recipients: str
    client: str
    helo: str
    content: bytes
    attempt: int
    received_at: int
    unanswered: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardEnd:
    """What an attempt came to: `state` is forwarded, failed, or queued again until `due_at` (microseconds).

    It counts only while the mail is being sent in this attempt: another process may have taken it meanwhile.
    """

    key: int
    attempt: int
    state: str
    now: int
    due_at: int = 0
    last_reply: str = ""
    unanswered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedForward:
    """A mail as the operator's list shows it."""

    mail_id: str
    received_at: datetime
    client: str
    helo: str
    octets: int
    state: str
    attempts: int
    due_at: datetime
    last_reply: str


class PostmasterStore:
    """The statements of mail to the postmaster; its methods are batch functions for `Database.write`."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def add(self, tx: Transaction, mails: list[NewForward]) -> list[int | None]:
        """Keep mails and return their keys; None for one that had no room."""
        return [self._add(tx, mail) for mail in mails]

    def _add(self, tx: Transaction, mail: NewForward) -> int | None:
        ((waiting,),) = tx.rows("SELECT count(*) FROM forwarded_mail WHERE ended_at IS NULL", ())
        if waiting >= mail.most:
            return None
        key, packed = self._keys.take(), mail.packed
        words = (mail.sender, mail.recipients, mail.client, mail.helo)
        row = (key, *words, packed.octets, packed.content, packed.compressed, "queued", "", 0, mail.now, mail.now, "")
        tx.insert(_MAILS, [row])
        return key

    def take(self, tx: Transaction, requests: list[TakeForward]) -> list[TakenForward | None]:
        """Return the mail that is due longest, which nobody else takes meanwhile; delete what ended long ago."""
        return [self._take(tx, request) for request in requests]

    def _take(self, tx: Transaction, request: TakeForward) -> TakenForward | None:
        over = (request.now - _KEPT,)
        tx.execute(
            "DELETE FROM notice_attempt WHERE notice_key IN (SELECT key FROM forwarded_mail WHERE ended_at < ?)", over
        )
        tx.execute("DELETE FROM forwarded_mail WHERE ended_at < ?", over)
        due = (
            "SELECT key, sender, recipients, client, helo, content, compressed, attempts, received_at"
            " FROM forwarded_mail WHERE ended_at IS NULL AND state = 'queued' AND due_at <= ?"
            " ORDER BY due_at, key LIMIT 1"
        )
        rows = tx.rows(due + (" FOR UPDATE SKIP LOCKED" if tx.postgresql else ""), (request.now,))
        if not rows:
            return None
        key, sender, recipients, client, helo, content, compressed, attempts, received_at = rows[0]
        tx.execute(
            "UPDATE forwarded_mail SET state = 'sending', owner = ?, attempts = attempts + 1 WHERE key = ?",
            (request.owner, key),
        )
        return TakenForward(
            key=key,
            sender=sender,
            recipients=recipients,
            client=client,
            helo=helo,
            content=_unpack(content, compressed=compressed),
            attempt=attempts + 1,
            received_at=received_at,
            unanswered=count_unanswered(tx, [key])[key],
        )

    def recover(self, tx: Transaction, nows: list[int]) -> list[int]:
        """Queue again what processes were sending when they ended; returns how many.

        With SQLite that is everybody: it is for the start only. With PostgreSQL, at any time, those who have no lease.
        """
        if tx.postgresql:
            end_overdue(tx)
        return [tx.execute(_REQUEUE + (_OF_THE_DEAD if tx.postgresql else ""), (now,)) for now in nows]

    def end(self, tx: Transaction, ends: list[ForwardEnd]) -> list[None]:
        """Record what became of mails."""
        add_unanswered(tx, self._keys, ((end.key, end.now, end.last_reply) for end in ends if end.unanswered))
        for end in ends:
            ended_at = None if end.state == "queued" else end.now
            is_current = tx.execute(
                "UPDATE forwarded_mail SET state = ?, due_at = ?, ended_at = ?, last_reply = ?"
                " WHERE key = ? AND state = 'sending' AND attempts = ?",
                (end.state, end.due_at, ended_at, end.last_reply, end.key, end.attempt),
            )
            if is_current and end.state == "forwarded":
                tx.execute("UPDATE forwarded_mail SET content = ?, compressed = ? WHERE key = ?", (b"", False, end.key))
        if any(end.state == "failed" for end in ends):
            tx.execute(
                "UPDATE forwarded_mail SET content = ?, compressed = ? WHERE state = 'failed' AND ended_at <="
                " (SELECT ended_at FROM forwarded_mail WHERE state = 'failed' AND ended_at IS NOT NULL"
                " ORDER BY ended_at DESC, key DESC LIMIT 1 OFFSET ?)",
                (b"", False, GIVEN_UP_KEPT),
            )
        return [None] * len(ends)


_REQUEUE = "UPDATE forwarded_mail SET state = 'queued', due_at = ? WHERE ended_at IS NULL AND state = 'sending'"
_OF_THE_DEAD = " AND owner NOT IN (SELECT owner FROM node_lease WHERE NOT ended)"


def mail_id(key: int) -> str:
    """Return the name of a mail in replies, logs and lists."""
    return f"P.{key}"


def list_forwards(tx: Transaction, *, limit: int) -> list[ListedForward]:
    """Return mails to the postmaster, those that wait first, then the newest."""
    rows = tx.rows(
        "SELECT key, received_at, client, helo, octets, state, attempts, due_at, last_reply FROM forwarded_mail"
        " ORDER BY CASE WHEN ended_at IS NULL THEN 0 ELSE 1 END, key DESC LIMIT ?",
        (limit,),
    )
    return [
        ListedForward(
            mail_id=mail_id(key),
            received_at=to_instant(received_at),
            client=client,
            helo=helo,
            octets=octets,
            state=state,
            attempts=attempts,
            due_at=to_instant(due_at),
            last_reply=last_reply,
        )
        for key, received_at, client, helo, octets, state, attempts, due_at, last_reply in rows
    ]


def find_content(tx: Transaction, *, name: str) -> bytes | None:
    """Return the octets of a mail by its id, empty where they are kept no longer; None where there is no such mail."""
    digits = name.removeprefix("P.")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 19):
        return None
    rows = tx.rows("SELECT content, compressed FROM forwarded_mail WHERE key = ?", (int(digits),))
    return _unpack(rows[0][0], compressed=rows[0][1]) if rows else None


def _unpack(content: bytes, *, compressed: bool) -> bytes:
    return zlib.decompress(content) if compressed else bytes(content)
