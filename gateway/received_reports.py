"""TLS reports that others send about our domains: those of our domains are kept, nothing is believed or answered.

Not here: reading a report (tls.received_report), the door that mails come through (mta.postmaster). RFC 8460 §5.
"""

import asyncio
from collections.abc import Collection
from functools import partial

import structlog

from gateway.ports import Clock
from sms.outcome import Refusal, Refused
from store.engine.database import Database
from store.engine.keys import Keys, to_stored
from store.received_reports import KeptReport, ReceivedReportStore, ReportToKeep, list_reports
from tls.received_report import parse_report

log = structlog.get_logger()


class ReceivedReports:
    """Keeps reports about `domains`, which are ours."""

    def __init__(self, *, database: Database, keys: Keys, domains: Collection[str], clock: Clock) -> None:
        self._database = database
        self._store = ReceivedReportStore(keys)
        self._domains = frozenset(domains)
        self._clock = clock

    async def keep(self, content: bytes, *, source: str, signed_by: str = "", domain: str = "") -> int | Refused:
        """Keep a report, JSON or gzip, and return of how many domains it was; or why it is not kept.

        `domain` is what its mail says that it is about.
        """
        report = await asyncio.to_thread(partial(parse_report, content, domain))
        if isinstance(report, str):
            return Refused(refusal=Refusal.MAIL_MALFORMED, detail=f"The TLS report is not taken: {report}.")
        ours = [each for each in report.domains if each.domain in self._domains]
        if not ours:
            detail = "The TLS report is about no domain of this gateway."
            return Refused(refusal=Refusal.MAIL_MALFORMED, detail=detail)
        received_at = to_stored(self._clock.now())
        kept = ReportToKeep(report=report, domains=ours, received_at=received_at, source=source, signed_by=signed_by)
        await self._database.write(self._store.keep, kept)
        failed = sum(each.failed for each in ours)
        log.info("tls_report_received", submitter=report.submitter, domains=len(ours), failed=failed, source=source)
        return len(ours)


__all__ = ["KeptReport", "ReceivedReports", "list_reports"]
