"""Inbound SMS over REST version 2: listed and told. Not here: whose they are (gateway.application_inbound)."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final

from msgspec import Meta, Struct, field
from starlette.requests import Request
from starlette.responses import Response

from addressbook.api_keys import Scope
from addressbook.senders import Principal, Sender
from gateway.application_inbound import ApplicationInbound, ReceivedSms
from web.api_v2.answers import answer, no_such, refuse_fields
from web.api_v2.calls import CURSOR, LIMIT, Answer, Operation, path_id
from web.api_v2.problem_types import BASE
from web.api_v2.request import read_list

_CURSORS: Final = re.compile(r"[0-9]{1,18}", re.ASCII)


class InboundAnswer(Struct, frozen=True, kw_only=True):
    """One inbound SMS."""

    id: str
    received_at: datetime
    source: Annotated[str, Meta(description="Who wrote, as the carrier says it.")] = field(name="from")
    destination: Annotated[str, Meta(description="The number of yours that it came to.")] = field(name="to")
    text: str
    keyword: Annotated[str, Meta(description="The keyword that matched; else empty.")]
    parts: int
    missing: Annotated[list[int], Meta(description="The places of parts that did not come in time.")]
    late_of: Annotated[str, Meta(description="The SMS of which it is a part that came too late; else empty.")]


class InboundPage(Struct, frozen=True, kw_only=True):
    """Inbound SMS, oldest first."""

    messages: list[InboundAnswer]
    next: Annotated[str | None, Meta(description="The cursor of what follows, null at the end for now.")]


INBOUND_CALLS: Final = (
    Operation(
        name="listInbound",
        method="GET",
        path=f"{BASE}/inbound",
        scope=Scope.INBOUND,
        summary="List the SMS that came in, oldest first",
        status=200,
        answer=InboundPage,
        parameters=(CURSOR, LIMIT),
        problems=(400,),
    ),
    Operation(
        name="getInbound",
        method="GET",
        path=f"{BASE}/inbound/{{sms}}",
        scope=Scope.INBOUND,
        summary="Return one SMS that came in",
        status=200,
        answer=InboundAnswer,
        parameters=(path_id("sms", "an inbound SMS"),),
        problems=(404,),
    ),
)


class InboundCalls:
    """What answers them."""

    def __init__(self, inbound: ApplicationInbound) -> None:
        self._inbound = inbound

    def answers(self) -> Mapping[str, Answer]:
        """Return what answers each call."""
        return {"listInbound": self._list, "getInbound": self._get}

    async def _list(self, request: Request, _: Principal, sender: Sender) -> Response:
        wanted = read_list(request.query_params, _CURSORS)
        if isinstance(wanted, list):
            return refuse_fields(wanted)
        found = await self._inbound.after(sender, int(wanted.cursor or "0"), wanted.limit + 1)
        shown = found[: wanted.limit]
        cursor = str(shown[-1].place) if len(found) > wanted.limit else None
        return answer(InboundPage(messages=[_answer_of(sms) for sms in shown], next=cursor))

    async def _get(self, request: Request, _: Principal, sender: Sender) -> Response:
        found = await self._inbound.find(sender, request.path_params["sms"])
        return no_such("inbound SMS") if found is None else answer(_answer_of(found))


def _answer_of(sms: ReceivedSms) -> InboundAnswer:
    return InboundAnswer(
        id=sms.public_id,
        received_at=sms.received_at,
        source=sms.source,
        destination=sms.destination,
        text=sms.text,
        keyword=sms.keyword,
        parts=sms.parts,
        missing=list(sms.missing),
        late_of=sms.late_of,
    )
