"""Looks at the traffic of each customer and to each country every few minutes, and tells the operator of signs.

Not here: what is a sign (traffic_signs).
"""

from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from types import MappingProxyType
from typing import Final

from config.alerts import MOST_LOOKED_AT, AlertOptions
from gateway.alerts import Alert
from gateway.ports import Clock
from gateway.traffic_signs import FEWEST, SentSms, Sign, TrafficSign, find_country_signs, find_signs, new_numbers
from gateway.worker import Worker
from sms.lifecycle import MessageState
from store.engine.database import Database
from store.engine.keys import to_stored
from store.traffic import LateSms, known_numbers, read_late

_LOOK_EVERY: Final = 300.0
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)
_WORDS = MappingProxyType(
    {
        Sign.SEQUENCE: "{count} of {of} new numbers within an hour lie side by side, as if somebody counted up.",
        Sign.PREFIX: "{count} of {of} new numbers within an hour begin with +{where}.",
        Sign.SHARE: "Only {count} of {of} SMS to {where} within a day were delivered, as far as receipts tell.",
        Sign.VOLUME: "{count} SMS went to {where} within an hour; {of} are told of.",
        Sign.CONVERSION: "Only {count} of {of} SMS to {where} within an hour were delivered, far fewer than before.",
    }
)

# Of what ends as accepted no receipt was asked for; what was never taken is no news of the country.
_REPORTED: Final = frozenset(
    {MessageState.DELIVERED, MessageState.UNDELIVERED, MessageState.EXPIRED, MessageState.UNKNOWN}
)


class TrafficWatch:
    """Tells each sign of a customer, and of a country, once a day. `tell` raises an alert."""

    def __init__(
        self, *, database: Database, clock: Clock, tell: Callable[[Alert], None], options: AlertOptions
    ) -> None:
        self._database = database
        self._clock = clock
        self._tell = tell
        self._options = options
        self.worker = Worker("traffic", self.step, look_every=_LOOK_EVERY)

    async def step(self) -> bool:
        """Look once."""
        now = self._clock.now()
        hour = to_stored(now - _HOUR)
        late = await self._database.read(partial(read_late, since=to_stored(now - _DAY), most=MOST_LOOKED_AT))
        by_customer: dict[tuple[int, str], list[SentSms]] = defaultdict(list)
        for row in late:
            by_customer[row.customer_key, row.customer].append(_sent(row, hour))
        for (key, name), sent in by_customer.items():
            for found in find_signs(sent, await self._new_numbers(key, sent, hour)):
                self._tell(_alert(name, found))
        everybody = (sms for sent in by_customer.values() for sms in sent)
        bounds = self._options.country_delivered, self._options.country_volume
        for found in find_country_signs(everybody, *bounds):
            self._tell(_alert_of_country(found))
        return False

    async def _new_numbers(self, customer_key: int, sent: list[SentSms], hour: int) -> list[str]:
        numbers = new_numbers(sent, known={sms.number for sms in sent if not sms.fresh})
        if len(numbers) < FEWEST:
            return numbers
        known = await self._database.read(
            partial(known_numbers, customer_key=customer_key, numbers=numbers, before=hour)
        )
        return [number for number in numbers if number not in known]


def _sent(row: LateSms, hour: int) -> SentSms:
    return SentSms(
        number=row.number,
        fresh=row.accepted_at >= hour,
        ended=row.ended and row.state not in {MessageState.CANCELLED, MessageState.REJECTED},
        delivered=row.state == MessageState.DELIVERED,
        reported=row.ended and row.state in _REPORTED,
    )


def _alert(customer: str, found: TrafficSign) -> Alert:
    told = _WORDS[found.sign].format(count=found.count, of=found.of, where=found.where)
    return Alert(
        topic=f"traffic:{found.sign}:{found.where}:{customer}",
        subject=f"The traffic of customer {customer} looks inflated",
        text=f'{told}\n\nSomebody may send for the sake of sending. «mail2sms jobs --customer "{customer}"» shows the '
        f'jobs, «mail2sms customer suspend "{customer}"» stops them, and «mail2sms customer limit» bounds '
        "countries and numbers of SMS.\n",
        quiet=_DAY,
    )


def _alert_of_country(found: TrafficSign) -> Alert:
    told = _WORDS[found.sign].format(count=found.count, of=found.of, where=found.where)
    what = "few are delivered" if found.sign is Sign.SHARE else "very many"
    return Alert(
        topic=f"traffic:{found.sign}:{found.where}",
        subject=f"SMS to {found.where}: {what}",
        text=f"{told}\n\n«mail2sms country show {found.where}» tells what the country demands, and what its "
        f"receipts are worth; «mail2sms country report --country {found.where}» what its rules did. [alerts] has the "
        "bounds.\n",
        quiet=_DAY,
    )
