"""Sharp rises of traffic: a customer sends far more by a carrier within an hour than in any hour of the week before.

The last day does not count as what it sent before, so that a rise lasts until it falls, or for a day at most: then it
is what the customer sends. Not here: signs of inflated traffic (traffic_signs), who is told (health_watch).
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sms.route import first_carrier
from store.engine.database import Transaction
from store.engine.keys import to_stored
from store.traffic import count_by_hour

_FEWEST: Final = 100
_TIMES: Final = 4
_HOUR: Final = 3_600_000_000
_DAY: Final = 24
_WEEK: Final = 7 * _DAY
_LOOK_EVERY: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficRise:
    """So many SMS of a customer within an hour to one carrier, and at most so many in an hour of the week before."""

    customer: str
    carrier: str
    now: int
    before: int


def is_rise(now: int, before: Sequence[int]) -> bool:
    """Return whether the SMS of an hour are a sharp rise above those of hours before; who never sent does not rise."""
    most = max(before, default=0)
    return now >= _FEWEST and 0 < most * _TIMES < now


class TrafficRises:
    """Counts each past hour once and remembers it for eight days; the last hour is counted every five minutes."""

    def __init__(self) -> None:
        self._hours: dict[int, Counter[tuple[str, str]]] = {}
        self._counted_until = 0
        self._found: list[TrafficRise] = []
        self._looked_at: datetime | None = None

    def find(self, tx: Transaction, now: datetime) -> list[TrafficRise]:
        """Return who sends far more than before, as of five minutes ago at most."""
        if self._looked_at is None or now - self._looked_at >= _LOOK_EVERY:
            self._looked_at = now
            self._found = self._look(tx, to_stored(now))
        return self._found

    def _look(self, tx: Transaction, now: int) -> list[TrafficRise]:
        hour = now // _HOUR
        oldest = hour - _WEEK - _DAY
        since = max(self._counted_until, oldest)
        for item, customer, route, count in count_by_hour(tx, since * _HOUR, hour * _HOUR):
            self._hours.setdefault(item, Counter())[customer, first_carrier(route)] += count
        self._counted_until = hour
        self._hours = {item: counts for item, counts in self._hours.items() if item >= oldest}
        late = Counter[tuple[str, str]]()
        for _, customer, route, count in count_by_hour(tx, now - _HOUR, now):
            late[customer, first_carrier(route)] += count
        before: dict[tuple[str, str], list[int]] = defaultdict(list)
        for item, counts in self._hours.items():
            for key in late.keys() & counts.keys() if item < hour - _DAY else ():
                before[key].append(counts[key])
        return [
            TrafficRise(customer=customer, carrier=carrier, now=count, before=max(before[customer, carrier]))
            for (customer, carrier), count in sorted(late.items())
            if is_rise(count, before[customer, carrier])
        ]
