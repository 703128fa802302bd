"""The sandbox carrier: a real SMSC on TCP with faults on request, for `mail2sms demo` and the tests.

It authenticates, answers submits, sends receipts and inbound SMS, answers queries and cancels, and keeps an exact
record. Not here: how it treats a submit (script), the record (record), SMPP itself (session).
"""

import asyncio
import hmac
import ssl
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC
from pathlib import Path
from typing import TypeGuard, cast

import structlog

from gateway.ports import Clock
from smpp.dialect.receipts import NUMBER_OF
from smpp.dialect.submissions import normalise_id
from smpp.link import Link
from smpp.session.events import Answered, Asked, BindAsked, Ended, Event, Malformed, Unanswered
from smpp.session.limits import SessionLimits
from smpp.session.session import Session
from smpp.session.states import SessionRole
from smpp.simulator.deliveries import write_inbound, write_message_id, write_receipt
from smpp.simulator.lines import SimulatedCourier, SimulatorLink
from smpp.simulator.record import PhoneSms, Record, Taken
from smpp.simulator.script import Cut, ReceiptTime, Script, Submitted, Treatment, decide_treatment
from smpp.wire.bodies import (
    BODIES,
    INTERFACE_VERSION,
    RESPONSE_BIT,
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    CancelSm,
    CancelSmResp,
    DataSm,
    DataSmResp,
    DeliverSm,
    Outbind,
    QuerySm,
    QuerySmResp,
    ReplaceSm,
    ReplaceSmResp,
    Response,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
)
from smpp.wire.fields import Address, UnsuccessfulAddress
from smpp.wire.pdu import Pdu, encode
from smpp.wire.statuses import Status
from smpp.wire.tlv import Tlv
from sms.message import Alphabet, EncodedText, ReceiptState
from sms.parts import encode_text
from sms.settings import Unencodable

log = structlog.get_logger()

_HALF_AN_ANSWER = 10
_INTERMEDIATE_WANTED, _INTERMEDIATE = 0x10, 0x20  # §5.2.17 in the submit, §5.2.12 in its deliver_sm
_GOODBYE_SECONDS = 0.5


