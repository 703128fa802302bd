"""Receipts into states, and silence into an end: what is over by time ends without anybody's word.

Not here: which state follows which (sms.lifecycle) and what is written (store.progress).
"""

from collections.abc import Callable

import structlog

from gateway.ports import Clock
from gateway.worker import Worker
from sms.message import Receipt
from store.database import Database
from store.keys import to_stored
from store.outbound import Outbound
from store.progress import Arrived, ProgressStore

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
        self._clock = clock
        self._notices_written = notices_written
        self._sweeps = 0
        self._sweeper = Worker("sweep", self._sweep, look_every=_SWEEP_EVERY)

    def start(self) -> None:
        """Begin to look for what is overdue."""
        self._sweeper.start()

    async def stop(self) -> None:
        """End."""
        await self._sweeper.stop()

    async def receipt(self, receipt: Receipt) -> None:
        """Take a receipt; returns after the commit, so that the carrier is answered then."""
        change = await self._database.write(
            self._progress.report, Arrived(receipt=receipt, at=to_stored(self._clock.now()))
        )
        if not change.message_id:
            log.info("receipt_fits_nothing_yet", carrier=receipt.carrier, carrier_id=receipt.carrier_id)
        if change.settled_job:
            log.info("job_settled", job=change.settled_job)
        if change.notices:
            self._notices_written()

    async def _sweep(self) -> bool:
        now = to_stored(self._clock.now())
        swept = await self._database.write(self._progress.sweep, now)
        if swept:
            self._notices_written()
        self._sweeps += 1
        if self._sweeps % _FORGET_EVERY_SWEEPS == 1:
            await self._database.write(self._outbound.forget_seen, now)
            await self._database.write(self._progress.forget_orphans, now)
        return swept > 0
