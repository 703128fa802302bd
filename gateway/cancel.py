"""Cancelling: what waits ends at once, what a carrier has is asked back where the carrier offers that.

A use case leaves requests in the database; the process that holds the carriers' binds carries them out. Not here:
cancel_sm (smpp), the states (sms.lifecycle).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import structlog

from gateway.admin.edit import AuditAction
from gateway.ports import Clock
from gateway.worker import Worker
from sms.lifecycle import FAULTS
from sms.number import MobileNumber, SenderId, parse_sender_id
from sms.outcome import Done, Outcome, Retry
from sms.retry import chance_of
from store import cancels
from store.audit import AuditLine, write_audit
from store.engine.database import Database, Transaction
from store.engine.keys import Keys, to_stored
from store.results import Cancel, CarrierCancelled, ResultStore

log = structlog.get_logger()

_LOOK_EVERY = 1.0
_MOST = 100
_MOST_ATTEMPTS = 10


class CancellingCarrier(Protocol):
    """A carrier that can be asked for a part back."""

    async def cancel(self, carrier_id: str, number: MobileNumber, sender: SenderId | None) -> Outcome:
        """Ask for one part; Done where it will not be delivered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """What a request to cancel came to at once: messages that ended, and those that a carrier is asked for."""

    ended: int
    asked: int


def cancel_waiting(tx: Transaction, progress: ResultStore, message_keys: tuple[int, ...], now: int) -> Cancelled:
    """End what waits of these messages and leave a request for the rest; `now` is in microseconds."""
    (ended,) = progress.cancel(tx, [Cancel(message_keys=message_keys, now=now)])
    left = len(message_keys) - ended
    if left:
        cancels.request(tx, [cancels.CancelRequest(message_keys=message_keys, now=now)])
    return Cancelled(ended=ended, asked=left)


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    """Who cancels, as the audit names it: `target` is the id that was asked for, of this customer."""

    who: str
    target: str
    customer_key: int


def cancel_as(  # noqa: PLR0913, PLR0917 - what is cancelled, and all that is needed to write it
    tx: Transaction, progress: ResultStore, keys: Keys, order: CancelOrder, message_keys: tuple[int, ...], now: int
) -> Cancelled:
    """Do that in somebody's name, with a line in the audit."""
    done = cancel_waiting(tx, progress, message_keys, now)
    line = AuditLine(
        action=AuditAction.CANCEL.value,
        target=order.target,
        detail=f"cancelled {done.ended}, asked {done.asked}",
        customer_key=order.customer_key,
    )
    write_audit(tx, keys, order.who, now, [line])
    return done


class Cancelling:
    """Carries out the requests; `carriers` are those that offer cancelling, by name."""

    def __init__(
        self,
        *,
        database: Database,
        progress: ResultStore,
        carriers: Mapping[str, CancellingCarrier],
        clock: Clock,
        notices_written: Callable[[], None],
    ) -> None:
        self._database = database
        self._progress = progress
        self._carriers = carriers
        self._clock = clock
        self._notices_written = notices_written
        self.worker = Worker("cancel", self._step, look_every=_LOOK_EVERY)

    async def _step(self) -> bool:
        now = to_stored(self._clock.now())
        found = await self._database.read(partial(cancels.find_cancellable, now=now, most=_MOST))
        if not found:
            await self._database.write(cancels.drop_ended, None)
            return False
        later: dict[int, cancels.Later] = {}
        asked: set[tuple[int, str]] = set()
        for part in found:
            carrier = self._carriers.get(part.carrier)
            if carrier is None:
                log.info("cancel_not_offered", message=part.message_id, carrier=part.carrier)
                continue
            named = (part.message_key, part.carrier_id)  # which all parts of a text have that the carrier took whole
            if part.carrier_id and named in asked:
                continue
            asked.add(named)
            sender = parse_sender_id(part.sender) if part.sender else None
            outcome = await carrier.cancel(part.carrier_id, MobileNumber(digits=part.number), sender)
            log.info(
                "cancel_asked", message=part.message_id, carrier=part.carrier, outcome=type(outcome).__name__.lower()
            )
            if isinstance(outcome, Retry) and part.attempts + 1 < _MOST_ATTEMPTS:
                wait = FAULTS.wait(part.attempts + 1, chance_of(part.message_key), at_least=outcome.after)
                due_at = to_stored(self._clock.now() + wait)
                later[part.message_key] = cancels.Later(message_key=part.message_key, due_at=due_at)
            elif isinstance(outcome, Retry):
                log.warning("cancel_given_up", message=part.message_id, carrier=part.carrier, attempts=_MOST_ATTEMPTS)
            elif isinstance(outcome, Done):
                at = to_stored(self._clock.now())
                request = CarrierCancelled(part_key=part.part_key, at=at)
                change = await self._database.write(self._progress.carrier_cancelled, request)
                if change.settled_job:
                    log.info("job_settled", job=change.settled_job, by="carrier-cancel")
                if change.notices:
                    self._notices_written()
        done = tuple({part.message_key for part in found} - later.keys())
        await self._database.write(cancels.put_off, list(later.values()))
        await self._database.write(cancels.forget, done)
        return True
