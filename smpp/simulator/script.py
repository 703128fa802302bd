"""How the sandbox carrier treats each submit: ordinary behaviour and faults on request; no I/O.

Not here: carrying it out (simulator), what was accepted (record).
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from smpp.dialect.dialect import Dialect
from smpp.dialect.fragments import FragmentPlace, message_octets, read_message
from smpp.wire.bodies import DataSm, SubmitMulti, SubmitSm
from smpp.wire.pdu import Pdu
from smpp.wire.statuses import Status
from sms.message import ReceiptState


class Submitted(NamedTuple):
    """One submit to one number as it came; `nth` counts the submits of all links from 1, refused ones too."""

    nth: int
    at: datetime
    system_id: str
    number: str
    pdu: Pdu
    dialect: Dialect

    @property
    def body(self) -> SubmitSm | DataSm | SubmitMulti:
        """The body of the submit."""
        body = self.pdu.body
        assert isinstance(body, (SubmitSm, DataSm, SubmitMulti))
        return body

    @property
    def sender(self) -> str:
        """source_addr as it came."""
        return self.body.source_addr

    @property
    def udh(self) -> bytes:
        """The user data header, empty if there is none."""
        return message_octets(self.pdu)[0]

    @property
    def place(self) -> FragmentPlace:
        """The part's place in its message."""
        return read_message(self.pdu, self.dialect)[1]

    @property
    def text(self) -> str:
        """The part's text, decoded."""
        return read_message(self.pdu, self.dialect)[0]


class ReceiptTime(StrEnum):
    """When the receipt comes, seen from the answer to the submit."""

    AFTER = "after"
    BEFORE = "before"
    NEVER = "never"


class ReceiptForm(StrEnum):
    """Which field of a receipt has its content."""

    TEXT = "text"
    TLV = "tlv"
    BOTH = "both"


class Cut(StrEnum):
    """When the link is cut; everything earlier is answered before the cut."""

    BEFORE_STORING = "before-storing"
    AFTER_STORING = "after-storing"
    MID_ANSWER = "mid-answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """How one submit is treated. With a status other than ESME_ROK, or a cut before storing, it is not accepted.

    `answer` is what the phone writes back to the sender.
    """

    status: int = Status.ROK
    answered: bool = True
    cut: Cut | None = None
    hang: bool = False
    receipt: ReceiptTime = ReceiptTime.AFTER
    receipt_copies: int = 1
    receipt_delay: float = 0.0
    receipt_id: str = ""
    state: ReceiptState = ReceiptState.DELIVERED
    error: str = "000"
    answer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """The behaviour of the sandbox carrier; the defaults accept everything and report it delivered.

    `dialect` is the carrier's: bases of its ids, default alphabet. Delays are seconds. Fields name submits by their
    `nth`.
    """

    dialect: Dialect = field(default_factory=Dialect)
    bind_status: int = Status.ROK
    """Refuses every bind with this status."""
    interface_versions: Collection[int] = ()
    """Refuses binds of other interface_versions, such as 0x33; empty takes all."""
    refusals: Mapping[str, int] = field(default_factory=dict)
    """Numbers whose submits are refused, with the status."""
    refuse: Callable[[Submitted], int] | None = None
    """Returns the status of a submit; ESME_ROK accepts."""
    throttle_every: int = 0
    """Answers every n-th submit with ESME_RTHROTTLED; 0 never."""
    throttle_until: int = 0
    """Throttles all submits up to this one."""
    throttle_rate: float = 0.0
    """Accepts this many submits per second and throttles the others; 0 for no bound."""
    unanswered: Collection[int] = ()
    """Submits that are accepted but never answered."""
    hang_at: int = 0
    """From this submit on, which is not accepted, the link neither reads nor writes; 0 never."""
    cuts: Mapping[int, Cut] = field(default_factory=dict)
    """Submits at which the link is cut."""
    receipt: ReceiptTime = ReceiptTime.AFTER
    receipt_form: ReceiptForm = ReceiptForm.BOTH
    receipt_delay: float = 0.0
    receipt_copies: int = 1
    """2 sends every receipt twice."""
    receipt_parts: Collection[int] = ()
    """Only parts with these indexes get a receipt; empty for all."""
    receipt_id: str = ""
    """Sends receipts with this id instead of the right one."""
    marked: bool = True
    """Whether esm_class marks receipts."""
    receipt_retry_delay: float = 0.5
    """How long a refused receipt waits before it is sent again."""
    state: ReceiptState = ReceiptState.DELIVERED
    states: Mapping[str, ReceiptState] = field(default_factory=dict)
    """Final states by number, before `state`."""
    query_status: int = Status.ROK
    """Refuses every query_sm with this status."""
    error: str = ""
    """`err:` of receipts; empty for 000 if delivered and 001 otherwise."""
    treat: Callable[[Submitted], Treatment | None] | None = None
    """Decides instead of all the above if it returns a treatment."""


def decide_treatment(script: Script, submitted: Submitted, taken_this_second: int) -> Treatment:
    """Return how the script treats the submit; `taken_this_second` counts those accepted in this second."""
    if script.treat is not None:
        own = script.treat(submitted)
        if own is not None:
            return own
    nth = submitted.nth
    status = script.refusals.get(submitted.number, Status.ROK)
    if not status and script.refuse is not None:
        status = script.refuse(submitted)
    throttled = (
        nth <= script.throttle_until
        or (script.throttle_every and nth % script.throttle_every == 0)
        or (script.throttle_rate and taken_this_second >= script.throttle_rate)
    )
    if not status and throttled:
        status = Status.RTHROTTLED
    state = script.states.get(submitted.number, script.state)
    wanted = not script.receipt_parts or submitted.place.index in script.receipt_parts
    return Treatment(
        status=status,
        answered=nth not in script.unanswered,
        cut=script.cuts.get(nth),
        hang=bool(script.hang_at) and nth >= script.hang_at,
        receipt=script.receipt if wanted else ReceiptTime.NEVER,
        receipt_copies=script.receipt_copies,
        receipt_delay=script.receipt_delay,
        receipt_id=script.receipt_id,
        state=state,
        error=script.error or ("000" if state is ReceiptState.DELIVERED else "001"),
    )
