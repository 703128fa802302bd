"""What REST version 2 answers: jobs and SMS as they stand, and problems."""

from collections.abc import Mapping, Sequence

import msgspec
from starlette.responses import Response

from gateway.application_status import JobStatus, ListedJob, SmsStatus
from sms.outcome import Refusal, Refused
from web.api_v2.problem_types import PROBLEM_TYPES, HttpProblem
from web.api_v2.shapes import (
    FieldFault,
    JobAnswer,
    ListedJobAnswer,
    MessageAnswer,
    ProblemAnswer,
    RuleAnswer,
)
from web.basic import CHALLENGE
from web.problems import PROBLEM_TYPE, BadField, retry_after, say_fields


def answer(content: msgspec.Struct, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer of one of the shapes."""
    return Response(msgspec.json.encode(content), status, dict(headers or {}), "application/json")


def refuse(refused: Refused) -> Response:
    """Answer with the problem that a refusal is."""
    said = problem_of(refused)
    return _respond(said, retry_after(said.status, refused.wait))


def refuse_fields(bad: Sequence[BadField]) -> Response:
    """Return 400, which names each field with what is expected there."""
    errors = [FieldFault(field=item.field, expected=item.expected) for item in bad]
    return problem(HttpProblem.INVALID_REQUEST, say_fields(bad), errors=errors)


def problem(
    kind: HttpProblem, detail: str, *, errors: Sequence[FieldFault] = (), headers: Mapping[str, str] | None = None
) -> Response:
    """Return a problem of HTTP alone."""
    return _respond(_fill(kind, detail, errors), headers or {})


def no_such(what: str) -> Response:
    """Return 404 for something that there is not, or that is not theirs to see."""
    return problem(HttpProblem.NOT_FOUND, f"There is no {what} of this id.")


def job_answer(job: JobStatus) -> JobAnswer:
    """Return a job with its SMS."""
    return JobAnswer(
        id=job.public_id,
        service=job.service,
        reference=job.reference,
        accepted_at=job.accepted_at,
        settled_at=job.settled_at,
        sandbox=job.sandbox,
        messages=[message_answer(message) for message in job.messages],
    )


def listed_answer(job: ListedJob) -> ListedJobAnswer:
    """Return a job of a list."""
    return ListedJobAnswer(
        id=job.public_id,
        service=job.service,
        reference=job.reference,
        accepted_at=job.accepted_at,
        settled_at=job.settled_at,
        sandbox=job.sandbox,
    )


def message_answer(sms: SmsStatus) -> MessageAnswer:
    """Return what became of one SMS."""
    return MessageAnswer(
        id=sms.public_id,
        to=sms.number,
        given=sms.given,
        reference=sms.reference,
        state=sms.state.value,
        reason=sms.reason,
        detail=sms.problem,
        parts=sms.parts,
        sent_at=sms.sent_at,
        ended_at=sms.ended_at,
        sender=sms.sender,
        rules=[
            RuleAnswer(country=sms.country, rule=rule, effect=effect, value=value)
            for rule, effect, value in sms.findings
        ],
    )


def problem_of(refused: Refused) -> ProblemAnswer:
    """Return the problem that a refusal is."""
    kind = refused.refusal
    if kind is Refusal.AUTHENTICATION_REQUIRED:  # Basic alone is what version 1 says
        return _fill(kind, refused.detail or PROBLEM_TYPES[kind].remedy)
    return _fill(kind, refused.detail or PROBLEM_TYPES[kind].cause)


def _fill(kind: Refusal | HttpProblem, detail: str, errors: Sequence[FieldFault] = ()) -> ProblemAnswer:
    known = PROBLEM_TYPES[kind]
    return ProblemAnswer(type=known.address, title=known.title, status=known.status, detail=detail, errors=list(errors))


def _respond(said: ProblemAnswer, headers: Mapping[str, str]) -> Response:
    more = dict(headers)
    if said.status == 401:
        more["WWW-Authenticate"] = f'{CHALLENGE}, Bearer realm="mail2sms"'  # RFC 6750 §3
    if said.type == PROBLEM_TYPES[HttpProblem.REQUEST_RUNNING].address:
        more["Retry-After"] = "1"
    return Response(msgspec.json.encode(said), said.status, more, PROBLEM_TYPE)
