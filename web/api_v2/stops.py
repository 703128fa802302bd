"""The stop list over REST version 2: entries listed, added and ended. Not here: what an entry holds back (store)."""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Annotated, Final

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from addressbook.api_keys import Scope
from addressbook.senders import Principal, Sender
from gateway.admin.edit import Change, Changed
from gateway.admin.faults import AdminFault
from gateway.admin.office import AdminOffice
from gateway.admin.stop_list import drop_stops, parse_handsets, put_stops, stops_after
from inbound.stop_list import StopEntry
from sms.message import Origin
from web.api_v2.answers import answer, refuse_fields
from web.api_v2.calls import CURSOR, LIMIT, Answer, CallParameter, Operation
from web.api_v2.faults import refuse_fault
from web.api_v2.problem_types import BASE
from web.api_v2.request import read_body, read_list

_CURSORS: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
Numbers = Annotated[
    list[Annotated[str, Meta(min_length=1, max_length=40)]],
    Meta(min_length=1, max_length=10_000, examples=[["+447700900101"]]),
]


class StopAnswer(Struct, frozen=True, kw_only=True):
    """An entry: who wants no more SMS of this customer, since when, and what shows it."""

    number: str
    service: Annotated[str, Meta(description="Of this service alone; empty for all.")]
    added_at: datetime
    origin: Annotated[str, Meta(description="sms where the recipient wrote it; else admin or import.")]
    evidence: Annotated[str, Meta(description="The id of the SMS that asked for it, or who entered it.")]
    word: Annotated[str, Meta(description="What that SMS said.")]
    ended_at: Annotated[datetime | None, Meta(description="Since when it holds no more.")]
    ended_by: str


class StopPage(Struct, frozen=True, kw_only=True):
    """Entries by number and age. A page has all entries of each number."""

    entries: list[StopAnswer]
    next: Annotated[str | None, Meta(description="The cursor of what follows, null at the end.")]


class StopsToAdd(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who wants no more SMS."""

    numbers: Numbers
    service: Annotated[str, Meta(description="Of this service alone, such as rest; empty for all.")] = ""


class StopsAdded(Struct, frozen=True, kw_only=True):
    """What was added."""

    added: Annotated[int, Meta(description="Entries that there were not before.")]
    ended_messages: Annotated[int, Meta(description="SMS that waited for these numbers, and ended as refused.")]


class StopsToEnd(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who wants SMS again."""

    numbers: Numbers
    service: Annotated[
        str | None,
        Meta(description="Only entries of this service; empty: only those for all; null: whatever they are."),
    ] = None


class StopsEnded(Struct, frozen=True, kw_only=True):
    """What was ended; the entries are kept as evidence."""

    ended: int


STOP_CALLS: Final = (
    Operation(
        name="listStops",
        method="GET",
        path=f"{BASE}/stop-list",
        scope=Scope.STOP_LIST,
        summary="List the entries of the stop list by number",
        status=200,
        answer=StopPage,
        parameters=(
            CURSOR,
            LIMIT,
            CallParameter(
                name="ended",
                place="query",
                schema={"type": "boolean", "default": False},
                description="Those that ended, too.",
            ),
        ),
        problems=(400,),
    ),
    Operation(
        name="addStops",
        method="POST",
        path=f"{BASE}/stop-list",
        scope=Scope.STOP_LIST,
        summary="Put numbers on the stop list; SMS that wait for them end as refused",
        status=200,
        answer=StopsAdded,
        body=StopsToAdd,
        problems=(400, 413),
    ),
    Operation(
        name="endStops",
        method="POST",
        path=f"{BASE}/stop-list/end",
        scope=Scope.STOP_LIST,
        summary="End the entries of numbers",
        status=200,
        answer=StopsEnded,
        body=StopsToEnd,
        problems=(400, 404, 413),
    ),
)


class Stops:
    """What answers them."""

    def __init__(self, office: AdminOffice) -> None:
        self._office = office

    def answers(self) -> Mapping[str, Answer]:
        """Return what answers each call."""
        return {"listStops": self._list, "addStops": self._add, "endStops": self._end}

    async def _list(self, request: Request, _: Principal, sender: Sender) -> Response:
        wanted = read_list(request.query_params, _CURSORS, flags=("ended",))
        if isinstance(wanted, list):
            return refuse_fields(wanted)
        page = await self._office.look(
            partial(
                stops_after,
                customer=sender.customer.name,
                after=wanted.cursor,
                with_ended="ended" in wanted.flags,
                limit=wanted.limit,
            )
        )
        return answer(StopPage(entries=[_answer_of(entry) for entry in page.entries], next=page.next))

    async def _add(self, request: Request, principal: Principal, sender: Sender) -> Response:
        given = read_body(await request.body(), StopsToAdd)
        if isinstance(given, list):
            return refuse_fields(given)
        try:
            numbers = self._handsets(sender, given.numbers)
            done = await self._change(
                principal, partial(put_stops, customer=sender.customer.name, numbers=numbers, service=given.service)
            )
        except AdminFault as fault:
            return refuse_fault(fault)
        return answer(StopsAdded(added=_count(done, "numbers"), ended_messages=_count(done, "messages")))

    async def _end(self, request: Request, principal: Principal, sender: Sender) -> Response:
        given = read_body(await request.body(), StopsToEnd)
        if isinstance(given, list):
            return refuse_fields(given)
        try:
            numbers = self._handsets(sender, given.numbers)
            done = await self._change(
                principal, partial(drop_stops, customer=sender.customer.name, numbers=numbers, service=given.service)
            )
        except AdminFault as fault:
            return refuse_fault(fault)
        return answer(StopsEnded(ended=_count(done, "numbers")))

    def _handsets(self, sender: Sender, given: list[str]) -> list[str]:
        settings = self._office.snapshot.resolve(sender, Origin.REST).settings
        return parse_handsets(given, settings.default_country)

    async def _change(self, principal: Principal, change: Change) -> Changed:
        (done,) = await self._office.change(principal.login, change)
        return done


def _count(done: Changed, fact: str) -> int:
    count = done.facts[fact]
    assert isinstance(count, int)
    return count


def _answer_of(entry: StopEntry) -> StopAnswer:
    return StopAnswer(
        number=f"+{entry.number}",
        service=entry.service,
        added_at=entry.added_at,
        origin=entry.origin.value,
        evidence=entry.evidence,
        word=entry.word,
        ended_at=entry.ended_at,
        ended_by=entry.ended_by,
    )
