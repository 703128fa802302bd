"""Queued messages whose route names no carrier of today: found at the start, and given a route of today's.

Not here: which route a number has (gateway.routing).
"""

from dataclasses import dataclass

from msgspec import Struct

from store.engine.database import Transaction
from store.engine.rows import query

_PORTION = 1_000


class StrandedRoute(Struct, frozen=True, kw_only=True, array_like=True):
    """One queued message on a route that nobody serves; `tried` has given it back."""

    key: int
    number: str
    sender: str
    tried: str
    customer: str
    customer_key: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRoute:
    """The route that a message gets."""

    key: int
    route: str


_STRANDED = query(
    StrandedRoute,
    "FROM message m JOIN job j ON j.key = m.job_key WHERE m.state = 'queued' AND m.route = ? LIMIT ?",
    "m",
    customer="j.customer",
    customer_key="j.customer_key",
)


def find_stranded(tx: Transaction, known: frozenset[str]) -> list[StrandedRoute]:
    """Return up to a thousand queued messages whose route is not a known one."""
    routes = [route for (route,) in tx.rows("SELECT DISTINCT route FROM message WHERE state = 'queued'")]
    strays: list[StrandedRoute] = []
    for route in sorted(set(routes) - known):
        strays += tx.select(StrandedRoute, _STRANDED, (route, _PORTION - len(strays)))
    return strays


def reroute(tx: Transaction, batches: list[list[NewRoute]]) -> list[int]:
    """Give messages their new routes; returns how many each batch changed."""
    for batch in batches:
        changes = [(item.route, item.key) for item in batch]
        tx.execute_many("UPDATE message SET route = ? WHERE key = ? AND state = 'queued'", changes)
    return [len(batch) for batch in batches]


def look_again(tx: Transaction, routes: list[str]) -> list[int]:
    """Take a route away from the queued messages that have it, so that `find_stranded` finds them; returns how many."""
    return [
        tx.execute("UPDATE message SET route = '' WHERE state = 'queued' AND route = ?", (route,)) for route in routes
    ]
