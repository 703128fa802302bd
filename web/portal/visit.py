"""Who asks for a page, and what a handler answers with: a page, or the way to another one.

Not here: who may (gate).
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from types import MappingProxyType
from typing import Final
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from addressbook.accounts import Account
from addressbook.options import Option
from addressbook.people import Customer
from addressbook.rights import RIGHTS, Right, Role
from gateway.admin.edit import Change, Changed
from gateway.admin.faults import AdminFault
from gateway.portal.desk import Desk
from gateway.portal.sessions import PortalSession
from web.portal import static
from web.portal.form import Form
from web.portal.look import Look

SAID: Final = "said"
"""The cookie by which a page says on the next one what it did; it is shown once."""
_SAID_SECONDS: Final = 60
_NO_FIELDS: Final[Mapping[str, str]] = MappingProxyType({})
_MOST_DIGITS: Final = 18
_DEFAULT_LANGUAGE: Final = "en"
_DEFAULT_ZONE: Final = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuItem:
    """A room in the menu; `label` is the key of its words."""

    href: str
    label: str
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """One request of somebody who has not signed in, and how it is answered."""

    request: Request
    desk: Desk
    look: Look
    form: Form = field(default_factory=Form)

    @property
    def language(self) -> str:
        """The language of the page."""
        return self.browser_language

    @property
    def browser_language(self) -> str:
        """The first language of the browser that we speak."""
        for item in self.request.headers.get("accept-language", "").split(","):
            tag = item.partition(";")[0].strip().partition("-")[0].lower()
            if tag in self.look.languages:
                return tag
        return _DEFAULT_LANGUAGE

    @property
    def zone(self) -> str:
        """The IANA zone of the instants on pages."""
        return _DEFAULT_ZONE

    @property
    def client(self) -> str:
        """The address of the browser."""
        return self.request.client.host if self.request.client is not None else ""

    def parameter(self, name: str) -> str:
        """Return a part of the path, as the page names it; NUL is U+FFFD."""
        return str(self.request.path_params.get(name, "")).replace("\0", "\ufffd")

    def asked(self, name: str) -> str:
        """Return a field of the query, NUL as U+FFFD since no database takes it; empty where it is not there."""
        return self.request.query_params.get(name, "").replace("\0", "\ufffd")

    def asked_count(self, name: str) -> int:
        """Return a field of the query that counts something, 0 for anything else."""
        text = self.asked(name)
        return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else 0

    def say(self, key: str, **fields: object) -> str:
        """Return a sentence in the visitor's language."""
        return self.look.say(self.language, key, **fields)

    def fault(self, fault: AdminFault) -> str:
        """Return what a use case refused, as a sentence."""
        key = f"faults.{fault.code}"
        return self.say(key, **fault.facts) if self.look.has(key) else self.say("faults.other", code=str(fault.code))

    def show(
        self, template: str, *, status: int = 200, errors: Mapping[str, str] | None = None, **values: object
    ) -> Response:
        """Return a page. `errors` are sentences by field (empty: of the whole form), told at the top and at the field.

        A page with errors is a 422.
        """
        frame = {**self.frame(), "errors": dict(errors or {}), "form": self.form, "static": static.href, **values}
        html = self.look.render(template, self.language, self.zone, frame)
        answer = HTMLResponse(html, status_code=422 if errors and status == 200 else status)
        if SAID in self.request.cookies:
            answer.delete_cookie(SAID, path="/portal")
        return answer

    def go(self, path: str, said: str = "", **fields: object) -> Response:
        """Return the way to another page of the portal, which then says this sentence."""
        answer = RedirectResponse(f"/portal{path}", status_code=303)
        if said:
            value = quote(json.dumps([said, {name: str(text) for name, text in fields.items()}]))
            answer.set_cookie(SAID, value, max_age=_SAID_SECONDS, path="/portal", httponly=True, samesite="lax")
        return answer

    def frame(self) -> dict[str, object]:
        """Return what the layout shows around every page."""
        return {"account": None, "menu": (), "customer": None, "customers": (), "csrf": "", "said": self._said()}

    def _said(self) -> str:
        """Return what the page before has to say, empty where that is nothing of ours."""
        try:
            key, fields = json.loads(unquote(self.request.cookies.get(SAID, "")))
            return self.say(str(key), **fields) if self.look.has(str(key)) else ""
        except (ValueError, TypeError, KeyError):
            return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit(Guest):
    """One request of somebody who has signed in, after the gate has let it through.

    `at` is the customer of the page, None where it is of none. `menu` makes the menu of a visit.
    """

    session: PortalSession
    at: Customer | None = None
    menu_of: "Callable[[Visit], Sequence[MenuItem]]" = lambda _: ()

    @property
    def account(self) -> Account:
        """Whose session it is."""
        return self.session.account

    @property
    def customer(self) -> Customer:
        """The customer of the page."""
        assert self.at is not None
        return self.at

    @property
    def role(self) -> Role | None:
        """What the account is at the customer of the page."""
        return self.account.role_at(self.at.key) if self.at is not None else None

    @property
    def here(self) -> str:
        """How the paths of the customer's pages begin, for `go`."""
        return f"/c/{self.customer.key}"

    @property
    def language(self) -> str:
        """The account's language, else the browser's."""
        own = self.account.language
        return own if own in self.look.languages else self.browser_language

    @property
    def zone(self) -> str:
        """The account's zone; of one that never chose any, the zone of `zone_owner`, else that of all customers."""
        owner = self.zone_owner
        return self.account.zone or self.desk.snapshot.zone_of(owner.key if owner is not None else 0)

    @property
    def zone_owner(self) -> Customer | None:
        """The customer whose zone an account has that never chose one: that of the page, else its only one."""
        if self.at is not None or self.account.is_operator:
            return self.at
        return self.customers[0] if len(self.customers) == 1 else None

    @property
    def customers(self) -> list[Customer]:
        """The customers whose pages the account may see, by name."""
        directory = self.desk.snapshot.directory
        if self.account.is_operator:
            return list(directory.customers())
        found = (directory.customer(item.customer_key) for item in self.account.memberships)
        return sorted((item for item in found if item is not None), key=lambda item: item.name.casefold())

    def may(self, right: Right) -> bool:
        """Return whether the account holds a right at the customer of the page, or as the operator."""
        if self.at is not None:
            return self.account.holds(right, self.at.key)
        return self.account.is_operator and right in RIGHTS[Role.OPERATOR]

    def has(self, option: Option) -> bool:
        """Return whether the customer of the page has contracted an option."""
        return self.desk.snapshot.has_option(self.customer, option)

    async def change(self, *changes: Change) -> list[Changed]:
        """Carry out changes in the account's name, all or none. Raises AdminFault."""
        return await self.desk.change(self.account.address, *changes)

    def frame(self) -> dict[str, object]:
        """Return what the layout shows around every page."""
        return {
            **Guest.frame(self),
            "account": self.account,
            "menu": self.menu_of(self),
            "customer": self.at,
            "customers": self.customers,
            "csrf": self.session.csrf,
            "may": self.may,
            "has": self.has,
            "here": f"/portal{self.here}" if self.at is not None else "/portal",
        }


Handler = Callable[[Visit], Awaitable[Response]]
ShownAgain = Callable[[Visit, Mapping[str, str]], Awaitable[Response]]


def or_again(show: ShownAgain, fields: Mapping[str, str] = _NO_FIELDS) -> Callable[[Handler], Handler]:
    """Have `show` show a form again where a use case refuses what its handler asks, with the sentence at the field.

    `fields` are those of the form by the code of the fault; `""` is for all other codes. Without it the field is the
    one that the fault names, if it was sent, else the sentence is of the whole form.
    """

    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        async def answer(visit: Visit) -> Response:
            try:
                return await handler(visit)
            except AdminFault as fault:
                named = str(fault.facts.get("field", ""))
                otherwise = fields.get("", named if named in visit.form else "")
                return await show(visit, {fields.get(str(fault.code), otherwise): visit.fault(fault)})

        return answer

    return decorate
