"""How much the customer and its users may send, and what they have used of it. Not here: changing limits."""

from functools import partial

from starlette.responses import Response

from addressbook.rights import Right
from gateway.admin.limits import list_limits
from web.portal.page import CUSTOMER, Page
from web.portal.visit import Visit


async def show_limits(visit: Visit) -> Response:
    """Show the limits that are the customer's own: what all customers use together is not told to one of them."""
    name, desk = visit.customer.name, visit.desk
    rows = await desk.look(partial(list_limits, snapshot=desk.snapshot, customer=name, now=desk.now()))
    return visit.show("rooms/limits/list", rows=[row for row in rows if row["customer"] == name])


PAGES = (Page(path=f"{CUSTOMER}/limits", handler=show_limits, right=Right.SEE_SETTINGS, menu="limits.menu"),)
