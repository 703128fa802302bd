"""The sandbox carrier's links, which can fail on request, and its deliveries to bound ESMEs.

Not here: what is delivered and when (simulator), how it is written (deliveries).
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from smpp.link import Link
from smpp.session.states import SessionState
from smpp.wire.bodies import DeliverSm
from smpp.wire.statuses import Status
from smpp.wire.tlv import Tlv

_RECEIVING = frozenset({SessionState.BOUND_RX, SessionState.BOUND_TRX})


class Delivery(NamedTuple):
    """One deliver_sm on its way to an ESME: kept until the ESME has taken it."""

    system_id: str
    body: DeliverSm
    tlvs: tuple[Tlv, ...]
    taken: asyncio.Future[int]


class SimulatorLink(Link):
    """A link that can stop reading and writing without closing."""

    hung = False
    cut = False
    system_id = ""
    takes_parameters = True
    """Whether its ESME has bound as SMPP 3.4 or later: an older one gets no optional parameters (§3.4)."""

    def data_received(self, data: bytes) -> None:
        """Take bytes, or ignore them."""
        if not self.hung:
            super().data_received(data)

    def flush(self) -> None:
        """Write, or stay silent."""
        if not self.hung and not self.cut:
            super().flush()

    def hang(self) -> None:
        """Answer nothing from now on; earlier answers were sent."""
        self.flush()
        self.hung = True

    def sever(self, last_words: bytes = b"") -> None:
        """Close at once, after these bytes."""
        self.flush()
        self.cut = True
        if self._transport is not None:
            self._transport.write(last_words)
            self._transport.close()

    @property
    def takes_deliveries(self) -> bool:
        """Whether a deliver_sm may be sent here now."""
        session = self.session
        return session.state in _RECEIVING and session.free_window > 0 and not (self.hung or self.cut)


class SimulatedCourier:
    """Sends every delivery to an ESME of its system_id until it is taken: after refusals, lost links and new binds.

    `bring_again` calls back after the pause for a refusal.
    """

    def __init__(self, lines: Iterable[SimulatorLink], bring_again: Callable[[Callable[[], None]], None]) -> None:
        self.taken = 0
        self.refused: Counter[int] = Counter()
        self._lines = lines
        self._bring_again = bring_again
        self._waiting: deque[Delivery] = deque()

    def bring(self, system_id: str, body: DeliverSm, tlvs: tuple[Tlv, ...]) -> asyncio.Future[int]:
        """Send a deliver_sm; an empty system_id means any ESME. The future gives the status once it is taken."""
        delivery = Delivery(system_id, body, tlvs, asyncio.get_running_loop().create_future())
        self._send(delivery)
        return delivery.taken

    def bring_waiting(self) -> None:
        """Retry deliveries that found no ESME, or none with room."""
        for _ in range(len(self._waiting)):
            self._send(self._waiting.popleft())

    def answered(self, delivery: object, status: int | None) -> None:
        """Take the answer to a delivery: taken, refused and due again later, or (None) lost with its link."""
        assert isinstance(delivery, Delivery)
        if status is None:
            self._waiting.append(delivery)
            return
        if status == Status.ROK:
            self.taken += 1
            if not delivery.taken.done():
                delivery.taken.set_result(status)
        else:
            self.refused[status] += 1
            self._bring_again(lambda: self._send(delivery))
        if self._waiting:
            self.bring_waiting()

    def stop(self) -> None:
        """Give up the waiting deliveries."""
        for delivery in self._waiting:
            delivery.taken.cancel()

    def _send(self, delivery: Delivery) -> None:
        for line in self._lines:
            if line.takes_deliveries and delivery.system_id in ("", line.system_id):
                tlvs = delivery.tlvs if line.takes_parameters else ()
                line.session.send(delivery.body, delivery, tlvs)
                line.flush_soon()
                return
        self._waiting.append(delivery)
