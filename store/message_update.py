"""Messages on the move: loaded with their parts, advanced in memory by the tables of sms.lifecycle, and written back.

Writing back counts what ended, settles jobs with nothing open, and writes the notices that follow, all in the caller's
transaction. Not here: which events happen (progress).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sms.lifecycle import OPEN, SUCCESS, TRANSITIONS, Event, MessageState, advance, fold_parts, is_final
from sms.outcome import Problem
from sms.report import Addressee, NoticeKind, addressees, wants_result
from sms.settings import StatusChannel, StatusReport
from store.engine.keys import Keys
from store.engine.statements import Update
from store.engine.transaction import Row, Transaction
from store.outbox import OUTBOX, notice_row
from store.tables import JobRow, MessageRow, PartRow

_LOOK_AGAIN = 60 * 1_000_000
_STATES = {state.value: state for state in MessageState}  # costs a fifth of asking the enum


@dataclass(slots=True)
class MovingPart:
    """One part as stored, and whether it was changed since; `offered` says that its carrier's side of it was.

    `resends` counts how often it was queued again because its answer was lost.
    """

    key: int
    message_key: int
    state: MessageState
    carrier: str
    carrier_id: str
    error: str
    submitted_at: int | None
    reported_at: int | None
    resends: int
    changed: bool = False
    offered: bool = False

    @property
    def id_missing(self) -> bool:
        """Tell whether the carrier has the part, or may have, and has not said its id for it."""
        waits = self.state is MessageState.QUEUED and self.resends > 0
        return not self.carrier_id and (
            waits or self.state is MessageState.SUBMITTED or self.state is MessageState.UNKNOWN
        )


@dataclass(slots=True)
class LoadedMessage:
    """One message with all its parts; `reported_state` is as loaded, `ended` tells whether its job knows its end."""

    key: int
    job_key: int
    public_id: str
    number: str
    reported_state: MessageState
    reason: str
    problem: str
    from_network: bool
    receipt_wanted: bool
    attempts: int
    throttled: int
    route: str
    due_at: int
    expires_at: int
    ended: bool
    owner: str
    updated_at: int
    parts: list[MovingPart] = field(default_factory=list)
    settled_job: str = ""
    changed: bool = False
    state: MessageState = field(init=False)

    def __post_init__(self) -> None:
        self.state = self.reported_state

    def has(self, state: MessageState) -> bool:
        """Tell whether one of the parts is in this state."""
        return any(part.state is state for part in self.parts)

    def move(self, part: MovingPart, event: Event, problem: Problem | None = None) -> bool:
        """Advance one part and fold the message; returns whether the part moved.

        A problem that explains the message's new state becomes the message's.
        """
        after = advance(part.state, event)
        if after is part.state:
            return False
        part.state = after
        part.changed = self.changed = True
        if problem is not None and after is not MessageState.QUEUED:
            part.error = part.error or problem.code.value
        self._fold(after, problem)
        return True

    def _fold(self, after: MessageState, problem: Problem | None) -> None:
        folded = after if len(self.parts) == 1 else fold_parts(part.state for part in self.parts)
        if self.ended and not self._may_still_become(folded):
            return
        self.state = folded
        if folded in SUCCESS:
            self.reason = self.problem = ""
        elif folded is after and problem is not None:
            self.reason, self.problem = problem.code.value, problem.text

    def _may_still_become(self, folded: MessageState) -> bool:
        """Tell whether an ended message may change: along an arrow of the table, and never back into an open state.

        The fold of its parts may lead elsewhere: a late «delivered» for a lost part leaves «submitted» while another
        part's receipt is out. The message then stays what was told until all its parts agree on something final.
        """
        arrows = TRANSITIONS[self.state].values()
        return folded in arrows and is_final(folded, receipt_expected=self.receipt_wanted)

    @property
    def corrected(self) -> bool:
        """Tell whether what its sender was told has become wrong; «delivered» after «accepted» is no correction."""
        return self.ended and self.state is not self.reported_state and not {self.state, self.reported_state} <= SUCCESS

    def watch_at(self, grace: Mapping[str, int], now: int) -> int:
        """Return when silence must be looked at: at the validity's end, or later where only receipts are awaited."""
        watch = self.expires_at
        if not any(part.state in OPEN for part in self.parts):
            watch += max(
                (grace[part.carrier] for part in self.parts if part.state is MessageState.SUBMITTED), default=0
            )
        return watch if watch > now else now + _LOOK_AGAIN


