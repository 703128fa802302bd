"""[alerts] of the operator's file: from when on the administrator is told of what does not mend itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from config.field_types import Positive, Wait, option
from config.reader import ConfigIssue


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

    def complaints(self) -> Iterator[ConfigIssue]:
        """Yield: no day at all."""
        if not self.certificate_days:
            yield ConfigIssue("certificate_days", "expected at least one number of days")
