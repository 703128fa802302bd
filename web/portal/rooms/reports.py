"""What was sent and received: lists with filters, one of them with all that became of it, tables to take along.

A list is asked for by GET, so that its address can be shared. Not here: charts and the archive (charts), the questions
themselves (reports).
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from addressbook.exchange import separator_for
from addressbook.rights import Right
from gateway.admin.faults import AdminFault
from reports.counting import Direction
from reports.details import COLUMNS, DetailFilter, DetailQuery, SentDetails, read_query, trace_details
from reports.downloads import DIRECT_MOST, Wanted, count_lines
from reports.inbound_details import (
    INBOUND_COLUMNS,
    InboundDetails,
    InboundFilter,
    InboundQuery,
    read_inbound_query,
    trace_inbound_details,
)
from reports.tables import Cell, TableForm, write_table
from sms.lifecycle import MessageState
from sms.message import Origin
from web.attachments import attachment_headers
from web.portal.page import CUSTOMER, Page
from web.portal.visit import Visit

ROOM: Final = f"{CUSTOMER}/reports"
HANDED: Final = ("yes", "waits", "no", "nobody")
MOST_SHOWN: Final = 50
"""So many rows of a list, or SMS of a job, are on one page."""
_ID: Final = re.compile(r"[JSI]\.[0-9]{8}-[0-9]{6}\.[0-9]{3}-[a-z0-9]+", re.ASCII)
_FILTERS: Final = (
    *("number", "state", "user", "sender_id", "service", "cost_centre", "reference", "country", "since", "until"),
)
_INBOUND_FILTERS: Final = ("phone", "number", "handed", "user", "keyword", "since", "until")
_FIELD_OF: Final = {"bad-number": "number", "bad-address": "user"}


async def show_sent(visit: Visit) -> Response:
    """Show SMS that were sent, those of this week if no time is asked for."""
    asked = _asked(visit, _FILTERS)
    for typed in (asked["reference"], asked["number"]):
        if _ID.fullmatch(typed):
            return visit.go(f"{visit.here}/reports/trace?{urlencode({'name': typed})}")
    errors, page = _order(visit, asked), None
    try:
        page = await SentDetails(visit.desk.database).page(_sent(visit, asked), MOST_SHOWN, visit.asked("after"))
    except AdminFault as fault:
        errors[_FIELD_OF[str(fault.code)]] = visit.fault(fault)
    return visit.show(
        "rooms/reports/sent",
        errors=errors,
        asked=asked,
        page=page,
        address=_address(asked),
        states=_choices(visit, "states", MessageState),
        services=_choices(visit, "services", Origin),
        filtered=any(asked[name] for name in _FILTERS[:-2]),
        all_time=_address({**asked, "since": "", "until": ""}) if asked["since"] or asked["until"] else "",
        paged=bool(visit.asked("after")),
    )


async def take_sent(visit: Visit) -> Response:
    """Give all that fits as a file."""
    wanted = read_sent(visit)
    if await is_long(visit, wanted):
        return _by_mail(visit, Direction.SENT)
    return _file(visit, "sent", COLUMNS, SentDetails(visit.desk.database).rows(wanted))


async def show_received(visit: Visit) -> Response:
    """Show SMS that came, those of this week if no time is asked for."""
    asked = _asked(visit, _INBOUND_FILTERS)
    errors, page = _order(visit, asked), None
    try:
        wanted = InboundDetails(visit.desk.database)
        page = await wanted.page(_received(visit, asked), MOST_SHOWN, visit.asked("after"))
    except AdminFault as fault:
        errors[_FIELD_OF[str(fault.code)].replace("number", "phone")] = visit.fault(fault)
    return visit.show(
        "rooms/reports/received",
        errors=errors,
        asked=asked,
        page=page,
        address=_address(asked),
        handed=_choices(visit, "handed", HANDED),
        filtered=any(asked[name] for name in _INBOUND_FILTERS[:-2]),
        all_time=_address({**asked, "since": "", "until": ""}) if asked["since"] or asked["until"] else "",
        paged=bool(visit.asked("after")),
    )


async def take_received(visit: Visit) -> Response:
    """Give all that fits as a file."""
    wanted = read_received(visit)
    if await is_long(visit, wanted):
        return _by_mail(visit, Direction.RECEIVED)
    return _file(visit, "received", INBOUND_COLUMNS, InboundDetails(visit.desk.database).rows(wanted))


def read_sent(visit: Visit) -> DetailFilter:
    """Return the filter that the address has; an address that can't be read there is not."""
    try:
        return _sent(visit, _asked(visit, _FILTERS))
    except AdminFault:
        raise HTTPException(404) from None


def read_received(visit: Visit) -> InboundFilter:
    """Return the same of what came."""
    try:
        return _received(visit, _asked(visit, _INBOUND_FILTERS))
    except AdminFault:
        raise HTTPException(404) from None


async def is_long(visit: Visit, wanted: Wanted) -> bool:
    """Return whether a table is too long to be given at once."""
    lines = await visit.desk.database.read_long(partial(count_lines, wanted=wanted, most=DIRECT_MOST + 1))
    return lines > DIRECT_MOST


def _by_mail(visit: Visit, direction: Direction) -> Response:
    """Return the way to the page that offers to write the table and to tell by mail where it is."""
    asked = {"direction": direction.value, "form": _form(visit).value, **visit.request.query_params}
    return visit.go(f"{visit.here}/reports/downloads/new?{urlencode(asked)}")


