"""A submission into a job that is kept, or a refusal: settings, numbers, text, parts, one transaction.

`plan` decides and stores nothing: the dry run and the server share it. `keep` stores what was planned; when it returns,
«250» may be said. Not here: what a mail says (mta.reading.dedup_keys), who sends it (mta.identify).
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from addressbook.hierarchy import Layer, LayerKey, LayerKind, Layers, Resolved, refuse_country
from addressbook.lists import DistributionList
from addressbook.people import Customer, Profile, User
from gateway.directory import DirectoryFollower
from gateway.encode import Texts, encode_rows, encode_shared
from gateway.ports import Clock
from gateway.routing import SEPARATOR, CarrierRoutes, Routed
from sms.message import EncodedText, MailOrigin, Origin
from sms.number import MobileNumber, country_of, parse_number
from sms.outcome import ProblemCode, Refusal, Refused
from sms.personalise import RowFault
from sms.report import Addressee, Channel, NoticeKind, addressees
from sms.schedule import Blackout, Schedule, decide_schedule
from sms.settings import ReportFormat, Settings, StatusReport
from store.engine.database import Database, StorageError, StorageFullError
from store.engine.keys import PublicIds, to_stored
from store.jobs import Added, NewJob, NewMessage, Outbound
from store.serialise import freeze_blackouts, freeze_origins, freeze_settings

log = structlog.get_logger()

_SEEN_FOR = timedelta(days=7)
_IN_DOUBT_FOR = timedelta(minutes=15)
_DUPLICATE_FOR = timedelta(minutes=10)
_FEW_MESSAGES = 50
_RESOLVED_REMEMBERED = 1_000
_NUMBERS_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who submits: the customer that pays, and the user and profile whose settings apply."""

    customer: Customer
    user: User | None = None
    profile: Profile | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientRequest:
    """One recipient as asked for: the address or field as given, and the text of its number, or why it holds none.

    `values` fill the placeholders of a personalised text. `row` names the row of a table, in which any fault refuses
    the whole submission; it is empty elsewhere.
    """

    given: str
    number: str
    refused: Refused | None = None
    notify: str = ""
    orcpt: str = ""
    values: Mapping[str, str] | None = None
    row: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What somebody wants sent.

    `digest` makes the resubmission key of a number; None where repeats can't be told. What its content alone
    identifies is known for minutes, and until its client heard the answer (`forget`). `duplicate` makes the key of a
    number and its text, where the settings want duplicates detected. A `personalised` text has placeholders. A dry
    run is planned like any other and answered with the plan. `version` is the address book's before anything was
    looked up in it; None for its present one.
    """

    sender: Sender
    service: Origin
    wanted: tuple[RecipientRequest, ...]
    text: str
    resolved: Resolved
    mail: MailOrigin | None = None
    reference: str = ""
    digest: Callable[[str], bytes] | None = None
    identified: bool = True
    duplicate: Callable[[str, str], bytes] | None = None
    start_at: datetime | None = None
    blackouts: tuple[Blackout, ...] = ()
    personalised: bool = False
    dry_run: bool = False
    version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedMessage:
    """What would become of one recipient; `duplicate_of` is the earlier address that names the same number.

    `encoded` is its own text, None where it has that of the plan. `costs` are the labels of its carriers.
    """

    wanted: RecipientRequest
    number: MobileNumber | None = None
    refused: Refused | None = None
    route: str = ""
    costs: tuple[str, ...] = ()
    duplicate_of: str = ""
    encoded: EncodedText | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlan:
    """A submission decided: its text made ready, each recipient judged, and when it goes out.

    `refused` says why nothing of it may be kept, and then `encoded` and `schedule` may be None; `faults` has all rows
    that are to blame. `encoded` is also None where every recipient has a text of its own.
    """

    submission: Submission
    encoded: EncodedText | None
    messages: tuple[PlannedMessage, ...]
    schedule: Schedule | None
    version: int
    refused: Refused | None = None
    faults: tuple[RowFault, ...] = ()

    def encoded_of(self, message: PlannedMessage) -> EncodedText | None:
        """Return the text that one of the recipients would get."""
        return message.encoded or self.encoded


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A job that is stored; `repeated` says that it was there already and nothing new was stored.

    `digests` are the keys by which it is known again.
    """

    job_id: str
    repeated: bool = False
    digests: tuple[bytes, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SnapshotChanged:
    """The directory changed under the plan: nothing was stored, plan again."""


@dataclass(slots=True)
class _Frozen:
    """Frozen settings of a resolved answer, made once: most submissions of a user share it."""

    settings: str
    origins: str
    of: Resolved = field(repr=False)


_Judged = tuple[MobileNumber, Routed] | Refused


class Acceptance:
    """The use case; one object serves all doors."""

    def __init__(  # noqa: PLR0913 - the use case names everything it needs, once
        self,
        *,
        database: Database,
        outbound: Outbound,
        book: DirectoryFollower,
        routes: CarrierRoutes,
        clock: Clock,
        accepted: Callable[[], None],
    ) -> None:
        self._database = database
        self._outbound = outbound
        self._book = book
        self._routes = routes
        self._clock = clock
        self._accepted = accepted
        self._frozen: dict[int, _Frozen] = {}
        # One value, since threads share it: answers never stand beside other constraints than their own.
        self._judged: tuple[Layers, dict[tuple[object, ...], _Judged]] = (book.layers, {})
        self._ids = PublicIds()

    def resolve(self, sender: Sender, service: Origin, further: Sequence[Layer] = ()) -> Resolved:
        """Return the settings in force for a sender's submission; `further` are its list, message and trial layers."""
        return self._book.layers.resolve(
            sender.customer.id,
            service.value,
            sender.profile.id if sender.profile is not None else None,
            sender.user.id if sender.user is not None else None,
            further,
        )

    def layer_of_list(self, listed: DistributionList) -> Layer | None:
        """Return the settings of a list, None where it has none of its own."""
        layer = self._book.layers.layer(LayerKey(LayerKind.LIST, listed.id))
        return None if layer is None else replace(layer, owner=listed.name)

    def judge_number(self, sender: Sender, text: str, resolved: Resolved) -> MobileNumber | Refused:
        """Return the number that a text names, or why this sender's SMS can't go there."""
        judged = self._judge_number(sender, text, resolved)
        return judged if isinstance(judged, Refused) else judged[0]

    def _judge_number(self, sender: Sender, text: str, resolved: Resolved) -> _Judged:
        """Return a number and its route; what RCPT has asked is remembered for DATA, and for the next mail."""
        layers = self._book.layers
        judged_of, judged = self._judged
        if layers is not judged_of or len(judged) >= _NUMBERS_REMEMBERED:
            judged = {}
            self._judged = (layers, judged)
        settings, customer = resolved.settings, sender.customer
        key = (customer.id, customer.name, text, settings.default_country, settings.strict_numbers)
        found = judged.get(key)
        if found is None:
            found = judged[key] = self._judge_number_anew(customer, text, settings, layers)
        return found

    def _judge_number_anew(self, customer: Customer, text: str, settings: Settings, layers: Layers) -> _Judged:
        number = parse_number(text, settings.default_country, strict=settings.strict_numbers)
        if isinstance(number, Refused):
            return number
        constraints = layers.constraints(customer.id)
        if any(rule.countries is not None for rule in constraints):
            refused = refuse_country(country_of(number), constraints)
            if refused is not None:
                return refused
        routed = self._routes.explain(number, customer.name)
        return routed if isinstance(routed, Refused) else (number, routed)

    @property
    def version(self) -> int:
        """The version of the address book in force, to be remembered in a submission before anything is looked up."""
        return self._book.version

    def plan(self, submission: Submission) -> JobPlan:
        """Decide everything about a submission and store nothing. It may be called in any thread."""
        version = self._book.version if submission.version is None else submission.version
        settings = submission.resolved.settings
        messages = self._judge_all(submission)
        texts = self._texts(submission, messages)
        schedule = decide_schedule(submission.start_at, submission.blackouts, settings.validity, self._clock.now())
        return JobPlan(
            submission=submission,
            encoded=texts.shared,
            messages=tuple(
                replace(message, encoded=texts.own[index]) if index in texts.own else message
                for index, message in enumerate(messages)
            ),
            schedule=None if isinstance(schedule, Refused) else schedule,
            version=version,
            refused=_refuse_all(submission, schedule, texts, messages),
            faults=texts.faults,
        )

    def _judge_all(self, submission: Submission) -> tuple[PlannedMessage, ...]:
        first_given: dict[str, str] = {}
        messages = []
        for wanted in submission.wanted[: submission.resolved.settings.max_recipients + 1]:
            judged = wanted.refused or self._judge_number(submission.sender, wanted.number, submission.resolved)
            if isinstance(judged, Refused):
                messages.append(PlannedMessage(wanted=wanted, refused=judged))
                continue
            number, routed = judged
            messages.append(
                PlannedMessage(
                    wanted=wanted,
                    number=number,
                    route=routed.route,
                    costs=routed.costs,
                    duplicate_of=first_given.get(number.digits, ""),
                )
            )
            first_given.setdefault(number.digits, wanted.given)
        return tuple(messages)

    def _texts(self, submission: Submission, messages: Sequence[PlannedMessage]) -> Texts:
        settings = submission.resolved.settings
        wide = any(self._routes.wants_wide_reference(message.route) for message in messages if message.route)
        lacking = {
            index: self._routes.lacking_on(message.route)
            for index, message in enumerate(() if self._routes.have_all else messages)
            if message.route and not message.duplicate_of
        }
        if not submission.personalised:
            return encode_shared(submission.text, settings, wide=wide, lacking=lacking)
        rows = {
            index: (message.wanted.row or message.wanted.number or message.wanted.given, message.wanted.values or {})
            for index, message in enumerate(messages)
            if message.refused is None and not message.duplicate_of
        }
        bad = [
            (message.refused, RowFault(row=message.wanted.row, text=message.refused.detail))
            for message in messages
            if message.refused is not None and message.wanted.row
        ]
        return encode_rows(submission.text, rows, settings, bad, wide=wide, lacking=lacking)

    async def keep(self, plan: JobPlan) -> Accepted | SnapshotChanged | Refused:
        """Store a plan as a job. After `Accepted` it survives anything; the other answers stored nothing."""
        if plan.refused is not None:
            return plan.refused
        try:
            many = len(plan.messages) > _FEW_MESSAGES
            new_job = await asyncio.to_thread(self._new_job, plan) if many else self._new_job(plan)
            added = await self._database.write(self._outbound.add_jobs, new_job)
        except StorageError as error:
            log.exception("accept_failed", cause=str(error.__cause__ or error)[:300])
            return Refused(refusal=Refusal.NO_STORAGE if isinstance(error, StorageFullError) else Refusal.INTERNAL)
        if added.stale:
            return SnapshotChanged()
        if added.duplicate:
            log.info("mail_duplicate", job=added.public_id, customer=plan.submission.sender.customer.name)
            return Refused(
                refusal=Refusal.DUPLICATE,
                detail=f"the same text went to the same numbers a short time ago in job {added.public_id}",
            )
        self._log(plan, added)
        if not added.repeated:
            self._accepted()
        digests = tuple(message.digest for message in new_job.messages if message.digest)
        return Accepted(job_id=added.public_id, repeated=added.repeated, digests=digests)

    async def forget(self, kept: Accepted) -> None:
        """Know a submission no longer: its client has heard the answer, and means it if it says the same again."""
        try:
            await self._database.write(self._outbound.forget_digests, kept.digests)
        except StorageError as error:
            log.warning("digests_not_forgotten", job=kept.job_id, cause=str(error)[:300])

    def _log(self, plan: JobPlan, added: Added) -> None:
        sender = plan.submission.sender
        texts = [
            encoded
            for message in plan.messages
            if message.refused is None and not message.duplicate_of and (encoded := plan.encoded_of(message))
        ]
        log.info(
            "mail_repeated" if added.repeated else "dry_run" if plan.submission.dry_run else "job_accepted",
            job=added.public_id,
            customer=sender.customer.name,
            service=plan.submission.service.value,
            recipients=sum(not message.duplicate_of for message in plan.messages),
            refused=sum(message.refused is not None for message in plan.messages),
            parts=sum(len(encoded.parts) for encoded in texts),
            alphabet=",".join(sorted({encoded.alphabet.value for encoded in texts})),
            cut=sum(len(encoded.cut) for encoded in texts),
            replaced=sum(len(encoded.replaced) for encoded in texts),
        )

    def _new_job(self, plan: JobPlan) -> NewJob:
        submission = plan.submission
        settings = submission.resolved.settings
        sender = submission.sender
        now = self._clock.now()
        frozen = self._freeze(submission.resolved)
        mail = submission.mail
        report = _report_rule(submission)
        schedule = plan.schedule
        assert schedule is not None  # only a plan that is not refused is kept
        return NewJob(
            public_id=self._ids.take("J", now),
            directory_version=plan.version,
            customer_key=sender.customer.id,
            customer=sender.customer.name,
            profile=sender.profile.name if sender.profile is not None else "",
            user_address=sender.user.address if sender.user is not None else "",
            service=submission.service.value,
            reference=submission.reference,
            accepted_at=to_stored(now),
            due_at=to_stored(schedule.due_at),
            expires_at=to_stored(schedule.expires_at),
            blackouts=freeze_blackouts(schedule.blackouts),
            report=report,
            settings=frozen.settings,
            origins=frozen.origins,
            mail=mail,
            messages=tuple(
                self._new_message(plan, message, now) for message in plan.messages if not message.duplicate_of
            ),
            sender=settings.sender_id,
            priority=settings.priority,
            flash=settings.flash,
            receipt_wanted=settings.delivery_receipt or _asks_for_success(submission),
            notices=_first_notices(submission),
            channel=settings.status_channel,
            push_url=settings.push_url,
            seen_until=to_stored(now + (_SEEN_FOR if submission.identified else _IN_DOUBT_FOR)),
            duplicate_until=to_stored(now + _DUPLICATE_FOR),
            dry_run=submission.dry_run,
        )

    def _new_message(self, plan: JobPlan, message: PlannedMessage, now: datetime) -> NewMessage:
        wanted = message.wanted
        identity = self._ids.take("S", now)
        if message.refused is not None or message.number is None:
            refused = message.refused or Refused(refusal=Refusal.INTERNAL)
            return NewMessage(
                public_id=identity,
                given=wanted.given,
                number=None,
                encoded=None,
                notify=wanted.notify,
                orcpt=wanted.orcpt,
                reason=refused.refusal.value,
                problem=refused.detail,
            )
        submission = plan.submission
        digest = submission.digest
        encoded = plan.encoded_of(message)
        assert encoded is not None  # only a plan that is not refused is kept
        return NewMessage(
            public_id=identity,
            given=wanted.given,
            number=message.number,
            encoded=encoded,
            notify=wanted.notify,
            orcpt=wanted.orcpt,
            reason=ProblemCode.DRY_RUN.value if submission.dry_run else "",
            problem=_spoken_route(message) if submission.dry_run else "",
            digest=digest(message.number.digits) if digest is not None else b"",
            duplicate=_duplicate_key(submission, message, encoded),
            route=message.route,
        )

    def _freeze(self, resolved: Resolved) -> _Frozen:
        found = self._frozen.get(id(resolved))
        if found is None:
            found = _Frozen(freeze_settings(resolved.settings), freeze_origins(resolved.origins()), resolved)
            if len(self._frozen) >= _RESOLVED_REMEMBERED:
                self._frozen.clear()
            self._frozen[id(resolved)] = found
        return found


def _refuse_all(
    submission: Submission, schedule: Schedule | Refused, texts: Texts, messages: tuple[PlannedMessage, ...]
) -> Refused | None:
    """Return why nothing of a submission may be kept: settings, size, instants, text, a row, or all recipients."""
    settings = submission.resolved.settings
    if submission.resolved.refused:
        return submission.resolved.refused[0]
    if len(messages) > settings.max_recipients:
        return Refused(refusal=Refusal.JOB_TOO_LARGE, detail=f"At most {settings.max_recipients} recipients per job.")
    if isinstance(schedule, Refused):
        return schedule
    refusals = [message.refused for message in messages if message.refused is not None]
    if refusals and len(refusals) == len(messages) and not texts.faults:
        return refusals[0]
    if texts.refused is None and submission.dry_run and (submission.mail is None or not submission.mail.reverse_path):
        return Refused(
            refusal=Refusal.SENDER_NOT_AUTHORISED, detail="A dry run is answered by mail, and this one names no sender."
        )
    return texts.refused


def _first_notices(submission: Submission) -> tuple[tuple[NoticeKind, Addressee], ...]:
    if submission.dry_run:
        address = submission.mail.reverse_path if submission.mail is not None else ""
        return ((NoticeKind.DRY_RUN, (Channel.MAIL, address)),) if address else ()
    # Apart from status_report, which is about the result: «first only» is first_report with status_report never.
    if not submission.resolved.settings.first_report:
        return ()
    return tuple((NoticeKind.ACCEPTED, way) for way in _ways(submission))


def _ways(submission: Submission) -> tuple[Addressee, ...]:
    settings = submission.resolved.settings
    address = submission.mail.reverse_path if submission.mail is not None else ""
    return addressees(settings.status_channel, address, settings.push_url)


def _duplicate_key(submission: Submission, message: PlannedMessage, encoded: EncodedText) -> bytes:
    if submission.duplicate is None or submission.dry_run or message.number is None:
        return b""
    return submission.duplicate(message.number.digits, encoded.text + encoded.cut)


def _spoken_route(message: PlannedMessage) -> str:
    """Return the carriers that would be tried, best first, each with the label of what it costs."""
    carriers = message.route.split(SEPARATOR)
    told = [f"{name} ({cost})" if cost else name for name, cost in zip(carriers, message.costs, strict=True)]
    return f" {SEPARATOR} ".join(told)


def _asks_for_success(submission: Submission) -> bool:
    """Tell whether a DSN on success was asked for, which needs the network's receipt (RFC 3461 §5.2.4)."""
    dsn = submission.resolved.settings.report_format is ReportFormat.DSN
    return dsn and any("SUCCESS" in wanted.notify.upper() for wanted in submission.wanted)


def _report_rule(submission: Submission) -> StatusReport:
    """Return when the result is told: never where there is nobody to tell."""
    if submission.dry_run or not _ways(submission):
        return StatusReport.NEVER
    return submission.resolved.settings.status_report
