"""The calls of REST version 2, in one table: routing, scopes and the OpenAPI description are read from it.

Not here: what a call does (routes).
"""

from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from addressbook.api_keys import Scope
from web.api_v2.problem_types import BASE
from web.api_v2.request import MOST_JOBS
from web.api_v2.shapes import Explanation, JobAnswer, JobKept, JobPage, JobToSend, MessageAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class CallParameter:
    """A parameter of a call; `place` is path, query or header, `schema` its JSON schema."""

    name: str
    place: str
    schema: dict[str, object]
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One call: what it takes, what it answers, and the statuses of its own problems."""

    name: str
    method: str
    path: str
    scope: Scope
    summary: str
    status: int
    answer: type[Struct]
    body: type[Struct] | None = None
    parameters: tuple[CallParameter, ...] = ()
    problems: tuple[int, ...] = ()

    @property
    def statuses(self) -> frozenset[int]:
        """All statuses that it answers with; those after the first are of every call."""
        return frozenset({self.status, 401, 403, 429, 503, *self.problems})


_ID: Final = {"type": "string", "maxLength": 62}
_NAME: Final = CallParameter(
    name="Idempotency-Key",
    place="header",
    schema={"type": "string", "minLength": 1, "maxLength": 257},
    description="A name of this request, in quotes or without. The same request under the same name within seven days"
    " is answered as the first, and sends nothing again, also after a crash; another request under it is 422.",
)

OPERATIONS: Final = (
    Operation(
        name="sendJob",
        method="POST",
        path=f"{BASE}/jobs",
        scope=Scope.SEND,
        summary="Send texts to recipients",
        status=201,
        answer=JobKept,
        body=JobToSend,
        parameters=(_NAME,),
        problems=(400, 409, 413, 422),
    ),
    Operation(
        name="explainJob",
        method="POST",
        path=f"{BASE}/explain",
        scope=Scope.READ,
        summary="Say what would become of a job; nothing is sent or stored",
        status=200,
        answer=Explanation,
        body=JobToSend,
        problems=(400, 409, 413, 422),
    ),
    Operation(
        name="listJobs",
        method="GET",
        path=f"{BASE}/jobs",
        scope=Scope.READ,
        summary="List the jobs of the customer, oldest first, whatever door they came by",
        status=200,
        answer=JobPage,
        parameters=(
            CallParameter(
                name="cursor", place="query", schema={"type": "string"}, description="`next` of the page before."
            ),
            CallParameter(
                name="limit",
                place="query",
                schema={"type": "integer", "minimum": 1, "maximum": MOST_JOBS, "default": 100},
                description="How many at most.",
            ),
            CallParameter(
                name="open",
                place="query",
                schema={"type": "boolean", "default": False},
                description="Only jobs that have not ended.",
            ),
        ),
        problems=(400,),
    ),
    Operation(
        name="getJob",
        method="GET",
        path=f"{BASE}/jobs/{{job}}",
        scope=Scope.READ,
        summary="Say what became of a job and each of its SMS",
        status=200,
        answer=JobAnswer,
        parameters=(CallParameter(name="job", place="path", schema=_ID, description="The id of a job."),),
        problems=(404,),
    ),
    Operation(
        name="getMessage",
        method="GET",
        path=f"{BASE}/messages/{{message}}",
        scope=Scope.READ,
        summary="Say what became of one SMS",
        status=200,
        answer=MessageAnswer,
        parameters=(CallParameter(name="message", place="path", schema=_ID, description="The id of an SMS."),),
        problems=(404,),
    ),
)
