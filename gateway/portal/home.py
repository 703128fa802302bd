"""What the first page of a customer shows: today's messages by their state. Not here: reports of longer times."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo

from sms.lifecycle import OPEN, SUCCESS, MessageState
from store.engine.database import Transaction
from store.engine.keys import to_stored
from store.portal_home import count_states


@dataclass(frozen=True, slots=True, kw_only=True)
class Today:
    """How many messages of each state were accepted since midnight of the reader's zone."""

    since: datetime
    states: Mapping[MessageState, int]

    @property
    def total(self) -> int:
        """All messages."""
        return sum(self.states.values())

    @property
    def waiting(self) -> int:
        """Those that are not over."""
        return sum(number for state, number in self.states.items() if state in OPEN)

    @property
    def arrived(self) -> int:
        """Those that went well."""
        return sum(number for state, number in self.states.items() if state in SUCCESS)

    @property
    def failed(self) -> int:
        """Those that need a look."""
        return self.total - self.waiting - self.arrived


def read_today(tx: Transaction, *, customer_key: int, zone: str, now: datetime) -> Today:
    """Return today's messages of a customer."""
    local = ZoneInfo(zone)
    since = datetime.combine(now.astimezone(local).date(), time(), local)
    return Today(since=since, states=count_states(tx, customer_key, to_stored(since)))
