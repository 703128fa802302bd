"""Receipts into states, and silence into an end: what is over by time ends without anybody's word.

Not here: which state follows which (sms.lifecycle) and what is written (store.results).
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import structlog

from gateway.misfits import Misfits, Unite
from gateway.ports import Clock
from gateway.worker import Worker
from sms.message import Receipt, ReceiptState
from store.batches import in_lists
from store.dropped import forget_dropped
from store.engine.database import Database
from store.engine.keys import to_stored
from store.jobs import Outbound
from store.receipts import Arrived, forget_orphans
from store.results import Progress, Refit, ResultStore

log = structlog.get_logger()

_SWEEP_EVERY = 1.0
_FORGET_EVERY_SWEEPS = 600
_MOST_WORDS = 1000
NOTHING_EXPLAINED: Final[Mapping[str, Unite]] = MappingProxyType({})


class Track:
    """Takes receipts and ends what is overdue; `notices_written` is called when a settled job left a notice.

    `unite` says of carriers whose dialect explains their ids which two are one.
    """

    def __init__(  # noqa: PLR0913 - the use case names everything it needs, once
        self,
        *,
        database: Database,
        outbound: Outbound,
        progress: ResultStore,
        clock: Clock,
        notices_written: Callable[[], None],
        unite: Mapping[str, Unite] = NOTHING_EXPLAINED,
    ) -> None:
        self._database = database
        self._outbound = outbound
        self._progress = progress
        self._report = in_lists(progress.report)
        self._clock = clock
        self._notices_written = notices_written
        self._sweeps = 0
        self._more_to_forget = False
        self._apply_refit = in_lists(progress.refit)
        self._misfits = Misfits(database, unite, self._refit)
        self._recalled = False
        self._strange_words: set[tuple[str, str]] = set()
        self.worker = Worker("sweep", self._sweep, look_every=_SWEEP_EVERY)

    async def reported(self, receipts: Sequence[Receipt]) -> None:
        """Take receipts; returns after the commit, so that the carrier is answered then. All are kept, or none."""
        at = to_stored(self._clock.now())
        changes = await self._database.write(self._report, [Arrived(receipt=receipt, at=at) for receipt in receipts])
        for receipt, change in zip(receipts, changes, strict=True):
            if not change.message_id:
                self._misfits.note(receipt, at)
            if receipt.state is ReceiptState.OTHER:
                self._warn_of_word(receipt)
        self._tell(changes)

    async def _refit(self, found: list[Refit]) -> None:
        changes = await self._database.write(self._apply_refit, found)
        log.info("receipts_fit_after_all", receipts=len(found))
        self._tell(changes)

    def _tell(self, changes: Sequence[Progress]) -> None:
        for change in changes:
            if change.settled_job:
                log.info("job_settled", job=change.settled_job)
        if any(change.notices for change in changes):
            self._notices_written()

    def _warn_of_word(self, receipt: Receipt) -> None:
        """Say once of each word that nobody knows it."""
        word = receipt.carrier, receipt.word
        if word not in self._strange_words and len(self._strange_words) < _MOST_WORDS:
            self._strange_words.add(word)
            hint = "it is taken for news on the way; receipt_states of the carrier's dialect can say what it means"
            log.warning("receipt_word_unknown", carrier=receipt.carrier, word=receipt.word[:40], hint=hint)

    async def _sweep(self) -> bool:
        now = to_stored(self._clock.now())
        if not self._recalled:
            self._recalled = True  # whatever comes of it: the sweep must go on
            await self._misfits.recall(now)
        swept = await self._database.write(self._progress.sweep, now)
        for job in swept.settled_jobs:
            log.info("job_settled", job=job, by="silence")
        if swept.notices:
            self._notices_written()
        await self._misfits.look(now)
        self._sweeps += 1
        if self._sweeps % _FORGET_EVERY_SWEEPS == 1:
            self._more_to_forget = True
            await self._database.write(forget_orphans, now)
            await self._database.write(forget_dropped, now)
        if self._more_to_forget:
            self._more_to_forget = await self._database.write(self._outbound.forget_seen, now) > 0
        return swept.looked_at > 0 or self._more_to_forget
