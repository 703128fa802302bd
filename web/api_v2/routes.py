"""REST version 2: the calls of the table (operations), its description, and the registry of problems.

Not here: how a request is read (request), how answers are worded (answers).
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from addressbook.senders import Principal, Sender
from gateway.accept import Accepted
from gateway.application_status import ApplicationStatus
from gateway.applications import ApplicationJob, Applications
from gateway.auth.api_keys import ApiKeys
from sms.job import FirstUse
from sms.message import Origin
from sms.outcome import Refused
from web.api_v2.answers import (
    answer,
    explain,
    job_answer,
    listed_answer,
    message_answer,
    problem,
    refuse,
    refuse_fields,
)
from web.api_v2.description import describe
from web.api_v2.operations import OPERATIONS, Operation
from web.api_v2.page import description_page, problem_page, problems_page
from web.api_v2.problem_types import BASE, PROBLEM_TYPES, HttpProblem
from web.api_v2.request import read_job, read_name, read_page, use_of, write_cursor
from web.api_v2.shapes import JobKept, JobPage
from web.basic import BasicLogins, is_secure, read_bearer
from web.problems import BadField

_METHODS: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

Answer = Callable[[Request, Principal, Sender], Awaitable[Response]]


class RestV2:
    """Its routes."""

    def __init__(
        self, *, logins: BasicLogins, keys: ApiKeys, applications: Applications, status: ApplicationStatus
    ) -> None:
        self._logins = logins
        self._keys = keys
        self._applications = applications
        self._status = status
        self._running: set[bytes] = set()
        self._description = describe()

    def routes(self) -> list[BaseRoute]:
        """Return all routes, the last of which takes what the others do not."""
        answers: dict[str, Answer] = {
            "sendJob": self._send_job,
            "explainJob": self._explain_job,
            "listJobs": self._list_jobs,
            "getJob": self._get_job,
            "getMessage": self._get_message,
        }
        calls = [Route(item.path, self._proven(item, answers[item.name]), methods=[item.method]) for item in OPERATIONS]
        return [
            *calls,
            Route(BASE, self._show_description),
            Route(f"{BASE}/openapi.json", self._tell_description),
            Route(f"{BASE}/problems", _list_problems),
            Route(f"{BASE}/problems/{{slug}}", _show_problem),
            *(
                Route(path, _refuse_method, methods=_METHODS)
                for path in dict.fromkeys(item.path for item in OPERATIONS)
            ),
            Route(f"{BASE}/{{rest:path}}", _refuse_path, methods=_METHODS),
        ]

    def _proven(self, operation: Operation, respond: Answer) -> Callable[[Request], Awaitable[Response]]:
        """Return an endpoint that answers who has logged in and may make this call."""

        async def endpoint(request: Request) -> Response:
            principal = await self._prove(request)
            if isinstance(principal, Refused):
                return refuse(principal)
            if operation.scope not in principal.scopes:
                return problem(HttpProblem.INSUFFICIENT_SCOPE, f"This call needs the scope «{operation.scope}».")
            sender = await self._applications.sender_of(principal, Origin.REST, tls=is_secure(request))
            if isinstance(sender, Refused):
                return refuse(sender)
            try:
                return await respond(request, principal, sender)
            except HTTPException as error:
                if error.status_code != 413:
                    raise
                return problem(HttpProblem.TOO_LARGE, error.detail)

        return endpoint

    async def _prove(self, request: Request) -> Principal | Refused:
        """Return whose request it is, by an API key or by HTTP Basic."""
        key = read_bearer(request)
        return await self._logins.prove(request) if key is None else await self._keys.prove(key)

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
        planned = await self._applications.plan(principal, job)
        return refuse(planned) if isinstance(planned, Refused) else answer(explain(planned))

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
        return _no_such("job") if job is None else answer(job_answer(job))

    async def _get_message(self, request: Request, _: Principal, sender: Sender) -> Response:
        sms = await self._status.message(sender, request.path_params["message"])
        return _no_such("SMS") if sms is None else answer(message_answer(sms))

    async def _show_description(self, _: Request) -> Response:
        return HTMLResponse(description_page(self._description))

    async def _tell_description(self, _: Request) -> Response:
        return JSONResponse(self._description)


async def _list_problems(_: Request) -> Response:
    return HTMLResponse(problems_page())


async def _show_problem(request: Request) -> Response:
    slug = request.path_params["slug"]
    found = next((item for item in PROBLEM_TYPES.values() if item.slug == slug), None)
    return _no_such("problem") if found is None else HTMLResponse(problem_page(found))


async def _refuse_method(request: Request) -> Response:
    path = request.scope["route"].path
    allowed = ", ".join(item.method for item in OPERATIONS if item.path == path)
    return problem(HttpProblem.METHOD_NOT_ALLOWED, f"This path takes {allowed}.", headers={"Allow": allowed})


async def _refuse_path(_: Request) -> Response:
    return problem(HttpProblem.NOT_FOUND, f"There is no such path; {BASE} lists them.")


def _no_such(what: str) -> Response:
    return problem(HttpProblem.NOT_FOUND, f"There is no {what} of this id.")
