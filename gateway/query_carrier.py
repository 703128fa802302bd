"""Asking a carrier, once, about a part whose receipt never came, a little before silence ends it as unknown.

Each carrier that answers such questions has a worker of its own and one question open at a time: a slow or dead one
holds up nobody, and what it did not answer in time is ended by the sweep as ever. Where a process ends in between,
nothing is lost: the part is still `submitted`, and the next process asks if there is time left. Not here: query_sm
(smpp), giving up (gateway.track).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Protocol

import structlog

from gateway.ports import Clock
from gateway.worker import Worker
from sms.lifecycle import INTERMEDIATE
from sms.message import Receipt, ReceiptState
from sms.number import SenderId, parse_sender_id
from sms.outcome import Outcome, ProblemCode, Retry
from store.engine.database import Database
from store.engine.keys import to_stored
from store.query_carrier import CarrierLook, Unreported, find_unreported
from store.tables import FAR

log = structlog.get_logger()

_LONGEST_LEAD = timedelta(minutes=1)
_LOOK_EVERY = 1.0
_MOST = 100
_MOST_AFTER_START = 10_000
_LAST_KEY = 1 << 62
# What says no more than silence does.
_NO_END = INTERMEDIATE | {ReceiptState.UNKNOWN}


class AskedCarrier(Protocol):
    """A carrier that can be asked where a part is."""

    async def query(self, carrier_id: str, sender: SenderId | None) -> Receipt | Outcome:
        """Return what a receipt would say, or why that is not known."""


class Asking:
    """Asks carriers; `graces` are those that answer, with how long after the validity each one's receipts may come.

    The question comes a minute before the end of that time, or in its second half where it is shorter. `reported` takes
    what the carriers answered, as it takes receipts.
    """

    def __init__(
        self,
        *,
        database: Database,
        carriers: Mapping[str, AskedCarrier],
        graces: Mapping[str, timedelta],
        clock: Clock,
        reported: Callable[[Sequence[Receipt]], Awaitable[None]],
    ) -> None:
        self.askers = [_Asker(database, name, carriers[name], grace, clock, reported) for name, grace in graces.items()]
        self._workers = [Worker(f"ask-{asker.name}", asker.step, look_every=_LOOK_EVERY) for asker in self.askers]

    def start(self) -> None:
        """Begin to look for what is about to end."""
        for worker in self._workers:
            worker.start()

    async def stop(self) -> None:
        """Ask nothing more; a question that is open is answered, or lost with its link."""
        for asker in self.askers:
            asker.stopping = True
        for worker in self._workers:
            await worker.stop()


class _Asker:
    """Asks one carrier. `_place` is where it stands: everything before was asked about, or is over.

    What comes to be waited for ends behind that place: its time is set at the end of its validity, a grace before.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - private to this file
        self,
        database: Database,
        name: str,
        carrier: AskedCarrier,
        grace: timedelta,
        clock: Clock,
        reported: Callable[[Sequence[Receipt]], Awaitable[None]],
    ) -> None:
        self.name = name
        self.stopping = False
        self._database = database
        self._carrier = carrier
        self._grace = grace
        self._lead = min(_LONGEST_LEAD, grace / 2)
        self._clock = clock
        self._reported = reported
        self._place = (0, 0)
        self._untold: list[Receipt] = []
        self._asked = ("", "")

    async def step(self) -> bool:
        """Ask about a page of parts; returns whether there may be more now."""
        await self._tell()
        now = self._clock.now()
        self._place = max(self._place, (to_stored(now), 0))
        look = CarrierLook(
            carrier=self.name,
            after=self._place,
            until=to_stored(now + self._lead),
            expired_by=to_stored(now + self._lead - self._grace),
            most=_MOST,
        )
        found = await self._database.read(partial(find_unreported, look=look))
        for part in found:
            if self.stopping:
                return False
            named = (part.message_id, part.carrier_id)  # which all parts of a text have that the carrier took whole
            if named != self._asked and part.ends_at > to_stored(self._clock.now()) and not await self._ask(part):
                return False
            self._asked = named
            self._place = part.place
            await self._tell()
        if len(found) < _MOST:
            self._place = (look.until, _LAST_KEY)
        return len(found) == _MOST

    async def _ask(self, part: Unreported) -> bool:
        """Ask about one part; returns whether the question went out."""
        sender = parse_sender_id(part.sender) if part.sender else None
        answer = await self._carrier.query(part.carrier_id, sender)
        if isinstance(answer, Retry) and answer.problem.code is ProblemCode.LINK_DOWN:
            return False
        said = answer.state.value if isinstance(answer, Receipt) else _explain(answer)
        log.info("query_answered", carrier=self.name, message=part.message_id, said=said)
        if isinstance(answer, Receipt) and answer.state not in _NO_END:
            self._untold.append(answer)
        return True

    async def _tell(self) -> None:
        """Hand on what was answered; where that fails it is kept for the next step, and not asked for again."""
        if self._untold:
            await self._reported(self._untold)
            self._untold = []


async def unreported_ids(database: Database, clock: Clock, carrier: str) -> list[str]:
    """Return a carrier's ids of parts whose receipt has not come, some thousands at most, those that end first."""
    look = CarrierLook(
        carrier=carrier, after=(to_stored(clock.now()), 0), until=FAR, expired_by=FAR, most=_MOST_AFTER_START
    )
    return [part.carrier_id for part in await database.read(partial(find_unreported, look=look))]


def _explain(outcome: Outcome) -> str:
    problem = getattr(outcome, "problem", None)
    return problem.cause or problem.code.value if problem is not None else "done"
