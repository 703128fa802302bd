"""The kinds of what the outbox holds, as one table: how a row becomes what its sender is given, and what the log says.

A new kind is a line here, who writes its rows, and how its channels compose it. Not here: the loop (gateway.outbox),
how each looks (mta.sending, web).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, cast

import structlog

from gateway.alerts import ALERT
from gateway.directory_mails import DIRECTORY_MAIL
from gateway.letters import LETTER, open_letter
from gateway.ports import (
    AlertMail,
    DirectoryMail,
    InboundDelivery,
    InboundList,
    InboundMail,
    InboundPush,
    Item,
    PostmasterMail,
    TlsReport,
)
from gateway.postmaster import POSTMASTER, unpack
from gateway.tls_reports import TLS_REPORT
from inbound.actions import ListMode
from inbound.report import InboundReport
from sms.message import TlsTag
from sms.outbox import OutboxEvent
from sms.report import JobReport, MessageNotice, Notice, NoticeKind
from store.engine.keys import to_instant
from store.esme import ESME_RECEIPT, open_receipt
from store.inbound_mail import INBOUND_LIST, INBOUND_MAIL
from store.message_pushes import MESSAGE_PUSH, open_push
from store.outbox import OutboxEnd, TakenRow

log = structlog.get_logger()


INBOUND_PUSH: Final = "inbound-push"
ESME_INBOUND: Final = "esme-inbound"

Report = JobReport | InboundReport
"""What is known of the job or of the inbound SMS that a row belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxKind:
    """How a row of one kind is opened, with the report of its job or SMS if it has one, and how an attempt is logged.

    `is_overtaken` tells that it need not be sent any more. `gives_up_loudly`: the administrator is told of one that
    nobody will get. `action_of` is the key of the action that a receiver ends which says that it is gone.
    """

    open: Callable[[TakenRow, Report | None], Item]
    log: Callable[[TakenRow, OutboxEnd, Report | None], None]
    is_overtaken: Callable[[Report | None], bool] = lambda _: False
    gives_up_loudly: bool = False
    action_of: Callable[[TakenRow], int | None] = lambda _: None


def _notice(taken: TakenRow, report: Report | None) -> Notice:
    assert isinstance(report, JobReport)
    return Notice(
        key=taken.key,
        public_id=taken.public_id,
        kind=NoticeKind(taken.kind),
        recipient=taken.recipient,
        report=report,
        created_at=to_instant(taken.created_at),
        attempt=taken.attempt,
        channel=taken.channel,
    )


def _log_notice(taken: TakenRow, end: OutboxEnd, report: Report | None) -> None:
    log.info(
        "notice_attempted",
        notice=taken.public_id,
        job=report.public_id if report else "",
        kind=taken.kind,
        channel=taken.channel.value,
        state=end.state.value,
        host=end.host,
        tls=end.tls,
        policy=end.policy,
        reply=end.reply,
    )


def _message_push(taken: TakenRow, report: Report | None) -> MessageNotice:
    assert isinstance(report, JobReport)
    return open_push(taken, report)


def _is_settled(report: Report | None) -> bool:
    """Return whether a delay is overtaken by the result of its job, which is reported by itself."""
    return isinstance(report, JobReport) and report.settled_at is not None


def _alert(taken: TakenRow, _: Report | None) -> AlertMail:
    about = json.loads(taken.about)
    return AlertMail(
        identity=taken.public_id,
        recipient=taken.recipient,
        subject=about["subject"],
        text=about["text"],
        over=about.get("over", False),  # those of an earlier version have none
    )


def _log_alert(taken: TakenRow, end: OutboxEnd, _: Report | None) -> None:
    say = log.error if end.event is OutboxEvent.FAIL else log.info
    say("alert_attempted", alert=taken.public_id, state=end.state.value, problem=end.problem)


def _postmaster_mail(taken: TakenRow, _: Report | None) -> PostmasterMail:
    about = json.loads(taken.about)
    return PostmasterMail(
        identity=taken.public_id,
        recipient=taken.recipient,
        sender=about["sender"],
        recipients=about["recipients"],
        client=about["client"],
        helo=about["helo"],
        received_at=to_instant(taken.created_at),
        content=unpack(taken.content or b""),
        tls_tag=TlsTag(about.get("tls_tag", "")),  # those of an earlier version have none
    )


_POSTMASTER_EVENTS = {OutboxEvent.SEND: "forwarded", OutboxEvent.FAIL: "given_up"}


def _log_postmaster_mail(taken: TakenRow, end: OutboxEnd, _: Report | None) -> None:
    say = {OutboxEvent.SEND: log.info, OutboxEvent.FAIL: log.error}.get(end.event, log.warning)
    event = f"postmaster_mail_{_POSTMASTER_EVENTS.get(end.event, 'waits')}"
    say(event, mail=taken.public_id, attempt=taken.attempt, reply=end.reply or end.problem)


def _action_of(taken: TakenRow) -> int:
    return int(json.loads(taken.about)["action"])


def _inbound_push(taken: TakenRow, report: Report | None) -> InboundPush:
    assert isinstance(report, InboundReport)
    return InboundPush(identity=taken.public_id, action_key=_action_of(taken), report=report)


def _log_inbound_push(taken: TakenRow, end: OutboxEnd, report: Report | None) -> None:
    log.info(
        "push_attempted",
        push=taken.public_id,
        sms=report.public_id if report else "",
        action=_action_of(taken),
        attempt=taken.attempt,
        state=end.state.value,
        host=end.host,
        tls=end.tls,
        reply=end.reply or end.problem,
    )


