"""Limits of use: how much an owner may send in a minute, a day or a month, and what a job takes of that.

Not here: whose limits bind a sender (addressbook.hierarchy, gateway.plan), what was used (store.usage).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from sms.number import is_country


class Measure(StrEnum):
    """What is counted: SMS to recipients, or the parts that are billed."""

    SMS = "sms"
    PARTS = "parts"


class Period(StrEnum):
    """In which time. A minute refills steadily; days and months begin at midnight in the owner's zone."""

    MINUTE = "minute"
    DAY = "day"
    MONTH = "month"


_FORM: Final = re.compile(
    r"(agreed:)?(sms|parts)/(minute|day|month)(?:@([a-z]{2}))?(?::([a-z0-9][a-z0-9_.-]{0,63}))?=(any|[0-9]{1,9})",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class UsageLimit:
    """At most so many SMS or parts in a period, all in all or to one country (ISO 3166, empty: all).

    `carrier` is that of the route that is tried first (empty: any). What is `agreed` refuses nothing: who passes it is
    told of.
    """

    measure: Measure
    period: Period
    most: int
    country: str = ""
    carrier: str = ""
    agreed: bool = False

    @property
    def name(self) -> str:
        """Name it as it is set: `sms/day`, `parts/month@FR`, `agreed:sms/month:main`."""
        name = f"{'agreed:' if self.agreed else ''}{self.measure}/{self.period}"
        return name + (f"@{self.country}" if self.country else "") + (f":{self.carrier}" if self.carrier else "")


def parse_limit(text: str) -> tuple[str, UsageLimit | None] | None:
    """Return the name and the limit of a text such as `sms/day=500`, no limit for `=any`; None if it is none."""
    match = _FORM.fullmatch(text.replace(" ", ""))
    country = (match[4] or "").upper() if match is not None else ""
    if match is None or (country and not is_country(country)):
        return None
    limit = UsageLimit(
        measure=Measure(match[2].lower()),
        period=Period(match[3].lower()),
        most=0,
        country=country,
        carrier=match[5] or "",
        agreed=bool(match[1]),
    )
    if limit.period is Period.MINUTE and (limit.agreed or limit.carrier):
        return None
    return limit.name, None if match[6].lower() == "any" else replace(limit, most=int(match[6]))


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageClaim:
    """One limit that binds a job. `counter` is where its use is counted; `owner` says in a sentence whose it is.

    The period is from `begins_at` until `ends_at`, shown in `zone`; of a minute, both are None.
    """

    counter: str
    owner: str
    limit: UsageLimit
    zone: str = "UTC"
    begins_at: datetime | None = None
    ends_at: datetime | None = None

    @property
    def is_of_all(self) -> bool:
        """Whether it counts what all customers use together."""
        return self.counter.startswith("0:")

    def amount(self, messages: Iterable[tuple[str, str, int]]) -> int:
        """Return what messages, each a country, the route's first carrier and a number of parts, take of it."""
        limit = self.limit
        parts = [
            count
            for country, carrier, count in messages
            if limit.country in ("", country) and limit.carrier in ("", carrier)
        ]
        return sum(parts) if limit.measure is Measure.PARTS else len(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitReached:
    """A claim that was not met: `used` of its limit, when `wanted` more were asked for, free again at `free_at`."""

    claim: UsageClaim
    used: int
    wanted: int
    free_at: datetime

    @property
    def is_for_good(self) -> bool:
        """Whether no waiting helps, since the job alone is larger than the limit."""
        return self.wanted > self.claim.limit.most

    def __str__(self) -> str:
        claim, limit = self.claim, self.claim.limit
        what = f"the limit {limit.name} of {claim.owner} is {limit.most}"
        if self.is_for_good:
            return f"{what}, and {self.wanted} were asked for at once"
        when = self.free_at.astimezone(ZoneInfo(claim.zone))
        if limit.period is Period.MINUTE:
            return f"{what}; try again after {when:%H:%M:%S} ({claim.zone})"
        asked = f"{self.used} are used and {self.wanted} were asked for"
        return f"{what}, {asked}; it begins anew at {when:%Y-%m-%d %H:%M} ({claim.zone})"


def period_around(now: datetime, period: Period, zone: str) -> tuple[datetime, datetime]:
    """Return in UTC when the day or month of an instant began and when it ends, by the midnights of a zone.

    Where the clock skips midnight, the day begins with the first instant that it has.
    """
    local = now.astimezone(ZoneInfo(zone)).date()
    first = local.replace(day=1) if period is Period.MONTH else local
    following = (first + timedelta(days=32)).replace(day=1) if period is Period.MONTH else first + timedelta(days=1)
    begins_at, ends_at = (datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC) for day in (first, following))
    return begins_at, ends_at
