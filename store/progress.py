"""What answers, receipts and time change: parts, their message's fold, the job's count, and the notice that follows.

Each method is one batch function and does all of it in the transaction it is given. The decisions are the tables of
sms.lifecycle; here they are looked up, written down, and nothing else.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from sms.lifecycle import REPORT_OF, Event, State, advance, fold_parts, is_final, retry_delay
from sms.message import Receipt, ReceiptState
from sms.outcome import Done, Failed, Outcome, Problem, ProblemCode, Retry, Unknown
from sms.report import NoticeKind, wants_result
from sms.settings import StatusReport
from store.database import Transaction
from store.keys import Keys, to_stored
from store.outbox import NOTICE_INSERT, notice_row

_ORPHAN_LIFE = int(timedelta(hours=48).total_seconds()) * 1_000_000
_LOOK_AGAIN = 60 * 1_000_000
_SWEEP = 1_000

_REPORT_PROBLEMS: Mapping[Event, Problem] = {
    Event.REPORT_UNDELIVERED: Problem(
        code=ProblemCode.NOT_DELIVERED, text="The network reports that the message could not be delivered."
    ),
    Event.REPORT_EXPIRED: Problem(
        code=ProblemCode.VALIDITY_ENDED, text="The network reports that the validity ended before delivery."
    ),
    Event.REPORT_REJECTED: Problem(
        code=ProblemCode.CARRIER_REFUSED, text="The network reports that it rejected the message."
    ),
    Event.REPORT_UNKNOWN: Problem(
        code=ProblemCode.NO_RECEIPT, text="The network reports that it does not know what became of the message."
    ),
}
_EXPIRED = Problem(code=ProblemCode.VALIDITY_ENDED, text="The validity ended before a carrier took the message.")
_NO_RECEIPT = Problem(
    code=ProblemCode.NO_RECEIPT, text="The carrier accepted the message, and no delivery receipt came for it."
)
_INCOMPLETE = Problem(
    code=ProblemCode.PARTS_INCOMPLETE, text="Another part of the message was refused, so this part was not sent."
)
_CANCELLED = Problem(code=ProblemCode.CANCELLED, text="The message was cancelled before it was sent.")
_NOTHING = Problem(code=ProblemCode.INTERNAL, text="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of submitting one part; `at` is in microseconds."""

    part_key: int
    carrier: str
    outcome: Outcome
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """One receipt and when it came, in microseconds."""

    receipt: Receipt
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """A wish to cancel messages; `now` is in microseconds."""

    message_keys: tuple[int, ...]
    now: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What one call changed, for the log: the message, its state now, and whether its job settled with it."""

    message_id: str = ""
    state: State | None = None
    settled_job: str = ""
    notices: int = 0


@dataclass(slots=True)
class _Part:
    key: int
    message_key: int
    state: State
    carrier: str
    carrier_id: str
    error: str
    submitted_at: int | None
    reported_at: int | None
    changed: bool = False


@dataclass(slots=True)
class _Message:
    key: int
    job_key: int
    public_id: str
    state: State
    reason: str
    problem: str
    from_network: bool
    receipt_wanted: bool
    attempts: int
    route: str
    due_at: int
    expires_at: int
    watch_at: int
    counted: bool
    parts: list[_Part] = field(default_factory=list)
    settled_job: str = ""
    changed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What progress must know of the carriers: whose lost answers are sent again, who gives no receipts, their grace."""

    resend_unknown: frozenset[str] = frozenset()
    without_receipts: frozenset[str] = frozenset()
    receipt_grace: Mapping[str, timedelta] = field(default_factory=dict)

    def grace(self, carrier: str) -> int:
        """Return the microseconds after the validity's end in which a receipt may still come."""
        return int(self.receipt_grace.get(carrier, timedelta(hours=1)).total_seconds() * 1_000_000)


