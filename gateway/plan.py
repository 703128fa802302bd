"""A submission decided: numbers, routes, texts, schedule, and everything else that is frozen with its job.

Pure: the same submission, snapshot, routes and instant give the same plan, in any thread. The dry run, «explain» and
the server share it. Not here: what a submission says and who sends it (the edges), storing (gateway.accept).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from msgspec import structs

from addressbook.hierarchy import Constraints, refuse_country, refuse_type
from addressbook.senders import Sender
from addressbook.snapshot import Snapshot
from gateway.country_rules import CountryRules
from gateway.dedup_keys import duplicate_key, resubmission_key
from gateway.encode import (
    Demands,
    MadeText,
    TextDemand,
    Texts,
    encode_fixed,
    encode_own,
    encode_rows,
    encode_shared,
    refuse_cut,
)
from gateway.planned import JobPlan, PlannedMessage
from gateway.routing import CarrierRoutes, Routed
from gateway.scheduling import AskedTimes, decide_schedules
from gateway.submission import Submission
from gateway.usage_claims import claims_of
from inbound.stop_list import StopList
from sms.job import NewJob, NewMessage
from sms.message import EncodedText, Origin
from sms.number import MobileNumber, SenderId, country_of, parse_number, type_of
from sms.outcome import ProblemCode, Refusal, Refused
from sms.parameters import choose_parameters
from sms.parts import encode_divided
from sms.personalise import RowFault
from sms.report import Addressee, Channel, NoticeKind, addressees
from sms.route import SANDBOX_ROUTE, SEPARATOR
from sms.schedule import Schedule
from sms.settings import ReportFormat, Settings, StatusReport

_SEEN_FOR: Final = timedelta(days=7)
_IN_DOUBT_FOR: Final = timedelta(minutes=15)
_DUPLICATE_FOR: Final = timedelta(minutes=10)

_Notices = tuple[tuple[NoticeKind, Addressee], ...]


def plan(submission: Submission, snapshot: Snapshot, routes: CarrierRoutes, now: datetime) -> JobPlan:
    """Decide everything about a submission that was received at `now`, and store nothing.

    `snapshot` is the one that its sender and settings were looked up in.
    """
    judged = _judge_all(submission, snapshot, routes, now)
    texts = _encode(submission, judged, routes)
    if submission.esme is not None and texts.shared is not None:
        if len(texts.shared.lengths) > 1:
            # It is not divided for its sender: only a carrier that does it may have it.
            judged = _judge_all(submission, snapshot, routes, now, whole=True)
            texts = _encode(submission, judged, routes)
        if texts.shared is not None and texts.shared.cut:
            # An ESME hears at once what a person reads in the status mail.
            texts = Texts(refused=refuse_cut(texts.shared, submission.resolved.settings))
    times = AskedTimes(submission.start_at, submission.resolved.settings.validity, submission.blackouts)
    schedule, judged = decide_schedules(times, judged, now)
    for index, made in texts.apart.items():
        judged[index] = _with_text(judged[index], made, texts.shared)
    messages = tuple(judged)
    refused = _refuse_all(submission, schedule, texts, messages)
    job = None
    if refused is None and isinstance(schedule, Schedule):
        job = _new_job(submission, snapshot, schedule, texts.shared, messages, now)
    return JobPlan(
        submission=submission,
        encoded=texts.shared,
        messages=messages,
        schedule=schedule if isinstance(schedule, Schedule) else None,
        job=job,
        refused=refused,
        faults=texts.faults,
    )


def stopped() -> Refused:
    """Return why nothing is sent to whom a stop list names."""
    return Refused(refusal=Refusal.STOP_LIST, detail="BLOCKED: the recipient wants no SMS of this sender")


def hold_back(planned: JobPlan, stops: StopList) -> JobPlan:
    """Return a plan without whom stop lists name, as the transaction that accepts it leaves them out (store.jobs)."""
    submission = planned.submission
    if submission.past_stop:
        return planned
    customer, service = submission.sender.customer.key, submission.service.value
    messages = tuple(
        structs.replace(message, refused=stopped())
        if message.number is not None and stops.blocks(message.number.digits, customer, service)
        else message
        for message in planned.messages
    )
    if not messages or any(message.refused is None for message in messages) or planned.refused is not None:
        return structs.replace(planned, messages=messages)
    return structs.replace(planned, messages=messages, job=None, refused=stopped())


def judge_number(  # noqa: PLR0913, PLR0917 - what a number is judged by
    sender: Sender,
    text: str,
    settings: Settings,
    snapshot: Snapshot,
    routes: CarrierRoutes,
    sender_id: SenderId | None,
    *,
    whole: bool = False,
) -> tuple[MobileNumber, Routed] | Refused:
    """Return the number that a text names and its route, or why this sender's SMS can't go there.

    With one of our numbers as its sender ID it leaves by a carrier of that number; a text that must stay `whole` by
    one that divides it itself.
    """
    customer = sender.customer
    number = parse_number(text, settings.default_country, strict=settings.strict_numbers)
    if isinstance(number, Refused):
        return number
    limits = snapshot.limits(sender)
    refused = _refuse_by_limits(number, [rules for _, rules in limits]) if limits else None
    if refused is not None:
        return refused
    among = snapshot.numbers.carriers_for(sender_id, customer.key, number)
    if isinstance(among, Refused):
        return among
    if whole:
        among = tuple(routes.dividing & frozenset(among) if among else routes.dividing)
        if not among:
            detail = "no carrier takes a text of several parts whole: divide it, with a header or sar parameters"
            return Refused(refusal=Refusal.TOO_MANY_PARTS, detail=detail)
    routed = routes.explain(number, customer.name, among)
    return routed if isinstance(routed, Refused) else (number, routed)


def _refuse_by_limits(number: MobileNumber, rules: Sequence[Constraints]) -> Refused | None:
    """Return why the constraints of a sender keep it from a number: by its country, by what kind of number it is."""
    if any(rule.countries is not None for rule in rules):
        refused = refuse_country(country_of(number), rules)
        if refused is not None:
            return refused
    if any(rule.number_types is not None for rule in rules):
        return refuse_type(type_of(number), rules)
    return None


def _judge_all(
    submission: Submission, snapshot: Snapshot, routes: CarrierRoutes, now: datetime, *, whole: bool = False
) -> list[PlannedMessage]:
    first_given: dict[tuple[str, str | None], str] = {}
    messages = []
    sender, settings = submission.sender, submission.resolved.settings
    rules = CountryRules(snapshot, sender.customer, settings, routes, now)
    for wanted in submission.wanted[: settings.max_recipients + 1]:
        sender_id = wanted.sender_id or settings.sender_id
        judged = wanted.refused or judge_number(
            sender, wanted.number, settings, snapshot, routes, sender_id, whole=whole
        )
        if isinstance(judged, Refused):
            messages.append(PlannedMessage(wanted=wanted, refused=judged))
            continue
        number, routed = judged
        country = country_of(number)
        judgement = rules.judge(country, sender_id, routed.route)
        if judgement.sender_id is not None:
            sender_id, first = judgement.sender_id, routed.carriers[0]
            judged = judge_number(sender, wanted.number, settings, snapshot, routes, sender_id, whole=whole)
            routed = routed if isinstance(judged, Refused) else judged[1]
            if routed.carriers[0] != first:
                there = rules.judge(country, sender_id, routed.route)
                judgement = replace(there, findings=(*judgement.findings, *there.findings), sender_id=sender_id)
        refused = judgement.refused or (judged if isinstance(judged, Refused) else None)
        if refused is not None:
            found = judgement.findings
            messages.append(
                PlannedMessage(wanted=wanted, number=number, country=country, refused=refused, findings=found)
            )
            continue
        parameters = choose_parameters(settings.parameters, sender_id) if settings.parameters else ()
        fault = routes.find_parameter_fault(routed.route, parameters) if parameters else ""
        if fault:
            refused = Refused(refusal=Refusal.OPTION_MALFORMED, detail=fault)
            messages.append(PlannedMessage(wanted=wanted, number=number, country=country, refused=refused))
            continue
        same = number.digits, wanted.text
        earlier = first_given.get(same)
        if earlier is None:
            first_given[same] = wanted.given
        messages.append(
            PlannedMessage(
                wanted=wanted,
                number=number,
                country=country,
                route=routed.route,
                costs=routed.costs,
                parameters=parameters,
                duplicate_of=earlier or "",
                judgement=judgement,
                findings=judgement.findings,
                rate=judgement.rate,
            )
        )
    return messages


def _encode(submission: Submission, messages: Sequence[PlannedMessage], routes: CarrierRoutes) -> Texts:
    settings = submission.resolved.settings
    is_plain = routes.are_alike and all(message.judgement.wording is None for message in messages)
    demands = {} if is_plain else _demands_of(messages, routes)
    if submission.esme is not None and submission.esme.header is not None:
        divided = encode_divided(submission.text, submission.esme.header, settings.coding)
        if isinstance(divided, Refused):
            return Texts(refused=divided)
        return encode_fixed(submission.text, divided, demands)
    wide = any(map(routes.wants_wide_reference, {message.route for message in messages}))
    own = {
        index: message.wanted.text
        for index, message in enumerate(messages)
        if message.wanted.text is not None and message.refused is None and not message.duplicate_of
    }
    if own:
        return encode_own(own, settings, wide=wide, demands=demands)
    if not submission.personalised:
        return encode_shared(submission.text, settings, wide=wide, demands=demands)
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
    return encode_rows(submission.text, rows, settings, bad, wide=wide, demands=demands)


def _with_text(message: PlannedMessage, made: MadeText, shared: EncodedText | None) -> PlannedMessage:
    """Return a message with what came of the text for its recipient, who may have no other one than is `shared`."""
    text, findings = made.text, (*message.findings, *made.findings)
    if isinstance(text, Refused):
        return structs.replace(message, refused=text, findings=findings)
    return structs.replace(message, encoded=None if text == shared else text, findings=findings)


def _demands_of(messages: Sequence[PlannedMessage], routes: CarrierRoutes) -> Demands:
    known: dict[tuple[str, int], TextDemand] = {}
    demands = {}
    for index, message in enumerate(messages):
        if message.route and not message.duplicate_of:
            wording = message.judgement.wording
            key = message.route, id(wording)
            demand = known.get(key)
            if demand is None:
                demand = known[key] = TextDemand(routes.repertoire_of(message.route), wording)
            demands[index] = demand
    return demands


def _refuse_all(
    submission: Submission, schedule: Schedule | Refused, texts: Texts, messages: tuple[PlannedMessage, ...]
) -> Refused | None:
    """Return why nothing of a submission may be kept: settings, size, instants, text, a row, or all recipients."""
    settings = submission.resolved.settings
    for refused in submission.resolved.refused:
        shows_settings = any(wanted.sender_id is None for wanted in submission.wanted)
        if shows_settings or refused.refusal is not Refusal.SENDER_ID_NOT_PERMITTED:
            return refused
    if len(messages) > settings.max_recipients:
        return Refused(refusal=Refusal.JOB_TOO_LARGE, detail=f"At most {settings.max_recipients} recipients per job.")
    if isinstance(schedule, Refused):
        return schedule
    refusals = [message.refused for message in messages if message.refused is not None]
    if refusals and len(refusals) == len(messages) and not texts.faults:
        return refusals[0]
    has_answer = submission.login or (submission.mail is not None and submission.mail.reverse_path)
    if texts.refused is None and submission.dry_run and not has_answer:
        return Refused(
            refusal=Refusal.SENDER_NOT_AUTHORISED, detail="A dry run is answered by mail, and this one names no sender."
        )
    return texts.refused


def _new_job(  # noqa: PLR0913, PLR0917 - everything that was decided
    submission: Submission,
    snapshot: Snapshot,
    schedule: Schedule,
    shared: EncodedText | None,
    messages: Sequence[PlannedMessage],
    now: datetime,
) -> NewJob:
    sender, resolved, dry_run = submission.sender, submission.resolved, submission.dry_run
    settings, customer, proof = resolved.settings, sender.customer, submission.proof
    address = _address_to_tell(submission)
    ways = addressees(settings.status_channel, address, settings.push_url)
    is_pushed = bool(settings.push_states) and any(channel is Channel.PUSH for channel, _ in ways)
    asks = any(message.wanted.sender_id is None for message in messages)
    usage = () if submission.past_stop or submission.sandbox else claims_of(snapshot, sender, now)
    unanswerable = snapshot.numbers.judge_answers(settings.sender_id, customer.key) if asks else None
    notices, late_notices = _notices(submission, ways, is_scheduled=_is_scheduled(schedule, messages, now))
    return NewJob(
        directory_version=snapshot.version,
        customer_key=customer.key,
        customer=customer.name,
        profile=sender.profile.name if sender.profile is not None else "",
        user_address=sender.user.address if sender.user is not None else "",
        service=str(submission.service),
        reference=submission.reference,
        cost_centre=settings.cost_centre,
        accepted_at=now,
        due_at=schedule.due_at,
        expires_at=schedule.expires_at,
        blackouts=schedule.blackouts,
        # Never where there is nobody to tell.
        report=settings.status_report if ways and not dry_run else StatusReport.NEVER,
        settings=resolved.settings_json,
        origins=resolved.origins_json,
        mail=submission.mail,
        messages=tuple(
            _new_message(submission, message, message.encoded or shared)
            for message in messages
            if not message.duplicate_of
        ),
        sender=settings.sender_id,
        unanswerable=unanswerable.value if unanswerable is not None else "",
        ignored_options=submission.ignored_options,
        priority=settings.priority,
        flash=settings.flash,
        receipt_wanted=settings.delivery_receipt or _asks_for_success(submission),
        notices=notices,
        late_notices=late_notices,
        channel=settings.status_channel,
        push_url=settings.push_url,
        push_states=settings.push_states if is_pushed and not dry_run else (),
        seen_until=now + (_SEEN_FOR if submission.identified else _IN_DOUBT_FOR),
        duplicate_until=now + _DUPLICATE_FOR,
        dry_run=dry_run,
        sandbox=submission.sandbox,
        stop_listed=customer.stop_listed,
        past_stop=submission.past_stop,
        usage=usage,
        proof=str(proof.kind) if proof is not None else "",
        evidence=proof.evidence if proof is not None else "",
        service_by=submission.service_by,
        first_use=None if dry_run and submission.mail is not None else submission.first_use,
        esme=submission.esme,
        login=submission.login,
        status_address=address,
    )


def _is_scheduled(schedule: Schedule, messages: Sequence[PlannedMessage], now: datetime) -> bool:
    """Return whether something of a job goes out later than now."""
    return schedule.due_at > now or any(
        message.schedule is not None and message.schedule.due_at > now for message in messages
    )


def _address_to_tell(submission: Submission) -> str:
    """Return where the status of a submission is mailed, empty for nowhere: automatic answers are nobody's."""
    if submission.mail is not None:
        return submission.mail.reverse_path
    stored = submission.resolved.settings.status_address if submission.login else ""
    # Who sends by hand is told where they sign in, as who sends by mail is told there.
    return stored or (submission.login if submission.service is Origin.PORTAL else "")