def _inbound_mail(taken: TakenRow, report: Report | None) -> InboundMail:
    assert isinstance(report, InboundReport)
    about = json.loads(taken.about)
    return InboundMail(
        identity=taken.public_id,
        recipient=taken.recipient,
        report=report,
        user=about["user"],
        profile_key=about["profile"],
        is_fallback=about["fallback"],
        previous=about.get("previous", ""),
        created_at=to_instant(taken.created_at),
    )


def _inbound_list(taken: TakenRow, _: Report | None) -> InboundList:
    about = json.loads(taken.about)
    return InboundList(
        identity=taken.public_id,
        recipient=taken.recipient,
        customer_key=taken.customer_key or 0,
        name=about["name"],
        count=about["lines"],
        whole=about["mode"] == ListMode.FULL,
        content=unpack(taken.content or b""),
        created_at=to_instant(taken.created_at),
    )


def _directory_mail(taken: TakenRow, _: Report | None) -> DirectoryMail:
    about = json.loads(taken.about)
    return DirectoryMail(
        identity=taken.public_id,
        recipient=taken.recipient,
        customer_key=taken.customer_key or 0,
        run_key=about["run"],
        event=about["event"],
        created_at=to_instant(taken.created_at),
    )


def _tls_report(taken: TakenRow, _: Report | None) -> TlsReport:
    about = json.loads(taken.about)
    return TlsReport(
        identity=taken.public_id,
        recipient=taken.recipient,
        domain=about["domain"],
        day=about["day"],
        submitter=about["submitter"],
        report_id=about["report_id"],
        content=taken.content or b"",
        created_at=to_instant(taken.created_at),
    )


def _log_tls_report(taken: TakenRow, end: OutboxEnd, _: Report | None) -> None:
    about = json.loads(taken.about)
    log.info(
        "tls_report_attempted",
        report=taken.public_id,
        domain=about["domain"],
        day=about["day"],
        channel=taken.channel.value,
        state=end.state.value,
        host=end.host,
        reply=end.reply or end.problem,
    )


def _log_inbound_mail(taken: TakenRow, end: OutboxEnd, report: Report | None) -> None:
    say = log.error if end.event is OutboxEvent.FAIL else log.info
    say(
        "inbound_mail_attempted",
        mail=taken.public_id,
        sms=report.public_id if report is not None else "",
        kind=taken.kind,
        state=end.state.value,
        host=end.host,
        tls=end.tls,
        policy=end.policy,
        reply=end.reply or end.problem,
    )


def _log_directory_mail(taken: TakenRow, end: OutboxEnd, _: Report | None) -> None:
    say = log.error if end.event is OutboxEvent.FAIL else log.info
    event = json.loads(taken.about)["event"]
    say(
        "directory_mail_attempted",
        mail=taken.public_id,
        event_told=event,
        state=end.state.value,
        host=end.host,
        tls=end.tls,
        policy=end.policy,
        reply=end.reply or end.problem,
    )


def _esme_inbound(taken: TakenRow, report: Report | None) -> InboundDelivery:
    assert isinstance(report, InboundReport)
    return InboundDelivery(identity=taken.public_id, login=taken.recipient, report=report)


def _log_delivery(taken: TakenRow, end: OutboxEnd, _: Report | None) -> None:
    log.info(
        "esme_delivery_attempted",
        kind=taken.kind,
        delivery=taken.public_id,
        login=taken.recipient,
        attempt=taken.attempt,
        state=end.state.value,
        reply=end.reply or end.problem,
    )


def _log_letter(taken: TakenRow, end: OutboxEnd, _: Report | None) -> None:
    say = log.error if end.event is OutboxEvent.FAIL else log.info
    say(
        "letter_attempted", letter=taken.public_id, state=end.state.value, host=end.host, reply=end.reply or end.problem
    )


_NOTICE = OutboxKind(open=_notice, log=_log_notice, gives_up_loudly=True)
KINDS: Mapping[str, OutboxKind] = MappingProxyType(
    {
        **dict.fromkeys(cast("list[str]", list(NoticeKind)), _NOTICE),
        NoticeKind.DELAYED: OutboxKind(open=_notice, log=_log_notice, is_overtaken=_is_settled, gives_up_loudly=True),
        MESSAGE_PUSH: OutboxKind(open=_message_push, log=_log_notice, gives_up_loudly=True),
        LETTER: OutboxKind(open=lambda taken, _: open_letter(taken), log=_log_letter, gives_up_loudly=True),
        ALERT: OutboxKind(open=_alert, log=_log_alert),
        POSTMASTER: OutboxKind(open=_postmaster_mail, log=_log_postmaster_mail),
        INBOUND_PUSH: OutboxKind(open=_inbound_push, log=_log_inbound_push, gives_up_loudly=True, action_of=_action_of),
        INBOUND_MAIL: OutboxKind(open=_inbound_mail, log=_log_inbound_mail, gives_up_loudly=True),
        INBOUND_LIST: OutboxKind(open=_inbound_list, log=_log_inbound_mail, gives_up_loudly=True),
        DIRECTORY_MAIL: OutboxKind(open=_directory_mail, log=_log_directory_mail, gives_up_loudly=True),
        ESME_RECEIPT: OutboxKind(open=lambda taken, _: open_receipt(taken), log=_log_delivery),
        ESME_INBOUND: OutboxKind(open=_esme_inbound, log=_log_delivery),
        TLS_REPORT: OutboxKind(open=_tls_report, log=_log_tls_report),
    }
)
