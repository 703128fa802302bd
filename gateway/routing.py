"""Which carriers may take a number, in which order: prefixes first, then priority.

A route is a text such as `alpha>beta`: the names of the carriers that may take a message, best first. It is kept with
each message, so that a carrier claims only what is its own, and a failing one leaves its messages to the next without
an update.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from addressbook.canonical import canonical_name
from smpp.dialect.parameters import Parameter, ParameterError, write_value
from sms.number import MobileNumber
from sms.outcome import Refusal, Refused
from sms.parameters import Parameters
from sms.route import SANDBOX_ROUTE, SEPARATOR, behind


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierRoute:
    """What a carrier serves: numbers that begin with one of `prefixes`, for one of `customers` by name (none: all).

    The lowest priority is best; `cost` is the label of what it costs, for reports. `wide_reference` says that it wants
    the parts of a long text to have a 16-bit reference, for which they must leave room; `whole_texts` that it splits
    long texts itself; `lacking` are the characters of GSM-7 that it cannot say; `parameters` what it takes beside a
    text; `national_shift` says that it takes national shift tables; `networks` are all that it delivers to, by MCC and
    MNC, none where that is not known.
    """

    carrier: str
    prefixes: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    priority: int = 10
    cost: str = ""
    wide_reference: bool = False
    whole_texts: bool = False
    lacking: frozenset[str] = frozenset()
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    national_shift: bool = False
    networks: frozenset[str] = frozenset()

    def is_for(self, customer: str) -> bool:
        """Return whether it serves a customer, by its canonical name."""
        return not self.customers or customer in map(canonical_name, self.customers)


class Repertoire(NamedTuple):
    """What all carriers of a route can say: all of GSM-7 but for `lacking`, and `national` shift tables or not."""

    lacking: frozenset[str] = frozenset()
    national: bool = False


_PLAIN: Final = Repertoire()


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """A number's route with the reason: the prefix that matched, and whether the customer has carriers of its own."""

    route: str
    prefix: str
    own: bool
    costs: tuple[str, ...]

    @property
    def carriers(self) -> tuple[str, ...]:
        """The carriers, best first."""
        return tuple(self.route.split(SEPARATOR))


