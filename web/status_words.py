"""The two words by which the interfaces of version 1 say where an SMS is: process status and status.

One table for REST, SOAP and HTTP. Not here: the states themselves (sms.lifecycle).
"""

from enum import StrEnum
from typing import Final, NamedTuple

from gateway.application_status import SmsStatus
from sms.lifecycle import MessageState
from sms.outcome import ProblemCode, Refusal


class ProcessStatus(StrEnum):
    """How far an SMS is."""

    OPEN = "OPEN"
    RUNNING = "RUNNING"
    DONE = "DONE"
    CANCELED = "CANCELED"
    KILL = "KILL"


class StatusWords(NamedTuple):
    """The process status, and what came of it; the second may be empty."""

    process: ProcessStatus
    status: str = ""


_BAD_NUMBER: Final = frozenset(
    {
        Refusal.NUMBER_MALFORMED,
        Refusal.NUMBER_IMPOSSIBLE,
        Refusal.NUMBER_INVALID,
        Refusal.NUMBER_CANNOT_RECEIVE,
        Refusal.ADDRESS_MALFORMED,
        Refusal.ADDRESS_UNKNOWN,
    }
)
_UNREACHED: Final = frozenset(
    {
        ProblemCode.LINK_DOWN,
        ProblemCode.LINK_LOST,
        ProblemCode.THROTTLED,
        ProblemCode.CARRIER_BUSY,
        ProblemCode.RETRIES_EXHAUSTED,
        ProblemCode.VALIDITY_ENDED,
    }
)


def words_of(sms: SmsStatus) -> StatusWords:
    """Return the words for what became of an SMS."""
    ended = sms.ended_at is not None
    match sms.state:
        case MessageState.QUEUED:
            return StatusWords(ProcessStatus.OPEN, "CON_ERR" if sms.attempted else "")
        case MessageState.SUBMITTING:
            return StatusWords(ProcessStatus.OPEN)
        case MessageState.SUBMITTED:
            return StatusWords(ProcessStatus.DONE if ended else ProcessStatus.RUNNING, "SUC_ACC")
        case MessageState.CANCELLED if sms.sent_at is not None:
            return StatusWords(ProcessStatus.KILL)
        case MessageState.CANCELLED:
            return StatusWords(ProcessStatus.CANCELED, "NOT_ACC_REC" if sms.attempted else "")
        case _:
            return StatusWords(ProcessStatus.DONE, _end_of(sms))


def _end_of(sms: SmsStatus) -> str:
    match sms.state:
        case MessageState.DELIVERED:
            return "SUC_FIN"
        case MessageState.UNDELIVERED:
            return "FAILED_FIN"
        case MessageState.EXPIRED:
            return "TIMEOUT" if sms.sent_at is not None else "CON_ERR"
        case MessageState.UNKNOWN:
            return _unknown(sms.reason)
        case MessageState.REJECTED if sms.from_network:
            return "FAILED_FIN"
        case _:
            return _refused(sms.reason)


def _unknown(reason: str) -> str:
    if reason == ProblemCode.NO_RECEIPT:
        return "TIMEOUT"
    return "STATUS_ERR" if reason == ProblemCode.STATE_UNKNOWN else "SEND_ERR"


def _refused(reason: str) -> str:
    if reason == ProblemCode.STOP_LIST:  # as Refusal.STOP_LIST
        return "BLOCKED"
    if reason in _BAD_NUMBER:
        return "INVALID_DST"
    if reason in _UNREACHED:
        return "CON_ERR"
    return "SEND_ERR" if reason == ProblemCode.INTERNAL else "NOT_ACC_FIN"
