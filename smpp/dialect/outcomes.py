"""The outcome of a request by the status of its answer. Not here: what a status means, answers that do not come."""

from collections.abc import Mapping
from datetime import timedelta

from smpp.wire.statuses import NO_OVERRIDES, Meaning, StatusVerdict, meaning_of, status_name
from sms.outcome import Done, Failed, Outcome, Problem, ProblemCode, Retry, Unknown


def decide_outcome(
    status: int,
    *,
    reference: str = "",
    overrides: Mapping[int, Meaning] = NO_OVERRIDES,
    throttle_pause: timedelta | None = None,
) -> Outcome:
    """Return the outcome of an answer with this status; `reference` is the carrier's id."""
    meaning = meaning_of(status, overrides)
    if meaning.verdict is StatusVerdict.DONE:
        return Done(reference=reference)
    problem = Problem(code=meaning.code, text=meaning.text, cause=status_name(status))
    if meaning.verdict is StatusVerdict.FAIL:
        return Failed(problem=problem, failover=meaning.failover)
    if meaning.verdict is StatusVerdict.UNKNOWN:
        return Unknown(problem=problem)
    return Retry(
        problem=problem,
        after=throttle_pause if meaning.code is ProblemCode.THROTTLED else None,
        waits=meaning.waits,
        attempts=meaning.attempts,
        failover=meaning.failover,
    )
