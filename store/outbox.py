"""The outbox: what we owe somebody, until it is sent or given up, and for a while after.

A row belongs to a job or to nobody, is of one kind and goes by one channel to one recipient. Whoever takes it names
itself and the attempt, and only that word counts for its end. What a crash interrupted is sent again under the same id:
receivers can fold it, and it costs nobody money. Not here: what the kinds are and who sends them (gateway.outbox), how
a row lives (sms.outbox), lists for people (store.outbox_views).
"""

import dataclasses
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from msgspec import Struct
from msgspec.structs import replace

from sms.outbox import OUTBOX_TRANSITIONS, WAITING, OutboxEvent, OutboxState, destination_of, states_before
from sms.report import Addressee, Channel
from store.directory_changes import DirectoryChanges
from store.engine.database import Row, Transaction
from store.engine.keys import Keys, public_id, to_instant
from store.engine.rows import query
from store.engine.statements import Insert, Update
from store.inbound_mail import INBOUND_MAIL, find_fallback
from store.inbound_rules import end_action
from store.leases import check_alive, end_overdue
from store.outbox_order import hold_sequences, let_next, put_behind
from store.tables import OutboxAttemptRow, OutboxRow
from store.tls_sessions import count_sessions
from tls.report import SessionResult

OUTBOX = Insert(OutboxRow)
_ATTEMPTS = Insert(OutboxAttemptRow)
_TAKEN = Update(OutboxRow, "owner", also="state = 'sending', attempts = attempts + 1")
_ENDED = Update(OutboxRow, "state", "attempts", "due_at", "ended_at", "reason", "problem", also="owner = ''")
_KEPT = int(timedelta(days=30).total_seconds()) * 1_000_000
_FORGOTTEN_AT_ONCE = 500
_WITHOUT_LIMIT = 1 << 30
CONTENTS_KEPT = 500
"""So many rows that were given up keep their content, so that the disk they take is bounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRow:
    """Something to send that belongs to no job. `about` is what its kind needs beside `content`.

    It may belong to the inbound SMS `sms_key` or to a customer. Rows of one `sequence` go one after the other. Nothing
    is written while the last row of its `topic` is younger than `quiet`, nor where `most` of its kind wait; the
    id is the prefix and the key. `now` and `quiet` are in microseconds.
    """

    kind: str
    prefix: str
    recipient: str
    now: int
    about: Mapping[str, str | int]
    content: bytes | None = None
    topic: str = ""
    quiet: int = 0
    most: int = _WITHOUT_LIMIT
    channel: Channel = Channel.MAIL
    sms_key: int | None = None
    customer_key: int | None = None
    sequence: str = ""


class TakenRow(Struct, frozen=True, array_like=True):
    """A row that the process `owner` now sends; `attempt` counts from 1, `unanswered` those before that left doubt.

    `about` is JSON. Instants are microseconds; its time counts from `began_at`.
    """

    key: int
    public_id: str
    kind: str
    channel: Channel
    destination: str
    recipient: str
    job_key: int | None
    sms_key: int | None
    customer_key: int | None
    sequence: str
    about: str
    content: bytes | None
    attempt: int
    created_at: int
    began_at: int
    owner: str = ""
    unanswered: int = 0


class _Sending(Struct, frozen=True, array_like=True):
    """A row under way: whose word on it counts."""

    key: int
    owner: str
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEnd:
    """What became of a taken row by this `event`; deferred or given back it is due again at `due_at` (microseconds).

    `unanswered` marks an attempt after which nobody knows whether it arrived. Where nobody was called (given back)
    there was no attempt. It changes the row only while `taken` is the last word on it: what a process says that was
    declared dead, and whose row another one took, is recorded and changes nothing. `ends_action` is the key of an
    action whose receiver said that it is gone; `sessions` are counted for TLS reports.
    """

    taken: TakenRow
    event: OutboxEvent
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
    ends_action: int | None = None
    sessions: tuple[SessionResult, ...] = ()

    @property
    def state(self) -> OutboxState:
        """Where it puts the row."""
        return OUTBOX_TRANSITIONS[OutboxState.SENDING][self.event]


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """How many rows may be under way by one channel: `most` in all, `each` to one destination.

    The first of a destination has its place whatever the others hold, up to `ceiling` in all, so that destinations that
    hang never keep another one waiting. `under_way` counts them by destination.
    """

    most: int
    each: int
    ceiling: int
    under_way: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeDue:
    """A request for due rows of a channel as far as there are places; `now` is in microseconds.

    Only those of some destinations, where they are named: the others can't be reached from here now.
    """

    owner: str
    channel: Channel
    now: int
    places: Places
    destinations: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveBackRows:
    """A request of a living process to queue again what it took and does not hold; `held` are keys of rows."""

    owner: str
    held: frozenset[int]


def notice_row(key: int, job_key: int, kind: str, way: Addressee, now: int, **columns: str) -> Row:
    """Return the row of a new notice of a job by one way, due at once; `now` is in microseconds."""
    return _row(way, now, key=key, public_id=public_id("N", to_instant(now)), kind=kind, job_key=job_key, **columns)


def new_row(key: int, new: NewRow) -> Row:
    """Return the row of something that belongs to no job, due at once; its id is `new.prefix` and the key."""
    return _row(
        (new.channel, new.recipient),
        new.now,
        key=key,
        public_id=f"{new.prefix}.{key}",
        kind=new.kind,
        topic=new.topic,
        about=json.dumps(new.about),
        content=new.content,
        sms_key=new.sms_key,
        customer_key=new.customer_key,
        sequence=new.sequence,
    )


def _row(way: Addressee, now: int, **columns: object) -> Row:
    channel, recipient = way
    return OUTBOX.row(
        channel=channel.value,
        destination=destination_of(channel, recipient),
        recipient=recipient,
        state=OutboxState.QUEUED.value,
        due_at=now,
        created_at=now,
        **columns,
    )


class Outbox:
    """The statements of the outbox; its methods are batch functions for `Database.write`."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def add(self, tx: Transaction, rows: list[NewRow]) -> list[str | None]:
        """Queue rows that belong to no job; returns their ids, None for one that is not written."""
        return [self._add(tx, row) for row in rows]

    def _add(self, tx: Transaction, new: NewRow) -> str | None:
        if new.topic and tx.rows(_LATELY, (new.topic, new.now - new.quiet)):
            return None
        if new.most < _WITHOUT_LIMIT and tx.value(_COUNT_WAITING, (new.kind,)) >= new.most:
            return None
        key = self._keys.take()
        tx.insert(OUTBOX, [new_row(key, new)])
        return f"{new.prefix}.{key}"

    def take(self, tx: Transaction, requests: list[TakeDue]) -> list[list[TakenRow]]:
        """Return due rows, oldest first, and mark them `sending`. Raises LeaseLostError for a dead owner.

        None while an earlier one of its sequence has not ended.
        """
        check_alive(tx, (request.owner for request in requests))
        return [self._take(tx, request) for request in requests]

    def _take(self, tx: Transaction, request: TakeDue) -> list[TakenRow]:
        choice = _Choice(request.places)
        destinations = sorted(request.destinations or ())
        if request.destinations is None:
            first = _due(tx, _DUE, (request.channel.value, request.now, request.places.most))
            choice.take(first)
            if choice.has_refused and len(first) == request.places.most:
                # Behind what waits for a place others may wait: the first of every other destination.
                destinations = [name for (name,) in tx.rows(_DESTINATIONS, (request.channel.value,) * 2)]
        for destination in destinations:
            if choice.room(destination) > 0:
                values = (request.channel.value, destination, request.now, choice.room(destination))
                choice.take(_due(tx, _DUE_AT, values))
        tx.update(_TAKEN, [_TAKEN.row(owner=request.owner, key=row.key) for row in choice.rows])
        unanswered: Counter[int] = Counter(dict(tx.rows_in(_COUNT_UNANSWERED, [row.key for row in choice.rows])))
        return [replace(row, owner=request.owner, unanswered=unanswered[row.key]) for row in choice.rows]

    def end(self, tx: Transaction, ends: list[OutboxEnd]) -> list[bool]:
        """Record attempts and what became of their rows; a job with nothing left to tell forgets the mail's body.

        Returns for each whether others are told in place of who was not.
        """
        tx.insert(
            _ATTEMPTS,
            [
                _ATTEMPTS.row(
                    key=self._keys.take(),
                    outbox_key=end.taken.key,
                    at=end.at,
                    outcome="unanswered" if end.unanswered else end.state.value,
                    host=end.host,
                    address=end.address,
                    tls=end.tls,
                    policy=end.policy,
                    reply=end.reply,
                )
                for end in ends
                if end.event is not OutboxEvent.GIVE_BACK
            ],
        )
        count_sessions(tx, ((end.at, session) for end in ends for session in end.sessions))
        rows = tx.select_in(_Sending, _SENDING, {end.taken.key for end in ends})
        sending = {row.key: (row.owner, row.attempts) for row in rows}
        valid = [end for end in ends if sending.get(end.taken.key) == (end.taken.owner, end.taken.attempt)]
        tx.update(_ENDED, [_ended_row(end) for end in valid])
        over = [end for end in valid if end.state is not OutboxState.QUEUED]
        let_next(tx, {end.taken.sequence: end.at for end in over if end.taken.sequence})
        for end in valid:
            if end.ends_action is not None:
                self._end_action(tx, end.ends_action, end)
        self._forget_bodies(tx, {end.taken.job_key for end in over if end.taken.job_key is not None})
        done = [(end.taken.key,) for end in over if end.taken.content is not None and end.event is OutboxEvent.SEND]
        tx.execute_many("UPDATE outbox SET content = NULL WHERE key = ?", done)
        if any(end.taken.content is not None and end.event is OutboxEvent.FAIL for end in over):
            tx.execute(_FORGET_CONTENTS, (CONTENTS_KEPT,))
        lost = [end for end in over if end.event is OutboxEvent.FAIL and end.taken.kind == INBOUND_MAIL]
        # In the order of their SMS, whose rows are locked, so that two processes can't wait for each other.
        lost.sort(key=lambda end: end.taken.sms_key or 0)
        fallen_back = {end.taken.key for end in lost if self._fall_back(tx, end)}
        return [end.taken.key in fallen_back for end in ends]

    def _fall_back(self, tx: Transaction, end: OutboxEnd) -> bool:
        """Queue the mail of an inbound SMS that was given up for the other addresses of its action."""
        taken, about = end.taken, json.loads(end.taken.about)
        if taken.sms_key is None:
            return False
        addresses = find_fallback(tx, about["action"], taken.sms_key)
        new = NewRow(
            kind=taken.kind,
            prefix=taken.public_id.partition(".")[0],
            recipient="",
            now=end.at,
            about={**about, "user": "", "fallback": True},
            sms_key=taken.sms_key,
            customer_key=taken.customer_key,
        )
        rows = [new_row(self._keys.take(), dataclasses.replace(new, recipient=address)) for address in addresses]
        tx.insert(OUTBOX, rows)
        return bool(rows)

    def _end_action(self, tx: Transaction, action: int, end: OutboxEnd) -> None:
        changes = DirectoryChanges(tx, self._keys, "mail2sms", end.at)
        end_action(tx, changes, action, f"{end.taken.public_id}: {end.problem}")
        changes.finish()

    def _forget_bodies(self, tx: Transaction, jobs: set[int]) -> None:
        with_body = {key for (key,) in tx.rows_in(_WITH_BODY, jobs)}
        waiting = {key for (key,) in tx.rows_in(_STILL_TO_TELL, with_body)}
        tx.execute_many("UPDATE job SET body = NULL WHERE key = ?", [(key,) for key in sorted(with_body - waiting)])

    def recover(self, tx: Transaction, owners: list[str]) -> list[int]:
        """Queue again what processes were sending when they ended, for a living process; returns how many.

        With SQLite that is everybody: it is for the start only. With PostgreSQL, at any time, those who have no lease.
        """
        return [self._recover(tx, owner) for owner in owners]

    def _recover(self, tx: Transaction, owner: str) -> int:
        if not tx.postgresql:
            return tx.execute(_REQUEUE)
        end_overdue(tx, owner)
        return tx.execute(_REQUEUE + _OF_THE_DEAD)

    def give_back(self, tx: Transaction, requests: list[GiveBackRows]) -> list[int]:
        """Queue again what living processes took and do not hold: nobody was called for it; returns how many.

        Raises LeaseLostError for a dead owner.
        """
        check_alive(tx, (request.owner for request in requests))
        counts = []
        for request in requests:
            left = {key for (key,) in tx.rows(_OWN, (request.owner,))} - request.held
            tx.execute_many(_GIVE_BACK, [(key,) for key in sorted(left)])
            counts.append(len(left))
        return counts

    def forget(self, tx: Transaction, nows: list[int]) -> list[int]:
        """Delete rows of no job and no SMS that ended thirty days ago, some hundred at a time; returns how many."""
        counts = []
        for now in nows:
            old = [key for (key,) in tx.rows(_OLD, (now - _KEPT, _FORGOTTEN_AT_ONCE))]
            tx.execute_many("DELETE FROM outbox_attempt WHERE outbox_key = ?", [(key,) for key in old])
            tx.execute_many("DELETE FROM outbox WHERE key = ?", [(key,) for key in old])
            counts.append(len(old))
        return counts