class CarrierRoutes:
    """The operator's carriers as routes; costs one look-up per length of prefixes.

    Carriers that are for a customer alone go before those for everybody, whose routes stay behind them as a fallback.
    `are_alike` says that every carrier can say all of GSM-7, and nothing more.
    """

    def __init__(self, carriers: Iterable[CarrierRoute]) -> None:
        listed = self._listed = tuple(carriers)
        self._costs = {item.carrier: item.cost for item in listed}
        self._names = tuple(item.carrier for item in listed)
        self._wide = frozenset(item.carrier for item in listed if item.wide_reference)
        self._whole = frozenset(item.carrier for item in listed if item.whole_texts)
        self._lacking = {item.carrier: item.lacking for item in listed if item.lacking}
        self._networks = {item.carrier: item.networks for item in listed if item.networks}
        self._national = frozenset(item.carrier for item in listed if item.national_shift)
        self._parameters = {item.carrier: item.parameters for item in listed if item.parameters}
        self.customers = frozenset(name for item in listed for name in item.customers)
        self._tables = {canonical_name(name): _table(listed, canonical_name(name)) for name in self.customers}
        self._common = _table(listed)
        prefixes = {prefix for item in listed for prefix in item.prefixes or ("",)}
        self._lengths = sorted({len(prefix) for prefix in prefixes}, reverse=True)
        self.are_alike = not (self._lacking or self._national)
        self._narrowed: frozenset[str] = frozenset()
        self.narrow([self._whole] if self._whole else ())

    def narrow(self, choices: Iterable[Collection[str]]) -> None:
        """Know the routes of messages that only some carriers may take, by each choice of those carriers.

        Of each choice only those may be left that divide texts. What was known stays known, since messages that wait
        may have it.
        """
        tables = (*self._tables.values(), self._common)
        choices = [part for choice in choices for part in (choice, self._whole.intersection(choice)) if part]
        self._narrowed |= {
            routed.route
            for choice in choices
            for table in tables
            for whole in table.values()
            if (routed := _narrowed(whole, choice)) is not None
        }

    def explain(self, number: MobileNumber, customer: str = "", among: Collection[str] = ()) -> Routed | Refused:
        """Return the route of a customer's message to a number, with the reason: that of the longest prefix of it.

        Only carriers `among` these may take it, if there are any.
        """
        table = self._table_of(customer)
        digits = number.digits
        for length in self._lengths:
            whole = table.get(digits[:length])
            routed = whole if whole is None or not among else _narrowed(whole, among)
            if routed is not None:
                return routed
        which = f"of {', '.join(among)}, which the sender ID needs, " if among else ""
        return Refused(
            refusal=Refusal.NO_ROUTE, detail=f"No carrier {which}serves numbers that begin with +{digits[:3]}."
        )

    def serves(self, carrier: str, number: MobileNumber, customer: str) -> bool:
        """Return whether a carrier serves a customer's messages to a number, whoever else does so better."""
        return any(
            item.carrier == carrier
            and item.is_for(canonical_name(customer))
            and any(number.digits.startswith(prefix) for prefix in item.prefixes or ("",))
            for item in self._listed
        )

    def cost_of(self, carrier: str) -> str:
        """Return the label of what a carrier costs, empty where it has none."""
        return self._costs.get(carrier, "")

    def networks_of(self, carrier: str) -> frozenset[str]:
        """Return all networks that a carrier delivers to, none where that is not known."""
        return self._networks.get(carrier, frozenset())

    def routes_for(self, customer: str) -> tuple[str, ...]:
        """Return the routes that a customer's messages can have."""
        return tuple(sorted({routed.route for routed in self._table_of(customer).values()}))

    def routes_abroad(self, customer: str, calling_code: str) -> tuple[str, ...]:
        """Return the routes that a customer's messages to numbers of a calling code, such as `32`, can have."""
        table = self._table_of(customer)
        # Of the prefixes that all numbers of the code begin with, only the longest counts.
        nearest = max((prefix for prefix in table if calling_code.startswith(prefix)), key=len, default=None)
        return tuple(
            sorted({table[prefix].route for prefix in table if prefix == nearest or prefix.startswith(calling_code)})
        )

    def _table_of(self, customer: str) -> Mapping[str, Routed]:
        return self._tables.get(canonical_name(customer), self._common) if self._tables else self._common

    def wants_wide_reference(self, route: str) -> bool:
        """Return whether a carrier of a route wants 16-bit references, so that the parts must leave room for them."""
        return bool(self._wide) and not self._wide.isdisjoint(route.split(SEPARATOR))

    @property
    def dividing(self) -> frozenset[str]:
        """The carriers that take a long text in one submit and divide it themselves."""
        return self._whole

    def takes_whole_texts(self, carrier: str) -> bool:
        """Return whether a carrier takes a long text in one submit and splits it itself."""
        return carrier in self._whole

    def repertoire_of(self, route: str) -> Repertoire:
        """Return what all carriers of a route can say."""
        if self.are_alike:
            return _PLAIN
        names = route.split(SEPARATOR)
        lacking = frozenset[str]().union(*(self._lacking.get(name, ()) for name in names))
        return Repertoire(lacking, self._national.issuperset(names))

    def find_parameter_fault(self, route: str, parameters: Parameters) -> str:
        """Return why a carrier of a route cannot be given parameters, or that no carrier has them; else empty."""
        known = {name for taken in self._parameters.values() for name in taken}
        for name, value in parameters:
            if name not in known:
                others = f"carriers have {', '.join(sorted(known))}" if known else "no carrier has any"
                return f"parameter {name}: there is none of that name; {others}"
            for carrier in route.split(SEPARATOR):
                taken = self._parameters.get(carrier, {}).get(name)
                try:
                    if taken is not None:
                        write_value(taken, value)
                except ParameterError as error:
                    return f"parameter {name}={value}: {error}"
        return ""

    def routes_of(self, carrier: str) -> tuple[str, ...]:
        """Return the routes that a carrier is on, those first where it is the best."""
        if carrier == SANDBOX_ROUTE:
            return (SANDBOX_ROUTE,)
        mine = [route for route in self.known if carrier in route.split(SEPARATOR)]
        return tuple(sorted(mine, key=lambda route: (route.split(SEPARATOR).index(carrier), route)))

    @property
    def known(self) -> frozenset[str]:
        """Every route that some carrier serves, and of each what is left behind a carrier that gave a message back."""
        routes = {routed.route for table in (*self._tables.values(), self._common) for routed in table.values()}
        routes |= self._narrowed
        left = {behind(route, name) for route in routes for name in route.split(SEPARATOR)} - {""}
        return frozenset(routes | left | set(self._names))


def _narrowed(whole: Routed, among: Collection[str]) -> Routed | None:
    """Return a route with those of its carriers alone, None where it has none of them."""
    kept = [pair for pair in zip(whole.carriers, whole.costs, strict=True) if pair[0] in among]
    if not kept:
        return None
    return replace(whole, route=SEPARATOR.join(name for name, _ in kept), costs=tuple(cost for _, cost in kept))


def _table(carriers: tuple[CarrierRoute, ...], customer: str = "") -> Mapping[str, Routed]:
    """Return the route per prefix for one customer, or for those without carriers of their own."""
    serving = [item for item in carriers if item.is_for(customer)]
    prefixes = {prefix for item in serving for prefix in item.prefixes or ("",)}
    table = {}
    for prefix in prefixes:
        group = [item for item in serving if prefix in (item.prefixes or ("",))]
        group.sort(key=lambda item: (not item.customers, item.priority))
        table[prefix] = Routed(
            route=SEPARATOR.join(item.carrier for item in group),
            prefix=prefix,
            own=bool(customer),
            costs=tuple(item.cost for item in group),
        )
    return table
