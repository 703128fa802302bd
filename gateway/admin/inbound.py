"""What would follow from an inbound SMS, by the code that the server runs.

Not here: those that came (reports.inbound_details), what the server does (gateway.inbound).
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from addressbook.snapshot import Snapshot
from gateway.inbound_effects import follow
from gateway.routing import CarrierRoutes
from inbound.actions import InboundRules
from inbound.effects import AnswerEffect, describe
from inbound.planning import plan_inbound
from inbound.sms import InboundSms
from sms.job import NewJob
from sms.settings import format_setting
from store.engine.database import Database
from store.inbound import NewEffect
from store.inbound_past import read_past

View = dict[str, object]


def simulate(  # noqa: PLR0913 - an SMS, and what decides about it
    database: Database,
    snapshot: Snapshot,
    rules: InboundRules,
    routes: CarrierRoutes,
    *,
    source: str,
    destination: str,
    text: str,
    carriers: Sequence[str],
    now: datetime,
) -> View:
    """Return whose an SMS would be and what would follow, decided as the server does; nothing is done.

    It comes by the first of `carriers` that serves the number.
    """
    serving = [name for name in carriers if snapshot.numbers.reached_by(destination, name) is not None]
    sms = InboundSms(
        public_id="",
        carrier=next(iter(serving), next(iter(carriers), "")),
        source=source,
        destination=destination,
        text=text,
        received_at=now,
    )
    past = database.read_now(partial(read_past, phones=[sms.phone], now=now))[sms.phone]
    plan = plan_inbound(sms, snapshot, rules, past)
    route, number = plan.route, plan.route.number
    return {
        "from": source,
        "to": destination,
        "carrier": sms.carrier,
        "number": f"{number.kind.value}, {number.sharing.value}, {number.state.value}" if number is not None else "",
        "customer": plan.customer.name if plan.customer is not None else "",
        "found_by": route.via.value if route.via is not None else "",
        "reason": route.untold.value if route.untold is not None else "",
        "asks_for": route.request.kind.value if route.request is not None else "",
        "keyword": plan.keyword.word if plan.keyword is not None else "",
        "text": route.text,
        "contacts": len(past.contacts),
        "effects": [_effect(new) for new in follow(plan, snapshot, routes, now)],
    }


def _effect(new: NewEffect) -> View:
    facts = describe(new.effect)
    return {
        "effect": facts.kind.value,
        "action": facts.action.name if facts.action is not None else "",
        "to": facts.target or (new.job.messages[0].given if new.job is not None else ""),
        "note": new.note or facts.note,
        "text": new.effect.text if isinstance(new.effect, AnswerEffect) else "",
        "sends": _sends(new.job) if new.job is not None else "",
    }


def _sends(job: NewJob) -> str:
    (message,) = job.messages
    sender = message.sender_id or job.sender
    shown = format_setting(sender) if sender is not None else "that of the carrier"
    return f"by {message.route}, sender {shown}"
