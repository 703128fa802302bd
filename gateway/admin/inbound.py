"""Inbound SMS as an administrator sees them, and what would follow from one.

Not here: one SMS with all that became of it (store.inbound_views), what the server does (gateway.inbound).
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import partial

from addressbook.snapshot import Snapshot
from gateway.admin.lookup import get_customer
from gateway.inbound_effects import follow
from gateway.phone_names import find_names
from gateway.routing import CarrierRoutes
from inbound.actions import InboundRules
from inbound.effects import AnswerEffect, describe
from inbound.planning import plan_inbound
from inbound.sms import InboundSms
from sms.job import NewJob
from sms.settings import format_setting
from store.directory_lookup import find_customer
from store.engine.database import Database, Transaction
from store.engine.keys import to_stored
from store.inbound import NewEffect
from store.inbound_past import read_past
from store.inbound_views import ListedSms, list_inbound

View = dict[str, object]
_BEGINNING = datetime.fromtimestamp(0, UTC)


def list_sms(
    tx: Transaction,
    customer: str = "",
    since: datetime | None = None,
    *,
    not_handed_over: bool = False,
    limit: int = 100,
) -> list[View]:
    """Return inbound SMS, the newest first: of one customer, received since, those that nobody got."""
    key = get_customer(tx, customer).id if customer else 0
    found = list_inbound(
        tx,
        customer_key=key,
        since=to_stored(since or _BEGINNING),
        only_unhanded=not_handed_over,
        limit=limit,
    )
    names = _names(tx, found)
    return [
        {
            "sms": sms.public_id,
            "received_at": sms.received_at.strftime("%Y-%m-%d %H:%M:%S"),
            "from": sms.source,
            "name": names.get((sms.customer, sms.source.removeprefix("+")), ""),
            "to": sms.destination,
            "customer": sms.customer,
            "keyword": sms.keyword,
            "parts": sms.total - len(sms.missing),
            "missing": len(sms.missing),
            "handed_over": sms.handed.value if sms.handed is not None else "",
            "reason": sms.reason,
        }
        for sms in found
    ]


def _names(tx: Transaction, found: Iterable[ListedSms]) -> dict[tuple[str, str], str]:
    """Return the names of the phones that wrote, by customer and digits."""
    phones: dict[str, set[str]] = {}
    for sms in found:
        phones.setdefault(sms.customer, set()).add(sms.source.removeprefix("+"))
    return {
        (customer, number): name
        for customer, numbers in phones.items()
        if (owner := find_customer(tx, customer)) is not None
        for number, name in find_names(tx, owner.id, numbers).items()
    }


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
