"""What a command_status means for an SMS: a table from SMPP 3.4 §5.1.3 to outcome, problem and sentence.

Not here: a carrier's own meanings (overrides in its dialect), when a retry happens (gateway.worker).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum, StrEnum
from types import MappingProxyType

from sms.outcome import ProblemCode


class Status(IntEnum):
    """Every command_status of SMPP 3.4 §5.1.3, without the prefix `ESME_`."""

    ROK = 0x00
    RINVMSGLEN = 0x01
    RINVCMDLEN = 0x02
    RINVCMDID = 0x03
    RINVBNDSTS = 0x04
    RALYBND = 0x05
    RINVPRTFLG = 0x06
    RINVREGDLVFLG = 0x07
    RSYSERR = 0x08
    RINVSRCADR = 0x0A
    RINVDSTADR = 0x0B
    RINVMSGID = 0x0C
    RBINDFAIL = 0x0D
    RINVPASWD = 0x0E
    RINVSYSID = 0x0F
    RCANCELFAIL = 0x11
    RREPLACEFAIL = 0x13
    RMSGQFUL = 0x14
    RINVSERTYP = 0x15
    RINVNUMDESTS = 0x33
    RINVDLNAME = 0x34
    RINVDESTFLAG = 0x40
    RINVSUBREP = 0x42
    RINVESMCLASS = 0x43
    RCNTSUBDL = 0x44
    RSUBMITFAIL = 0x45
    RINVSRCTON = 0x48
    RINVSRCNPI = 0x49
    RINVDSTTON = 0x50
    RINVDSTNPI = 0x51
    RINVSYSTYP = 0x53
    RINVREPFLAG = 0x54
    RINVNUMMSGS = 0x55
    RTHROTTLED = 0x58
    RINVSCHED = 0x61
    RINVEXPIRY = 0x62
    RINVDFTMSGID = 0x63
    RX_T_APPN = 0x64
    RX_P_APPN = 0x65
    RX_R_APPN = 0x66
    RQUERYFAIL = 0x67
    RINVOPTPARSTREAM = 0xC0
    ROPTPARNOTALLWD = 0xC1
    RINVPARLEN = 0xC2
    RMISSINGOPTPARAM = 0xC3
    RINVOPTPARAMVAL = 0xC4
    RDELIVERYFAILURE = 0xFE
    RUNKNOWNERR = 0xFF


class StatusVerdict(StrEnum):
    """What an answer means: accepted, retry later, refused for good, or unknown."""

    DONE = "done"
    RETRY = "retry"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """One row of the table: the verdict, and the problem with its sentence for the customer."""

    verdict: StatusVerdict
    code: ProblemCode
    text: str
    waits: tuple[timedelta, ...] = ()
    """With retry: the waits after the first, second, … of these answers in a row; the last one repeats. Empty: 5 s,
    15 s, 1 min, 3 min, … up to half an hour, or 1 s, 2 s, 3 s, … up to a minute with the code throttled."""
    attempts: int = 0
    """With retry: after so many of these answers in a row the SMS is refused; 0: it is tried as long as it is valid."""
    failover: bool | None = field(default=None, metadata={"example": True})
    """Whether an SMS that is refused so goes by the next carrier of its route. Without it: as the carrier's option."""

    def __post_init__(self) -> None:
        if self.attempts < 0:
            raise ValueError("attempts: expected a whole number of 0 or more")
        if self.verdict is not StatusVerdict.RETRY and (self.waits or self.attempts):
            raise ValueError('waits and attempts belong to verdict "retry"')


def _retry(code: ProblemCode, text: str) -> Meaning:
    return Meaning(verdict=StatusVerdict.RETRY, code=code, text=text)


def _fail(code: ProblemCode, text: str) -> Meaning:
    return Meaning(verdict=StatusVerdict.FAIL, code=code, text=text)


_NOT_READY = _retry(ProblemCode.LINK_DOWN, "The connection to the carrier is being set up; the SMS waits.")
_BUSY = _retry(ProblemCode.CARRIER_BUSY, "The carrier has a temporary problem; the SMS will be tried again.")
_THROTTLED = _retry(ProblemCode.THROTTLED, "The carrier takes no more SMS at the moment; the SMS will be tried again.")
_NUMBER = _fail(ProblemCode.NUMBER_REFUSED, "The carrier refuses this number.")
_SENDER = _fail(ProblemCode.SENDER_REFUSED, "The carrier does not permit this sender ID.")
_CONTENT = _fail(ProblemCode.CONTENT_REFUSED, "The carrier refuses the text of this SMS.")
_REQUEST = _fail(ProblemCode.CARRIER_REFUSED, "The carrier refuses this SMS.")
_NOT_FOUND = _fail(ProblemCode.CARRIER_REFUSED, "The carrier does not know this SMS, or can no longer change it.")

