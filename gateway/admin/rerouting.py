"""Waiting messages are given another route by hand, while the gateway runs: looked at first, then moved in portions.

Each portion is locked and judged again in its transaction, so nothing that a carrier may have goes out twice. Not here:
why a message keeps its route (gateway.rerouting), the rows (store.rerouting).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from addressbook.numbers import OwnNumbers
from gateway.admin.edit import Administration, AuditAction, Changed, Edit, Subject
from gateway.admin.faults import AdminFault, FaultCode
from gateway.rerouting import Keeps, NewRouteRules
from gateway.routing import CarrierRoutes
from sms.number import MobileNumber, country_of, is_country
from sms.route import LOST_ROUTE, SANDBOX_ROUTE, SEPARATOR, first_carrier
from store.directory_lookup import find_customer
from store.engine.database import Database, Transaction
from store.engine.keys import Keys, to_stored
from store.queue import find_waiting
from store.queue_views import list_routes
from store.rerouting import (
    FIRST_PLACE,
    PORTION,
    QueuedMessage,
    RerouteBatch,
    find_queued,
    find_queued_of,
    lock_queued,
    move,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which waiting messages go by the route `to`; what is empty does not choose, and one thing must.

    Those whose route begins with `carrier` («-»: that no carrier serves), of a `customer` by name, to a `country` by
    its two letters, under the `name` of a job or message.
    """

    to: str
    carrier: str = ""
    customer: str = ""
    country: str = ""
    name: str = ""

    def __str__(self) -> str:
        """Return it as the audit has it."""
        chosen = {"from": self.carrier, "customer": self.customer, "country": self.country, "name": self.name}
        return ", ".join([f"to {self.to}", *(f"{what} {text}" for what, text in chosen.items() if text)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerouted:
    """How many messages go, or went, by their old routes (`before`), and how many keep theirs, by the reason."""

    wanted: Wanted
    moved: int = 0
    before: Mapping[str, int] = field(default_factory=dict)
    kept: Mapping[Keeps, int] = field(default_factory=dict)


class Rerouting:
    """The use case, for one administrator. It blocks: a loop calls it in a thread."""

    def __init__(  # noqa: PLR0913 - what it works on, by name
        self,
        *,
        database: Database,
        keys: Keys,
        administration: Administration,
        routes: CarrierRoutes,
        numbers: Callable[[], OwnNumbers],
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._keys = keys
        self._administration = administration
        self._routes = routes
        self._numbers = numbers
        self._now = now

    def look(self, wanted: Wanted) -> Rerouted:
        """Return what would become of what waits now. Raises AdminFault."""
        return self._judge_all(wanted)[0]

    def carry_out(self, wanted: Wanted) -> Rerouted:
        """Give messages the route, a thousand in a transaction. Raises AdminFault before the first.

        What is asked is audited before that, and each message says in its trace what happened to it: one that was cut
        off is known, and can be asked again.
        """
        found, keys = self._judge_all(wanted)
        if not keys:
            return found
        self._administration.change_now(partial(_begin, wanted=wanted, found=found))
        moved, before, kept = 0, Counter[str](), Counter(found.kept)
        for start in range(0, len(keys), PORTION):
            portion = keys[start : start + PORTION]
            went, stayed = self._database.write_now(self._move_all, (wanted, portion))
            moved += len(went)
            before.update(went)
            kept.update(stayed)
            kept[Keeps.IN_FLIGHT] += len(portion) - len(went) - len(stayed)
        return Rerouted(wanted=wanted, moved=moved, before=before, kept=+kept)

    def _judge_all(self, wanted: Wanted) -> tuple[Rerouted, list[int]]:
        """Return what would become of what waits, and the keys of what would go."""
        rules = self._rules(wanted)
        customer_key = self._database.read_now(partial(_check, wanted=wanted))
        keys, before, kept = [], Counter[str](), Counter[Keeps]()
        for message in self._find(wanted):
            if not _is_wanted(message, wanted, customer_key):
                continue
            reason = rules.judge(message)
            if reason is not None:
                kept[reason] += 1
                continue
            keys.append(message.key)
            before[message.route] += 1
        return Rerouted(wanted=wanted, moved=len(keys), before=before, kept=kept), keys

    def _find(self, wanted: Wanted) -> Iterator[QueuedMessage]:
        if wanted.name:
            found = self._database.read_now(partial(find_waiting, name=wanted.name)).messages
            for start in range(0, len(found), PORTION):
                portion = found[start : start + PORTION]
                yield from self._database.read_long_now(partial(find_queued_of, keys=portion))
            return
        for route in self._database.read_long_now(list_routes):
            if wanted.carrier and first_carrier(route) != wanted.carrier:
                continue
            place = FIRST_PLACE
            while messages := self._database.read_long_now(partial(find_queued, route=route, after=place)):
                yield from messages
                place = messages[-1].place

    def _move_all(self, tx: Transaction, calls: list[tuple[Wanted, list[int]]]) -> list[tuple[list[str], list[Keeps]]]:
        return [self._move(tx, wanted, keys) for wanted, keys in calls]

    def _move(self, tx: Transaction, wanted: Wanted, keys: Sequence[int]) -> tuple[list[str], list[Keeps]]:
        """Move messages; returns the routes that they had, and why others stay."""
        rules = self._rules(wanted)
        judged = [(message, rules.judge(message)) for message in lock_queued(tx, keys)]
        going = [message for message, reason in judged if reason is None]
        now, who = to_stored(self._now()), self._administration.who
        move(tx, self._keys, RerouteBatch(messages=going, route=wanted.to, who=who, now=now))
        return [message.route for message in going], [reason for _, reason in judged if reason is not None]

    def _rules(self, wanted: Wanted) -> NewRouteRules:
        known = self._routes.known
        names = sorted({name for route in known for name in route.split(SEPARATOR)})
        asked = [*wanted.to.split(SEPARATOR), *([wanted.carrier] if wanted.carrier not in ("", LOST_ROUTE) else ())]
        for name in asked:
            if name not in names:
                raise AdminFault(FaultCode.NO_CARRIER, name=name, known=tuple(names))
        if wanted.to not in known:
            raise AdminFault(FaultCode.NO_SUCH_ROUTE, route=wanted.to, known=tuple(sorted(known)))
        return NewRouteRules(wanted.to, self._routes, self._numbers())


def _check(tx: Transaction, wanted: Wanted) -> int | None:
    """Return the key of the customer that is wanted. Raises AdminFault."""
    if not (wanted.carrier or wanted.customer or wanted.country or wanted.name):
        raise AdminFault(FaultCode.NOTHING_CHOSEN)
    if wanted.country and not is_country(wanted.country.upper()):
        raise AdminFault(FaultCode.BAD_COUNTRY, given=wanted.country)
    if wanted.name and not find_waiting(tx, wanted.name).known:
        raise AdminFault(FaultCode.NOTHING_OF_THIS_ID, name=wanted.name)
    if not wanted.customer:
        return None
    found = find_customer(tx, wanted.customer)
    if found is None:
        raise AdminFault(FaultCode.NO_CUSTOMER, name=wanted.customer)
    return found.key


def _is_wanted(message: QueuedMessage, wanted: Wanted, customer_key: int | None) -> bool:
    if message.route == SANDBOX_ROUTE or not message.number:
        return False
    if wanted.carrier and first_carrier(message.route) != wanted.carrier:
        return False
    if customer_key is not None and message.customer_key != customer_key:
        return False
    return not wanted.country or country_of(MobileNumber(digits=message.number)) == wanted.country.upper()


def _begin(edit: Edit, *, wanted: Wanted, found: Rerouted) -> Changed:
    customer = find_customer(edit.tx, wanted.customer) if wanted.customer else None
    about = Subject(wanted.name or "queue", customer.key if customer is not None else None, f"{wanted}: {found.moved}")
    return edit.done(AuditAction.REROUTE, about, to=wanted.to, messages=found.moved)
