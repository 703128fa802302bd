"""What applications send, whatever interface they speak: planned, kept or refused as mail is.

An interface parses and answers; all rules are here and below. Not here: who logs in (gateway.auth), what is decided
about a submission (gateway.plan).
"""

from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from time import monotonic
from zoneinfo import ZoneInfo

import structlog
from msgspec.structs import replace

from addressbook.hierarchy import LayerKind, Resolved, layer_of
from addressbook.senders import Principal, Sender, find_account_sender, find_login_sender
from addressbook.snapshot import Snapshot
from gateway.accept import Acceptance, Accepted, SnapshotChanged
from gateway.directory import DirectoryFollower
from gateway.judging import judge_and_do
from gateway.limits import DiskReserve, Rate
from gateway.metrics import Metric, Metrics
from gateway.plan import hold_back, plan
from gateway.planned import JobPlan
from gateway.ports import Clock
from gateway.routing import CarrierRoutes
from gateway.submission import RecipientRequest, Submission
from sms.esme import EsmeRequest
from sms.job import FirstUse
from sms.message import Origin
from sms.outcome import Refusal, Refused
from sms.schedule import Blackout
from sms.settings import SettingsPatch

log = structlog.get_logger()

_MOST_RESOLVED = 500
# What catching up with the address book, or a little time, may change is no word for good.
_PASSING = frozenset({Refusal.RATE_LIMITED, Refusal.LIMIT_REACHED, Refusal.NO_STORAGE, Refusal.INTERNAL})


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationJob:
    """What an application wants sent: texts, each with its recipients, and the `options` that it sets (by setting).

    `service` is the interface. A `digest` names the request among those of its customer, so that a repeat is known; it
    is `identified` where the application itself gave that name. `ignored_options` were asked for and do nothing. In a
    `personalised` job the one text has placeholders, which the values of its recipients fill. `first_use` is
    set where its client named the request (gateway.dedup_keys.request_use), `esme` where an ESME submits it. The
    settings of the list `listed`, whose members the recipients are, count below the options.
    """

    service: Origin
    texts: tuple[tuple[str, tuple[RecipientRequest, ...]], ...]
    options: SettingsPatch = field(default_factory=dict)
    reference: str = ""
    start_at: datetime | None = None
    blackouts: tuple[Blackout, ...] = ()
    ignored_options: tuple[str, ...] = ()
    digest: bytes = b""
    identified: bool = True
    personalised: bool = False
    first_use: FirstUse | None = None
    esme: EsmeRequest | None = None
    listed: str = ""


