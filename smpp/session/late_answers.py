"""Requests that timed out and may still be answered: remembered for a limited time, up to a limited number."""

from typing import NamedTuple

from smpp.wire.bodies import Command


class Late(NamedTuple):
    """A request that timed out: until when it is remembered, the command_id of its answer, its context."""

    forget_at: float
    answer: int
    context: object


class LateAnswers:
    """Requests by sequence number, in the order in which they timed out; `seconds` and `most` bound them."""

    def __init__(self, *, seconds: float, most: int) -> None:
        self._seconds = seconds
        self._most = most
        self._late: dict[int, Late] = {}

    def await_one(self, sequence: int, answer: int, context: object, now: float) -> None:
        """Remember a request that just timed out."""
        self._late[sequence] = Late(now + self._seconds, answer, context)

    def take(self, sequence: int, command: int) -> Late | None:
        """Return and forget the request that a response answers; None if it answers none."""
        late = self._late.get(sequence)
        if late is None or command not in (late.answer, Command.GENERIC_NACK):
            return None
        return self._late.pop(sequence)

    def forget(self, now: float) -> None:
        """Forget requests that are too old, and the oldest beyond the limit."""
        while self._late:
            sequence, late = next(iter(self._late.items()))
            if late.forget_at > now and len(self._late) <= self._most:
                break
            del self._late[sequence]
