"""What an ESME asks back of an SMS that it submitted, and what it is told: the values of a receipt.

Not here: how a receipt is written and travels (smpp.server), which rows it waits in (store.esme). Standards: SMPP 3.4
§5.2.17 (registered_delivery), §5.2.28 and appendix B (states of a receipt).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from sms.lifecycle import SUCCESS, MessageState
from sms.message import Header, ReceiptState

FINAL_BITS: Final = 0x03
ALWAYS, ON_FAILURE, ON_SUCCESS = 1, 2, 3
"""§5.2.17, bits 0 and 1; 3 is reserved in 3.4, and in 5.0 means a receipt for success alone."""
INTERMEDIATE: Final = 0x10
"""§5.2.17, bit 4."""

RECEIPT_STATES: Mapping[MessageState, ReceiptState] = MappingProxyType(
    {
        MessageState.QUEUED: ReceiptState.ENROUTE,
        MessageState.SUBMITTING: ReceiptState.ENROUTE,
        MessageState.SUBMITTED: ReceiptState.ENROUTE,
        MessageState.DELIVERED: ReceiptState.DELIVERED,
        MessageState.UNDELIVERED: ReceiptState.UNDELIVERABLE,
        MessageState.EXPIRED: ReceiptState.EXPIRED,
        MessageState.REJECTED: ReceiptState.REJECTED,
        MessageState.FAILED: ReceiptState.REJECTED,
        MessageState.CANCELLED: ReceiptState.DELETED,
        MessageState.UNKNOWN: ReceiptState.UNKNOWN,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EsmeOrigin:
    """What the receipts of a job need of its submit: the bind that it came by, its addresses, its own reference."""

    bind: str = ""
    source: str = ""
    source_ton: int = 0
    source_npi: int = 0
    destination_ton: int = 0
    destination_npi: int = 0
    user_message_reference: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EsmeRequest:
    """What makes a job one of an ESME: it goes out as its sender divided it, and its receipts go back to the ESME.

    `registered` is registered_delivery of the submit. `header` is that of a part of a text; without one the text is
    whole, and only a carrier that splits texts itself takes one that is longer than a part.
    """

    origin: EsmeOrigin
    registered: int = 0
    header: Header | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EsmeReceipt:
    """One receipt for the login of an ESME; `identity` is the same at every attempt.

    `recipient` is the address as it was submitted, `error` that of the network, else empty, `reason` ours. `delivered`
    counts parts of `parts`. `text` is the beginning of the text. An `intermediate` one tells of no end. `worth` is what
    receipts of the recipient's country are worth (sms.report.worth_of_receipts).
    """

    identity: str
    login: str
    message_id: str
    recipient: str
    origin: EsmeOrigin
    state: ReceiptState
    intermediate: bool
    error: str
    reason: str
    parts: int
    delivered: int
    text: str
    submitted_at: datetime
    done_at: datetime
    worth: str = ""


def wants_receipt(registered: int, state: MessageState) -> bool:
    """Return whether the end of a message is told by a receipt, by the registered_delivery of its submit."""
    wanted = registered & FINAL_BITS
    return wanted in {ALWAYS, ON_SUCCESS if state in SUCCESS else ON_FAILURE}


def receipt_state(state: MessageState, *, ended: bool) -> ReceiptState:
    """Return what a receipt says of a message; accepted for good, where no network will report, is ACCEPTED."""
    if ended and state is MessageState.SUBMITTED:
        return ReceiptState.ACCEPTED
    return RECEIPT_STATES[state]
