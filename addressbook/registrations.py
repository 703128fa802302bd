"""Which sender IDs are registered where: what a snapshot knows of them, and the states of a registration.

Not here: how they are requested and approved (gateway.admin.registrations), which countries demand it (countries).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from countries.judge import Registration
from sms.number import SenderId
from sms.settings import UseCase

EVERYBODY: Final = 0
"""The `customer_key` of what the operator registered for all customers."""


class RegistrationKind(StrEnum):
    """What is registered: a name, or a number that is assigned when the registration is approved."""

    NAME = "name"
    LONG_CODE = "long-code"
    SHORT_CODE = "short-code"


class RegistrationState(StrEnum):
    """Where a registration stands; only an approved one counts."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    REFUSED = "refused"
    EXPIRED = "expired"
    IDLE_DROPPED = "idle-dropped"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredId:
    """An approved sender ID. `customer_key` EVERYBODY: of all; `use_case` None: for each; `until` is the last day.

    `value` is as it was approved, since some countries tell case apart; `carrier` empty: by each.
    """

    customer_key: int
    country: str
    value: str
    use_case: UseCase | None = None
    carrier: str = ""
    until: date | None = None


class Registrations:
    """The approved sender IDs of all customers, those whose approval has ended too; never changes."""

    def __init__(self, registered: Iterable[RegisteredId] = ()) -> None:
        self._by_id: dict[tuple[int, str, str], tuple[RegisteredId, ...]] = {}
        for one in registered:
            key = (one.customer_key, one.country, one.value)
            self._by_id[key] = (*self._by_id.get(key, ()), one)

    def find(  # noqa: PLR0913, PLR0917 - what a registration is for
        self,
        customer_key: int,
        sender_id: SenderId | None,
        country: str,
        use_case: UseCase,
        day: date,
        carrier: str = "",
    ) -> Registration:
        """Return whether a sender ID is registered on a day: for the customer itself, or for everybody."""
        if sender_id is None or not self._by_id:
            return Registration.NONE
        for owner, found in ((customer_key, Registration.OWN), (EVERYBODY, Registration.SHARED)):
            for one in self._by_id.get((owner, country, sender_id.value), ()):
                fits = one.use_case in (None, use_case) and one.carrier in ("", carrier)
                if fits and (one.until is None or day <= one.until):
                    return found
        return Registration.NONE

    def near_miss(self, customer_key: int, sender_id: SenderId, country: str, use_case: UseCase, day: date) -> str:
        """Return in words what of a registration of the name does not fit, empty where there is none of it."""
        name = sender_id.value
        for (owner, where, value), found in self._by_id.items():
            if owner in (customer_key, EVERYBODY) and where == country and value.casefold() == name.casefold():
                if value != name:
                    return f"«{value}» is registered, and small and capital letters count"
                return _misfit(found[-1], use_case, day)
        return ""


def _misfit(one: RegisteredId, use_case: UseCase, day: date) -> str:
    if one.until is not None and day > one.until:
        return f"its registration ended after {one.until}"
    if one.use_case not in (None, use_case):
        return f"it is registered for {one.use_case} only"
    return f"it is registered for the carrier {one.carrier} only"
