"""What the rules of the recipient's country do to a planned message.

Not here: the rules and the judgement (countries), who registered a sender ID (addressbook.registrations).
"""

from dataclasses import replace
from datetime import datetime
from typing import Final

from addressbook.people import Customer
from addressbook.snapshot import Snapshot
from countries.judge import NOTHING, Case, Judgement
from gateway.routing import CarrierRoutes
from sms.number import MobileNumber, SenderId, SenderKind, country_of, is_toll_free
from sms.outcome import Refusal
from sms.route import first_carrier
from sms.settings import Settings

_MOST_REMEMBERED: Final = 10_000


class CountryRules:
    """What the rules of countries do to the messages of one submission; alike ones are judged once a day."""

    __slots__ = ("_customer", "_day", "_routes", "_settings", "_snapshot")

    def __init__(
        self, snapshot: Snapshot, customer: Customer, settings: Settings, routes: CarrierRoutes, now: datetime
    ) -> None:
        self._snapshot = snapshot
        self._customer = customer
        self._settings = settings
        self._routes = routes
        self._day = now.date()

    def judge(self, country: str, sender_id: SenderId | None, route: str) -> Judgement:
        """Return what the rules of a country do to a message from a sender ID by the first carrier of a route.

        The snapshot remembers it. It knows the settings and the sender ID as objects, which stay the same from one
        submission to the next where no message changes them.
        """
        snapshot, settings, day = self._snapshot, self._settings, self._day
        if snapshot.judge.is_idle:
            return NOTHING
        key = id(settings), id(sender_id), self._customer.key, country, route
        found = snapshot.judged.get(key)
        if found is not None and found[0] == day:
            return found[1]
        case = self._case(country, sender_id, first_carrier(route))
        judgement = self._explained(snapshot.judge.judge(case), case)
        if len(snapshot.judged) >= _MOST_REMEMBERED:
            snapshot.judged.clear()
        # The objects are kept with it, so that no other ones get their identity.
        snapshot.judged[key] = (day, judgement, settings, sender_id)
        return judgement

    def _explained(self, judgement: Judgement, case: Case) -> Judgement:
        """Return a judgement whose refusal says what of a registration of the name does not fit."""
        refused, sender_id = judgement.refused, case.sender_id
        if refused is None or refused.refusal is not Refusal.SENDER_ID_UNREGISTERED or sender_id is None:
            return judgement
        why = self._snapshot.registrations.near_miss(
            self._customer.key, sender_id, case.country, case.use_case, case.day
        )
        return replace(judgement, refused=replace(refused, detail=f"{refused.detail}; {why}")) if why else judgement

    def _case(self, country: str, sender_id: SenderId | None, carrier: str) -> Case:
        snapshot, settings, key = self._snapshot, self._settings, self._customer.key
        fallback = settings.fallback_sender_id
        if fallback is not None and snapshot.numbers.refuse_sender(fallback, key) is not None:
            fallback = None  # a dedicated number of somebody else
        find = snapshot.registrations.find
        return Case(
            country=country,
            sender_id=sender_id,
            use_case=settings.use_case,
            day=self._day,
            customer=self._customer.name,
            carrier=carrier,
            networks=self._routes.networks_of(carrier),
            registration=find(key, sender_id, country, settings.use_case, self._day, carrier),
            fallback=fallback,
            abroad=_is_abroad(sender_id, country),
            toll_free=_is_toll_free(sender_id),
            # Answers to it reach the customer: it is one of our numbers.
            is_answerable=sender_id is not None and snapshot.numbers.judge_answers(sender_id, key) is None,
            fallback_registration=find(key, fallback, country, settings.use_case, self._day, carrier),
            fallback_abroad=_is_abroad(fallback, country),
            fallback_toll_free=_is_toll_free(fallback),
            brand=settings.brand,
            opt_out=settings.opt_out_text,
            validity=settings.validity,
        )


def _is_toll_free(sender_id: SenderId | None) -> bool:
    if sender_id is None or sender_id.kind is not SenderKind.NUMERIC:
        return False
    return is_toll_free(MobileNumber(digits=sender_id.value))


def _is_abroad(sender_id: SenderId | None, country: str) -> bool:
    if sender_id is None or sender_id.kind is not SenderKind.NUMERIC:
        return False
    return country_of(MobileNumber(digits=sender_id.value)) != country