_COLUMNS = (
    "SELECT key, job_key, public_id, number, state, reason, problem, from_network, receipt_wanted, attempts, throttled,"
    " route, due_at, expires_at, ended, owner, updated_at FROM message"
)
_MESSAGE = _COLUMNS + " WHERE key IN (??) ORDER BY key FOR UPDATE"
_MESSAGE_OF = _MESSAGE.replace("??", "SELECT message_key FROM part WHERE key IN (??)")
# Not ordered: PostgreSQL could then walk the primary key, through all parts there are.
_PART = (
    "SELECT key, message_key, state, carrier, carrier_id, error, submitted_at, reported_at, resends FROM part"
    " WHERE message_key IN (??)"
)


def load_messages(tx: Transaction, keys: Iterable[int]) -> dict[int, LoadedMessage]:
    """Return these messages by key, locked in that order, each with its parts in theirs."""
    return _load(tx, _MESSAGE, keys)


def load_messages_of(tx: Transaction, part_keys: Iterable[int]) -> dict[int, LoadedMessage]:
    """Return the messages of these parts, as `load_messages` does."""
    return _load(tx, _MESSAGE_OF, part_keys)


def _load(tx: Transaction, query: str, keys: Iterable[int]) -> dict[int, LoadedMessage]:
    messages = {
        row[0]: LoadedMessage(
            key=row[0],
            job_key=row[1],
            public_id=row[2],
            number=row[3],
            reported_state=_STATES[row[4]],
            reason=row[5],
            problem=row[6],
            from_network=bool(row[7]),
            receipt_wanted=bool(row[8]),
            attempts=row[9],
            throttled=row[10],
            route=row[11],
            due_at=row[12],
            expires_at=row[13],
            ended=bool(row[14]),
            owner=row[15],
            updated_at=row[16],
        )
        for row in tx.rows_in(query, sorted(set(keys)))
    }
    # Read when the messages are locked, so that no other process changes them meanwhile.
    for row in sorted(tx.rows_in(_PART, messages)):
        messages[row[1]].parts.append(MovingPart(row[0], row[1], _STATES[row[2]], *row[3:]))
    return messages


# SQLite writes whatever an UPDATE names into its indexes anew: what seldom changes has statements of its own.
_PARTS = Update(PartRow, "state", "error", "reported_at")
_OFFERED_PARTS = Update(PartRow, "carrier", "carrier_id", "submitted_at", "resends", *_PARTS.columns[:-1])
_MOVED = (
    *("state", "reason", "problem", "from_network", "receipt_wanted", "route", "due_at", "owner"),
    *("throttled", "id_missing", "updated_at"),
)
_MESSAGES = Update(MessageRow, *_MOVED)
_ENDED_MESSAGES = Update(MessageRow, *_MOVED, also="ended = TRUE")
_WATCHED = Update(MessageRow, "watch_at")
_JOBS = Update(JobRow, "open_messages", "settled_at", "corrected")
_JOB = (
    "SELECT key, public_id, open_messages, settled_at, corrected, report, reverse_path, channel, push_url FROM job"
    " WHERE key IN (??) ORDER BY key FOR NO KEY UPDATE"
)


# A settled job's public id, when its result is told, and how.
_Settled = tuple[str, StatusReport, tuple[Addressee, ...]]


