"""One connection of an ESME: its bind, its requests, each answered once what it asks for is committed.

Not here: SMPP itself (smpp.session), what a submit asks for (reading), what goes to the ESME (courier), earlier SMS
(earlier). Standard: SMPP 3.4 §2.2, §4.1.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol, cast

import structlog

from addressbook.senders import Principal
from gateway.applications import ApplicationJob, Applications
from gateway.esme import BoundEsme
from gateway.limits import Rate, client_network
from gateway.listener import Listener
from gateway.log_lines import log_login
from gateway.metrics import Metric, Metrics
from gateway.ports import Clock
from gateway.proxied import Proxied
from gateway.submission import RecipientRequest
from smpp.dialect.dialect import WireAlphabet
from smpp.link import Link
from smpp.server.courier import RECEIVING, Courier
from smpp.server.reading import EsmeSubmit, Rejected, read_submit
from smpp.server.statuses import REFUSALS
from smpp.server.throttle import Throttle
from smpp.session.events import Answered, Asked, BindAsked, Ended, Event, Malformed, Unanswered
from smpp.session.limits import SessionLimits
from smpp.session.session import Session
from smpp.session.states import SessionRole
from smpp.wire.bodies import (
    BODIES,
    INTERFACE_VERSION,
    RESPONSE_BIT,
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    Command,
    DataSm,
    Response,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
)
from smpp.wire.fields import UnsuccessfulAddress
from smpp.wire.pdu import Pdu
from smpp.wire.statuses import Status, status_name
from sms.message import Origin
from sms.outcome import Refusal, Refused

log = structlog.get_logger()

Prove = Callable[[str, str, str], Awaitable[Principal | Refused]]
"""Login, password and address of the client → whose login it is, if it may bind."""

_SUBMITS: Final = (SubmitSm, SubmitMulti, DataSm)
_TYPES: Final = {
    Command.BIND_TRANSMITTER: "transmitter",
    Command.BIND_RECEIVER: "receiver",
    Command.BIND_TRANSCEIVER: "transceiver",
}
_MOST_ALIKE: Final = 1000
_TOO_OFTEN_SECONDS: Final = 1.0


class Earlier(Protocol):
    """Answers what an ESME asks about an SMS that it submitted before."""

    async def answer(self, principal: Principal, pdu: Pdu) -> tuple[Response, Status]:
        """Answer a query_sm, cancel_sm or replace_sm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EsmeLimits:
    """What ESMEs may cost: binds of one login, SMS per second of one login (0: any number), and a session's bounds.

    `binds_per_minute` is how often a client may ask to be bound with the same login.
    """

    binds: int = 10
    binds_per_minute: int = 60
    rate: int = 0
    session: SessionLimits = field(default_factory=lambda: SessionLimits(window=50, inbound_window=_MOST_ALIKE))


class EsmeService:
    """What all connections of a door share; `holds` tells whether a login that was proven may still be bound.

    `door` is what the metrics call it.
    """

    def __init__(  # noqa: PLR0913 - every collaborator by name
        self,
        *,
        prove: Prove,
        holds: Callable[[Principal], bool],
        applications: Applications,
        earlier: Earlier,
        courier: Courier,
        clock: Clock,
        alphabet: WireAlphabet,
        limits: EsmeLimits,
        metrics: Metrics,
        door: str,
    ) -> None:
        self.prove = prove
        self.holds = holds
        self.applications = applications
        self.earlier = earlier
        self.courier = courier
        self.clock = clock
        self.alphabet = alphabet
        self.limits = limits
        self.metrics = metrics
        self.door = door
        self.binds: dict[str, set[EsmeConnection]] = {}
        self.bind_rate = Rate(limits.binds_per_minute)
        self._throttles: dict[str, Throttle] = {}
        self._turns: dict[str, asyncio.Lock] = {}

    def count_bind(self, bind: str, by: int) -> None:
        """Count that a bind of this type has begun, or by -1 that it has ended."""
        self.metrics.count(Metric.ESME_BINDS, self.door, bind, by=by)

    def count_submit(self, status: Status, seconds: float) -> None:
        """Count the answer to a submit."""
        answer = {Status.ROK: "kept", Status.RTHROTTLED: "throttled"}.get(status, "refused")
        self.metrics.count(Metric.ESME_SUBMITS, self.door, answer)
        self.metrics.observe(Metric.ESME_SECONDS, seconds, self.door)

    def throttle_of(self, login: str) -> Throttle:
        """Return what bounds the speed of a login."""
        return self._throttles.setdefault(login, Throttle(self.limits.rate))

    def turn_of(self, login: str) -> asyncio.Lock:
        """Return what the submits of a login pass one by one where their speed is bounded."""
        return self._turns.setdefault(login, asyncio.Lock())


