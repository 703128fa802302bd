"""What the answer of a carrier, or its absence, does to a loaded message: what it decides, before anything is written.

Not here: which messages those are, and the rows (results, message_update), what receipts say (reported).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from sms.lifecycle import FAULTS, THROTTLES, Event, MessageState
from sms.outcome import Done, Failed, Outcome, Problem, ProblemCode, Retry, Unknown
from sms.retry import Ladder, chance_of
from sms.route import SEPARATOR, Failover, behind
from store.message_update import LoadedMessage, LoadedPart
from store.reported import follow_sibling, note_charges

CANCELLED = Problem(code=ProblemCode.CANCELLED, text="The message was cancelled before it was sent.")
_INCOMPLETE = Problem(
    code=ProblemCode.PARTS_INCOMPLETE, text="Another part of the message was refused, so this part was not sent."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierAnswer:
    """What came of submitting one part; `at` is in microseconds.

    `owner` is who took the part: the word of a process that was declared dead since counts no more. Empty: not checked.
    """

    part_key: int
    carrier: str
    outcome: Outcome
    at: int
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What must be known of the carriers.

    How often a part is sent again at most whose answer was lost, who takes a text of several parts in one submit, who
    gives no receipts or one for such a text, their grace, and what of theirs goes by the next carrier.
    """

    resends: Mapping[str, int] = field(default_factory=dict)
    whole_texts: frozenset[str] = frozenset()
    without_receipts: frozenset[str] = frozenset()
    whole_receipts: frozenset[str] = frozenset()
    receipt_grace: Mapping[str, timedelta] = field(default_factory=dict)
    failover: Mapping[str, Failover] = field(default_factory=dict)


def microseconds(duration: timedelta) -> int:
    """Return a duration in microseconds."""
    return int(duration.total_seconds() * 1_000_000)


def submitted_together(message: LoadedMessage, part: LoadedPart, rules: Rules) -> list[LoadedPart]:
    """Return the parts that one submit took, whose answer is theirs: all of a text that its carrier takes whole."""
    taken = [other for other in message.parts if (other.carrier, other.state) == (part.carrier, part.state)]
    return taken if part.carrier in rules.whole_texts and len(taken) == len(message.parts) else [part]


def apply_answer(message: LoadedMessage, part: LoadedPart, answer: CarrierAnswer, rules: Rules) -> None:
    """Take the answer to a part that is `submitting`."""
    part.carrier = answer.carrier
    part.changed = part.offered = True
    match answer.outcome:
        case Done() as done:
            _accept(message, part, done, answer.at, rules)
            if message.has(MessageState.QUEUED):
                message.route = part.carrier
        case Retry() as retry:
            _count(message, answer.at, retry)
            if retry.attempts and message.repeats >= retry.attempts:
                _fail(message, part, _exhausted(retry))
            else:
                put_back(message, part, retry.problem)
                _wait(message, answer.at, retry)
            _fail_over_refused(message, part, answer, rules, retry)
        case Failed() as failed:
            _fail(message, part, failed.problem)
            _fail_over_refused(message, part, answer, rules, failed)
        case Unknown(problem=problem):
            _lose(message, part, problem, answer.at, rules)


def apply_late_answer(message: LoadedMessage, part: LoadedPart, answer: CarrierAnswer, rules: Rules) -> None:
    """Take an answer that was given up as lost; what it says of a part that may be there twice is one part only."""
    match answer.outcome:
        case Done(reference=reference) as done if reference:
            part.changed = part.offered = message.changed = True
            _accept(message, part, done, part.submitted_at or answer.at, rules)
        case Failed(problem=problem) if not part.resends:
            _fail(message, part, problem)


def _accept(message: LoadedMessage, part: LoadedPart, done: Done, at: int, rules: Rules) -> None:
    part.carrier_id = done.reference
    note_charges(message, part, done.network, done.price)
    part.submitted_at = at
    part.error = ""
    message.move(part, Event.ACCEPT)
    if part.carrier in rules.without_receipts:
        message.receipt_wanted = False
    follow_sibling(message, part, rules.whole_receipts)


def _lose(message: LoadedMessage, part: LoadedPart, problem: Problem, at: int, rules: Rules) -> None:
    """Have a part sent again whose answer was lost, as often as its carrier's rule says, and then no more."""
    part.submitted_at = at
    allowed = rules.resends.get(part.carrier, 0)
    if part.resends < allowed and not _is_stopped(message):
        part.resends += 1
        again = f"{problem.text} It is sent again ({part.resends} of {allowed})."
        message.move(part, Event.RESEND, replace(problem, text=again))
        wait = FAULTS.wait(part.resends, chance_of(message.key))
        message.due_at = max(at + microseconds(wait), message.due_at)
    else:
        times = f" It was sent {part.resends + 1} times." if part.resends else ""
        message.move(part, Event.LOSE, replace(problem, text=problem.text + times))