# A code that no standard defines is no final refusal: nothing was accepted, and the validity bounds the attempts.
UNLISTED = _retry(
    ProblemCode.CARRIER_REFUSED, "The carrier refused the SMS with a code of its own; it will be tried again."
)

# SMPP 3.4 §5.1.3; RINVBNDSTS and the bind errors mean that the link, not the SMS, is at fault.
MEANINGS: Mapping[Status, Meaning] = MappingProxyType(
    {
        Status.ROK: Meaning(verdict=StatusVerdict.DONE, code=ProblemCode.INTERNAL, text=""),
        Status.RINVMSGLEN: _CONTENT,
        Status.RINVCMDLEN: _REQUEST,
        Status.RINVCMDID: _REQUEST,
        Status.RINVBNDSTS: _NOT_READY,
        Status.RALYBND: _NOT_READY,
        Status.RINVPRTFLG: _REQUEST,
        Status.RINVREGDLVFLG: _REQUEST,
        Status.RSYSERR: _BUSY,
        Status.RINVSRCADR: _SENDER,
        Status.RINVDSTADR: _NUMBER,
        Status.RINVMSGID: _NOT_FOUND,
        Status.RBINDFAIL: _NOT_READY,
        Status.RINVPASWD: _NOT_READY,
        Status.RINVSYSID: _NOT_READY,
        Status.RCANCELFAIL: _NOT_FOUND,
        Status.RREPLACEFAIL: _NOT_FOUND,
        Status.RMSGQFUL: _THROTTLED,
        Status.RINVSERTYP: _REQUEST,
        Status.RINVNUMDESTS: _REQUEST,
        Status.RINVDLNAME: _NUMBER,
        Status.RINVDESTFLAG: _REQUEST,
        Status.RINVSUBREP: _REQUEST,
        Status.RINVESMCLASS: _REQUEST,
        Status.RCNTSUBDL: _REQUEST,
        # Some carriers answer this, nothing more exact, if their window is full (linxGnu/gosmpp#73).
        Status.RSUBMITFAIL: _BUSY,
        Status.RINVSRCTON: _SENDER,
        Status.RINVSRCNPI: _SENDER,
        Status.RINVDSTTON: _NUMBER,
        Status.RINVDSTNPI: _NUMBER,
        Status.RINVSYSTYP: _NOT_READY,
        Status.RINVREPFLAG: _REQUEST,
        Status.RINVNUMMSGS: _REQUEST,
        Status.RTHROTTLED: _THROTTLED,
        Status.RINVSCHED: _REQUEST,
        Status.RINVEXPIRY: _REQUEST,
        Status.RINVDFTMSGID: _REQUEST,
        Status.RX_T_APPN: _BUSY,
        Status.RX_P_APPN: _REQUEST,
        Status.RX_R_APPN: _CONTENT,
        Status.RQUERYFAIL: _NOT_FOUND,
        Status.RINVOPTPARSTREAM: _REQUEST,
        Status.ROPTPARNOTALLWD: _REQUEST,
        Status.RINVPARLEN: _REQUEST,
        Status.RMISSINGOPTPARAM: _REQUEST,
        Status.RINVOPTPARAMVAL: _REQUEST,
        Status.RDELIVERYFAILURE: _fail(ProblemCode.NOT_DELIVERED, "The carrier could not deliver the SMS."),
        Status.RUNKNOWNERR: _BUSY,
    }
)

NO_OVERRIDES: Mapping[int, Meaning] = MappingProxyType({})


def status_name(status: int) -> str:
    """Return the name for a log: `ESME_RTHROTTLED (0x58)`, or the range of §5.1.3 of an unlisted number."""
    try:
        return f"ESME_{Status(status).name} (0x{status:02X})"
    except ValueError:
        kind = "vendor" if 0x400 <= status <= 0x4FF else "reserved"
        return f"{kind} status (0x{status:08X})"


def meaning_of(status: int, overrides: Mapping[int, Meaning] = NO_OVERRIDES) -> Meaning:
    """Return what the status means: the dialect's override, the table's row, or `UNLISTED`."""
    own = overrides.get(status)
    if own is not None:
        return own
    try:
        return MEANINGS[Status(status)]
    except ValueError:
        return UNLISTED