class ProgressStore:
    """The statements of progress; its public methods are batch functions for `Database.write`."""

    def __init__(self, keys: Keys, rules: Rules) -> None:
        self._keys = keys
        self._rules = rules

    def settle(self, tx: Transaction, batches: list[list[Answer]]) -> list[list[Progress]]:
        """Take carriers' answers to parts that are `submitting`; an answer to any other part changes nothing."""
        progress = iter(self._settle(tx, [answer for batch in batches for answer in batch]))
        return [[next(progress) for _ in batch] for batch in batches]

    def _settle(self, tx: Transaction, answers: list[Answer]) -> list[Progress]:
        messages = _load(tx, (answer.part_key for answer in answers))
        where = {part.key: (message, part) for message in messages.values() for part in message.parts}
        told: list[_Message | None] = []
        early: list[tuple[str, str]] = []
        for answer in answers:
            message, part = where.get(answer.part_key, (None, None))
            if message is not None and part is not None and part.state is State.SUBMITTING:
                self._apply_answer(message, part, answer)
                if part.carrier_id:
                    early.append((part.carrier, part.carrier_id))
            told.append(message)
        self._apply_early_receipts(tx, where, early)
        notices = self._save(tx, messages.values(), max((answer.at for answer in answers), default=0))
        return [_progress(message, notices) for message in told]

    def _apply_answer(self, message: _Message, part: _Part, answer: Answer) -> None:
        outcome = answer.outcome
        part.carrier = answer.carrier
        match outcome:
            case Done(reference=reference):
                part.carrier_id = reference
                part.submitted_at = answer.at
                self._move(message, part, Event.ACCEPT, _NOTHING)
                if part.carrier in self._rules.without_receipts:
                    message.receipt_wanted = False
                if message.receipt_wanted:
                    message.watch_at = message.expires_at + self._rules.grace(part.carrier)
                if any(other.state is State.QUEUED for other in message.parts):
                    message.route = part.carrier
            case Retry(problem=problem, after=after):
                self._move(message, part, Event.DEFER, problem)
                wait = retry_delay(max(message.attempts, 1), after, message.key)
                message.due_at = answer.at + int(wait.total_seconds() * 1_000_000)
            case Failed(problem=problem):
                self._move(message, part, Event.FAIL, problem)
                for other in message.parts:
                    if other.state is State.QUEUED:
                        self._move(message, other, Event.FAIL, _INCOMPLETE)
                message.reason, message.problem = problem.code.value, problem.text
            case Unknown(problem=problem):
                again = part.carrier in self._rules.resend_unknown
                if not again:
                    part.submitted_at = answer.at
                self._move(message, part, Event.RESEND if again else Event.LOSE, problem)

    def _move(self, message: _Message, part: _Part, event: Event, problem: Problem) -> None:
        """Advance one part and fold its message; a problem that explains the new state becomes the message's."""
        after = advance(part.state, event)
        if after is part.state:
            return
        part.state = after
        part.changed = message.changed = True
        if problem.text and after is not State.QUEUED:
            part.error = part.error or problem.code.value
        message.state = fold_parts(other.state for other in message.parts)
        if message.state in (State.SUBMITTED, State.DELIVERED):
            message.reason = message.problem = ""
        elif message.state is after and problem.text:
            message.reason, message.problem = problem.code.value, problem.text

    def _apply_early_receipts(
        self, tx: Transaction, where: Mapping[int, tuple[_Message, _Part]], accepted: list[tuple[str, str]]
    ) -> None:
        """Apply receipts that came before the answer that makes them fit."""
        if not accepted:
            return
        wanted = set(accepted)
        orphans = tx.rows_in(
            "SELECT key, carrier, carrier_id, state, error, received_at FROM receipt"
            " WHERE part_key IS NULL AND carrier_id IN (??)",
            {carrier_id for _, carrier_id in accepted},
        )
        parts = {
            (part.carrier, part.carrier_id): (message, part) for message, part in where.values() if part.carrier_id
        }
        matched = []
        for key, carrier, carrier_id, state, error, received_at in sorted(orphans):
            if (carrier, carrier_id) in wanted and (carrier, carrier_id) in parts:
                message, part = parts[carrier, carrier_id]
                self._report(message, part, REPORT_OF[ReceiptState(state)], error, received_at)
                matched.append((part.key, key))
        tx.execute_many("UPDATE receipt SET part_key = ? WHERE key = ?", matched)

    def _report(self, message: _Message, part: _Part, event: Event | None, error: str, at: int) -> None:
        if event is None:
            return
        before = part.state
        self._move(message, part, event, _REPORT_PROBLEMS.get(event, _NOTHING))
        if part.state is not before:
            part.reported_at = at
            part.error = error if part.state is not State.DELIVERED else ""
            message.from_network = True

    def report(self, tx: Transaction, arrived: list[Arrived]) -> list[Progress]:
        """Take receipts: each is written down, and moves the part it names; one that fits nothing waits as an orphan."""
        keys = self._match(tx, arrived)
        messages = _load(tx, [key for key in keys if key is not None])
        where = {part.key: (message, part) for message in messages.values() for part in message.parts}
        told: list[_Message | None] = []
        rows = []
        for item, key in zip(arrived, keys, strict=True):
            receipt = item.receipt
            done_at = to_stored(receipt.done_at) if receipt.done_at else None
            rows.append(
                (self._keys.take(), receipt.carrier, receipt.carrier_id, receipt.state.value, receipt.error[:80])
                + (receipt.number, done_at, item.at, key)
            )
            message, part = where.get(key, (None, None)) if key is not None else (None, None)
            if message is not None and part is not None:
                part.carrier_id = part.carrier_id or receipt.carrier_id
                self._report(message, part, REPORT_OF[receipt.state], receipt.error[:80], item.at)
            told.append(message)
        tx.execute_many(
            "INSERT INTO receipt (key, carrier, carrier_id, state, error, number, done_at, received_at, part_key)"
            " VALUES (?,?,?,?,?,?,?,?,?)",
            rows,
        )
        notices = self._save(tx, messages.values(), max(item.at for item in arrived))
        return [_progress(message, notices) for message in told]

    def _match(self, tx: Transaction, arrived: list[Arrived]) -> list[int | None]:
        """Return the part that each receipt names: the newest with that id, or the only unknown one to that number."""
        found: dict[tuple[str, str], int] = {}
        for key, carrier, carrier_id in tx.rows_in(
            "SELECT key, carrier, carrier_id FROM part WHERE carrier_id <> '' AND carrier_id IN (??)",
            {item.receipt.carrier_id for item in arrived},
        ):
            found[carrier, carrier_id] = max(key, found.get((carrier, carrier_id), 0))
        keys: list[int | None] = []
        for item in arrived:
            receipt = item.receipt
            key = found.get((receipt.carrier, receipt.carrier_id))
            keys.append(key if key is not None else _only_unknown(tx, receipt))
        return keys

    def sweep(self, tx: Transaction, nows: list[int]) -> list[int]:
        """End up to a thousand messages whose time is over; returns how many were looked at."""
        return [self._sweep(tx, now) for now in nows]

    def _sweep(self, tx: Transaction, now: int) -> int:
        keys = [
            key
            for (key,) in tx.rows(
                "SELECT key FROM message WHERE NOT counted AND watch_at <= ? ORDER BY watch_at LIMIT ?", (now, _SWEEP)
            )
        ]
        messages = _load_messages(tx, keys)
        for message in messages.values():
            for part in message.parts:
                if part.state is State.QUEUED:
                    self._move(message, part, Event.EXPIRE, _EXPIRED)
                elif part.state is State.SUBMITTED and message.watch_at > message.expires_at:
                    self._move(message, part, Event.GIVE_UP_ON_RECEIPT, _NO_RECEIPT)
            message.watch_at = now + _LOOK_AGAIN
            message.changed = True
        self._save(tx, messages.values(), now)
        return len(keys)

    def cancel(self, tx: Transaction, wishes: list[Cancel]) -> list[int]:
        """Cancel the parts of messages that no carrier was offered yet; returns how many messages that ended."""
        return [self._cancel(tx, wish.message_keys, wish.now) for wish in wishes]

    def _cancel(self, tx: Transaction, keys: Iterable[int], now: int) -> int:
        messages = _load_messages(tx, keys)
        for message in messages.values():
            for part in message.parts:
                self._move(message, part, Event.CANCEL, _CANCELLED)
        self._save(tx, messages.values(), now)
        return sum(message.state is State.CANCELLED for message in messages.values())

    def forget_orphans(self, tx: Transaction, nows: list[int]) -> list[int]:
        """Delete receipts that fitted nothing for 48 hours; returns how many."""
        return [
            tx.execute("DELETE FROM receipt WHERE part_key IS NULL AND received_at <= ?", (now - _ORPHAN_LIFE,))
            for now in nows
        ]

    def _save(self, tx: Transaction, messages: Iterable[_Message], now: int) -> int:
        """Write what changed, count what ended, settle jobs that have nothing open; returns the notices written."""
        changed = [message for message in messages if message.changed]
        tx.execute_many(
            "UPDATE part SET state = ?, carrier = ?, carrier_id = ?, error = ?, submitted_at = ?, reported_at = ?"
            " WHERE key = ?",
            [
                (
                    part.state.value,
                    part.carrier,
                    part.carrier_id,
                    part.error,
                    part.submitted_at,
                    part.reported_at,
                    part.key,
                )
                for message in changed
                for part in message.parts
                if part.changed
            ],
        )
        ended: dict[int, int] = {}
        corrected: set[int] = set()
        for message in changed:
            if not is_final(message.state, receipt_expected=message.receipt_wanted):
                continue
            if message.counted:
                corrected.add(message.job_key)
            else:
                message.counted = True
                ended[message.job_key] = ended.get(message.job_key, 0) + 1
        tx.execute_many(
            "UPDATE message SET state = ?, reason = ?, problem = ?, from_network = ?, route = ?, due_at = ?, watch_at = ?,"
            " receipt_wanted = ?, counted = ?, owner = CASE WHEN ? = 'submitting' THEN owner ELSE '' END, updated_at = ? WHERE key = ?",
            [
                (
                    message.state.value,
                    message.reason,
                    message.problem,
                    message.from_network,
                    message.route,
                    message.due_at,
                )
                + (message.watch_at, message.receipt_wanted, message.counted, message.state.value, now, message.key)
                for message in changed
            ],
        )
        notices = self._settle_jobs(tx, ended, changed, now)
        return notices + self._correct_jobs(tx, corrected, now)

    def _settle_jobs(self, tx: Transaction, ended: Mapping[int, int], changed: list[_Message], now: int) -> int:
        tx.execute_many(
            "UPDATE job SET open_messages = open_messages - ? WHERE key = ?",
            [(count, key) for key, count in sorted(ended.items())],
        )
        settled = tx.rows_in(
            "SELECT key, public_id, report, reverse_path FROM job"
            " WHERE key IN (??) AND open_messages = 0 AND settled_at IS NULL",
            ended,
        )
        tx.execute_many("UPDATE job SET settled_at = ? WHERE key = ?", [(now, row[0]) for row in settled])
        careful = [key for key, _, report, _ in settled if report == StatusReport.ON_FAILURE]
        states: dict[int, list[State]] = {}
        for job_key, state in tx.rows_in("SELECT job_key, state FROM message WHERE job_key IN (??)", careful):
            states.setdefault(job_key, []).append(State(state))
        ids = {key: public_id for key, public_id, _, _ in settled}
        for message in changed:
            message.settled_job = ids.get(message.job_key, "")
        rows = [
            notice_row(self._keys.take(), key, NoticeKind.RESULT, recipient, now)
            for key, _, report, recipient in settled
            if recipient and wants_result(StatusReport(report), states.get(key, ()))
        ]
        tx.execute_many(NOTICE_INSERT, rows)
        return len(rows)

    def _correct_jobs(self, tx: Transaction, keys: set[int], now: int) -> int:
        """Write the one correction notice of each settled job whose record changed after its result was told."""
        rows = tx.rows_in(
            "SELECT key, report, reverse_path FROM job WHERE key IN (??) AND settled_at IS NOT NULL AND NOT corrected",
            keys,
        )
        tx.execute_many("UPDATE job SET corrected = ? WHERE key = ?", [(True, row[0]) for row in rows])
        notices = [
            notice_row(self._keys.take(), key, NoticeKind.CORRECTION, recipient, now)
            for key, report, recipient in rows
            if recipient and StatusReport(report) is not StatusReport.NEVER
        ]
        tx.execute_many(NOTICE_INSERT, notices)
        return len(notices)


