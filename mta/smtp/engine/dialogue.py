"""The SMTP server dialogue without I/O: bytes and time in, replies and events out. RFC 5321, 2920, 3207, 4954.

The driver feeds `receive_data`, `receive_eof` and `tick`, calls `next_event` (or loops over `events`), answers each
event with `reply` (`Noticed` wants none), and writes the result of `data_to_send`. While an event is unanswered nothing
more is parsed, so that replies keep their order and those of pipelined commands leave together. The dialogue itself
answers faults of syntax, order and limits.

Not here: its table of states and its limits (events), its lines, grammar, content and sasl; sockets (mta.smtp.server).
"""

import re
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Final

from mta.smtp.engine import replies, sasl, verbs
from mta.smtp.engine.content import Content, ContentRoom
from mta.smtp.engine.events import (
    TRANSITIONS,
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
    Mail,
    Noop,
    Noticed,
    Quit,
    Rcpt,
    Reset,
    StartTls,
    Verify,
)
from mta.smtp.engine.grammar import Offered, parse_mail, parse_rcpt
from mta.smtp.engine.lines import BadLine, Lines
from mta.smtp.engine.replies import Reply, status_text
from mta.smtp.engine.timeouts import ErrorBudget, Timeouts

_FLOOD_OCTETS: Final = 2 * sasl.LINE_OCTETS
_DETAIL_END: Final = re.compile(rb"[\r\n:<]")
_TLS_RECORD: Final = b"\x16\x03"


