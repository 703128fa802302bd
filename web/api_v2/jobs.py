"""Jobs and their SMS over REST version 2: sent, explained, listed, told.

Not here: how a request is read (request), how answers are filled (answers).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from addressbook.api_keys import Scope
from addressbook.senders import Principal, Sender
from gateway.accept import Accepted
from gateway.application_status import ApplicationStatus
from gateway.applications import ApplicationJob, Applications
from gateway.explaining import Explaining
from sms.job import FirstUse
from sms.message import Origin
from sms.outcome import Refused
from web.api_v2.answers import (
    answer,
    job_answer,
    listed_answer,
    message_answer,
    no_such,
    problem,
    refuse,
    refuse_fields,
)
from web.api_v2.calls import CURSOR, LIMIT, Answer, CallParameter, Operation, path_id
from web.api_v2.explanation import Explanation, read_explanation, say_problem
from web.api_v2.problem_types import BASE, HttpProblem
from web.api_v2.request import read_job, read_name, read_page, use_of, write_cursor
from web.api_v2.shapes import JobAnswer, JobKept, JobPage, JobToSend, MessageAnswer
from web.problems import BadField

_NAME: Final = CallParameter(
    name="Idempotency-Key",
    place="header",
    schema={"type": "string", "minLength": 1, "maxLength": 257},
    description="A name of this request, in quotes or without. The same request under the same name within seven days"
    " is answered as the first, and sends nothing again, also after a crash; another request under it is 422.",
)

JOB_CALLS: Final = (
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
            CURSOR,
            LIMIT,
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
        parameters=(path_id("job", "a job"),),
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
        parameters=(path_id("message", "an SMS"),),
        problems=(404,),
    ),
)


class Jobs:
    """What answers them."""

    def __init__(self, *, applications: Applications, explaining: Explaining, status: ApplicationStatus) -> None:
        self._applications = applications
        self._explaining = explaining
        self._status = status
        self._running: set[bytes] = set()

    def answers(self) -> Mapping[str, Answer]:
        """Return what answers each call."""
        return {
            "sendJob": self._send_job,
            "explainJob": self._explain_job,
            "listJobs": self._list_jobs,
            "getJob": self._get_job,
            "getMessage": self._get_message,
        }

    async def _read_job(self, request: Request, sender: Sender) -> ApplicationJob | list[BadField]:
        return read_job(await request.body(), self._applications.zone_of(sender, Origin.REST))

    async def _send_job(self, request: Request, principal: Principal, sender: Sender) -> Response:
        job = await self._read_job(request, sender)
        name = read_name(request.headers.getlist("idempotency-key"))
        if isinstance(job, list):
            return refuse_fields(job)
        if isinstance(name, BadField):
            return refuse_fields([name])
        if not name:
            return await self._submit(principal, job)
        use = use_of(principal.login, name, await request.body())
        if use.marker in self._running:
            return problem(HttpProblem.REQUEST_RUNNING, "A request with this Idempotency-Key is under way.")
        self._running.add(use.marker)
        try:
            return await self._submit(principal, job, use)
        finally:
            self._running.discard(use.marker)

    async def _submit(self, principal: Principal, job: ApplicationJob, use: FirstUse | None = None) -> Response:
        kept = await self._applications.submit(principal, replace(job, first_use=use))
        if not isinstance(kept, Accepted):
            return refuse(kept)
        headers = {"Location": f"{BASE}/jobs/{kept.job_id}"}
        if kept.repeated:
            headers["Idempotent-Replayed"] = "true"
        return answer(JobKept(id=kept.job_id), 201, headers)

    async def _explain_job(self, request: Request, principal: Principal, sender: Sender) -> Response:
        job = await self._read_job(request, sender)
        if isinstance(job, list):
            return refuse_fields(job)
        told = await self._explaining.explain(principal, job, say_problem)
        return refuse(told) if isinstance(told, Refused) else answer(read_explanation(told))

    async def _list_jobs(self, request: Request, _: Principal, sender: Sender) -> Response:
        wanted = read_page(request.query_params)
        if isinstance(wanted, list):
            return refuse_fields(wanted)
        found = await self._status.jobs_after(sender, wanted.after, only_open=wanted.only_open, limit=wanted.limit + 1)
        shown = found[: wanted.limit]
        cursor = write_cursor(shown[-1].place) if len(found) > wanted.limit else None
        return answer(JobPage(jobs=[listed_answer(job) for job in shown], next=cursor))

    async def _get_job(self, request: Request, _: Principal, sender: Sender) -> Response:
        job = await self._status.job(sender, request.path_params["job"])
        return no_such("job") if job is None else answer(job_answer(job))

    async def _get_message(self, request: Request, _: Principal, sender: Sender) -> Response:
        sms = await self._status.message(sender, request.path_params["message"])
        return no_such("SMS") if sms is None else answer(message_answer(sms))
