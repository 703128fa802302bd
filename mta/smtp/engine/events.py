"""The values around the SMTP dialogue: capabilities, limits, states, events.

Not here: how bytes become events (mta.smtp.engine.dialogue) and who acts on them (mta.smtp.server.server).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from mta.smtp.engine import sasl
from mta.smtp.engine.content import ContentLimits
from mta.smtp.engine.grammar import MailFrom, RcptTo


class DialogueState(StrEnum):
    """The state of a dialogue."""

    GREETING = "greeting"
    START = "start"
    READY = "ready"
    MAIL = "mail"
    RCPT = "rcpt"
    CONTENT = "content"
    EXCHANGE = "exchange"
    UPGRADE = "upgrade"
    CLOSED = "closed"


_ANYWHERE: Final = ("NOOP", "VRFY", "EXPN", "HELP")

# Which command is allowed in which state, and the state after its success (RFC 5321 §4.1.4, RFC 3207 §4, RFC 4954 §4).
# A command that is not in the table gets 503; a failed one leaves the state, but a hello always ends a transaction. The
# dot is the end of a content and the star the end of an AUTH exchange, whatever the result.
TRANSITIONS: Final[Mapping[DialogueState, Mapping[str, DialogueState]]] = MappingProxyType(
    {
        DialogueState.START: {
            "EHLO": DialogueState.READY,
            "HELO": DialogueState.READY,
            "STARTTLS": DialogueState.UPGRADE,
            "RSET": DialogueState.START,
            "QUIT": DialogueState.CLOSED,
            **dict.fromkeys(_ANYWHERE, DialogueState.START),
        },
        DialogueState.READY: {
            "EHLO": DialogueState.READY,
            "HELO": DialogueState.READY,
            "STARTTLS": DialogueState.UPGRADE,
            "AUTH": DialogueState.EXCHANGE,
            "MAIL": DialogueState.MAIL,
            "RSET": DialogueState.READY,
            "QUIT": DialogueState.CLOSED,
            **dict.fromkeys(_ANYWHERE, DialogueState.READY),
        },
        DialogueState.MAIL: {
            "EHLO": DialogueState.READY,
            "HELO": DialogueState.READY,
            "RCPT": DialogueState.RCPT,
            "RSET": DialogueState.READY,
            "QUIT": DialogueState.CLOSED,
            **dict.fromkeys(_ANYWHERE, DialogueState.MAIL),
        },
        DialogueState.RCPT: {
            "EHLO": DialogueState.READY,
            "HELO": DialogueState.READY,
            "RCPT": DialogueState.RCPT,
            "DATA": DialogueState.CONTENT,
            "RSET": DialogueState.READY,
            "QUIT": DialogueState.CLOSED,
            **dict.fromkeys(_ANYWHERE, DialogueState.RCPT),
        },
        DialogueState.CONTENT: {".": DialogueState.READY},
        DialogueState.EXCHANGE: {"*": DialogueState.READY},
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a listener offers and demands.

    `mechanisms` have SASL names in upper case; none means no AUTH at all. `bare_addresses` also allows MAIL and RCPT
    without angle brackets, and HELO without a name.
    """

    hostname: str
    ident: str = "ESMTP"
    smtp_utf8: bool = True
    starttls: bool = False
    tls_required: bool = False
    mechanisms: Mapping[str, sasl.MakeMechanism] = field(default_factory=dict)
    auth_required: bool = False
    auth_needs_tls: bool = True
    bare_addresses: bool = False

    def offers_auth(self, *, tls: bool) -> bool:
        """Return whether AUTH may be used now."""
        return bool(self.mechanisms) and (tls or not (self.auth_needs_tls or self.tls_required))


@dataclass(frozen=True, slots=True, kw_only=True)
class DialogueLimits:
    """The bounds of one connection. Times are seconds and have the resolution of `Dialogue.tick`.

    `command`: from a reply to the end of the next command. `block`: the longest silence inside DATA. `data`: DATA
    as a whole. `session`: the connection as a whole, outside DATA. `rate`: the least octets per second of DATA over
    each `rate_window`. RFC 5321 §4.5.3.2 gives the customary values. `commands` counts all, `idle_commands` those
    that advance no mail, `errors` refused commands and mails, `refused_recipients` RCPTs refused by the handler,
    `failed_logins` AUTH; all but the last restart after an accepted mail. Temporary refusals (4yz) are our fault
    and no errors. `waiting` is how many octets may wait while a command is being answered before the reader should
    pause.
    """

    command: float = 300.0
    block: float = 180.0
    data: float = 1800.0
    session: float = 3600.0
    rate: float = 64.0
    rate_window: float = 60.0
    recipients: int = 1000
    commands: int = 100_000
    errors: int = 20
    idle_commands: int = 100
    refused_recipients: int = 200
    failed_logins: int = 5
    waiting: int = 2**16
    content: ContentLimits = field(default_factory=ContentLimits)


class Incident(StrEnum):
    """What the operator should know; the dialogue has already answered it."""

    STARTTLS_INJECTION = "starttls_injection"
    EARLY_TALKER = "early_talker"
    NOT_SMTP = "not_smtp"
    CHUNKING_NOT_OFFERED = "chunking_not_offered"
    TOO_MANY_ERRORS = "too_many_errors"
    TOO_MANY_COMMANDS = "too_many_commands"
    TOO_MANY_RECIPIENTS = "too_many_recipients"
    COMMAND_FLOOD = "command_flood"
    CONTENT_FLOOD = "content_flood"
    CONTENT_REFUSED = "content_refused"
    TIMED_OUT = "timed_out"
    TOO_SLOW = "too_slow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """Something for the log, without a reply. `detail` comes from the peer and is not trusted."""

    incident: Incident
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """EHLO (`extended`) or HELO. Whatever the reply, an open transaction is over."""

    name: str
    extended: bool


class Mail(Struct, frozen=True, kw_only=True):
    """MAIL, well-formed and in order."""

    command: MailFrom


class Rcpt(Struct, frozen=True, kw_only=True):
    """RCPT, well-formed and in order, below the limit of recipients."""

    command: RcptTo


class Data(Struct, frozen=True, kw_only=True):
    """DATA in order: `Dialogue.take_content` accepts the content, a reply refuses it before it is sent."""


class ContentReceived(Struct, frozen=True, kw_only=True):
    """A whole content, transparency undone; every line ends in CRLF. Whatever the reply, the transaction is over.

    Its octets count as open until `Dialogue.content_done`.
    """

    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """RSET."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noop:
    """NOOP."""

    argument: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """VRFY."""

    argument: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quit:
    """QUIT."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTls:
    """STARTTLS. After a positive reply the caller shakes hands, then calls `tls_started`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """The end of an AUTH exchange: a password, or a `claim` in its place. `heard`: its last challenge was answered."""

    mechanism: str
    login: bytes
    password: bytes = field(default=b"", repr=False)
    claim: object = field(default=None, repr=False)
    heard: bool = False


Event = Noticed | Hello | Mail | Rcpt | Data | ContentReceived | Reset | Noop | Verify | Quit | StartTls | Login


class LocalProtocolError(Exception):
    """The driver did something that the dialogue's state does not allow: our fault, never the peer's."""
