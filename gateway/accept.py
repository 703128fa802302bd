"""A submission into a job that is kept, or a refusal: settings, numbers, text, parts, one transaction.

`plan` decides and stores nothing: the dry run and the server share it. `keep` stores what was planned; when it returns,
«250» may be said. Not here: what a mail says (mta.intake), who sends it (mta.identify).
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from addressbook.hierarchy import Layer, Resolved, refuse_country
from addressbook.people import Customer, Profile, User
from gateway.book import AddressBook
from gateway.ports import Clock
from gateway.routing import CarrierRoutes
from sms.message import EncodedText, MailOrigin, Origin
from sms.number import MobileNumber, country_of, parse_number
from sms.outcome import Refusal, Refused
from sms.parts import encode_text, with_reference
from sms.report import NoticeKind
from sms.settings import ReportFormat, StatusReport
from store.database import Database, StorageError
from store.frozen import freeze_origins, freeze_settings
from store.keys import public_id, to_stored
from store.outbound import Added, NewJob, NewMessage, Outbound

log = structlog.get_logger()

_SEEN_FOR = timedelta(days=7)
_RESOLVED_REMEMBERED = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who submits: the customer that pays, and the user and profile whose settings apply."""

    customer: Customer
    user: User | None = None
    profile: Profile | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One recipient as asked for: the address or field as given, and the text of its number, or why it holds none."""

    given: str
    number: str
    refused: Refused | None = None
    notify: str = ""
    orcpt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What somebody wants sent. `digest` makes the resubmission key of a number; None where repeats can't be told."""

    sender: Sender
    service: Origin
    wanted: tuple[Wanted, ...]
    text: str
    resolved: Resolved
    mail: MailOrigin | None = None
    reference: str = ""
    digest: Callable[[str], bytes] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedMessage:
    """What would become of one recipient; `duplicate_of` is the earlier address that names the same number."""

    wanted: Wanted
    number: MobileNumber | None = None
    refused: Refused | None = None
    route: str = ""
    duplicate_of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A submission decided: its text made ready, and each recipient judged.

    `refused` says why nothing of it may be kept, and then `encoded` may be None.
    """

    submission: Submission
    encoded: EncodedText | None
    messages: tuple[PlannedMessage, ...]
    refused: Refused | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A job that is stored; `repeated` says that it was there already and nothing new was stored."""

    job_id: str
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Stale:
    """The directory changed under the plan: nothing was stored, plan again."""


@dataclass(slots=True)
class _Frozen:
    """Frozen settings of a resolved answer, made once: most submissions of a user share it."""

    settings: str
    origins: str
    of: Resolved = field(repr=False)