_MESSAGE = (
    "SELECT key, job_key, public_id, state, reason, problem, from_network, receipt_wanted, attempts, route, due_at, expires_at,"
    " watch_at, counted FROM message WHERE key IN (??)"
)
_PART = (
    "SELECT key, message_key, state, carrier, carrier_id, error, submitted_at, reported_at FROM part"
    " WHERE message_key IN (??) ORDER BY key"
)


def _load(tx: Transaction, part_keys: Iterable[int]) -> dict[int, _Message]:
    """Return the messages of these parts, each with all its parts."""
    rows = tx.rows_in("SELECT message_key FROM part WHERE key IN (??)", part_keys)
    return _load_messages(tx, {key for (key,) in rows})


def _load_messages(tx: Transaction, keys: Iterable[int]) -> dict[int, _Message]:
    wanted = sorted(keys)
    if not wanted:
        return {}
    messages = {}
    for row in tx.rows_in(_MESSAGE + (" FOR UPDATE" if tx.postgresql else ""), wanted):
        messages[row[0]] = _Message(
            key=row[0],
            job_key=row[1],
            public_id=row[2],
            state=State(row[3]),
            reason=row[4],
            problem=row[5],
            from_network=bool(row[6]),
            receipt_wanted=bool(row[7]),
            attempts=row[8],
            route=row[9],
            due_at=row[10],
            expires_at=row[11],
            watch_at=row[12],
            counted=bool(row[13]),
        )
    for row in tx.rows_in(_PART, wanted):
        messages[row[1]].parts.append(_Part(row[0], row[1], State(row[2]), *row[3:]))
    return messages


def _only_unknown(tx: Transaction, receipt: Receipt) -> int | None:
    """Return the one part to the receipt's number whose answer this carrier still owes; None for none or several."""
    if not receipt.number:
        return None
    rows = tx.rows(
        "SELECT p.key FROM message m JOIN part p ON p.message_key = m.key WHERE m.number = ? AND m.updated_at > ?"
        " AND p.state = 'unknown' AND p.carrier = ? AND p.carrier_id = '' LIMIT 2",
        (receipt.number, 0, receipt.carrier),
    )
    return rows[0][0] if len(rows) == 1 else None


def _progress(message: _Message | None, notices: int) -> Progress:
    if message is None:
        return Progress()
    return Progress(message_id=message.public_id, state=message.state, settled_job=message.settled_job, notices=notices)
