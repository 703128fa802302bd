"""What a certification authority asks before it gives a certificate: the answers to its challenges. RFC 8555 §8.3.

Not here: where they come from (gateway.certificate_renewal).
"""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route


class AcmePages:
    """Answers by `answer_of`, which gives None for a token that is not ours."""

    def __init__(self, answer_of: Callable[[str], Awaitable[str | None]]) -> None:
        self._answer_of = answer_of

    def routes(self) -> list[BaseRoute]:
        """Return the routes of the service `acme`."""
        return [Route("/.well-known/acme-challenge/{token}", self._answer)]

    async def _answer(self, request: Request) -> Response:
        answer = await self._answer_of(request.path_params["token"])
        if answer is None:
            return PlainTextResponse("No such challenge is open.\n", status_code=404)
        return Response(answer, media_type="application/octet-stream")
