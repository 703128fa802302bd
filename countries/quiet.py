"""Quiet hours as periods: when promotional SMS must not reach a phone, by the local time of its number.

`Mo-Sa 22:00-08:00;Su,PH all` says what is quiet on each day: from 22:00 to midnight and until 08:00, or the whole day;
`24:00` ends with the day.
Not here: which quiet hours count (judge), the zones of a number (sms.number), public holidays (public_holidays).
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from sms.schedule import Blackout, merge

HORIZON: Final = timedelta(days=35)
"""So far ahead quiet hours are made periods; beyond that a message waits for nothing."""

_DAYS: Final = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_HOLIDAY: Final = "PH"
_MIDNIGHT: Final = time(0)
_END_OF_DAY: Final = "24:00"
_Span = tuple[time, time | None]  # from, until; None: midnight at the end of the day


@lru_cache(256)
def parse_quiet(value: str) -> dict[str, tuple[_Span, ...]]:
    """Return what is quiet on each day that a rule names, by `Mo` to `Su` and `PH`. The rule is well formed."""
    quiet: dict[str, tuple[_Span, ...]] = {}
    for part in value.split(";"):
        days, _, hours = part.strip().partition(" ")
        for day in _named(days):
            quiet[day] = (*quiet.get(day, ()), *_spans(hours))
    return quiet


def quiet_periods(
    values: Sequence[str],
    zones: Iterable[str],
    since: datetime,
    until: datetime,
    is_holiday: Callable[[date], bool] = lambda _: False,
) -> tuple[Blackout, ...]:
    """Return the quiet periods between two aware instants, merged: where rules or zones differ, all of them count.

    Zones that leave no hour free between them are those of a number that may be anywhere in a wide country: then the
    one in the middle counts.
    """
    known = sorted(set(zones), key=lambda zone: since.astimezone(ZoneInfo(zone)).utcoffset() or timedelta())
    periods = _periods(values, known, since, until, is_holiday)
    if len(known) > 1 and _fills_a_week(periods):
        return _periods(values, [known[len(known) // 2]], since, until, is_holiday)
    return periods


def _periods(
    values: Sequence[str],
    zones: Sequence[str],
    since: datetime,
    until: datetime,
    is_holiday: Callable[[date], bool],
) -> tuple[Blackout, ...]:
    found = []
    for zone in map(ZoneInfo, zones):
        first, last = since.astimezone(zone).date(), until.astimezone(zone).date()
        for value in values:
            quiet = parse_quiet(value)
            for number in range((last - first).days + 1):
                day = first + timedelta(days=number)
                name = _HOLIDAY if _HOLIDAY in quiet and is_holiday(day) else _DAYS[day.weekday()]
                found += [_period(day, span, zone) for span in quiet.get(name, ())]
    return tuple(period for period in merge(found) if period.end_at > since and period.start_at < until)


def _period(day: date, span: _Span, zone: ZoneInfo) -> Blackout:
    start, end = span
    end_day, end_time = (day + timedelta(days=1), _MIDNIGHT) if end is None else (day, end)
    # An hour that comes twice is quiet until its second end; one that is left out ends where it would have.
    return Blackout(
        start_at=datetime.combine(day, start, zone).astimezone(UTC),
        end_at=datetime.combine(end_day, end_time, zone).replace(fold=1).astimezone(UTC),
    )


def leaves_an_hour(value: str) -> bool:
    """Return whether a well-formed rule leaves any time of a week in which promotional SMS may go."""
    monday = datetime(2001, 1, 1, tzinfo=UTC)
    return not _fills_a_week(_periods([value], ["UTC"], monday, monday + timedelta(days=8), lambda _: False))


def _fills_a_week(periods: Sequence[Blackout]) -> bool:
    return any(period.end_at - period.start_at > timedelta(days=7) for period in periods)


def _named(days: str) -> list[str]:
    named: list[str] = []
    for part in days.split(","):
        first, dash, last = part.partition("-")
        if not dash:
            named.append(first)
            continue
        start, end = _DAYS.index(first), _DAYS.index(last)
        named += [_DAYS[number % 7] for number in range(start, (end if end >= start else end + 7) + 1)]
    return named


def _spans(hours: str) -> tuple[_Span, ...]:
    if hours == "all":
        return ((_MIDNIGHT, None),)
    first, _, last = hours.partition("-")
    start = time.fromisoformat(first)
    if last == _END_OF_DAY:
        return ((start, None),)
    end = time.fromisoformat(last)
    return ((start, end),) if start < end else ((_MIDNIGHT, end), (start, None))