class MessageWriter:
    """Writes messages back; `grace` is each carrier's microseconds after the validity in which a receipt may come."""

    def __init__(self, keys: Keys, grace: Mapping[str, int]) -> None:
        self._keys = keys
        self._grace = grace

    def save(self, tx: Transaction, messages: Iterable[LoadedMessage], now: int) -> int:
        """Write what changed, count what ended, settle jobs that have nothing open; returns the notices written."""
        changed = [message for message in messages if message.changed]
        parts = [part for message in changed for part in message.parts if part.changed]
        tx.update(_PARTS, [_part_row(part) for part in parts if not part.offered])
        tx.update(
            _OFFERED_PARTS,
            [
                (part.carrier, part.carrier_id, part.submitted_at, part.resends, *_part_row(part))
                for part in parts
                if part.offered
            ],
        )
        moved: list[Row] = []
        ending: list[Row] = []
        ended: dict[int, int] = {}
        corrected: set[int] = set()
        for message in changed:
            if message.corrected:
                corrected.add(message.job_key)
            if not message.ended and is_final(message.state, receipt_expected=message.receipt_wanted):
                message.ended = True
                ended[message.job_key] = ended.get(message.job_key, 0) + 1
                ending.append(_message_row(message, now))
            else:
                moved.append(_message_row(message, now))
        tx.update(_MESSAGES, moved)
        tx.update(_ENDED_MESSAGES, ending)
        settled, notices = self._save_jobs(tx, ended, corrected, now)
        for message in changed:
            message.settled_job = settled.pop(message.job_key, "")  # said by one of the job's messages
        tx.insert(OUTBOX, notices)
        return len(notices)

    def watch(self, tx: Transaction, messages: Iterable[LoadedMessage], now: int) -> None:
        """Write when messages that have not ended are looked at again."""
        left = [message for message in messages if not message.ended]
        tx.update(_WATCHED, [(message.watch_at(self._grace, now), message.key) for message in left])

    def _save_jobs(
        self, tx: Transaction, ended: Mapping[int, int], corrected: set[int], now: int
    ) -> tuple[dict[int, str], list[Row]]:
        """Return the public ids of the jobs that settled, by key, and the notices that follow."""
        rows: list[Row] = []
        settled: dict[int, _Settled] = {}
        notices: list[Row] = []
        for key, public_id, open_messages, settled_at, was_corrected, rule, address, channel, push_url in tx.rows_in(
            _JOB, {*ended, *corrected}
        ):
            ways = addressees(StatusChannel(channel), address, push_url)
            left = open_messages - ended.get(key, 0)
            correct = key in corrected and settled_at is not None and not was_corrected
            settles = left == 0 and settled_at is None
            if settles:
                settled[key] = (public_id, StatusReport(rule), ways)
            if correct and rule != StatusReport.NEVER:
                notices += [notice_row(self._keys.take(), key, NoticeKind.CORRECTION, way, now) for way in ways]
            rows.append((left, now if settles else settled_at, correct or bool(was_corrected), key))
        tx.update(_JOBS, rows)
        notices += self._results(tx, settled, now)
        return {key: public_id for key, (public_id, _, _) in settled.items()}, notices

    def _results(self, tx: Transaction, settled: Mapping[int, _Settled], now: int) -> list[Row]:
        careful = [key for key, (_, rule, _) in settled.items() if rule is StatusReport.ON_FAILURE]
        states: dict[int, list[MessageState]] = {}
        for key, state in tx.rows_in("SELECT DISTINCT job_key, state FROM message WHERE job_key IN (??)", careful):
            states.setdefault(key, []).append(MessageState(state))
        return [
            notice_row(self._keys.take(), key, NoticeKind.RESULT, way, now)
            for key, (_, rule, ways) in settled.items()
            if wants_result(rule, states.get(key, ()))
            for way in ways
        ]


def _part_row(part: MovingPart) -> Row:
    return (part.state.value, part.error, part.reported_at, part.key)


def _message_row(message: LoadedMessage, now: int) -> Row:
    return (
        message.state.value,
        message.reason,
        message.problem,
        message.from_network,
        message.receipt_wanted,
        message.route,
        message.due_at,
        message.owner if message.state is MessageState.SUBMITTING else "",
        message.throttled,
        any(part.id_missing for part in message.parts),
        now,
        message.key,
    )
