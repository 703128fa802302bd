"""REST version 2: the calls of the table (operations), its description, and the registry of problems.

Not here: what answers a call (the file of its resource), how answers are worded (answers).
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from addressbook.api_keys import OF_ALL
from addressbook.senders import Principal
from gateway.application_status import owner_of
from gateway.applications import Applications
from gateway.auth.api_keys import ApiKeys
from gateway.caller_limits import CallerLimits, LimitState
from sms.message import Origin
from sms.outcome import Refused
from web.api_v2.answers import no_such, problem, refuse
from web.api_v2.calls import Answer, Operation, Resource
from web.api_v2.description import describe
from web.api_v2.operations import OPERATIONS
from web.api_v2.page import description_page, problem_page, problems_page
from web.api_v2.problem_types import BASE, PROBLEM_TYPES, HttpProblem
from web.api_v2.rate_limits import rate_limit_headers
from web.basic import BasicLogins, identify_key, is_secure, read_bearer

_METHODS: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class RestV2:
    """Its routes."""

    def __init__(
        self,
        *,
        logins: BasicLogins,
        keys: ApiKeys,
        applications: Applications,
        limits: CallerLimits,
        resources: Iterable[Resource],
    ) -> None:
        self._limits = limits
        self._logins = logins
        self._keys = keys
        self._applications = applications
        self._answers = {name: answer for resource in resources for name, answer in resource.answers().items()}
        self._description = describe()

    def routes(self) -> list[BaseRoute]:
        """Return all routes, the last of which takes what the others do not."""
        calls = [
            Route(item.path, self._proven(item, self._answers[item.name]), methods=[item.method]) for item in OPERATIONS
        ]
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
            principal = await self._identify(request)
            if isinstance(principal, Refused):
                return refuse(principal)
            admitted = await self._logins.admit(request, principal)
            if isinstance(admitted, Refused):
                return _with_limits(refuse(admitted), [*self._limits.turns.states(principal.login)])
            if operation.scope not in principal.scopes:
                return problem(HttpProblem.INSUFFICIENT_SCOPE, f"This call needs the scope «{operation.scope}».")
            sender = await self._applications.sender_of(principal, Origin.REST, tls=is_secure(request))
            if isinstance(sender, Refused):
                return refuse(sender)
            if operation.scope in OF_ALL and owner_of(sender):
                return problem(
                    HttpProblem.INSUFFICIENT_SCOPE, "This call is for applications, not for a person's login."
                )
            try:
                response = await respond(request, principal, sender)
            except HTTPException as error:
                if error.status_code != 413:
                    raise
                response = problem(HttpProblem.TOO_LARGE, error.detail)
            return _with_limits(response, await self._limits.in_force(principal, sender))

        return endpoint

    async def _identify(self, request: Request) -> Principal | Refused:
        """Return whose request it is, by an API key or by HTTP Basic."""
        key = read_bearer(request)
        return await (self._logins.identify(request) if key is None else identify_key(request, self._keys, key))

    async def _show_description(self, _: Request) -> Response:
        return HTMLResponse(description_page(self._description))

    async def _tell_description(self, _: Request) -> Response:
        return JSONResponse(self._description)


async def _list_problems(_: Request) -> Response:
    return HTMLResponse(problems_page())


async def _show_problem(request: Request) -> Response:
    slug = request.path_params["slug"]
    found = next((item for item in PROBLEM_TYPES.values() if item.slug == slug), None)
    return no_such("problem") if found is None else HTMLResponse(problem_page(found))


async def _refuse_method(request: Request) -> Response:
    path = request.scope["route"].path
    allowed = ", ".join(item.method for item in OPERATIONS if item.path == path)
    return problem(HttpProblem.METHOD_NOT_ALLOWED, f"This path takes {allowed}.", headers={"Allow": allowed})


async def _refuse_path(_: Request) -> Response:
    return problem(HttpProblem.NOT_FOUND, f"There is no such path; {BASE} lists them.")


def _with_limits(response: Response, states: Sequence[LimitState]) -> Response:
    response.headers.update(rate_limit_headers(states))
    return response
