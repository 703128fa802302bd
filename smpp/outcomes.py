"""What an attempt to submit came to: from the carrier's status, from no answer at all, or from values no PDU can carry.

Not here: what a status means (statuses), and what an outcome does to a message (gateway.dispatch).
"""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

from smpp.bodies import GenericNack
from smpp.events import Missing
from smpp.fields import PduError
from smpp.pdu import Pdu
from smpp.statuses import NO_OVERRIDES, Meaning, Status, Verdict, meaning_of, status_name
from sms.outcome import Done, Failed, Outcome, Problem, ProblemCode, Retry, Unknown

LINK_DOWN = Retry(
    problem=Problem(code=ProblemCode.LINK_DOWN, text="The connection to the carrier is down; the SMS waits.")
)
_LOST = Unknown(
    problem=Problem(
        code=ProblemCode.LINK_LOST,
        text="The connection to the carrier broke before it answered; the SMS may have been sent.",
    )
)
_NO_ANSWER = Unknown(
    problem=Problem(
        code=ProblemCode.NO_ANSWER, text="The carrier has not answered in time; the SMS may have been sent."
    )
)
WITHOUT_ANSWER: Mapping[Missing, Outcome] = MappingProxyType(
    {
        Missing.UNSENT: LINK_DOWN,
        Missing.LOST: _LOST,
        Missing.TIMED_OUT: _NO_ANSWER,
        Missing.GARBLED: _NO_ANSWER,
    }
)


def decide_outcome(
    status: int,
    *,
    reference: str = "",
    overrides: Mapping[int, Meaning] = NO_OVERRIDES,
    throttle_pause: timedelta | None = None,
) -> Outcome:
    """Return what an answer with this status comes to; `reference` is the carrier's id, `throttle_pause` its wish."""
    meaning = meaning_of(status, overrides)
    if meaning.verdict is Verdict.DONE:
        return Done(reference=reference)
    problem = Problem(code=meaning.code, text=meaning.text, cause=status_name(status))
    if meaning.verdict is Verdict.FAIL:
        return Failed(problem=problem)
    if meaning.verdict is Verdict.UNKNOWN:
        return Unknown(problem=problem)
    return Retry(problem=problem, after=throttle_pause if meaning.code is ProblemCode.THROTTLED else None)


def outcome_of_unwritable(error: PduError) -> Outcome:
    """Return the outcome of a part that no PDU can carry: its number or sender is at fault, or our own data."""
    meaning = meaning_of(error.status)
    if meaning.verdict is Verdict.FAIL:
        return Failed(problem=Problem(code=meaning.code, text=meaning.text, cause=str(error)))
    return Failed(
        problem=Problem(code=ProblemCode.INTERNAL, text="This SMS cannot be written for the carrier.", cause=str(error))
    )


def status_of(answer: Pdu) -> int:
    """Return the status of an answer; a generic_nack refuses even where it forgets to say why."""
    if isinstance(answer.body, GenericNack) and not answer.status:
        return Status.RUNKNOWNERR
    return answer.status
