"""Who signs in for a customer, and as what."""

from collections.abc import Mapping
from functools import partial

from starlette.exceptions import HTTPException
from starlette.responses import Response

from addressbook.accounts import Account
from addressbook.rights import Right, roles_of_customers
from gateway.admin import accounts
from gateway.admin.audit import audit_lines
from web.portal.page import CUSTOMER, POST, Page
from web.portal.visit import Visit, or_again

_LAST_LINES = 200
_FIELD_OF = {"bad-address": "address", "no-role": "role", "last-administrator": "role"}


async def show_accounts(visit: Visit, errors: Mapping[str, str] | None = None) -> Response:
    """Show who signs in for the customer."""
    rows = await visit.desk.look(partial(accounts.find_accounts, customer_key=visit.customer.key))
    return visit.show("rooms/accounts/list", errors=errors, rows=rows, roles=_roles(visit))


@or_again(show_accounts, _FIELD_OF)
async def invite(visit: Visit) -> Response:
    """Give somebody a role; a new account gets a link."""
    form = visit.form
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
    return visit.go(f"{visit.here}/accounts", "accounts.invite.done", address=done.facts["address"])


async def show_account(visit: Visit, errors: Mapping[str, str] | None = None) -> Response:
    """Show one account with its role."""
    one = await _account(visit)
    return visit.show(
        "rooms/accounts/edit",
        errors=errors,
        one=one,
        roles=_roles(visit),
        is_last=await visit.desk.look(
            partial(accounts.is_last_administrator, account=one, customer_key=visit.customer.key)
        ),
        is_ours=one.belongs_to(visit.customer.key),
        sessions=await visit.desk.sign_in.sessions.of(one),
    )


@or_again(show_account, _FIELD_OF)
async def change_role(visit: Visit) -> Response:
    """Give an account another role."""
    one = await _account(visit)
    await visit.change(
        partial(accounts.set_role, address=one.address, role=visit.form.text("role"), customer=visit.customer.name)
    )
    return visit.go(f"{visit.here}/accounts", "accounts.changed", address=one.address)


@or_again(show_account)
async def switch(visit: Visit) -> Response:
    """Let an account sign in again, or not from now on."""
    one, active = await _account(visit), visit.form.text("active") == "yes"
    await visit.change(
        partial(accounts.set_account_active, address=one.address, active=active, customer=visit.customer.name)
    )
    said = "accounts.switch.enabled" if active else "accounts.switch.disabled"
    return visit.go(f"{visit.here}/accounts", said, address=one.address)


@or_again(show_account)
async def end_sessions(visit: Visit) -> Response:
    """Have an account sign in anew everywhere."""
    one = await _account(visit)
    await visit.change(partial(accounts.end_account_sessions, address=one.address, customer=visit.customer.name))
    return visit.go(f"{visit.here}/accounts/{one.key}", "accounts.sessions.ended", address=one.address)


@or_again(show_account)
async def remove(visit: Visit) -> Response:
    """Take an account's role away."""
    one = await _account(visit)
    await visit.change(partial(accounts.remove_role, address=one.address, customer=visit.customer.name))
    return visit.go(f"{visit.here}/accounts", "accounts.remove.done", address=one.address)


async def show_log(visit: Visit) -> Response:
    """Show who changed what of the customer."""
    lines = await visit.desk.look(partial(audit_lines, customer_key=visit.customer.key, most=_LAST_LINES))
    return visit.show("rooms/accounts/log", lines=lines)


async def _account(visit: Visit) -> Account:
    """Return the account that the path names, which has a role here; any other one is not there."""
    rows = await visit.desk.look(partial(accounts.find_accounts, customer_key=visit.customer.key))
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
    Page(path=f"{_ONE}/active", methods=POST, handler=switch, right=Right.CHANGE_ACCOUNTS),
    Page(path=f"{_ONE}/sessions", methods=POST, handler=end_sessions, right=Right.CHANGE_ACCOUNTS),
    Page(path=f"{_ONE}/remove", methods=POST, handler=remove, right=Right.CHANGE_ACCOUNTS),
)
