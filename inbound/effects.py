"""What follows from one inbound SMS, as values; all effects of one SMS are stored in one transaction.

Not here: choosing them (planning), storing them (store.inbound) and carrying them out (gateway.outbox, gateway.accept).
"""

from dataclasses import dataclass
from enum import StrEnum

from inbound.actions import Action, StopScope


@dataclass(frozen=True, slots=True, kw_only=True)
class MailEffect:
    """The SMS goes to one mail address; `user_address` is that of the user if it is one."""

    action: Action
    address: str
    is_fallback: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerEffect:
    """An SMS goes back to the handset, in `language`; `past_stop` if a stop entry doesn't hold it back."""

    action: Action | None
    kind: str
    text: str
    language: str
    past_stop: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StopEffect:
    """The handset gets no more SMS of the customer's service, of all its services if that is empty."""

    scope: StopScope
    service: str
    word: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StartEffect:
    """The handset's stop entries of the customer end."""

    service: str
    word: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PushEffect:
    """The SMS is pushed to an application."""

    action: Action


@dataclass(frozen=True, slots=True, kw_only=True)
class ListEffect:
    """The SMS stands in the next list of an action."""

    action: Action


class Untold(StrEnum):
    """Why the operator is told of an SMS that nobody gets."""

    NO_NUMBER = "no-number"
    NUMBER_BLOCKED = "number-blocked"
    NO_SHARE = "no-share"
    NO_CONTACT = "no-contact"
    NO_ACTION = "no-action"
    CUSTOMER_INACTIVE = "customer-inactive"


@dataclass(frozen=True, slots=True, kw_only=True)
class TellOperator:
    """The operator is told; the SMS is kept."""

    reason: Untold


Effect = MailEffect | AnswerEffect | StopEffect | StartEffect | PushEffect | ListEffect | TellOperator
