"""What the operator asks the customer to declare, and its confirmation."""

from collections.abc import Mapping
from functools import partial

from starlette.exceptions import HTTPException
from starlette.responses import Response

from addressbook.rights import Right
from gateway.admin.declarations import confirm_declaration
from gateway.portal.care import AskedDeclaration, list_asked
from web.portal.page import CUSTOMER, POST, Page
from web.portal.visit import Visit, or_again

_ROOM = f"{CUSTOMER}/declarations"


async def show_all(visit: Visit) -> Response:
    """Show what the customer is asked to declare."""
    rows = await visit.desk.look(partial(list_asked, customer_key=visit.customer.key))
    return visit.show("rooms/declarations/list", rows=rows, now=visit.desk.now())


async def show_one(visit: Visit, errors: Mapping[str, str] | None = None) -> Response:
    """Show the text of a declaration."""
    asked = await _found(visit)
    language, text = asked.declaration.text_in(visit.language)
    return visit.show(
        "rooms/declarations/one",
        errors=errors,
        asked=asked,
        heading=asked.declaration.title_in(visit.language),
        text=text.strip().partition("\n")[2].strip(),
        text_language=language,
    )


@or_again(show_one)
async def confirm(visit: Visit) -> Response:
    """Confirm a declaration in the name of the account, in the language in which its text was shown."""
    asked = await _found(visit)
    language, _ = asked.declaration.text_in(visit.language)
    if not visit.form.ticked("agreed"):
        return await show_one(visit, {"agreed": visit.say("declarations.tick-first")})
    await visit.change(
        partial(
            confirm_declaration,
            name=asked.declaration.name,
            customer=visit.customer.name,
            by=visit.account.address,
            language=language,
        )
    )
    title = asked.declaration.title_in(visit.language)
    return visit.go(f"{visit.here}/declarations", "declarations.done", title=title)


async def _found(visit: Visit) -> AskedDeclaration:
    """Return what the path names, which the customer is asked for; anything else is not there."""
    for asked in await visit.desk.look(partial(list_asked, customer_key=visit.customer.key)):
        if str(asked.key) == visit.parameter("declaration"):
            return asked
    raise HTTPException(404)


_ONE = f"{_ROOM}/{{declaration:int}}"

PAGES = (
    Page(path=_ROOM, handler=show_all, right=Right.SEE_DECLARATIONS, menu="declarations.menu"),
    Page(path=_ONE, handler=show_one, right=Right.SEE_DECLARATIONS),
    Page(path=_ONE, methods=POST, handler=confirm, right=Right.CHANGE_DECLARATIONS),
)
