"""Messages on the move: loaded with their parts, advanced in memory by the tables of sms.lifecycle, and written back.

Writing back counts what ended, settles jobs with nothing open, and writes the notices that follow, all in the caller's
transaction. Not here: which events happen (progress).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter

from msgspec import Struct, field

from sms.esme import INTERMEDIATE, wants_receipt
from sms.lifecycle import OPEN, SUCCESS, TRANSITIONS, Event, MessageState, advance, fold_parts, is_final
from sms.outcome import Problem, ProblemCode
from sms.report import Addressee, Channel, NoticeKind, addressees, wants_result
from sms.settings import StatusChannel, StatusReport
from store.details import ENDED_DETAILS
from store.engine.keys import Keys
from store.engine.rows import query
from store.engine.statements import Insert, Update
from store.engine.transaction import Row, Transaction
from store.esme import ToldSms, receipt_rows
from store.message_pushes import ReachedState, push_rows
from store.outbox import OUTBOX, notice_row
from store.sums import close_jobs, note_changes
from store.tables import JobRow, MessageRow, PartRow

_LOOK_AGAIN = 60 * 1_000_000
_LOST = Problem(
    code=ProblemCode.NO_ANSWER,
    text="The carrier did not answer when the message was sent; it may have it or not, and it was not sent again.",
)


class LoadedPart(Struct, array_like=True):
    """One part, and whether it was changed since it was loaded; `offered` says that its carrier's side of it was.

    The `key` of a part that no carrier was offered yet is 0: it has no row. `resends` counts how often it was queued
    again because its answer was lost.
    """

    message_key: int
    idx: int
    key: int
    state: MessageState
    carrier: str
    carrier_id: str
    error: str
    submitted_at: int | None
    reported_at: int | None
    resends: int
    network: str
    price: str
    changed: bool = False
    offered: bool = False

    @property
    def id_missing(self) -> bool:
        """Whether the carrier has the part, or may have, and has not said its id for it."""
        waits = self.state is MessageState.QUEUED and self.resends > 0
        return not self.carrier_id and (
            waits or self.state is MessageState.SUBMITTED or self.state is MessageState.UNKNOWN
        )


_attempt_of = attrgetter("key", "carrier", "carrier_id", "state", "error", "network", "price", "submitted_at")


class LoadedMessage(Struct, array_like=True):
    """One message with all its parts; `reported_state` is as loaded, `ended` tells whether its job knows its end.

    `cause` is the last answer that put it off, `repeats` how often it came in a row, `tried` the carriers that gave it
    back; `given_back` are rows of what was done there. `passed` are its new states that are pushed, with reason and
    problem.
    """

    key: int
    job_key: int
    public_id: str
    number: str
    state: MessageState
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
    part_count: int
    cause: str
    repeats: int
    tried: str
    registered: int
    push_states: str
    reported_state: MessageState = MessageState.QUEUED
    parts: list[LoadedPart] = field(default_factory=list)
    settled_job: str = ""
    changed: bool = False
    given_back: list[Row] = field(default_factory=list)
    passed: list[tuple[MessageState, str, str]] = field(default_factory=list)

    def complete(self) -> None:
        """Add the parts that have no row: as soon as one has, the others wait; before, all are as their message is."""
        if len(self.parts) == self.part_count == 1:
            return
        state = MessageState.QUEUED if self.parts else self.state
        have = {part.idx for part in self.parts}
        self.parts += [
            LoadedPart(self.key, index, 0, state, "", "", "", None, None, 0, "", "")
            for index in range(1, self.part_count + 1)
            if index not in have
        ]
        self.parts.sort(key=attrgetter("idx"))

    @property
    def has_rows(self) -> bool:
        """Whether a carrier was offered a part of it."""
        return any(part.key for part in self.parts)

    @property
    def id_missing(self) -> bool:
        """Whether a carrier owes the id of a part."""
        return any(part.id_missing for part in self.parts)

    def stamp(self, now: int) -> None:
        """Say that it is written now, and whose it is no more unless it is being submitted."""
        self.updated_at = now
        if self.state is not MessageState.SUBMITTING:
            self.owner = ""

    def has(self, state: MessageState) -> bool:
        """Return whether one of the parts is in this state."""
        return any(part.state is state for part in self.parts)

    def count(self, state: MessageState) -> int:
        """Return how many of the parts are in this state."""
        return sum(part.state is state for part in self.parts)

    def move(self, part: LoadedPart, event: Event, problem: Problem | None = None) -> bool:
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

    def end_waiting(self, part: LoadedPart, event: Event, problem: Problem) -> None:
        """End a part that waits; one that waits to be sent again may be with its carrier, and nothing else is true."""
        if part.resends and advance(part.state, event) is not part.state:
            self.move(part, Event.LOSE, _LOST)
        else:
            self.move(part, event, problem)

    def begin_anew(self, route: str, at: int) -> None:
        """Queue all parts for other carriers: what this one did is kept apart, and their life begins anew.

        Only before the message ended, so before anybody was told.
        """
        for part in self.parts:
            if part.key:
                self.given_back.append((*_attempt_of(part), at))
            part.state = MessageState.QUEUED
            part.carrier = part.carrier_id = part.error = part.network = part.price = ""
            part.submitted_at = part.reported_at = None
            part.changed = part.offered = bool(part.key)
        self.state = MessageState.QUEUED
        self.route, self.due_at, self.repeats = route, at, 0
        self.from_network = False
        self.passed = [each for each in self.passed if each[0] is MessageState.SUBMITTED]  # the others were no end
        self.changed = True

    def _fold(self, after: MessageState, problem: Problem | None) -> None:
        folded = after if len(self.parts) == 1 else fold_parts(part.state for part in self.parts)
        if self.ended and not self._may_still_become(folded):
            return
        is_new = folded is not self.state
        self.state = folded
        if folded in SUCCESS:
            self.reason = self.problem = ""
        elif folded is after and problem is not None:
            self.reason, self.problem = problem.code.value, problem.text
        if is_new and self.push_states and folded.value in self.push_states.split(","):
            self.passed.append((folded, self.reason, self.problem))

    @property
    def reached(self) -> Iterator[ReachedState]:
        """The new states that its application is told of, in their order."""
        for state, reason, problem in self.passed:
            yield ReachedState(
                message_key=self.key,
                job_key=self.job_key,
                state=state,
                ended=is_final(state, receipt_expected=self.receipt_wanted),
                reason=reason,
                problem=problem,
                from_network=self.from_network,
            )

    def _may_still_become(self, folded: MessageState) -> bool:
        """Return whether an ended message may change: along an arrow of the table, and never back into an open state.

        The fold of its parts may lead elsewhere: a late «delivered» for a lost part leaves «submitted» while another
        part's receipt is out. The message then stays what was told until all its parts agree on something final.
        """
        arrows = TRANSITIONS[self.state].values()
        return folded in arrows and is_final(folded, receipt_expected=self.receipt_wanted)

    @property
    def was_accepted(self) -> bool:
        """Whether a carrier has it since it was loaded, and it has not ended."""
        return self.state is MessageState.SUBMITTED and self.reported_state is not self.state and not self.ended

    def tell(self, now: int) -> ToldSms:
        """Return what its ESME is told of it."""
        reported = [part.reported_at for part in self.parts if part.reported_at is not None]
        return ToldSms(
            key=self.key,
            registered=self.registered,
            state=self.state,
            ended=self.ended,
            reason=self.reason,
            error=next((part.error for part in self.parts if part.error), ""),
            parts=self.part_count,
            delivered=self.count(MessageState.DELIVERED),
            at=max(reported) if self.from_network and reported else now,
        )

    @property
    def corrected(self) -> bool:
        """Whether what its sender was told has become wrong; «delivered» after «accepted» is no correction."""
        return self.ended and self.state is not self.reported_state and not {self.state, self.reported_state} <= SUCCESS

    def watch_at(self, grace: Mapping[str, int], now: int) -> int:
        """Return when silence must be looked at: at the validity's end, or later where only receipts are awaited."""
        watch = self.expires_at
        if not any(part.state in OPEN for part in self.parts):
            watch += max(
                (grace[part.carrier] for part in self.parts if part.state is MessageState.SUBMITTED), default=0
            )
        return watch if watch > now else now + _LOOK_AGAIN


