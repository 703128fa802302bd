"""Support requests: a customer's own, and all of them for the operator's desk."""

from collections.abc import Mapping
from functools import partial

from starlette.exceptions import HTTPException
from starlette.responses import Response

from addressbook.rights import Right
from addressbook.support import RequestState, Side
from gateway.admin import support
from gateway.admin.faults import AdminFault
from gateway.portal.care import list_support, show_support
from web.portal.page import CUSTOMER, POST, Page
from web.portal.visit import Visit, or_again

_FIELD_OF = {"bad-subject": "subject", "bad-text": "text", "no-such-job": "job"}
_DESK = "/operator/support"


async def list_own(visit: Visit) -> Response:
    """Show the requests of the customer."""
    return await _list(visit)


async def list_all(visit: Visit) -> Response:
    """Show the requests of all customers."""
    return await _list(visit)


async def new(visit: Visit, errors: Mapping[str, str] | None = None) -> Response:
    """Show the form for a new request; `job` names the job that it is about."""
    return visit.show("rooms/support/new", errors=errors, job=visit.asked("job"))


@or_again(new, _FIELD_OF)
async def open_one(visit: Visit) -> Response:
    """Open a request."""
    form = visit.form
    (done,) = await visit.change(
        partial(
            support.open_request,
            customer=visit.customer.name,
            subject=form.line("subject"),
            text=form.text("text"),
            job=form.line("job"),
            desk=visit.desk.support,
        )
    )
    return visit.go(f"{visit.here}/support/{done.facts['request']}", "support.opened")


async def show_one(visit: Visit, errors: Mapping[str, str] | None = None) -> Response:
    """Show a request with what was written about it."""
    key = visit.at.key if visit.at is not None else None
    try:
        found = await visit.desk.look(partial(show_support, request=visit.parameter("request"), customer_key=key))
    except AdminFault as missing:
        raise HTTPException(404) from missing
    return visit.show(
        "rooms/support/one",
        errors=errors,
        one=found,
        room=f"/portal{_room(visit)}",
        changes=visit.may(Right.CHANGE_SUPPORT),
    )


@or_again(show_one, _FIELD_OF)
async def answer(visit: Visit) -> Response:
    """Write to the other side."""
    side = Side.CUSTOMER if visit.at is not None else Side.DESK
    await visit.change(
        partial(
            support.answer_request,
            request=visit.parameter("request"),
            text=visit.form.text("text"),
            side=side,
            customer=_whose(visit),
            desk=visit.desk.support,
        )
    )
    return visit.go(f"{_room(visit)}/{visit.parameter('request')}", "support.answered")


@or_again(show_one, _FIELD_OF)
async def close(visit: Visit) -> Response:
    """Say that a request is solved, or close it."""
    await visit.change(
        partial(
            support.close_request,
            request=visit.parameter("request"),
            solved=visit.form.text("state") == RequestState.SOLVED,
            customer=_whose(visit),
            desk=visit.desk.support,
        )
    )
    return visit.go(_room(visit), "support.ended")


async def _list(visit: Visit) -> Response:
    key = visit.at.key if visit.at is not None else None
    rows = await visit.desk.look(partial(list_support, customer_key=key))
    names = {item.key: item.name for item in visit.desk.snapshot.directory.customers()}
    return visit.show("rooms/support/list", rows=rows, names=names, room=f"/portal{_room(visit)}")


def _whose(visit: Visit) -> str:
    return visit.customer.name if visit.at is not None else ""


def _room(visit: Visit) -> str:
    return f"{visit.here}/support" if visit.at is not None else _DESK


_OWN = f"{CUSTOMER}/support"
_ONE = "{request}"

PAGES = (
    Page(path=_OWN, handler=list_own, right=Right.SEE_SUPPORT, menu="support.menu"),
    Page(path=f"{_OWN}/new", handler=new, right=Right.CHANGE_SUPPORT),
    Page(path=f"{_OWN}/new", methods=POST, handler=open_one, right=Right.CHANGE_SUPPORT),
    Page(path=f"{_OWN}/{_ONE}", handler=show_one, right=Right.SEE_SUPPORT),
    Page(path=f"{_OWN}/{_ONE}", methods=POST, handler=answer, right=Right.CHANGE_SUPPORT),
    Page(path=f"{_OWN}/{_ONE}/close", methods=POST, handler=close, right=Right.CHANGE_SUPPORT),
    Page(path=_DESK, handler=list_all, right=Right.SEE_OPERATE, menu="support.menu"),
    Page(path=f"{_DESK}/{_ONE}", handler=show_one, right=Right.SEE_OPERATE),
    Page(path=f"{_DESK}/{_ONE}", methods=POST, handler=answer, right=Right.CHANGE_OPERATE),
    Page(path=f"{_DESK}/{_ONE}/close", methods=POST, handler=close, right=Right.CHANGE_OPERATE),
)
