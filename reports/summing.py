"""Sums are written when details close: of each job once its messages have all ended, of each inbound SMS once it came.

Details are read beside the writer; it adds what came of them (store.sums). Not here: what counts as what (counting).
"""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from gateway.directory import DirectoryFollower
from gateway.ports import Clock
from gateway.worker import Worker
from reports.counting import count_lines, count_ruled, sum_inbound, sum_job
from sms.message import Origin
from sms.settings import Settings
from store.engine.database import Database, Transaction
from store.sums import AT_ONCE, SumStep, add_sums, find_due_jobs, find_unsummed_sms, read_lines, read_ruled

_LOOK_EVERY: Final = 5.0
_REST: Final = 4.0


class Summing:
    """The worker."""

    def __init__(self, *, database: Database, book: DirectoryFollower, clock: Clock) -> None:
        self._database = database
        self._book = book
        self._clock = clock
        self.worker = Worker("sums", self.step, look_every=_LOOK_EVERY, rest=_REST)

    async def step(self) -> bool:
        """Sum what is due, some at a time; returns whether there may be more."""
        now = self._clock.now()
        step = await self._database.read_long(lambda tx: self._count(tx, now))
        if not step.jobs and not step.inbound:
            return False
        added = await self._database.write(add_sums, step)
        return added > 0 and AT_ONCE in (len(step.jobs), len(step.inbound))

    def _count(self, tx: Transaction, now: datetime) -> SumStep:
        due = find_due_jobs(tx)
        keys = [job.job_key for job in due]
        figures, ruled = count_lines(read_lines(tx, keys)), count_ruled(read_ruled(tx, keys))
        return SumStep(
            jobs=tuple(
                sum_job(
                    job, figures.get(job.job_key, {}), ruled.get(job.job_key, {}), self._zone(job.customer_key), now
                )
                for job in due
            ),
            inbound=tuple(sum_inbound(sms, self._settings(sms.customer_key or 0)) for sms in find_unsummed_sms(tx)),
        )

    def _zone(self, customer_key: int) -> ZoneInfo:
        return zone_of(self._book, customer_key)

    def _settings(self, customer_key: int) -> Settings:
        return self._book.current.layers.resolve(customer_key, Origin.INBOUND.value).settings


def zone_of(book: DirectoryFollower, customer_key: int) -> ZoneInfo:
    """Return the time zone in which a customer's days begin: its setting `time_zone`, that of all where it has none."""
    return ZoneInfo(book.current.layers.resolve(customer_key, "").settings.time_zone)
