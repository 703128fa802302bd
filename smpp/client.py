"""Our binds to one carrier: parts out, their answers, receipts and inbound SMS in; fulfils `gateway.ports.Carrier`.

Exactly one answer per part: what was never written is `Retry(LINK_DOWN)`, what was written and has no answer is
`Unknown`. A deliver_sm is answered only after the coroutine that took it has returned, which is after the commit.
Not here: SMPP itself (session), the carrier's wishes (dialect and the readers and writers beside it), speed (pace).
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import cast

import structlog

from gateway.ports import CarrierEvents, Clock
from smpp.account import BINDS, BindMode, CarrierAccount
from smpp.bodies import (
    AlertNotification,
    Bind,
    BindReceiver,
    CancelSm,
    DataSm,
    DataSmResp,
    DeliverSmResp,
    Outbind,
    QuerySm,
    QuerySmResp,
    SubmitSmResp,
)
from smpp.events import (
    Answered,
    Asked,
    BindRefused,
    Bound,
    Ended,
    Event,
    Malformed,
    Missing,
    OutbindHeard,
    Stray,
    Unanswered,
)
from smpp.fields import PduError
from smpp.fragments import read_fragment
from smpp.link import Link
from smpp.outcomes import LINK_DOWN, WITHOUT_ANSWER, decide_outcome, outcome_of_unwritable, status_of
from smpp.pace import Pace
from smpp.pdu import Pdu
from smpp.receipts import STATES, DeliveryKind, kind_of, parse_absolute_time, read_receipt
from smpp.session import Session, SessionError
from smpp.states import Role, State
from smpp.statuses import Status, status_name
from smpp.submissions import normalise_id, write_cancel, write_part, write_query
from sms.message import InboundFragment, PartToSubmit, Receipt, ReceiptState
from sms.number import MobileNumber, SenderId
from sms.outcome import Done, Outcome, ProblemCode, Retry

log = structlog.get_logger()

_SENDING = frozenset({State.BOUND_TX, State.BOUND_TRX})
_BAD_CREDENTIALS = frozenset({Status.RINVPASWD, Status.RINVSYSID, Status.RBINDFAIL})
_UNBIND_SECONDS = 2.0
# §4.6.2 and §4.7.2: our answers name no message id.
_TAKEN, _TAKEN_DATA = DeliverSmResp(), DataSmResp()


class SmppClient:
    """One carrier over SMPP; `jitter` gives numbers from 0 to 1 for the pause before a new connection."""

    def __init__(self, account: CarrierAccount, *, clock: Clock, jitter: Callable[[], float]) -> None:
        self._account = account
        self._dialect = account.dialect
        self._clock = clock
        self._jitter = jitter
        self._events: CarrierEvents | None = None
        self._links: set[Link] = set()
        self._sender: Link | None = None
        self._pace: Pace | None = None
        self._keepers: list[asyncio.Task[None]] = []
        self._deliveries: set[asyncio.Task[None]] = set()
        self._door: asyncio.Server | None = None
        self._stopping = asyncio.Event()
        self._progress = asyncio.Event()
        self._waker: asyncio.TimerHandle | None = None
        self._change_due = False

    # The Carrier protocol

    @property
    def name(self) -> str:
        """The carrier's name in the operator's file."""
        return self._account.name

    def free_window(self) -> int:
        """Return how many parts `submit` takes now: 0 while the link is down, throttled, full, or being left."""
        link = self._sender
        if link is None or self._pace is None or self._stopping.is_set() or not link.writable:
            return 0
        now = self._loop.time()
        room = min(link.session.free_window, self._pace.room(now, link.session.outstanding))
        if room == 0 and self._waker is None:
            wait = self._pace.wait(now)
            if wait is not None:
                self._waker = self._loop.call_later(wait, self._wake)
        return room

    def submit(self, parts: Sequence[PartToSubmit]) -> None:
        """Send the parts in order and at once, in one write; never more of them than `free_window()` said."""
        link = self._sender
        if link is None or self._pace is None:
            for part in parts:
                self._answer_soon(part.part_key, LINK_DOWN)
            return
        link.tick()
        session = link.session
        now = self._clock.now()
        for part in parts:
            try:
                body, tlvs = write_part(part, self._dialect, now)
                session.send(body, part.part_key, tlvs)
            except PduError as error:
                log.warning("smpp_part_not_writable", carrier=self.name, message=part.message_id, cause=str(error))
                self._answer_soon(part.part_key, outcome_of_unwritable(error))
            except SessionError:
                self._answer_soon(part.part_key, LINK_DOWN)
        self._pace.sent(len(parts), self._loop.time())
        link.pump()

    async def start(self, events: CarrierEvents) -> None:
        """Begin to connect, and keep reconnecting with backoff, until `stop`."""
        account = self._account
        self._events = events
        self._loop = asyncio.get_running_loop()
        self._pace = Pace(
            rate=account.throughput,
            window=account.limits.window,
            pause=self._dialect.throttle_pause.total_seconds(),
            now=self._loop.time(),
        )
        if account.outbind is not None:
            door = account.outbind
            self._door = await self._loop.create_server(self._make_link, door.host, door.port, ssl=door.tls)
        self._keepers = [
            self._loop.create_task(self._keep_bound(kind), name=f"smpp {account.name} {kind.__name__}")
            for kind in BINDS[account.bind]
        ]

    async def stop(self, grace_seconds: float) -> None:
        """Take nothing new, wait for outstanding answers up to the grace, unbind, close."""
        self._stopping.set()
        try:
            async with asyncio.timeout(grace_seconds):
                while self._deliveries or any(link.session.outstanding for link in self._links):
                    self._progress.clear()
                    await self._progress.wait()
        except TimeoutError:
            log.warning("smpp_stop_impatient", carrier=self.name, deliveries=len(self._deliveries))
        if self._door is not None:
            self._door.close()
        await _end(self._keepers)
        await self._leave()
        await _end(list(self._deliveries))
        if self._waker is not None:
            self._waker.cancel()

    async def _leave(self) -> None:
        """Unbind every link, and drop those whose other side does not answer."""
        links = list(self._links)
        if not links:
            return
        for link in links:
            link.tick()
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
        """Ask the carrier where a part is: its state as a receipt would say it, or why that is not known (§4.8)."""
        answer = await self._ask(write_query(carrier_id, sender, self._dialect))
        if not isinstance(answer, Pdu):
            return answer
        if answer.status or not isinstance(answer.body, QuerySmResp):
            return decide_outcome(answer.status or Status.RQUERYFAIL, overrides=self._dialect.statuses)
        return Receipt(
            carrier=self.name,
            carrier_id=carrier_id,
            state=STATES.get(answer.body.message_state, ReceiptState.UNKNOWN),
            error=str(answer.body.error_code) if answer.body.error_code else "",
            done_at=parse_absolute_time(answer.body.final_date),
        )

    async def _ask(self, body: CancelSm | QuerySm) -> Pdu | Outcome:
        link = self._sender
        if link is None:
            return LINK_DOWN
        answer: asyncio.Future[Pdu | Missing] = self._loop.create_future()
        link.tick()
        try:
            link.session.send(body, answer)
        except SessionError:
            return LINK_DOWN
        except PduError as error:
            return outcome_of_unwritable(error)
        link.pump()
        got = await answer
        return WITHOUT_ANSWER[got] if isinstance(got, Missing) else got

    # Connections

    def _make_link(self) -> Link:
        return Link(Session(Role.ESME, self._account.limits, self._loop.time()), self)

    async def _keep_bound(self, kind: type[Bind]) -> None:
        """Hold one bind up: connect, bind, wait for the end, pause, again."""
        account = self._account
        failures = 0
        while not self._stopping.is_set():
            link = await self._connect(kind)
            if link is not None:
                await asyncio.wait([link.lost])
                failures = 0 if link.session.was_bound else failures
                if link.session.refused_with in _BAD_CREDENTIALS:
                    # Nothing but a person mends this; carriers lock accounts that keep trying.
                    failures = 16
            pause = min(account.reconnect_most, account.reconnect_least * 2 ** min(failures, 16))
            failures += 1
            try:
                async with asyncio.timeout(pause * (0.5 + self._jitter() / 2)):
                    await self._stopping.wait()
            except TimeoutError:
                continue

    async def _connect(self, kind: type[Bind]) -> Link | None:
        account = self._account
        hostname = (account.server_hostname or account.host) if account.tls is not None else None
        link: Link | None = None
        try:
            async with asyncio.timeout(account.connect_seconds):
                _, link = await self._loop.create_connection(
                    self._make_link, account.host, account.port, ssl=account.tls, server_hostname=hostname
                )
        except (OSError, TimeoutError) as error:
            log.warning("smpp_connect_failed", carrier=self.name, cause=str(error) or type(error).__name__)
            return None
        self._bind(link, kind)
        return link

    def _bind(self, link: Link, kind: type[Bind]) -> None:
        account, dialect = self._account, self._dialect
        link.tick()
        try:
            link.session.bind(
                kind(
                    system_id=account.system_id,
                    password=account.password,
                    system_type=dialect.system_type,
                    addr_ton=dialect.address_range_ton,
                    addr_npi=dialect.address_range_npi,
                    address_range=dialect.address_range,
                )
            )
        except SessionError as error:
            log.warning("smpp_bind_impossible", carrier=self.name, peer=link.peer, cause=str(error))
        except PduError as error:
            # The detail names the field; the field's value may be the password.
            log.error("smpp_bind_not_writable", carrier=self.name, cause=error.detail)
            link.session.abandon()
        link.pump()

    # What happens on a link (LinkOwner)

    def on_opened(self, link: Link) -> None:
        """Count the link among ours."""
        self._links.add(link)

    def on_closed(self, link: Link) -> None:
        """Forget the link."""
        self._links.discard(link)
        self._progress.set()

    def on_writable(self, link: Link) -> None:
        """Let parts flow again."""
        if link is self._sender:
            self._changed()

    def on_event(self, link: Link, event: Event) -> None:
        """Send every event its way."""
        if isinstance(event, Answered):
            self._on_answer(event.context, event.pdu)
        elif isinstance(event, Asked):
            self._on_delivery(link, event.pdu)
        elif isinstance(event, Unanswered):
            self._on_no_answer(event.context, event.missing)
        elif isinstance(event, (Bound, BindRefused, Ended)):
            self._on_bind_event(link, event)
        elif isinstance(event, OutbindHeard):
            self._on_outbind(link, event.pdu)
        elif isinstance(event, Stray):
            status = status_name(event.status)
            log.warning("smpp_stray_answer", carrier=self.name, command=hex(event.command), status=status)
        elif isinstance(event, Malformed):
            log.warning("smpp_malformed_pdu", carrier=self.name, peer=link.peer, cause=str(event.error))

    def _on_bind_event(self, link: Link, event: Bound | BindRefused | Ended) -> None:
        if isinstance(event, Bound):
            log.info("smpp_bound", carrier=self.name, peer=link.peer, state=link.session.state)
            if link.session.state in _SENDING:
                self._sender = link
        elif isinstance(event, BindRefused):
            log.error("smpp_bind_refused", carrier=self.name, peer=link.peer, status=status_name(event.status))
        else:
            log.info("smpp_ended", carrier=self.name, peer=link.peer, reason=event.reason)
            if self._sender is link:
                self._sender = next((other for other in self._links if other.session.state in _SENDING), None)
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
        # §2.2.1: the SMSC that knocks has something to deliver.
        self._bind(link, BindReceiver if self._account.bind is BindMode.PAIR else BINDS[self._account.bind][0])

    def _on_answer(self, context: object, pdu: Pdu) -> None:
        if isinstance(context, int):
            self._on_part_answer(context, pdu)
        elif isinstance(context, asyncio.Future) and not context.done():
            context.set_result(pdu)
        self._progress.set()

    def _on_part_answer(self, part_key: int, pdu: Pdu) -> None:
        assert self._events is not None
        assert self._pace is not None
        body = pdu.body
        if not pdu.status and isinstance(body, SubmitSmResp):
            self._pace.accepted()
            reference = normalise_id(body.message_id, self._dialect.id_in_response)
            self._events.answered(self.name, part_key, Done(reference=reference))
        else:
            outcome = decide_outcome(
                status_of(pdu), overrides=self._dialect.statuses, throttle_pause=self._dialect.throttle_pause
            )
            if isinstance(outcome, Retry) and outcome.problem.code is ProblemCode.THROTTLED:
                self._pace.throttled(self._loop.time())
            log.info("smpp_part_refused", carrier=self.name, part=part_key, status=status_name(status_of(pdu)))
            self._events.answered(self.name, part_key, outcome)
        self._changed()

    def _on_no_answer(self, context: object, missing: Missing) -> None:
        assert self._events is not None
        if isinstance(context, int):
            log.warning("smpp_part_unanswered", carrier=self.name, part=context, missing=missing)
            self._events.answered(self.name, context, WITHOUT_ANSWER[missing])
            self._changed()
        elif isinstance(context, asyncio.Future) and not context.done():
            context.set_result(missing)
        self._progress.set()

    # What comes from the carrier

    def _on_delivery(self, link: Link, pdu: Pdu) -> None:
        if isinstance(pdu.body, AlertNotification):
            log.info("smpp_alert_notification", carrier=self.name)
            return
        try:
            news = self._read(pdu)
        except Exception:  # a fault of ours: the carrier shall keep it until we can read it
            log.exception("smpp_delivery_not_read", carrier=self.name, sequence=pdu.sequence)
            self._respond(link, pdu, Status.RX_T_APPN)
            return
        if news is None:
            self._respond(link, pdu, Status.ROK)
        else:
            self._deliveries.add(self._loop.create_task(self._take(link, pdu, news)))

    def _read(self, pdu: Pdu) -> Receipt | InboundFragment | None:
        """Return what a delivery brings, None where there is nothing to pass on."""
        kind = kind_of(pdu)
        if kind is DeliveryKind.MESSAGE:
            return read_fragment(pdu, self.name, self._dialect)
        if kind is DeliveryKind.INTERMEDIATE:
            return None
        receipt = read_receipt(pdu, self.name, self._dialect)
        if receipt is None:
            # Without an id it can never be matched; refused, it would only come again.
            log.warning("smpp_receipt_without_id", carrier=self.name, sequence=pdu.sequence)
        return receipt

    async def _take(self, link: Link, pdu: Pdu, news: Receipt | InboundFragment) -> None:
        """Answer a delivery once it is committed; where it could not be, ask the carrier to bring it again."""
        assert self._events is not None
        status = Status.ROK
        try:
            if isinstance(news, Receipt):
                await self._events.receipt(news)
            else:
                await self._events.inbound(news)
        except Exception:  # whatever the cause, the carrier still has it and shall keep it
            log.exception("smpp_delivery_not_taken", carrier=self.name, sequence=pdu.sequence)
            status = Status.RX_T_APPN
        finally:
            self._deliveries.discard(cast("asyncio.Task[None]", asyncio.current_task()))
            self._progress.set()
        self._respond(link, pdu, status)

    def _respond(self, link: Link, pdu: Pdu, status: Status) -> None:
        link.session.respond(pdu, _TAKEN_DATA if isinstance(pdu.body, DataSm) else _TAKEN, status)
        link.flush_soon()

    # Telling the use cases

    def _answer_soon(self, part_key: int, outcome: Outcome) -> None:
        assert self._events is not None
        self._loop.call_soon(self._events.answered, self.name, part_key, outcome)

    def _wake(self) -> None:
        self._waker = None
        self._changed()

    def _changed(self) -> None:
        """Say once per turn of the loop that the free window may have grown."""
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
