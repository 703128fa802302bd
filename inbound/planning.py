"""What follows from an inbound SMS: its customer's actions chosen and turned into effects.

Pure: the same SMS, address book, rules and past give the same plan; «simulate» and the server share it. Not here: whose
it is (routing), the words of answers (answers), doing it (gateway.inbound).
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from addressbook.canonical import canonical_address
from addressbook.people import Customer
from addressbook.senders import Principal, Sender
from addressbook.snapshot import Snapshot
from inbound.actions import Action, ActionKind, AnswerAction, InboundRules, Keyword, MailAction, MailTo, StopScope
from inbound.answers import answer_text, contact_of
from inbound.effects import (
    AnswerEffect,
    Effect,
    Left,
    LeftOut,
    ListEffect,
    MailEffect,
    PushEffect,
    SmppEffect,
    StartEffect,
    StopEffect,
    TellOperator,
    Untold,
)
from inbound.opt_words import OptKind
from inbound.routing import InboundRoute, find_route, last_contact
from inbound.sms import Contact, InboundSms
from inbound.words import OptRequest, is_courtesy, opens
from sms.message import Origin

LIVE_FOR: Final = timedelta(days=7)
MOST_ANSWERS: Final = ((timedelta(minutes=10), 5), (timedelta(days=1), 20))
_BY_WORD: Final = frozenset({ActionKind.STOP, ActionKind.START, ActionKind.HELP})


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What is known of a handset: who wrote to it, which stop entries hold, and how often it was answered by itself.

    `stops` are customer and service, empty for all services. `answers` are how long ago the customer's automatic
    answers went to it, by customer, those of the last day.
    """

    contacts: Sequence[Contact] = ()
    stops: Collection[tuple[int, str]] = ()
    answers: Collection[tuple[int, timedelta]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundPlan:
    """An inbound SMS decided: where it belongs, which keyword opened it, and all that follows."""

    sms: InboundSms
    route: InboundRoute
    customer: Customer | None = None
    keyword: Keyword | None = None
    effects: tuple[Effect, ...] = ()


def plan_inbound(sms: InboundSms, snapshot: Snapshot, rules: InboundRules, past: Past) -> InboundPlan:
    """Decide everything about an inbound SMS, and store nothing."""
    route = find_route(sms, snapshot.numbers, past.contacts)
    customer = snapshot.directory.customer(route.customer_key) if route.customer_key is not None else None
    if customer is None:
        return InboundPlan(sms=sms, route=route, effects=(TellOperator(reason=route.untold or Untold.NO_NUMBER),))
    planner = _Planner(sms, snapshot, rules, past, route, customer)
    keyword = planner.find_keyword()
    return InboundPlan(
        sms=sms, route=route, customer=customer, keyword=keyword, effects=tuple(planner.effects(keyword))
    )


class _Planner:
    """The effects of one SMS of one customer."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a plan is made of
        self,
        sms: InboundSms,
        snapshot: Snapshot,
        rules: InboundRules,
        past: Past,
        route: InboundRoute,
        customer: Customer,
    ) -> None:
        self._sms = sms
        self._snapshot = snapshot
        self._past = past
        self._route = route
        self._customer = customer
        number_key = route.number.key if route.number is not None else 0
        self._actions = rules.actions(customer.key, number_key)
        self._keywords = rules.keywords(customer.key, number_key)
        self._last = last_contact(past.contacts, customer.key)
        self._services = {service for key, service in past.stops if key == customer.key}

    def find_keyword(self) -> Keyword | None:
        """Return the longest keyword that opens the text; a late part goes where its SMS went."""
        if self._sms.late is not None:
            return next((item for item in self._keywords if item.folded == self._sms.late.keyword), None)
        words = self._route.words
        for keyword in self._keywords:
            length = opens(words, keyword.folded)
            if length and (keyword.trailing or is_courtesy(words[length:])):
                return keyword
        return None

    def effects(self, keyword: Keyword | None) -> Iterator[Effect]:
        """Yield what follows: what the text asks for by a word of the law, then the actions."""
        built_in = self._request(keyword)
        if built_in is not None:
            yield from self._answer_request(built_in)
        if not self._customer.active:
            if built_in is None:
                yield TellOperator(reason=Untold.CUSTOMER_INACTIVE)
            return
        key = keyword.key if keyword is not None else None
        chosen = [item for item in self._actions if item.keyword_key == key and item.kind not in _BY_WORD]
        if built_in is not None and keyword is None:
            return  # the word replaces the default actions, as any keyword does
        for action in chosen:
            yield from self._do(action)
        if not chosen and built_in is None:
            yield TellOperator(reason=Untold.NO_ACTION)

    def _request(self, keyword: Keyword | None) -> OptRequest | None:
        """Return what the text asks for. A stop is never lost; a customer's own keyword goes before any other word.

        An ordinary word such as NO stops only where the customer has no keyword of it, and START only who was stopped.
        """
        request = self._route.request
        if request is None or self._sms.late is not None:
            return None
        own = keyword is not None and keyword.folded == request.word
        if own and (request.kind is not OptKind.STOP or request.is_ordinary):
            return None
        if request.kind is OptKind.START and not self._services:
            return None
        return request

    def _answer_request(self, request: OptRequest) -> Iterator[Effect]:
        kind = ActionKind(request.kind.value)
        action = next((item for item in self._actions if item.kind is kind), None)
        own = action.settings if action is not None and isinstance(action.settings, AnswerAction) else None
        if request.kind is OptKind.STOP:
            by_service = own is not None and own.scope is StopScope.SERVICE
            service = self._last.service if by_service and self._last is not None else ""
            if self._services & {service, ""}:
                yield LeftOut(kind=kind, reason=Left.ALREADY_STOPPED, action=action)
                return
            yield StopEffect(service=service, word=request.word)
        elif request.kind is OptKind.START:
            yield StartEffect(service="", word=request.word)
        if self._customer.active:
            # The confirmation of a stop is sent once by itself; it is no answer that two robots could repeat.
            yield self._answer(kind, action, own, request, limited=request.kind is not OptKind.STOP, past_stop=True)

    def _answer(  # noqa: PLR0913 - one answer
        self,
        kind: ActionKind,
        action: Action | None,
        own: AnswerAction | None,
        request: OptRequest | None = None,
        *,
        limited: bool = True,
        past_stop: bool = False,
    ) -> Effect:
        service = self._last.service if self._last is not None else ""
        if not past_stop and self._services:
            return LeftOut(kind=kind, reason=Left.STOPPED, action=action)
        if limited and self._too_many():
            return LeftOut(kind=kind, reason=Left.TOO_MANY_ANSWERS, action=action)
        text, language = answer_text(
            kind,
            own,
            service=service,
            languages=self._languages(request),
            customer=self._customer.name,
            contact=contact_of(self._actions),
        )
        if not text:
            return LeftOut(kind=kind, reason=Left.NO_TEXT, action=action)
        return AnswerEffect(action=action, kind=kind, text=text, language=language, past_stop=past_stop)

    def _do(self, action: Action) -> Iterator[Effect]:
        option = action.kind.option
        if option is not None and not self._snapshot.has_option(self._customer, option):
            yield LeftOut(kind=action.kind, reason=Left.NOT_CONTRACTED, action=action)
        elif self._customer.suspension_of(option) is not None:
            yield LeftOut(kind=action.kind, reason=Left.SUSPENDED, action=action)
        elif isinstance(action.settings, MailAction):
            yield from self._mails(action, action.settings)
        elif action.kind is ActionKind.PUSH:
            yield PushEffect(action=action)
        elif action.kind is ActionKind.SMPP:
            yield SmppEffect(action=action)
        elif action.kind is ActionKind.LIST:
            yield ListEffect(action=action)
        elif self._sms.late is None and isinstance(action.settings, AnswerAction):
            yield self._answer(action.kind, action, action.settings)

    def _mails(self, action: Action, settings: MailAction) -> Iterator[Effect]:
        found = self._live_addresses(settings.to)
        addresses = found or list(dict.fromkeys(settings.addresses))
        if not addresses:
            yield LeftOut(kind=action.kind, reason=Left.NO_RECIPIENT, action=action)
        for address in addresses:
            yield MailEffect(action=action, address=address, is_fallback=not found and settings.to is not MailTo.STATIC)

    def _live_addresses(self, to: MailTo) -> list[str]:
        """Return who of the customer wrote to the handset within seven days; the newest alone, or all, newest first.

        Whoever may not send any more gets nothing, even as the newest.
        """
        if to is MailTo.STATIC:
            return []
        since = self._sms.received_at - LIVE_FOR
        live = [
            item
            for item in sorted(self._past.contacts, key=lambda item: item.at, reverse=True)
            if item.customer_key == self._customer.key and item.at >= since and item.service != Origin.INBOUND
        ]
        authors = dict.fromkeys(item.user_address or item.reverse_path for item in live)
        authors.pop("", None)
        chosen = list(authors)[:1] if to is MailTo.NEWEST else list(authors)
        return [address for address in chosen if self._is_of_customer(address)]

    def _is_of_customer(self, address: str) -> bool:
        """Return whether the customer may send for an address."""
        canonical = canonical_address(address)
        principal = Principal(customer_id=self._customer.key)
        return canonical is not None and isinstance(self._snapshot.choose_sender(principal, canonical), Sender)

    def _too_many(self) -> bool:
        ages = [age for key, age in self._past.answers if key == self._customer.key]
        return any(sum(age < span for age in ages) >= most for span, most in MOST_ANSWERS)

    def _languages(self, request: OptRequest | None) -> tuple[str, ...]:
        """Return the languages of an answer, best first: that of the word if only one has it, then the customer's."""
        profile = self._snapshot.directory.profile_in_force(self._customer.key, None)
        sender = Sender(customer=self._customer, profile=profile)
        settings = self._snapshot.resolve(sender, Origin.INBOUND.value).settings
        of_customer = settings.language.partition("-")[0].lower()
        of_word = request.languages if request is not None and len(request.languages) == 1 else ()
        return tuple(dict.fromkeys((*of_word, of_customer)))
