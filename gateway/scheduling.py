"""When each message of a submission may go out, and until when: its start, its blackouts, the rules of its country.

Pure. Not here: the arithmetic of schedules (sms.schedule) and of quiet hours (countries.quiet).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from countries.book import Mode
from countries.findings import Effect, Finding
from countries.public_holidays import is_public_holiday
from countries.quiet import HORIZON, quiet_periods
from countries.rules import RuleName
from gateway.planned import JobPlan, PlannedMessage
from sms.number import country_of, zones_of
from sms.outcome import Refused
from sms.schedule import Blackout, Schedule, decide_schedule, postpone
from sms.sender_rate import take_turn

_A_WEEK: Final = timedelta(days=7)
_Own = tuple[tuple[Blackout, ...] | None, tuple[Blackout, ...], timedelta]


class AskedTimes(Struct, frozen=True):
    """When a submission is to go out, None for at once, when not, and for how long it is worth it."""

    start_at: datetime | None
    validity: timedelta
    blackouts: tuple[Blackout, ...] = ()


def decide_schedules(
    asked: AskedTimes, messages: Sequence[PlannedMessage], now: datetime
) -> tuple[Schedule | Refused, list[PlannedMessage]]:
    """Return the schedule of a submission, and its messages, of which those have their own that need another one."""
    start_at, validity = asked.start_at, asked.validity
    schedule = decide_schedule(start_at, asked.blackouts, validity, now)
    if isinstance(schedule, Refused):
        return schedule, list(messages)
    if not any(map(_may_differ, messages)):
        return schedule, list(messages)
    longest = max(message.judgement.validity or validity for message in messages)
    quiet_of = _QuietPeriods(max(start_at or now, now), min(HORIZON, 2 * longest + _A_WEEK))
    known: dict[_Own, Schedule] = {}
    decided = []
    for message in messages:
        quiet = quiet_of.applied(message)
        own = message.wanted.blackouts, quiet, message.judgement.validity or validity
        if own == (None, (), validity):
            decided.append(quiet_of.noted(message, schedule))
            continue
        if own not in known:
            blackouts = asked.blackouts if own[0] is None else own[0]
            found = decide_schedule(start_at, blackouts, own[2], now, quiet)
            if isinstance(found, Refused):
                return found, list(messages)
            known[own] = found
        decided.append(quiet_of.noted(replace(message, schedule=known[own]), known[own]))
    return schedule, decided


def _may_differ(message: PlannedMessage) -> bool:
    """Return whether a message may need a schedule of its own."""
    judgement = message.judgement
    return bool(judgement.quiet) or judgement.validity is not None or message.wanted.blackouts is not None


def rates_of(plan: JobPlan) -> list[str]:
    """Return the counters of the rates that a plan's messages keep to."""
    return sorted({message.rate.counter for message in plan.messages if message.rate is not None})


def keep_rates(plan: JobPlan, free_at: Mapping[str, datetime]) -> JobPlan:
    """Return a plan with when each message would go now that its sender ID has sent what it has; it counts nothing.

    `free_at` is when what is under way will have drained, by counter (store.usage.read_free).
    """
    free = dict(free_at)
    messages = []
    for message in plan.messages:
        planned, encoded = message.schedule or plan.schedule, plan.encoded_of(message)
        if message.rate is None or message.refused is not None or planned is None or encoded is None:
            messages.append(message)
            continue
        counter = message.rate.counter
        turn, free[counter] = take_turn(message.rate, len(encoded.lengths), planned, free.get(counter, planned.due_at))
        found = (*message.findings, Finding(RuleName.RATE, Effect.DELAYED, message.rate.rule))
        messages.append(message if turn == planned else replace(message, schedule=turn, findings=found))
    return replace(plan, messages=tuple(messages))


class _QuietPeriods:
    """The quiet hours of the recipients of one submission, in its time; alike ones are computed once."""

    def __init__(self, since: datetime, span: timedelta) -> None:
        self._since = since
        self._until = since + span
        self._known: dict[tuple[str, tuple[str, ...], tuple[str, ...]], tuple[Blackout, ...]] = {}

    def applied(self, message: PlannedMessage) -> tuple[Blackout, ...]:
        """Return the quiet hours that a message heeds."""
        return self._of(message, Mode.APPLY)

    def noted(self, message: PlannedMessage, schedule: Schedule) -> PlannedMessage:
        """Return a message with what its quiet hours did: they delayed it, or it goes out in noted ones."""
        if not message.judgement.quiet:
            return message
        found = []
        delayed = postpone(self._since, self.applied(message)) != self._since
        inside = postpone(schedule.due_at, self._of(message, Mode.NOTE)) != schedule.due_at
        for rule in message.judgement.quiet:
            if rule.mode is Mode.APPLY and delayed:
                found.append(Finding(rule.name, Effect.DELAYED, rule.value))
            elif rule.mode is Mode.NOTE and inside:
                found.append(Finding(rule.name, Effect.NOTED, rule.value))
        return replace(message, findings=(*message.findings, *found)) if found else message

    def _of(self, message: PlannedMessage, mode: Mode) -> tuple[Blackout, ...]:
        values = tuple(rule.value for rule in message.judgement.quiet if rule.mode is mode)
        if not values or message.number is None:
            return ()
        key = country_of(message.number), values, zones_of(message.number)
        if key not in self._known:
            self._known[key] = quiet_periods(
                values, key[2], self._since, self._until, partial(is_public_holiday, key[0])
            )
        return self._known[key]
