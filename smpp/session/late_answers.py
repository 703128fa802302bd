"""The requests whose time is over and whose answer may still come: remembered for a while, and no more than so many."""

from typing import NamedTuple

from smpp.wire.bodies import Command


class Late(NamedTuple):
    """A request that was given up: until when it is remembered, the command_id of its answer, whose it is."""

    forget_at: float
    answer: int
    context: object


class LateAnswers:
    """Requests by sequence number, in the order in which they were given up; `seconds` and `most` bound them."""

    def __init__(self, *, seconds: float, most: int) -> None:
        self._seconds = seconds
        self._most = most
        self._late: dict[int, Late] = {}

    def await_one(self, sequence: int, answer: int, context: object, now: float) -> None:
        """Remember a request that was just given up."""
        self._late[sequence] = Late(now + self._seconds, answer, context)

    def take(self, sequence: int, command: int) -> Late | None:
        """Return the request that a response is the answer to, and forget it; None where it answers none of these."""
        late = self._late.get(sequence)
        if late is None or command not in (late.answer, Command.GENERIC_NACK):
            return None
        return self._late.pop(sequence)

    def forget(self, now: float) -> None:
        """Forget what is too old, and the oldest of too many."""
        while self._late:
            sequence, late = next(iter(self._late.items()))
            if late.forget_at > now and len(self._late) <= self._most:
                break
            del self._late[sequence]
