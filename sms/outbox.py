"""How one row of the outbox lives: the literal table of its states, beside sms.lifecycle, which is a message's life.

A row is anything that we owe somebody: a report on a job by mail or push, an alert, a mail that is forwarded. Not here:
what its kinds are and who sends it (gateway.outbox), how it is stored (store.outbox).
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from urllib.parse import urlsplit

from sms.report import Channel


class OutboxState(StrEnum):
    """Where a row is. `WAITING` says which of them do not end it."""

    QUEUED = "queued"
    SENDING = "sending"
    HELD = "held"
    SENT = "sent"
    SKIPPED = "skipped"
    FAILED = "failed"
    DROPPED = "dropped"


class OutboxEvent(StrEnum):
    """What can happen to a row; `GIVE_BACK`: nobody was called for it; `REPLAY`: a push that ended is sent again."""

    TAKE = "take"
    SEND = "send"
    SKIP = "skip"
    FAIL = "fail"
    DEFER = "defer"
    GIVE_BACK = "give-back"
    HOLD = "hold"
    RELEASE = "release"
    DROP = "drop"
    REPLAY = "replay"


_AGAIN = MappingProxyType({OutboxEvent.REPLAY: OutboxState.QUEUED})
OUTBOX_TRANSITIONS: Mapping[OutboxState, Mapping[OutboxEvent, OutboxState]] = MappingProxyType(
    {
        OutboxState.QUEUED: MappingProxyType(
            {
                OutboxEvent.TAKE: OutboxState.SENDING,
                OutboxEvent.HOLD: OutboxState.HELD,
                OutboxEvent.DROP: OutboxState.DROPPED,
            }
        ),
        OutboxState.SENDING: MappingProxyType(
            {
                OutboxEvent.SEND: OutboxState.SENT,
                OutboxEvent.SKIP: OutboxState.SKIPPED,
                OutboxEvent.FAIL: OutboxState.FAILED,
                OutboxEvent.DEFER: OutboxState.QUEUED,
                OutboxEvent.GIVE_BACK: OutboxState.QUEUED,
            }
        ),
        OutboxState.HELD: MappingProxyType(
            {OutboxEvent.RELEASE: OutboxState.QUEUED, OutboxEvent.DROP: OutboxState.DROPPED}
        ),
        OutboxState.SENT: _AGAIN,
        OutboxState.SKIPPED: MappingProxyType({}),
        OutboxState.FAILED: _AGAIN,
        OutboxState.DROPPED: _AGAIN,
    }
)

WAITING = frozenset({OutboxState.QUEUED, OutboxState.SENDING, OutboxState.HELD})


def states_before(event: OutboxEvent) -> tuple[OutboxState, ...]:
    """Return the states in which this can happen."""
    return tuple(state for state, events in OUTBOX_TRANSITIONS.items() if event in events)


def destination_of(channel: Channel, recipient: str) -> str:
    """Return what a recipient shares with its neighbours: a mail's domain, a push's host, in lower case, or a login."""
    if channel is Channel.PUSH:
        return urlsplit(recipient).hostname or ""
    if channel is Channel.SMPP:
        return recipient
    return recipient.rpartition("@")[2].lower()
