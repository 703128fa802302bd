"""What a command means in the state of its connection, and the state after its answer. RFC 5321, 3207, 4954.

Not here: bytes and lines, time, contents, the end of a connection (mta.smtp.engine.dialogue); the syntax of a command
(verbs, grammar) and of an AUTH (sasl).
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from mta.smtp.engine import replies, sasl, verbs
from mta.smtp.engine.content import ContentRoom
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
    Quit,
    Rcpt,
    Reset,
    StartTls,
    Verify,
)
from mta.smtp.engine.grammar import Offered, parse_mail, parse_rcpt
from mta.smtp.engine.replies import Reply
from mta.smtp.engine.timeouts import ErrorBudget


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Why the connection ends: what the operator should know, and the last reply. `detail` is the peer's."""

    incident: Incident
    reply: Reply
    detail: str = ""


class Commands:
    """The state of one connection. Other connections share `room`; `notice` takes what does not end it."""

    def __init__(  # noqa: PLR0913  (all by name but what every connection has)
        self,
        terms: Capabilities,
        limits: DialogueLimits,
        tolerance: ErrorBudget,
        *,
        tls: bool,
        room: ContentRoom | None,
        notice: Callable[[Incident], None],
    ) -> None:
        self.state = DialogueState.GREETING
        self.extended = False
        self.tls = tls
        self.authenticated = False
        self.insecure = False
        self._terms = terms
        self._limits = limits
        self._offered = Offered(
            size=limits.content.size, smtp_utf8=terms.smtp_utf8, bare_addresses=terms.bare_addresses
        )
        self._tolerance = tolerance
        self._room = room
        self._notice = notice
        self._exchange: sasl.Exchange | None = None
        self._challenged: Login | None = None
        self._smtp_utf8 = False
        self._greeted = False
        self._recipients = 0

    def advance(self, step: str) -> None:
        """Go to the state after the success of a step of `TRANSITIONS`."""
        self.state = TRANSITIONS[self.state][step]

    def tls_started(self) -> None:
        """Start again under TLS and forget everything from before (RFC 3207 §4.2)."""
        if self.state is not DialogueState.UPGRADE:
            raise LocalProtocolError(f"no handshake is due in state {self.state}")
        self.state = DialogueState.START
        self.tls = True
        self.extended = self.authenticated = self._greeted = False

    def offer(self, mechanisms: Mapping[str, sasl.MakeMechanism]) -> None:
        """Offer these mechanisms from now on, in place of those before."""
        self._terms = replace(self._terms, mechanisms=mechanisms)

    def ehlo_lines(self) -> list[str]:
        """Return the lines of the reply to EHLO now, with the code."""
        return verbs.ehlo_lines(self._terms, size=self._limits.content.size, tls=self.tls)

    def read(self, line: bytes) -> Event | Reply | Ending:
        """Return what a line without its end is: an event to be answered, or the answer."""
        if self.state is DialogueState.EXCHANGE and self._exchange is not None:
            return self._respond(self._exchange, line)
        if too_many := self._tolerance.command():
            return _too_many(too_many)
        command = verbs.parse_command(line)
        return command if isinstance(command, Reply) else self._act(*command)

    def challenge(self, heard: Login, octets: bytes) -> Reply:
        """Return the last challenge of an AUTH; `heard` is its event once the peer has answered it.

        It is what a mechanism proves of the server, or why it refuses (RFC 4954 §4, RFC 7628 §3.2.3).
        """
        self._challenged = replace(heard, heard=True)
        return _challenge(b64encode(octets))

    def settle(self, event: Event, code: int) -> None:
        """Apply the answer to an event."""
        done = 200 <= code < 300
        match event:
            case Rcpt() if done:
                self.advance("RCPT")
                self._recipients += 1
            case Mail() if done:
                self.advance("MAIL")
                self._recipients = 0
            case ContentReceived():
                pass  # the dot has led on, whatever the answer
            case Hello() if done:
                self.advance("EHLO")
                self._greeted = True
                self.extended = event.extended
            case Reset():
                self.advance("RSET")
            case StartTls() if done:
                self.advance("STARTTLS")
            case Login():
                self.advance("*")
                self.authenticated = done

    def _act(self, verb: str, argument: str) -> Event | Reply | Ending:
        act = self._ACTS.get(verb)
        if act is None:
            return _unknown(verb)
        if self.insecure and verb != "QUIT":
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
        if verb in verbs.IDLE_VERBS and (too_many := self._tolerance.idle_command()):
            return _too_many(too_many)
        return act(self, argument)

    def _hello(self, argument: str, *, extended: bool) -> Event | Reply:
        if not argument and self._terms.bare_addresses:
            argument = "unknown"
        if not argument or not argument.isascii():
            return replies.HELLO_NEEDS_NAME
        self.state = DialogueState.READY if self._greeted else DialogueState.START
        return Hello(name=argument, extended=extended)

    def _mail(self, argument: str) -> Event | Reply:
        command = parse_mail(argument, self._offered)
        if isinstance(command, Reply):
            return command
        if command.options and not self.extended:
            return replies.MAIL_SYNTAX
        if command.require_tls and not self.tls:
            return replies.UNKNOWN_PARAMETER  # RFC 8689 §2: only under TLS, where it is offered
        self._smtp_utf8 = command.smtp_utf8
        return Mail(command=command)

    def _rcpt(self, argument: str) -> Event | Reply:
        if self._recipients >= self._limits.recipients:
            if self._recipients == self._limits.recipients:
                self._recipients += 1
                self._notice(Incident.TOO_MANY_RECIPIENTS)
            return replies.TOO_MANY_RECIPIENTS  # RFC 5321 §4.5.3.1.10: earlier ones stay valid
        command = parse_rcpt(argument, smtp_utf8=self._smtp_utf8, bare_addresses=self._terms.bare_addresses)
        if isinstance(command, Reply):
            return command
        if command.options and not self.extended:
            return replies.RCPT_SYNTAX
        return Rcpt(command=command)

    def _data(self, _argument: str) -> Event | Reply:
        return (self._room.full if self._room is not None else None) or Data()

    def _vrfy(self, argument: str) -> Event | Reply:
        return Verify(argument=argument) if argument else replies.BAD_PARAMETER

    def _help(self, _argument: str) -> Reply:
        return replies.HELP.with_detail(verbs.help_text(self._terms, tls=self.tls))

    def _starttls(self, _argument: str) -> Event | Reply:
        if self.tls:
            return replies.TLS_ACTIVE
        return StartTls() if self._terms.starttls else replies.NOT_IMPLEMENTED

    def _auth(self, argument: str) -> Event | Reply:
        mechanism, _, initial = argument.partition(" ")
        mechanism = mechanism.upper()
        refusal = verbs.auth_refusal(
            self._terms, mechanism, initial, extended=self.extended, tls=self.tls, authenticated=self.authenticated
        )
        if refusal is not None:
            return refusal
        self.advance("AUTH")
        self._exchange = sasl.Exchange(mechanism, self._terms.mechanisms[mechanism]())
        if initial:
            return self._respond(self._exchange, b"" if initial == "=" else initial.encode())  # RFC 4954 §4
        return _challenge(self._exchange.begin())

    def _respond(self, exchange: sasl.Exchange, line: bytes) -> Event | Reply:
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
                self.advance("*")
                return refusal
            case challenge:
                return _challenge(challenge)

    _ACTS: ClassVar[Mapping[str, Callable[["Commands", str], Event | Reply]]] = {
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


def _too_many(limit: str) -> Ending:
    reply = replies.TOO_MANY_COMMANDS.with_detail(limit)
    return Ending(incident=Incident.TOO_MANY_COMMANDS, reply=reply, detail=limit)


def _challenge(octets: bytes) -> Reply:
    return Reply(code=334, enhanced="", text=octets.decode("ascii"))


def _unknown(verb: str) -> Reply | Ending:
    if verb in verbs.HTTP_VERBS:
        return Ending(incident=Incident.NOT_SMTP, reply=replies.NOT_SMTP, detail=verb)
    if verb == "BDAT":
        # The next chunk would be read as commands, and RFC 3030 was not offered: no honest client does this.
        return Ending(incident=Incident.CHUNKING_NOT_OFFERED, reply=replies.NOT_IMPLEMENTED)
    return replies.UNKNOWN_COMMAND
