"""What an answer at each stage of an SMTP transaction means for the mail: next host, later, never, or unknown.

Pure: one table of decisions. Not here: the SMTP dialogue itself (mta.sending.deliver). RFC 5321 §4.2, §4.5.3.2, §6.1.
"""

from dataclasses import dataclass
from enum import StrEnum

from sms.outcome import Failed, Outcome, Problem, ProblemCode, Retry, Unknown

_MAX_REPLY = 300
_SERVICE_CLOSING = 421


class Stage(StrEnum):
    """The stage of the dialogue, in order."""

    CONNECT = "connect"
    GREETING = "greeting"
    HELLO = "hello"
    STARTTLS = "starttls"
    HANDSHAKE = "handshake"
    POLICY = "policy"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    CONTENT = "content"

    @property
    def concerns_host(self) -> bool:
        """Whether a fault here concerns only the host, so that another host may succeed."""
        return self in _HOST_STAGES

    @property
    def concerns_tls(self) -> bool:
        """Whether a fault here is one of TLS."""
        return self in _TLS_STAGES


_HOST_STAGES = frozenset(
    {Stage.CONNECT, Stage.GREETING, Stage.HELLO, Stage.STARTTLS, Stage.HANDSHAKE, Stage.POLICY, Stage.AUTH}
)
_TLS_STAGES = frozenset({Stage.STARTTLS, Stage.HANDSHAKE, Stage.POLICY})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFault:
    """What went wrong: the stage, the peer's reply (code 0: none, or an invalid one), and a cause in words."""

    stage: Stage
    code: int = 0
    cause: str = ""

    def __str__(self) -> str:
        if self.code:
            return f"{self.code} {self.cause}"
        return self.cause if self.stage in _TLS_STAGES else f"{self.cause} ({self.stage})"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultDecision:
    """The outcome for the mail, and whether to try another host of the domain first."""

    outcome: Outcome
    try_next: bool


def clean_reply(text: str) -> str:
    """Return a peer's text as one harmless line of at most 300 characters."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())[:_MAX_REPLY]


def decide_outcome(fault: DeliveryFault, domain: str) -> FaultDecision:
    """Return what a fault means for the mail."""
    if fault.stage is Stage.CONTENT and not 400 <= fault.code < 600:
        # RFC 5321 §4.5.3.2.6: the final dot was sent and no usable answer came: it may have been delivered
        return FaultDecision(
            outcome=Unknown(
                problem=_problem(
                    ProblemCode.NO_ANSWER, f"The mail server of {domain} took the mail and did not confirm it.", fault
                )
            ),
            try_next=False,
        )
    if fault.stage in _TLS_STAGES:
        text = f"No mail server of {domain} offers the TLS that is demanded: {fault.cause}"
        return FaultDecision(outcome=Retry(problem=_problem(ProblemCode.TLS_POLICY, text, fault)), try_next=True)
    if fault.stage.concerns_host or fault.code == _SERVICE_CLOSING or not 400 <= fault.code < 600:
        return FaultDecision(
            outcome=Retry(problem=_host_problem(fault, domain)), try_next=fault.stage is not Stage.CONTENT
        )
    if fault.code >= 500 and not (fault.stage is Stage.RCPT and fault.code == 552):  # RFC 5321 §4.5.3.1.10
        text = f"The mail server of {domain} refused the mail: {fault}"
        return FaultDecision(outcome=Failed(problem=_problem(ProblemCode.MAIL_REFUSED, text, fault)), try_next=False)
    text = f"The mail server of {domain} asked to try again later: {fault}"
    return FaultDecision(outcome=Retry(problem=_problem(ProblemCode.MAIL_DEFERRED, text, fault)), try_next=False)


def _host_problem(fault: DeliveryFault, domain: str) -> Problem:
    if fault.stage is Stage.AUTH:
        return _problem(ProblemCode.MAIL_DEFERRED, f"The mail server of {domain} did not let us log in.", fault)
    if fault.code:
        text = f"The mail server of {domain} is not ready: {fault}"
        return _problem(ProblemCode.MAIL_DEFERRED, text, fault)
    return _problem(ProblemCode.HOST_UNREACHABLE, f"No mail server of {domain} could be reached.", fault)


def _problem(code: ProblemCode, text: str, fault: DeliveryFault) -> Problem:
    return Problem(code=code, text=text, cause=f"{fault.stage}: {fault}")
