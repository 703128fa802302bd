"""TLS reports to domains that ask for them, once for each day that ended, by whichever node is first.

Sessions are counted where attempts end (store.outbox). Not here: what a report says (tls.report), its mail
(mta.sending.tls_report), how it travels (gateway.outbox), reports of others (received_reports). RFC 8460.
"""

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Final

import structlog

from gateway.ports import Clock
from gateway.worker import Worker
from sms.report import Channel
from store.engine.database import Database
from store.engine.keys import Keys, to_stored
from store.outbox import NewRow
from store.tls_reports import ReportDone, TlsReportStore
from store.tls_sessions import DAY, DueReport, find_due_reports, read_sessions
from tls.report import ReportAbout, report_id, report_instant, write_report

log = structlog.get_logger()

TLS_REPORT: Final = "tls-report"
TLS_REPORT_TYPE: Final = "application/tlsrpt+gzip"
_LOOK_EVERY: Final = 600.0
_AT_ONCE: Final = 20
# After so many days nobody waits for the DNS of a domain any more.
_KEPT: Final = timedelta(days=3)
_EPOCH: Final = date(1970, 1, 1)

DestinationsOf = Callable[[str], Awaitable[tuple[str, ...] | None]]
"""Where the reports of a domain go, nowhere where it asks for none, None while DNS does not say."""


class TlsReports:
    """The worker; `sender` is the domain that we report as, `contact` whom receivers may ask.

    `written` is called when there are reports to send.
    """

    def __init__(  # noqa: PLR0913 - every collaborator by name
        self,
        *,
        database: Database,
        keys: Keys,
        destinations_of: DestinationsOf,
        sender: str,
        contact: str,
        clock: Clock,
        written: Callable[[], None],
    ) -> None:
        self._database = database
        self._store = TlsReportStore(keys)
        self._destinations_of = destinations_of
        self._sender = sender
        self._contact = contact
        self._clock = clock
        self._written = written
        self.worker = Worker("tls-reports", self.step, look_every=_LOOK_EVERY)

    async def step(self) -> bool:
        """Queue what is due; what waits for DNS is looked at again the next time."""
        now = self._clock.now()
        today, after = to_stored(now) // DAY, None
        while True:
            due = await self._database.read(partial(find_due_reports, today=today, after=after, limit=_AT_ONCE))
            if not due:
                return False
            await asyncio.gather(*(self._end(item, now) for item in due if now >= self._instant(item)))
            after = due[-1]

    def _instant(self, due: DueReport) -> datetime:
        return report_instant(_day_of(due), self._sender)

    async def _end(self, due: DueReport, now: datetime) -> None:
        destinations = await self._destinations_of(due.domain)
        if destinations is None:
            if now.astimezone(UTC).date() - _day_of(due) < _KEPT:
                return
            destinations = ()
        rows = await self._compose(due, destinations, now) if destinations else ()
        if await self._database.write(self._store.end, ReportDone(due=due, rows=rows)) and rows:
            log.info("tls_report_written", domain=due.domain, day=str(_day_of(due)), destinations=len(rows))
            self._written()

    async def _compose(self, due: DueReport, destinations: tuple[str, ...], now: datetime) -> tuple[NewRow, ...]:
        counted = await self._database.read(partial(read_sessions, due=due))
        day, domain = _day_of(due), due.domain
        about = ReportAbout(day=day, domain=domain, sender=self._sender, contact=self._contact)
        content = gzip.compress(write_report(about, counted), mtime=0)
        told: dict[str, str | int] = {
            "domain": domain,
            "day": str(day),
            "submitter": self._sender,
            "report_id": report_id(day, domain, self._sender),
        }
        return tuple(
            NewRow(
                kind=TLS_REPORT,
                prefix="TR",
                recipient=uri.removeprefix("mailto:"),
                now=to_stored(now),
                about=told,
                content=content,
                channel=Channel.MAIL if uri.startswith("mailto:") else Channel.PUSH,
            )
            for uri in destinations
        )


def _day_of(due: DueReport) -> date:
    return _EPOCH + timedelta(days=due.day)
