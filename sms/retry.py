"""When a failed attempt is retried, and when its peer is paused: one ladder of waits, one breaker.

Pure: instants and chance are arguments. It is in the core because the store delays parts with it. Not here: the
attempts themselves, and the ladders, which are beside their users.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

_DOUBLINGS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """The waits after the first, second, … failure; the last one repeats.

    Chance makes a wait `least` to `most` times as long, so that attempts that failed together are not retried together.
    `expire_after` counts from the start, not from the first failure; None never ends.
    """

    waits: Sequence[timedelta]
    least: float = 1.0
    most: float = 1.0
    expire_after: timedelta | None = None

    @classmethod
    def of_seconds(cls, *waits: float, least: float = 1.0, most: float = 1.0) -> Self:
        """Return a ladder that never ends."""
        return cls(waits=tuple(timedelta(seconds=wait) for wait in waits), least=least, most=most)

    @classmethod
    def doubling(cls, first: timedelta, longest: timedelta, *, least: float = 1.0) -> Self:
        """Return a ladder whose waits double from the first up to the longest."""
        return cls(waits=tuple(min(first * 2**step, longest) for step in range(_DOUBLINGS + 1)), least=least)

    def wait(self, failures: int, chance: float = 0.0, *, at_least: timedelta | None = None) -> timedelta:
        """Return the wait after n `failures` in a row (from 1); `chance` is 0 to 1."""
        wait = self.waits[min(max(failures, 1), len(self.waits)) - 1]
        return max(wait, at_least or wait) * (self.least + (self.most - self.least) * chance)

    def next_at(self, failures: int, began_at: datetime, now: datetime, chance: float) -> datetime | None:
        """Return when to retry, None if the time is over; the last attempt is exactly at the end."""
        due = now + self.wait(failures, chance)
        if self.expire_after is None:
            return due
        expires_at = began_at + self.expire_after
        return min(due, expires_at) if now < expires_at else None


def chance_of(key: int) -> float:
    """Return 0 to 1 for a row's key: the same at every attempt, and different for its neighbours."""
    return key % 101 / 100


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerRule:
    """A breaker opens after `failures` failures in a row, and after a rest again after `again` more."""

    failures: int
    rests: Ladder
    again: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """The state of one peer: failures and rests in a row, until when it rests, and whether a call probes it.

    Instants are seconds of one clock. After each success it is `CLOSED` again.
    """

    failures: int = 0
    rests: int = 0
    open_until: float = 0.0
    probing: bool = False

    def may_call(self, now: float) -> bool:
        """Return whether a call may start now; after a rest one at a time, if callers use `started`."""
        return now >= self.open_until and not self.probing

    def started(self) -> "Breaker":
        """Return the breaker after the start of a call that `may_call` allowed."""
        return replace(self, probing=True) if self.rests else self

    def ended(self) -> "Breaker":
        """Return the breaker after a call without news about the peer."""
        return replace(self, probing=False)

    def failed(self, now: float, rule: BreakerRule) -> "Breaker":
        """Return the breaker after a failure of the peer; failures while it rests do not lengthen the rest."""
        failures = self.failures + 1
        if now < self.open_until or failures < (rule.again if self.rests else rule.failures):
            return replace(self, failures=failures)
        rests = self.rests + 1
        return Breaker(rests=rests, open_until=now + rule.rests.wait(rests).total_seconds())


CLOSED = Breaker()
