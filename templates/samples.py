"""Sample reports and inbound SMS, for testing and previewing a customer's template before it is stored.

Not here: checking the result (templates.fitness). Numbers are from Ofcom's range for drama.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from inbound.report import Exchanged, InboundReport, TurnDirection
from sms.lifecycle import MessageState
from sms.message import Alphabet, MailOrigin, Replacement
from sms.outcome import ProblemCode, Refusal
from sms.report import JobReport, NoticeKind, ReportedMessage, ReportedPart
from sms.settings import Settings
from templates.forms import MailForm, kind_of
from templates.graphics import Graphic
from templates.inbound_view import InboundReader
from templates.render import Renderer, View

_ACCEPTED_AT = datetime(2026, 11, 23, 7, 15, 4, tzinfo=UTC)
_REPORTED_AT = _ACCEPTED_AT + timedelta(seconds=15)
_TEXT = 'Your delivery 80012345 comes today between 2 pm and 4 pm. <Questions> & "answers": \u05e9\u05dc\u05d5\u05dd'
_STATES = {
    NoticeKind.ACCEPTED: (MessageState.QUEUED,),
    NoticeKind.DELAYED: (MessageState.QUEUED, MessageState.SUBMITTING),
    NoticeKind.CORRECTION: (MessageState.DELIVERED,),
    NoticeKind.DRY_RUN: (MessageState.CANCELLED,),
    NoticeKind.RESULT: tuple(
        state for state in MessageState if state not in {MessageState.QUEUED, MessageState.SUBMITTING}
    ),
}
_NEVER_ACCEPTED = {
    MessageState.QUEUED,
    MessageState.SUBMITTING,
    MessageState.REJECTED,
    MessageState.FAILED,
    MessageState.CANCELLED,
}  # by a carrier
_REASONS = {
    MessageState.UNDELIVERED: ProblemCode.NOT_DELIVERED,
    MessageState.EXPIRED: ProblemCode.VALIDITY_ENDED,
    MessageState.REJECTED: Refusal.STOP_LIST,
    MessageState.FAILED: ProblemCode.NUMBER_REFUSED,
    MessageState.CANCELLED: ProblemCode.CANCELLED,
    MessageState.UNKNOWN: ProblemCode.LINK_LOST,
}


_NAMES = {0: "Anna Keller", 2: "Jonas Weber"}
_EARLIER = (
    Exchanged(
        direction=TurnDirection.OUT,
        at=_ACCEPTED_AT - timedelta(hours=2),
        text=_TEXT,
        by="anna.keller@example.com",
        state=MessageState.DELIVERED.value,
    ),
    Exchanged(direction=TurnDirection.IN, at=_ACCEPTED_AT - timedelta(hours=3), text="When does it come?"),
)


def sample_reports(kind: NoticeKind, settings: Settings | None = None) -> Iterator[JobReport]:
    """Yield reports of one kind: every state for one recipient, several recipients, many, with and without preview.

    One of them is shortened and has replaced characters.
    """
    base = settings or Settings(cost_centre="4711")
    hidden = replace(base, preview=False)
    for state in _STATES[kind]:
        yield _report(base, _message(state, 0, kind))
    arrived = MessageState.DELIVERED if kind is NoticeKind.RESULT else _STATES[kind][0]
    shortened = _shortened(_message(arrived, 0, kind))
    yield _report(base, shortened)
    yield _report(hidden, shortened)
    states = (*_STATES[kind], MessageState.REJECTED)
    mixed = [shortened, *(_message(state, index, kind) for index, state in enumerate(states, 1))]
    yield _report(base, *mixed)
    yield _report(hidden, *mixed)
    yield _report(base, *(_message(MessageState(state), index, kind) for index in range(60) for state in _STATES[kind]))


def sample_reports_of(form: MailForm, settings: Settings | None = None) -> Iterator[JobReport]:
    """Yield the reports of one form: with failures for the form of failures, without for a result."""
    for report in sample_reports(kind_of(form), settings):
        if form not in {MailForm.RESULT, MailForm.FAILURE} or bool(report.summary.failed) is (form is MailForm.FAILURE):
            yield report


def sample_inbound(settings: Settings | None = None) -> Iterator[tuple[InboundReport, InboundReader]]:
    """Yield inbound SMS: with name and history, alone, with a gap, a late part, to a fallback, one without a number."""
    base = settings or Settings()
    talk = _inbound(earlier=_EARLIER)
    yield talk, InboundReader(settings=base, profile="standard", name="Anna Keller")
    yield _inbound(), InboundReader(settings=replace(base, inbound_preview=False))
    yield _inbound(missing=(2,), total=3, text="Your delivery […] 4 pm."), InboundReader(settings=base, fallback=True)
    late = _inbound(is_late=True, total=3, text="80012345 comes today", late_of=_EARLIER[1], earlier=_EARLIER)
    yield late, InboundReader(settings=base)
    yield _inbound(is_late=True), InboundReader(settings=replace(base, inbound_history=0))
    yield _inbound(phone="INFO", keyword=""), InboundReader(settings=base, answerable=False)


def views_to_try(form: MailForm, renderer: Renderer) -> Iterator[View]:
    """Yield what a template of a form must work for: a status mail's for every kind, since it may stand for others."""
    if form is MailForm.INBOUND:
        yield from (renderer.view_inbound(report, reader) for report, reader in sample_inbound())
        return
    for kind in NoticeKind:
        for report in sample_reports(kind):
            yield renderer.view(kind, report)