class Acceptance:
    """The use case; one object serves all doors."""

    def __init__(  # noqa: PLR0913 - the use case names everything it needs, once
        self,
        *,
        database: Database,
        outbound: Outbound,
        book: AddressBook,
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

    def resolve(self, sender: Sender, service: Origin, further: Sequence[Layer] = ()) -> Resolved:
        """Return the settings in force for a sender's submission; `further` are its list, message and trial layers."""
        return self._book.layers.resolve(
            sender.customer.id,
            service.value,
            sender.profile.id if sender.profile is not None else None,
            sender.user.id if sender.user is not None else None,
            further,
        )

    def judge_number(self, sender: Sender, text: str, resolved: Resolved) -> MobileNumber | Refused:
        """Return the number that a text names, or why this sender's SMS can't go there."""
        judged = self._judge_number(sender, text, resolved)
        return judged if isinstance(judged, Refused) else judged[0]

    def _judge_number(self, sender: Sender, text: str, resolved: Resolved) -> tuple[MobileNumber, str] | Refused:
        """Return a number and its route."""
        settings = resolved.settings
        number = parse_number(text, settings.default_country, strict=settings.strict_numbers)
        if isinstance(number, Refused):
            return number
        constraints = self._book.layers.constraints(sender.customer.id)
        if any(rule.countries is not None for rule in constraints):
            refused = refuse_country(country_of(number), constraints)
            if refused is not None:
                return refused
        route = self._routes.route_of(number, sender.customer.name)
        return route if isinstance(route, Refused) else (number, route)

    def plan(self, submission: Submission) -> Plan:
        """Decide everything about a submission and store nothing."""
        settings = submission.resolved.settings
        encoded = encode_text(
            submission.text,
            coding=settings.coding,
            unencodable=settings.unencodable,
            max_parts=settings.max_parts,
        )
        messages = self._judge_all(submission)
        return Plan(
            submission=submission,
            encoded=None if isinstance(encoded, Refused) else encoded,
            messages=messages,
            refused=_refuse_all(submission, encoded, messages),
        )

    def _judge_all(self, submission: Submission) -> tuple[PlannedMessage, ...]:
        first_given: dict[str, str] = {}
        messages = []
        for wanted in submission.wanted:
            judged = wanted.refused or self._judge_number(submission.sender, wanted.number, submission.resolved)
            if isinstance(judged, Refused):
                messages.append(PlannedMessage(wanted=wanted, refused=judged))
                continue
            number, route = judged
            messages.append(
                PlannedMessage(
                    wanted=wanted, number=number, route=route, duplicate_of=first_given.get(number.digits, "")
                )
            )
            first_given.setdefault(number.digits, wanted.given)
        return tuple(messages)

    async def keep(self, plan: Plan) -> Kept | Stale | Refused:
        """Store a plan as a job. After `Kept` it survives anything; the other answers stored nothing."""
        if plan.refused is not None:
            return plan.refused
        try:
            added = await self._database.write(self._outbound.add_jobs, self._new_job(plan))
        except StorageError as error:
            log.exception("accept_failed", cause=str(error.__cause__ or error)[:300])
            return Refused(refusal=Refusal.NO_STORAGE)
        if added.stale:
            return Stale()
        self._log(plan, added)
        if not added.repeated:
            self._accepted()
        return Kept(job_id=added.public_id, repeated=added.repeated)

    def _log(self, plan: Plan, added: Added) -> None:
        sender = plan.submission.sender
        encoded = plan.encoded
        assert encoded is not None  # only a plan that is not refused is kept
        log.info(
            "mail_repeated" if added.repeated else "job_accepted",
            job=added.public_id,
            customer=sender.customer.name,
            service=plan.submission.service.value,
            recipients=sum(not message.duplicate_of for message in plan.messages),
            refused=sum(message.refused is not None for message in plan.messages),
            parts=len(encoded.parts),
            alphabet=encoded.alphabet.value,
            cut=len(encoded.cut),
            replaced=len(encoded.replaced),
        )

    def _new_job(self, plan: Plan) -> NewJob:
        submission = plan.submission
        settings = submission.resolved.settings
        sender = submission.sender
        now = self._clock.now()
        frozen = self._freeze(submission.resolved)
        mail = submission.mail
        report = _report_rule(submission)
        return NewJob(
            public_id=public_id("J", now),
            directory_version=self._book.version,
            customer_key=sender.customer.id,
            customer=sender.customer.name,
            profile=sender.profile.name if sender.profile is not None else "",
            person=sender.user.address if sender.user is not None else "",
            service=submission.service.value,
            reference=submission.reference,
            accepted_at=to_stored(now),
            due_at=to_stored(now),
            expires_at=to_stored(now + settings.validity),
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
            notices=(
                ((NoticeKind.ACCEPTED, mail.reverse_path),)
                if settings.first_report and mail is not None and report is not StatusReport.NEVER
                else ()
            ),
            seen_until=to_stored(now + _SEEN_FOR),
        )

    def _new_message(self, plan: Plan, message: PlannedMessage, now: datetime) -> NewMessage:
        wanted = message.wanted
        identity = public_id("S", now)
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
        digest = plan.submission.digest
        encoded = plan.encoded
        assert encoded is not None  # only a plan that is not refused is kept
        return NewMessage(
            public_id=identity,
            given=wanted.given,
            number=message.number,
            encoded=with_reference(encoded, secrets.randbits(8)) if len(encoded.parts) > 1 else encoded,
            notify=wanted.notify,
            orcpt=wanted.orcpt,
            digest=digest(message.number.digits) if digest is not None else b"",
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
    submission: Submission, encoded: EncodedText | Refused, messages: tuple[PlannedMessage, ...]
) -> Refused | None:
    """Return why nothing of a submission may be kept: its settings, its size, its text, or all its recipients."""
    settings = submission.resolved.settings
    if submission.resolved.refused:
        return submission.resolved.refused[0]
    if len(messages) > settings.max_recipients:
        return Refused(
            refusal=Refusal.TOO_MANY_RECIPIENTS, detail=f"At most {settings.max_recipients} recipients per job."
        )
    if isinstance(encoded, Refused):
        return encoded
    refusals = [message.refused for message in messages if message.refused is not None]
    return refusals[0] if len(refusals) == len(messages) else None


def _asks_for_success(submission: Submission) -> bool:
    """Tell whether a DSN on success was asked for, which needs the network's receipt (RFC 3461 §5.2.4)."""
    dsn = submission.resolved.settings.report_format is ReportFormat.DSN
    return dsn and any("SUCCESS" in wanted.notify.upper() for wanted in submission.wanted)


def _report_rule(submission: Submission) -> StatusReport:
    """Return when the result is told: never to the null sender (RFC 5321 §6.1)."""
    if submission.mail is None or not submission.mail.reverse_path:
        return StatusReport.NEVER
    return submission.resolved.settings.status_report
