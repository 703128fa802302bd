"""How the customer's applications connect by SMPP, what they have bound now, and what waits for them."""

from functools import partial

from starlette.responses import Response

from addressbook.rights import Right
from gateway.admin.binds import list_binds
from web.portal.page import Page
from web.portal.rooms.interface_tabs import BINDS, ROOT, tabs
from web.portal.visit import Visit


async def show_binds(visit: Visit) -> Response:
    """Show doors, binds and what waits."""
    desk = visit.desk
    query = partial(list_binds, snapshot=desk.snapshot, customer_key=visit.customer.key, bound=desk.bound())
    return visit.show(
        "rooms/interfaces/binds", shown_tabs=tabs(visit), doors=desk.esme_doors, rows=await desk.look(query)
    )


PAGES = (Page(path=f"{ROOT}/smpp", handler=show_binds, right=Right.SEE_INTERFACES, options=BINDS),)
