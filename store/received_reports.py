"""TLS reports of others about our domains: each once, the newest ten thousand, for ninety days.

Not here: reading one (tls.received_report), who may send one (gateway.received_reports).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import msgspec

from store.engine.database import Transaction
from store.engine.keys import Keys, to_instant, to_stored
from store.engine.rows import query
from store.engine.statements import Insert
from store.tls_tables import TlsReportRow
from tls.received_report import ReceivedReport, ReportedDomain, ReportedFailure

_NEW = Insert(TlsReportRow, if_new=True)
_MOST: Final = 10_000
_KEPT: Final = int(timedelta(days=90).total_seconds()) * 1_000_000
_FORGET_OLD: Final = "DELETE FROM tls_report WHERE received_at < ?"
_FORGET_MANY: Final = (
    "DELETE FROM tls_report WHERE key IN (SELECT key FROM tls_report ORDER BY received_at DESC, key DESC"
    " LIMIT 1000 OFFSET ?)"
)


class KeptReport(msgspec.Struct, frozen=True, array_like=True):
    """What somebody reported of a domain; instants are microseconds, `details` is JSON."""

    domain: str
    submitter: str
    report_id: str
    contact: str
    begins_at: int
    ends_at: int
    received_at: int
    source: str
    signed_by: str
    good: int
    failed: int
    details: str

    @property
    def failures(self) -> list[ReportedFailure]:
        """The sessions that failed, by how."""
        return msgspec.json.decode(self.details, type=list[ReportedFailure])

    def view(self) -> dict[str, object]:
        """Return it as plain values."""
        return {
            "day": to_instant(self.begins_at).date().isoformat(),
            "domain": self.domain,
            "by": self.submitter,
            "signed_by": self.signed_by or "nobody",
            "good": self.good,
            "failed": self.failed,
        }


_LISTED = query(
    KeptReport,
    "FROM tls_report WHERE begins_at >= ? AND (domain = ? OR ? = '') ORDER BY begins_at DESC, key DESC LIMIT ?",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportToKeep:
    """A report, the `domains` of it that are ours, who brought it, and whose signatures prove its mail."""

    report: ReceivedReport
    domains: Sequence[ReportedDomain]
    received_at: int
    source: str
    signed_by: str = ""


class ReceivedReportStore:
    """Keeps reports; its method is a batch function for `Database.write`."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def keep(self, tx: Transaction, items: list[ReportToKeep]) -> list[None]:
        """Keep reports; one that came before stays as it was."""
        rows = [self._row(item, domain) for item in items for domain in item.domains]
        for row in rows:  # one by one: two of a batch may be the same
            tx.insert(_NEW, [row])
        if items:
            tx.execute(_FORGET_OLD, (max(item.received_at for item in items) - _KEPT,))
            tx.execute(_FORGET_MANY, (_MOST,))
        return [None] * len(items)

    def _row(self, item: ReportToKeep, domain: ReportedDomain) -> tuple[object, ...]:
        report = item.report
        return _NEW.row(
            key=self._keys.take(),
            domain=domain.domain,
            submitter=report.submitter,
            report_id=report.report_id,
            contact=report.contact,
            begins_at=to_stored(report.begins_at),
            ends_at=to_stored(report.ends_at),
            received_at=item.received_at,
            source=item.source,
            signed_by=item.signed_by,
            good=domain.good,
            failed=domain.failed,
            details=msgspec.json.encode(domain.failures).decode(),
        )


def list_reports(tx: Transaction, since: int, domain: str, limit: int) -> list[KeptReport]:
    """Return reports about days that begin at `since` (microseconds) or later, newest first; of one domain or all."""
    return tx.select(KeptReport, _LISTED, (since, domain, domain, limit))
