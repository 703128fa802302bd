"""What the rules of the recipient's country do to a planned message.

Not here: the rules and the judgement (countries), who registered a sender ID (addressbook.registrations).
"""

from datetime import datetime

from addressbook.people import Customer
from addressbook.snapshot import Snapshot
from countries.judge import NOTHING, Case, Judgement
from sms.number import MobileNumber, SenderId, SenderKind, country_of
from sms.settings import Settings


def judge_message(  # noqa: PLR0913, PLR0917 - what a country looks at
    snapshot: Snapshot,
    customer: Customer,
    settings: Settings,
    number: MobileNumber,
    sender_id: SenderId | None,
    carrier: str,
    now: datetime,
) -> Judgement:
    """Return what the rules of a number's country do to a customer's message from a sender ID by a carrier at `now`."""
    if snapshot.judge.is_idle:
        return NOTHING
    country = country_of(number)
    day = now.date()
    return snapshot.judge.judge(
        Case(
            country=country,
            sender_id=sender_id,
            use_case=settings.use_case,
            day=day,
            customer=customer.name,
            carrier=carrier,
            registration=snapshot.registrations.find(customer.id, sender_id, country, settings.use_case, day, carrier),
            fallback=settings.fallback_sender_id,
            abroad=_is_abroad(sender_id, country),
            brand=settings.brand,
            opt_out=settings.opt_out_text,
        )
    )


def _is_abroad(sender_id: SenderId | None, country: str) -> bool:
    if sender_id is None or sender_id.kind is not SenderKind.NUMERIC:
        return False
    return country_of(MobileNumber(digits=sender_id.value)) != country