def put_back(message: LoadedMessage, part: LoadedPart, problem: Problem | None) -> None:
    """Queue a part again that its carrier has not, unless what happened to its message leaves no use for it."""
    if message.has(MessageState.FAILED):
        _abandon(message, part)
        return
    message.move(part, Event.DEFER, problem)
    if message.has(MessageState.CANCELLED):
        message.end_waiting(part, Event.CANCEL, CANCELLED)


def _is_stopped(message: LoadedMessage) -> bool:
    """Return whether nothing more of a message goes out: one of its parts was refused for good, or cancelled."""
    return message.has(MessageState.FAILED) or message.has(MessageState.CANCELLED)


def _abandon(message: LoadedMessage, part: LoadedPart) -> None:
    """Fail a part that was not sent, of a message that has failed; what it failed of stays the message's reason."""
    cause = message.reason, message.problem
    message.end_waiting(part, Event.FAIL, _INCOMPLETE)
    message.reason, message.problem = cause


def _fail(message: LoadedMessage, part: LoadedPart, problem: Problem) -> None:
    """Fail a part for good, and with it those of its message that wait."""
    message.move(part, Event.FAIL, problem)
    message.reason, message.problem = problem.code.value, problem.text
    for other in message.parts:
        if other.state is MessageState.QUEUED:
            _abandon(message, other)


def _count(message: LoadedMessage, at: int, retry: Retry) -> None:
    """Count a refusal; the first of an attempt says what the attempt counts as."""
    if message.due_at > at:
        return
    problem = retry.problem
    message.throttled += problem.code is ProblemCode.THROTTLED
    message.repeats = message.repeats + 1 if problem.cause == message.cause else 1
    message.cause = problem.cause


def _wait(message: LoadedMessage, at: int, retry: Retry) -> None:
    """Put a refused message off."""
    throttled = retry.problem.code is ProblemCode.THROTTLED
    times = message.throttled if throttled else message.attempts - message.throttled
    ladder = THROTTLES if throttled else FAULTS
    if retry.waits:
        times, ladder = message.repeats, Ladder(waits=retry.waits, most=ladder.most)
    wait = ladder.wait(times, chance_of(message.key), at_least=retry.after)
    message.due_at = max(at + microseconds(wait), message.due_at)


def _exhausted(retry: Retry) -> Problem:
    times = "once" if retry.attempts == 1 else f"{retry.attempts} times in a row"
    text = f"The carrier refused this SMS {times} for the time being."
    return Problem(code=ProblemCode.RETRIES_EXHAUSTED, text=text, cause=retry.problem.cause)


def _fail_over_refused(
    message: LoadedMessage, part: LoadedPart, answer: CarrierAnswer, rules: Rules, outcome: Retry | Failed
) -> None:
    """Give a message to the next carrier if this one has taken nothing of it, and never will.

    One that was sent again for want of an answer may have been taken the first time.
    """
    allowed = outcome.failover
    if allowed is None:
        allowed = rules.failover.get(part.carrier, Failover.NONE) is not Failover.NONE
    if allowed and all(other.state is MessageState.FAILED and not other.resends for other in message.parts):
        _fail_over(message, part.carrier, answer.at)


def fail_over_undelivered(message: LoadedMessage, part: LoadedPart, at: int, rules: Rules) -> None:
    """Give a message to the next carrier if this one has reported that it delivers nothing of it.

    Of a text of several parts one receipt must say so, since the first receipt of several ends it.
    """
    allowed = rules.failover.get(part.carrier) is Failover.UNDELIVERED
    if allowed and (len(message.parts) == 1 or part.carrier in rules.whole_receipts):
        ends = {other.state for other in message.parts}
        if ends <= {MessageState.UNDELIVERED, MessageState.REJECTED}:
            _fail_over(message, part.carrier, at)


def _fail_over(message: LoadedMessage, carrier: str, at: int) -> None:
    """Queue all parts for the carriers behind this one, if there are any and there is time."""
    route = behind(message.route, carrier)
    if not route or message.ended or message.expires_at <= at:
        return
    message.begin_anew(route, at)
    message.tried = SEPARATOR.join(filter(None, (message.tried, carrier)))
    message.problem += " The next carrier gets it."
