"""A route: the names of the carriers that may take a message, best first, in one text such as `alpha>beta`.

Not here: which route a number has (gateway.routing), which carrier of it takes a message now (gateway.dispatch).
"""

from enum import StrEnum
from typing import Final

SEPARATOR: Final = ">"
LOST_ROUTE: Final = "-"
"""The route of a message whose number no carrier serves any more."""


SANDBOX_ROUTE: Final = "sandbox key"
"""The route of what is sent with a sandbox key, and the carrier on it; with a blank, as no carrier's name has one."""


class Failover(StrEnum):
    """When a message that a carrier has not delivered goes by those behind it in its route."""

    NONE = "none"
    REFUSED = "refused"
    UNDELIVERED = "undelivered"


def first_carrier(route: str) -> str:
    """Return the carrier that a route has first."""
    return route.partition(SEPARATOR)[0]


def behind(route: str, carrier: str) -> str:
    """Return the route of those behind a carrier, empty where there are none or it is not in the route."""
    names = route.split(SEPARATOR)
    return SEPARATOR.join(names[names.index(carrier) + 1 :]) if carrier in names else ""
