"""What stands before every page of the portal: who asks, what that account may do, that a form is from our own page.

A stranger to a customer, and a page that a customer has not contracted, get 404: they learn nothing. Who belongs to the
customer and may not do this gets 403. Not here: the pages (rooms, sign_in), who holds which right (addressbook.rights).
"""

import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final
from urllib.parse import quote

from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from addressbook.people import Customer
from gateway.portal.desk import Desk
from web.body_limit import allow_body
from web.front import require_same_origin
from web.portal.cookie import token_of
from web.portal.form import Form, read_form
from web.portal.look import Look
from web.portal.page import CUSTOMER, OpenPage, Page
from web.portal.preparation import Preparation
from web.portal.static import static_routes
from web.portal.visit import Guest, MenuItem, Visit

_SAFE: Final = frozenset({"GET", "HEAD"})
SIGN_IN: Final = "/sign-in"
AUTHENTICATOR: Final = "/account/authenticator"


class Gate:
    """Answers for the pages `pages` and `open_pages`, none before its `preparation` is done."""

    def __init__(
        self,
        pages: Sequence[Page],
        open_pages: Sequence[OpenPage],
        *,
        desk: Desk,
        look: Look,
    ) -> None:
        self._pages = pages
        self._open_pages = open_pages
        self._desk = desk
        self._look = look
        self.preparation = Preparation(look)

    def routes(self) -> list[BaseRoute]:
        """Return the routes of the portal."""
        register_url_convertor("key", _Key())
        return [
            *static_routes(),
            Mount(
                "/portal",
                routes=[
                    *(_route(page.path, page.methods, partial(self._open, page)) for page in self._open_pages),
                    *(_route(page.path, page.methods, partial(self._answer, page)) for page in self._pages),
                    Route("/{rest:path}", self._nothing_here),
                ],
            ),
        ]

    async def _open(self, page: OpenPage, request: Request) -> Response:
        await self.preparation.until_ready()
        guest = Guest(request=request, desk=self._desk, look=self._look)
        try:
            if request.method not in _SAFE:
                require_same_origin(request)
                guest = replace(guest, form=await read_form(request))
            return await page.handler(guest)
        except HTTPException as error:
            return refuse(guest, error.status_code)

    async def _answer(self, page: Page, request: Request) -> Response:
        await self.preparation.until_ready()
        session = await self._desk.sign_in.sessions.find(token_of(request))
        if session is None or not session.stage.is_open:
            return await self._without_session(page, request)
        if session.needs_authenticator and not page.is_before_authenticator:
            return RedirectResponse(f"/portal{AUTHENTICATOR}", status_code=303)
        visit = Visit(
            request=request,
            desk=self._desk,
            look=self._look,
            session=session,
            at=self._customer_of(page, request),
            menu_of=self._menu_of,
        )
        try:
            _check_right(page, visit)
            if request.method in _SAFE:
                return await page.handler(visit)
            require_same_origin(request)
            if page.most is not None:
                allow_body(request, page.most)
            form = await read_form(request)
            if not hmac.compare_digest(form.text("csrf").encode(), session.csrf.encode()):
                return _ask_again(replace(visit, form=form), 403)
            return await page.handler(replace(visit, form=form))
        except HTTPException as error:
            # A stranger's page shows nothing of the customer, its name least of all.
            return refuse(visit if visit.role is not None else replace(visit, at=None), error.status_code)

    async def _without_session(self, page: Page, request: Request) -> Response:
        """Lead to the sign-in; a form that somebody was long at is given back, to be sent again after it."""
        if (
            "hx-request" in request.headers
        ):  # a part of a page: it is loaded again, but for a form that is being written
            return Response(status_code=204, headers={"HX-Refresh": "true"} if request.method in _SAFE else None)
        if request.method in _SAFE or page.right is None:
            return _to_sign_in(request)
        try:
            require_same_origin(request)
            form = await read_form(request)
        except HTTPException:
            return _to_sign_in(request)
        guest = Guest(request=request, desk=self._desk, look=self._look, form=form)
        return _ask_again(guest, 401) if _kept(form) else _to_sign_in(request)

    def _customer_of(self, page: Page, request: Request) -> Customer | None:
        if not page.is_customers:
            return None
        return self._desk.snapshot.directory.customer(request.path_params["customer"])

    def _menu_of(self, visit: Visit) -> Sequence[MenuItem]:
        """Return what a visitor may see of the rooms of where it is."""
        shown = [
            page
            for page in self._pages
            if page.menu and page.is_customers == (visit.at is not None) and _is_open(page, visit)
        ]
        path = visit.request.url.path
        here = visit.here if visit.at is not None else ""
        hrefs = [f"/portal{page.path.replace(CUSTOMER, here)}" for page in shown]
        current = max((href for href in hrefs if path == href or path.startswith(f"{href}/")), key=len, default="")
        return [
            MenuItem(href=href, label=page.menu, current=href == current)
            for href, page in zip(hrefs, shown, strict=True)
        ]

    async def _nothing_here(self, request: Request) -> Response:
        await self.preparation.until_ready()
        return refuse(Guest(request=request, desk=self._desk, look=self._look), 404)


def refuse(guest: Guest, status: int, reason: str = "") -> Response:
    """Return the page of a refusal."""
    key = f"refused.{reason or status}"
    return guest.show("refused", status=status, key=key if guest.look.has(f"{key}.title") else "refused.other")


def _ask_again(guest: Guest, status: int) -> Response:
    """Return the page that sends a form again: no session sent it, or an earlier one."""
    return guest.show("again", status=status, action=guest.request.url.path, kept=_kept(guest.form))


def _kept(form: Form) -> Mapping[str, list[str]]:
    """Return what a form said, without what is secret."""
    secret = ("csrf", "password", "secret")
    return {name: texts for name, texts in form.fields.items() if not any(word in name for word in secret)}


def _check_right(page: Page, visit: Visit) -> None:
    """Raise HTTPException 404 or 403 for who may not see the page."""
    if page.is_customers:
        if visit.at is None or visit.role is None or not _is_contracted(page, visit):
            raise HTTPException(404)
    elif page.right is not None and not visit.account.is_operator:
        raise HTTPException(404)
    if page.right is not None and not visit.may(page.right):
        raise HTTPException(403)


def _is_open(page: Page, visit: Visit) -> bool:
    try:
        _check_right(page, visit)
    except HTTPException:
        return False
    return True


def _is_contracted(page: Page, visit: Visit) -> bool:
    return not page.options or any(map(visit.has, page.options))


class _Key(IntegerConvertor):
    """A number of a path that a key in the database can be; a path with a longer one leads nowhere."""

    regex = "[0-9]{1,18}|[1-8][0-9]{18}"


def _route(path: str, methods: Sequence[str], answer: Callable[[Request], Awaitable[Response]]) -> Route:
    return Route(path.replace(":int}", ":key}"), answer, methods=list(methods))


def _to_sign_in(request: Request) -> Response:
    """Return the way to the sign-in, and from there back to a page that was asked for."""
    asked = request.url.query
    back = request.url.path + (f"?{asked}" if asked else "")
    query = f"?next={quote(back, safe='/')}" if request.method in _SAFE else ""
    return RedirectResponse(f"/portal{SIGN_IN}{query}", status_code=303)
