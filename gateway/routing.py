"""Which carriers may take a number, in which order: prefixes first, then priority.

A route is a text such as `alpha>beta`: the names of the carriers that may take a message, best first. It is kept with
each message, so that a carrier claims only what is its own, and a failing one leaves its messages to the next without
an update.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sms.number import MobileNumber
from sms.outcome import Refusal, Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierRoute:
    """What a carrier serves: numbers that begin with one of `prefixes` (none: all); the lowest priority is best."""

    carrier: str
    prefixes: tuple[str, ...] = ()
    priority: int = 10
    cost: str = ""


class CarrierRoutes:
    """The operator's carriers as routes; costs one look-up per digit of the longest prefix."""

    def __init__(self, carriers: Iterable[CarrierRoute]) -> None:
        by_prefix: dict[str, list[CarrierRoute]] = {}
        for carrier in carriers:
            for prefix in carrier.prefixes or ("",):
                by_prefix.setdefault(prefix, []).append(carrier)
        self._routes: Mapping[str, str] = {
            prefix: ">".join(item.carrier for item in sorted(group, key=lambda item: item.priority))
            for prefix, group in by_prefix.items()
        }
        self._longest = max((len(prefix) for prefix in by_prefix), default=0)

    def route_of(self, number: MobileNumber) -> str | Refused:
        """Return the route of a number: that of the longest prefix that it begins with."""
        for length in range(self._longest, -1, -1):
            route = self._routes.get(number.digits[:length])
            if route is not None:
                return route
        return Refused(
            refusal=Refusal.NO_ROUTE, detail=f"No carrier serves numbers that begin with +{number.digits[:3]}."
        )

    def routes_of(self, carrier: str) -> tuple[str, ...]:
        """Return the routes that a carrier is on, those first where it is the best."""
        mine = [route for route in set(self._routes.values()) | {carrier} if carrier in route.split(">")]
        return tuple(sorted(mine, key=lambda route: (route.split(">").index(carrier), route)))
