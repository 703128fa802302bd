"""The life of a message: the transition table, the fold of parts into a message, the summary of a job.

Not here: who causes an event (gateway) or writes it down (store). The documentation draws `TRANSITIONS`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from sms.message import ReceiptState
from sms.retry import Ladder


class MessageState(StrEnum):
    """Where a message or a part is. `FINAL` says which of them end a message."""

    QUEUED = "queued"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    EXPIRED = "expired"
    REJECTED = "rejected"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class Event(StrEnum):
    """What can happen to a message or a part."""

    SUBMIT = "submit"
    ACCEPT = "accept"
    DEFER = "defer"
    FAIL = "fail"
    LOSE = "lose"
    RESEND = "resend"
    EXPIRE = "expire"
    CANCEL = "cancel"
    CARRIER_CANCELLED = "carrier-cancelled"
    STOP = "stop"
    GIVE_UP_ON_RECEIPT = "give-up-on-receipt"
    REPORT_DELIVERED = "report-delivered"
    REPORT_UNDELIVERED = "report-undelivered"
    REPORT_EXPIRED = "report-expired"
    REPORT_REJECTED = "report-rejected"
    REPORT_UNKNOWN = "report-unknown"


_REPORTS: Mapping[Event, MessageState] = MappingProxyType(
    {
        Event.REPORT_DELIVERED: MessageState.DELIVERED,
        Event.REPORT_UNDELIVERED: MessageState.UNDELIVERED,
        Event.REPORT_EXPIRED: MessageState.EXPIRED,
        Event.REPORT_REJECTED: MessageState.REJECTED,
        Event.REPORT_UNKNOWN: MessageState.UNKNOWN,
    }
)

# An event that a state's row does not name is ignored: late, repeated or contradicting news changes nothing.
TRANSITIONS: Mapping[MessageState, Mapping[Event, MessageState]] = MappingProxyType(
    {
        MessageState.QUEUED: MappingProxyType(
            {
                Event.SUBMIT: MessageState.SUBMITTING,
                Event.EXPIRE: MessageState.EXPIRED,
                Event.CANCEL: MessageState.CANCELLED,
                Event.STOP: MessageState.REJECTED,
                Event.FAIL: MessageState.FAILED,
                # The part waits to be sent again because its answer was lost: the answer comes late, or the part ends
                # without it.
                Event.ACCEPT: MessageState.SUBMITTED,
                Event.LOSE: MessageState.UNKNOWN,
            }
        ),
        MessageState.SUBMITTING: MappingProxyType(
            {
                Event.ACCEPT: MessageState.SUBMITTED,
                Event.DEFER: MessageState.QUEUED,
                Event.FAIL: MessageState.FAILED,
                Event.LOSE: MessageState.UNKNOWN,
                Event.RESEND: MessageState.QUEUED,
            }
        ),
        MessageState.SUBMITTED: MappingProxyType(
            {
                **_REPORTS,
                Event.GIVE_UP_ON_RECEIPT: MessageState.UNKNOWN,
                Event.CARRIER_CANCELLED: MessageState.CANCELLED,
            }
        ),
        # A late answer decides the state, as a receipt does.
        MessageState.UNKNOWN: MappingProxyType(
            {**_REPORTS, Event.ACCEPT: MessageState.SUBMITTED, Event.FAIL: MessageState.FAILED}
        ),
        # Only a late «delivered» overrides these: the network corrected itself.
        MessageState.EXPIRED: MappingProxyType({Event.REPORT_DELIVERED: MessageState.DELIVERED}),
        MessageState.UNDELIVERED: MappingProxyType({Event.REPORT_DELIVERED: MessageState.DELIVERED}),
        MessageState.DELIVERED: MappingProxyType({}),
        MessageState.REJECTED: MappingProxyType({}),
        MessageState.FAILED: MappingProxyType({}),
        MessageState.CANCELLED: MappingProxyType({}),
    }
)

REPORT_OF: Mapping[ReceiptState, Event | None] = MappingProxyType(
    {
        ReceiptState.ENROUTE: None,
        ReceiptState.DELIVERED: Event.REPORT_DELIVERED,
        ReceiptState.ACCEPTED: None,
        ReceiptState.EXPIRED: Event.REPORT_EXPIRED,
        ReceiptState.DELETED: Event.REPORT_UNDELIVERED,
        ReceiptState.UNDELIVERABLE: Event.REPORT_UNDELIVERED,
        ReceiptState.REJECTED: Event.REPORT_REJECTED,
        ReceiptState.OTHER: None,
        ReceiptState.UNKNOWN: Event.REPORT_UNKNOWN,
    }
)

# News on the way: kept with its part, and no event.
INTERMEDIATE = frozenset(state for state, event in REPORT_OF.items() if event is None)

OPEN = frozenset({MessageState.QUEUED, MessageState.SUBMITTING})
SUCCESS = frozenset({MessageState.DELIVERED, MessageState.SUBMITTED})


def advance(state: MessageState, event: Event) -> MessageState:
    """Return the state after the event; the same state where the table has no such arrow."""
    return TRANSITIONS[state].get(event, state)


def is_final(state: MessageState, *, receipt_expected: bool) -> bool:
    """Return whether a message in this state is final; `submitted` is if no receipt will come."""
    if state is MessageState.SUBMITTED:
        return not receipt_expected
    return state not in OPEN


# The first of these that any part has is the state of the message: open work first, then the worst news, success last.
_FOLD_ORDER = (
    MessageState.SUBMITTING,
    MessageState.QUEUED,
    MessageState.FAILED,
    MessageState.REJECTED,
    MessageState.UNDELIVERED,
    MessageState.EXPIRED,
    MessageState.CANCELLED,
    MessageState.UNKNOWN,
    MessageState.SUBMITTED,
    MessageState.DELIVERED,
)


def fold_parts(states: Iterable[MessageState]) -> MessageState:
    """Return the state of a message from the states of all its parts (at least one)."""
    present = set(states)
    return next(state for state in _FOLD_ORDER if state in present)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """How many messages of a job are in which state, for the headline of a report."""

    total: int
    delivered: int
    submitted: int
    failed: int
    unknown: int
    open: int


def summarise(states: Iterable[MessageState]) -> Summary:
    """Count the messages of a job for their sender."""
    all_states = list(states)
    delivered = all_states.count(MessageState.DELIVERED)
    submitted = all_states.count(MessageState.SUBMITTED)
    unknown = all_states.count(MessageState.UNKNOWN)
    still_open = sum(state in OPEN for state in all_states)
    return Summary(
        total=len(all_states),
        delivered=delivered,
        submitted=submitted,
        failed=len(all_states) - delivered - submitted - unknown - still_open,
        unknown=unknown,
        open=still_open,
    )


FAULTS = Ladder.of_seconds(5, 15, 60, 180, 600, 1200, 1800, most=1.25)
"""How long a part waits after its first, second, … failed attempt."""
THROTTLES = Ladder.of_seconds(1, 2, 3, 5, 8, 15, 30, 60, most=1.25)
"""The same for throttled attempts: the link slows down by itself, so the SMS waits less."""
