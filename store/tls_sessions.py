"""TLS sessions counted by day and domain, in the transaction that ends the attempts; taken away when they are reported.

Not here: what a session counts as (tls.report), when reports go out (gateway.tls_reports), their end (tls_reports).
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from store.engine.database import Transaction
from store.engine.statements import Insert
from store.tls_tables import TlsSessionRow
from tls.report import SessionResult

DAY = 86_400 * 1_000_000
"""Microseconds of a day."""

_ADD = Insert(TlsSessionRow, add=("sessions",))
_DUE = (
    "SELECT DISTINCT day, domain FROM tls_session WHERE day < ? AND (day, domain) > (?, ?) ORDER BY day, domain LIMIT ?"
)
_COUNTED = (
    "SELECT told, sessions FROM tls_session WHERE day = ? AND domain = ? ORDER BY sessions DESC, digest LIMIT 5000"
)


def count_sessions(tx: Transaction, sessions: Iterable[tuple[int, SessionResult]]) -> None:
    """Count sessions, each with the instant of its end in microseconds; what went alike on a day is one row."""
    counted: Counter[tuple[int, str, str]] = Counter()
    for at, session in sessions:
        counted[at // DAY, session.domain, msgspec.json.encode(session).decode()] += 1
    rows = [
        _ADD.row(day=day, domain=domain, digest=hashlib.sha256(told.encode()).hexdigest(), told=told, sessions=count)
        for (day, domain, told), count in counted.items()
    ]
    # In one order, so that two nodes never wait for each other.
    tx.insert(_ADD, sorted(rows, key=lambda row: (row.day, row.domain, row.digest)))  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True, kw_only=True)
class DueReport:
    """A day (since 1970, UTC) that ended, and a domain that there were sessions with."""

    day: int
    domain: str


def find_due_reports(tx: Transaction, today: int, after: DueReport | None, limit: int) -> list[DueReport]:
    """Return what may be reported before today, behind `after`, oldest first."""
    behind = (after.day, after.domain) if after is not None else (-1, "")
    rows = tx.rows(_DUE, (today, *behind, limit))
    return [DueReport(day=int(day), domain=str(domain)) for day, domain in rows]


def read_sessions(tx: Transaction, due: DueReport) -> list[tuple[SessionResult, int]]:
    """Return the sessions of a day with a domain and how many went alike, the most frequent first."""
    rows = tx.rows(_COUNTED, (due.day, due.domain))
    return [(msgspec.json.decode(told, type=SessionResult), int(count)) for told, count in rows]
