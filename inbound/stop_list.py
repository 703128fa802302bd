"""Who wants no more SMS: the entries of customers' stop lists.

Not here: the words that make one (words), keeping them and what they end (store.stop_list).
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class StopOrigin(StrEnum):
    """How an entry came: an SMS of the handset, an administrator, or a file of them."""

    SMS = "sms"
    ADMIN = "admin"
    IMPORT = "import"


@dataclass(frozen=True, slots=True, kw_only=True)
class StopEntry:
    """A handset that wants no more SMS of a customer's `service`, of all its services where that is empty.

    `number` is E.164 without plus. `evidence` is the public id of the SMS, or who it was; `word` what the SMS said.
    It is in force until `ended_at`; `ended_by` is evidence as well.
    """

    customer_key: int
    number: str
    origin: StopOrigin
    added_at: datetime
    service: str = ""
    evidence: str = ""
    word: str = ""
    ended_at: datetime | None = None
    ended_by: str = ""

    def blocks(self, customer_key: int, service: str) -> bool:
        """Return whether it holds back SMS of a customer's service."""
        return self.ended_at is None and self.customer_key == customer_key and self.service in {"", service}


class StopList:
    """Entries, asked for a number; empty lists answer at once."""

    __slots__ = ("_by_number",)

    def __init__(self, entries: Iterable[StopEntry] = ()) -> None:
        self._by_number: dict[str, list[StopEntry]] = defaultdict(list)
        for entry in entries:
            self._by_number[entry.number].append(entry)

    def blocks(self, number: str, customer_key: int, service: str) -> bool:
        """Return whether an entry holds back SMS of a customer's service to a number."""
        return any(entry.blocks(customer_key, service) for entry in self._by_number.get(number, ()))
