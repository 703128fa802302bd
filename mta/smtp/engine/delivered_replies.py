"""Whether a client heard the replies to its mails: it says more after them, or its system confirms them when it ends.

A client that did not hear one may repeat a mail that it wants only once. Not here: bytes and sockets
(mta.smtp.server.connection), the consequence (mta.repeats). Pure; instants are seconds of one clock.
"""

from collections.abc import Callable
from typing import Final

_UNDER_WAY: Final = 10.0
"""How many seconds a reply may take; later, one that the client's system has not confirmed is in doubt."""


def _confirmed() -> bool:
    return True


class DeliveredReplies:
    """The replies of one connection; `confirmed` returns whether the client's system has all sent octets."""

    def __init__(self, confirmed: Callable[[], bool] = _confirmed) -> None:
        self.confirmed = confirmed
        self.lost = False
        self._says_no_more = False
        self._expected: list[Callable[[], None]] = []
        self._told: list[Callable[[], None]] = []
        self._told_at = 0.0

    @property
    def expects(self) -> bool:
        """Whether an expected reply is not yet sent."""
        return bool(self._expected)

    @property
    def in_doubt(self) -> bool:
        """Whether a reply was sent that the client may not have heard."""
        return bool(self._told)

    def expect(self, heard: Callable[[], None]) -> None:
        """Call `heard` once the client has heard the next reply; never, if it does not hear it."""
        self._expected.append(heard)

    def told(self, now: float) -> None:
        """Note that all replies were sent, and that later input of the client comes after them."""
        self._told += self._expected
        self._expected = []
        self._told_at = now

    def spoke(self) -> None:
        """Note input of the client: it has heard the earlier replies."""
        if self._told:
            heard, self._told = self._told, []
            for tell in heard:
                tell()

    def ended(self) -> None:
        """Note the end of the client's input: it has heard what its system confirmed, and may hear more."""
        self._says_no_more = True
        if self._told and self.confirmed():
            self.spoke()

    def lose(self) -> None:
        """Note that the connection is over."""
        self.lost = True
        self._expected, self._told = [], []

    def open(self, now: float) -> bool:
        """Return whether the client is connected and may still hear a reply, so that it need not repeat a mail."""
        if self.lost or self._says_no_more:
            return False
        return not self._told or now - self._told_at < _UNDER_WAY or self.confirmed()
