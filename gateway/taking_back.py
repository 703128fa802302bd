"""A sender takes a job back, by a mail to its `cancel+…` address: what waits ends, and its end is reported.

It is the sender's own job or none: a job of anybody else is answered as one that there is not, so that nothing can be
probed. Not here: who is proven to write (mta.intake), what cancelling does (gateway.cancel).
"""

from dataclasses import dataclass
from functools import partial

import structlog

from addressbook.canonical import canonical_address
from gateway.accept import SnapshotChanged
from gateway.cancel import CancelOrder, cancel_as
from gateway.ports import Clock
from sms.lifecycle import MessageState
from sms.outcome import Refusal, Refused
from store.answers import Rules
from store.cancels import JobToCancel, find_job_to_cancel, report_end
from store.directory import read_version
from store.engine.database import Database, StorageError, StorageFullError, Transaction
from store.engine.keys import Keys, to_stored
from store.results import ResultStore

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelMail:
    """A mail that takes a job back: `sender` is the canonical address of its proven author.

    `directory_version` is that by which the author was proven.
    """

    job: str
    customer_id: int
    sender: str
    directory_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBack:
    """What a request does, or did, in numbers of SMS: cancelled now, or before; `late` for those that a carrier has.

    `asked` are asked back from their carriers. Those that have ended are late, too.
    """

    job: str
    cancelled: int = 0
    before: int = 0
    asked: int = 0
    late: int = 0

    def __str__(self) -> str:
        now = [f"{_sms(self.cancelled)} cancelled"] if self.cancelled else []
        now += [f"the carrier is asked for {self.asked}"] if self.asked else []
        now = now or ["cancelled before"]
        return f"{self.job}: {', '.join(now)}" + (f", too late for {self.late}" if self.late else "")


class TakingBack:
    """Takes jobs back; `offering` are the carriers that offer cancelling."""

    def __init__(self, *, database: Database, keys: Keys, clock: Clock, offering: frozenset[str]) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock
        self._offering = offering
        self._progress = ResultStore(keys, Rules())

    async def take(self, request: CancelMail) -> TakenBack | SnapshotChanged | Refused:
        """Take a job back. After `TakenBack` it is committed; the other answers changed nothing."""
        try:
            taken = await self._database.write(self._take_all, request)
        except StorageError as error:
            log.exception("cancel_failed", cause=str(error.__cause__ or error)[:300])
            return Refused(refusal=Refusal.NO_STORAGE if isinstance(error, StorageFullError) else Refusal.INTERNAL)
        if isinstance(taken, TakenBack):
            log.info("job_cancelled", job=taken.job, cancelled=taken.cancelled, asked=taken.asked, late=taken.late)
        return taken

    def look_now(self, request: CancelMail) -> TakenBack | Refused:
        """Return what a request would do, without an event loop."""
        return self._database.read_now(partial(self._look, request=request))[1]

    def _look(self, tx: Transaction, request: CancelMail) -> tuple[JobToCancel, TakenBack | Refused]:
        found = find_job_to_cancel(tx, request.job)
        owner = found.user_address or canonical_address(found.header_from)
        if found.customer_key != request.customer_id or owner != request.sender:
            return found, _refuse_unknown(request.job)
        waiting, asked = found.waiting, found.at_carriers(self._offering)
        before = sum(message.state is MessageState.CANCELLED for message in found.messages)
        would = TakenBack(
            job=request.job,
            cancelled=len(waiting),
            before=before,
            asked=len(asked),
            late=len(found.messages) - len(waiting) - len(asked) - before,
        )
        return found, would if would.cancelled or would.asked or would.before else _refuse_late(request.job)

    def _take_all(self, tx: Transaction, requests: list[CancelMail]) -> list[TakenBack | SnapshotChanged | Refused]:
        version = read_version(tx)
        return [
            self._take(tx, request) if request.directory_version == version else SnapshotChanged()
            for request in requests
        ]

    def _take(self, tx: Transaction, request: CancelMail) -> TakenBack | Refused:
        found, would = self._look(tx, request)
        if isinstance(would, Refused) or not (would.cancelled or would.asked):
            return would
        now = to_stored(self._clock.now())
        report_end(tx, found.key)
        keys = (*found.waiting, *found.at_carriers(self._offering))
        order = CancelOrder(who=request.sender, target=request.job, customer_key=request.customer_id)
        done = cancel_as(tx, self._progress, self._keys, order, keys, now)
        return TakenBack(job=request.job, cancelled=done.ended, before=would.before, asked=done.asked, late=would.late)


def _sms(count: int) -> str:
    return f"{count} SMS"


def _refuse_unknown(job: str) -> Refused:
    return Refused(refusal=Refusal.ADDRESS_UNKNOWN, detail=f"you sent no job {job}, or sent it from another address")


def _refuse_late(job: str) -> Refused:
    return Refused(refusal=Refusal.TOO_LATE, detail=f"nothing of job {job} waits any more")
