"""Every event that `Session.events` can return, and why requests and sessions end.

Not here: the session. NamedTuples, since an event is made for every PDU.
"""

from enum import StrEnum
from typing import NamedTuple

from smpp.wire.fields import PduError
from smpp.wire.pdu import Pdu


class EndReason(StrEnum):
    """Why a session is over."""

    EOF = "eof"
    UNBOUND = "unbound"
    BIND_REFUSED = "bind-refused"
    NOT_BOUND = "not-bound"
    NO_LIFE = "no-life"
    INACTIVE = "inactive"
    NO_UNBIND_ANSWER = "no-unbind-answer"
    FRAMING = "framing"
    ABANDONED = "abandoned"


class Missing(StrEnum):
    """Why our request has no answer. UNSENT: `data_to_send` never returned its bytes."""

    TIMED_OUT = "timed-out"
    LOST = "lost"
    UNSENT = "unsent"


class Bound(NamedTuple):
    """Our bind was accepted (ESME)."""

    system_id: str


class BindRefused(NamedTuple):
    """Our bind was refused (ESME); the session has ended."""

    status: int


class BindAsked(NamedTuple):
    """The other side wants to bind (SMSC): answer with `answer_bind`."""

    pdu: Pdu


class OutbindHeard(NamedTuple):
    """The other side wants us to bind (ESME): answer with `bind`."""

    pdu: Pdu


class Asked(NamedTuple):
    """A request that its state permits; answer with `respond`, in any order (§4.12.1: an alert has no answer)."""

    pdu: Pdu


class Answered(NamedTuple):
    """The answer to a request of ours: its own response, or a generic_nack with the reason in its status."""

    context: object
    pdu: Pdu


class Unanswered(NamedTuple):
    """A request of ours that gets no answer from this session."""

    context: object
    missing: Missing


class LateAnswer(NamedTuple):
    """The answer to a request of ours that was `Unanswered` (TIMED_OUT) before: it still tells the outcome."""

    context: object
    pdu: Pdu


class UnmatchedResponse(NamedTuple):
    """A response that no current or recent request waits for: repeated or invented. For the log."""

    command: int
    sequence: int
    status: int


class FellSilent(NamedTuple):
    """The other side owes answers and is silent: an enquire_link was sent; `free_window` is 0 until it speaks."""


class Spoke(NamedTuple):
    """The silent other side sent something."""


class Malformed(NamedTuple):
    """Bytes that are no valid PDU, already answered if due. For the log."""

    error: PduError


class Ended(NamedTuple):
    """The session is over: send what `data_to_send` still returns, then close."""

    reason: EndReason


Event = (
    Bound
    | BindRefused
    | BindAsked
    | OutbindHeard
    | Asked
    | Answered
    | Unanswered
    | LateAnswer
    | FellSilent
    | Spoke
    | UnmatchedResponse
    | Malformed
    | Ended
)
