"""Who wants no more SMS: looked for, put on the stop list and taken from it, with the evidence; files of them.

Not here: what is allowed (gateway.admin.stop_list), the inbox (inbound).
"""

import asyncio
import base64
import binascii
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from starlette.responses import Response

from addressbook.options import SERVICE_OPTIONS
from addressbook.rights import Right
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.stop_list import (
    COLUMNS,
    StopsPage,
    drop_stops,
    import_stops,
    list_stops,
    parse_handsets,
    parse_stops,
    put_stops,
    stops_after,
    stops_of,
)
from gateway.table_reader import read_confined
from sms.message import Origin
from sms.outcome import Refused
from web.portal.page import POST, Page
from web.portal.rooms.inbound import ROOM, country_of, has_inbox, read_phone
from web.portal.rooms.reports import file_answer
from web.portal.rooms.send_form import say_unread, typed_numbers
from web.portal.visit import Visit, or_again

_MOST: Final = 50
_MOST_OCTETS: Final = 8 << 20
_LONGEST_REASON: Final = 200
_FIELD_OF: Final[Mapping[str, str]] = {FaultCode.BAD_HANDSET: "numbers", FaultCode.NO_SERVICE: "service"}


async def show_stops(visit: Visit, errors: Mapping[str, str] | None = None) -> Response:
    """Show entries by number, those that ended only where they are asked for."""
    errors = dict(errors or {})
    page, asked, with_ended = StopsPage(entries=(), next=None), visit.asked("phone"), _with_ended(visit)
    try:
        number = read_phone(visit, asked)
        if number:
            query = partial(stops_of, number=number)
        else:
            query = partial(stops_after, after=visit.asked("after"), limit=_MOST)
        page = await visit.desk.look(partial(query, customer=visit.customer.name, with_ended=with_ended))
    except AdminFault as fault:
        errors["phone"] = visit.fault(fault)
    return visit.show(
        "rooms/inbound/stops",
        errors=errors,
        page=page,
        asked=asked,
        with_ended=with_ended,
        paged=bool(visit.asked("after")),
        services=[("", visit.say("stops.all-services")), *_services(visit)],
        inbox=has_inbox(visit),
    )


@or_again(show_stops, _FIELD_OF)
async def add(visit: Visit) -> Response:
    """Put numbers on the list."""
    form = visit.form
    given = [one.number for one in typed_numbers(form.text("numbers"))]
    if not given:
        return await show_stops(visit, {"numbers": visit.say("send.errors.numbers")})
    (done,) = await visit.change(
        partial(
            put_stops,
            customer=visit.customer.name,
            numbers=parse_handsets(given, country_of(visit)),
            service=form.text("service"),
            reason=form.line("reason")[:_LONGEST_REASON],
        )
    )
    return visit.go(
        _HERE.format(visit.here), "stops.add.done", n=done.facts["numbers"], messages=done.facts["messages"]
    )


@or_again(show_stops)
async def remove(visit: Visit) -> Response:
    """End one entry; it is kept as evidence."""
    number, service = visit.form.line("number"), visit.form.text("service")
    await visit.change(partial(drop_stops, customer=visit.customer.name, numbers=[number.lstrip("+")], service=service))
    return visit.go(_HERE.format(visit.here), "stops.remove.done", number=number)


async def take(visit: Visit) -> Response:
    """Give the list as a file that can be imported again, with what ended only where it is asked for."""
    rows = await visit.desk.database.read_long(
        partial(list_stops, customer=visit.customer.name, with_ended=_with_ended(visit))
    )
    values: Any = ([str(value) for value in row.values()] for row in rows)
    return file_answer(visit, f"stop-list-{visit.customer.key}", COLUMNS, values)


async def ask_for_file(visit: Visit) -> Response:
    """Show the form that takes a file."""
    return _import(visit)


async def take_file(visit: Visit) -> Response:
    """Say what a file would put on the list; with `seen`, put it there."""
    upload = visit.form.file("file")
    name = upload.name if upload is not None else visit.form.line("file_name")
    content = upload.content if upload is not None else _kept(visit)
    if not content:
        return _import(visit, {"file": visit.say("send.errors.table")})
    table = await asyncio.to_thread(read_confined, content)
    if isinstance(table, Refused):
        return _import(visit, {"file": say_unread(visit, table)})
    try:
        lines = parse_stops(table, country_of(visit))
        if visit.form.ticked("seen"):
            (done,) = await visit.change(
                partial(import_stops, customer=visit.customer.name, lines=lines, source=name[:_LONGEST_REASON])
            )
            facts = {"n": done.facts["numbers"], "known": done.facts["known"], "messages": done.facts["messages"]}
            return visit.go(_HERE.format(visit.here), "stops.import.done", **facts)
    except AdminFault as fault:
        if fault.code is not FaultCode.BAD_STOPS:
            return _import(visit, {"file": visit.fault(fault)})
        rows: Any = fault.facts["rows"]
        return _import(visit, {"file": visit.say("stops.import.faulty")}, faults=rows[:_MOST], total=len(rows))
    return _import(
        visit, lines=lines[:_MOST], total=len(lines), file_name=name, content=base64.b64encode(content).decode()
    )


def _import(visit: Visit, errors: Mapping[str, str] | None = None, **values: object) -> Response:
    shown: dict[str, Any] = {"lines": (), "faults": (), "total": 0, "file_name": "", "content": "", **values}
    return visit.show("rooms/inbound/stops-import", errors=errors, inbox=has_inbox(visit), **shown)


def _with_ended(visit: Visit) -> bool:
    return visit.asked("ended") == "yes"


def _services(visit: Visit) -> Sequence[tuple[str, str]]:
    """Return the services that the customer has contracted, with their words."""
    had = [one for one in Origin if (option := SERVICE_OPTIONS.get(one)) is None or visit.has(option)]
    return [(str(one), visit.say(f"reports.services.{one}")) for one in had if one is not Origin.INBOUND]


def _kept(visit: Visit) -> bytes:
    """Return the file that the page before showed, which its form brings back."""
    try:
        return base64.b64decode(visit.form.text("content"), validate=True)
    except binascii.Error:
        return b""


_HERE: Final = "{}/inbound/stops"
_STOPS: Final = f"{ROOM}/stops"

PAGES = (
    Page(path=_STOPS, handler=show_stops, right=Right.SEE_INBOUND),
    Page(path=_STOPS, methods=POST, handler=add, right=Right.CHANGE_INBOUND),
    Page(path=f"{_STOPS}/remove", methods=POST, handler=remove, right=Right.CHANGE_INBOUND),
    Page(path=f"{_STOPS}/import", handler=ask_for_file, right=Right.CHANGE_INBOUND),
    Page(path=f"{_STOPS}/import", methods=POST, handler=take_file, right=Right.CHANGE_INBOUND, most=_MOST_OCTETS),
    Page(path=f"{_STOPS}/file/{{form}}", handler=take, right=Right.SEE_INBOUND),
)
