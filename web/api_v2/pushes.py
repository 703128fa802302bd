"""Pushes over REST version 2: each with its attempts, and sent again. Not here: where they go (webhooks)."""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from addressbook.api_keys import Scope
from addressbook.canonical import canonical_address, canonical_application
from addressbook.senders import Principal, Sender
from gateway.admin.faults import AdminFault
from gateway.admin.office import AdminOffice
from gateway.admin.pushes import PushesWanted, ToldPush, push_of, pushes_before, replay_push_of
from sms.outbox import OutboxState
from web.api_v2.answers import answer, no_such, refuse_fields
from web.api_v2.calls import CURSOR, LIMIT, Answer, CallParameter, Operation, path_id
from web.api_v2.faults import refuse_fault
from web.api_v2.problem_types import BASE
from web.api_v2.request import read_list
from web.problems import BadField

_CURSORS: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_ID: Final = re.compile(r"[0-9A-Za-z._@-]{1,62}", re.ASCII)


class ListedPushAnswer(Struct, frozen=True, kw_only=True):
    """A push in a list."""

    id: Annotated[str, Meta(description="With `_` for each dot it is the `webhook-id` that the receiver sees.")]
    event: Annotated[str, Meta(description="What is told: accepted, result, message, inbound …")]
    of: Annotated[str, Meta(description="The id of the job or of the inbound SMS that it tells of.")]
    message: Annotated[str, Meta(description="The id of the SMS where it tells of this one alone; else empty.")]
    url: Annotated[str, Meta(description="Where it was to go when it was written.")]
    state: Annotated[
        str,
        Meta(description="queued, sending, held; sent, failed, dropped; skipped: nobody is told any more."),
    ]
    problem: Annotated[str, Meta(description="Why the last attempt was none, or it was given up; else empty.")]
    written_at: datetime
    due_at: Annotated[datetime | None, Meta(description="When it is tried next; null where it waits for another one.")]
    ended_at: datetime | None


class AttemptAnswer(Struct, frozen=True, kw_only=True):
    """One attempt to send a push."""

    at: datetime
    outcome: str
    host: str
    address: str
    tls: str
    reply: Annotated[str, Meta(description="The status line that answered; empty where none did.")]


class PushAnswer(ListedPushAnswer, frozen=True, kw_only=True):
    """A push with its attempts, the oldest first."""

    attempts: list[AttemptAnswer]


class PushPage(Struct, frozen=True, kw_only=True):
    """Pushes, the newest first."""

    pushes: list[ListedPushAnswer]
    next: Annotated[str | None, Meta(description="The cursor of what follows, null at the end.")]


PUSH_CALLS: Final = (
    Operation(
        name="listPushes",
        method="GET",
        path=f"{BASE}/pushes",
        scope=Scope.WEBHOOKS,
        summary="List the pushes of jobs and inbound SMS, the newest first",
        status=200,
        answer=PushPage,
        parameters=(
            CURSOR,
            LIMIT,
            CallParameter(
                name="user",
                place="query",
                schema={"type": "string", "maxLength": 320},
                description="Of the jobs of this application or person alone.",
            ),
            CallParameter(
                name="state", place="query", schema={"type": "string", "enum": list(OutboxState)}, description="In it."
            ),
        ),
        problems=(400, 404),
    ),
    Operation(
        name="getPush",
        method="GET",
        path=f"{BASE}/pushes/{{push}}",
        scope=Scope.WEBHOOKS,
        summary="Return a push with its attempts, by its id or its `webhook-id`",
        status=200,
        answer=PushAnswer,
        parameters=(path_id("push", "a push"),),
        problems=(404,),
    ),
    Operation(
        name="replayPush",
        method="POST",
        path=f"{BASE}/pushes/{{push}}/replay",
        scope=Scope.WEBHOOKS,
        summary="Send a push that has ended again: the same event with the same id",
        status=200,
        answer=PushAnswer,
        parameters=(path_id("push", "a push"),),
        problems=(404, 409),
    ),
)


class PushViews:
    """What answers them."""

    def __init__(self, office: AdminOffice) -> None:
        self._office = office

    def answers(self) -> Mapping[str, Answer]:
        """Return what answers each call."""
        return {"listPushes": self._list, "getPush": self._get, "replayPush": self._replay}

    async def _list(self, request: Request, _: Principal, sender: Sender) -> Response:
        given = dict(request.query_params)
        user, state = given.pop("user", ""), given.pop("state", "")
        wanted = read_list(given, _CURSORS)
        bad = wanted if isinstance(wanted, list) else []
        if state and state not in list(OutboxState):
            bad.append(BadField(field="state", expected=f"one of {', '.join(OutboxState)}"))
        if bad or isinstance(wanted, list):
            return refuse_fields(bad)
        address = canonical_application(user) or canonical_address(user) if user else ""
        if address is None:
            return no_such("user")
        about = PushesWanted(state=state, user=address, before=int(wanted.cursor or "0"))
        found = await self._office.look(
            partial(pushes_before, customer=sender.customer.name, wanted=about, limit=wanted.limit + 1)
        )
        shown = found[: wanted.limit]
        cursor = str(shown[-1].place) if len(found) > wanted.limit else None
        return answer(
            PushPage(pushes=msgspec.convert(list(map(_fields_of, shown)), list[ListedPushAnswer]), next=cursor)
        )

    async def _get(self, request: Request, _: Principal, sender: Sender) -> Response:
        name: str = request.path_params["push"]
        if not _ID.fullmatch(name):
            return no_such("push")
        try:
            found = await self._office.look(partial(push_of, customer=sender.customer.name, name=name))
        except AdminFault as fault:
            return refuse_fault(fault)
        attempts = [{name: getattr(each, name) for name in AttemptAnswer.__struct_fields__} for each in found.attempts]
        return answer(msgspec.convert({**_fields_of(found), "attempts": attempts}, PushAnswer))

    async def _replay(self, request: Request, principal: Principal, sender: Sender) -> Response:
        name: str = request.path_params["push"]
        if not _ID.fullmatch(name):
            return no_such("push")
        try:
            await self._office.change(
                principal.login, partial(replay_push_of, customer=sender.customer.name, name=name)
            )
        except AdminFault as fault:
            return refuse_fault(fault)
        return await self._get(request, principal, sender)


def _fields_of(push: ToldPush) -> dict[str, object]:
    return {
        "id": push.push,
        "event": push.event,
        "of": push.of,
        "message": push.sms,
        "url": push.url,
        "state": push.state.value,
        "problem": push.problem,
        "written_at": push.written_at,
        "due_at": push.due_at,
        "ended_at": push.ended_at,
    }
