"""What follows from limits of use beside the refusal: the next mail is refused at once, and the admin is told.

Told once per limit and day: at four fifths, when something was refused, and when more was sent than agreed. Not here:
counting (store.usage), which limits bind whom (usage_claims).
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

from gateway.alerts import Alert
from gateway.usage_claims import SpentLimits
from sms.usage import LimitReached, Period
from store.usage import UsageNews

_DAY: Final = timedelta(days=1)


class LimitWatch:
    """Hears what each accepted or refused job did to its limits.

    `admin_of` is who is told for a customer, by its key; empty: the operator. `tell` raises an alert.
    """

    def __init__(
        self,
        *,
        spent: SpentLimits,
        admin_of: Callable[[int], str],
        now: Callable[[], datetime],
        tell: Callable[[Alert], None],
    ) -> None:
        self._spent = spent
        self._admin_of = admin_of
        self._now = now
        self._tell = tell

    def refused(self, customer_key: int, reached: LimitReached) -> None:
        """Take a refusal by a limit."""
        self._spent.note(reached)
        name, owner = reached.claim.limit.name, reached.claim.owner
        self._raise(
            customer_key,
            f"limit-reached:{reached.claim.counter}",
            f"The limit {name} of {owner} is reached: SMS are refused",
            f"An SMS was refused because {reached}.\n\nSenders hear it as a temporary refusal, and their mail servers "
            "try again. «mail2sms limits show» shows all limits with their use; «limit» of the customer, profile or "
            "user changes one.\n",
        )

    def used(self, customer_key: int, news: Iterable[UsageNews]) -> None:
        """Take what an accepted job used."""
        for item in news:
            limit, mark = item.claim.limit, 4 * item.claim.limit.most / 5
            if limit.agreed and item.before <= limit.most < item.after:
                self._raise(
                    customer_key,
                    f"agreed-passed:{item.claim.counter}",
                    f"More is sent than agreed: {limit.name} of {item.claim.owner}",
                    f"{limit.most} were agreed and {item.after} are used. Nothing is refused for it. «mail2sms limits "
                    "show» shows what was agreed with its use; «limit --usage» without «agreed:» would refuse.\n",
                )
                continue
            if limit.period is Period.MINUTE or not item.before < mark <= item.after:
                continue
            self._raise(
                customer_key,
                f"limit-near:{item.claim.counter}",
                f"The {'volume' if limit.agreed else 'limit'} {limit.name} of {item.claim.owner} is nearly reached",
                f"{item.after} of {limit.most} are used. «mail2sms limits show» shows the rest of all limits.\n",
            )

    def _raise(self, customer_key: int, topic: str, subject: str, text: str) -> None:
        self._tell(
            Alert(
                topic=f"{topic}:{self._now():%Y-%m-%d}",
                subject=subject,
                text=text,
                quiet=_DAY,
                address=self._admin_of(customer_key),
            )
        )
