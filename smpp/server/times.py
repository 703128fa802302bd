"""Times as an ESME writes them: absolute with its distance to UTC, or relative to now (SMPP 3.4 §7.1.1)."""

import re
from datetime import datetime, timedelta

from smpp.dialect.receipts import parse_absolute_time

_RELATIVE = re.compile(r"([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})[0-9]00R").fullmatch
_DAYS_OF_A_YEAR, _DAYS_OF_A_MONTH = 365, 30
_LEAST_VALIDITY, _MOST_VALIDITY = timedelta(minutes=1), timedelta(days=7)


def parse_time(text: str, now: datetime) -> datetime | None:
    """Return the instant, None for a text that is no time; a relative year has 365 days and a month 30."""
    relative = _RELATIVE(text)
    if relative is None:
        return parse_absolute_time(text)
    years, months, days, hours, minutes, seconds = map(int, relative.groups())
    days += years * _DAYS_OF_A_YEAR + months * _DAYS_OF_A_MONTH
    return now + timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def validity_until(expires_at: datetime, start_at: datetime | None, now: datetime) -> timedelta | None:
    """Return how long an SMS is worth it from its start, or from now, within our bounds; None where it never is."""
    validity = expires_at - max(start_at or now, now)
    return min(max(validity, _LEAST_VALIDITY), _MOST_VALIDITY) if validity > timedelta(0) else None