class Applications:
    """The use case; one object serves all interfaces. `rate` bounds the jobs of a customer per minute."""

    def __init__(  # noqa: PLR0913 - every collaborator by name
        self,
        *,
        book: DirectoryFollower,
        routes: CarrierRoutes,
        acceptance: Acceptance,
        clock: Clock,
        disk: DiskReserve,
        rate: Rate,
        metrics: Metrics,
    ) -> None:
        self._metrics = metrics
        self._resolved_of: Snapshot | None = None
        self._resolved: dict[object, Resolved] = {}
        self._book = book
        self._routes = routes
        self._acceptance = acceptance
        self._clock = clock
        self._disk = disk
        self._rate = rate

    async def sender_of(self, principal: Principal, service: Origin, *, tls: bool) -> Sender | Refused:
        """Return as whom a login uses an interface; a «no» is said by what the database holds now."""
        found = self.admit(principal, service, tls=tls)
        if isinstance(found, Refused) and await self._book.confirm():
            return self.admit(principal, service, tls=tls)
        return found

    def admit(self, principal: Principal, service: Origin, *, tls: bool) -> Sender | Refused:
        """Return the same by what is known here."""
        snapshot = self._book.current
        refused = None if tls else snapshot.refuse_clear(principal, "")
        return refused or _sender_of(principal, service, snapshot)

    def zone_of(self, sender: Sender, service: Origin) -> tzinfo:
        """Return the time zone of the instants that a sender gives without one."""
        return ZoneInfo(self._book.current.resolve(sender, service).settings.time_zone)

    async def plan(self, principal: Principal, job: ApplicationJob) -> JobPlan | Refused:
        """Return what would become of a job; nothing is stored, and nothing is counted."""
        planned = self._plan(principal, job, self._book.current)
        if isinstance(planned, Refused):
            return planned
        numbers = {message.number.digits for message in planned.messages if message.number is not None}
        return hold_back(planned, await self._book.stops_of(planned.submission.sender.customer, numbers))

    async def submit(self, principal: Principal, job: ApplicationJob) -> Accepted | Refused:
        """Keep a job. After `Accepted` it survives anything; a refusal stored nothing of it.

        A named request that was kept before is answered with its job, whatever has changed since.
        """
        known = await self._acceptance.find(job.first_use, self._clock.now()) if job.first_use is not None else None
        if known is not None:
            return known
        if not self._disk.enough():
            done: Accepted | Refused = Refused(refusal=Refusal.NO_STORAGE)
        elif not principal.sandbox and not self._rate.take(principal.customer_id, monotonic()):
            wait = self._rate.free_in(principal.customer_id, monotonic())
            done = Refused(refusal=Refusal.RATE_LIMITED, wait=wait)
        else:
            done = await self._keep(principal, job)
        if isinstance(done, Refused):
            log.info("job_refused", service=job.service.value, login=principal.login, reason=done.refusal.value)
            self._metrics.count(Metric.REFUSED, job.service, done.refusal)
        return done

    async def _keep(self, principal: Principal, job: ApplicationJob) -> Accepted | Refused:
        """Plan and keep a job as often as the address book changes meanwhile."""

        async def judge() -> JobPlan | Refused:
            return self._plan(principal, job, self._book.current)

        async def keep(planned: JobPlan | Refused) -> Accepted | SnapshotChanged | Refused:
            return planned if isinstance(planned, Refused) else await self._acceptance.keep(planned)

        return await judge_and_do(self._book, judge, keep, is_no=_is_no)

    def _plan(self, principal: Principal, job: ApplicationJob, snapshot: Snapshot) -> JobPlan | Refused:
        sender = _sender_of(principal, job.service, snapshot)
        if isinstance(sender, Refused):
            return sender
        is_divided = job.esme is not None and job.esme.header is not None  # and a part may be blank
        if not is_divided and any(not text.strip() for text, _ in job.texts):
            return Refused(refusal=Refusal.NO_TEXT)
        if any("\0" in text for text, _ in job.texts):
            return Refused(refusal=Refusal.NOT_ENCODABLE, detail="The text has the character U+0000, which is none.")
        submission = Submission(
            sender=sender,
            service=job.service,
            wanted=_wanted(job),
            text=job.texts[0][0] if job.texts else "",
            resolved=self._resolve(sender, job, snapshot),
            reference=job.reference,
            ignored_options=job.ignored_options,
            digest=job.digest,
            identified=job.identified,
            start_at=job.start_at,
            blackouts=job.blackouts,
            personalised=job.personalised,
            proof=principal.proof,
            service_by=f"interface {job.service}",
            login=principal.login,
            first_use=job.first_use,
            sandbox=principal.sandbox,
            esme=job.esme,
        )
        return plan(submission, snapshot, self._routes, self._clock.now())

    def _resolve(self, sender: Sender, job: ApplicationJob, snapshot: Snapshot) -> Resolved:
        """Return the settings in force; those that were asked for lately are kept, since most jobs are asked alike."""
        if self._resolved_of is not snapshot or len(self._resolved) >= _MOST_RESOLVED:
            self._resolved_of, self._resolved = snapshot, {}
        user, profile = sender.user, sender.profile
        who = (sender.customer.key, user and user.key, profile and profile.key, job.service)
        key = (who, job.listed, frozenset(job.options.items()))
        found = self._resolved.get(key)
        if found is None:
            asked = layer_of(LayerKind.MESSAGE, job.options, f"request by {job.service}")
            listed = snapshot.lists.named(sender.customer.key, job.listed) if job.listed else None
            below = snapshot.layer_of_list(listed) if listed is not None else None
            further = (asked,) if below is None else (below, asked)
            found = self._resolved[key] = snapshot.resolve(sender, job.service, further)
        return found


def _sender_of(principal: Principal, service: Origin, snapshot: Snapshot) -> Sender | Refused:
    find = find_account_sender if service is Origin.PORTAL else find_login_sender
    sender = find(snapshot.directory, principal)
    return sender if isinstance(sender, Refused) else snapshot.refuse_service(sender.customer, service) or sender


def _is_no(planned: JobPlan | Refused) -> bool:
    refused = planned if isinstance(planned, Refused) else planned.refused
    return refused is not None and refused.refusal not in _PASSING


def _wanted(job: ApplicationJob) -> tuple[RecipientRequest, ...]:
    """Return the recipients of all texts; with several texts each has its own."""
    if len(job.texts) == 1:
        return job.texts[0][1]
    return tuple(replace(wanted, text=text) for text, recipients in job.texts for wanted in recipients)