_MESSAGE = query(LoadedMessage, "FROM message WHERE key IN (??) ORDER BY key FOR UPDATE")
_MESSAGE_OF = _MESSAGE.replace("??", "SELECT message_key FROM part WHERE key IN (??)")
# Not ordered: PostgreSQL could then walk the primary key, through all parts there are.
_PART = query(LoadedPart, "FROM part WHERE message_key IN (??)")


def load_messages(tx: Transaction, keys: Iterable[int]) -> dict[int, LoadedMessage]:
    """Return these messages by key, locked in that order, each with its parts in theirs."""
    return _load(tx, _MESSAGE, keys)


def load_messages_of(tx: Transaction, part_keys: Iterable[int]) -> dict[int, LoadedMessage]:
    """Return the messages of these parts, as `load_messages` does."""
    return _load(tx, _MESSAGE_OF, part_keys)


def _load(tx: Transaction, sql: str, keys: Iterable[int]) -> dict[int, LoadedMessage]:
    messages = {message.key: message for message in tx.select_in(LoadedMessage, sql, sorted(set(keys)))}
    # Read when the messages are locked, so that no other process changes them meanwhile.
    for part in tx.select_in(LoadedPart, _PART, messages):
        messages[part.message_key].parts.append(part)
    for message in messages.values():
        message.reported_state = message.state
        message.complete()
    return messages


