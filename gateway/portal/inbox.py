"""The inbox: a customer's conversations with handsets, what was exchanged in one, and answers by hand.

Not here: pages (web.portal), answers by mail (mta.answering).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from addressbook.numbers import OwnNumber, Unanswerable
from addressbook.people import Customer
from addressbook.senders import Principal
from gateway.accept import Accepted
from gateway.applications import ApplicationJob, Applications
from gateway.dedup_keys import request_use
from gateway.directory import DirectoryFollower
from gateway.submission import RecipientRequest
from inbound.report import Exchanged
from sms.message import Origin
from sms.outcome import Refusal, Refused
from store.conversations import (
    ConversationLine,
    ConversationPage,
    find_conversation,
    list_conversations,
    read_exchanged,
)
from store.engine.database import Database, Transaction
from store.stop_list import stops_in_force

_MOST = 50
_NO_KEY = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationView:
    """A conversation: what was exchanged, newest first, and the place of what is older, 0 at the end.

    `barred` says why no number of ours answers, None where one does; `is_stopped`: the handset is on the stop list.
    """

    line: ConversationLine
    exchanged: Sequence[Exchanged]
    older: int
    barred: Unanswerable | None
    is_stopped: bool


class Inbox:
    """The use case."""

    def __init__(self, *, database: Database, applications: Applications, book: DirectoryFollower) -> None:
        self._database = database
        self._applications = applications
        self._book = book

    async def page(self, customer: Customer, *, phone: str = "", after: str = "") -> ConversationPage:
        """Return conversations, with one handset (digits) if given; `after` is the place that the page before names."""
        return await self._database.read(
            partial(list_conversations, customer_key=customer.key, phone=phone, after=after, limit=_MOST)
        )

    async def view(self, customer: Customer, key: int, before: int = 0) -> ConversationView | None:
        """Return a customer's conversation, of what was exchanged only what is older than a place if given."""
        return await self._database.read(lambda tx: self._view(tx, customer, key, before))

    async def answer(
        self, customer: Customer, account: str, key: int, text: str, name: str
    ) -> Accepted | Refused | None:
        """Send a text in a conversation, from the number of ours that the handset wrote to; None: there is none.

        The same text under the same `name` is sent once.
        """
        found = await self._database.read(partial(_find, customer_key=customer.key, key=key))
        if found is None:
            return None
        own = self._judge(customer, found)
        if isinstance(own, Unanswerable):
            return Refused(refusal=Refusal.SENDER_ID_NOT_PERMITTED)
        phone, principal = f"+{found.phone}", Principal(customer_id=customer.key, login=account)
        job = ApplicationJob(
            service=Origin.PORTAL,
            texts=((text, (RecipientRequest(given=phone, number=phone, sender_id=own.sender_id),)),),
            first_use=request_use(account, f"answer {key} {name} {text}", b""),
        )
        planned = await self._applications.plan(principal, job)
        if isinstance(planned, Refused):
            return planned
        refused = planned.refused or planned.messages[0].refused
        return refused or await self._applications.submit(principal, job)

    def _view(self, tx: Transaction, customer: Customer, key: int, before: int) -> ConversationView | None:
        found = _find(tx, customer.key, key)
        if found is None:
            return None
        place = before if 0 < before < _NO_KEY else _NO_KEY - 1
        exchanged = read_exchanged(
            tx, customer.key, found.key, found.phone, found.own_number, before=place, limit=_MOST + 1, carried=False
        )
        own = self._judge(customer, found)
        return ConversationView(
            line=found,
            exchanged=exchanged[:_MOST],
            older=exchanged[_MOST - 1].key if len(exchanged) > _MOST else 0,
            barred=own if isinstance(own, Unanswerable) else None,
            is_stopped=any(entry.customer_key == customer.key for entry in stops_in_force(tx, [found.phone])),
        )

    def _judge(self, customer: Customer, found: ConversationLine) -> OwnNumber | Unanswerable:
        """Return the number of ours that answers, or why none does."""
        if not found.phone.isdecimal():
            return Unanswerable.NAME
        return self._book.current.numbers.answered_by(found.own_number, customer.key) or Unanswerable.NOT_OURS


def _find(tx: Transaction, customer_key: int, key: int) -> ConversationLine | None:
    return find_conversation(tx, customer_key, key) if key < _NO_KEY else None