def _new_message(submission: Submission, message: PlannedMessage, encoded: EncodedText | None) -> NewMessage:
    wanted, number, refused = message.wanted, message.number, message.refused
    if number is None or encoded is None or refused is not None:
        refused = refused or Refused(refusal=Refusal.INTERNAL)
        return NewMessage(
            given=wanted.given,
            number=None,
            encoded=None,
            notify=wanted.notify,
            orcpt=wanted.orcpt,
            reason=refused.refusal.value,
            problem=refused.detail,
            reference=wanted.reference,
            country=message.country,
            findings=message.findings,
        )
    dry_run, digest, duplicate = submission.dry_run, b"", b""
    # What is sent with a sandbox key makes nothing else a repeat.
    customer = ("sandbox of " if submission.sandbox else "") + submission.sender.customer.name
    if submission.digest:
        # A dry run does not make the submission that follows it a repeat.
        to = ("dry-run " if dry_run else "") + number.digits + (f" {wanted.text}" if wanted.text is not None else "")
        digest = resubmission_key(submission.digest, customer, to)
    if submission.resolved.settings.duplicate_detection and not dry_run:
        duplicate = duplicate_key(customer, number.digits, encoded.text + encoded.cut)
    return NewMessage(
        given=wanted.given,
        number=number,
        encoded=encoded,
        notify=wanted.notify,
        orcpt=wanted.orcpt,
        reason=ProblemCode.DRY_RUN.value if dry_run else "",
        problem=_name_carriers(message) if dry_run else "",
        digest=digest,
        duplicate=duplicate,
        route=SANDBOX_ROUTE if submission.sandbox else message.route,
        country=message.country,
        sender_id=message.judgement.sender_id or wanted.sender_id,
        parameters=message.parameters,
        findings=message.findings,
        reference=wanted.reference,
        schedule=message.schedule,
        rate=None if submission.sandbox or dry_run else message.rate,
    )


