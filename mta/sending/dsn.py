"""Delivery status notifications for machines: the action for each recipient, and the parts of the report.

RFC 3461 §4, §5 (when), RFC 3464 (fields), RFC 6522 (multipart/report), RFC 6533 (addresses beyond ASCII). Not here: the
mail's own header (mta.sending.compose). Recipients are `rfc822` addresses as given, since no SMS type is registered; a
carrier's report is `x-smpp`. A DSN has `DSN-Gateway` exactly if it translates a carrier's report (RFC 3464 §2.2.3).
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from countries.findings import Effect
from countries.rules import RuleName
from mta.sending.fields import date, part, quoted_printable
from mta.smtp.engine.replies import printable, reply_to
from sms.lifecycle import OPEN, MessageState
from sms.message import MailOrigin
from sms.outcome import ProblemCode, Refusal, Refused
from sms.report import JobReport, NoticeKind, ReportedMessage, ReportedPart
from sms.settings import Settings
from templates.recipient_view import address_of, explain_message, step_of
from templates.words import Words

_LONGEST_LINE = 998
_FIELD_LIMIT = 900
_FAILURES = frozenset(
    {MessageState.UNDELIVERED, MessageState.EXPIRED, MessageState.REJECTED, MessageState.FAILED, MessageState.CANCELLED}
)


class DsnAction(StrEnum):
    """The result for one recipient (RFC 3464 §2.3.3); `expanded` has no meaning here."""

    DELIVERED = "delivered"
    RELAYED = "relayed"
    FAILED = "failed"
    DELAYED = "delayed"


# RFC 3463. A class 4 status with «failed» is right if we gave up on a temporary cause (RFC 3464 §2.3.4).
STATUS_OF_PROBLEM: Mapping[ProblemCode, str] = MappingProxyType(
    {
        ProblemCode.LINK_DOWN: "4.4.1",
        ProblemCode.LINK_LOST: "4.4.2",
        ProblemCode.NO_ANSWER: "4.4.1",
        ProblemCode.THROTTLED: "4.4.5",
        ProblemCode.CARRIER_BUSY: "4.4.5",
        ProblemCode.NUMBER_REFUSED: "5.1.1",
        ProblemCode.SENDER_REFUSED: "5.7.1",
        ProblemCode.CONTENT_REFUSED: "5.7.1",
        ProblemCode.CARRIER_REFUSED: "5.3.0",
        ProblemCode.PARTS_INCOMPLETE: "5.3.0",
        ProblemCode.NOT_DELIVERED: "5.0.0",
        ProblemCode.VALIDITY_ENDED: "4.4.7",
        ProblemCode.DELETED: "5.3.0",
        ProblemCode.NO_RECEIPT: "4.4.7",
        ProblemCode.STATE_UNKNOWN: "4.0.0",
        ProblemCode.RESTARTED: "4.3.0",
        ProblemCode.STOP_LIST: "5.7.1",
        ProblemCode.CANCELLED: "5.3.0",
        ProblemCode.DRY_RUN: "5.3.0",
        ProblemCode.NO_ROUTE: "5.4.4",
        ProblemCode.HOST_UNREACHABLE: "4.4.1",
        ProblemCode.DNS_FAILED: "4.4.3",
        ProblemCode.NO_SUCH_DOMAIN: "5.1.2",
        ProblemCode.TLS_POLICY: "5.7.5",
        ProblemCode.MAIL_REFUSED: "5.0.0",
        ProblemCode.MAIL_DEFERRED: "4.0.0",
        ProblemCode.USER_INACTIVE: "5.2.1",
        ProblemCode.PUSH_REFUSED: "5.0.0",
        ProblemCode.PUSH_DEFERRED: "4.0.0",
        ProblemCode.PUSH_GONE: "5.0.0",
        ProblemCode.RETRIES_EXHAUSTED: "4.4.7",
        ProblemCode.INTERNAL: "5.3.0",
    }
)
_NEVER_BY_DSN = frozenset({NoticeKind.ACCEPTED, NoticeKind.DRY_RUN})
_STATUS_OF_FAILURE = MappingProxyType(
    {
        MessageState.UNDELIVERED: "5.0.0",
        MessageState.EXPIRED: "4.4.7",
        MessageState.REJECTED: "5.7.1",
        MessageState.FAILED: "5.3.0",
        MessageState.CANCELLED: "5.3.0",
    }
)
_RECEIPT_WORD = MappingProxyType(
    {
        MessageState.UNDELIVERED: "UNDELIV",
        MessageState.EXPIRED: "EXPIRED",
        MessageState.REJECTED: "REJECTD",
    }  # SMPP 3.4 appendix B
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientStatus:
    """The DSN fields of one recipient. `translated`: they come from a carrier's report.

    `remote` and `diagnostic` are typed values (`x-smpp; …`, `smtp; …`), empty if no remote system took part.
    """

    message: ReportedMessage
    action: DsnAction
    status: str
    translated: bool = False
    remote: str = ""
    diagnostic: str = ""
    last_attempt_at: datetime | None = None
    retry_until_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenDsn:
    """Subject and parts of a multipart/report."""

    subject: str
    boundary: str
    parts: tuple[bytes, ...]


def decide_dsn(kind: NoticeKind, report: JobReport) -> tuple[RecipientStatus, ...]:
    """Return the status of each recipient to report; empty if there is none, so that no DSN is sent (RFC 3461 §5.2).

    Nothing is reported for a job with the null sender or not from mail (RFC 3464 §2).
    """
    if kind in _NEVER_BY_DSN or report.mail is None or not report.mail.reverse_path:
        return ()
    decided = (_decide_one(kind, message, report) for message in report.messages)
    return tuple(status for status in decided if status is not None)


def _decide_one(kind: NoticeKind, message: ReportedMessage, report: JobReport) -> RecipientStatus | None:
    asked = frozenset(word.strip().upper() for word in message.notify.split(",") if word.strip())
    if kind is NoticeKind.DELAYED:
        waiting = message.state in OPEN or (message.state is MessageState.SUBMITTED and report.settled_at is None)
        # RFC 3461 §5.2.5
        if not waiting or (asked and "DELAY" not in asked):
            return None
        return RecipientStatus(
            message=message, action=DsnAction.DELAYED, status="4.4.1", retry_until_at=message.expires_at
        )
    if kind is NoticeKind.CORRECTION and not _is_correction(message, report):
        return None
    if message.state in _FAILURES:
        # RFC 3461 §5.2.6: reported unless NOTIFY leaves it out.
        return None if asked and "FAILURE" not in asked else _decide_failure(message)
    if message.state in OPEN or "SUCCESS" not in asked:
        return None  # RFC 3461 §5.2.4 (d): success is reported only on request
    return _decide_success(message, report.settings)


def _is_correction(message: ReportedMessage, report: JobReport) -> bool:
    settled_at = report.settled_at
    return message.state is MessageState.DELIVERED and (settled_at is None or message.updated_at > settled_at)


def _decide_success(message: ReportedMessage, settings: Settings) -> RecipientStatus:
    accepted = bool(message.parts) and all(part.billed for part in message.parts)
    if message.claimed is MessageState.DELIVERED:
        action, status = DsnAction.DELIVERED, "2.1.5"
    elif settings.acceptance_is_delivery and accepted:
        action, status = DsnAction.DELIVERED, "2.0.0"
    else:
        # RFC 3461 §5.2.4 (b); a lost answer and a missing receipt are no failure (RFC 4356 §2.1.4.1).
        action, status = DsnAction.RELAYED, "2.0.0"
    if message.cut or message.replaced:
        status = "2.6.4"  # RFC 3463 §3.7: conversion with loss performed
    return RecipientStatus(
        message=message,
        action=action,
        status=status,
        translated=message.from_network,
        last_attempt_at=_last_attempt(message.parts),
    )


def _decide_failure(message: ReportedMessage) -> RecipientStatus:
    if message.reason in _OUR_REFUSALS:
        reply = reply_to(Refused(refusal=Refusal(message.reason), detail=message.problem))
        return RecipientStatus(
            message=message, action=DsnAction.FAILED, status=reply.enhanced, diagnostic=f"smtp; {reply}"
        )
    told_by = _failed_part(message)
    return RecipientStatus(
        message=message,
        action=DsnAction.FAILED,
        status=_status_of_failure(message),
        translated=message.from_network,
        remote=f"x-smpp; {printable(told_by.carrier, 200)}" if told_by else "",
        diagnostic=f"x-smpp; {_said_by_carrier(message, told_by)}" if told_by else "",
        last_attempt_at=_last_attempt(message.parts),
    )


# The gateway's own refusals: their status is that of the reply to RCPT.
_OUR_REFUSALS = (frozenset(map(str, Refusal)) - frozenset(map(str, ProblemCode))) | {str(Refusal.STOP_LIST)}


def _status_of_failure(message: ReportedMessage) -> str:
    by_state = _STATUS_OF_FAILURE[message.state]
    if message.state is MessageState.EXPIRED or message.reason not in set(ProblemCode):
        return by_state
    by_problem = STATUS_OF_PROBLEM[ProblemCode(message.reason)]
    if message.state is MessageState.REJECTED and by_problem == "5.3.0":
        return by_state  # a network that reports REJECTD without a reason refused it by its policy
    return by_problem


def _failed_part(message: ReportedMessage) -> ReportedPart | None:
    """Return the part whose failure a carrier reported; None if no carrier took part."""
    failed = [part for part in message.parts if part.state in _FAILURES and part.carrier]
    told = [part for part in failed if part.error or part.reported_at or part.submitted_at]
    return told[0] if told else None


def _said_by_carrier(message: ReportedMessage, told_by: ReportedPart) -> str:
    error = printable(told_by.error, 100)
    words: list[str] = []
    if message.from_network:
        usual = "DELETED" if message.reason == ProblemCode.DELETED else _RECEIPT_WORD.get(message.state, "UNKNOWN")
        words.append(printable(told_by.word, 20) or usual)
        if re.fullmatch(r"[0-9A-Za-z]{1,4}", error):
            error = f"err:{error}"
    words.append(error)
    comment = printable(message.problem, 200).translate({ord(char): None for char in "()\\"})
    if comment:
        words.append(f"({comment})")
    return " ".join(filter(None, words)) or message.reason or message.state


def _last_attempt(parts: Iterable[ReportedPart]) -> datetime | None:
    times = [instant for part in parts if (instant := part.reported_at or part.submitted_at) is not None]
    return max(times, default=None)


def write_dsn(kind: NoticeKind, report: JobReport, *, hostname: str, words: Words, smtputf8: bool) -> WrittenDsn | None:
    """Return the report for a machine, None if `decide_dsn` returns nothing.

    `smtputf8`: the way to the sender takes UTF-8, so that the types of RFC 6533 contain it unencoded.
    """
    statuses = decide_dsn(kind, report)
    if not statuses or report.mail is None:
        return None
    fields = _status_fields(statuses, report, report.mail, hostname, smtputf8=smtputf8)
    parts = [_prose(statuses, report, words), _status_part(fields)]
    returned = _returned(
        report.mail, failed=any(status.action is DsnAction.FAILED for status in statuses), utf8=smtputf8
    )
    if returned is not None:
        parts.append(returned)
    # Returned mail may have any text, but not its own hash.
    boundary = f"=_{hashlib.sha256(b''.join(parts)).hexdigest()[:32]}"
    return WrittenDsn(subject=_subject(statuses, words), boundary=boundary, parts=tuple(parts))


def _subject(statuses: Sequence[RecipientStatus], words: Words) -> str:
    if len(statuses) > 1:
        return words.say("dsn.subject_many", recipients=words.count("count.recipients", len(statuses)))
    action = words.say(f"action.{statuses[0].action}")
    return words.say("dsn.subject_one", number=address_of(statuses[0].message), action=action)


def _prose(statuses: Sequence[RecipientStatus], report: JobReport, words: Words) -> bytes:
    text = "\n".join(" ".join(_sentence(status, report, words).split()) for status in statuses)
    if text.isascii() and max(map(len, text.split("\n"))) <= _LONGEST_LINE:
        return part("text/plain; charset=us-ascii", "7bit", text.replace("\n", "\r\n").encode() + b"\r\n")
    return part("text/plain; charset=utf-8", "quoted-printable", quoted_printable(text))


def _sentence(status: RecipientStatus, report: JobReport, words: Words) -> str:
    message = status.message
    number = address_of(message)
    zone = report.settings.time_zone
    if status.action is DsnAction.DELAYED and status.retry_until_at is not None:
        return words.say("dsn.delayed", number=number, time=words.time(status.retry_until_at, zone))
    if status.action is DsnAction.DELAYED:
        return words.say("dsn.delayed_open", number=number)
    if status.action is DsnAction.FAILED:
        reason = words.explain(message.reason, message.problem) if message.reason else ""
        step = step_of(message)
        sentences = (words.say("dsn.failed", number=number, reason=reason), words.say(f"step.{step}") if step else "")
        return " ".join(sentences).rstrip()
    return _sentence_of_success(status, words, zone)


def _sentence_of_success(status: RecipientStatus, words: Words, zone: str) -> str:
    message, number = status.message, address_of(status.message)
    if message.claimed is not message.state:
        return f"{number}: {explain_message(message, words, zone, settled=True)}"
    if message.state is MessageState.DELIVERED:
        return words.say(
            "dsn.delivered", number=number, time=words.time(status.last_attempt_at or message.updated_at, zone)
        )
    if status.action is DsnAction.DELIVERED:
        return words.say("dsn.accepted", number=number)
    return words.say("dsn.relayed" if message.state is MessageState.SUBMITTED else "dsn.unknown", number=number)


def _status_fields(
    statuses: Sequence[RecipientStatus], report: JobReport, mail: MailOrigin, hostname: str, *, smtputf8: bool
) -> str:
    """Return the per-message fields and, after a blank line each, the per-recipient fields (RFC 3464 §2.1)."""
    groups = [
        _group(
            # RFC 3464 §2.2.1: the exact octets, and only if the sender gave one; an invalid one is left out.
            ("Original-Envelope-Id", mail.envid if _is_envelope_id(mail.envid) else ""),
            ("Reporting-MTA", f"dns; {hostname}"),
            ("DSN-Gateway", f"dns; {hostname}" if any(status.translated for status in statuses) else ""),
            ("Received-From-MTA", f"dns; {printable(mail.helo, 255)}" if mail.helo else ""),
            ("Arrival-Date", date(report.accepted_at)),
        )
    ]
    for status in statuses:
        message = status.message
        given = message.given if "@" in message.given else f"{message.given}@{hostname}"
        groups.append(
            _group(
                ("Original-Recipient", _original(message.orcpt, smtputf8=smtputf8)),
                ("Final-Recipient", _address("rfc822", given, smtputf8=smtputf8)),
                ("Action", status.action),
                ("Status", status.status),
                ("Remote-MTA", status.remote),
                ("Diagnostic-Code", status.diagnostic),
                ("Last-Attempt-Date", date(status.last_attempt_at) if status.last_attempt_at else ""),
                # RFC 3464 §2.4
                *(("X-Country-Rule", text) for text in _rules_of(message)),
                ("Will-Retry-Until", date(status.retry_until_at) if status.retry_until_at else ""),
            )
        )
    return "\r\n".join(groups)


def _rules_of(message: ReportedMessage) -> Iterable[str]:
    """Return what rules of the country did beyond a note: country, rule, effect, and what is sent instead."""
    for rule, effect, value in message.findings:
        if effect != Effect.NOTED or (rule == RuleName.RECEIPTS and message.claimed is not message.state):
            instead = f"; sender {message.sender_id}" if effect == Effect.REPLACED else ""
            yield printable(f"{message.country}; {rule}; {effect}; {value}{instead}", 300)


def _group(*fields: tuple[str, str]) -> str:
    return "".join(f"{name}: {value[:_FIELD_LIMIT]}\r\n" for name, value in fields if value)


def _is_envelope_id(envid: str) -> bool:
    return 0 < len(envid) <= _FIELD_LIMIT and envid.isascii() and envid.isprintable()  # RFC 3461 §4.4


def _original(orcpt: str, *, smtputf8: bool) -> str:
    kind, separator, address = orcpt.partition(";")
    return _address(kind.strip(), address, smtputf8=smtputf8) if separator and address else ""


def _address(kind: str, address: str, *, smtputf8: bool) -> str:
    """Return a typed address; beyond ASCII its type is utf-8, in 7-bit form without SMTPUTF8 (RFC 6533 §3)."""
    kind = re.sub(r"[^A-Za-z0-9-]", "", kind) or "rfc822"
    address = "".join(char for char in address if char.isprintable())
    if address.isascii():
        return f"{kind};{address}"
    if not smtputf8:
        address = "".join(
            char if "!" <= char <= "~" and char not in "+=\\" else f"\\x{{{ord(char):02X}}}" for char in address
        )
    return f"utf-8;{address}"


def _status_part(fields: str) -> bytes:
    if fields.isascii():
        return part("message/delivery-status", "7bit", fields.encode())
    return part("message/global-delivery-status", "8bit", fields.encode())


def _returned(mail: MailOrigin, *, failed: bool, utf8: bool) -> bytes | None:
    """Return the returned part of the mail: all only for RET=FULL and a failure (RFC 3461 §4.3), else its header.

    RET is not binding (RFC 3461 §5.2.4 (e)): a body that is not 7-bit is left out.
    """
    header = _lines(mail.header).rstrip(b"\r\n")
    if not header:
        return None
    header += b"\r\n"
    if failed and mail.ret.upper() == "FULL" and mail.body is not None:
        whole = header + b"\r\n" + _lines(mail.body)
        if _fits_seven_bits(whole):
            return part("message/rfc822", "7bit", whole if whole.endswith(b"\r\n") else whole + b"\r\n")
    if _fits_seven_bits(header):
        return part("text/rfc822-headers", "7bit", header)
    try:
        text = header.decode().replace("\r\n", "\n")
    except UnicodeDecodeError:
        # RFC 6522 §4: a broken header may be encoded to make it legal.
        return part("text/rfc822-headers", "quoted-printable", _quoted(header))
    if utf8 and all(len(line) <= _LONGEST_LINE for line in header.split(b"\r\n")):
        return part("message/global-headers", "8bit", header)
    return part("message/global-headers", "quoted-printable", quoted_printable(text))  # RFC 6533 §6.3


def _quoted(octets: bytes) -> bytes:
    # latin-1 maps each octet to the code point of its number, which is quoted below.
    lines = octets.decode("latin-1").split("\r\n")
    return "\r\n".join(_quoted_line(line) for line in lines).encode()


def _quoted_line(line: str) -> str:
    quoted = "".join(char if " " <= char <= "~" and char != "=" else f"={ord(char):02X}" for char in line)
    pieces = re.findall(r"(?:=[0-9A-F]{2}|[^=]){1,24}", quoted)
    return "=\r\n".join(pieces)


def _lines(octets: bytes) -> bytes:
    return re.sub(rb"\r\n|\r|\n", b"\r\n", octets)


def _fits_seven_bits(octets: bytes) -> bool:
    return octets.isascii() and b"\0" not in octets and max(map(len, octets.split(b"\r\n"))) <= _LONGEST_LINE
