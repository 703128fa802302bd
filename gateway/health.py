"""Whether a carrier can be trusted with more right now: what its link and its answers said lately, and its hours.

Pure: every instant is an argument, in seconds of one clock. Not here: which carriers a number has (routing), who asks
(dispatch). A carrier that fails rests while others can take over; each rest is twice as long, up to a bound.
"""

from dataclasses import dataclass, replace

from sms.outcome import Done, Failed, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthRules:
    """When a carrier counts as failing; seconds.

    `link_patience` is how long a link may be down, or all its window taken without an answer, before others take over.
    After `failures` answers in a row that were none or «not now» it rests for `pause`, then twice as long, up to
    `longest`.
    """

    link_patience: float = 3.0
    failures: int = 10
    pause: float = 10.0
    longest: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What is remembered of one carrier. `stuck_since` is when it last began to have no room."""

    failures: int = 0
    rests: int = 0
    resting_until: float = 0.0
    stuck_since: float | None = None

    def heard(self, outcome: Outcome, now: float, rules: HealthRules) -> "Health":
        """Return the health after an answer; a refusal of the message itself is a sign of life."""
        if isinstance(outcome, Done | Failed):
            return replace(self, failures=0, rests=0, resting_until=0.0)
        failures = self.failures + 1
        if failures < rules.failures or now < self.resting_until:
            return replace(self, failures=failures)
        pause = min(rules.pause * 2**self.rests, rules.longest)
        return replace(self, failures=0, rests=self.rests + 1, resting_until=now + pause)

    def looked(self, room: int, now: float) -> "Health":
        """Return the health after a look at the free window."""
        if room > 0:
            return self if self.stuck_since is None else replace(self, stuck_since=None)
        return self if self.stuck_since is not None else replace(self, stuck_since=now)

    def fit(self, now: float, rules: HealthRules) -> bool:
        """Tell whether the carrier should get what it is the best for; another may take it while this is false."""
        stuck = self.stuck_since is not None and now - self.stuck_since >= rules.link_patience
        return now >= self.resting_until and not stuck
