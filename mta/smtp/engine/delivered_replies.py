"""Whether a client heard the replies to its mails: it did if it speaks afterwards, or ends in order having them.

Who did not may send a mail again without wanting it twice. Not here: bytes and sockets (mta.smtp.server.connection),
what follows from it (mta.repeats). Pure; instants are seconds of one clock.
"""

from collections.abc import Callable
from typing import Final

_UNDER_WAY: Final = 10.0
"""So many seconds a reply may be on its way; later, one that the client's system has not confirmed is in doubt."""


def _confirmed() -> bool:
    return True


class DeliveredReplies:
    """The replies of one connection; `confirmed` tells whether the client's system has all that was sent."""

    def __init__(self, confirmed: Callable[[], bool] = _confirmed) -> None:
        self.confirmed = confirmed
        self.lost = False
        self._expected: list[Callable[[], None]] = []
        self._told: list[Callable[[], None]] = []
        self._told_at = 0.0

    @property
    def expects(self) -> bool:
        """Whether a reply that somebody waits for is still to be sent."""
        return bool(self._expected)

    def expect(self, heard: Callable[[], None]) -> None:
        """Call `heard` once the client has heard the reply that is given next; never, if it does not hear it."""
        self._expected.append(heard)

    def told(self, now: float) -> None:
        """Learn that all replies were sent, and that what the client says from now on it says after them."""
        self._told += self._expected
        self._expected = []
        self._told_at = now

    def spoke(self) -> None:
        """Learn that the client said something: it has heard what was sent before."""
        heard, self._told = self._told, []
        for tell in heard:
            tell()

    def ended(self) -> None:
        """Learn that the client says nothing more: it has heard what its system confirmed, and nothing else."""
        if self._told and self.confirmed():
            self.spoke()
        self.lose()

    def lose(self) -> None:
        """Learn that the connection is over."""
        self.lost = True
        self._expected, self._told = [], []

    def open(self, now: float) -> bool:
        """Tell whether the client is there and may still hear a reply, so that it has no reason to send again."""
        if self.lost:
            return False
        return not self._told or now - self._told_at < _UNDER_WAY or self.confirmed()
