"""Who signs in for a customer, and as what."""

from functools import partial

from starlette.exceptions import HTTPException
from starlette.responses import Response

from addressbook.accounts import Account
from addressbook.rights import Right, roles_of_customers
from gateway.admin import accounts
from gateway.admin.audit import audit_lines
from gateway.admin.faults import AdminFault
from web.portal.page import CUSTOMER, POST, Page
from web.portal.visit import Visit

_LAST_LINES = 200
_FIELD_OF = {"bad-address": "address", "no-role": "role", "last-administrator": "role"}


async def show_accounts(visit: Visit) -> Response:
    """Show who signs in for the customer."""
    return await _list(visit)


async def invite(visit: Visit) -> Response:
    """Give somebody a role; a new account gets a link."""
    form = visit.form
    try:
        (done,) = await visit.change(
            partial(
                accounts.invite_account,
                address=form.line("address"),
                name=form.line("name"),
                role=form.text("role"),
                customer=visit.customer.name,
                portal=visit.desk.address,
                language=visit.language,
            )
        )
    except AdminFault as fault:
        return await _list(visit, fault)
    return visit.go(f"{visit.here}/accounts", "accounts.invite.done", address=done.facts["address"])


async def show_account(visit: Visit) -> Response:
    """Show one account with its role."""
    return visit.show("rooms/accounts/edit", one=await _account(visit), roles=_roles(visit))


async def change_role(visit: Visit) -> Response:
    """Give an account another role."""
    one = await _account(visit)
    try:
        await visit.change(
            partial(accounts.set_role, address=one.address, role=visit.form.text("role"), customer=visit.customer.name)
        )
    except AdminFault as fault:
        return _edit(visit, one, fault)
    return visit.go(f"{visit.here}/accounts", "accounts.changed", address=one.address)


async def remove(visit: Visit) -> Response:
    """Take an account's role away."""
    one = await _account(visit)
    try:
        await visit.change(partial(accounts.remove_role, address=one.address, customer=visit.customer.name))
    except AdminFault as fault:
        return _edit(visit, one, fault)
    return visit.go(f"{visit.here}/accounts", "accounts.remove.done", address=one.address)


async def show_log(visit: Visit) -> Response:
    """Show who changed what of the customer."""
    lines = await visit.desk.look(partial(audit_lines, customer_key=visit.customer.id, most=_LAST_LINES))
    return visit.show("rooms/accounts/log", lines=lines)


def _edit(visit: Visit, one: Account, fault: AdminFault) -> Response:
    errors = {_FIELD_OF.get(str(fault.code), ""): visit.fault(fault)}
    return visit.show("rooms/accounts/edit", errors=errors, one=one, roles=_roles(visit))


async def _list(visit: Visit, fault: AdminFault | None = None) -> Response:
    rows = await visit.desk.look(partial(accounts.find_accounts, customer_key=visit.customer.id))
    errors = {} if fault is None else {_FIELD_OF.get(str(fault.code), ""): visit.fault(fault)}
    return visit.show("rooms/accounts/list", errors=errors, rows=rows, roles=_roles(visit))


async def _account(visit: Visit) -> Account:
    """Return the account that the path names, which has a role here; any other one is not there."""
    rows = await visit.desk.look(partial(accounts.find_accounts, customer_key=visit.customer.id))
    found = next((item for item in rows if str(item.key) == visit.parameter("account")), None)
    if found is None:
        raise HTTPException(404)
    return found


def _roles(visit: Visit) -> list[tuple[str, str, str]]:
    return [
        (role.value, visit.say(f"accounts.roles.{role}"), visit.say(f"accounts.role-hints.{role}"))
        for role in roles_of_customers()
    ]


_ONE = f"{CUSTOMER}/accounts/{{account:int}}"

PAGES = (
    Page(path=f"{CUSTOMER}/accounts", handler=show_accounts, right=Right.SEE_ACCOUNTS, menu="accounts.menu"),
    Page(path=f"{CUSTOMER}/accounts", methods=POST, handler=invite, right=Right.CHANGE_ACCOUNTS),
    Page(path=f"{CUSTOMER}/accounts/log", handler=show_log, right=Right.SEE_ACCOUNTS),
    Page(path=_ONE, handler=show_account, right=Right.CHANGE_ACCOUNTS),
    Page(path=_ONE, methods=POST, handler=change_role, right=Right.CHANGE_ACCOUNTS),
    Page(path=f"{_ONE}/remove", methods=POST, handler=remove, right=Right.CHANGE_ACCOUNTS),
)
