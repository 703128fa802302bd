"""How fast parts may be sent: a token bucket for the account, and for each link a window that shrinks.

Pure: given the time, it returns how many. Not here: the window of outstanding requests (session), which link a part
goes by (senders). Times are seconds of one monotonic clock.
"""

import math

_BURST_SECONDS = 0.1
_NARROW_SECONDS = 60.0


class Pace:
    """The speed of an account over all its links: `rate` parts per second, None for no bound; `pause` after a throttle.

    The bucket holds the parts of a tenth of a second, at least one: carriers count per second and tolerate no more.
    """

    def __init__(self, *, rate: float | None, pause: float) -> None:
        self._rate = rate
        self._capacity = math.inf if rate is None else max(1.0, rate * _BURST_SECONDS)
        self._tokens = self._capacity
        self._filled_at = 0.0
        self._pause = pause
        self._resume_at = -math.inf

    def room(self, now: float) -> float:
        """Return how many parts may be sent now; infinite without a bound."""
        if now < self._resume_at:
            return 0
        if self._rate is None:
            return math.inf
        self._fill(now)
        return int(self._tokens)

    def wait(self, now: float) -> float | None:
        """Return after how many seconds there is room again; None if there is room."""
        if now < self._resume_at:
            return self._resume_at - now
        if self._rate is not None:
            self._fill(now)
            if self._tokens < 1:
                return (1 - self._tokens) / self._rate
        return None

    def sent(self, parts: int, now: float) -> None:
        """Note that this many parts were sent."""
        if self._rate is not None:
            self._fill(now)
            self._tokens -= parts

    def throttled(self, now: float) -> bool:
        """Note that the carrier throttled; False in the pause, since the answers to what was sent before count once."""
        if now < self._resume_at:
            return False
        self._resume_at = now + self._pause
        return True

    def _fill(self, now: float) -> None:
        if self._rate is not None:
            self._tokens = min(self._capacity, self._tokens + (now - self._filled_at) * self._rate)
            self._filled_at = now


class Window:
    """How many parts one link may have out: at most `size`.

    A throttle halves it, and each accepted part widens it by one. If a refusal does not tell whether the window or the
    part was at fault, it stays narrow for a minute. After an unanswered part single parts go out as probes until any
    answer comes: a link that is bound and never answers costs one window.
    """

    def __init__(self, size: int) -> None:
        self._most = self._widest = self._now = size
        self._narrow_until = -math.inf
        self._probing = False

    def room(self, now: float, outstanding: int) -> int:
        """Return how many parts may be sent now, beside those outstanding."""
        if now >= self._narrow_until:
            self._widest = self._most
        return max((1 if self._probing else self._now) - outstanding, 0)

    def answered(self) -> None:
        """Note that the carrier answered anything."""
        self._probing = False

    def unanswered(self) -> None:
        """Note that a part was not answered."""
        self._probing = True

    def accepted(self) -> None:
        """Note that the carrier took a part."""
        if self._now < self._widest:
            self._now += 1

    def halve(self) -> None:
        """Note that the carrier throttled."""
        self._now = max(1, self._now // 2)

    def narrow(self, now: float) -> None:
        """Note that the carrier refused a part, perhaps only because others were open."""
        self._widest = self._now
        self._narrow_until = now + _NARROW_SECONDS
