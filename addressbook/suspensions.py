"""Suspensions: why a customer, or one of its options, may not be used now, and until when.

Not here: who suspends (gateway.admin.suspensions). A snapshot has those in force alone, so that it needs no clock.
"""

from dataclasses import dataclass
from datetime import datetime

from addressbook.options import Option
from sms.outcome import Refusal, Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspension:
    """One suspension that is in force. `option` None: the whole customer; `until_at` None: until it is resumed."""

    reason: str
    option: Option | None = None
    until_at: datetime | None = None


def refuse_suspended(customer: str, suspension: Suspension) -> Refused:
    """Return the refusal that a suspended customer reads: what is suspended, until when and why."""
    what = (
        f"{customer} is suspended" if suspension.option is None else f"{suspension.option} of {customer} is suspended"
    )
    until = f" until {suspension.until_at:%Y-%m-%d %H:%M} UTC" if suspension.until_at is not None else ""
    return Refused(refusal=Refusal.SUSPENDED, detail=f"{what}{until}: {suspension.reason}")
