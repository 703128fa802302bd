"""A plan becomes a job that is kept: one transaction, and «250» may be said.

Not here: what is decided about it (gateway.plan).
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic

import structlog

from gateway.limit_watch import LimitWatch
from gateway.metrics import Metric, Metrics
from gateway.plan import stopped
from gateway.planned import JobPlan
from gateway.usage_claims import refuse
from sms.job import FirstUse, NewJob
from sms.outcome import Refusal, Refused
from store.application_views import find_use
from store.engine.database import Database, StorageError, StorageFullError
from store.engine.keys import to_stored
from store.jobs import Added, Outbound

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A job that is stored; `repeated` says that it was there already and nothing new was stored.

    `digests` are the keys by which it is known again. `key` is that of a new job, `refused` has its recipients who get
    nothing, with the reason.
    """

    job_id: str
    key: int = 0
    refused: Mapping[str, str] = field(default_factory=dict)
    repeated: bool = False
    digests: tuple[bytes, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SnapshotChanged:
    """The directory changed under the plan: nothing was stored, plan again."""


class Acceptance:
    """The use case; one object serves all doors.

    `accepted` is called with the routes of each new job once it is committed.
    """

    def __init__(
        self,
        *,
        database: Database,
        outbound: Outbound,
        limits: LimitWatch,
        accepted: Callable[[Collection[str]], None],
        metrics: Metrics | None = None,
    ) -> None:
        self._metrics = metrics or Metrics()
        self._limits = limits
        self._database = database
        self._outbound = outbound
        self._accepted = accepted

    async def keep(self, plan: JobPlan) -> Accepted | SnapshotChanged | Refused:
        """Store a plan as a job. After `Accepted` it survives anything; the other answers stored nothing."""
        job = plan.job
        if job is None:
            return plan.refused or Refused(refusal=Refusal.INTERNAL)
        began = monotonic()
        try:
            added = await self._database.write(self._outbound.add_jobs, job)
        except StorageError as error:
            log.exception("accept_failed", cause=str(error.__cause__ or error)[:300])
            return Refused(refusal=Refusal.NO_STORAGE if isinstance(error, StorageFullError) else Refusal.INTERNAL)
        if added.stale:
            return SnapshotChanged()
        refused = _refuse(job, added)
        if refused is not None:
            if added.over is not None:
                self._limits.refused(job.customer_key, added.over)
            return refused
        self._limits.used(job.customer_key, added.news)
        _log(job, added)
        if not added.repeated:
            self._metrics.observe(Metric.ACCEPT_SECONDS, monotonic() - began)
            self._metrics.count(Metric.ACCEPTED_JOBS, job.service)
            self._metrics.count(Metric.ACCEPTED, job.service, by=len(job.messages))
            self._accepted({message.route for message in job.messages})
        digests = tuple([message.digest for message in job.messages if message.digest])
        return Accepted(
            job_id=added.public_id, key=added.key, refused=added.refused, repeated=added.repeated, digests=digests
        )

    async def find(self, use: FirstUse, now: datetime) -> Accepted | Refused | None:
        """Return what became of a request that came under this name before, None for a new one."""
        try:
            found = await self._database.read(lambda tx: find_use(tx, use, to_stored(now)))
        except StorageError as error:
            log.warning("use_not_read", cause=str(error)[:300])
            return Refused(refusal=Refusal.INTERNAL)
        if found is None:
            return None
        job_id, same = found
        return Accepted(job_id=job_id, repeated=True) if same else Refused(refusal=Refusal.KEY_REUSED)

    async def forget(self, kept: Accepted) -> None:
        """Know a submission no longer: its client has heard the answer, and means it if it says the same again."""
        try:
            await self._database.write(self._outbound.forget_digests, kept.digests)
        except StorageError as error:
            log.warning("digests_not_forgotten", job=kept.job_id, cause=str(error)[:300])


def _refuse(job: NewJob, added: Added) -> Refused | None:
    """Return why the transaction stored nothing of a job."""
    if added.duplicate:
        log.info("mail_duplicate", job=added.public_id, customer=job.customer)
        return Refused(
            refusal=Refusal.DUPLICATE,
            detail=f"the same text went to the same numbers a short time ago in job {added.public_id}",
        )
    if added.replayed and job.first_use is not None and job.first_use.once:
        return Refused(refusal=Refusal.KEY_REUSED)
    if added.replayed:
        log.info("mail_replayed", customer=job.customer, recipients=len(job.messages))
        detail = "this signed mail was used for other recipients before"
        return Refused(refusal=Refusal.SENDER_NOT_AUTHORISED, detail=detail)
    if added.stopped:
        log.info("mail_stopped", customer=job.customer, recipients=len(job.messages))
        return stopped()
    if added.over is not None:
        log.info("limit_reached", customer=job.customer, limit=added.over.claim.counter, used=added.over.used)
        return refuse(added.over, job.accepted_at)
    return None


def _log(job: NewJob, added: Added) -> None:
    refused = parts = cut = replaced = 0
    alphabets = set()
    for message in job.messages:
        encoded = message.encoded
        if encoded is None:
            refused += 1
            continue
        parts += len(encoded.lengths)
        cut += len(encoded.cut)
        replaced += len(encoded.replaced)
        alphabets.add(encoded.alphabet)
    log.info(
        "mail_repeated" if added.repeated else "dry_run" if job.dry_run else "job_accepted",
        job=added.public_id,
        customer=job.customer,
        service=job.service,
        recipients=len(job.messages),
        refused=refused,
        parts=parts,
        alphabet=",".join(sorted(alphabets)),
        cut=cut,
        replaced=replaced,
    )