def views_of(form: MailForm, renderer: Renderer, settings: Settings, logo: Graphic | None) -> Iterator[View]:
    """Yield what a template of a form sees of that form's samples under these settings."""
    if form is MailForm.INBOUND:
        yield from (renderer.view_inbound(report, reader, logo=logo) for report, reader in sample_inbound(settings))
        return
    for report in sample_reports_of(form, settings):
        yield renderer.view(kind_of(form), report, logo=logo)


def _report(settings: Settings, *messages: ReportedMessage) -> JobReport:
    return JobReport(
        public_id="J.20261123071504Z5D1E2F",
        customer="sample",
        profile="standard",
        user="anna.keller@example.com",
        service="mail",
        reference="PO-2026-118",
        accepted_at=_ACCEPTED_AT,
        settled_at=_REPORTED_AT,
        settings=settings,
        origins={},
        mail=MailOrigin(reverse_path="anna.keller@example.com", subject="Delivery"),
        messages=messages,
    )


def _message(state: MessageState, index: int, kind: NoticeKind) -> ReportedMessage:
    trial = kind is NoticeKind.DRY_RUN and state is MessageState.CANCELLED
    number = f"+447700900{index % 1000:03}"
    return ReportedMessage(
        public_id=f"S.20261123071504Z{index:06}",
        given=f"{number}@sms.example.net",
        number=number,
        state=state,
        reason=ProblemCode.DRY_RUN if trial else _REASONS.get(state, ""),
        problem="sandbox (standard)" if trial else "",
        text=_TEXT,
        cut="",
        replaced=(),
        name=_NAMES.get(index, ""),
        alphabet=Alphabet.UCS2,
        # What was refused never had parts.
        parts=() if state is MessageState.REJECTED else tuple(_part(state, index_of_part) for index_of_part in (1, 2)),
        sender_id="+447700900999",
        from_network=state in {MessageState.DELIVERED, MessageState.UNDELIVERED},
        updated_at=_REPORTED_AT,
        expires_at=_ACCEPTED_AT + timedelta(hours=48),
    )


def _shortened(message: ReportedMessage) -> ReportedMessage:
    replaced = (Replacement(index=3, old="\u2026", new="..."), Replacement(index=9, old="\U0001f69a", new="?"))
    return replace(message, cut=" And one thing more.", replaced=replaced)


def _part(state: MessageState, index: int) -> ReportedPart:
    carrier_id = "" if state in _NEVER_ACCEPTED else f"{index:08X}"
    reported_at = _REPORTED_AT if state is MessageState.DELIVERED else None
    return ReportedPart(
        index=index, total=2, text=_TEXT, state=state, carrier="sandbox", carrier_id=carrier_id, reported_at=reported_at
    )


def _inbound(**changes: Any) -> InboundReport:
    report = InboundReport(
        key=1,
        public_id="I.20261123071504Z5D1E2F",
        customer_key=1,
        customer="sample",
        carrier="sandbox",
        phone="447700900123",
        own_number="447700900999",
        text=_TEXT,
        keyword="INFO",
        received_at=_ACCEPTED_AT,
        total=1,
        missing=(),
        is_late=False,
        conversation_key=1,
    )
    return replace(report, **changes)