# SQLite writes whatever an UPDATE names into its indexes anew: what seldom changes has statements of its own.
_SAID = ("state", "error", "reported_at", "network", "price")
_REPORTED_PARTS = Update(PartRow, *_SAID)
_OFFERED_PARTS = Update(PartRow, *_SAID, "carrier", "carrier_id", "submitted_at", "resends")
_NEW_PARTS = Insert(PartRow)
# What the part cost there stands in its row until it is taken again.
_KEEP_ATTEMPT = (
    "INSERT INTO part_attempt (key, part_key, carrier, carrier_id, state, error, network, price, submitted_at,"
    " ended_at, cost_label) SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, cost_label FROM part WHERE key = ?"
)
_MOVED = (
    *("state", "reason", "problem", "from_network", "receipt_wanted", "route", "due_at", "owner"),
    *("throttled", "id_missing", "updated_at", "cause", "repeats", "tried"),
)
_MESSAGES = Update(MessageRow, *_MOVED)
_ENDED_MESSAGES = Update(MessageRow, *_MOVED, also="ended = TRUE")
_WATCHED = Update(MessageRow, "watch_at")
_JOBS = Update(JobRow, "open_messages", "settled_at", "corrected")


class _EndingJob(Struct, array_like=True):
    """What a job must know when its messages end."""

    key: int
    public_id: str
    open_messages: int
    settled_at: int | None
    corrected: bool
    report: StatusReport
    reverse_path: str
    channel: StatusChannel
    push_url: str
    customer_key: int
    accepted_at: int
    push_states: str

    @property
    def addressees(self) -> tuple[Addressee, ...]:
        """Who is told of its result, by what: not by push where its messages are pushed by themselves."""
        ways = addressees(self.channel, self.reverse_path, self.push_url)
        return tuple(way for way in ways if way[0] is not Channel.PUSH) if self.push_states else ways


_JOB = query(
    _EndingJob,
    "FROM job WHERE key IN (??) ORDER BY key FOR NO KEY UPDATE",
    push_states="(SELECT m.push_states FROM message m WHERE m.job_key = job.key LIMIT 1)",
)


