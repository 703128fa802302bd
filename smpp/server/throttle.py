"""How fast a login may submit: answers are delayed first, so that the order stays; what is further ahead is refused.

Pure: time is an argument, in seconds of one monotonic clock.
"""

MOST_DELAY = 1.0
"""Some clients await an answer for two seconds."""


class Throttle:
    """The SMS of one login over all its binds: `rate` per second, 0 for any number."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._free_at = 0.0

    def due_at(self, sms: int, now: float) -> float | None:
        """Return when these SMS may be taken, None where that is longer than a client waits."""
        if not self._rate:
            return now
        begin = max(self._free_at, now)
        if begin - now > MOST_DELAY:
            return None
        self._free_at = begin + sms / self._rate
        return begin
