"""What the carrier's word does to a part: a receipt names it, moves it, and may stand for the other parts of its text.

Not here: whose receipt one is (receipts), what is written down (moving), what answers and time do (progress).
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from sms.lifecycle import REPORT_OF, Event, MessageState
from sms.message import ReceiptState
from sms.outcome import Problem, ProblemCode
from store.message_update import LoadedMessage, LoadedPart

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


def report_part(  # noqa: PLR0913, PLR0917 - a receipt's fields, and whom it is for
    message: LoadedMessage, part: LoadedPart, state: ReceiptState, error: str, at: int, whole: AbstractSet[str]
) -> bool:
    """Move a part as a receipt says; returns whether it moved.

    With a carrier of `whole`, which gives one receipt for a text, the other parts that it has move alike.
    """
    moved = _report(message, part, state, error, at)
    if part.carrier in whole:
        for other in message.parts:
            if other is not part and other.carrier == part.carrier:
                moved = _report(message, other, state, error, at) or moved
    return moved


def _report(message: LoadedMessage, part: LoadedPart, state: ReceiptState, error: str, at: int) -> bool:
    event = REPORT_OF[state]
    if event is None or not message.move(part, event, _PROBLEMS.get(state)):
        return False
    part.reported_at = at
    part.error = error if part.state is not MessageState.DELIVERED else ""
    if message.state is part.state:
        message.from_network = True
    return True


def follow_sibling(message: LoadedMessage, part: LoadedPart) -> None:
    """Move a part that was accepted after the one receipt for the whole text had come, as that receipt said."""
    for other in message.parts:
        if other is not part and other.carrier == part.carrier and other.reported_at is not None:
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
