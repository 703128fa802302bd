"""Times as an ESME writes them: absolute with its distance to UTC, or relative to now (SMPP 3.4 §7.1.1).

Not here: what they mean for an SMS (reading).
"""

import re
from datetime import datetime, timedelta

from smpp.dialect.receipts import parse_absolute_time

_RELATIVE = re.compile(r"([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})[0-9]00R").fullmatch
_DAYS_OF_A_YEAR, _DAYS_OF_A_MONTH = 365, 30


def parse_time(text: str, now: datetime) -> datetime | None:
    """Return the instant, None for a text that is no time; a relative year has 365 days and a month 30."""
    relative = _RELATIVE(text)
    if relative is None:
        return parse_absolute_time(text)
    years, months, days, hours, minutes, seconds = map(int, relative.groups())
    days += years * _DAYS_OF_A_YEAR + months * _DAYS_OF_A_MONTH
    return now + timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
