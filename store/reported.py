"""What the carrier's word does to a part: a receipt names it, moves it, and may stand for the other parts of its text.

Not here: whose receipt one is (receipts), what is written down (moving), what answers and time do (progress).
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from sms.lifecycle import REPORT_OF, Event, MessageState
from sms.message import Receipt, ReceiptState
from sms.outcome import Problem, ProblemCode
from store.message_update import LoadedMessage, LoadedPart
from store.receipts import ERROR_KEPT, Orphan

_PROBLEMS: Mapping[ReceiptState, Problem] = {
    ReceiptState.UNDELIVERABLE: Problem(
        code=ProblemCode.NOT_DELIVERED, text="The network reports that the message could not be delivered."
    ),
    ReceiptState.DELETED: Problem(
        code=ProblemCode.DELETED, text="The network reports that it deleted the message before delivery."
    ),
    ReceiptState.EXPIRED: Problem(
        code=ProblemCode.VALIDITY_ENDED, text="The network reports that the validity ended before delivery."
    ),
    ReceiptState.REJECTED: Problem(
        code=ProblemCode.CARRIER_REFUSED, text="The network reports that it rejected the message."
    ),
    ReceiptState.UNKNOWN: Problem(
        code=ProblemCode.STATE_UNKNOWN, text="The network reports that it does not know what became of the message."
    ),
}


def name_part(message: LoadedMessage, part: LoadedPart, carrier_id: str, at: int) -> None:
    """Remember the carrier's id of a part whose answer did not say it; one that waits to be sent again is not."""
    if part.carrier_id:
        return
    part.carrier_id = carrier_id
    part.changed = part.offered = message.changed = True
    if part.state is MessageState.QUEUED and message.move(part, Event.ACCEPT):
        part.submitted_at = at


def report_part(
    message: LoadedMessage, part: LoadedPart, news: Receipt | Orphan, at: int, whole: AbstractSet[str]
) -> bool:
    """Move a part as a receipt says, and note network and price; returns whether it moved.

    The other parts that share its receipt move alike.
    """
    error = news.error[:ERROR_KEPT]
    note_charges(message, part, news.network, news.price)
    moved = _report(message, part, news.state, error, at)
    for other in message.parts:
        if _share_receipt(part, other, whole):
            moved = _report(message, other, news.state, error, at) or moved
    return moved


def _share_receipt(part: LoadedPart, other: LoadedPart, whole: AbstractSet[str]) -> bool:
    """Return whether two parts have one receipt: their carrier is of `whole`, or it gave both the same id."""
    if other is part or other.carrier != part.carrier:
        return False
    return part.carrier in whole or (bool(part.carrier_id) and other.carrier_id == part.carrier_id)


def note_charges(message: LoadedMessage, part: LoadedPart, network: str, price: str) -> None:
    """Remember what the carrier says of network and price; what it does not say stays as it is."""
    said = network or part.network, price or part.price
    if said != (part.network, part.price):
        part.network, part.price = said
        part.changed = message.changed = True


def _report(message: LoadedMessage, part: LoadedPart, state: ReceiptState, error: str, at: int) -> bool:
    event = REPORT_OF[state]
    if event is None or not message.move(part, event, _PROBLEMS.get(state)):
        return False
    part.reported_at = at
    part.error = error if part.state is not MessageState.DELIVERED else ""
    if message.state is part.state:
        message.from_network = True
    return True


def follow_sibling(message: LoadedMessage, part: LoadedPart, whole: AbstractSet[str]) -> None:
    """Move a part that was accepted after the receipt had come that it shares, as that receipt said."""
    for other in message.parts:
        if other.reported_at is not None and _share_receipt(part, other, whole):
            state = _STATE_OF.get(other.state)
            if state is not None:
                _report(message, part, state, other.error, other.reported_at)
                return


_STATE_OF: Mapping[MessageState, ReceiptState] = {
    MessageState.DELIVERED: ReceiptState.DELIVERED,
    MessageState.UNDELIVERED: ReceiptState.UNDELIVERABLE,
    MessageState.EXPIRED: ReceiptState.EXPIRED,
    MessageState.REJECTED: ReceiptState.REJECTED,
}
