"""REST version 1: jobs in, jobs and states out.

An unknown path or method is answered with the same kind of body as all errors. Not here: how a request is read
(request), how answers are worded (answers).
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import tzinfo
from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from addressbook.senders import Principal, Sender
from gateway.accept import Accepted
from gateway.application_status import ApplicationStatus
from gateway.applications import Applications
from gateway.ports import Clock
from sms.message import Origin
from sms.outcome import Refused
from web.basic import BasicLogins, is_secure
from web.problems import BadField, problem, refuse, refuse_fields
from web.rest_v1.answers import job_view, sms_view, version_view
from web.rest_v1.query import read_query
from web.rest_v1.request import read_job

BASE: Final = "/rest/v1"
_METHODS: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

Answer = Callable[[Request, Principal, Sender], Awaitable[Response]]


class RestV1:
    """Its routes."""

    def __init__(
        self, *, logins: BasicLogins, applications: Applications, status: ApplicationStatus, clock: Clock
    ) -> None:
        self._logins = logins
        self._applications = applications
        self._status = status
        self._clock = clock
        self._started = clock.now()

    def routes(self) -> list[BaseRoute]:
        """Return all routes, the last of which takes what the others do not."""
        return [
            Route(f"{BASE}/version", self._tell_version),
            Route(f"{BASE}/jobs", self._proven(self._take_job), methods=["POST"]),
            Route(f"{BASE}/jobs", self._proven(self._list_jobs), methods=["GET"]),
            Route(f"{BASE}/jobs/{{job}}", self._proven(self._show_job), methods=["GET"]),
            Route(f"{BASE}/sms", self._proven(self._list_sms), methods=["GET"]),
            Route(f"{BASE}/sms/{{sms}}", self._proven(self._show_sms), methods=["GET"]),
            Route(f"{BASE}/{{rest:path}}", _refuse_path, methods=_METHODS),
        ]

    def _proven(self, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        """Return an endpoint that answers who has logged in and may use this interface."""

        async def endpoint(request: Request) -> Response:
            principal = await self._logins.prove(request)
            if isinstance(principal, Refused):
                return refuse(principal)
            sender = await self._applications.sender_of(principal, Origin.REST, tls=is_secure(request))
            if isinstance(sender, Refused):
                return refuse(sender)
            try:
                return await answer(request, principal, sender)
            except HTTPException as error:  # a body beyond the limit
                return problem(error.status_code, error.detail)

        return endpoint

    async def _tell_version(self, _: Request) -> Response:
        return _json(version_view(self._started))

    async def _take_job(self, request: Request, principal: Principal, sender: Sender) -> Response:
        job = read_job(await request.body(), self._zone_of(sender))
        if isinstance(job, list):
            return refuse_fields(job)
        kept = await self._applications.submit(principal, job)
        if not isinstance(kept, Accepted):
            return refuse(kept)
        return _json({"jobId": kept.job_id}, 201, {"Location": f"{BASE}/jobs/{kept.job_id}"})

    async def _list_jobs(self, request: Request, _: Principal, sender: Sender) -> Response:
        wanted = read_query(request.query_params, self._zone_of(sender), self._clock.now())
        if isinstance(wanted, list):
            return refuse_fields(wanted)
        found = await self._status.job_ids(sender, wanted)
        return _json([{"jobId": public_id} for public_id in found])

    async def _show_job(self, request: Request, _: Principal, sender: Sender) -> Response:
        job = await self._status.job(sender, request.path_params["job"])
        return _no_such("job") if job is None else _json(job_view(job))

    async def _list_sms(self, request: Request, _: Principal, sender: Sender) -> Response:
        public_id = request.query_params.get("jobId", "")
        if not public_id:
            return refuse_fields([BadField(field="jobId", expected="the id of a job")])
        job = await self._status.job(sender, public_id)
        return _no_such("job") if job is None else _json([sms_view(message) for message in job.messages])

    async def _show_sms(self, request: Request, _: Principal, sender: Sender) -> Response:
        public_id = request.path_params["sms"]
        sms = await self._status.message(sender, public_id)
        return _no_such("SMS") if sms is None else _json(sms_view(sms))

    def _zone_of(self, sender: Sender) -> tzinfo:
        return self._applications.zone_of(sender, Origin.REST)


async def _refuse_path(request: Request) -> Response:
    known = {"jobs": "GET, POST", "sms": "GET", "version": "GET"}
    allowed = known.get(request.path_params["rest"].partition("/")[0], "")
    if not allowed:
        return problem(404, f"There is nothing here; the paths are {BASE}/jobs, {BASE}/sms and {BASE}/version.")
    if request.method in allowed:
        return problem(404, "There is nothing of this id.")
    return problem(405, f"This path takes {allowed}.", headers={"Allow": allowed})


def _no_such(what: str) -> Response:
    return problem(404, f"There is no {what} of this id.")


def _json(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(content), status, dict(headers or {}), "application/json")
