"""What is reported about a job: one frozen view for status mails, DSNs, the command line and applications.

Not here: whether and when it is reported (gateway.outbox), how it looks (templates, mta.sending.compose).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from sms.lifecycle import SUCCESS, MessageState, Summary, summarise
from sms.message import Alphabet, MailOrigin, Replacement
from sms.route import SANDBOX_ROUTE
from sms.settings import Settings, StatusChannel, StatusReport

CANCEL_PREFIX: Final = "cancel+"
"""How the address begins by which a sender takes a job back; the job's public id and a domain of ours follow."""


class NoticeKind(StrEnum):
    """What a notice reports. `CORRECTION` is sent once, if a network corrects itself after the result.

    `DRY_RUN` answers a mail that asked what would be sent; its job is never sent.
    """

    ACCEPTED = "accepted"
    RESULT = "result"
    CORRECTION = "correction"
    DELAYED = "delayed"
    DRY_RUN = "dry-run"


class Channel(StrEnum):
    """How what we owe somebody is delivered: by mail, by push to a URL, or by SMPP to the binds of a login."""

    MAIL = "mail"
    PUSH = "push"
    SMPP = "smpp"


Addressee = tuple[Channel, str]

Findings = tuple[tuple[str, str, str], ...]
"""What rules of a country did to a message: each a rule, its effect, and what the rule says (countries.judge)."""

_RECEIPTS: Final = "receipts"
_OF_NO_HANDSET: Final = frozenset({"network", "false"})
_OF_FIRST_PART: Final = "first-part"


def worth_of_receipts(findings: Findings) -> str:
    """Return what a receipt from the message's country is worth, as the rule says it; empty where nothing is known."""
    return next((value for rule, _, value in findings if rule == _RECEIPTS), "")


def claimed_state(state: MessageState, findings: Findings, parts: int) -> MessageState:
    """Return the state that may be claimed of a message.

    A receipt that no handset caused says no more than that the network took the SMS; one of the first part alone says
    nothing of the others. Where networks give none, one that came shows that this network does.
    """
    worth = worth_of_receipts(findings) if state is MessageState.DELIVERED else ""
    is_less = worth in _OF_NO_HANDSET or (worth == _OF_FIRST_PART and parts > 1)
    return MessageState.SUBMITTED if is_less else state


def addressees(wanted: StatusChannel, address: str, push_url: str) -> tuple[Addressee, ...]:
    """Return every channel that reports to a job's sender, with its address; without a URL a push becomes a mail.

    An empty address is the null sender, who gets no mail (RFC 5321 §6.1).
    """
    mail = wanted is not StatusChannel.PUSH or not push_url
    push = wanted is not StatusChannel.MAIL
    by_mail: tuple[Addressee, ...] = ((Channel.MAIL, address),) if mail and address else ()
    return (*by_mail, (Channel.PUSH, push_url)) if push and push_url else by_mail


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedPart:
    """One part as its sender may see it; `billed` if a carrier accepted it, or may have.

    `cost_label` is the operator's word for the carrier's cost when it was offered the part; the sender does not see it.
    `word` is the network's own word for the final state, such as DELIVRD; `resends` counts how often the part was sent
    again because its answer was lost. `network` (MCC and MNC) and `price` are what the carrier says of them.
    """

    index: int
    total: int
    text: str
    state: MessageState
    carrier: str = ""
    carrier_id: str = ""
    error: str = ""
    submitted_at: datetime | None = None
    reported_at: datetime | None = None
    cost_label: str = ""
    word: str = ""
    resends: int = 0
    network: str = ""
    price: str = ""

    @property
    def billed(self) -> bool:
        """Whether this part is on the bill."""
        if self.carrier == SANDBOX_ROUTE:
            return False
        return bool(self.carrier_id) or self.state is MessageState.SUBMITTED  # not every carrier gives an id


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedMessage:
    """One recipient's line.

    `number` is E.164 with +, empty if the address was refused; `name` whose it is to the customer, if that is known.
    `reason` is a ProblemCode or a Refusal value, `problem` its sentence. `from_network` says that a receipt led to
    this state. `parameters` are what its carrier got beside the text, as `NAME=VALUE, …`;
    `languages` are those of its national shift tables. `cause` is the carrier's answer that put it
    off last, for the operator. `country` is that of the number where its rules found something, as `findings` say.
    """

    public_id: str
    given: str
    number: str
    state: MessageState
    reason: str
    problem: str
    text: str
    cut: str
    replaced: tuple[Replacement, ...]
    alphabet: Alphabet
    parts: tuple[ReportedPart, ...]
    sender_id: str
    from_network: bool
    updated_at: datetime
    expires_at: datetime | None = None
    due_at: datetime | None = None
    held: bool = False
    notify: str = ""
    orcpt: str = ""
    name: str = ""
    parameters: str = ""
    languages: str = ""
    cause: str = ""
    country: str = ""
    findings: Findings = ()

    @property
    def claimed(self) -> MessageState:
        """The state that may be claimed: not «delivered» where receipts of its country cannot tell that."""
        return claimed_state(self.state, self.findings, len(self.parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReport:
    """Everything about one job. `origins` names, per setting, the layer and origin that decided it at acceptance.

    `unanswerable` says why no answer to its sender ID comes back (addressbook.numbers), empty where one does.
    `ignored_options` are those of the mail's subject that did nothing, as written. One of the `sandbox` was sent with a
    sandbox key: nobody got it.
    """

    public_id: str
    customer: str
    profile: str
    user: str
    service: str
    reference: str
    accepted_at: datetime
    settled_at: datetime | None
    settings: Settings
    origins: Mapping[str, tuple[str, str]]
    mail: MailOrigin | None
    messages: tuple[ReportedMessage, ...]
    unanswerable: str = ""
    ignored_options: tuple[str, ...] = ()
    sandbox: bool = False

    @property
    def summary(self) -> Summary:
        """The number of recipients in each state that may be claimed."""
        return summarise(message.claimed for message in self.messages)

    @property
    def cancel_address(self) -> str:
        """Where a mail of its sender takes the job back; empty where nothing waits, or no mail asked for it."""
        domain = self.messages[0].given.rpartition("@")[2] if self.messages else ""
        waits = any(message.state is MessageState.QUEUED for message in self.messages)
        return f"{CANCEL_PREFIX}{self.public_id}@{domain}" if self.mail is not None and waits and domain else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One event of one job, reported to one mail address or URL. `attempt` counts from 1."""

    key: int
    public_id: str
    kind: NoticeKind
    recipient: str
    report: JobReport
    created_at: datetime
    attempt: int
    channel: Channel = Channel.MAIL


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageNotice:
    """The state that one message came to, told by push.

    The report has this message alone, in that state; `ended` says that no other is awaited.
    """

    public_id: str
    recipient: str
    report: JobReport
    ended: bool


def wants_result(rule: StatusReport, states: Iterable[MessageState]) -> bool:
    """Return whether the result of a job is reported, by its rule and the states of its messages."""
    if rule is StatusReport.ON_FAILURE:
        return any(state not in SUCCESS for state in states)
    return rule is StatusReport.ALWAYS
