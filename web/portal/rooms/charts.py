"""Charts of what was sent, and the archive of months. Not here: what stands in them (reports)."""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException
from starlette.responses import Response

from addressbook.rights import Right
from gateway.admin.faults import AdminFault
from reports.archive import COLUMNS, MonthSummary, list_months, show_month
from reports.charts import BOUNDS, Tally, read_charts
from reports.ruled import COLUMNS as RULED_COLUMNS
from reports.ruled import read_ruled
from web.portal.page import Page
from web.portal.rooms.reports import ROOM, file_answer, read_day
from web.portal.visit import Visit

_LONGEST: Final = timedelta(days=92)
_BY: Final = (("service", "state"), ("cost_centre",), ("user_address",), ("country",))


async def show_charts(visit: Visit) -> Response:
    """Show what was sent in a time, this month unless another one is asked for."""
    first, last = _asked(visit)
    charts = await visit.desk.database.read_long(
        partial(read_charts, customer_key=visit.customer.key, first=first, last=last, zone=visit.zone)
    )
    bars = [("by-country", charts.countries), ("by-sender", charts.senders)]
    if visit.account.is_operator:  # whose network an SMS takes is the operator's matter
        bars.append(("by-carrier", charts.carriers))
    ruled = await _ruled(visit, first, last)
    names = [*(f"≤ {_short(bound)}" for bound in BOUNDS), f"> {_short(BOUNDS[-1])}"]
    times = [Tally(name, good=number) for name, number in zip(names, charts.times, strict=True)]
    return visit.show(
        "rooms/reports/charts", charts=charts, bars=bars, times=times, ruled=ruled, first=first, last=last
    )


async def take_ruled(visit: Visit) -> Response:
    """Give what rules of countries did in a time as a file."""
    first, last = _asked(visit)
    heads = [visit.say(f"reports.ruled.{column}") for column in RULED_COLUMNS]
    name = f"sms-rules-{visit.customer.key}-{first}-{last}"
    return file_answer(visit, name, heads, iter(await _ruled(visit, first, last)))


async def _ruled(visit: Visit, first: date, last: date) -> Sequence[tuple[str, str, str, int]]:
    return await visit.desk.database.read_long(
        partial(read_ruled, customer_key=visit.customer.key, first=first, last=last)
    )


def _asked(visit: Visit) -> tuple[date, date]:
    """Return the first and the last day that are asked for: this month, unless another time is."""
    today = visit.desk.now().astimezone(ZoneInfo(visit.zone)).date()
    last = min(read_day(visit.asked("until")) or today, today)
    first = read_day(visit.asked("since")) or last.replace(day=1)
    return max(min(first, last), last - _LONGEST), last


def _short(seconds: int) -> str:
    """Return a bound as short as the axis of a chart needs it: 30 s, 10 min, 24 h."""
    if seconds < 60:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 3600 else f"{seconds // 3600} h"


async def show_archive(visit: Visit) -> Response:
    """Show the months of the customer."""
    months = await visit.desk.database.read_long(partial(list_months, customer=visit.customer.name))
    return visit.show("rooms/reports/archive", months=months)


async def show_one_month(visit: Visit) -> Response:
    """Show a month by service, cost centre, user and country, with its corrections."""
    summary = await _month(visit)
    tables = [(by[0], summary.by(*by)) for by in _BY]
    return visit.show("rooms/reports/month", summary=summary, tables=tables, now=visit.desk.now())


async def take_month(visit: Visit) -> Response:
    """Give a month as a file."""
    summary = await _month(visit)
    return file_answer(visit, f"sms-{visit.customer.key}-{summary.month}", COLUMNS, iter(summary.rows()))


async def _month(visit: Visit) -> MonthSummary:
    try:
        return await visit.desk.database.read_long(
            partial(show_month, customer=visit.customer.name, month=visit.parameter("month"))
        )
    except AdminFault:
        raise HTTPException(404) from None


PAGES = (
    Page(path=f"{ROOM}/charts", handler=show_charts, right=Right.SEE_REPORTS),
    Page(path=f"{ROOM}/charts/rules/{{form}}", handler=take_ruled, right=Right.SEE_REPORTS),
    Page(path=f"{ROOM}/archive", handler=show_archive, right=Right.SEE_REPORTS),
    Page(path=f"{ROOM}/archive/{{month}}", handler=show_one_month, right=Right.SEE_REPORTS),
    Page(path=f"{ROOM}/archive/{{month}}/{{form}}", handler=take_month, right=Right.SEE_REPORTS),
)
