"""How one message lives: the literal transition table, the fold of parts into a message, the summary of a job.

Not here: who causes an event (gateway) or writes it down (store). The documentation draws `TRANSITIONS`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

from sms.message import ReceiptState


class State(StrEnum):
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


_REPORTS: Mapping[Event, State] = MappingProxyType(
    {
        Event.REPORT_DELIVERED: State.DELIVERED,
        Event.REPORT_UNDELIVERED: State.UNDELIVERED,
        Event.REPORT_EXPIRED: State.EXPIRED,
        Event.REPORT_REJECTED: State.REJECTED,
        Event.REPORT_UNKNOWN: State.UNKNOWN,
    }
)

# An event that a state's row does not name is ignored: late, doubled and contradicting news changes nothing.
TRANSITIONS: Mapping[State, Mapping[Event, State]] = MappingProxyType(
    {
        State.QUEUED: MappingProxyType(
            {
                Event.SUBMIT: State.SUBMITTING,
                Event.EXPIRE: State.EXPIRED,
                Event.CANCEL: State.CANCELLED,
                Event.STOP: State.REJECTED,
                Event.FAIL: State.FAILED,
                # Of a part that waits to be sent again because its answer was lost: the answer came late after all, or
                # the part ends without it.
                Event.ACCEPT: State.SUBMITTED,
                Event.LOSE: State.UNKNOWN,
            }
        ),
        State.SUBMITTING: MappingProxyType(
            {
                Event.ACCEPT: State.SUBMITTED,
                Event.DEFER: State.QUEUED,
                Event.FAIL: State.FAILED,
                Event.LOSE: State.UNKNOWN,
                Event.RESEND: State.QUEUED,
            }
        ),
        State.SUBMITTED: MappingProxyType(
            {**_REPORTS, Event.GIVE_UP_ON_RECEIPT: State.UNKNOWN, Event.CARRIER_CANCELLED: State.CANCELLED}
        ),
        # A late answer says what became of it, as a receipt does.
        State.UNKNOWN: MappingProxyType({**_REPORTS, Event.ACCEPT: State.SUBMITTED, Event.FAIL: State.FAILED}),
        # Only a late «delivered» overrides these: the network corrected itself.
        State.EXPIRED: MappingProxyType({Event.REPORT_DELIVERED: State.DELIVERED}),
        State.UNDELIVERED: MappingProxyType({Event.REPORT_DELIVERED: State.DELIVERED}),
        State.DELIVERED: MappingProxyType({}),
        State.REJECTED: MappingProxyType({}),
        State.FAILED: MappingProxyType({}),
        State.CANCELLED: MappingProxyType({}),
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

# News on the way: kept with the part that they name, and no event.
INTERMEDIATE = frozenset(state for state, event in REPORT_OF.items() if event is None)

OPEN = frozenset({State.QUEUED, State.SUBMITTING})
SUCCESS = frozenset({State.DELIVERED, State.SUBMITTED})


def advance(state: State, event: Event) -> State:
    """Return the state after the event; the same state where the table has no such arrow."""
    return TRANSITIONS[state].get(event, state)


def is_final(state: State, *, receipt_expected: bool) -> bool:
    """Tell whether a message in this state needs nothing more; `submitted` does not where no receipt will come."""
    if state is State.SUBMITTED:
        return not receipt_expected
    return state not in OPEN


# The first of these that a part has names the message: work to do first, then the worst news, success last.
_FOLD_ORDER = (
    State.SUBMITTING,
    State.QUEUED,
    State.FAILED,
    State.REJECTED,
    State.UNDELIVERED,
    State.EXPIRED,
    State.CANCELLED,
    State.UNKNOWN,
    State.SUBMITTED,
    State.DELIVERED,
)


def fold_parts(states: Iterable[State]) -> State:
    """Return the state of a message from the states of all its parts (at least one)."""
    present = set(states)
    return next(state for state in _FOLD_ORDER if state in present)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """How many messages of a job stand where; what a report's headline is made from."""

    total: int
    delivered: int
    submitted: int
    failed: int
    unknown: int
    open: int


def summarise(states: Iterable[State]) -> Summary:
    """Count the messages of a job by what their sender wants to know."""
    all_states = list(states)
    delivered = all_states.count(State.DELIVERED)
    submitted = all_states.count(State.SUBMITTED)
    unknown = all_states.count(State.UNKNOWN)
    still_open = sum(state in OPEN for state in all_states)
    return Summary(
        total=len(all_states),
        delivered=delivered,
        submitted=submitted,
        failed=len(all_states) - delivered - submitted - unknown - still_open,
        unknown=unknown,
        open=still_open,
    )


FAULTS = tuple(timedelta(seconds=seconds) for seconds in (5, 15, 60, 180, 600, 1200, 1800))
"""How long a part waits after the first, second, … attempt that went wrong."""
THROTTLES = tuple(timedelta(seconds=seconds) for seconds in (1, 2, 3, 5, 8, 15, 30, 60))
"""The same where the carrier was only asked too fast: the link slows down by itself, so the SMS need not wait long."""


def retry_delay(attempts: int, wish: timedelta | None, spread: int, ladder: Sequence[timedelta] = FAULTS) -> timedelta:
    """Return how long a part waits after its n-th attempt (from 1) of a kind; the carrier's wish is a lower bound.

    `spread` is any integer of the message, such as its key: it lengthens the wait by up to a quarter, so that messages
    refused together do not come back together.
    """
    step = ladder[min(attempts, len(ladder)) - 1]
    return max(step, wish or timedelta(0)) * (1 + (spread % 101) / 400)