def _due(tx: Transaction, statement: str, values: tuple[object, ...]) -> list[TakenRow]:
    """Return due rows that are behind no other."""
    while True:
        rows = tx.select(TakenRow, statement, values)
        behind, look_again = put_behind(tx, [row.key for row in rows if row.sequence])
        if not look_again:
            return [row for row in rows if row.key not in behind]


class _Choice:
    """Which due rows have a place."""

    def __init__(self, places: Places) -> None:
        self.rows: list[TakenRow] = []
        self.has_refused = False
        self._places = places
        self._under_way = Counter(places.under_way)
        self._total = sum(self._under_way.values())

    def room(self, destination: str) -> int:
        """Return how many more of this destination have a place."""
        places, held = self._places, self._under_way[destination]
        first = 1 if not held and self._total < places.ceiling else 0
        return max(min(places.each - held, max(places.most - self._total, first)), 0)

    def take(self, rows: Iterable[TakenRow]) -> None:
        """Choose of these rows in their order; one that was chosen already is left out."""
        known = {row.key for row in self.rows}
        for row in rows:
            if row.key in known:
                continue
            if self.room(row.destination) <= 0:
                self.has_refused = True
                continue
            self.rows.append(row)
            self._under_way[row.destination] += 1
            self._total += 1


def _ended_row(end: OutboxEnd) -> Row:
    is_queued = end.state is OutboxState.QUEUED
    return _ENDED.row(
        state=end.state.value,
        # Nobody was called: it does not count, and owner and attempt are the fence of the next who takes it.
        attempts=end.taken.attempt - (end.event is OutboxEvent.GIVE_BACK),
        due_at=end.due_at,
        ended_at=None if is_queued else end.at,
        reason=end.reason,
        problem=end.problem,
        key=end.taken.key,
    )


