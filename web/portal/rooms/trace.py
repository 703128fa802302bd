"""The trace of anything by one of its ids: for the operator of all customers, for a customer's people of their own.

What others have is answered as what there is not. Not here: how it is found (gateway.admin.trace), the pages of a
customer's job and of an SMS that came (reports).
"""

from dataclasses import replace
from functools import partial
from typing import Final

from starlette.responses import Response

from addressbook.rights import Right
from gateway.admin.trace import InboundTrace, Trace, TracedDrop, find_trace, named_message
from web.portal.page import Page
from web.portal.rooms.reports import MOST_SHOWN, ROOM
from web.portal.visit import Visit

_LONGEST: Final = 998
_TEMPLATE: Final = "rooms/trace/one"


async def show_any(visit: Visit) -> Response:
    """Show the operator whatever has an id: a job, one SMS of it, an SMS that came, a mail or push, a dropped mail."""
    asked = _asked(visit)
    if not asked:
        return visit.show(_TEMPLATE, asked="", kind="")
    match await visit.desk.database.read_long(partial(find_trace, name=asked)):
        case None:
            return _nothing(visit, asked)
        case Trace() as trace:
            one = named_message(trace, asked)
            report = trace.report if one is None else replace(trace.report, messages=(one,))
            is_one = len(report.messages) < len(trace.report.messages)
            return visit.show(
                _TEMPLATE, asked=asked, kind="job", trace=trace, report=report, most=MOST_SHOWN, is_one=is_one
            )
        case InboundTrace() as sms:
            return visit.show(_TEMPLATE, asked=asked, kind="inbound", sms=sms)
        case found:
            kind = "dropped" if isinstance(found, TracedDrop) else "notice"
            return visit.show(_TEMPLATE, asked=asked, kind=kind, found=found)


async def find_own(visit: Visit) -> Response:
    """Lead a customer's people to the page of their own job, or SMS, that has an id."""
    asked = _asked(visit)
    if not asked:
        return visit.show(_TEMPLATE, asked="", kind="")
    match await visit.desk.database.read_long(partial(find_trace, name=asked, owner=visit.customer)):
        case Trace() as trace:
            one = named_message(trace, asked)
            return visit.go(f"{visit.here}/reports/job/{one.public_id if one is not None else trace.report.public_id}")
        case InboundTrace() as sms:
            return visit.go(f"{visit.here}/reports/received/{sms.public_id}")
    return _nothing(visit, asked)


def _nothing(visit: Visit, asked: str) -> Response:
    return visit.show(_TEMPLATE, status=404, errors={"name": visit.say("trace.nothing")}, asked=asked, kind="")


def _asked(visit: Visit) -> str:
    return " ".join(visit.asked("name").split())[:_LONGEST]


PAGES = (
    Page(path="/operator/trace", handler=show_any, right=Right.SEE_OPERATE, menu="trace.menu"),
    Page(path=f"{ROOM}/trace", handler=find_own, right=Right.SEE_REPORTS),
)
