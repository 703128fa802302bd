"""TLS reports: ours queued once for each day and domain.

Not here: counting sessions (tls_sessions), what a report says (tls.report), when it goes out (gateway.tls_reports).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from store.engine.database import Transaction
from store.engine.keys import Keys
from store.outbox import OUTBOX, NewRow, new_row
from store.tls_sessions import DueReport


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDone:
    """A day and domain that are over: `rows` go to the outbox, none where nobody wants a report."""

    due: DueReport
    rows: Sequence[NewRow] = ()


class TlsReportStore:
    """Ends days of domains; its method is a batch function for `Database.write`."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def end(self, tx: Transaction, done: list[ReportDone]) -> list[bool]:
        """Take the sessions away and queue the report; False, and nothing queued, where another node did so before."""
        return [self._end(tx, item) for item in done]

    def _end(self, tx: Transaction, done: ReportDone) -> bool:
        due = done.due
        if not tx.execute("DELETE FROM tls_session WHERE day = ? AND domain = ?", (due.day, due.domain)):
            return False
        tx.insert(OUTBOX, [new_row(self._keys.take(), row) for row in done.rows])
        return True
