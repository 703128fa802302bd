"""Our links to one carrier: parts out and their answers in; fulfils `gateway.ports.Carrier`.

Each part gets exactly one answer: `Retry(LINK_DOWN)` if it was never written, `Unknown` if it was written and not
answered. The client can also ask about earlier SMS. Not here: deliveries of the carrier (arrivals), keeping links up
(binding), which of them a part goes by (senders), SMPP itself (session), the carrier's dialect (dialect and the readers
and writers beside it), speed (pace).
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence

import structlog

from gateway.ports import CarrierEvents, Clock, LinkState
from smpp.client import troubles
from smpp.client.account import CarrierAccount
from smpp.client.arrivals import Arrivals
from smpp.client.binding import Keeper, send_bind
from smpp.client.outcomes import (
    LINK_DOWN,
    WITHOUT_ANSWER,
    outcome_of_unwritable,
    read_query_answer,
    status_of,
)
from smpp.client.pace import Pace
from smpp.client.senders import Senders
from smpp.dialect.binds import BINDS, BindMode
from smpp.dialect.charges import read_charges
from smpp.dialect.outcomes import decide_outcome
from smpp.dialect.submissions import (
    SubmitWriter,
    normalise_id,
    write_cancel,
    write_part,
    write_query,
)
from smpp.link import Link
from smpp.session.events import (
    Answered,
    Asked,
    BindRefused,
    Bound,
    Ended,
    Event,
    FellSilent,
    LateAnswer,
    Malformed,
    Missing,
    OutbindHeard,
    Spoke,
    Unanswered,
    UnmatchedResponse,
)
from smpp.session.session import Session, SessionError
from smpp.session.states import SessionRole, SessionState
from smpp.wire.bodies import BindReceiver, DataSmResp, Outbind, Request, SubmitSmResp
from smpp.wire.fields import PduError
from smpp.wire.pdu import Pdu
from smpp.wire.statuses import Status, status_name
from sms.message import PartToSubmit, Receipt
from sms.number import MobileNumber, SenderId
from sms.outcome import Done, Outcome, ProblemCode, Retry

log = structlog.get_logger()

_SENDING = frozenset({SessionState.BOUND_TX, SessionState.BOUND_TRX})
_UNBIND_SECONDS = 2.0


class SmppClient:
    """One carrier over SMPP; `jitter` gives numbers from 0 to 1 for the pause before a new connection.

    `trouble` says in words why the last bind failed; a new one calls `window_changed`.
    """

    _loop: asyncio.AbstractEventLoop

    def __init__(self, account: CarrierAccount, *, clock: Clock, jitter: Callable[[], float]) -> None:
        self._account = account
        self._dialect = account.dialect
        self._writer = SubmitWriter(account.dialect)
        self._clock = clock
        self._events: CarrierEvents | None = None
        self._links: set[Link] = set()
        self._senders = Senders(
            Pace(rate=account.throughput, pause=self._dialect.throttle_pause.total_seconds()), account.limits.window
        )
        self._jitter = jitter
        self._running: set[asyncio.Task[None]] = set()
        self._arrivals: Arrivals | None = None
        self._door: asyncio.Server | None = None
        self._stopping = asyncio.Event()
        self._progress = asyncio.Event()
        self._waker: asyncio.TimerHandle | None = None
        self._change_due = False
        self.trouble = troubles.UNDER_WAY

    # The Carrier protocol

    @property
    def name(self) -> str:
        """The carrier's name in the operator's file."""
        return self._account.name

    def free_window(self) -> int:
        """Return how many parts `submit` takes now: 0 while no link is up, or all are throttled, full or unbinding."""
        senders = self._senders
        if not senders or self._stopping.is_set():
            return 0
        now = self._loop.time()
        room = senders.room(now)
        if room == 0 and self._waker is None:
            wait = senders.wait(now)
            if wait is not None:
                self._waker = self._loop.call_later(wait, self._wake)
        return room

    def submit(self, parts: Sequence[PartToSubmit]) -> None:
        """Send the parts at once, in order, in one write per link; they must not exceed `free_window()`."""
        shares = self._senders.share(parts, self._loop.time())
        for link, share in shares:
            self._submit_by(link, share)
        if not shares:
            for part in parts:
                self._answer_soon(part.part_key, LINK_DOWN)

    def _submit_by(self, link: Link, parts: Sequence[PartToSubmit]) -> None:
        link.wake()
        session = link.session
        now = self._clock.now()
        for part in parts:
            try:
                written = self._writer.write(part, now)
                if written is not None:
                    session.submit(written, part.part_key)
                else:
                    body, tlvs = write_part(part, self._dialect, now)
                    session.send(body, part.part_key, tlvs)
            except PduError as error:
                log.warning("smpp_part_not_writable", carrier=self.name, message=part.message_id, cause=str(error))
                self._answer_soon(part.part_key, outcome_of_unwritable(error))
            except SessionError:
                self._answer_soon(part.part_key, LINK_DOWN)
        link.pump_soon()

    async def start(self, events: CarrierEvents) -> None:
        """Connect, and reconnect with backoff, until `stop`."""
        account = self._account
        self._events = events
        self._loop = asyncio.get_running_loop()
        self._arrivals = Arrivals(account.name, self._dialect, events, self._progress.set)
        if account.outbind is not None:
            door = account.outbind
            self._door = await self._loop.create_server(self.make_link, door.host, door.port, ssl=door.tls)
        for slot in account.slots:
            keeper = Keeper(account, slot, owner=self, jitter=self._jitter, stopping=self._stopping)
            self._run(keeper.run(), f"smpp {account.name} {slot.name}")

    def _run(self, work: Coroutine[None, None, None], name: str) -> None:
        task = self._loop.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def stop(self, grace_seconds: float) -> None:
        """Take nothing new, wait for outstanding answers up to the grace, unbind, close."""
        self._stopping.set()
        try:
            async with asyncio.timeout(grace_seconds):
                while self._is_awaited():
                    self._progress.clear()
                    await self._progress.wait()
        except TimeoutError:
            log.warning("smpp_stop_impatient", carrier=self.name)
        if self._door is not None:
            self._door.close()
        await _end(list(self._running))
        await self._unbind(list(self._links))
        if self._arrivals is not None:
            await self._arrivals.stop()
        if self._waker is not None:
            self._waker.cancel()

    def _is_awaited(self) -> bool:
        """Return whether the carrier or we owe an answer."""
        keeping = self._arrivals is not None and self._arrivals.under_way > 0
        return keeping or any(link.session.is_owed for link in self._links)

    async def _unbind(self, links: Sequence[Link]) -> None:
        """Unbind links; drop those whose other side does not answer."""
        if not links:
            return
        for link in links:
            link.wake()
            link.session.unbind()
            link.pump()
        await asyncio.wait([link.lost for link in links], timeout=_UNBIND_SECONDS)
        for link in links:
            link.session.abandon()
            link.pump()
        await asyncio.wait([link.lost for link in links])

    # Beyond the protocol

    async def cancel(self, carrier_id: str, number: MobileNumber, sender: SenderId | None) -> Outcome:
        """Ask the carrier not to deliver a part any more; number and sender are those of its submit (§4.9)."""
        answer = await self._ask(write_cancel(carrier_id, number, sender, self._dialect))
        if not isinstance(answer, Pdu):
            return answer
        return decide_outcome(status_of(answer), reference=carrier_id, overrides=self._dialect.statuses)

    async def query(self, carrier_id: str, sender: SenderId | None) -> Receipt | Outcome:
        """Ask the carrier for the state of a part; returns it as a receipt, or why it is not known (§4.8)."""
        answer = await self._ask(write_query(carrier_id, sender, self._dialect))
        if not isinstance(answer, Pdu):
            return answer
        return read_query_answer(answer, self.name, carrier_id, self._dialect)

    async def _ask(self, body: Request) -> Pdu | Outcome:
        link = self._senders.idlest(self._loop.time()) if self._senders else None
        if link is None:
            return LINK_DOWN
        answer: asyncio.Future[Pdu | Missing] = self._loop.create_future()
        link.wake()
        try:
            link.session.send(body, answer)
        except SessionError:
            return LINK_DOWN
        except PduError as error:
            return outcome_of_unwritable(error)
        link.pump()
        got = await answer
        return WITHOUT_ANSWER[got] if isinstance(got, Missing) else got

    # Connections: what a LinkMaker does

    def make_link(self, slot: str = "", host: str = "") -> Link:
        """Return a link that is not connected yet."""
        return Link(Session(SessionRole.ESME, self._account.limits, self._loop.time()), self, slot=slot, host=host)

    def retire(self, link: Link) -> None:
        """Send nothing more by a link, and unbind it when nothing is owed on it."""
        self._senders.remove(link)
        self._run(self._retire(link), f"smpp {self.name} leaves {link.host}")

    async def _retire(self, link: Link) -> None:
        while link.session.is_owed:  # an answer that never comes is owed no more after its time
            self._progress.clear()
            await self._progress.wait()
        await self._unbind([link])

    def tell(self, state: LinkState) -> None:
        """Take what became of a link."""
        assert self._events is not None
        self.trouble = state.trouble
        self._events.link_changed(state)
        self._changed()

    # What happens on a link (LinkOwner)

    def on_opened(self, link: Link) -> None:
        """Add the link to ours."""
        self._links.add(link)

    def on_closed(self, link: Link) -> None:
        """Forget the link."""
        self._links.discard(link)
        self._progress.set()

    def on_writable(self, link: Link) -> None:  # noqa: ARG002 - the protocol's
        """Let parts flow again."""
        self._changed()

    def on_event(self, link: Link, event: Event) -> None:
        """Dispatch an event."""
        if isinstance(event, Answered):
            context, pdu = event
            if isinstance(context, int):
                self._on_part_answer(link, context, pdu)
            else:
                self._tell_asker(context, pdu)
        elif isinstance(event, Asked):
            assert self._arrivals is not None
            self._arrivals.take(link, event.pdu)
        elif isinstance(event, Unanswered):
            self._on_no_answer(link, event.context, event.missing)
        elif isinstance(event, (Bound, BindRefused, Ended)):
            self._on_bind_event(link, event)
        elif isinstance(event, OutbindHeard):
            self._on_outbind(link, event.pdu)
        elif isinstance(event, (FellSilent, Spoke)):
            what = "smpp_silent" if isinstance(event, FellSilent) else "smpp_spoke"
            log.warning(what, carrier=self.name, link=link.slot, host=link.host)
            self._changed()
        else:
            self._on_oddity(link, event)

    def on_quiet(self, link: Link) -> None:
        """Hand on the deliveries that came together."""
        self._progress.set()
        if self._arrivals is not None:
            self._arrivals.hand_over(link)

    def _on_bind_event(self, link: Link, event: Bound | BindRefused | Ended) -> None:
        line = log.bind(carrier=self.name, link=link.slot, host=link.host, peer=link.peer)
        if isinstance(event, Bound):
            line.info("smpp_bound", state=link.session.state)
            if link.session.state in _SENDING:
                self._senders.add(link)
        elif isinstance(event, BindRefused):
            line.error("smpp_bind_refused", status=status_name(event.status))
        else:
            line.info("smpp_ended", reason=event.reason)
            self._senders.remove(link)
        self._changed()

    def _on_outbind(self, link: Link, pdu: Pdu) -> None:
        door = self._account.outbind
        body = pdu.body
        if not isinstance(body, Outbind):
            return
        if door is not None and (body.system_id, body.password) != (door.system_id, door.password):
            log.warning("smpp_outbind_refused", carrier=self.name, peer=link.peer)
            link.session.abandon()
            return
        log.info("smpp_outbind", carrier=self.name, peer=link.peer)
        # §2.2.1: an SMSC sends outbind when it has something to deliver.
        pair = self._account.bind is BindMode.PAIR
        send_bind(link, self._account, BindReceiver if pair else BINDS[self._account.bind][0])

    def _on_part_answer(self, link: Link, part_key: int, pdu: Pdu) -> None:
        assert self._events is not None
        outcome = self._read_answer(pdu)
        accepted = isinstance(outcome, Done)
        self._senders.answered(link, accepted=accepted)
        if not accepted:
            throttled = isinstance(outcome, Retry) and outcome.problem.code is ProblemCode.THROTTLED
            crowded = isinstance(outcome, Retry) and not throttled and pdu.status == Status.RSUBMITFAIL
            if throttled or crowded:
                self._senders.throttled(link, self._loop.time(), crowded=crowded)
            log.info("smpp_part_refused", carrier=self.name, part=part_key, status=status_name(status_of(pdu)))
        self._events.answered(self.name, part_key, outcome)
        self._changed()

    def _on_oddity(self, link: Link, event: Event) -> None:
        """Use or log an event that no request waits for."""
        assert self._events is not None
        if isinstance(event, LateAnswer) and isinstance(event.context, int):
            status = status_name(status_of(event.pdu))
            log.warning("smpp_part_answered_late", carrier=self.name, part=event.context, status=status)
            self._events.answered_late(self.name, event.context, self._read_answer(event.pdu))
        elif isinstance(event, UnmatchedResponse):
            status = status_name(event.status)
            log.warning("smpp_stray_answer", carrier=self.name, command=hex(event.command), status=status)
        elif isinstance(event, Malformed):
            log.warning("smpp_malformed_pdu", carrier=self.name, peer=link.peer, cause=str(event.error))

    def _read_answer(self, pdu: Pdu) -> Outcome:
        body = pdu.body
        if not pdu.status and isinstance(body, (SubmitSmResp, DataSmResp)):
            network, price = read_charges(pdu.tlvs, self._dialect, {})
            reference = normalise_id(body.message_id, self._dialect.id_in_response)
            return Done(reference=reference, network=network, price=price)
        return decide_outcome(
            status_of(pdu), overrides=self._dialect.statuses, throttle_pause=self._dialect.throttle_pause
        )

    def _on_no_answer(self, link: Link, context: object, missing: Missing) -> None:
        assert self._events is not None
        if isinstance(context, int):
            log.warning("smpp_part_unanswered", carrier=self.name, part=context, missing=missing)
            if missing is not Missing.UNSENT:
                self._senders.unanswered(link)
            self._events.answered(self.name, context, WITHOUT_ANSWER[missing])
            self._changed()
        else:
            self._tell_asker(context, missing)

    def _tell_asker(self, context: object, answer: Pdu | Missing) -> None:
        """Give the answer to the waiting caller, if any."""
        if isinstance(context, asyncio.Future) and not context.done():
            context.set_result(answer)
        self._changed()

    # Telling the use cases

    def _answer_soon(self, part_key: int, outcome: Outcome) -> None:
        assert self._events is not None
        self._loop.call_soon(self._events.answered, self.name, part_key, outcome)

    def _wake(self) -> None:
        self._waker = None
        self._changed()

    def _changed(self) -> None:
        """Report once per turn of the loop that the free window may have grown."""
        if not self._change_due:
            self._change_due = True
            self._loop.call_soon(self._say_changed)

    def _say_changed(self) -> None:
        self._change_due = False
        if self._events is not None:
            self._events.window_changed(self.name)


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel the tasks and return when they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