class MessageWriter:
    """Writes messages back; `grace` is each carrier's microseconds after the validity in which a receipt may come."""

    def __init__(self, keys: Keys, grace: Mapping[str, int]) -> None:
        self._keys = keys
        self._grace = grace

    def save(self, tx: Transaction, messages: Iterable[LoadedMessage], now: int) -> int:
        """Write what changed, count what ended, settle jobs that have nothing open; returns the notices written."""
        changed = [message for message in messages if message.changed]
        self._save_parts(tx, changed)
        moved: list[Row] = []
        ending: list[Row] = []
        ended: dict[int, int] = {}
        corrected: set[int] = set()
        final: list[LoadedMessage] = []
        counted_anew: set[int] = set()
        told: list[ToldSms] = []
        for message in changed:
            message.stamp(now)
            if message.corrected:
                corrected.add(message.job_key)
            if message.ended:
                counted_anew.add(message.job_key)
            if not message.ended and is_final(message.state, receipt_expected=message.receipt_wanted):
                message.ended = True
                final.append(message)
                ended[message.job_key] = ended.get(message.job_key, 0) + 1
                ending.append(_MESSAGES.of(message))
                is_news = wants_receipt(message.registered, message.state)
            else:
                moved.append(_MESSAGES.of(message))
                if message.ended and message.state is not message.reported_state:
                    final.append(message)
                is_news = message.corrected or (bool(message.registered & INTERMEDIATE) and message.was_accepted)
            if message.registered and is_news:
                told.append(message.tell(now))
        tx.update(_MESSAGES, moved)
        tx.update(_ENDED_MESSAGES, ending)
        settled, notices = self._save_jobs(tx, ended, corrected, final, now)
        note_changes(tx, counted_anew)
        notices += receipt_rows(tx, self._keys, told, now) if told else []
        reached = [each for message in changed for each in message.reached]
        notices += push_rows(tx, self._keys, reached, now) if reached else []
        for message in changed:
            message.settled_job = settled.pop(message.job_key, "")  # said by one of the job's messages
        tx.insert(OUTBOX, notices)
        return len(notices)

    def _save_parts(self, tx: Transaction, messages: Sequence[LoadedMessage]) -> None:
        """Write the parts that changed; one without a row gets it where another part of its message has one."""
        given_back = [(self._keys.take(), *row, row[0]) for message in messages for row in message.given_back]
        tx.execute_many(_KEEP_ATTEMPT, given_back)
        changed = [part for message in messages if message.has_rows for part in message.parts if part.changed]
        tx.update(_REPORTED_PARTS, [_REPORTED_PARTS.of(part) for part in changed if part.key and not part.offered])
        tx.update(_OFFERED_PARTS, [_OFFERED_PARTS.of(part) for part in changed if part.key and part.offered])
        ended_unoffered = [
            _NEW_PARTS.row(
                key=self._keys.take(),
                message_key=part.message_key,
                idx=part.idx,
                state=part.state.value,
                error=part.error,
            )
            for part in changed
            if not part.key
        ]
        tx.insert(_NEW_PARTS, ended_unoffered)

    def watch(self, tx: Transaction, messages: Iterable[LoadedMessage], now: int) -> None:
        """Write when messages that have not ended are looked at again."""
        left = [message for message in messages if not message.ended]
        tx.update(
            _WATCHED, [_WATCHED.row(watch_at=message.watch_at(self._grace, now), key=message.key) for message in left]
        )

    def _save_jobs(
        self, tx: Transaction, ended: Mapping[int, int], corrected: set[int], final: Sequence[LoadedMessage], now: int
    ) -> tuple[dict[int, str], list[Row]]:
        """Return the public ids of the jobs that settled, by key, and the notices that follow."""
        jobs = tx.select_in(_EndingJob, _JOB, {message.job_key for message in final})
        of_key = {job.key: job for job in jobs}
        tx.update(ENDED_DETAILS, [_detail(of_key[message.job_key], message, now) for message in final])
        settled: list[_EndingJob] = []
        notices: list[Row] = []
        for job in jobs:
            job.open_messages -= ended.get(job.key, 0)
            if job.key in corrected and job.settled_at is not None and not job.corrected:
                job.corrected = True
                if job.report is not StatusReport.NEVER:
                    notices += self._notices(job, NoticeKind.CORRECTION, now)
            if job.open_messages == 0 and job.settled_at is None:
                job.settled_at = now
                settled.append(job)
        tx.update(_JOBS, [_JOBS.of(job) for job in jobs])
        close_jobs(tx, [(job.key, job.customer_key) for job in settled], now)
        notices += self._results(tx, settled, now)
        return {job.key: job.public_id for job in settled}, notices

    def _results(self, tx: Transaction, settled: Sequence[_EndingJob], now: int) -> list[Row]:
        careful = [job.key for job in settled if job.report is StatusReport.ON_FAILURE]
        states: dict[int, list[MessageState]] = {}
        for key, state in tx.rows_in("SELECT DISTINCT job_key, state FROM message WHERE job_key IN (??)", careful):
            states.setdefault(key, []).append(MessageState(state))
        return [
            notice
            for job in settled
            if wants_result(job.report, states.get(job.key, ()))
            for notice in self._notices(job, NoticeKind.RESULT, now)
        ]

    def _notices(self, job: _EndingJob, kind: NoticeKind, now: int) -> list[Row]:
        return [notice_row(self._keys.take(), job.key, kind.value, way, now) for way in job.addressees]


def _detail(job: _EndingJob, message: LoadedMessage, now: int) -> Row:
    """Return what the detail of a message that has ended says of it from now on."""
    sent = [part.submitted_at for part in message.parts if part.submitted_at is not None]
    return ENDED_DETAILS.row(
        customer_key=job.customer_key,
        accepted_at=job.accepted_at,
        key=message.key,
        state=message.state.value,
        carrier=max(part.carrier for part in message.parts),
        sent_at=min(sent, default=None),
        ended_at=now,
    )
