"""How fast parts may go out: a token bucket, and a window that shrinks when the carrier says «too fast».

Pure: give it the time, it answers how many. Not here: the window of outstanding requests (session).
Times are seconds of one monotonic clock.
"""

import math

_BURST_SECONDS = 0.1
_NARROW_SECONDS = 60.0


class Pace:
    """The speed of one carrier: `rate` parts per second (None for no bound), `window`, `pause` after a throttle.

    The bucket holds what a tenth of a second earns, at least one part: carriers count per second and forgive no more.
    After a throttle nothing goes out for the pause; then the window is half of what it was, and each accepted part
    widens it by one. Where the carrier cannot say whether the window or a part was at fault it stays narrow for a
    minute, so that few are refused. Once a whole window went unanswered one part at a time goes out as a probe, until
    any answer comes: a carrier that binds and never answers costs a window once.
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
        self._unanswered = 0

    def room(self, now: float, outstanding: int) -> int:
        """Return how many parts may go out now while so many wait for their answer."""
        if now < self._resume_at:
            return 0
        if now >= self._narrow_until:
            self._widest = self._most
        room = (self._window if self._unanswered < self._most else 1) - outstanding
        if self._rate is not None:
            self._fill(now)
            room = min(room, int(self._tokens))
        return max(room, 0)

    def wait(self, now: float) -> float | None:
        """Return in how many seconds time alone makes room again; None where it waits for answers only."""
        if now < self._resume_at:
            return self._resume_at - now
        if self._rate is not None:
            self._fill(now)
            if self._tokens < 1:
                return (1 - self._tokens) / self._rate
        return None

    def sent(self, parts: int, now: float) -> None:
        """Note that so many parts went out."""
        if self._rate is not None:
            self._fill(now)
            self._tokens -= parts

    def answered(self) -> None:
        """Note that the carrier answered, whatever it said."""
        self._unanswered = 0

    def unanswered(self) -> None:
        """Note that a part was not answered."""
        self._unanswered += 1

    def accepted(self) -> None:
        """Note that the carrier took a part."""
        if self._window < self._widest:
            self._window += 1

    def throttled(self, now: float) -> None:
        """Note that the carrier said «too fast»; answers to parts sent before the pause say so once, not many times."""
        if now >= self._resume_at:
            self._window = max(1, self._window // 2)
            self._resume_at = now + self._pause

    def crowded(self, now: float) -> None:
        """Note that the carrier refused a part perhaps for no other reason than that others were open."""
        self.throttled(now)
        self._widest = self._window
        self._narrow_until = now + _NARROW_SECONDS

    def _fill(self, now: float) -> None:
        if self._rate is not None:
            self._tokens = min(self._capacity, self._tokens + (now - self._filled_at) * self._rate)
            self._filled_at = now
