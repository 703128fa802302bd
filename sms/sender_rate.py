"""How fast a sender ID may send: its messages take turns, and none is dropped.

The generic cell rate algorithm (ITU-T I.371 annex A): all that is kept is the instant at which what is under way will
have drained. Not here: which rates bind a message (countries), what is kept (store.usage).
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from sms.schedule import Schedule, postpone

_SHORT_PERIOD: Final = timedelta(minutes=1)
_FORM: Final = re.compile(r"([1-9]\d{0,5})/([1-9]\d{0,3})([smhd])", re.ASCII)
_SECONDS: Final = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderRate:
    """How fast messages may go that share a `counter`: at most so many `parts` in any `period`, as a `rule` says.

    In a period of up to a minute they go evenly. In a longer one half of them may go at once, so that a few messages
    need not wait; the others are spread over it.
    """

    counter: str
    rule: str
    parts: int
    period: timedelta

    @property
    def burst(self) -> int:
        """So many parts may go at once after a pause."""
        return max(self.parts // 2, 1) if self.period > _SHORT_PERIOD else 1

    @property
    def interval(self) -> timedelta:
        """The time that each part takes."""
        spread = self.parts - self.burst if self.period > _SHORT_PERIOD else self.parts
        return -(-self.period // max(spread, 1))


def parse_rate(counter: str, rule: str) -> SenderRate:
    """Return a rate from a rule such as `long 1/1s`, `long 9/2m`, `name 200/1d`. Raises ValueError."""
    match = _FORM.fullmatch(rule.rpartition(" ")[2])
    if match is None:
        raise ValueError(rule)
    parts, number, unit = match.groups()
    period = timedelta(seconds=int(number) * _SECONDS[unit])
    return SenderRate(counter=counter, rule=rule, parts=int(parts), period=period)


def take_turn(rate: SenderRate, parts: int, schedule: Schedule, free_at: datetime) -> tuple[Schedule, datetime]:
    """Return when a message of so many parts goes, and when all that is under way with it will have drained.

    Before it that is `free_at`. It waits for its turn and for the end of a blackout; its validity counts from then.
    """
    start_at = max(schedule.due_at, free_at - (rate.burst - 1) * rate.interval)
    due_at = start_at if start_at == schedule.due_at else postpone(start_at, schedule.blackouts)
    # What a blackout puts off drains from its end: those behind it wait there, too.
    drained_at = max(due_at, free_at) + parts * rate.interval
    if due_at == schedule.due_at:
        return schedule, drained_at
    return replace(schedule, due_at=due_at, expires_at=schedule.expires_at + (due_at - schedule.due_at)), drained_at
