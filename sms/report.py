"""What is told about a job: one frozen view that status mails, DSNs, the command line and applications all read.

Not here: whether and when it is told (gateway.notify), nor how it looks (templates, mta.sending.compose).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sms.lifecycle import SUCCESS, MessageState, Summary, summarise
from sms.message import Alphabet, MailOrigin, Replacement
from sms.settings import Settings, StatusChannel, StatusReport


class NoticeKind(StrEnum):
    """What a notice tells. `CORRECTION` is the one later word when a network corrects itself after the result.

    `DRY_RUN` answers a mail that asked what would be sent; its job was never to be sent.
    """

    ACCEPTED = "accepted"
    RESULT = "result"
    CORRECTION = "correction"
    DELAYED = "delayed"
    DRY_RUN = "dry-run"


class Channel(StrEnum):
    """By what one notice travels."""

    MAIL = "mail"
    PUSH = "push"


Addressee = tuple[Channel, str]


def addressees(wanted: StatusChannel, address: str, push_url: str) -> tuple[Addressee, ...]:
    """Return every channel by which a job's sender is told, with whom it tells; without a URL a push becomes a mail.

    An empty address is the null sender, which gets no mail (RFC 5321 §6.1).
    """
    mail = wanted is not StatusChannel.PUSH or not push_url
    push = wanted is not StatusChannel.MAIL
    ways = ((Channel.MAIL, address if mail else ""), (Channel.PUSH, push_url if push else ""))
    return tuple((channel, recipient) for channel, recipient in ways if recipient)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedPart:
    """One part as its sender may see it; `billed` once a carrier accepted it, or may have.

    `cost_label` is the operator's word for what the carrier cost when it was offered the part, and not the sender's to
    know. `word` is what the network itself called the end that it reported, such as DELIVRD; `resends` counts how often
    the part was sent again because its answer was lost.
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

    @property
    def billed(self) -> bool:
        """Tell whether this part is on the bill."""
        return bool(self.carrier_id) or self.state is MessageState.SUBMITTED  # not every carrier gives an id


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedMessage:
    """One recipient's line.

    `number` is E.164 with +, empty where the address was refused; `reason` is a ProblemCode or a Refusal value,
    `problem` its sentence. `from_network` says that a receipt of the network led to this state.
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
    notify: str = ""
    orcpt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReport:
    """Everything about one job. `origins` names, per setting, the layer and origin that decided it at acceptance."""

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

    @property
    def summary(self) -> Summary:
        """Count the recipients by what became of them."""
        return summarise(message.state for message in self.messages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """We tell somebody: one event of one job to one mail address or URL. `attempt` counts from 1."""

    key: int
    public_id: str
    kind: NoticeKind
    recipient: str
    report: JobReport
    created_at: datetime
    attempt: int
    channel: Channel = Channel.MAIL


def wants_result(rule: StatusReport, states: Iterable[MessageState]) -> bool:
    """Decide whether the result of a job is told, from its rule and the states of its messages."""
    if rule is StatusReport.ON_FAILURE:
        return any(state not in SUCCESS for state in states)
    return rule is StatusReport.ALWAYS
