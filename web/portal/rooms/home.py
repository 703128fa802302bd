"""Where somebody arrives: the customers to choose from, and what is up at one of them today."""

from functools import partial

from starlette.responses import Response

from addressbook.rights import Right
from gateway.portal.home import read_today
from web.portal.page import CUSTOMER, Page
from web.portal.visit import Visit


async def arrive(visit: Visit) -> Response:
    """Lead to the only customer of an account, or let it choose."""
    customers = visit.customers
    if len(customers) == 1 and not visit.account.is_operator:
        return visit.go(f"/c/{customers[0].key}")
    return visit.show("rooms/home/choose")


async def show_home(visit: Visit) -> Response:
    """Show what was sent today, and what needs attention."""
    today = await visit.desk.look(
        partial(read_today, customer_key=visit.customer.key, zone=visit.zone, now=visit.desk.now())
    )
    return visit.show(
        "rooms/home/today", today=today, has_users=bool(visit.desk.snapshot.directory.users(visit.customer.key))
    )


PAGES = (
    Page(path="/", handler=arrive, right=None),
    Page(path=CUSTOMER, handler=show_home, right=Right.SEE_HOME, menu="home.menu"),
)
