"""How fast parts may be sent: a token bucket, and a window that shrinks when the carrier throttles.

Pure: given the time, it returns how many. Not here: the window of outstanding requests (session).
Times are seconds of one monotonic clock.
"""

import math

_BURST_SECONDS = 0.1
_NARROW_SECONDS = 60.0


class Pace:
    """The speed of one carrier: `rate` parts per second (None for no bound), `window`, `pause` after a throttle.

    The bucket holds the parts of a tenth of a second, at least one: carriers count per second and tolerate no more.
    After a throttle nothing is sent for the pause; then the window is halved, and each accepted part widens it by one.
    If a refusal does not tell whether the window or the part was at fault, the window stays narrow for a minute. After
    an unanswered part single parts go out as probes until any answer comes: a carrier that binds and never answers
    costs one window.
    """

    def __init__(self, *, rate: float | None, window: int, pause: float, now: float) -> None:
        self._rate = rate
        self._capacity = math.inf if rate is None else max(1.0, rate * _BURST_SECONDS)
        self._tokens = self._capacity
        self._filled_at = now
        self._most = self._widest = self._window = window
        self._narrow_until = -math.inf
        self._pause = pause
        self._resume_at = -math.inf
        self._probing = False

    def room(self, now: float, outstanding: int) -> int:
        """Return how many parts may be sent now, beside those outstanding."""
        if now < self._resume_at:
            return 0
        if now >= self._narrow_until:
            self._widest = self._most
        room = (1 if self._probing else self._window) - outstanding
        if self._rate is not None:
            self._fill(now)
            room = min(room, int(self._tokens))
        return max(room, 0)

    def wait(self, now: float) -> float | None:
        """Return after how many seconds there is room again without an answer; None if only answers make room."""
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

    def answered(self) -> None:
        """Note that the carrier answered anything."""
        self._probing = False

    def unanswered(self) -> None:
        """Note that a part was not answered."""
        self._probing = True

    def accepted(self) -> None:
        """Note that the carrier took a part."""
        if self._window < self._widest:
            self._window += 1

    def throttled(self, now: float) -> None:
        """Note that the carrier throttled; the answers to all parts sent before the pause count once."""
        if now >= self._resume_at:
            self._window = max(1, self._window // 2)
            self._resume_at = now + self._pause

    def crowded(self, now: float) -> None:
        """Note that the carrier refused a part, perhaps only because others were open."""
        self.throttled(now)
        self._widest = self._window
        self._narrow_until = now + _NARROW_SECONDS

    def _fill(self, now: float) -> None:
        if self._rate is not None:
            self._tokens = min(self._capacity, self._tokens + (now - self._filled_at) * self._rate)
            self._filled_at = now
