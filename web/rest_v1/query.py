"""Which jobs are asked for, as a query's parameters say it. Not here: finding them (gateway.application_status)."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from gateway.application_status import JobQuery
from sms.schedule import parse_instant
from web.problems import BadField
from web.rest_v1.request import parse_truth

_LONGEST_WINDOW: Final = timedelta(days=30)
_MOST_JOBS: Final = 1_000
_WHEN: Final = "an instant such as 2026-11-30T17:42:00Z"


def read_query(given: Mapping[str, str], zone: tzinfo, now: datetime) -> JobQuery | list[BadField]:
    """Return which jobs parameters ask for; `zone` is that of instants without an offset."""
    query = _Query(given, zone)
    until = query.instant("toTs") or now
    since = query.instant("fromTs") or until - _LONGEST_WINDOW
    if not since <= until <= since + _LONGEST_WINDOW:
        query.bad.append(BadField(field="toTs", expected="an instant within 30 days after fromTs"))
    if not query.truth("jobIdsOnly", default=True):
        query.bad.append(BadField(field="jobIdsOnly", expected="true"))
    only_open = query.truth("open", default=False)
    offset, limit = query.number("offset", 0), query.number("limit", 100)
    if query.bad:
        return query.bad
    return JobQuery(since=since, until=until, only_open=only_open, offset=offset, limit=min(max(limit, 1), _MOST_JOBS))


class _Query:
    """The parameters of a query, and those that can't be read."""

    def __init__(self, given: Mapping[str, str], zone: tzinfo) -> None:
        self._given = given
        self._zone = zone
        self.bad: list[BadField] = []

    def instant(self, name: str) -> datetime | None:
        """Return an instant, None where none is given."""
        text = self._given.get(name, "").strip()
        if not text:
            return None
        try:
            return parse_instant(text, self._zone)
        except ValueError:
            self.bad.append(BadField(field=name, expected=_WHEN))
            return datetime.now(UTC)

    def truth(self, name: str, *, default: bool) -> bool:
        """Return a truth in any case."""
        text = self._given.get(name, "")
        found = parse_truth(text) if text else default
        if found is None:
            self.bad.append(BadField(field=name, expected="true or false"))
        return bool(found)

    def number(self, name: str, default: int) -> int:
        """Return a whole number of 0 or more."""
        text = self._given.get(name, "").strip() or str(default)
        if text.isascii() and text.isdigit() and len(text) <= 9:
            return int(text)
        self.bad.append(BadField(field=name, expected="a whole number"))
        return default
