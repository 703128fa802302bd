"""[alerts] of the operator's file: from when on the administrator is told of what does not mend itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from config.field_types import Count, Positive, Wait, option
from config.reader import ConfigIssue

MOST_LOOKED_AT: Final = 10_000
"""The newest so many SMS of a day are looked at."""
_ALL: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertOptions:
    """What [mail] admin_address is told of once, and again when it is over; «mail2sms health» goes by the same."""

    every: Wait = option("How often is looked.", default=timedelta(minutes=1))
    carrier_away: Wait = option("How long a carrier may be without any link.", default=timedelta(minutes=5))
    queue_late: Wait = option(
        "How long an SMS, a mail or a push that could go out may wait.", default=timedelta(minutes=15)
    )
    certificate_days: tuple[Positive, ...] = option(
        "How many days before the end of a certificate: told at each of them.", default=(30, 14, 7, 1)
    )

    country_delivered: Count = option(
        "Percent of a day's SMS to one country that are delivered at least, of those whose receipt told their end;"
        " 0: nobody is told.",
        default=40,
    )
    country_volume: Count = option(
        "How many SMS an hour to one country are told of, up to 10,000; 0: nobody is told.", default=0
    )

    def complaints(self) -> Iterator[ConfigIssue]:
        """Yield: no day at all, no percentage, more SMS than are looked at."""
        if not self.certificate_days:
            yield ConfigIssue("certificate_days", "expected at least one number of days")
        if self.country_delivered > _ALL:
            yield ConfigIssue("country_delivered", "expected 0 to 100 percent")
        if self.country_volume > MOST_LOOKED_AT:
            yield ConfigIssue("country_volume", f"expected 0 to {MOST_LOOKED_AT:,} SMS")
