"""Cancelling over REST version 2: a job, or one SMS of it. Not here: what it does (gateway.application_cancel)."""

from collections.abc import Mapping
from typing import Annotated, Final

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from addressbook.api_keys import Scope
from addressbook.senders import Principal, Sender
from gateway.application_cancel import ApplicationCancelling
from web.api_v2.answers import answer, no_such, problem
from web.api_v2.calls import Answer, Operation, path_id
from web.api_v2.problem_types import BASE, HttpProblem


class CancelAnswer(Struct, frozen=True, kw_only=True):
    """What was taken back, as ids of SMS. A repeat changes nothing and finds what was `cancelled` in `before`."""

    job: str
    cancelled: Annotated[list[str], Meta(description="They waited, and ended now.")]
    asked: Annotated[
        list[str], Meta(description="Their carrier has them and is asked; they end as cancelled, or as without that.")
    ]
    before: Annotated[list[str], Meta(description="They were cancelled before.")]
    late: Annotated[list[str], Meta(description="They have ended, or their carrier gives nothing back.")]


CANCEL_CALLS: Final = (
    Operation(
        name="cancelJob",
        method="POST",
        path=f"{BASE}/jobs/{{job}}/cancel",
        scope=Scope.SEND,
        summary="Take a job back, as far as it is not too late",
        status=200,
        answer=CancelAnswer,
        parameters=(path_id("job", "a job"),),
        problems=(404, 409),
    ),
    Operation(
        name="cancelMessage",
        method="POST",
        path=f"{BASE}/messages/{{message}}/cancel",
        scope=Scope.SEND,
        summary="Take one SMS back",
        status=200,
        answer=CancelAnswer,
        parameters=(path_id("message", "an SMS"),),
        problems=(404, 409),
    ),
)


class Cancels:
    """What answers them."""

    def __init__(self, cancelling: ApplicationCancelling) -> None:
        self._cancelling = cancelling

    def answers(self) -> Mapping[str, Answer]:
        """Return what answers each call."""
        return {"cancelJob": self._cancel_job, "cancelMessage": self._cancel_message}

    async def _cancel_job(self, request: Request, principal: Principal, sender: Sender) -> Response:
        name: str = request.path_params["job"]
        return await self._cancel(principal, sender, name) if name.startswith("J.") else no_such("job")

    async def _cancel_message(self, request: Request, principal: Principal, sender: Sender) -> Response:
        name: str = request.path_params["message"]
        return await self._cancel(principal, sender, name) if name.startswith("S.") else no_such("SMS")

    async def _cancel(self, principal: Principal, sender: Sender, name: str) -> Response:
        done = await self._cancelling.cancel(sender, principal.login, name)
        if done is None:
            return no_such("job" if name.startswith("J.") else "SMS")
        if not (done.cancelled or done.asked or done.before):
            return problem(HttpProblem.NOTHING_TO_CANCEL, f"Nothing of {name} waits any more.")
        return answer(
            CancelAnswer(
                job=done.job,
                cancelled=list(done.cancelled),
                asked=list(done.asked),
                before=list(done.before),
                late=list(done.late),
            )
        )
