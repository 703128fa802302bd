"""One SMPP session without I/O: bytes and time in, events and bytes out, for either role (SMPP 3.4 §2, h11's way).

Every request that `send` took ends in exactly one `Answered` or `Unanswered`, whatever happens to the link. If the
other side owes answers and is silent, the window is shut until it speaks, so that a dead link costs few parts. The same
bytes in any chunks give the same events. Not here: sockets and tasks (link), what the messages mean (client,
simulator), the tables of states (states), remembering unanswered requests (late_answers). Times are seconds of one
monotonic clock and come only with `wake` and `tick`.
"""

import math
from collections.abc import Collection

from smpp.session.events import (
    Answered,
    Asked,
    BindAsked,
    BindRefused,
    Bound,
    Ended,
    EndReason,
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
from smpp.session.late_answers import LateAnswers
from smpp.session.limits import SessionLimits
from smpp.session.states import BOUND_BY, BOUND_STATES, MAY_ASK, TRANSITIONS, Happening, SessionRole, SessionState
from smpp.session.timers import Timers, TimerVerdict
from smpp.wire.bodies import (
    BODIES,
    COMMAND_OF,
    INTERFACE_VERSION,
    RESPONSE_BIT,
    UNANSWERED,
    Bind,
    Command,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Outbind,
    Request,
    Response,
    Unbind,
    UnbindResp,
)
from smpp.wire.fields import PduError
from smpp.wire.pdu import HEADER, HEADER_OCTETS, MAX_SEQUENCE, Pdu, decode_body, encode, frame_submit
from smpp.wire.statuses import Status
from smpp.wire.tlv import Tag, Tlv


class SessionError(Exception):
    """The caller asked for something that the state or the window does not permit; never the peer's fault."""


_unpack_header = HEADER.unpack_from
# Made for every SMS and every receipt: without the checks of the types' own constructors.
_new = tuple.__new__
# deadline, command_id of the answer, context: our waiting request. A bare tuple, made for every SMS.
_Open = tuple[float, int, object]

_SUBMIT_SM: int = Command.SUBMIT_SM
_SUBMIT_SM_RESP: int = Command.SUBMIT_SM_RESP
_ENQUIRE_LINK: int = Command.ENQUIRE_LINK
_ENQUIRE_LINK_RESP: int = Command.ENQUIRE_LINK_RESP
# §5.1.3: «try later» in the words of each role.
_OVERFLOW = {SessionRole.ESME: Status.RX_T_APPN, SessionRole.SMSC: Status.RTHROTTLED}
_TIMER_ENDS = {
    TimerVerdict.NOT_BOUND: EndReason.NOT_BOUND,
    TimerVerdict.NO_LIFE: EndReason.NO_LIFE,
    TimerVerdict.INACTIVE: EndReason.INACTIVE,
}
# Handed up; the session answers the rest by itself.
_ASKED = frozenset(
    {
        Command.SUBMIT_SM,
        Command.SUBMIT_MULTI,
        Command.DELIVER_SM,
        Command.DATA_SM,
        Command.QUERY_SM,
        Command.CANCEL_SM,
        Command.REPLACE_SM,
        Command.ALERT_NOTIFICATION,
    }
)
# Requests about earlier SMS: they neither wait for room in the window of parts nor take it.
_ASIDES = frozenset({Command.QUERY_SM, Command.CANCEL_SM, Command.REPLACE_SM})
_ASIDE_ANSWERS = frozenset(command | RESPONSE_BIT for command in _ASIDES)
_UNBOUND_SECONDS = 1.0
_OTHER = {SessionRole.ESME: SessionRole.SMSC, SessionRole.SMSC: SessionRole.ESME}


class Session:
    """One session of the given role, opened at `now`. See the module for the contract."""

    def __init__(self, role: SessionRole, limits: SessionLimits, now: float) -> None:
        self.role = role
        self.limits = limits
        self.state = SessionState.OPEN
        self.was_bound = False
        self.refused_with: int | None = None
        self._now = now
        self._init_by = now + limits.init_seconds
        self._timers = Timers(
            bind_by=self._init_by,
            enquire_link_seconds=limits.enquire_link_seconds,
            response_seconds=limits.response_seconds,
            inactivity_seconds=limits.inactivity_seconds,
            silence_seconds=limits.silence_seconds,
            heard_at=now,
            busy_at=now,
        )
        self._we_may: frozenset[Command] = frozenset()
        self._they_may: frozenset[Command] = frozenset()
        self._events: list[Event] = []
        self._out: list[bytes] = []
        self._buffer = bytearray()
        self._needed = HEADER_OCTETS
        self._sequence = 0
        self._fresh = 0
        self._open: dict[int, _Open] = {}
        self._late = LateAnswers(seconds=limits.late_seconds, most=limits.late_answers)
        self._asides = 0
        self._bind: tuple[int, Command] | None = None
        self._binds_asked = 0
        self._unbind_by = math.inf
        self._inbound = 0
        self._enter(SessionState.OPEN)

    def is_closed(self) -> bool:
        """Return whether the session is over; then nothing happens any more."""
        return self.state is SessionState.CLOSED

    # What the shell calls

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the other side, cut anywhere."""
        if self.is_closed():
            return
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._needed:
                return
            data = bytes(self._buffer)
            self._buffer.clear()
        taken = self._receive_pdus(data)
        if taken < len(data) and self.state is not SessionState.CLOSED:
            self._buffer += data[taken:] if taken else data

    def receive_eof(self) -> None:
        """Take the end of the other side's bytes, or the loss of the link."""
        self._end(EndReason.UNBOUND if self.state is SessionState.UNBOUND else EndReason.EOF)

    def wake(self, now: float) -> None:
        """Take the time, before bytes and before requests; who is late is for `tick`."""
        self._now = now

    def tick(self, now: float) -> None:
        """Judge who is late, regularly (see `tick_seconds`), after all bytes that have come until then."""
        self._now = now
        if self.is_closed():
            return
        owed_since = self._give_up(now)
        if now >= self._unbind_by:
            self._end(EndReason.NO_UNBIND_ANSWER if self.state is SessionState.UNBINDING else EndReason.UNBOUND)
            return
        timers = self._timers
        was_silent = timers.silent
        verdict = timers.tick(now, owed_since)
        if timers.silent and not was_silent:
            self._events.append(FellSilent())
        if verdict is TimerVerdict.ENQUIRE:
            self._out.append(encode(EnquireLink(), self._next_sequence()))
        elif verdict is not TimerVerdict.FINE:
            self._end(_TIMER_ENDS[verdict])

    def _give_up(self, now: float) -> float:
        """Give up the requests that timed out; returns when the oldest of the others was sent."""
        owed_since = math.inf
        while self._open:
            sequence, (deadline, answer, context) = next(iter(self._open.items()))
            if deadline > now:
                owed_since = deadline - self.limits.response_seconds
                break
            del self._open[sequence]
            self._asides -= answer in _ASIDE_ANSWERS
            self._fresh = min(self._fresh, len(self._open))
            self._late.await_one(sequence, answer, context, now)
            self._events.append(Unanswered(context, Missing.TIMED_OUT))
        self._late.forget(now)
        return owed_since

    @property
    def tick_seconds(self) -> float:
        """How often to call `tick` so that no timer is late by more than a quarter of itself."""
        limits = self.limits
        seconds = (limits.response_seconds, limits.enquire_link_seconds, limits.init_seconds, limits.silence_seconds)
        return min(*seconds, 4.0) / 4

    def events(self) -> list[Event]:
        """Return what happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    def data_to_send(self) -> bytes:
        """Return the bytes to send since the last call; from now on they count as sent."""
        self._fresh = 0
        if len(self._out) == 1:
            return self._out.pop()
        data = b"".join(self._out)
        self._out.clear()
        return data

    # What the client and the server side ask for

    @property
    def free_window(self) -> int:
        """How many more requests may be sent now: the rest of the window, 0 while the other side is silent."""
        if self.state not in BOUND_STATES or self._timers.silent:
            return 0
        return self.limits.window - self.outstanding

    @property
    def outstanding(self) -> int:
        """How many of our requests in the window wait for their answer."""
        return len(self._open) - self._asides

    @property
    def is_owed(self) -> bool:
        """Whether any request of ours waits for its answer."""
        return bool(self._open)

    def bind(self, body: Bind) -> None:
        """Ask to be bound (ESME); ends in Bound, or in BindRefused and Ended."""
        command = COMMAND_OF[type(body)]
        if self._bind is not None or command not in self._we_may:
            raise SessionError(f"{command.name} in {self.state}")
        sequence = self._next_sequence()
        self._out.append(encode(body, sequence))
        self._bind = (sequence, command)
        self._timers.bind_by = self._now + self.limits.response_seconds

    def outbind(self, body: Outbind) -> None:
        """Ask the other side to bind (SMSC)."""
        if Command.OUTBIND not in self._we_may:
            raise SessionError(f"outbind in {self.state}")
        self._out.append(encode(body, self._next_sequence()))

    def answer_bind(self, asked: Pdu, body: Response, status: int = Status.ROK) -> None:
        """Answer a BindAsked (SMSC) with the bind response; a status other than ESME_ROK leaves the session open."""
        if self.is_closed():
            return
        self._binds_asked -= 1
        if not self._binds_asked:
            self._timers.bind_by = self._init_by
        tlvs = () if status else (Tlv(Tag.SC_INTERFACE_VERSION, INTERFACE_VERSION),)
        self._out.append(encode(body, asked.sequence, status, tlvs))
        if not status:
            self._happen(BOUND_BY[asked.command])

    def send(self, body: Request, context: object = None, tlvs: tuple[Tlv, ...] = ()) -> int:
        """Send a request and return its sequence number; `context` comes back with the answer.

        Raises PduError for values that no PDU can carry (nothing is sent then) and SessionError where the state or the
        window does not permit it. An alert_notification has no answer and takes no window.
        """
        command = COMMAND_OF[type(body)]
        aside = command in _ASIDES
        full = self._asides >= self.limits.asides if aside else self.outstanding >= self.limits.window
        if full or command not in self._we_may:
            raise SessionError(f"{command.name} in {self.state} with {len(self._open)} open")
        sequence = self._next_sequence()
        self._out.append(encode(body, sequence, 0, tlvs))
        if command not in UNANSWERED:
            self._asides += aside
            self._open[sequence] = (self._now + self.limits.response_seconds, command | RESPONSE_BIT, context)
            self._fresh += 1
        return sequence

    def submit(self, body: bytes, context: object) -> None:
        """Send a submit_sm whose body is written already; else as `send`."""
        opened = self._open
        if len(opened) - self._asides >= self.limits.window or _SUBMIT_SM not in self._we_may:
            raise SessionError(f"SUBMIT_SM in {self.state} with {len(opened)} open")
        sequence = self._next_sequence()
        self._out.append(frame_submit(body, sequence))
        opened[sequence] = (self._now + self.limits.response_seconds, _SUBMIT_SM_RESP, context)
        self._fresh += 1

    def respond(self, asked: Pdu, body: Response, status: int = Status.ROK, tlvs: tuple[Tlv, ...] = ()) -> None:
        """Answer an `Asked`; does nothing if the session has ended, the other side will ask again."""
        if self.is_closed():
            return
        self._inbound -= 1
        self._out.append(encode(body, asked.sequence, status, tlvs))

    def unbind(self) -> None:
        """Unbind: answers may still come in, then Ended follows. Does nothing without a bind."""
        if self.state not in BOUND_STATES:
            return
        self._out.append(encode(Unbind(), self._next_sequence()))
        self._unbind_by = self._now + self.limits.response_seconds
        self._happen(Happening.UNBIND_SENT)

    def abandon(self) -> None:
        """End at once, as if the link were lost."""
        self._end(EndReason.ABANDONED)

    # What comes in

    def _receive_pdus(self, data: bytes) -> int:
        """Take the whole PDUs at the beginning of the data and return how many octets they are."""
        offset = 0
        size = len(data)
        busy = False
        self._needed = HEADER_OCTETS
        while size - offset >= HEADER_OCTETS and self.state is not SessionState.CLOSED:
            length, command, status, sequence = _unpack_header(data, offset)
            if not HEADER_OCTETS <= length <= self.limits.max_pdu_octets:
                self._refuse_framing(length, command, sequence)
                return offset
            end = offset + length
            if end > size:
                self._needed = length
                break
            octets = data[offset + HEADER_OCTETS : end]
            if command & RESPONSE_BIT:
                busy = busy or command != _ENQUIRE_LINK_RESP
                self._receive_response(command, status, sequence, octets)
            else:
                busy = busy or command != _ENQUIRE_LINK
                self._receive_request(command, status, sequence, octets)
            offset = end
        if offset:
            if self._timers.silent:
                self._events.append(Spoke())
            self._timers.heard(self._now, busy=busy)
        return offset

    def _receive_request(self, command: int, status: int, sequence: int, octets: bytes) -> None:
        try:
            pdu = decode_body(command, status, sequence, octets, strict=self.role is SessionRole.SMSC)
        except PduError as error:
            self._refuse_request(command, sequence, error)
            return
        if command not in self._they_may:
            bound = command in BOUND_BY and self.state in BOUND_STATES
            self._answer(pdu, Status.RALYBND if bound else Status.RINVBNDSTS)
        elif command in _ASKED:
            if self._inbound >= self.limits.inbound_window:
                self._answer(pdu, _OVERFLOW[self.role])
                return
            if command not in UNANSWERED:
                self._inbound += 1
            self._events.append(_new(Asked, (pdu,)))
        elif command == _ENQUIRE_LINK:
            self._out.append(encode(EnquireLinkResp(), pdu.sequence))
        elif command == Command.UNBIND:
            self._out.append(encode(UnbindResp(), pdu.sequence))
            self._unbind_by = min(self._unbind_by, self._now + self.limits.response_seconds)
            self._happen(Happening.UNBIND_HEARD)
            if self.role is SessionRole.ESME:
                # Many leave closing to the side that connected; only answers still due are worth a short wait.
                self._unbind_by = min(self._unbind_by, self._now + _UNBOUND_SECONDS)
                if not self._open and not self._inbound:
                    self._end(EndReason.UNBOUND)
        else:
            self._binds_asked += command != Command.OUTBIND
            self._timers.bind_by = math.inf  # the init timer ends here, however long a password takes to check
            self._events.append(OutbindHeard(pdu) if command == Command.OUTBIND else BindAsked(pdu))

    def _receive_response(self, command: int, status: int, sequence: int, octets: bytes) -> None:
        waiting = self._open.get(sequence)
        if waiting is None or (command != waiting[1] and command != Command.GENERIC_NACK):
            late = self._late.take(sequence, command)
            if late is None:
                self._receive_link_response(command, status, sequence, octets)
            else:
                self._events.append(LateAnswer(late.context, decode_body(command, status, sequence, octets)))
            return
        del self._open[sequence]
        self._asides -= waiting[1] in _ASIDE_ANSWERS
        self._events.append(_new(Answered, (waiting[2], decode_body(command, status, sequence, octets))))

    def _receive_link_response(self, command: int, status: int, sequence: int, octets: bytes) -> None:
        """Take the answers to bind and unbind; those to enquire_link are only a sign of life."""
        if self._bind is not None and self._bind[0] == sequence and self.state is SessionState.OPEN:
            asked = self._bind[1]
            if command == Command.GENERIC_NACK or (command == asked | RESPONSE_BIT and status):
                self.refused_with = status
                self._events.append(BindRefused(status))
                self._end(EndReason.BIND_REFUSED)
                return
            if command == asked | RESPONSE_BIT:
                self._happen(BOUND_BY[asked])
                self._events.append(Bound(octets.partition(b"\0")[0].decode("latin-1")))
                return
        if self.state is SessionState.UNBINDING and command in (Command.UNBIND_RESP, Command.GENERIC_NACK):
            self._end(EndReason.UNBOUND)
        elif command != _ENQUIRE_LINK_RESP:
            self._events.append(UnmatchedResponse(command, sequence, status))

    def _refuse_framing(self, length: int, command: int, sequence: int) -> None:
        """Answer an impossible length and end the session: where the next PDU begins is unknown (§4.3)."""
        error = PduError(Status.RINVCMDLEN, f"command_length {length}", command=command, sequence=sequence)
        self._events.append(Malformed(error))
        self._out.append(encode(GenericNack(), sequence, Status.RINVCMDLEN))
        self._end(EndReason.FRAMING)

    def _refuse_request(self, command: int, sequence: int, error: PduError) -> None:
        self._events.append(Malformed(error))
        kind = BODIES.get(command | RESPONSE_BIT)
        if kind is None or error.status == Status.RINVCMDID:
            kind = GenericNack
        self._out.append(encode(kind(), sequence, error.status))

    def _answer(self, pdu: Pdu, status: int) -> None:
        """Answer a request that is not handed up."""
        if pdu.command in UNANSWERED:
            self._events.append(Malformed(PduError(status, f"{pdu.command.name} in {self.state}")))
            return
        self._out.append(encode(BODIES[pdu.command | RESPONSE_BIT](), pdu.sequence, status))

    # Changes of state

    def _next_sequence(self) -> int:
        self._sequence = self._sequence % MAX_SEQUENCE + 1
        return self._sequence

    def _happen(self, happening: Happening) -> None:
        after = TRANSITIONS[self.state].get(happening)
        if after is not None:
            self._enter(after)

    def _enter(self, state: SessionState) -> None:
        self.state = state
        self._they_may = MAY_ASK[state][_OTHER[self.role]]
        self._we_may = frozenset() if state is SessionState.UNBINDING else MAY_ASK[state][self.role]
        if state in BOUND_STATES:
            self.was_bound = self._timers.bound = True
            self._timers.heard(self._now, busy=True)

    def _end(self, reason: EndReason) -> None:
        if self.is_closed():
            return
        sent = len(self._open) - self._fresh
        if self._fresh:
            self._withdraw(set(list(self._open)[sent:]))
        for place, (_, _, context) in enumerate(self._open.values()):
            self._events.append(Unanswered(context, Missing.LOST if place < sent else Missing.UNSENT))
        self._open.clear()
        self._asides = 0
        self._happen(Happening.ENDED)
        self._events.append(Ended(reason))

    def _withdraw(self, sequences: Collection[int]) -> None:
        """Take back requests that were not sent: their senders hear UNSENT, and may send them elsewhere."""
        kept = []
        for octets in self._out:
            _, command, _, sequence = _unpack_header(octets)
            if command & RESPONSE_BIT or sequence not in sequences:
                kept.append(octets)
        self._out = kept
