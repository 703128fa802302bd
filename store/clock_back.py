"""What was queued by a clock that has since been put back: its times lie ahead, and nobody would send it until then.

Not here: who notices it (gateway.clock_watch).
"""

from dataclasses import dataclass

from store.engine.database import Transaction
from store.tables import FAR

_MESSAGES = (
    "UPDATE message SET due_at = CASE WHEN due_at <= ? THEN ? ELSE due_at - ? END"
    " WHERE state = 'queued' AND NOT held AND due_at > ? AND (due_at <= ? OR attempts > 0)"
)
_OUTBOX = (
    "UPDATE outbox SET due_at = CASE WHEN due_at <= ? THEN ? ELSE due_at - ? END"
    " WHERE state = 'queued' AND due_at > ? AND due_at < ?"
)
_FRAGMENTS = "UPDATE inbound_fragment SET received_at = received_at - ? WHERE received_at > ?"
_ANSWERS = "UPDATE automatic_answer SET at = at - ? WHERE at > ?"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockPutBack:
    """The clock showed `was` and shows `now`; both in microseconds."""

    was: int
    now: int


def last_known(tx: Transaction) -> int:
    """Return the latest instant at which a job was accepted, in microseconds, 0 where there is none."""
    return int(tx.value("SELECT accepted_at FROM job ORDER BY accepted_at DESC, key DESC LIMIT 1") or 0)


def bring_forward(tx: Transaction, jumps: list[ClockPutBack]) -> list[int]:
    """Make due what was due before the clock was put back, and shorten later waits by as much; returns how many rows.

    Fragments of inbound SMS wait no longer for others, and automatic answers count no longer. What its sender
    scheduled, and what is held, keeps its time.
    """
    counts = []
    for jump in jumps:
        by = jump.was - jump.now
        counts.append(
            tx.execute(_MESSAGES, (jump.was, jump.now, by, jump.now, jump.was))
            + tx.execute(_OUTBOX, (jump.was, jump.now, by, jump.now, FAR))
            + tx.execute(_FRAGMENTS, (by, jump.now))
        )
        tx.execute(_ANSWERS, (by, jump.now))
    return counts