async def show_one(visit: Visit) -> Response:
    """Show a job, or one SMS of it, with all that is known of it and the mails and pushes that told of it."""
    trace = await visit.desk.database.read_long(
        partial(trace_details, customer_key=visit.customer.key, name=visit.parameter("name"))
    )
    if trace is None:
        raise HTTPException(404)
    return visit.show("rooms/reports/one", trace=trace, report=trace.report, most=MOST_SHOWN)


async def show_one_received(visit: Visit) -> Response:
    """Show an SMS that came, with what followed from it."""
    trace = await visit.desk.database.read_long(
        partial(trace_inbound_details, customer_key=visit.customer.key, name=visit.parameter("name"))
    )
    if trace is None:
        raise HTTPException(404)
    return visit.show("rooms/reports/one-received", sms=trace)


def file_answer(visit: Visit, name: str, heads: Sequence[str], rows: Iterator[Sequence[Cell]]) -> Response:
    """Return a table as the file that the path asks for, in the visitor's zone, piece by piece."""
    form = _form(visit)
    headers = attachment_headers(f"{name}.{form}")
    pieces = write_table(form, heads, rows, visit.zone, separator_for(visit.language))
    return StreamingResponse(pieces, media_type=form.media_type, headers=headers)


def _form(visit: Visit) -> TableForm:
    try:
        return TableForm(visit.parameter("form"))
    except ValueError:
        raise HTTPException(404) from None


def _file(visit: Visit, what: str, columns: Sequence[str], rows: Iterator[Sequence[Cell]]) -> Response:
    today = visit.desk.now().astimezone(ZoneInfo(visit.zone)).date()
    heads = [visit.say(f"reports.columns.{column}") for column in columns]
    return file_answer(visit, f"sms-{what}-{visit.customer.key}-{today}", heads, rows)


def _sent(visit: Visit, asked: Mapping[str, str]) -> DetailFilter:
    return read_query(
        visit.customer.key,
        DetailQuery(
            number=asked["number"],
            user=asked["user"],
            sender_id=asked["sender_id"],
            services=[asked["service"]] if asked["service"] else (),
            states=[asked["state"]] if asked["state"] else (),
            cost_centre=asked["cost_centre"],
            reference=asked["reference"],
            country=asked["country"],
            since=midnight(asked["since"], visit.zone),
            until=midnight(asked["until"], visit.zone, days=1),
        ),
        _country(visit),
    )


def _received(visit: Visit, asked: Mapping[str, str]) -> InboundFilter:
    return read_inbound_query(
        visit.customer.key,
        InboundQuery(
            number=asked["number"],
            phone=asked["phone"],
            user=asked["user"],
            keyword=asked["keyword"],
            handed=[asked["handed"]] if asked["handed"] else (),
            since=midnight(asked["since"], visit.zone),
            until=midnight(asked["until"], visit.zone, days=1),
        ),
        _country(visit),
    )


def _country(visit: Visit) -> str:
    return visit.desk.snapshot.default_country_of(visit.customer.key)


def _choices(visit: Visit, words: str, values: Iterable[str]) -> list[tuple[str, str]]:
    return [("", visit.say("reports.any")), *((str(one), visit.say(f"reports.{words}.{one}")) for one in values)]


def _asked(visit: Visit, names: Sequence[str]) -> dict[str, str]:
    """Return what is asked for by name; a choice that there is not, or a day that is none, is as if not given."""
    choices: dict[str, frozenset[str]] = {
        "state": frozenset(MessageState),
        "service": frozenset(Origin),
        "handed": frozenset(HANDED),
    }
    asked = {name: " ".join(visit.asked(name).split())[:200] for name in names}
    for name, known in choices.items():
        if name in asked and asked[name] not in known:
            asked[name] = ""
    for name in ("since", "until"):
        asked[name] = asked[name] if read_day(asked[name]) is not None else ""
    if "since" not in visit.request.query_params:
        today = visit.desk.now().astimezone(ZoneInfo(visit.zone)).date()
        asked["since"] = (today - timedelta(days=today.weekday())).isoformat()
    return asked


def _order(visit: Visit, asked: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong with a time that ends before it begins, by field."""
    is_wrong = bool(asked["until"]) and asked["until"] < asked["since"]
    return {"until": visit.say("reports.until-before")} if is_wrong else {}


def _address(asked: Mapping[str, str]) -> str:
    """Return the query that asks for the same; the time is always in it."""
    return urlencode({name: value for name, value in asked.items() if value or name == "since"})


def read_day(text: str) -> date | None:
    """Return a day such as 2026-11-23, None for anything else."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def midnight(text: str, zone: str, days: int = 0) -> datetime | None:
    """Return when a day begins in a zone, or so many days after it; None for no day."""
    day = read_day(text)
    if day is None:
        return None
    try:
        return datetime.combine(day + timedelta(days=days), time(), ZoneInfo(zone)).astimezone(UTC)
    except OverflowError:
        return None


PAGES = (
    Page(path=ROOM, handler=show_sent, right=Right.SEE_REPORTS, menu="reports.menu"),
    Page(path=f"{ROOM}/sent/{{form}}", handler=take_sent, right=Right.SEE_REPORTS),
    Page(path=f"{ROOM}/job/{{name}}", handler=show_one, right=Right.SEE_REPORTS),
    Page(path=f"{ROOM}/received", handler=show_received, right=Right.SEE_REPORTS),
    Page(path=f"{ROOM}/received/file/{{form}}", handler=take_received, right=Right.SEE_REPORTS),
    Page(path=f"{ROOM}/received/{{name}}", handler=show_one_received, right=Right.SEE_REPORTS),
)
