"""The documentation of what a customer has contracted, and what is known of countries.

Not here: how a page is made of Markdown (templates.documents), the rules of countries (gateway.admin.countries).
"""

from collections.abc import Mapping
from typing import Final
from unicodedata import combining, normalize

from starlette.exceptions import HTTPException
from starlette.responses import Response

from addressbook.options import Option
from addressbook.rights import Right
from countries.rules import Country, RuleName, restricts
from gateway.admin.countries import find_country, known_countries
from web.portal.page import CUSTOMER, Page
from web.portal.visit import Visit

_MAIL: Final = frozenset({Option.MAIL2SMS})
_REST: Final = frozenset({Option.REST})
_DIRECTORY: Final = frozenset({Option.DIRECTORY})
_ALL: Final[frozenset[Option]] = frozenset()

DOCUMENTS: Final[Mapping[str, frozenset[Option]]] = {
    "portal": _ALL,
    "employees": _MAIL,
    "sending": _MAIL,
    "status-mails": frozenset({Option.MAIL2SMS, Option.SAP}),
    "sender-ids": frozenset(
        {Option.MAIL2SMS, Option.SAP, Option.REST, Option.SOAP, Option.HTTP, Option.SMPP, Option.SMS_TO_SMPP}
    ),
    "guides/exchange-online": _MAIL,
    "guides/exchange": _MAIL,
    "guides/postfix": _MAIL,
    "guides/devices": _MAIL,
    "guides/sap": frozenset({Option.SAP}),
    "inbound-mails": frozenset({Option.SMS2MAIL}),
    "api-v2": _REST,
    "api": _REST,
    "guides/power-automate": _REST,
    "soap-http-xml": frozenset({Option.SOAP, Option.HTTP}),
    "smpp-server": frozenset({Option.SMPP, Option.SMS_TO_SMPP}),
    "push": frozenset({Option.PUSH, Option.APPLICATION}),
    "directory": _DIRECTORY,
    "directory-files": _DIRECTORY,
    "directory-options": _DIRECTORY,
    "limits": _ALL,
    "reports": _ALL,
}
"""The pages of docs that customers read, each with the options of which one must be contracted (none: all have it)."""

_LISTED: Final = (RuleName.ALPHA, RuleName.ALPHA_REGISTRATION, RuleName.TWO_WAY, RuleName.QUIET_HOURS)


async def show_all(visit: Visit) -> Response:
    """List the pages of what the customer has contracted."""
    return visit.show("rooms/documentation/list", names=_names(visit), links=_links(visit))


async def show_one(visit: Visit) -> Response:
    """Show one page."""
    name = next((name for name in _names(visit) if _slug(name) == visit.parameter("name")), None)
    if name is None:
        raise HTTPException(404)
    return visit.show("rooms/documentation/page", name=name, links=_links(visit))


async def show_countries(visit: Visit) -> Response:
    """List the countries, or those whose name, letters or calling code hold what is looked for."""
    asked = _folded(visit.asked("q").strip()[:60])
    names = {
        letters: visit.look.territory(visit.language, letters) or one.name for letters, one in known_countries().items()
    }
    found = [one for one in known_countries().values() if _is_found(one, names[one.letters], asked)]
    found.sort(key=lambda one: _folded(names[one.letters]))
    return visit.show("rooms/documentation/countries", found=found, names=names, listed=_LISTED, asked=visit.asked("q"))


async def show_country(visit: Visit) -> Response:
    """Show what is known of one country."""
    country = find_country(visit.parameter("letters"))
    if country is None:
        raise HTTPException(404)
    name = visit.look.territory(visit.language, country.letters) or country.name
    sources = {source.key: source for rule in country.rules for source in rule.sources}
    book = visit.desk.snapshot.judge.book
    rules = book.all_rules(country.letters, visit.desk.now().date(), visit.customer.name)
    return visit.show(
        "rooms/documentation/country", country=country, name=name, rules=rules, restricts=restricts, sources=sources
    )


def _is_found(country: Country, name: str, asked: str) -> bool:
    return any(asked in _folded(text) for text in (name, country.name, country.letters, country.calling_code))


def _folded(text: str) -> str:
    """Return a name without case and accents, as people look for it."""
    return "".join(one for one in normalize("NFD", text.casefold()) if not combining(one))


def _names(visit: Visit) -> list[str]:
    return [name for name, options in DOCUMENTS.items() if not options or any(map(visit.has, options))]


def _links(visit: Visit) -> dict[str, str]:
    return {name: f"/portal{visit.here}/documentation/{_slug(name)}" for name in _names(visit)}


def _slug(name: str) -> str:
    return name.rpartition("/")[2]


_HERE: Final = f"{CUSTOMER}/documentation"

PAGES = (
    Page(path=_HERE, handler=show_all, right=Right.SEE_HOME, menu="documentation.menu"),
    Page(path=f"{_HERE}/countries", handler=show_countries, right=Right.SEE_HOME),
    Page(path=f"{_HERE}/countries/{{letters}}", handler=show_country, right=Right.SEE_HOME),
    Page(path=f"{_HERE}/{{name}}", handler=show_one, right=Right.SEE_HOME),
)
