"""Looks at the traffic of each customer every few minutes, and tells the operator of signs that it is inflated.

Not here: what is a sign (traffic_signs).
"""

from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from types import MappingProxyType
from typing import Final

from gateway.alerts import Alert
from gateway.ports import Clock
from gateway.traffic_signs import FEWEST, SentSms, Sign, TrafficSign, find_signs, new_numbers
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
        Sign.CONVERSION: "Only {count} of {of} SMS to {where} within an hour were delivered, far fewer than before.",
    }
)


class TrafficWatch:
    """Tells each sign of a customer once a day. `tell` raises an alert."""

    def __init__(self, *, database: Database, clock: Clock, tell: Callable[[Alert], None]) -> None:
        self._database = database
        self._clock = clock
        self._tell = tell
        self._worker = Worker("traffic", self.step, look_every=_LOOK_EVERY)

    def start(self) -> None:
        """Begin to look."""
        self._worker.start()

    async def stop(self) -> None:
        """End."""
        await self._worker.stop()

    async def step(self) -> bool:
        """Look once."""
        now = self._clock.now()
        hour = to_stored(now - _HOUR)
        late = await self._database.read(partial(read_late, since=to_stored(now - _DAY)))
        by_customer: dict[tuple[int, str], list[SentSms]] = defaultdict(list)
        for row in late:
            by_customer[row.customer_key, row.customer].append(_sent(row, hour))
        for (key, name), sent in by_customer.items():
            for found in find_signs(sent, await self._new_numbers(key, sent, hour)):
                self._tell(_alert(name, found))
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
