"""REST version 1: jobs in, jobs and states out.

An unknown path or method is answered with the same kind of body as all errors. Not here: how a request is read
(request), how answers are worded (answers).
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from importlib.metadata import version
from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from addressbook.senders import Principal, Sender
from gateway.accept import Accepted
from gateway.application_status import ApplicationStatus, JobStatus
from gateway.applications import Applications
from gateway.ports import Clock
from sms.message import Origin
from sms.outcome import Refused
from sms.schedule import parse_instant
from web.basic import BasicLogins
from web.problems import BadField, problem, refuse, refuse_fields
from web.rest_v1.answers import job_view, sms_view
from web.rest_v1.request import parse_truth, read_job

BASE: Final = "/rest/v1"
_LONGEST_WINDOW: Final = timedelta(days=30)
_MOST_JOBS: Final = 1_000
_METHODS: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_ID: Final = re.compile(r"[JS]\.[0-9A-Za-z.@-]{1,60}", re.ASCII)
_WHEN: Final = "an instant such as 2026-11-30T17:42:00Z"

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
        numbers = [int(part) for part in re.findall(r"\d+", version("mail2sms"))[:2]]
        self._version = {
            "majorVersion": numbers[0],
            "minorVersion": numbers[1],
            "versionInfo": f"mail2sms {version('mail2sms')}",
        }

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
            sender = await self._applications.sender_of(principal, Origin.REST)
            if isinstance(sender, Refused):
                return refuse(sender)
            try:
                return await answer(request, principal, sender)
            except HTTPException as error:  # a body beyond the limit
                return problem(error.status_code, error.detail)

        return endpoint

    async def _tell_version(self, _: Request) -> Response:
        return _json(self._version)

    async def _take_job(self, request: Request, principal: Principal, sender: Sender) -> Response:
        job = read_job(await request.body(), self._zone_of(sender))
        if isinstance(job, list):
            return refuse_fields(job)
        kept = await self._applications.submit(principal, job)
        if not isinstance(kept, Accepted):
            return refuse(kept)
        return _json({"jobId": kept.job_id}, 201, {"Location": f"{BASE}/jobs/{kept.job_id}"})

    async def _list_jobs(self, request: Request, _: Principal, sender: Sender) -> Response:
        query = _Query(request.query_params, self._zone_of(sender))
        until = query.instant("toTs") or self._clock.now()
        since = query.instant("fromTs") or until - _LONGEST_WINDOW
        if not since <= until <= since + _LONGEST_WINDOW:
            query.bad.append(BadField(field="toTs", expected="an instant within 30 days after fromTs"))
        if not query.truth("jobIdsOnly", default=True):
            query.bad.append(BadField(field="jobIdsOnly", expected="true"))
        only_open = query.truth("open", default=False)
        offset, limit = query.number("offset", 0), query.number("limit", 100)
        if query.bad:
            return refuse_fields(query.bad)
        found = await self._status.job_ids(
            sender, since, until, only_open=only_open, offset=offset, limit=min(max(limit, 1), _MOST_JOBS)
        )
        return _json([{"jobId": public_id} for public_id in found])

    async def _show_job(self, request: Request, _: Principal, sender: Sender) -> Response:
        job = await self._find_job(sender, request.path_params["job"])
        return _no_such("job") if job is None else _json(job_view(job))

    async def _list_sms(self, request: Request, _: Principal, sender: Sender) -> Response:
        public_id = request.query_params.get("jobId", "")
        if not public_id:
            return refuse_fields([BadField(field="jobId", expected="the id of a job")])
        job = await self._find_job(sender, public_id)
        return _no_such("job") if job is None else _json([sms_view(message) for message in job.messages])

    async def _show_sms(self, request: Request, _: Principal, sender: Sender) -> Response:
        public_id = request.path_params["sms"]
        sms = await self._status.message(sender, public_id) if _ID.fullmatch(public_id) else None
        return _no_such("SMS") if sms is None else _json(sms_view(sms))

    async def _find_job(self, sender: Sender, public_id: str) -> JobStatus | None:
        return await self._status.job(sender, public_id) if _ID.fullmatch(public_id) else None

    def _zone_of(self, sender: Sender) -> tzinfo:
        return self._applications.zone_of(sender, Origin.REST)


class _Query:
    """The parameters of a query, and those that can't be read."""

    def __init__(self, given: Mapping[str, str], zone: tzinfo) -> None:
        self._given = given
        self._zone = zone
        self.bad: list[BadField] = []

    def instant(self, name: str) -> datetime | None:
        """Return an instant, None where none is given."""
        text = self._given.get(name, "").strip()
        if not text:
            return None
        try:
            return parse_instant(text, self._zone)
        except ValueError:
            self.bad.append(BadField(field=name, expected=_WHEN))
            return datetime.now(UTC)

    def truth(self, name: str, *, default: bool) -> bool:
        """Return a truth in any case."""
        text = self._given.get(name, "")
        found = parse_truth(text) if text else default
        if found is None:
            self.bad.append(BadField(field=name, expected="true or false"))
        return bool(found)

    def number(self, name: str, default: int) -> int:
        """Return a whole number of 0 or more."""
        text = self._given.get(name, "").strip() or str(default)
        if text.isascii() and text.isdigit() and len(text) <= 9:
            return int(text)
        self.bad.append(BadField(field=name, expected="a whole number"))
        return default


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
