"""How much one login may ask for by HTTP, and every limit that is in force for a caller, as it stands.

Counted by this process alone, but for limits of use. Not here: counting use (store.usage), saying it (web).
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from time import monotonic
from typing import Final

import structlog

from addressbook.senders import Principal, Sender
from gateway.directory import DirectoryFollower
from gateway.limits import Rate, whole_seconds
from gateway.ports import Clock
from gateway.usage_claims import claim_of
from sms.outcome import Refusal, Refused
from sms.usage import UsageClaim
from store.engine.database import Database, StorageError
from store.usage import read_usage

log = structlog.get_logger()

_MINUTE: Final = 60
_MOST_WAITING: Final = 4  # times as many as may be answered at once


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitState:
    """A limit as it stands: `left` of `most` in `window` seconds (None: at a time), more of it in `more_in` seconds."""

    name: str
    unit: str
    most: int
    window: int | None = None
    left: int
    more_in: int | None = None


@dataclass(slots=True)
class _Turns:
    """The requests of one login: those that are answered hold the semaphore, `asked` counts those that wait too."""

    free: asyncio.Semaphore
    asked: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginTurns:
    """The requests of each login: `at_once` are answered at a time and some more wait; 0 means any number.

    A login that floods waits for itself, and takes neither places nor the database from others.
    """

    at_once: int
    rate: Rate
    _of: dict[str, _Turns] = field(default_factory=dict)

    async def take(self, login: str) -> Refused | None:
        """Wait for a turn, which `leave` ends; a refusal takes none."""
        if not self.rate.take(login, monotonic()):
            detail = f"A login may make {self.rate.per_minute} requests a minute."
            return Refused(refusal=Refusal.RATE_LIMITED, detail=detail, wait=self.rate.free_in(login, monotonic()))
        if not self.at_once:
            return None
        turns = self._of.setdefault(login, _Turns(asyncio.Semaphore(self.at_once)))
        if turns.asked >= self.at_once * (1 + _MOST_WAITING):
            detail = f"A login may have {self.at_once} requests answered at a time, and too many wait already."
            return Refused(refusal=Refusal.RATE_LIMITED, detail=detail, wait=timedelta(seconds=1))
        turns.asked += 1
        try:
            await turns.free.acquire()
        except asyncio.CancelledError:
            self._count_out(login, turns)
            raise
        return None

    def leave(self, login: str) -> None:
        """End a turn."""
        turns = self._of.get(login)
        if turns is not None:
            turns.free.release()
            self._count_out(login, turns)

    def states(self, login: str) -> Iterator[LimitState]:
        """Yield the limits of a login as they stand."""
        if self.rate.per_minute:
            yield _state_of("requests", "requests", self.rate, login)
        if self.at_once:
            asked = self._of[login].asked if login in self._of else 0
            left = max(self.at_once - asked, 0)
            yield LimitState(name="at-once", unit="concurrent-requests", most=self.at_once, left=left)

    def _count_out(self, login: str, turns: _Turns) -> None:
        turns.asked -= 1
        if not turns.asked:
            del self._of[login]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerLimits:
    """All limits of a caller. `jobs` is the rate of a customer's mails and jobs over all doors."""

    turns: LoginTurns
    jobs: Rate
    database: Database
    book: DirectoryFollower
    clock: Clock

    async def in_force(self, principal: Principal, sender: Sender) -> list[LimitState]:
        """Return the limits that are in force for a caller; what can't be read now is left out."""
        states = [*self.turns.states(principal.login)]
        if principal.sandbox:  # what it sends is nobody's use
            return states
        if self.jobs.per_minute:
            states.append(_state_of("jobs", "jobs", self.jobs, principal.customer_id))
        now = self.clock.now()
        claims = dict(self._claims(sender, now))
        if not claims:
            return states
        try:
            used = await self.database.read(lambda tx: read_usage(tx, list(claims.values()), now))
        except StorageError as error:
            log.warning("usage_not_read", cause=str(error)[:300])
            return states
        return states + [_usage_state(name, claim, used[claim.counter], now) for name, claim in claims.items()]

    def _claims(self, sender: Sender, now: datetime) -> Iterator[tuple[str, UsageClaim]]:
        """Yield the limits of use that bind a sender, each with its name among them."""
        snapshot = self.book.current
        for owner, rules in snapshot.limits(sender):
            for limit in rules.usage:
                yield f"{rules.kind}-{limit.name}", claim_of(snapshot, owner, rules, limit, sender.customer.key, now)


def _state_of(name: str, unit: str, rate: Rate, key: object) -> LimitState:
    now = monotonic()
    left = rate.left(key, now)
    more_in = ceil(_MINUTE / rate.per_minute) if left else whole_seconds(rate.free_in(key, now))
    return LimitState(name=name, unit=unit, most=rate.per_minute, window=_MINUTE, left=left, more_in=more_in)


def _usage_state(name: str, claim: UsageClaim, used: int, now: datetime) -> LimitState:
    most = claim.limit.most
    if claim.begins_at is None or claim.ends_at is None:
        window, more_in = _MINUTE, ceil(_MINUTE / most) if most else None
    else:
        window, more_in = whole_seconds(claim.ends_at - claim.begins_at), whole_seconds(claim.ends_at - now)
    unit, left = claim.limit.measure.value, max(most - used, 0)
    return LimitState(name=name, unit=unit, most=most, window=window, left=left, more_in=more_in)
