"""The SMS of the last day, as far as a look at a customer's traffic needs them; bounded. Not here: what they tell."""

from collections.abc import Collection

from msgspec import Struct

from store.engine.database import Transaction
from store.engine.rows import query


class LateSms(Struct, frozen=True, array_like=True):
    """One SMS with its customer, newest first; `accepted_at` in microseconds."""

    customer_key: int
    customer: str
    number: str
    state: str
    ended: bool
    accepted_at: int


_LATE = query(
    LateSms,
    "FROM job j JOIN message m ON m.job_key = j.key WHERE j.accepted_at >= ? AND m.number <> '' AND NOT j.sandbox"
    " ORDER BY j.accepted_at DESC, j.key DESC LIMIT ?",
    customer_key="j.customer_key",
    customer="j.customer",
    number="m.number",
    state="m.state",
    ended="m.ended",
    accepted_at="j.accepted_at",
)
_KNOWN = (
    "SELECT DISTINCT m.number FROM message m JOIN job j ON j.key = m.job_key"
    " WHERE m.number IN (??) AND j.customer_key = ? AND j.accepted_at < ? AND NOT j.sandbox"
)


_HOURS = (
    "SELECT j.accepted_at / 3600000000, j.customer, m.route, COUNT(*) FROM job j JOIN message m ON m.job_key = j.key"
    " WHERE j.accepted_at >= ? AND j.accepted_at < ? AND m.number <> '' GROUP BY 1, 2, 3"
)


def count_by_hour(tx: Transaction, since: int, until: int) -> list[tuple[int, str, str, int]]:
    """Return how many SMS were accepted between two instants (µs): hour since 1970, customer, route, count."""
    return [tuple(row) for row in tx.rows(_HOURS, (since, until))]


def read_late(tx: Transaction, since: int, most: int) -> list[LateSms]:
    """Return the newest SMS accepted since an instant in microseconds, at most so many."""
    return tx.select(LateSms, _LATE, (since, most))


def known_numbers(tx: Transaction, customer_key: int, numbers: Collection[str], before: int) -> set[str]:
    """Return which numbers a customer wrote to before an instant in microseconds."""
    return {number for (number,) in tx.rows_in(_KNOWN, numbers, (customer_key, before))}
