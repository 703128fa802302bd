"""The SMTP server dialogue without I/O: bytes and time in, replies and events out. RFC 5321, 2920, 3207, 4954.

The driver feeds `receive_data`, `receive_eof` and `tick`, calls `next_event` (or loops over `events`), answers each
event with `reply` (`Noticed` wants none), and writes the result of `data_to_send`. While an event is unanswered nothing
more is parsed, so that replies keep their order and those of pipelined commands leave together. The dialogue itself
answers faults of syntax, order and limits.

Not here: what a command means (commands), its table of states and its limits (events), its lines and contents; sockets
(mta.smtp.server).
"""

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from mta.smtp.engine import replies, sasl
from mta.smtp.engine.commands import Commands, Ending
from mta.smtp.engine.content import Content, ContentRoom
from mta.smtp.engine.events import (
    Capabilities,
    ContentReceived,
    Data,
    DialogueLimits,
    DialogueState,
    Event,
    Hello,
    Incident,
    LocalProtocolError,
    Login,
    Noticed,
    Quit,
    StartTls,
)
from mta.smtp.engine.lines import BadLine, Lines
from mta.smtp.engine.replies import Reply, status_text
from mta.smtp.engine.timeouts import ErrorBudget, Timeouts

_FLOOD_OCTETS: Final = 2 * sasl.LINE_OCTETS
_DETAIL_END: Final = re.compile(rb"[\r\n:<]")
_TLS_RECORD: Final = b"\x16\x03"
_UNREAD: Final = frozenset({DialogueState.GREETING, DialogueState.UPGRADE, DialogueState.CLOSED})


