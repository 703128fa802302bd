"""What the rules of the recipient's country do to a planned message.

Not here: the rules and the judgement (countries), who registered a sender ID (addressbook.registrations).
"""

from datetime import datetime
from typing import Final

from addressbook.people import Customer
from addressbook.snapshot import Snapshot
from countries.book import Mode
from countries.judge import NOTHING, Case, Judgement
from gateway.routing import CarrierRoutes
from sms.number import MobileNumber, SenderId, SenderKind, country_of, is_toll_free
from sms.settings import Settings
from sms.usage import Pace, parse_pace

_RATED: Final = {SenderKind.NUMERIC: "long", SenderKind.SHORT_CODE: "short", SenderKind.ALPHANUMERIC: "name"}


def judge_message(  # noqa: PLR0913, PLR0917 - what a country looks at
    snapshot: Snapshot,
    customer: Customer,
    settings: Settings,
    number: MobileNumber,
    sender_id: SenderId | None,
    carrier: str,
    routes: CarrierRoutes,
    now: datetime,
) -> Judgement:
    """Return what the rules of a number's country do to a customer's message from a sender ID by a carrier at `now`."""
    if snapshot.judge.is_idle:
        return NOTHING
    country = country_of(number)
    day = now.date()
    fallback = settings.fallback_sender_id
    if fallback is not None and snapshot.numbers.refuse_sender(fallback, customer.id) is not None:
        fallback = None  # a dedicated number of somebody else
    find = snapshot.registrations.find
    return snapshot.judge.judge(
        Case(
            country=country,
            sender_id=sender_id,
            use_case=settings.use_case,
            day=day,
            customer=customer.name,
            carrier=carrier,
            networks=routes.networks_of(carrier),
            registration=find(customer.id, sender_id, country, settings.use_case, day, carrier),
            fallback=fallback,
            abroad=_is_abroad(sender_id, country),
            toll_free=_is_toll_free(sender_id),
            is_answerable=_is_answerable(snapshot, customer, sender_id),
            fallback_registration=find(customer.id, fallback, country, settings.use_case, day, carrier),
            fallback_abroad=_is_abroad(fallback, country),
            brand=settings.brand,
            opt_out=settings.opt_out_text,
        )
    )


def pace_of(judgement: Judgement, sender_id: SenderId | None, country: str) -> Pace | None:
    """Return how fast a sender ID may send to a country: the slowest of the rates that are applied, None if none is."""
    if sender_id is None:
        return None
    kind = "toll-free" if _is_toll_free(sender_id) else _RATED[sender_id.kind]
    counter = f"pace {country} {sender_id.value}"
    paces = [
        parse_pace(counter, rule.value.partition(" ")[2])
        for rule in judgement.rates
        if rule.mode is Mode.APPLY and rule.value.startswith(f"{kind} ")
    ]
    return min(paces, key=lambda pace: pace.parts / pace.period.total_seconds(), default=None)


def _is_toll_free(sender_id: SenderId | None) -> bool:
    if sender_id is None or sender_id.kind is not SenderKind.NUMERIC:
        return False
    return is_toll_free(MobileNumber(digits=sender_id.value))


def _is_answerable(snapshot: Snapshot, customer: Customer, sender_id: SenderId | None) -> bool:
    """Return whether the customer gets the answers to a sender ID, which is one of our numbers then."""
    return sender_id is not None and snapshot.numbers.judge_answers(sender_id, customer.id) is None


def _is_abroad(sender_id: SenderId | None, country: str) -> bool:
    if sender_id is None or sender_id.kind is not SenderKind.NUMERIC:
        return False
    return country_of(MobileNumber(digits=sender_id.value)) != country
