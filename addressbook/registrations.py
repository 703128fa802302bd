"""Which sender IDs are registered where: what a snapshot knows of them.

Not here: how they are requested and approved (gateway.admin.registrations), which countries demand it (countries).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from countries.judge import Registration
from sms.number import SenderId
from sms.settings import UseCase


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredId:
    """An approved sender ID. `customer_key` 0: everybody's; `use_case` None: for each; `until` is the last day.

    `value` is as it was approved, since some countries tell case apart.
    """

    customer_key: int
    country: str
    value: str
    use_case: UseCase | None = None
    until: date | None = None


class Registrations:
    """The approved sender IDs of all customers; never changes."""

    def __init__(self, registered: Iterable[RegisteredId] = ()) -> None:
        self._by_id: dict[tuple[int, str, str], tuple[RegisteredId, ...]] = {}
        for one in registered:
            key = (one.customer_key, one.country, one.value)
            self._by_id[key] = (*self._by_id.get(key, ()), one)

    def find(
        self, customer_key: int, sender_id: SenderId | None, country: str, use_case: UseCase, day: date
    ) -> Registration:
        """Return whether a sender ID is registered on a day: for the customer itself, or for everybody."""
        if sender_id is None or not self._by_id:
            return Registration.NONE
        for owner, found in ((customer_key, Registration.OWN), (0, Registration.SHARED)):
            for one in self._by_id.get((owner, country, sender_id.value), ()):
                if one.use_case in (None, use_case) and (one.until is None or day <= one.until):
                    return found
        return Registration.NONE
