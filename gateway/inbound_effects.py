"""The effects of an inbound SMS as what is stored: rows of the outbox, and automatic answers as jobs.

Pure: «simulate» and the server share it. Not here: which effects there are (inbound.planning), storing (store.inbound).
"""

from collections.abc import Iterator
from datetime import datetime

from msgspec.structs import replace

from addressbook.canonical import canonical_address
from addressbook.people import Customer
from addressbook.senders import Sender
from addressbook.snapshot import Snapshot
from gateway.outbox_kinds import ESME_INBOUND, INBOUND_PUSH
from gateway.plan import plan
from gateway.routing import CarrierRoutes
from gateway.submission import RecipientRequest, Submission
from inbound.actions import MailAction, PushAction, SmppAction
from inbound.effects import AnswerEffect, MailEffect, PushEffect, SmppEffect
from inbound.planning import InboundPlan
from sms.job import NewJob
from sms.message import Origin
from sms.number import SenderId, parse_sender_id
from sms.outcome import Refusal, Refused
from sms.report import Channel
from store.engine.keys import to_stored
from store.inbound import NewEffect
from store.inbound_mail import INBOUND_MAIL
from store.outbox import NewRow


def follow(plan: InboundPlan, snapshot: Snapshot, routes: CarrierRoutes, now: datetime) -> Iterator[NewEffect]:
    """Yield the effects of a plan, each with what it makes."""
    customer = plan.customer
    for effect in plan.effects:
        if customer is None:
            yield NewEffect(effect=effect)
        elif isinstance(effect, MailEffect):
            yield NewEffect(effect=effect, row=_mail(effect, customer, snapshot, now))
        elif isinstance(effect, PushEffect):
            yield NewEffect(effect=effect, row=_push(effect, customer, plan.sms.phone, now))
        elif isinstance(effect, SmppEffect):
            yield NewEffect(effect=effect, row=_delivery(effect, customer, plan.sms.phone, now))
        elif isinstance(effect, AnswerEffect):
            answer = _answer(effect, plan, customer, snapshot, routes, now)
            if isinstance(answer, Refused):
                yield NewEffect(effect=effect, note=f"{answer.refusal.value}: {answer.detail}".rstrip(": "))
            else:
                yield NewEffect(effect=effect, job=answer)
        else:
            yield NewEffect(effect=effect)


def own_number_of(plan: InboundPlan) -> str:
    """Return the digits, or the name, of the number that was written to."""
    number = plan.route.number
    return number.digits if number is not None else plan.sms.destination.removeprefix("+")


def _mail(effect: MailEffect, customer: Customer, snapshot: Snapshot, now: datetime) -> NewRow:
    canonical = canonical_address(effect.address)
    user = snapshot.directory.user(canonical) if canonical is not None else None
    is_user = user is not None and user.customer_id == customer.key and user.may_send
    settings = effect.action.settings
    profile = settings.profile_key if isinstance(settings, MailAction) else None
    return NewRow(
        kind=INBOUND_MAIL,
        prefix="IN",
        recipient=effect.address,
        now=to_stored(now),
        about={
            "user": user.address if user is not None and is_user else "",
            "profile": profile or 0,
            "action": effect.action.key,
            "fallback": effect.is_fallback,
        },
        customer_key=customer.key,
    )


def _push(effect: PushEffect, customer: Customer, phone: str, now: datetime) -> NewRow:
    assert isinstance(effect.action.settings, PushAction)
    return NewRow(
        kind=INBOUND_PUSH,
        prefix="IP",
        channel=Channel.PUSH,
        recipient=effect.action.settings.url,
        now=to_stored(now),
        about={"action": effect.action.key},
        customer_key=customer.key,
        sequence=f"{effect.action.key}/{phone}",
    )


def _delivery(effect: SmppEffect, customer: Customer, phone: str, now: datetime) -> NewRow:
    assert isinstance(effect.action.settings, SmppAction)
    login = effect.action.settings.login
    return NewRow(
        kind=ESME_INBOUND,
        prefix="IE",
        channel=Channel.SMPP,
        recipient=login,
        now=to_stored(now),
        about={"action": effect.action.key},
        customer_key=customer.key,
        sequence=f"esme {login}/{phone}",
    )


def _answer(  # noqa: PLR0913, PLR0917 - what an answer is made of
    effect: AnswerEffect,
    inbound: InboundPlan,
    customer: Customer,
    snapshot: Snapshot,
    routes: CarrierRoutes,
    now: datetime,
) -> NewJob | Refused:
    """Return the job of an automatic answer, from the number that was written to; nobody gets a status mail of it."""
    phone = f"+{inbound.sms.phone}"
    sender = Sender(customer=customer, profile=snapshot.directory.profile_in_force(customer.key, None))
    submission = Submission(
        sender=sender,
        service=Origin.INBOUND,
        wanted=(RecipientRequest(given=phone, number=phone, sender_id=_sender_id(inbound)),),
        text=effect.text,
        resolved=snapshot.resolve(sender, Origin.INBOUND.value),
        reference=inbound.sms.public_id,
        past_stop=effect.past_stop,
    )
    planned = plan(submission, snapshot, routes, now)
    if planned.job is None:
        return planned.refused or Refused(refusal=Refusal.INTERNAL)
    # Who asks twice is answered twice: how often is bounded already.
    messages = tuple(replace(message, duplicate=b"") for message in planned.job.messages)
    return replace(planned.job, messages=messages)


def _sender_id(inbound: InboundPlan) -> SenderId | None:
    number = inbound.route.number
    return number.sender_id if number is not None else parse_sender_id(inbound.sms.destination)
