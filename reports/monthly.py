"""Months are closed early on the first day of the next one, by whichever node is first, once all of it is summed.

A month ends in its customer's time zone. Not here: what a summary says (archive).
"""

from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import Final

import structlog

from gateway.directory import DirectoryFollower
from gateway.ports import Clock
from gateway.worker import Worker
from reports.archive import Month
from reports.summing import zone_of
from store.archive import ArchiveStore, ClosedMonth, Closing, customers_of, is_summed, read_closed
from store.engine.database import Database
from store.engine.keys import Keys, to_stored

log = structlog.get_logger()

_LOOK_EVERY: Final = 300.0
_SETTLED_AFTER: Final = timedelta(minutes=5)
"""What another node had not committed when the month ended is there after so long."""


class Monthly:
    """The worker."""

    def __init__(self, *, database: Database, keys: Keys, book: DirectoryFollower, clock: Clock) -> None:
        self._database = database
        self._store = ArchiveStore(keys)
        self._book = book
        self._clock = clock
        self._worker = Worker("months", self.step, look_every=_LOOK_EVERY)

    def start(self) -> None:
        """Begin to look."""
        self._worker.start()

    async def stop(self) -> None:
        """End."""
        await self._worker.stop()

    async def step(self) -> bool:
        """Close the months that have ended since the last look: the last one of each customer that sent or received."""
        now = self._clock.now()
        for month in {Month.of(now.astimezone(UTC).date()).moved(-ago) for ago in (0, 1)}:
            keys = await self._database.read(partial(customers_of, days=month.days))
            closed = await self._database.read(partial(read_closed, customer_key=None)) if keys else {}
            for key in keys:
                if (key, str(month)) not in closed:
                    await self._close(key, month, now)
        return False

    async def _close(self, customer_key: int, month: Month, now: datetime) -> None:
        zone = zone_of(self._book, customer_key)
        ended_at = datetime.combine(month.moved(1).first, time(), zone)
        if now < ended_at + _SETTLED_AFTER:
            return
        if not await self._database.read(partial(is_summed, customer_key=customer_key, until=to_stored(ended_at))):
            return
        closing = Closing(
            month=ClosedMonth(customer_key=customer_key, month=str(month), zone=zone.key, closed_at=to_stored(now))
        )
        if await self._database.write(self._store.close, closing):
            log.info("month_closed", customer=customer_key, month=str(month), zone=zone.key)