def _notices(submission: Submission, ways: tuple[Addressee, ...], *, is_scheduled: bool) -> tuple[_Notices, _Notices]:
    """Return who is told of a job at once, and who is told where it is put off."""
    if submission.dry_run:
        address = submission.mail.reverse_path if submission.mail is not None else ""
        return ((NoticeKind.DRY_RUN, (Channel.MAIL, address)),) if address else (), ()
    # Apart from status_report, which is about the result: «first only» is first_report with status_report never.
    if submission.resolved.settings.first_report:
        return tuple([(NoticeKind.ACCEPTED, way) for way in ways]), ()
    # Who asks for a time is told of it, and how to take the job back; an application gets what it is set to get.
    by_mail = tuple([(NoticeKind.ACCEPTED, way) for way in ways if way[0] is Channel.MAIL])
    return (by_mail, ()) if is_scheduled else ((), by_mail)


def _name_carriers(message: PlannedMessage) -> str:
    """Return the carriers that would be tried, best first, each with the label of what it costs."""
    carriers = message.route.split(SEPARATOR)
    told = [f"{name} ({cost})" if cost else name for name, cost in zip(carriers, message.costs, strict=True)]
    return f" {SEPARATOR} ".join(told)


def _asks_for_success(submission: Submission) -> bool:
    """Return whether a DSN on success was asked for, which needs the network's receipt (RFC 3461 §5.2.4)."""
    dsn = submission.resolved.settings.report_format is ReportFormat.DSN
    return dsn and any("SUCCESS" in wanted.notify.upper() for wanted in submission.wanted)