def change(
    tx: Transaction,
    event: OutboxEvent,
    keys: Collection[int],
    *,
    due_at: int | None = None,
    ended_at: int | None = None,
) -> int:
    """Hold, release or drop rows that are in a state for it; returns how many. Instants are microseconds."""
    before = states_before(event)
    (after,) = {OUTBOX_TRANSITIONS[state][event] for state in before}
    wanted = f"key = ? AND state IN ({words_of(before)})"
    statement = f"UPDATE outbox SET state = ?, due_at = COALESCE(?, due_at), ended_at = ? WHERE {wanted}"  # noqa: S608 - words of ours
    sequences = {} if ended_at is None else dict.fromkeys(hold_sequences(tx, keys), ended_at)
    changed = sum(tx.execute(statement, (after.value, due_at, ended_at, key)) for key in sorted(keys))
    let_next(tx, sequences)
    return changed


def find_rows(tx: Transaction, column: str, value: str | int) -> list[int]:
    """Return the keys of the rows with this `public_id` or `job_key` that have not ended."""
    statement = f"SELECT key FROM outbox WHERE {column} = ? AND state IN ({words_of(WAITING)})"  # noqa: S608 - ours
    return [key for (key,) in tx.rows(statement, (value,))]


def words_of(states: Iterable[OutboxState]) -> str:
    """Return states as they stand in SQL."""
    return ", ".join(sorted(f"'{state.value}'" for state in states))


