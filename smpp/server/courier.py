"""What goes to ESMEs, over their binds: each deliver_sm to the bind that it belongs to, else to any receiver.

Fulfils gateway.ports.ItemSender: what finds no receiver is given back unsent, and what was refused is tried again, so
that nothing is lost with a link. A login whose receivers are slow has a queue of its own. Not here: what waits in the
outbox for an absent login, and for how long (gateway.outbox).
"""

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import Final, NamedTuple, Protocol

from gateway.ports import InboundDelivery, Item, MailAttempt
from smpp.link import Link
from smpp.server.deliveries import write_inbound, write_receipt
from smpp.session.events import Missing
from smpp.session.states import SessionState
from smpp.wire.bodies import DeliverSm
from smpp.wire.statuses import Status, status_name
from smpp.wire.tlv import Tlv
from sms.esme import EsmeReceipt
from sms.outcome import Done, Failed, Problem, ProblemCode, Retry

RECEIVING: Final = frozenset({SessionState.BOUND_RX, SessionState.BOUND_TRX})
# §5.1.3: the ESME will never take it; every other refusal is tried again.
_FOR_GOOD = frozenset({Status.RX_P_APPN, Status.RX_R_APPN})
_AT_ONCE = timedelta(0)


class Receiver(Protocol):
    """A bind that may take deliveries."""

    @property
    def bind(self) -> str:
        """Its name, which no other bind of the past or the present has."""

    @property
    def login(self) -> str:
        """Whose it is."""

    @property
    def takes_parameters(self) -> bool:
        """Whether it was bound as SMPP 3.4 or later (§3.4: an older ESME gets no optional parameters)."""

    @property
    def link(self) -> Link:
        """Its connection."""


class _Delivery(NamedTuple):
    """One deliver_sm on its way; the future gives the status, or why there is none."""

    bind: str
    body: DeliverSm
    tlvs: tuple[Tlv, ...]
    answered: "asyncio.Future[int | Missing]"


class Courier:
    """The receivers of each login; `arrived` is called when a login has its first one."""

    def __init__(self) -> None:
        self.arrived: Callable[[], None] = lambda: None
        self._receivers: dict[str, list[Receiver]] = {}
        self._waiting: dict[str, deque[_Delivery]] = {}

    def logins(self) -> frozenset[str]:
        """Return the logins that have a receiver."""
        return frozenset(self._receivers)

    def add(self, receiver: Receiver) -> None:
        """Deliver over this bind, too."""
        self._receivers.setdefault(receiver.login, []).append(receiver)
        self.arrived()

    def remove(self, receiver: Receiver) -> None:
        """Deliver nothing more over this bind; without another one what waits is given back."""
        left = self._receivers.get(receiver.login, [])
        if receiver in left:
            left.remove(receiver)
        if not left:
            self._receivers.pop(receiver.login, None)
            for delivery in self._waiting.pop(receiver.login, ()):
                _answer(delivery, Missing.UNSENT)

    def answered(self, login: str, delivery: object, answer: int | Missing) -> None:
        """Take the answer to a delivery, or that there is none."""
        assert isinstance(delivery, _Delivery)
        _answer(delivery, answer)
        self.pump(login)

    async def send(self, item: Item) -> MailAttempt:
        """Deliver a receipt or an inbound SMS, and wait for its answer."""
        match item:
            case EsmeReceipt():
                return await self._bring(item.login, item.origin.bind, *write_receipt(item))
            case InboundDelivery():
                return await self._bring(item.login, "", *write_inbound(item.report))
            case _:
                raise TypeError(f"{type(item).__name__} does not go by SMPP")

    async def _bring(self, login: str, bind: str, body: DeliverSm, tlvs: tuple[Tlv, ...]) -> MailAttempt:
        delivery = _Delivery(bind, body, tlvs, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(login, deque()).append(delivery)
        self.pump(login)
        return _outcome(await delivery.answered)

    def pump(self, login: str) -> None:
        """Send what waits for a login, as far as its windows have room."""
        waiting = self._waiting.get(login)
        receivers = self._receivers.get(login, [])
        while waiting:
            if not receivers:
                _answer(waiting.popleft(), Missing.UNSENT)
                continue
            if not waiting[0].body.short_message and not any(one.takes_parameters for one in receivers):
                _answer(waiting.popleft(), Status.ROPTPARNOTALLWD)  # all of its text is in one
                continue
            receiver = _choose(receivers, waiting[0])
            if receiver is None:
                return
            delivery = waiting.popleft()
            if delivery.answered.done():
                continue
            link = receiver.link
            link.wake()
            link.session.send(delivery.body, delivery, delivery.tlvs if receiver.takes_parameters else ())
            link.flush_soon()
        self._waiting.pop(login, None)


def _choose(receivers: list[Receiver], delivery: _Delivery) -> Receiver | None:
    """Return the delivery's own bind where it has room, else the one with most room, None where none has any."""
    able = [one for one in receivers if one.link.session.free_window > 0 and one.link.writable]
    if not delivery.body.short_message:
        able = [one for one in able if one.takes_parameters]
    own = next((one for one in able if one.bind == delivery.bind), None)
    return own or max(able, key=lambda one: one.link.session.free_window, default=None)


def _answer(delivery: _Delivery, answer: int | Missing) -> None:
    if not delivery.answered.done():
        delivery.answered.set_result(answer)


def _outcome(answer: int | Missing) -> MailAttempt:
    if isinstance(answer, Missing) and answer is not Missing.TIMED_OUT:
        problem = Problem(code=ProblemCode.PUSH_DEFERRED, text="No bind of this login took it.")
        return MailAttempt(outcome=Retry(problem=problem, after=_AT_ONCE), called=False)
    if isinstance(answer, Missing):
        problem = Problem(code=ProblemCode.PUSH_DEFERRED, text="The client did not answer.")
        return MailAttempt(outcome=Retry(problem=problem))
    if answer == Status.ROK:
        return MailAttempt(outcome=Done(), reply=status_name(answer))
    reply = status_name(answer)
    if answer in _FOR_GOOD:
        problem = Problem(code=ProblemCode.PUSH_REFUSED, text=f"The client refused it for good: {reply}.")
        return MailAttempt(outcome=Failed(problem=problem), reply=reply)
    problem = Problem(code=ProblemCode.PUSH_DEFERRED, text=f"The client refused it: {reply}.")
    return MailAttempt(outcome=Retry(problem=problem), reply=reply)
