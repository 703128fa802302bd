"""Whether a carrier can be trusted with more right now: what its link and its answers said lately, and its hours.

Pure: every instant is an argument, in seconds of one clock. Not here: which carriers a number has (routing), who asks
(dispatch). A carrier that fails rests while others can take over.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

from sms.outcome import Done, Failed, Outcome
from sms.retry import CLOSED, Breaker, BreakerRule, Ladder

# A carrier that is tried again gets a whole window at once, so one failure says little.
BREAKER = BreakerRule(failures=10, again=10, rests=Ladder.doubling(timedelta(seconds=10), timedelta(minutes=10)))


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthRules:
    """When a carrier counts as failing; seconds.

    `link_patience` is how long a link may be down, or all its window taken without an answer, before others take over.
    Answers that were none or «not now» count as failures for the `breaker`.
    """

    link_patience: float = 3.0
    breaker: BreakerRule = BREAKER


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What is remembered of one carrier. `stuck_since` is when it last began to have no room."""

    breaker: Breaker = CLOSED
    stuck_since: float | None = None

    def heard(self, outcome: Outcome, now: float, rules: HealthRules) -> "Health":
        """Return the health after an answer; a refusal of the message itself is a sign of life."""
        if isinstance(outcome, Done | Failed):
            return replace(self, breaker=CLOSED)
        return replace(self, breaker=self.breaker.failed(now, rules.breaker))

    def looked(self, room: int, now: float) -> "Health":
        """Return the health after a look at the free window."""
        if room > 0:
            return self if self.stuck_since is None else replace(self, stuck_since=None)
        return self if self.stuck_since is not None else replace(self, stuck_since=now)

    def fit(self, now: float, rules: HealthRules) -> bool:
        """Return whether the carrier should get what it is the best for; another may take it while this is false."""
        stuck = self.stuck_since is not None and now - self.stuck_since >= rules.link_patience
        return self.breaker.may_call(now) and not stuck