class Dialogue:
    """One connection's dialogue. `state`, `extended`, `tls` and `authenticated` may be read at any time.

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
        self.state = DialogueState.GREETING
        self.extended = False
        self.tls = tls
        self.authenticated = False
        self._terms = terms
        self._limits = limits
        self._offered = Offered(
            size=limits.content.size, smtp_utf8=terms.smtp_utf8, bare_addresses=terms.bare_addresses
        )
        self._input = Lines(_FLOOD_OCTETS)
        self._output: list[bytes] = []
        self._told: deque[Noticed] = deque()
        self._unanswered: Event | None = None
        self._room = room
        self._content: Content | None = None
        self._judged: Content | None = None
        self._exchange: sasl.Exchange | None = None
        self._challenged: Login | None = None
        self._smtp_utf8 = False
        self._greeted = False
        self._spoken = False
        self._insecure = False
        self._draining = False
        self._ended = False
        self._recipients = 0
        self._patience = Timeouts(limits, now)
        self._tolerance = ErrorBudget(limits)

    @property
    def closed(self) -> bool:
        """Whether nothing more will be read or answered: send the rest, then close the connection."""
        return self.state is DialogueState.CLOSED

    @property
    def peer_done(self) -> bool:
        """Whether the peer ended it: by QUIT, or by closing its side."""
        return self._ended

    @property
    def awaiting_reply(self) -> bool:
        """Whether an event is unanswered."""
        return self._unanswered is not None

    @property
    def wants_data(self) -> bool:
        """Whether the driver should read on: false while much waits behind an unanswered event."""
        return self._unanswered is None or len(self._input) < self._limits.waiting

    def greet(self) -> None:
        """Send the greeting, once; data that came before it ends the dialogue (RFC 5321 §4.3.1)."""
        if self.state is DialogueState.GREETING:
            self.state = DialogueState.START
            self._patience.wait_for_command()
            self._send(f"220 {self._terms.hostname} {self._terms.ident}")

    def receive_data(self, data: bytes) -> None:
        """Take octets as they came from the peer."""
        if self.state is DialogueState.CLOSED:
            return
        if self.state is DialogueState.GREETING:
            self._notice(Incident.EARLY_TALKER, data)
            self.close_with(replies.EARLY_TALKER)
        elif self.state is DialogueState.UPGRADE:
            self._notice(Incident.STARTTLS_INJECTION, data)  # RFC 3207 §6: must not be read as commands
        else:
            self._input.receive(data)
            self._patience.heard()

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
        self._leave_if_draining()

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
        self._insecure = True

    def tls_started(self) -> None:
        """Start again under TLS and forget everything from before (RFC 3207 §4.2)."""
        if self.state is not DialogueState.UPGRADE:
            raise LocalProtocolError(f"no handshake is due in state {self.state}")
        self._input.clear()
        self.state = DialogueState.START
        self.tls = True
        self.extended = self.authenticated = self._greeted = False
        self._patience.wait_for_command()
        self._leave_if_draining()

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
        while not self._told and self._unanswered is None and self.state is not DialogueState.CLOSED:
            if self._content is not None:
                if not self._input:
                    break
                found = self._next_message(self._content)
            elif (line := self._next_line()) is None:
                break
            elif self.state is DialogueState.EXCHANGE and self._exchange is not None:
                found = self._respond(self._exchange, line)
            else:
                found = self._command(line)
            if isinstance(found, Reply):
                self._refuse(found)
            elif found is not None:
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
        self._settle(event, code)
        if code == replies.SHUTTING_DOWN.code:
            self._close()
        self._leave_if_draining()

    def offer(self, mechanisms: Mapping[str, sasl.MakeMechanism]) -> None:
        """Offer these mechanisms from now on, in place of those before."""
        self._terms = replace(self._terms, mechanisms=mechanisms)

    def challenge(self, octets: bytes) -> None:
        """Answer a `Login` with a last challenge; the same event comes again when the peer has heard it.

        It is what a mechanism proves of the server, or why it refuses (RFC 4954 §4, RFC 7628 §3.2.3).
        """
        if not isinstance(self._unanswered, Login) or self._unanswered.heard:
            raise LocalProtocolError("no login awaits a challenge")
        self._challenged, self._unanswered = replace(self._unanswered, heard=True), None
        self._challenge(b64encode(octets))

    def take_content(self, octets: int | None = None) -> None:
        """Answer `Data` with 354; a content longer than `octets`, or than the listener's limit, is refused."""
        if not isinstance(self._unanswered, Data):
            raise LocalProtocolError(f"no content is asked for in state {self.state}")
        self._unanswered = None
        limits = self._limits.content
        self._content = Content(replace(limits, size=octets) if octets and octets < limits.size else limits, self._room)
        self.state = TRANSITIONS[self.state]["DATA"]
        self._patience.wait_for_content()
        self._send(str(replies.SEND_CONTENT))

    def content_done(self) -> None:
        """Note that the content of the last `ContentReceived` is no longer kept."""
        if self._judged is not None:
            self._judged.close()
            self._judged = None

    def ehlo_lines(self) -> list[str]:
        """Return the lines of the reply to EHLO now, with the code."""
        return verbs.ehlo_lines(self._terms, size=self._limits.content.size, tls=self.tls)

    def _send(self, text: str) -> None:
        self._output.append(f"{text}\r\n".encode("ascii"))

    def _notice(self, incident: Incident, detail: bytes | str = "") -> None:
        if isinstance(detail, bytes):  # the start of a command, without addresses
            detail = _DETAIL_END.split(detail[:60], maxsplit=1)[0].decode("ascii", "backslashreplace")
        self._told.append(Noticed(incident=incident, detail=detail))

    def _close(self) -> None:
        self.state = DialogueState.CLOSED
        self._unanswered = None
        if self._content is not None:
            self._content.close()
            self._content = None
        self._input.clear()

    def _give_up(self, incident: Incident, reply: Reply, detail: str = "") -> Reply | None:
        """Send a last reply and close; returns None, as a command's result: already answered."""
        self._notice(incident, detail)
        self.close_with(reply)
        return None

    def _leave_if_draining(self) -> None:
        busy = self._unanswered is not None or self._content is not None
        if self._draining and not busy and self.state not in {DialogueState.UPGRADE, DialogueState.CLOSED}:
            self.close_with(replies.SHUTTING_DOWN)

    def _refuse(self, reply: Reply) -> None:
        self._send(str(reply))
        self._patience.wait_for_command()
        self._tolerate(None, reply.code)
        self._leave_if_draining()

    def _tolerate(self, event: Event | None, code: int) -> None:
        too_many = self._tolerance.answered(event, code)
        if too_many is not None:
            self._give_up(Incident.TOO_MANY_ERRORS, replies.TOO_MANY_ERRORS, too_many)

    # Lines and commands; they return an event for the driver, a reply that refuses, or None if already answered

    def _next_line(self) -> bytes | None:
        if not self._spoken and self._input:
            if self._input.peek(2) == _TLS_RECORD:
                self._give_up(Incident.NOT_SMTP, replies.NOT_SMTP, "TLS record")
                return None
            self._spoken = len(self._input) > 1
        while (line := self._input.next_line()) is BadLine.BARE_NEWLINE:
            self._refuse(replies.BARE_NEWLINE)
        if line is BadLine.FLOOD:
            self._send(str(replies.LINE_TOO_LONG))
            self._give_up(Incident.COMMAND_FLOOD, replies.TOO_MANY_ERRORS)
            return None
        assert not isinstance(line, BadLine)
        return line

    def _command(self, line: bytes) -> Event | Reply | None:
        command = verbs.parse_command(line)
        if isinstance(command, Reply):
            return command
        verb, argument = command
        act = self._COMMANDS.get(verb)
        if act is None:
            return self._unknown(verb)
        if self._insecure and verb != "QUIT":
            return replies.LACK_OF_SECURITY
        terms = self._terms
        refusal = verbs.refusal_now(
            verb,
            argument,
            self.state,
            tls_first=terms.tls_required and not self.tls,
            auth_first=terms.auth_required and not self.authenticated,
        )
        if refusal is not None:
            return refusal
        if verb in verbs.IDLE_VERBS and self._tolerance.idle_command():
            return self._give_up(Incident.TOO_MANY_COMMANDS, replies.TOO_MANY_COMMANDS)
        return act(self, argument)

    def _unknown(self, verb: str) -> Reply | None:
        if verb in verbs.HTTP_VERBS:
            return self._give_up(Incident.NOT_SMTP, replies.NOT_SMTP, verb)
        if verb == "BDAT":
            # The next chunk would be read as commands, and RFC 3030 was not offered: no honest client does this.
            return self._give_up(Incident.CHUNKING_NOT_OFFERED, replies.NOT_IMPLEMENTED)
        return replies.UNKNOWN_COMMAND

    def _hello(self, argument: str, *, extended: bool) -> Event | Reply | None:
        if not argument or not argument.isascii():
            return replies.HELLO_NEEDS_NAME
        self.state = DialogueState.READY if self._greeted else DialogueState.START
        return Hello(name=argument, extended=extended)

    def _mail(self, argument: str) -> Event | Reply | None:
        command = parse_mail(argument, self._offered)
        if isinstance(command, Reply):
            return command
        if command.options and not self.extended:
            return replies.MAIL_SYNTAX
        self._smtp_utf8 = command.smtp_utf8
        return Mail(command=command)

    def _rcpt(self, argument: str) -> Event | Reply | None:
        if self._recipients >= self._limits.recipients:
            if self._recipients == self._limits.recipients:
                self._recipients += 1
                self._notice(Incident.TOO_MANY_RECIPIENTS)
            self._send(str(replies.TOO_MANY_RECIPIENTS))  # RFC 5321 §4.5.3.1.10: earlier ones stay valid
            return None
        command = parse_rcpt(argument, smtp_utf8=self._smtp_utf8, bare_addresses=self._terms.bare_addresses)
        if isinstance(command, Reply):
            return command
        if command.options and not self.extended:
            return replies.RCPT_SYNTAX
        return Rcpt(command=command)

    def _data(self, _argument: str) -> Event | Reply | None:
        return replies.NO_ROOM if self._room is not None and self._room.full else Data()

    def _vrfy(self, argument: str) -> Event | Reply | None:
        return Verify(argument=argument) if argument else replies.BAD_PARAMETER

    def _help(self, _argument: str) -> Event | Reply | None:
        self._send(str(replies.HELP.with_detail(verbs.help_text(self._terms, tls=self.tls))))
        return None

    def _starttls(self, _argument: str) -> Event | Reply | None:
        if self.tls:
            return replies.TLS_ACTIVE
        return StartTls() if self._terms.starttls else replies.NOT_IMPLEMENTED

    def _auth(self, argument: str) -> Event | Reply | None:
        mechanism, _, initial = argument.partition(" ")
        mechanism = mechanism.upper()
        refusal = verbs.auth_refusal(
            self._terms, mechanism, initial, extended=self.extended, tls=self.tls, authenticated=self.authenticated
        )
        if refusal is not None:
            return refusal
        self.state = TRANSITIONS[self.state]["AUTH"]
        self._exchange = sasl.Exchange(mechanism, self._terms.mechanisms[mechanism]())
        if initial:
            return self._respond(self._exchange, b"" if initial == "=" else initial.encode())  # RFC 4954 §4
        self._challenge(self._exchange.begin())
        return None

    def _challenge(self, octets: bytes) -> None:
        self._patience.wait_for_command()
        self._output.append(b"334 " + octets + b"\r\n")

    def _respond(self, exchange: sasl.Exchange, line: bytes) -> Event | Reply | None:
        """Take one line of an AUTH exchange."""
        heard, self._challenged = self._challenged, None
        if heard is not None and line != b"*":
            return heard
        match exchange.take(line):
            case sasl.Credentials(login=login, password=password):
                return Login(mechanism=exchange.name, login=login, password=password)
            case sasl.Claim(login=login, content=content):
                return Login(mechanism=exchange.name, login=login, claim=content)
            case Reply() as refusal:
                self.state = TRANSITIONS[self.state]["*"]
                return refusal
            case challenge:
                self._challenge(challenge)
                return None

    def _next_message(self, content: Content) -> Event | Reply | None:
        rest = content.feed(self._input.take_rest())
        if rest is None:
            if content.flooded:
                self._give_up(Incident.CONTENT_FLOOD, content.fault or replies.TOO_LARGE)
            return None
        self._input.receive(rest)
        self._content = None
        self.state = TRANSITIONS[self.state]["."]
        if content.fault is None:
            self._judged = content
            return ContentReceived(content=content.octets())
        self._notice(Incident.CONTENT_REFUSED, str(content.fault))
        return content.fault

    _COMMANDS: ClassVar[Mapping[str, Callable[["Dialogue", str], Event | Reply | None]]] = {
        "EHLO": lambda self, name: self._hello(name, extended=True),
        "HELO": lambda self, name: self._hello(name, extended=False),
        "MAIL": _mail,
        "RCPT": _rcpt,
        "DATA": _data,
        "RSET": lambda _self, _argument: Reset(),
        "NOOP": lambda _self, argument: Noop(argument=argument),
        "VRFY": _vrfy,
        "EXPN": lambda _self, _argument: replies.NOT_IMPLEMENTED,
        "HELP": _help,
        "QUIT": lambda _self, _argument: Quit(),
        "STARTTLS": _starttls,
        "AUTH": _auth,
    }

    def _settle(self, event: Event, code: int) -> None:
        """Apply the driver's answer to the state."""
        done = 200 <= code < 300
        match event:
            case Rcpt() if done:
                self.state = TRANSITIONS[self.state]["RCPT"]
                self._recipients += 1
            case Mail() if done:
                self.state = TRANSITIONS[self.state]["MAIL"]
                self._recipients = 0
            case Hello() if done:
                self.state = TRANSITIONS[self.state]["EHLO"]
                self._greeted = True
                self.extended = event.extended
            case Reset():
                self.state = TRANSITIONS[self.state]["RSET"]
            case Quit():
                self._ended = True
                self._close()
            case StartTls() if done:
                self._settle_starttls()
            case Login():
                self.state = TRANSITIONS[self.state]["*"]
                self.authenticated = done
        self._tolerate(event, code)

    def _settle_starttls(self) -> None:
        self.state = TRANSITIONS[self.state]["STARTTLS"]
        if rest := self._input.take_rest():
            self._notice(Incident.STARTTLS_INJECTION, rest)  # RFC 3207 §6, CVE-2011-0411
