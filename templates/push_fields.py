"""What a push says: the fields of a job report and of an inbound SMS, named as SMS interfaces do.

A report is without the text of its SMS. Not here: how they are written (pushes), posted and signed (web.push).
docs/push.md describes every field; fields may be added, but none is removed or changes its meaning.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from inbound.report import InboundReport
from sms.lifecycle import MessageState, is_final
from sms.message import Alphabet, Priority
from sms.outcome import ProblemCode, Refusal
from sms.report import JobReport, MessageNotice, Notice, ReportedMessage
from sms.settings import format_setting

_OF_STATE: Mapping[MessageState, tuple[str, str]] = MappingProxyType(
    {
        MessageState.QUEUED: ("OPEN", ""),
        MessageState.SUBMITTING: ("OPEN", ""),
        MessageState.SUBMITTED: ("RUNNING", ""),
        MessageState.DELIVERED: ("DONE", "SUC_FIN"),
        MessageState.UNDELIVERED: ("DONE", "FAILED_FIN"),
        MessageState.REJECTED: ("DONE", "FAILED_FIN"),
        MessageState.FAILED: ("DONE", "NOT_ACC_FIN"),
    }
)
_OF_UNKNOWN: Mapping[str, str] = MappingProxyType(
    {ProblemCode.NO_RECEIPT.value: "TIMEOUT", ProblemCode.STATE_UNKNOWN.value: "STATUS_ERR"}
)
_OF_REASON: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        Refusal.STOP_LIST.value: ("DONE", "BLOCKED"),
        Refusal.ADDRESS_MALFORMED.value: ("DONE", "INVALID_DST"),
        Refusal.ADDRESS_UNKNOWN.value: ("DONE", "INVALID_DST"),
        Refusal.NUMBER_MALFORMED.value: ("DONE", "INVALID_DST"),
        Refusal.NUMBER_IMPOSSIBLE.value: ("DONE", "INVALID_DST"),
        Refusal.NUMBER_INVALID.value: ("DONE", "INVALID_DST"),
        Refusal.NUMBER_CANNOT_RECEIVE.value: ("DONE", "INVALID_DST"),
        ProblemCode.NUMBER_REFUSED.value: ("DONE", "INVALID_DST"),
    }
)

# E.164 numbers in use have seven digits at least.
_SHORT_CODE = 6
_MESSAGE = "message"


def status_fields(notice: Notice | MessageNotice) -> dict[str, Any]:
    """Return what a push says of a job, or of one message of it."""
    report = notice.report
    if isinstance(notice, MessageNotice):
        fields = _job_fields(report, receipt_expected=not notice.ended)
        return {"event": _MESSAGE, "noticeId": notice.public_id, **fields}
    return {"event": notice.kind.value, "noticeId": notice.public_id, **job_fields(report)}


def inbound_fields(report: InboundReport, identity: str) -> dict[str, Any]:
    """Return what a push says of an inbound SMS; `identity` is the push's."""
    return {
        "cuNo": report.customer,
        "smsId": report.public_id,
        "storeTs": _instant(report.received_at),
        "src": _address(report.phone),
        "dst": _address(report.own_number),
        "text": report.text,
        "pushId": identity,
        "keyword": report.keyword or None,
        "parts": report.total,
        "missing": list(report.missing),
        "late": report.is_late,
    }


def job_fields(report: JobReport) -> dict[str, Any]:
    """Return a job with its recipients. Instants are ISO 8601 in UTC, unknown values are null."""
    return _job_fields(report, receipt_expected=report.settings.delivery_receipt and report.settled_at is None)


def _job_fields(report: JobReport, *, receipt_expected: bool) -> dict[str, Any]:
    settings = report.settings
    return {
        "jobId": report.public_id,
        "src": _source(report),
        "encoding": "UTF-16" if settings.coding is Alphabet.UCS2 else "STANDARD",
        "billcode": settings.cost_centre or None,
        "statusRequested": settings.delivery_receipt,
        "flash": settings.flash,
        "validityMin": int(settings.validity.total_seconds() // 60),
        "customerRef": report.reference or None,
        "qos": "EXPRESS" if settings.priority is Priority.EXPRESS else "NORMAL",
        "service": report.service,
        "user": report.user or None,
        "sandbox": report.sandbox,
        "receiptTs": _instant(report.accepted_at),
        "finishedTs": _instant(report.settled_at),
        "recipients": [_recipient_fields(message, receipt_expected=receipt_expected) for message in report.messages],
    }


def _source(report: JobReport) -> str | None:
    """Return the sender ID that all recipients see: that of the settings, if it is not answered by another."""
    shown = {message.sender_id for message in report.messages if message.number}
    if len(shown) == 1:
        return shown.pop() or None
    return format_setting(report.settings.sender_id) if report.settings.sender_id is not None else None


def _recipient_fields(message: ReportedMessage, *, receipt_expected: bool) -> dict[str, Any]:
    process_status, status = decide_status(message, receipt_expected=receipt_expected)
    sent = [part.submitted_at for part in message.parts if part.submitted_at is not None]
    return {
        "smsId": message.public_id,
        "dst": message.number or message.given,
        "processStatus": process_status,
        "status": status,
        "customerRef": message.given,
        "reason": message.problem or None,
        "sentTs": _instant(min(sent, default=None)),
        "finishedTs": _instant(message.updated_at if process_status in {"DONE", "CANCELED", "KILL"} else None),
        "state": message.claimed.value,
        "reasonCode": message.reason or None,
        "parts": len(message.parts),
        "partsBilled": sum(part.billed for part in message.parts),
        "countryRules": [
            {"country": message.country, "rule": rule, "effect": effect, "value": value}
            for rule, effect, value in message.findings
        ],
    }


def decide_status(message: ReportedMessage, *, receipt_expected: bool) -> tuple[str, str]:
    """Return process status and status of one recipient; `receipt_expected` while its receipt may still come."""
    offered = any(part.submitted_at is not None or part.carrier_id for part in message.parts)
    match message.claimed:
        case MessageState.SUBMITTED if is_final(message.state, receipt_expected=receipt_expected):
            found = "DONE", "SUC_ACC"
        case MessageState.CANCELLED:
            found = ("KILL" if any(part.carrier_id for part in message.parts) else "CANCELED"), ""
        case MessageState.EXPIRED:
            found = "DONE", "TIMEOUT" if offered else "CON_ERR"
        case MessageState.UNKNOWN:
            found = "DONE", _OF_UNKNOWN.get(message.reason, "SEND_ERR")
        case MessageState.REJECTED | MessageState.FAILED if message.reason in _OF_REASON:
            found = _OF_REASON[message.reason]
        case MessageState.REJECTED if not message.from_network:
            found = "DONE", "NOT_ACC_FIN"
        case _:
            found = _OF_STATE[message.claimed]
    return found


def _instant(instant: datetime | None) -> str | None:
    if instant is None:
        return None
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _address(digits: str) -> str:
    """Return a number with plus; a short code, which has at most six digits, and a name as they are."""
    return f"+{digits}" if digits.isdecimal() and len(digits) > _SHORT_CODE else digits
