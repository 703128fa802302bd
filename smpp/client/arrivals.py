"""Deliveries on our binds: receipts, intermediate notifications, inbound SMS; each is answered once it is stored.

The deliveries of one read of the socket form one list, committed together and answered in one write. If a list cannot
be stored, its members are tried one by one: the one at fault is answered ESME_RX_T_APPN, so that the carrier keeps it,
and does not block the others. Not here: reading a delivery (receipts, fragments), and what it causes (gateway.track,
gateway.receive).
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TypeVar

import structlog

from gateway.ports import CarrierEvents
from smpp.dialect.dialect import Dialect
from smpp.dialect.fragments import read_fragment
from smpp.dialect.receipts import DeliveryKind, kind_of, read_receipt
from smpp.link import Link
from smpp.wire.bodies import AlertNotification, DataSm, DataSmResp, DeliverSmResp
from smpp.wire.pdu import Pdu
from smpp.wire.statuses import Status
from sms.message import InboundFragment, Receipt

log = structlog.get_logger()

T = TypeVar("T")

# §4.6.2 and §4.7.2: our answers name no message id.
_TAKEN, _TAKEN_DATA = DeliverSmResp(), DataSmResp()


class Arrivals:
    """Takes the deliveries of one carrier; calls `ended` after each answered list."""

    def __init__(self, carrier: str, dialect: Dialect, events: CarrierEvents, ended: Callable[[], None]) -> None:
        self._carrier = carrier
        self._dialect = dialect
        self._events = events
        self._ended = ended
        self._receipts: list[tuple[Pdu, Receipt]] = []
        self._fragments: list[tuple[Pdu, InboundFragment]] = []
        self._under_way: set[asyncio.Task[None]] = set()

    @property
    def under_way(self) -> int:
        """How many lists are being stored and not yet answered."""
        return len(self._under_way)

    def take(self, link: Link, pdu: Pdu) -> None:
        """Take one request of the carrier; it waits for `hand_over`, unless there is nothing to store."""
        if isinstance(pdu.body, AlertNotification):
            # §4.12: a handset is reachable again. Carriers retry by themselves, and nothing here waits for this.
            log.info("smpp_alert_notification", carrier=self._carrier)
            return
        try:
            if kind_of(pdu, self._dialect) is DeliveryKind.MESSAGE:
                self._fragments.append((pdu, read_fragment(pdu, self._carrier, self._dialect)))
                return
            receipt = read_receipt(pdu, self._carrier, self._dialect)
        except Exception:  # a fault of ours: the carrier keeps it until we can read it
            log.exception("smpp_delivery_not_read", carrier=self._carrier, sequence=pdu.sequence)
            _respond(link, [pdu], Status.RX_T_APPN)
            return
        if receipt is None:
            # Without an id it never matches; a refusal would only bring it again.
            log.warning("smpp_receipt_without_id", carrier=self._carrier, sequence=pdu.sequence)
            _respond(link, [pdu], Status.ROK)
            return
        self._receipts.append((pdu, receipt))

    def hand_over(self, link: Link) -> None:
        """Hand on the deliveries that came together on this link."""
        if self._receipts:
            receipts, self._receipts = self._receipts, []
            self._begin(self._keep(link, self._events.reported, receipts))
        if self._fragments:
            fragments, self._fragments = self._fragments, []
            self._begin(self._keep(link, self._events.arrived, fragments))

    async def stop(self) -> None:
        """Stop waiting: deliveries not yet stored stay unanswered, and come again on the next bind."""
        tasks = list(self._under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, keeping: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(keeping)
        self._under_way.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._ended()

    async def _keep(
        self,
        link: Link,
        commit: Callable[[Sequence[T]], Awaitable[None]],
        news: list[tuple[Pdu, T]],
        *,
        again: bool = False,
    ) -> None:
        """Answer a list once it is committed, or its members one by one; what cannot be stored comes again."""
        status = Status.ROK
        try:
            await commit([item for _, item in news])
        except Exception as error:  # whatever the cause, the carrier still has it and keeps it
            if not again:
                log.exception("smpp_deliveries_not_taken", carrier=self._carrier, deliveries=len(news))
            if len(news) > 1:
                await asyncio.gather(*[self._keep(link, commit, [one], again=True) for one in news])
                return
            cause = f"{type(error).__name__}: {error}"[:300]
            log.error("smpp_delivery_not_taken", carrier=self._carrier, sequence=news[0][0].sequence, cause=cause)
            status = Status.RX_T_APPN
        _respond(link, [pdu for pdu, _ in news], status)


def _respond(link: Link, asked: Sequence[Pdu], status: Status) -> None:
    respond = link.session.respond
    for pdu in asked:
        respond(pdu, _TAKEN_DATA if isinstance(pdu.body, DataSm) else _TAKEN, status)
    link.flush_soon()
