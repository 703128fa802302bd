"""Months as the sums have them: what stands in one, which there are, and which were closed.

Not here: how sums are written (sums), what a summary is (reports.archive).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from store.engine.database import Transaction
from store.engine.keys import Keys
from store.engine.rows import query
from store.outbox import OUTBOX, NewRow, new_row
from store.sums import customers_of_sums

ALL_DAYS: Final = ("", "9999-12-31")
"""Every date lies between these two."""


class SummedLine(Struct, frozen=True, array_like=True):
    """What was sent or received in a month, of what is alike in all that a summary tells apart."""

    direction: str
    service: str
    cost_centre: str
    user_address: str
    country: str
    carrier: str
    state: str
    corrected_on: str
    messages: int
    parts: int
    billed: int
    unanswered: int


class DayLine(Struct, frozen=True, array_like=True):
    """What was sent or received on a day, of what is alike in country, carrier and state."""

    day: str
    country: str
    carrier: str
    state: str
    messages: int


class RuledDay(Struct, frozen=True, array_like=True):
    """How many messages of a customer's day a rule of a country replaced, changed, delayed or refused."""

    customer_key: int
    day: str
    country: str
    rule: str
    effect: str
    messages: int


class MonthTotal(Struct, frozen=True, array_like=True):
    """All that a customer sent or received in a month; corrections of any day are in it."""

    customer_key: int
    month: str
    direction: str
    messages: int
    parts: int
    billed: int


class ClosedMonth(Struct, frozen=True, array_like=True):
    """A month of a customer that was closed; `closed_at` in microseconds."""

    customer_key: int
    month: str
    zone: str
    closed_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """A month to close, with the mails that tell of it."""

    month: ClosedMonth
    rows: tuple[NewRow, ...] = ()


_BY = ("direction", "service", "cost_centre", "user_address", "country", "carrier", "state", "corrected_on")
_SUMS = {name: f"sum({name})" for name in ("messages", "parts", "billed", "unanswered")}
_LINES = query(
    SummedLine,
    "FROM traffic_sum WHERE customer_key = ? AND day >= ? AND day < ? AND corrected_on >= ? AND corrected_on < ?"
    f" GROUP BY {', '.join(_BY)} ORDER BY {', '.join(_BY)}",  # our own names
    **_SUMS,
)
_DAYS = query(
    DayLine,
    "FROM traffic_sum WHERE customer_key = ? AND day >= ? AND day < ? AND direction = ?"
    " GROUP BY day, country, carrier, state",
    messages="sum(messages)",
)
_RULED = query(RuledDay, "FROM ruling_sum WHERE customer_key BETWEEN ? AND ? AND day >= ? AND day < ?")
_ZONES = "SELECT DISTINCT zone FROM traffic_sum WHERE customer_key = ? AND day >= ? AND day < ? ORDER BY zone"
_TOTALS = query(
    MonthTotal,
    "FROM traffic_sum WHERE customer_key BETWEEN ? AND ? GROUP BY customer_key, substr(day, 1, 7), direction"
    " ORDER BY customer_key, substr(day, 1, 7) DESC, direction DESC",
    month="substr(day, 1, 7)",
    messages="sum(messages)",
    parts="sum(parts)",
    billed="sum(billed)",
)
_CLOSED = query(ClosedMonth, "FROM archive_month WHERE customer_key BETWEEN ? AND ?")
_DUE_BEFORE = "SELECT job_key FROM job_sum WHERE changes > 0 AND customer_key = ? AND +closed_at < ? LIMIT 1"
_DUE_SMS_BEFORE = "SELECT key FROM inbound_sms WHERE NOT summed AND +handled_at < ? LIMIT 1"
_ANY_DAY = "SELECT day FROM traffic_sum WHERE customer_key = ? AND day >= ? AND day < ? LIMIT 1"
_CLOSE = (
    "INSERT INTO archive_month (customer_key, month, zone, closed_at) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (customer_key, month) DO NOTHING RETURNING month"
)
_EVERYBODY = (0, (1 << 63) - 1)


def read_lines(
    tx: Transaction, customer_key: int, days: tuple[str, str], corrected: tuple[str, str] = ALL_DAYS
) -> list[SummedLine]:
    """Return the sums of a customer's days, of which the second is not within, and of corrections made on such."""
    return tx.select(SummedLine, _LINES, (customer_key, *days, *corrected))


def read_days(tx: Transaction, customer_key: int, days: tuple[str, str], direction: str) -> list[DayLine]:
    """Return what a customer sent or received on each of the days, of which the second is not within, as it is now."""
    return tx.select(DayLine, _DAYS, (customer_key, *days, direction))


def read_ruled_days(tx: Transaction, customer_key: int | None, days: tuple[str, str]) -> list[RuledDay]:
    """Return what rules of countries did on each of the days, of a customer or of all, in any order."""
    whose = _EVERYBODY if customer_key is None else (customer_key, customer_key)
    return tx.select(RuledDay, _RULED, (*whose, *days))


def read_zones(tx: Transaction, customer_key: int, days: tuple[str, str]) -> tuple[str, ...]:
    """Return the time zones that the days were counted in."""
    return tuple(zone for (zone,) in tx.rows(_ZONES, (customer_key, *days)))


def read_totals(tx: Transaction, customer_key: int | None) -> list[MonthTotal]:
    """Return the months of a customer, or of all, the newest of each first."""
    return tx.select(MonthTotal, _TOTALS, _EVERYBODY if customer_key is None else (customer_key, customer_key))


def read_closed(tx: Transaction, customer_key: int | None) -> dict[tuple[int, str], ClosedMonth]:
    """Return the closed months of a customer, or of all, by customer and month."""
    closed = tx.select(ClosedMonth, _CLOSED, _EVERYBODY if customer_key is None else (customer_key, customer_key))
    return {(month.customer_key, month.month): month for month in closed}


def find_open_months(tx: Transaction, months: Mapping[str, tuple[str, str]]) -> list[tuple[int, str]]:
    """Return which of some months, given with their days, are not closed for which customer that has sums of them."""
    closed, found = read_closed(tx, None), list[tuple[int, str]]()
    for key in customers_of_sums(tx):
        open_months = (month for month in months if (key, month) not in closed)
        found += [(key, month) for month in open_months if tx.rows(_ANY_DAY, (key, *months[month]))]
    return found


def is_summed(tx: Transaction, customer_key: int, until: int) -> bool:
    """Return whether all that ended before an instant, in microseconds, stands in the sums."""
    return not tx.rows(_DUE_BEFORE, (customer_key, until)) and not tx.rows(_DUE_SMS_BEFORE, (until,))


class ArchiveStore:
    """Closes months; its method is a batch function for `Database.write`."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def close(self, tx: Transaction, closings: list[Closing]) -> list[bool]:
        """Close months and queue their mails; False, and nothing queued, where another node did so before."""
        return [self._close(tx, item) for item in closings]

    def _close(self, tx: Transaction, closing: Closing) -> bool:
        month = closing.month
        if not tx.rows(_CLOSE, (month.customer_key, month.month, month.zone, month.closed_at)):
            return False
        tx.insert(OUTBOX, [new_row(self._keys.take(), row) for row in closing.rows])
        return True
