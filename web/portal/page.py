"""A page of the portal: where it stands, what it needs, and who answers it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.responses import Response

from addressbook.options import Option
from addressbook.rights import Right
from web.portal.visit import Guest, Handler

CUSTOMER = "/c/{customer:int}"
"""How the path of every page of a customer begins."""

GuestHandler = Callable[[Guest], Awaitable[Response]]

GET, POST = ("GET",), ("POST",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page. `path` stands below /portal in the words of Starlette's routes.

    One that begins with `CUSTOMER` is asked for at a customer, and its account must hold `right` there; any other one
    that names a right is the operator's, and one that names none is everybody's who has signed in. A customer that has
    contracted none of `options` does not have the page; without any, all have it. `menu` is the key of its words in the
    menu; empty: it is not there. `most` is the most octets of a form (default: the listener's).
    `is_before_authenticator`: also for who must set up an authenticator first.
    """

    path: str
    handler: Handler
    right: Right | None
    methods: tuple[str, ...] = GET
    options: frozenset[Option] = frozenset()
    menu: str = ""
    most: int | None = None
    is_before_authenticator: bool = False

    @property
    def is_customers(self) -> bool:
        """Whether it is a page of one customer."""
        return self.path.startswith(CUSTOMER)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPage:
    """A page for who has not signed in."""

    path: str
    handler: GuestHandler
    methods: tuple[str, ...] = GET
