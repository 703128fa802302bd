"""What a customer sent in a time, counted for charts: by day, country, carrier, sender ID, and time until delivery.

Days, countries and carriers come from the sums; sender IDs and times, which no sum has, from the details of at most 31
days. Not here: how a chart is drawn (templates/portal).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from reports.counting import Direction
from sms.lifecycle import OPEN, SUCCESS, MessageState
from store.archive import read_days
from store.details import count_senders, count_times
from store.engine.database import Transaction
from store.engine.keys import to_stored

MOST_BARS: Final = 12
MOST_DAYS: Final = timedelta(days=31)
BOUNDS: Final = (5, 30, 120, 600, 3600, 86_400)
"""Seconds within which deliveries are counted; what took longer is counted after the last."""

_BAD: Final = frozenset(MessageState) - SUCCESS - OPEN - {MessageState.UNKNOWN, MessageState.CANCELLED}


class Tally(NamedTuple):
    """What became of the SMS of one name: how many went well, failed, or neither."""

    name: str
    good: int = 0
    bad: int = 0
    rest: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.good + self.bad + self.rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Charts:
    """What is drawn. `days` are all days of the time in their order, the others the most first.

    What there are more of than `MOST_BARS` is one tally, named «…». `times` has a count for each of `BOUNDS`, and
    one for what took longer.
    """

    days: Sequence[Tally]
    countries: Sequence[Tally]
    carriers: Sequence[Tally]
    senders: Sequence[Tally]
    times: Sequence[int]

    @property
    def total(self) -> Tally:
        """All that was sent."""
        return _sum("", self.days)


def read_charts(tx: Transaction, customer_key: int, first: date, last: date, zone: str) -> Charts:
    """Return what was sent from one day of a zone to another, which is within."""
    end = last + timedelta(days=1)
    since, until = (datetime.combine(day, time(), ZoneInfo(zone)) for day in (first, end))
    lines = read_days(tx, customer_key, (first.isoformat(), end.isoformat()), Direction.SENT)
    by_day = {tally.name: tally for tally in _tallies((line.day, line.state, line.messages) for line in lines)}
    days = (first + timedelta(days=place) for place in range((last - first).days + 1))
    span = to_stored(max(since, until - MOST_DAYS)), to_stored(until)
    return Charts(
        days=[by_day.get(day.isoformat(), Tally(day.isoformat())) for day in days],
        countries=_most(_tallies((line.country, line.state, line.messages) for line in lines)),
        carriers=_most(_tallies((line.carrier, line.state, line.messages) for line in lines)),
        senders=_most(_tallies(count_senders(tx, customer_key, *span))),
        times=count_times(tx, customer_key, *span, BOUNDS),
    )


def _tallies(counts: Iterable[tuple[str, str, int]]) -> list[Tally]:
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for name, state, number in counts:
        place = 0 if state in SUCCESS else 1 if state in _BAD else 2
        found[name][place] += number
    return [Tally(name, *numbers) for name, numbers in found.items() if any(numbers)]


def _most(tallies: list[Tally]) -> list[Tally]:
    """Return the tallies with the most; the others are one, named «…»."""
    ordered = sorted(tallies, key=lambda tally: (-tally.total, tally.name))
    if len(ordered) <= MOST_BARS:
        return ordered
    return [*ordered[: MOST_BARS - 1], _sum("…", ordered[MOST_BARS - 1 :])]


def _sum(name: str, tallies: Sequence[Tally]) -> Tally:
    return Tally(
        name,
        sum(tally.good for tally in tallies),
        sum(tally.bad for tally in tallies),
        sum(tally.rest for tally in tallies),
    )
