"""Receipts into states, and silence into an end: what is over by time ends without anybody's word.

Not here: which state follows which (sms.lifecycle) and what is written (store.progress).
"""

from collections.abc import Callable, Sequence

import structlog

from gateway.ports import Clock
from gateway.worker import Worker
from sms.message import Receipt
from store.batches import in_lists
from store.database import Database
from store.dropped import forget_dropped
from store.keys import to_stored
from store.outbound import Outbound
from store.progress import ProgressStore
from store.receipts import Arrived, forget_orphans

log = structlog.get_logger()

_SWEEP_EVERY = 1.0
_FORGET_EVERY_SWEEPS = 600


class Track:
    """Takes receipts and ends what is overdue; `notices_written` is called when a settled job left a notice."""

    def __init__(
        self,
        *,
        database: Database,
        outbound: Outbound,
        progress: ProgressStore,
        clock: Clock,
        notices_written: Callable[[], None],
    ) -> None:
        self._database = database
        self._outbound = outbound
        self._progress = progress
        self._report = in_lists(progress.report)
        self._clock = clock
        self._notices_written = notices_written
        self._sweeps = 0
        self._more_to_forget = False
        self._sweeper = Worker("sweep", self._sweep, look_every=_SWEEP_EVERY)

    def start(self) -> None:
        """Begin to look for what is overdue."""
        self._sweeper.start()

    async def stop(self) -> None:
        """End."""
        await self._sweeper.stop()

    async def reported(self, receipts: Sequence[Receipt]) -> None:
        """Take receipts; returns after the commit, so that the carrier is answered then. All are kept, or none."""
        at = to_stored(self._clock.now())
        changes = await self._database.write(self._report, [Arrived(receipt=receipt, at=at) for receipt in receipts])
        for receipt, change in zip(receipts, changes, strict=True):
            if not change.message_id:
                log.info("receipt_fits_nothing_yet", carrier=receipt.carrier, carrier_id=receipt.carrier_id)
            if change.settled_job:
                log.info("job_settled", job=change.settled_job)
        if any(change.notices for change in changes):
            self._notices_written()

    async def _sweep(self) -> bool:
        now = to_stored(self._clock.now())
        swept = await self._database.write(self._progress.sweep, now)
        for job in swept.settled_jobs:
            log.info("job_settled", job=job, by="silence")
        if swept.notices:
            self._notices_written()
        self._sweeps += 1
        if self._sweeps % _FORGET_EVERY_SWEEPS == 1:
            self._more_to_forget = True
            await self._database.write(forget_orphans, now)
            await self._database.write(forget_dropped, now)
        if self._more_to_forget:
            self._more_to_forget = await self._database.write(self._outbound.forget_seen, now) > 0
        return swept.looked_at > 0 or self._more_to_forget
