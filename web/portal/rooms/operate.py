"""The operator's room: how the gateway is, what waits and why, customers and who of them is suspended."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from functools import partial

from starlette.exceptions import HTTPException
from starlette.responses import Response

from addressbook.options import Option
from addressbook.people import Customer
from addressbook.rights import Right
from gateway.admin import queue, suspensions
from gateway.admin.rerouting import Rerouted, Wanted
from gateway.portal.care import list_suspensions
from gateway.portal.operation import MOST_LISTED, OperatorDesk, read_operation, read_waiting
from sms.number import mask_number
from sms.route import LOST_ROUTE, SEPARATOR
from web.portal.page import POST, Page
from web.portal.visit import Visit, or_again

_HOUR = timedelta(hours=1)
_MOST_HOURS = 9_999
_HEALTH, _QUEUE, _CUSTOMERS = "/operator", "/operator/queue", "/operator/customers"
_REROUTE = f"{_QUEUE}/reroute"
_ACTS = {"hold": queue.hold_waiting, "release": queue.release_waiting, "delete": queue.delete_waiting}
_FIELD_OF = {
    "bad-reason": "reason",
    "ends-before": "until",
    "no-option": "only",
    "no-carrier": "to",
    "no-such-route": "to",
    "nothing-chosen": "carrier",
    "bad-country": "country",
    "no-customer": "customer",
    "nothing-of-this-id": "name",
}
_CHOSEN = ("to", "carrier", "customer", "country", "name")


async def show_health(visit: Visit) -> Response:
    """Show how the gateway is."""
    operation = _operation(visit)
    around = await asyncio.to_thread(operation.look_around)
    view = await visit.desk.look(partial(read_operation, operation=operation, around=around, now=visit.desk.now()))
    return visit.show("rooms/operate/health", view=view, report=view.report, now=visit.desk.now())


async def show_queue(visit: Visit, errors: Mapping[str, str] | None = None) -> Response:
    """Show what waits, and why."""
    messages, notices = await visit.desk.look(partial(read_waiting, operation=_operation(visit), now=visit.desk.now()))
    return visit.show(
        "rooms/operate/queue", errors=errors, messages=messages, notices=notices, most=MOST_LISTED, mask=mask_number
    )


@or_again(show_queue)
async def act_on_queue(visit: Visit) -> Response:
    """Hold, release or end what waits, by its id; or make due what failed."""
    act, name = visit.form.text("act"), visit.form.line("name")
    if act == "flush":
        (done,) = await visit.change(queue.flush_queue)
        return visit.go(_QUEUE, "operate.queue.flushed", due=done.facts["due"])
    if act not in _ACTS:
        raise HTTPException(400)
    await visit.change(partial(_ACTS[act], name=name))
    return visit.go(_QUEUE, f"operate.queue.done.{act}", name=name)


async def _show_reroute(
    visit: Visit, errors: Mapping[str, str] | None = None, found: Rerouted | None = None
) -> Response:
    routes = sorted(_operation(visit).routes(), key=lambda route: (SEPARATOR in route, route))
    return visit.show(
        "rooms/operate/reroute",
        errors=errors,
        wanted=_wanted(visit),
        found=found,
        routes=[(route, route) for route in routes],
        carriers=[
            ("", visit.say("operate.reroute.any")),
            *((route, route) for route in routes if SEPARATOR not in route),
            (LOST_ROUTE, visit.say("operate.reroute.lost")),
        ],
    )


@or_again(_show_reroute, _FIELD_OF)
async def show_reroute(visit: Visit) -> Response:
    """Show what can be given to another carrier; and what would become of it, once something is chosen."""
    wanted = _wanted(visit)
    if not wanted.to:
        return await _show_reroute(visit)
    found = await asyncio.to_thread(_operation(visit).rerouting(visit.account.address).look, wanted)
    return await _show_reroute(visit, found=found)


@or_again(_show_reroute, _FIELD_OF)
async def reroute(visit: Visit) -> Response:
    """Give what waits to another carrier."""
    wanted = _wanted(visit)
    done = await asyncio.to_thread(_operation(visit).rerouting(visit.account.address).carry_out, wanted)
    return visit.go(_QUEUE, "operate.reroute.done", moved=done.moved, to=wanted.to, kept=sum(done.kept.values()))


async def show_customers(visit: Visit) -> Response:
    """Show all customers, and what of them is suspended."""
    return visit.show("rooms/operate/customers", rows=visit.customers)


async def show_customer(visit: Visit, errors: Mapping[str, str] | None = None) -> Response:
    """Show one customer with its suspensions."""
    customer = _named(visit)
    lines = await visit.desk.look(partial(list_suspensions, customer_key=customer.key))
    options = [("", visit.say("operate.suspend.everything")), *((option.value, option.value) for option in Option)]
    return visit.show("rooms/operate/customer", errors=errors, one=customer, lines=lines, options=options)


@or_again(show_customer, _FIELD_OF)
async def suspend(visit: Visit) -> Response:
    """Suspend a customer or an option of it."""
    customer, form = _named(visit), visit.form
    hours = form.line("hours")
    until = None
    if hours:
        if not (hours.isascii() and hours.isdecimal() and 0 < int(hours) <= _MOST_HOURS):
            return await show_customer(visit, {"hours": visit.say("operate.suspend.bad-hours", most=_MOST_HOURS)})
        until = visit.desk.now() + int(hours) * _HOUR
    await visit.change(
        partial(
            suspensions.suspend,
            name=customer.name,
            reason=form.line("reason"),
            only=form.text("only"),
            until=until,
        )
    )
    return visit.go(f"{_CUSTOMERS}/{customer.key}", "operate.suspend.done", customer=customer.name)


@or_again(show_customer)
async def resume(visit: Visit) -> Response:
    """End the suspensions of a customer."""
    customer = _named(visit)
    await visit.change(partial(suspensions.resume, name=customer.name))
    return visit.go(f"{_CUSTOMERS}/{customer.key}", "operate.resume.done", customer=customer.name)


def _wanted(visit: Visit) -> Wanted:
    """Return what the form says, or the address of the page."""
    return Wanted(**{name: visit.form.line(name) or visit.asked(name).strip() for name in _CHOSEN})


def _named(visit: Visit) -> Customer:
    found = visit.desk.snapshot.directory.customer(int(visit.parameter("number")))
    if found is None:
        raise HTTPException(404)
    return found


def _operation(visit: Visit) -> OperatorDesk:
    operation = visit.desk.operation
    assert operation is not None
    return operation


_ONE = f"{_CUSTOMERS}/{{number:int}}"

PAGES = (
    Page(path=_HEALTH, handler=show_health, right=Right.SEE_OPERATE, menu="operate.health.menu"),
    Page(path=_QUEUE, handler=show_queue, right=Right.SEE_OPERATE, menu="operate.queue.menu"),
    Page(path=_QUEUE, methods=POST, handler=act_on_queue, right=Right.CHANGE_OPERATE),
    Page(path=_REROUTE, handler=show_reroute, right=Right.SEE_OPERATE),
    Page(path=_REROUTE, methods=POST, handler=reroute, right=Right.CHANGE_OPERATE),
    Page(path=_CUSTOMERS, handler=show_customers, right=Right.SEE_OPERATE, menu="operate.customers.menu"),
    Page(path=_ONE, handler=show_customer, right=Right.SEE_OPERATE),
    Page(path=f"{_ONE}/suspend", methods=POST, handler=suspend, right=Right.CHANGE_OPERATE),
    Page(path=f"{_ONE}/resume", methods=POST, handler=resume, right=Right.CHANGE_OPERATE),
)