class Dialogue:
    """One connection's dialogue.

    The time is that of the last `tick`: seconds of any clock that never goes back. An AUTH ends in a `Login` after all
    challenges of its mechanism, and in another one where that was answered with a last challenge. Other dialogues share
    `room`.
    """

    def __init__(
        self,
        terms: Capabilities,
        limits: DialogueLimits,
        *,
        now: float,
        tls: bool = False,
        room: ContentRoom | None = None,
    ) -> None:
        self._limits = limits
        self._input = Lines(_FLOOD_OCTETS)
        self._output: list[bytes] = []
        self._told: deque[Noticed] = deque()
        self._unanswered: Event | None = None
        self._room = room
        self._content: Content | None = None
        self._judged: Content | None = None
        self._spoken = False
        self._draining = False
        self._ended = False
        self._patience = Timeouts(limits, now)
        self._tolerance = ErrorBudget(limits)
        self._commands = Commands(terms, limits, self._tolerance, tls=tls, room=room, notice=self._notice)
        self._greeting = f"220 {terms.hostname} {terms.ident}"

    @property
    def state(self) -> DialogueState:
        """The state of the connection."""
        return self._commands.state

    @property
    def extended(self) -> bool:
        """Whether the peer said EHLO."""
        return self._commands.extended

    @property
    def tls(self) -> bool:
        """Whether TLS is active."""
        return self._commands.tls

    @property
    def authenticated(self) -> bool:
        """Whether an AUTH succeeded."""
        return self._commands.authenticated

    @property
    def closed(self) -> bool:
        """Whether nothing more will be read or answered: send the rest, then close the connection."""
        return self._commands.state is DialogueState.CLOSED

    @property
    def peer_done(self) -> bool:
        """Whether the peer ended it: by QUIT, or by closing its side."""
        return self._ended

    @property
    def awaiting_reply(self) -> bool:
        """Whether an event is unanswered."""
        return self._unanswered is not None

    @property
    def waiting_since(self) -> float | None:
        """Since when it waits for the peer, None while the peer waits for an answer."""
        return None if self._unanswered is not None else self._patience.waiting_since

    @property
    def wants_data(self) -> bool:
        """Whether the driver should read on: false while much waits behind an unanswered event."""
        return self._unanswered is None or len(self._input.waiting) < self._limits.waiting

    def greet(self) -> None:
        """Send the greeting, once; data that came before it ends the dialogue (RFC 5321 §4.3.1)."""
        if self.state is DialogueState.GREETING:
            self._commands.state = DialogueState.START
            self._patience.wait_for_command()
            self._send(self._greeting)

    def receive_data(self, data: bytes) -> None:
        """Take octets as they came from the peer."""
        state = self._commands.state
        if state not in _UNREAD:
            self._input.receive(data)
            if self._content is not None:
                self._patience.heard()
        elif state is DialogueState.GREETING:
            self._notice(Incident.EARLY_TALKER, data)
            self.close_with(replies.EARLY_TALKER)
        elif state is DialogueState.UPGRADE:
            self._notice(Incident.STARTTLS_INJECTION, data)  # RFC 3207 §6: must not be read as commands

    def receive_eof(self) -> None:
        """Take the end of the peer's input; earlier commands are still answered, an unfinished content is dropped."""
        self._ended = True

    def tick(self, now: float) -> None:
        """Take the time; a peer that took too long gets a last reply and the dialogue is closed."""
        self._patience.now = now
        if self._unanswered is not None or self.state in {DialogueState.CLOSED, DialogueState.UPGRADE}:
            return
        if self._content is None:
            if self._patience.exhausted_by_command():
                self._give_up(Incident.TIMED_OUT, replies.TIMED_OUT)
        elif incident := self._patience.exhausted_by_content(self._content.received):
            self._give_up(incident, replies.TOO_SLOW if incident is Incident.TOO_SLOW else replies.TIMED_OUT)

    def shut_down(self) -> None:
        """Close with 421 once no content is open and no event unanswered (RFC 5321 §3.8)."""
        self._draining = True
        self._leave()

    def close_with(self, reply: Reply) -> None:
        """Send a last reply and close at once."""
        self._send(str(reply))
        self._close()

    def abandon(self) -> None:
        """Forget everything unsent and unanswered: the connection is gone."""
        self._output.clear()
        self._close()

    def refuse_everything(self) -> None:
        """Answer every command except QUIT with 554 from now on: the handshake did not prove enough (RFC 3207 §4.1)."""
        self._commands.insecure = True

    def tls_started(self) -> None:
        """Start again under TLS and forget everything from before (RFC 3207 §4.2)."""
        self._commands.tls_started()
        self._input.clear()
        self._patience.wait_for_command()
        if self._draining:
            self._leave()

    def data_to_send(self) -> bytes:
        """Return and forget the octets to send to the peer."""
        if not self._output:
            return b""
        data = b"".join(self._output)
        self._output.clear()
        return data

    def events(self) -> Iterator[Event]:
        """Yield events until one stays unanswered or the input is used up."""
        while (event := self.next_event()) is not None:
            yield event

    def next_event(self) -> Event | None:
        """Return the next event, None while one is unanswered or more input is needed."""
        while self._input.waiting and self._unanswered is None and not self._told:
            found = self._next_command() if self._content is None else self._next_message(self._content)
            if found is None:
                break
            if isinstance(found, Reply):
                self._answer(found)
            elif isinstance(found, Ending):
                self._give_up(found.incident, found.reply, found.detail)
            else:
                self._unanswered = found
                return found
        if self._told:
            return self._told.popleft()
        if self._ended and self._unanswered is None:
            self._close()
        return None

    def reply(self, status: Reply | str | Sequence[str]) -> None:
        """Answer the last event with a reply, a status string or the lines of one."""
        event = self._unanswered
        if event is None:
            raise LocalProtocolError("no event is unanswered")
        code, text = status_text(status, enhanced=not isinstance(event, Hello))
        self._send(text)
        self._unanswered = None
        self._patience.wait_for_command()
        self._commands.settle(event, code)
        if isinstance(event, Quit):
            self._ended = True
            self._close()
        elif isinstance(event, StartTls):
            self._distrust_rest()
        if too_many := self._tolerance.answered(event, code):
            self._lose_patience(too_many)
        if code == replies.SHUTTING_DOWN.code:
            self._close()
        if self._draining:
            self._leave()

    def offer(self, mechanisms: Mapping[str, sasl.MakeMechanism]) -> None:
        """Offer these mechanisms from now on, in place of those before."""
        self._commands.offer(mechanisms)

    def challenge(self, octets: bytes) -> None:
        """Answer a `Login` with a last challenge; the same event comes again when the peer has heard it."""
        if not isinstance(self._unanswered, Login) or self._unanswered.heard:
            raise LocalProtocolError("no login awaits a challenge")
        heard, self._unanswered = self._unanswered, None
        self._answer(self._commands.challenge(heard, octets))

    def take_content(self, octets: int | None = None, room: ContentRoom | None = None) -> None:
        """Answer `Data` with 354; a content longer than `octets`, or than the listener's limit, is refused.

        It is kept in this `room`, else in the common one.
        """
        if not isinstance(self._unanswered, Data):
            raise LocalProtocolError(f"no content is asked for in state {self.state}")
        self._unanswered = None
        limits = self._limits.content
        self._content = Content(
            replace(limits, size=octets) if octets and octets < limits.size else limits, room or self._room
        )
        self._commands.advance("DATA")
        self._patience.wait_for_content()
        self._send(str(replies.SEND_CONTENT))

    def content_done(self) -> None:
        """Note that the content of the last `ContentReceived` is no longer kept."""
        if self._judged is not None:
            self._judged.close()
            self._judged = None

    def ehlo_lines(self) -> list[str]:
        """Return the lines of the reply to EHLO now, with the code."""
        return self._commands.ehlo_lines()

    def _send(self, text: str) -> None:
        self._output.append(f"{text}\r\n".encode("ascii"))

    def _notice(self, incident: Incident, detail: bytes | str = "") -> None:
        if isinstance(detail, bytes):  # the start of a command, without addresses
            detail = _DETAIL_END.split(detail[:60], maxsplit=1)[0].decode("ascii", "backslashreplace")
        self._told.append(Noticed(incident=incident, detail=detail))

    def _close(self) -> None:
        self._commands.state = DialogueState.CLOSED
        self._unanswered = None
        if self._content is not None:
            self._content.close()
            self._content = None
        self._input.clear()

    def _give_up(self, incident: Incident, reply: Reply, detail: str = "") -> None:
        """Send a last reply and close."""
        self._notice(incident, detail)
        self.close_with(reply)

    def _leave(self) -> None:
        """Close with 421, but not while a content is open, an event unanswered or a handshake due."""
        busy = self._unanswered is not None or self._content is not None
        if not busy and self.state not in {DialogueState.UPGRADE, DialogueState.CLOSED}:
            self.close_with(replies.SHUTTING_DOWN)

    def _answer(self, reply: Reply) -> None:
        self._send(str(reply))
        self._patience.wait_for_command()
        if too_many := self._tolerance.answered(None, reply.code):
            self._lose_patience(too_many)
        if self._draining:
            self._leave()

    def _lose_patience(self, too_many: str) -> None:
        self._give_up(Incident.TOO_MANY_ERRORS, replies.TOO_MANY_ERRORS.with_detail(too_many), too_many)

    def _next_command(self) -> Event | Reply | Ending | None:
        """Return what the next line is, None before its end."""
        if not self._spoken:
            if self._input.waiting.startswith(_TLS_RECORD):
                return Ending(incident=Incident.NOT_SMTP, reply=replies.NOT_SMTP, detail="TLS record")
            self._spoken = len(self._input.waiting) > 1
        while not isinstance(line := self._input.next_line(), bytes):
            if line is None:
                return None
            if line is BadLine.FLOOD:
                self._send(str(replies.LINE_TOO_LONG))
                return Ending(incident=Incident.COMMAND_FLOOD, reply=replies.TOO_MANY_ERRORS)
            self._answer(replies.BARE_NEWLINE)
        return self._commands.read(line)

    def _next_message(self, content: Content) -> Event | Reply | Ending | None:
        rest = content.feed(self._input.take_rest())
        if rest is None:
            if content.flooded:
                return Ending(incident=Incident.CONTENT_FLOOD, reply=content.fault or replies.TOO_LARGE)
            return None
        self._input.receive(rest)
        self._content = None
        self._commands.advance(".")
        if content.fault is None:
            self._judged = content
            return ContentReceived(content=content.octets())
        self._notice(Incident.CONTENT_REFUSED, str(content.fault))
        return content.fault

    def _distrust_rest(self) -> None:
        """Forget what came behind a STARTTLS that was taken (RFC 3207 §6, CVE-2011-0411)."""
        if self.state is DialogueState.UPGRADE and (rest := self._input.take_rest()):
            self._notice(Incident.STARTTLS_INJECTION, rest)
