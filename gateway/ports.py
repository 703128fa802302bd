"""The protocols that edges fulfil, so that the use cases know no protocol and no library.

A carrier is given parts and answers each exactly once, later, through `CarrierEvents`; what it receives is acknowledged
to the other side only after the coroutine that took it has returned, which is after the commit. What came together is
taken together: one call, one commit, one acknowledgement.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from inbound.actions import PushLogin
from inbound.report import InboundReport
from sms.esme import EsmeReceipt
from sms.message import InboundFragment, PartToSubmit, Receipt, TlsTag
from sms.outcome import Outcome
from sms.report import MessageNotice, Notice
from tls.contexts import ClientCertificate
from tls.report import SessionResult


class Clock(Protocol):
    """The only way to know the time."""

    def now(self) -> datetime:
        """Return the present instant, aware and in UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkState:
    """Where one link of a carrier is or was tried last; `trouble` says why it is not up, or not where it prefers."""

    carrier: str
    link: str
    host: str
    is_up: bool
    trouble: str = ""


class CarrierEvents(Protocol):
    """What a carrier tells the use cases. All calls come from the event loop's thread."""

    def answered(self, carrier: str, part_key: int, outcome: Outcome) -> None:
        """Take the answer to one submitted part: exactly one call per part, whatever happens to the link."""

    def answered_late(self, carrier: str, part_key: int, outcome: Outcome) -> None:
        """Take what the carrier says after all of a part whose answer was `Unknown` by then."""

    async def reported(self, receipts: Sequence[Receipt]) -> None:
        """Take receipts; returns after all are committed, raises if they could not be: then none is."""

    async def arrived(self, fragments: Sequence[InboundFragment]) -> None:
        """Take inbound fragments; returns after all are committed, raises if they could not be: then none is."""

    def window_changed(self, carrier: str) -> None:
        """Learn that the carrier's free window may have grown, or that a link came up or went down."""

    def link_changed(self, state: LinkState) -> None:
        """Learn where a link of a carrier is now."""


class Carrier(Protocol):
    """A way to the handsets."""

    @property
    def name(self) -> str:
        """The carrier's name in the operator's file."""

    def free_window(self) -> int:
        """Return how many parts `submit` takes now without waiting: 0 while all links are down or throttled."""

    def submit(self, parts: Sequence[PartToSubmit]) -> None:
        """Send the parts in order and at once, in one write per link; never more than `free_window()` said."""

    async def start(self, events: CarrierEvents) -> None:
        """Begin to connect, and keep reconnecting with backoff, until `stop`."""

    async def stop(self, grace_seconds: float) -> None:
        """Take nothing new, wait for outstanding answers up to the grace, unbind, close."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailAttempt:
    """What one attempt to deliver something, by mail or by push, came to; the trace that «status» and the log show.

    `tls` is protocol version and cipher, empty in clear; `policy` is the level demanded and where it came from.
    `called` is false where nobody was called, as when the destination rests: that is no attempt, and a `Retry`.
    `sessions` are what a TLS report counts.
    """

    outcome: Outcome
    host: str = ""
    address: str = ""
    tls: str = ""
    policy: str = ""
    reply: str = ""
    called: bool = True
    sessions: tuple[SessionResult, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertMail:
    """Something that the administrator should know, as a mail says it; `identity` is the same at every attempt.

    `text` has paragraphs with empty lines between them; `over` tells that something counts no longer.
    """

    identity: str
    recipient: str
    subject: str
    text: str
    over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A mail to a person in words of ours (`gateway.letters`); `customer_key` is 0 for the operator's.

    `table` is CSV that is attached under the name `attached`, `workbook` the same as XLSX, if it has any.
    """

    identity: str
    recipient: str
    customer_key: int
    words: str
    fields: Mapping[str, str]
    reply_to: str = ""
    language: str = ""
    attached: str = ""
    table: bytes = b""
    workbook: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostmasterMail:
    """A mail to the postmaster as it is forwarded; `identity` is the same at every attempt."""

    identity: str
    recipient: str
    sender: str
    recipients: str
    client: str
    helo: str
    received_at: datetime
    content: bytes
    tls_tag: TlsTag = TlsTag.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundPush:
    """An inbound SMS as one action of its customer pushes it; `identity` is the same at every attempt."""

    identity: str
    action_key: int
    report: InboundReport


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundDelivery:
    """An inbound SMS for the binds of a login; `identity` is the same at every attempt."""

    identity: str
    login: str
    report: InboundReport


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundMail:
    """An inbound SMS for one mailbox; `identity` is the same at every attempt.

    `user` is the address of the user it is for, empty where it goes to an address of its action, whose settings are
    those of `profile_key`, 0 for the customer's default profile. `is_fallback`: nobody else got it. `previous` is the
    local part of the Message-ID of the mail before it in the conversation, empty if there was none.
    """

    identity: str
    recipient: str
    report: InboundReport
    user: str = ""
    profile_key: int = 0
    is_fallback: bool = False
    previous: str = ""
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundList:
    """The list of an action: `count` SMS as CSV. `whole`: all that are kept, not only new ones."""

    identity: str
    recipient: str
    customer_key: int
    name: str
    count: int
    whole: bool
    content: bytes
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryMail:
    """What came of a run of a customer's directory, for its administrator; `event` is a DirectoryEvent."""

    identity: str
    recipient: str
    customer_key: int
    run_key: int
    event: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsReport:
    """Our report of a day's TLS sessions with a domain, for whom it names: a mail address, or a URL (RFC 8460 §5).

    `content` is JSON in gzip; `day` is its date, `submitter` our domain.
    """

    identity: str
    recipient: str
    domain: str
    day: str
    submitter: str
    report_id: str
    content: bytes
    created_at: datetime


Item = (
    Notice
    | MessageNotice
    | AlertMail
    | Letter
    | PostmasterMail
    | InboundMail
    | InboundList
    | InboundPush
    | DirectoryMail
    | EsmeReceipt
    | InboundDelivery
    | TlsReport
)
"""What the outbox gives to a sender."""


class ItemSender(Protocol):
    """A way to its recipient, once per call; there is one for each `sms.report.Channel`."""

    async def send(self, item: Item) -> MailAttempt | None:
        """Compose, sign and deliver; None where this event is not to be told (RFC 3461 §4.1: NOTIFY=NEVER).

        Never raises for what a peer or a network does.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class PushNetworks:
    """Networks that pushes may go to though they are not public, and over plain http.

    `source_address` is where such a connection comes from, empty: any. `ca_file` has the authorities that count there
    in place of the others.
    """

    networks: tuple[str, ...]
    source_address: str = ""
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PushCredential:
    """How pushes log in to URLs that begin with `url`: by a login, by a certificate of ours, or both."""

    url: str
    login: PushLogin = PushLogin.NONE
    user: str = ""
    password_file: Path | None = None
    certificate: ClientCertificate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PushRequest:
    """What one push is made of, but for the headers that are of an attempt.

    Each of `keys` signs it, the newest first; without one it has no signature. `password` is the token of a bearer.
    """

    identity: str
    url: str
    content: bytes
    content_type: str
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    login: PushLogin = PushLogin.NONE
    user: str = ""
    password: str = ""
    certificate: ClientCertificate | None = None
    keys: tuple[bytes, ...] = ()
    allowances: tuple[PushNetworks, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFailure:
    """Mail for a domain waits since its TLS does not meet the demand; `failures` counts attempts in a row."""

    domain: str
    customer: str
    policy: str
    cause: str
    failures: int