class EsmeConnection:
    """Fulfils smpp.link.LinkOwner, gateway.listener.ListenerConnection and smpp.server.courier.Receiver."""

    def __init__(self, service: EsmeService, listener: Listener, proxied: Proxied | None) -> None:
        self._service = service
        self._listener = listener
        self._proxied = proxied
        self._host = proxied.client[0] if proxied is not None else ""
        self.bind = secrets.token_hex(6)
        self.login = ""
        self.takes_parameters = True
        self._principal: Principal | None = None
        self._type = ""
        self._bound_at: datetime | None = None
        self._proving = False
        self._under_way = 0
        self._is_closing = False
        self._opened_at = listener.loop.time()
        self.link = Link(
            Session(SessionRole.SMSC, service.limits.session, listener.loop.time()),
            self,
            slot="esme",
            reads_while_full=False,
        )

    # What the listener calls

    def tick(self, now: float) -> None:  # noqa: ARG002 - the link has a clock of its own
        """End the bind of a login that may not bind any more."""
        if self._principal is not None and not self._is_closing and not self._service.holds(self._principal):
            log.info("esme_bind_ended", login=self.login, bind=self.bind)
            self.shut_down()

    def shut_down(self) -> None:
        """Take nothing new, and unbind once every request is answered."""
        self._is_closing = True
        self._leave()

    @property
    def bound(self) -> BoundEsme | None:
        """What there is to tell of its bind, None where it has none."""
        if self._principal is None or self._bound_at is None:
            return None
        return BoundEsme(
            door=self._service.door,
            customer_key=self._principal.customer_id,
            login=self.login,
            kind=self._type,
            client=self._host,
            bound_at=self._bound_at,
        )

    @property
    def waiting_since(self) -> float | None:
        """Since when it waits for a bind; None once there is one."""
        return self._opened_at if self._principal is None else None

    def give_way(self) -> None:
        """Close now, for one who needs the place."""
        self.abort()

    def abort(self) -> None:
        """Drop the connection now."""
        self.link.abort()

    def _leave(self) -> None:
        if self._under_way:
            return
        if self._principal is None:
            self.abort()
            return
        self.link.wake()
        self.link.session.unbind()
        self.link.pump()

    # What the link calls

    def on_opened(self, link: Link) -> None:
        """Count the connection; one too many is dropped."""
        self._host = self._host or link.peer.rpartition(":")[0]
        if self._listener.admit(self, self._host, self._proxied) is not None:
            link.abort()

    def on_event(self, link: Link, event: Event) -> None:  # noqa: ARG002 - the protocol's
        """Take what the ESME asks for, and its answers."""
        if isinstance(event, Asked):
            self._on_request(event.pdu)
        elif isinstance(event, Answered):
            self._service.courier.answered(self.login, event.context, event.pdu.status)
        elif isinstance(event, Unanswered):
            self._service.courier.answered(self.login, event.context, event.missing)
        elif isinstance(event, BindAsked):
            self._on_bind(event.pdu)
        elif isinstance(event, Malformed):
            log.info("esme_pdu_malformed", login=self.login, rip=self._host, cause=str(event.error))
        elif isinstance(event, Ended):
            self._forget()
            log.info("esme_unbound", login=self.login, bind=self.bind, rip=self._host, reason=event.reason.value)

    def on_quiet(self, link: Link) -> None:  # noqa: ARG002 - the protocol's
        """Deliver on: the window may have room again."""
        if self._principal is not None:
            self._service.courier.pump(self.login)

    def on_writable(self, link: Link) -> None:
        """Deliver on: the socket has room again."""
        self.on_quiet(link)

    def on_closed(self, link: Link) -> None:  # noqa: ARG002 - the protocol's
        """Count the connection out."""
        self._forget()
        self._listener.release(self)

    def _forget(self) -> None:
        if self._principal is None:
            return
        self._principal = None
        self._service.count_bind(self._type, -1)
        self._service.courier.remove(self)
        binds = self._service.binds.get(self.login, set())
        binds.discard(self)
        if not binds:
            self._service.binds.pop(self.login, None)

    # Binding

    def _on_bind(self, pdu: Pdu) -> None:
        if self._proving:
            self._answer_bind(pdu, Status.RALYBND)
            return
        self._proving = True
        self._listener.start(self._bind(pdu))

    async def _bind(self, pdu: Pdu) -> None:
        body = pdu.body
        assert isinstance(body, (BindReceiver, BindTransmitter, BindTransceiver))
        host = self._host
        if not self._service.bind_rate.take((client_network(host), body.system_id), self._listener.loop.time()):
            # A client that binds again and again costs no proof; it hears it in a second, and can do nothing meanwhile.
            log.info("esme_bind_refused", login=body.system_id, rip=host, reason="too-often")
            await asyncio.sleep(_TOO_OFTEN_SECONDS)
            self._proving = False
            self._answer_bind(pdu, Status.RTHROTTLED)
            return
        try:
            proven = await self._service.prove(body.system_id, _password(body.password), host)
        except Exception:
            log.exception("esme_bind_broke", rip=host)
            proven = Refused(refusal=Refusal.INTERNAL)
        self._proving = False
        if self.link.session.is_closed():
            return
        if isinstance(proven, Refused):
            log.info("esme_bind_refused", login=body.system_id, rip=host, reason=proven.refusal.value)
            if proven.refusal is Refusal.AUTHENTICATION_FAILED:
                log_login(log, succeeded=False, login=body.system_id, client=host, mechanism="SMPP")
            self._answer_bind(pdu, REFUSALS[proven.refusal])
            return
        binds = self._service.binds.setdefault(proven.login, set())
        if len(binds) >= self._service.limits.binds:
            log.info("esme_bind_refused", login=proven.login, rip=host, reason="too-many-binds")
            self._answer_bind(pdu, Status.RALYBND)
            return
        binds.add(self)
        self.login, self._principal, self._type = proven.login, proven, _TYPES[pdu.command]
        self._bound_at = self._service.clock.now()
        self._service.count_bind(self._type, 1)
        self.takes_parameters = body.interface_version >= INTERFACE_VERSION
        self._answer_bind(pdu, Status.ROK)
        log.info("esme_bound", login=self.login, bind=self.bind, rip=host, state=self.link.session.state.value)
        if self.link.session.state in RECEIVING:
            self._service.courier.add(self)

    def _answer_bind(self, pdu: Pdu, status: Status) -> None:
        answer = BODIES[pdu.command | RESPONSE_BIT]._make((getattr(pdu.body, "system_id", ""),))
        self.link.wake()
        self.link.session.answer_bind(pdu, cast("Response", answer), status)
        self.link.pump()

    # Requests

    def _on_request(self, pdu: Pdu) -> None:
        self._under_way += 1
        self._listener.start(self._handle(pdu))

    async def _handle(self, pdu: Pdu) -> None:
        began = self._listener.loop.time()
        try:
            answer, status = await self._answer(pdu)
        except Exception:  # the ESME must not wait for what we can't do
            log.exception("esme_request_broke", login=self.login, command=pdu.command.name)
            answer, status = _nothing(pdu), Status.RSYSERR
        if isinstance(pdu.body, _SUBMITS):
            self._service.count_submit(status, self._listener.loop.time() - began)
        self._under_way -= 1
        self.link.session.respond(pdu, answer, status)
        self.link.pump_soon()
        if self._is_closing:
            self._leave()

    async def _answer(self, pdu: Pdu) -> tuple[Response, Status]:
        principal = self._principal
        if principal is None or self._is_closing:
            return _nothing(pdu), Status.RSYSERR
        if not isinstance(pdu.body, _SUBMITS):
            return await self._service.earlier.answer(principal, pdu)
        asked = read_submit(pdu, self._service.alphabet, self.bind, self._service.clock.now())
        if isinstance(asked, Rejected):
            log.info("esme_submit_rejected", login=self.login, status=status_name(asked.status), cause=asked.cause)
            return _nothing(pdu), asked.status
        return await self._submit(principal, pdu, asked)

    async def _submit(self, principal: Principal, pdu: Pdu, asked: EsmeSubmit) -> tuple[Response, Status]:
        loop = self._listener.loop
        due_at = self._service.throttle_of(self.login).due_at(len(asked.recipients), loop.time())
        if due_at is None:
            return _nothing(pdu), Status.RTHROTTLED
        if self._service.limits.rate:
            async with self._service.turn_of(self.login):  # who came first goes first, however busy the loop is
                await asyncio.sleep(max(0.0, due_at - loop.time()))
        if isinstance(pdu.body, SubmitMulti):
            return await self._submit_all(principal, asked)
        kept = await self._service.applications.submit(principal, job_of(asked))
        if isinstance(kept, Refused):
            return _nothing(pdu), REFUSALS[kept.refusal]
        return cast("Response", BODIES[pdu.command | RESPONSE_BIT]._make((str(kept.key),))), Status.ROK

    async def _submit_all(self, principal: Principal, asked: EsmeSubmit) -> tuple[Response, Status]:
        """Keep a submit_multi as one job: destinations that are refused are named, the others kept."""
        refused = [UnsuccessfulAddress(*address, status) for address, status in asked.refused]
        if not asked.recipients:
            return SubmitMultiResp("", tuple(refused)), Status.ROK
        kept = await self._service.applications.submit(principal, job_of(asked))
        if isinstance(kept, Refused):
            return SubmitMultiResp(), REFUSALS[kept.refusal]
        for recipient in asked.recipients:
            reason = kept.refused.get(recipient.address.address)
            if reason is not None:
                refused.append(UnsuccessfulAddress(*recipient.address, REFUSALS[Refusal(reason)]))
        return SubmitMultiResp(str(kept.key), tuple(refused)), Status.ROK


def job_of(asked: EsmeSubmit) -> ApplicationJob:
    """Return what an ESME asks for as the job of an application."""
    recipients = tuple(
        RecipientRequest(given=recipient.address.address, number=recipient.number) for recipient in asked.recipients
    )
    return ApplicationJob(
        service=Origin.SMPP,
        texts=((asked.text, recipients),),
        options=asked.options,
        reference=asked.reference,
        start_at=asked.start_at,
        esme=asked.request,
    )


def _nothing(pdu: Pdu) -> Response:
    """Return the empty answer to a request."""
    return cast("Response", BODIES[pdu.command | RESPONSE_BIT]())


def _password(read: str) -> str:
    """Return a password in UTF-8 where its octets are, else as it was read."""
    try:
        return read.encode("latin-1").decode()
    except UnicodeDecodeError:
        return read
