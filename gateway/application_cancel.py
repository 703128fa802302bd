"""An application takes back a job or one SMS: what waits ends at once, a carrier that has it is asked for it back.

It is a job that it may see, by whatever door it came. Not here: what cancelling does (gateway.cancel).
"""

from dataclasses import dataclass

import structlog

from addressbook.senders import Sender
from gateway.application_status import is_public_id, owner_of
from gateway.cancel import CancelOrder, cancel_as
from gateway.ports import Clock
from sms.lifecycle import MessageState
from store.answers import Rules
from store.cancels import MessageToCancel, find_cancelled, find_job_to_cancel, find_message_to_cancel
from store.engine.database import Database, Transaction
from store.engine.keys import Keys, to_stored
from store.results import ResultStore

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelledSms:
    """What became of a request to cancel, as ids of SMS: `cancelled` now, or `before`; `late` for the others.

    `asked` are asked back from their carriers: they end as cancelled, or as if nobody had asked.
    """

    job: str
    cancelled: tuple[str, ...]
    before: tuple[str, ...]
    asked: tuple[str, ...]
    late: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    name: str
    customer_key: int
    owner: str
    login: str


class ApplicationCancelling:
    """The use case; `offering` are the carriers that offer cancelling."""

    def __init__(self, *, database: Database, keys: Keys, clock: Clock, offering: frozenset[str]) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock
        self._offering = offering
        self._progress = ResultStore(keys, Rules())

    async def cancel(self, sender: Sender, login: str, name: str) -> CancelledSms | None:
        """Take back a job or an SMS by its id; None for one that there is not, or that is not theirs to see."""
        if not is_public_id(name):
            return None
        request = _Request(name=name, customer_key=sender.customer.key, owner=owner_of(sender), login=login)
        done = await self._database.write(self._cancel_all, request)
        if done is not None and (done.cancelled or done.asked):
            log.info("job_cancelled", job=done.job, cancelled=len(done.cancelled), asked=len(done.asked), login=login)
        return done

    def _cancel_all(self, tx: Transaction, requests: list[_Request]) -> list[CancelledSms | None]:
        return [self._cancel(tx, request) for request in requests]

    def _cancel(self, tx: Transaction, request: _Request) -> CancelledSms | None:
        find = find_job_to_cancel if request.name.startswith("J.") else find_message_to_cancel
        found = find(tx, request.name)
        if found.customer_key != request.customer_key or request.owner not in {"", found.user_address}:
            return None
        now = to_stored(self._clock.now())
        keys = (*found.waiting, *found.at_carriers(self._offering))
        if keys:
            order = CancelOrder(who=request.login, target=request.name, customer_key=request.customer_key)
            cancel_as(tx, self._progress, self._keys, order, keys, now)
        ended = find_cancelled(tx, keys)

        def ids(*chosen: MessageToCancel) -> tuple[str, ...]:
            return tuple(message.public_id for message in chosen)

        asked = frozenset(keys) - ended
        before = [message for message in found.messages if message.state is MessageState.CANCELLED]
        taken = ended | asked | {message.key for message in before}
        return CancelledSms(
            job=found.public_id,
            cancelled=ids(*(message for message in found.messages if message.key in ended)),
            before=ids(*before),
            asked=ids(*(message for message in found.messages if message.key in asked)),
            late=ids(*(message for message in found.messages if message.key not in taken)),
        )
