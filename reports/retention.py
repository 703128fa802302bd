"""How long things are kept: details three months after their end, six months of sums, texts as their customer says.

What goes is deleted in small steps with a rest after each, so that acceptance has the writer to itself most of the
time. Not here: what a step deletes (store.retention), what is erased because somebody asks for it (gateway.admin).
"""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import structlog

from gateway.ports import Clock
from gateway.worker import Worker
from reports.archive import MONTHS_KEPT, Month
from store.engine.database import Database
from store.engine.keys import to_stored
from store.retention import RetentionLimits, find_old_days, forget_days, forget_details

log = structlog.get_logger()

DETAILS_KEPT: Final = timedelta(days=92)
"""So long after its end a job is kept, and an inbound SMS after it came."""
REQUESTS_KEPT: Final = timedelta(days=183)
"""So long a support request is kept after it was solved or closed."""
_LOOK_EVERY: Final = 600.0
_REST: Final = 20.0


class Retention:
    """The worker."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._forgotten = 0
        self.worker = Worker("retention", self.step, look_every=_LOOK_EVERY, rest=_REST)

    async def step(self) -> bool:
        """Delete some of what is over; returns whether there may be more."""
        now = self._clock.now()
        forgotten = await self._database.write(forget_details, limits_at(now)) or await self._forget_days(now)
        self._forgotten += forgotten
        if not forgotten and self._forgotten:
            log.info("old_forgotten", rows=self._forgotten)
            self._forgotten = 0
        return forgotten > 0

    async def _forget_days(self, now: datetime) -> int:
        before = first_day_kept(now)
        old = await self._database.read_long(partial(find_old_days, before=before))
        return await self._database.write(forget_days, old[0]) if old else 0


def limits_at(now: datetime) -> RetentionLimits:
    """Return until when what is over goes."""
    months = Month.of(now.astimezone(UTC).date()).moved(-MONTHS_KEPT)
    conversations = datetime(months.year, months.month, 1, tzinfo=UTC)
    return RetentionLimits(
        now=to_stored(now),
        details=to_stored(now - DETAILS_KEPT),
        conversations=to_stored(conversations),
        requests=to_stored(now - REQUESTS_KEPT),
    )


def first_day_kept(now: datetime) -> str:
    """Return the first day that stays in the archive, as an ISO date; a day late, for time zones behind UTC."""
    today = (now - timedelta(days=1)).astimezone(UTC).date()
    return Month.of(today).moved(-MONTHS_KEPT).first.isoformat()