_OF_CHANNEL = query(
    TakenRow,
    "FROM outbox WHERE state = 'queued' AND channel = ?",
    attempt="attempts + 1",
    began_at="coalesce(replayed_at, created_at)",
)
_FIRST = " AND due_at <= ? ORDER BY due_at, key LIMIT ? FOR UPDATE SKIP LOCKED"
_DUE = _OF_CHANNEL + _FIRST
_DUE_AT = _OF_CHANNEL + " AND destination = ?" + _FIRST
# Each found by the index through the one before it: as many steps as there are destinations, whatever waits for them.
_DESTINATIONS = (
    "WITH RECURSIVE next (name) AS (SELECT min(destination) FROM outbox WHERE state = 'queued' AND channel = ?"
    " UNION ALL SELECT (SELECT min(destination) FROM outbox WHERE state = 'queued' AND channel = ?"
    " AND destination > next.name) FROM next WHERE next.name IS NOT NULL)"
    " SELECT name FROM next WHERE name IS NOT NULL"
)
_REQUEUE = "UPDATE outbox SET state = 'queued', owner = '' WHERE state = 'sending'"
_OF_THE_DEAD = " AND owner NOT IN (SELECT owner FROM node_lease WHERE NOT ended)"
_OWN = "SELECT key FROM outbox WHERE state = 'sending' AND owner = ?"
_GIVE_BACK = "UPDATE outbox SET state = 'queued', owner = '', attempts = attempts - 1 WHERE key = ?"
_COUNT_UNANSWERED = (
    "SELECT outbox_key, count(*) FROM outbox_attempt WHERE outbox_key IN (??) AND outcome = 'unanswered'"
    " GROUP BY outbox_key"
)
_SENDING = query(_Sending, "FROM outbox WHERE key IN (??) AND state = 'sending' ORDER BY key FOR UPDATE")
# Locked, so that of two processes that end the last two rows of a job the later one sees the earlier one's.
_WITH_BODY = (
    "SELECT key FROM job WHERE key IN (??) AND body IS NOT NULL AND settled_at IS NOT NULL ORDER BY key"
    " FOR NO KEY UPDATE"
)
_STILL_TO_TELL = f"SELECT job_key FROM outbox WHERE job_key IN (??) AND state IN ({words_of(WAITING)})"  # noqa: S608 - words of ours
_LATELY = "SELECT 1 FROM outbox WHERE topic = ? AND topic <> '' AND created_at > ? LIMIT 1"
_OF_NOBODY = "job_key IS NULL AND sms_key IS NULL"
_COUNT_WAITING = f"SELECT count(*) FROM outbox WHERE kind = ? AND ended_at IS NULL AND {_OF_NOBODY}"  # noqa: S608 - words of ours
_OLD = f"SELECT key FROM outbox WHERE {_OF_NOBODY} AND ended_at < ? ORDER BY ended_at LIMIT ?"  # noqa: S608
_FORGET_CONTENTS = (
    f"UPDATE outbox SET content = NULL WHERE content IS NOT NULL AND {_OF_NOBODY} AND ended_at <="  # noqa: S608
    f" (SELECT ended_at FROM outbox WHERE content IS NOT NULL AND {_OF_NOBODY} AND ended_at IS NOT NULL"
    " ORDER BY ended_at DESC, key DESC LIMIT 1 OFFSET ?)"
)
