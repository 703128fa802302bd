"""The carrier of sandbox keys: it takes every part, gives it to nobody, and says what its number shows.

It speaks to no message centre: what happens is what `sandbox_numbers` has, as the gateway hears it from a carrier. What
a phone would answer does not come, since it would reach the customer's mailboxes as if somebody had written. Not here:
what is sent with such a key (gateway.plan), the sandbox carrier that an operator sets up (simulator).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from gateway.ports import CarrierEvents
from smpp.dialect.outcomes import decide_outcome
from smpp.simulator.sandbox_numbers import SandboxNumbers
from smpp.simulator.script import ReceiptTime, Treatment
from sms.message import PartToSubmit, Receipt
from sms.route import SANDBOX_ROUTE

log = structlog.get_logger()

_WINDOW: Final = 100
_AGAIN_SECONDS: Final = 5.0


class SandboxCarrier:
    """Fulfils gateway.ports.Carrier. `unreported` returns its ids of parts whose receipt has not come.

    An id is a part's number and its key, so that what an earlier process took gets its receipt too.
    """

    name = SANDBOX_ROUTE

    def __init__(self, unreported: Callable[[], Awaitable[Sequence[str]]], *, receipt_delay: float = 1.0) -> None:
        self._unreported = unreported
        self._delay = receipt_delay
        self._numbers = SandboxNumbers(receipt_delay)
        self._events: CarrierEvents | None = None
        self._receipts: set[asyncio.Task[None]] = set()

    def free_window(self) -> int:
        """Return how many parts it takes now."""
        return _WINDOW if self._events is not None else 0

    def submit(self, parts: Sequence[PartToSubmit]) -> None:
        """Take parts; each is answered at once, after this call."""
        for part in parts:
            asyncio.get_running_loop().call_soon(self._answer, part)

    async def start(self, events: CarrierEvents) -> None:
        """Begin to take parts, and report on those that were taken before."""
        for carrier_id in await self._unreported():
            self._report(events, carrier_id, self._treat(carrier_id.partition("-")[0]))
        self._events = events
        events.window_changed(self.name)

    async def stop(self, _: float) -> None:
        """Take nothing new; receipts that have not come do so after the next start."""
        self._events = None
        for task in self._receipts:
            task.cancel()
        await asyncio.gather(*self._receipts, return_exceptions=True)

    def _answer(self, part: PartToSubmit) -> None:
        events = self._events
        assert events is not None
        treatment = self._treat(part.number.digits)
        carrier_id = f"{part.number.digits}-{part.part_key}"
        events.answered(self.name, part.part_key, decide_outcome(treatment.status, reference=carrier_id))
        if not treatment.status and part.receipt_wanted:
            self._report(events, carrier_id, treatment)

    def _treat(self, number: str) -> Treatment:
        return self._numbers.treat(number) or Treatment(receipt_delay=self._delay)

    def _report(self, events: CarrierEvents, carrier_id: str, treatment: Treatment) -> None:
        if treatment.receipt is not ReceiptTime.NEVER:
            task = asyncio.get_running_loop().create_task(_tell(events, carrier_id, treatment))
            self._receipts.add(task)
            task.add_done_callback(self._receipts.discard)


async def _tell(events: CarrierEvents, carrier_id: str, treatment: Treatment) -> None:
    """Send a receipt when its time has come, again where it could not be kept."""
    receipt = Receipt(
        carrier=SANDBOX_ROUTE, carrier_id=carrier_id, state=treatment.state, error=treatment.error.removeprefix("000")
    )
    wait = treatment.receipt_delay
    while True:
        await asyncio.sleep(wait)
        try:
            await events.reported([receipt])
        except Exception as error:  # noqa: BLE001 - whatever the database has, the receipt is still owed
            log.warning("sandbox_receipt_not_kept", cause=f"{type(error).__name__}: {error}"[:300])
            wait = _AGAIN_SECONDS
        else:
            return
