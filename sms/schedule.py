"""When a message may go out: its start, the periods in which nothing is sent, and the end of its validity.

Not here: where a sender writes them (the edges), how they are stored (store.serialise). Instants are aware UTC.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from sms.outcome import Refusal, Refused

FURTHEST_START: Final = timedelta(days=366)
LONGEST_BLACKOUT: Final = timedelta(days=31)
BLACKOUT_MINIMUM: Final = timedelta(hours=1)

_FIRST_YEAR, _LAST_YEAR = 1970, 9000
_SIGN_LOST = re.compile(r"(:[0-9]{2}(?:\.[0-9]+)?) ([0-9]{2}:?[0-9]{2})$", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blackout:
    """A period in which nothing is sent: from `start_at` until just before `end_at`."""

    start_at: datetime
    end_at: datetime


class Schedule(Struct, frozen=True, kw_only=True):
    """When a job's messages are due and when their validity ends; `blackouts` are future, disjoint, in order."""

    due_at: datetime
    expires_at: datetime
    blackouts: tuple[Blackout, ...] = ()


def parse_instant(text: str, zone: tzinfo) -> datetime:
    """Return an ISO 8601 instant of our days; one without an offset is of the zone. Raises ValueError.

    A blank may stand for the T, and for the plus of the offset: in a query the plus is a blank.
    """
    given = _SIGN_LOST.sub(r"\1+\2", text.strip())
    given = f"{given[:-3].rstrip()}Z" if given[-3:].upper() == "UTC" else given
    instant = datetime.fromisoformat(given)
    if not _FIRST_YEAR <= instant.year <= _LAST_YEAR:
        raise ValueError
    return (instant if instant.tzinfo else instant.replace(tzinfo=zone)).astimezone(UTC)


def parse_blackout(text: str, zone: tzinfo) -> Blackout:
    """Return a period from `start/end`; one under an hour lasts an hour from its start. Raises ValueError."""
    start, slash, end = text.partition("/")
    if not slash:
        raise ValueError
    start_at, end_at = parse_instant(start, zone), parse_instant(end, zone)
    if end_at <= start_at:
        raise ValueError
    return Blackout(start_at=start_at, end_at=max(end_at, start_at + BLACKOUT_MINIMUM))


def decide_schedule(
    start_at: datetime | None,
    blackouts: Collection[Blackout],
    validity: timedelta,
    now: datetime,
    quiet: Collection[Blackout] = (),
) -> Schedule | Refused:
    """Return the schedule of a job requested at `now`; OPTION_MALFORMED beyond the bounds.

    A start in the past is now. The validity counts from the start, without the time in blackouts: a blackout delays a
    message and must not end it. `quiet` are further ones, which nobody asked for and no bound is about.
    """
    start = max(start_at or now, now)
    if start - now > FURTHEST_START:
        return _refused("The start lies more than a year ahead.")
    if not blackouts and not quiet:
        return Schedule(due_at=start, expires_at=start + validity)
    ahead = tuple(period for period in merge(blackouts) if period.end_at > start)
    if ahead and ahead[-1].end_at - now > FURTHEST_START:
        return _refused("A blackout period ends more than a year ahead.")
    if sum((period.end_at - period.start_at for period in ahead), timedelta(0)) > LONGEST_BLACKOUT:
        return _refused(f"The blackout periods are longer than {LONGEST_BLACKOUT.days} days together.")
    if quiet:
        ahead = tuple(period for period in merge((*ahead, *quiet)) if period.end_at > start)
    due_at = postpone(start, ahead)
    return Schedule(due_at=due_at, expires_at=_after(due_at, validity, ahead), blackouts=ahead)


def merge(blackouts: Iterable[Blackout]) -> tuple[Blackout, ...]:
    """Return the periods in order; those that touch or overlap become one, empty ones are dropped."""
    merged: list[Blackout] = []
    for period in sorted(blackouts, key=lambda period: period.start_at):
        if period.end_at <= period.start_at:
            continue
        if merged and period.start_at <= merged[-1].end_at:
            end_at = max(merged[-1].end_at, period.end_at)
            merged[-1] = Blackout(start_at=merged[-1].start_at, end_at=end_at)
        else:
            merged.append(period)
    return tuple(merged)


def postpone(at: datetime, blackouts: Iterable[Blackout]) -> datetime:
    """Return the instant, or the end of the period that contains it; the periods are merged."""
    for period in blackouts:
        if period.start_at <= at < period.end_at:
            return period.end_at
    return at


def _after(start: datetime, duration: timedelta, blackouts: Iterable[Blackout]) -> datetime:
    """Return when this much time outside the periods has passed since the start."""
    end = start + duration
    for period in blackouts:
        if period.start_at >= end:
            break
        end += period.end_at - max(period.start_at, start) if period.end_at > start else timedelta(0)
    return end


def _refused(detail: str) -> Refused:
    return Refused(refusal=Refusal.OPTION_MALFORMED, detail=detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """The hours of a day in which a carrier is used, in its zone; `until` before `since` goes over midnight."""

    since: time
    until: time
    zone: str = "UTC"

    def open_at(self, instant: datetime) -> bool:
        """Return whether an aware instant is within the hours."""
        local = instant.astimezone(ZoneInfo(self.zone)).time()
        if self.since <= self.until:
            return self.since <= local < self.until
        return local >= self.since or local < self.until
