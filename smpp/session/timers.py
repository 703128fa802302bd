"""All timers of a session as one value: given the time, it returns what to do and why (SMPP 3.4 §2.9).

A silent link differs from an idle one: the other side owes us answers and is silent. It gets an enquire_link before the
idle time ends.

Not here: the deadlines of single requests (session), nor any clock. Times are seconds of one monotonic clock.
"""

import math
from dataclasses import dataclass
from enum import StrEnum


class TimerVerdict(StrEnum):
    """What is due: nothing, an enquire_link, or the end of the session and why."""

    FINE = "fine"
    ENQUIRE = "enquire"
    NOT_BOUND = "not-bound"
    NO_LIFE = "no-life"
    INACTIVE = "inactive"


@dataclass(slots=True, kw_only=True)
class Timers:
    """The session init, enquire_link and inactivity timers; `math.inf` switches one off.

    A session that is not bound at `bind_by` ends: the init timer runs until the bind is asked for, not until it is
    answered. `heard_at` is the last PDU of any kind, `busy_at` the last except enquire_link, `asked_at` our open
    enquire_link. `silence_seconds` is how long a request may be open while nothing is heard.
    """

    bind_by: float
    enquire_link_seconds: float
    response_seconds: float
    inactivity_seconds: float
    silence_seconds: float
    heard_at: float
    busy_at: float
    bound: bool = False
    asked_at: float | None = None
    silent: bool = False

    def heard(self, now: float, *, busy: bool) -> None:
        """Note that a PDU came; any PDU is a sign of life, not only the answer to enquire_link."""
        self.heard_at = now
        self.asked_at = None
        self.silent = False
        if busy:
            self.busy_at = now

    def tick(self, now: float, owed_since: float = math.inf) -> TimerVerdict:
        """Return what is due; ENQUIRE counts the enquire_link as sent: the caller must send it.

        `owed_since` is when the oldest open request was sent.
        """
        if not self.bound:
            return TimerVerdict.NOT_BOUND if now >= self.bind_by else TimerVerdict.FINE
        if not self.silent and now - max(owed_since, self.heard_at) >= self.silence_seconds:
            self.silent = True
        if self.asked_at is not None:
            if now - self.asked_at >= self.response_seconds:
                return TimerVerdict.NO_LIFE
        elif self.silent or now - self.heard_at >= self.enquire_link_seconds:
            self.asked_at = now
            return TimerVerdict.ENQUIRE
        if now - self.busy_at >= self.inactivity_seconds:
            return TimerVerdict.INACTIVE
        return TimerVerdict.FINE