class Simulator:
    """The sandbox carrier. `accounts` maps system_id to password; `script` may change while it runs."""

    def __init__(  # noqa: PLR0913 - each is a choice of its own, all but two with a default
        self,
        *,
        accounts: Mapping[str, str],
        clock: Clock,
        script: Script | None = None,
        limits: SessionLimits | None = None,
        record_path: Path | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.script = script or Script()
        self.record = Record(record_path)
        self.statuses: Counter[int] = Counter()
        self.queries: Counter[str] = Counter()
        self.port = 0
        self.accounts = accounts
        self._clock = clock
        # As with a real carrier, no id of an earlier run comes again.
        self._first_id = int(clock.now().timestamp() * 1000)
        self._limits = limits or SessionLimits(window=1000, enquire_link_seconds=60.0)
        self._tls = tls
        self._server: asyncio.Server | None = None
        self.lines: set[SimulatorLink] = set()
        self._nth = 0
        self._second = (0, 0)
        self._timers: set[asyncio.TimerHandle] = set()
        self._changed = asyncio.Event()
        self._courier = SimulatedCourier(self.lines, lambda call: self._later(self.script.receipt_retry_delay, call))

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; `port` 0 takes a free one, named in `self.port`."""
        self._loop = asyncio.get_running_loop()
        self._server = await self._loop.create_server(self._make_line, host, port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Unbind all links, close everything, keep the record."""
        if self._server is not None:
            self._server.close()
        for timer in self._timers:
            timer.cancel()
        self.unbind_links()
        lines = list(self.lines)
        if lines:
            await asyncio.wait([line.lost for line in lines], timeout=_GOODBYE_SECONDS)
        for line in lines:
            line.abort()
        if lines:
            await asyncio.wait([line.lost for line in lines])
        self._courier.stop()
        self.record.close()

    async def until(self, predicate: Callable[[], bool]) -> None:
        """Return once the predicate holds; it is tested after everything that happens here."""
        while not predicate():
            self._changed.clear()
            await self._changed.wait()

    @property
    def deliveries_taken(self) -> int:
        """How many receipts and inbound SMS were answered with ESME_ROK."""
        return self._courier.taken

    @property
    def deliveries_refused(self) -> Counter[int]:
        """How many were refused so far, by status; they are sent again."""
        return self._courier.refused

    @property
    def bound(self) -> int:
        """How many binds are up."""
        return sum(line.session.was_bound and not line.session.is_closed() for line in self.lines)

    def cut_links(self) -> None:
        """Cut every link now."""
        for line in list(self.lines):
            line.sever()

    def unbind_links(self) -> None:
        """Unbind every link, as a carrier does before maintenance."""
        for line in list(self.lines):
            line.wake()
            line.session.unbind()
            line.pump()

    async def deliver(
        self, source: str, destination: str, encoded: EncodedText, system_id: str = "", *, reference: int = 0
    ) -> None:
        """Send an inbound SMS to an ESME (any if none is named) and return once it has taken every part."""
        await asyncio.gather(*self._bring(source, destination, encoded, system_id, reference))

    def _bring(
        self, source: str, destination: str, encoded: EncodedText, system_id: str = "", reference: int = 0
    ) -> list[asyncio.Future[int]]:
        written = PhoneSms(number=source, recipient=destination, encoded=encoded, at=self._clock.now())
        self.record.from_phones.append(written)
        parts = write_inbound(source, destination, encoded, self.script.dialect, reference)
        return [self._courier.bring(system_id, body, tlvs) for body, tlvs in parts]

    def deliver_raw(self, body: DeliverSm, tlvs: tuple[Tlv, ...] = (), system_id: str = "") -> asyncio.Future[int]:
        """Send any deliver_sm; the future gives the status once it is taken."""
        return self._courier.bring(system_id, body, tlvs)

    async def outbind(self, host: str, port: int, system_id: str, password: str) -> None:
        """Send an outbind to a listening ESME, so that it binds (§4.1.7)."""
        _, line = await self._loop.create_connection(self._make_line, host, port)
        line.session.outbind(Outbind(system_id, password))
        line.pump()

    # Links

    def _make_line(self) -> SimulatorLink:
        return SimulatorLink(Session(SessionRole.SMSC, self._limits, self._loop.time()), self)

    def on_opened(self, link: Link) -> None:
        """Add the link to ours."""
        assert isinstance(link, SimulatorLink)
        self.lines.add(link)

    def on_closed(self, link: Link) -> None:
        """Forget the link."""
        assert isinstance(link, SimulatorLink)
        self.lines.discard(link)
        self._changed.set()

    def on_writable(self, link: Link) -> None:
        """Do nothing: bytes wait in the socket's buffer."""

    def on_event(self, link: Link, event: Event) -> None:
        """Dispatch an event; a hung link only takes the outcome of deliveries."""
        assert isinstance(link, SimulatorLink)
        if isinstance(event, Answered):
            self._courier.answered(event.context, event.pdu.status)
        elif isinstance(event, Unanswered):
            self._courier.answered(event.context, None)
        elif link.hung or link.cut:
            return
        elif isinstance(event, Asked):
            self._on_request(link, event.pdu)
        elif isinstance(event, BindAsked):
            self._on_bind(link, event.pdu)
        elif isinstance(event, Malformed):
            log.warning("sandbox_malformed_pdu", peer=link.peer, cause=str(event.error))
        elif isinstance(event, Ended):
            log.debug("sandbox_ended", peer=link.peer, reason=event.reason)

    def on_quiet(self, link: Link) -> None:  # noqa: ARG002 - the protocol's
        """Wake those who wait in `until`."""
        self._changed.set()

    def _on_bind(self, line: SimulatorLink, pdu: Pdu) -> None:
        body = pdu.body
        assert isinstance(body, (BindReceiver, BindTransmitter, BindTransceiver))
        status = self.script.bind_status
        if not status and body.system_id not in self.accounts:
            status = Status.RINVSYSID
        elif not status and not hmac.compare_digest(self.accounts[body.system_id].encode(), body.password.encode()):
            status = Status.RINVPASWD
        elif not status and self.script.interface_versions:
            status = Status.ROK if body.interface_version in self.script.interface_versions else Status.RBINDFAIL
        answer = BODIES[pdu.command | RESPONSE_BIT]._make((body.system_id,))
        line.session.answer_bind(pdu, cast("Response", answer), status)
        if status:
            return
        line.system_id = body.system_id
        line.takes_parameters = body.interface_version >= INTERFACE_VERSION
        log.debug("sandbox_bound", peer=line.peer, state=line.session.state)
        self._courier.bring_waiting()

    # Requests

    def _on_request(self, line: SimulatorLink, pdu: Pdu) -> None:
        body = pdu.body
        if isinstance(body, (SubmitSm, DataSm)):
            self._on_submit(line, pdu, body)
        elif isinstance(body, SubmitMulti):
            self._on_multi(line, pdu, body)
        elif isinstance(body, QuerySm):
            self._on_query(line, pdu, body)
        elif isinstance(body, CancelSm):
            self._on_cancel(line, pdu, body)
        elif isinstance(body, ReplaceSm):
            self._on_replace(line, pdu, body)

    def _on_submit(self, line: SimulatorLink, pdu: Pdu, body: SubmitSm | DataSm) -> None:
        submitted, treatment = self._judge(line, pdu, body.destination_addr)
        if treatment.hang:
            line.hang()
            return
        if treatment.cut is Cut.BEFORE_STORING:
            line.sever()
            return
        kind = SubmitSmResp if isinstance(body, SubmitSm) else DataSmResp
        if treatment.status:
            line.session.respond(pdu, kind(), treatment.status)
            return
        taken = self._take(submitted)
        if treatment.receipt is ReceiptTime.BEFORE:
            self._finish(taken, treatment)
        if treatment.cut is Cut.MID_ANSWER:
            line.sever(encode(kind(taken.message_id), pdu.sequence)[:_HALF_AN_ANSWER])
        elif treatment.cut is Cut.AFTER_STORING:
            line.sever()
        elif treatment.answered:
            line.session.respond(pdu, kind(taken.message_id))
        self._notify_on_the_way(taken, treatment)
        if treatment.receipt is not ReceiptTime.BEFORE:
            self._finish_later(taken, treatment)

    def _notify_on_the_way(self, taken: Taken, treatment: Treatment) -> None:
        """Send the intermediate notification that a submit asked for (§5.2.17, bit 4), unless it is final."""
        body = taken.submitted.body
        if body.registered_delivery & _INTERMEDIATE_WANTED and treatment.receipt is not ReceiptTime.NEVER:
            self._report(taken, treatment, ReceiptState.ENROUTE, _INTERMEDIATE)

    def _on_multi(self, line: SimulatorLink, pdu: Pdu, body: SubmitMulti) -> None:
        """Take a submit_multi: without faults of the link, with refusals per address."""
        refused = []
        message_id = ""
        for destination in body.dest_addresses:
            if not isinstance(destination, Address):
                refused.append(UnsuccessfulAddress(0, 0, destination.name, Status.RINVDLNAME))
                continue
            submitted, treatment = self._judge(line, pdu, destination.address)
            if treatment.status:
                refused.append(UnsuccessfulAddress(*destination, treatment.status))
                continue
            taken = self._take(submitted)
            message_id = message_id or taken.message_id
            self._finish_later(taken, treatment)
        line.session.respond(pdu, SubmitMultiResp(message_id, tuple(refused)))

    def _judge(self, line: SimulatorLink, pdu: Pdu, number: str) -> tuple[Submitted, Treatment]:
        self._nth += 1
        submitted = Submitted(self._nth, self._clock.now(), line.system_id, number, pdu, self.script.dialect)
        second, taken = self._second
        this_second = int(submitted.at.timestamp())
        treatment = decide_treatment(self.script, submitted, taken if second == this_second else 0)
        if not treatment.status:
            self._second = (this_second, taken + 1 if second == this_second else 1)
        self.statuses[treatment.status] += 1
        return submitted, treatment

    def _take(self, submitted: Submitted) -> Taken:
        id_number = self._first_id + len(self.record.taken)
        base = submitted.dialect.id_in_response
        message_id = write_message_id(id_number, base)
        taken = Taken(submitted, id_number, message_id, normalise_id(message_id, base))
        self.record.add(taken)
        return taken

    def _find(self, line: SimulatorLink, message_id: str) -> Taken | None:
        """Return the submit of this ESME with the id; case and padding of a number do not matter."""
        taken = self.record.find(normalise_id(message_id, self.script.dialect.id_in_response))
        return taken if taken is not None and taken.submitted.system_id == line.system_id else None

    def _is_open(self, taken: Taken | None) -> TypeGuard[Taken]:
        return taken is not None and self.record.states[taken.key] is ReceiptState.ENROUTE

    def _on_query(self, line: SimulatorLink, pdu: Pdu, body: QuerySm) -> None:
        self.queries[body.message_id] += 1
        taken = self._find(line, body.message_id)
        refused = self.script.query_status
        if taken is None or refused:
            line.session.respond(pdu, QuerySmResp(), refused or Status.RQUERYFAIL)
            return
        state = self.record.states[taken.key]
        final = "" if state is ReceiptState.ENROUTE else f"{self._clock.now().astimezone(UTC):%y%m%d%H%M%S}000+"
        line.session.respond(pdu, QuerySmResp(taken.message_id, final, NUMBER_OF[state]))

    def _on_cancel(self, line: SimulatorLink, pdu: Pdu, body: CancelSm) -> None:
        """Cancel one submit by its id, or without an id all open ones between the addresses (§4.9.1)."""
        if body.message_id:
            named = [self._find(line, body.message_id)]
        else:
            named = [
                taken
                for taken in self.record.taken
                if (taken.submitted.system_id, taken.submitted.number, taken.submitted.sender)
                == (line.system_id, body.destination_addr, body.source_addr)
            ]
        found = [taken for taken in named if self._is_open(taken)]
        for taken in found:
            self.record.states[taken.key] = ReceiptState.DELETED
        line.session.respond(pdu, CancelSmResp(), Status.ROK if found else Status.RCANCELFAIL)

    def _on_replace(self, line: SimulatorLink, pdu: Pdu, body: ReplaceSm) -> None:
        taken = self._find(line, body.message_id)
        if self._is_open(taken):
            self.record.replace(taken, body.short_message)
        line.session.respond(pdu, ReplaceSmResp(), Status.ROK if self._is_open(taken) else Status.RREPLACEFAIL)

    # Receipts and inbound SMS

    def _finish_later(self, taken: Taken, treatment: Treatment) -> None:
        if treatment.receipt_delay <= 0:
            self._finish(taken, treatment)
        else:
            self._later(treatment.receipt_delay, lambda: self._finish(taken, treatment))

    def _later(self, delay: float, call: Callable[[], None]) -> None:
        def run() -> None:
            self._timers.discard(timer)
            call()
            self._changed.set()

        timer = self._loop.call_later(delay, run)
        self._timers.add(timer)

    def _finish(self, taken: Taken, treatment: Treatment) -> None:
        """Bring a submit to its final state, unless it was cancelled, and report it if requested."""
        states = self.record.states
        if states[taken.key] is ReceiptState.ENROUTE:
            states[taken.key] = treatment.state
        state = states[taken.key]
        if treatment.answer and state is ReceiptState.DELIVERED:
            self._answer(taken.submitted, treatment.answer)
        wanted = taken.submitted.body.registered_delivery & 0x03  # §5.2.17: 1 always, 2 only on failure
        if treatment.receipt is ReceiptTime.NEVER or not (
            wanted == 1 or (wanted == 2 and state is not ReceiptState.DELIVERED)
        ):
            return
        for _ in range(treatment.receipt_copies):
            self._report(taken, treatment, state)

    def _answer(self, submitted: Submitted, text: str) -> None:
        """Have the phone answer a text once, when its last part is there; to a name nobody can."""
        encoded = encode_text(text, coding=Alphabet.GSM7, unencodable=Unencodable.SMART, max_parts=1)
        if submitted.place.index == submitted.place.total and submitted.sender.isdecimal():
            assert isinstance(encoded, EncodedText)
            self._bring(submitted.number, submitted.sender, encoded)

    def _report(self, taken: Taken, treatment: Treatment, state: ReceiptState, esm_class: int | None = None) -> None:
        submitted = taken.submitted
        body, tlvs = write_receipt(
            receipt_id=treatment.receipt_id or taken.id_number,
            source=submitted.number,
            destination=submitted.sender,
            state=state,
            error=treatment.error,
            submitted_at=submitted.at,
            done_at=self._clock.now(),
            form=self.script.receipt_form,
            dialect=submitted.dialect,
        )
        if not self.script.marked:
            esm_class = 0
        if esm_class is not None:
            body = body._replace(esm_class=esm_class)
        self._courier.bring(submitted.system_id, body, tlvs)
