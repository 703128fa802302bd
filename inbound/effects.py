"""What follows from one inbound SMS, as values; all effects of one SMS are stored in one transaction.

Not here: choosing them (planning), storing them (store.inbound) and carrying them out (gateway.outbox, gateway.accept).
"""

from dataclasses import dataclass
from enum import StrEnum

from inbound.actions import Action, ActionKind, PushAction, SmppAction


@dataclass(frozen=True, slots=True, kw_only=True)
class MailEffect:
    """The SMS goes to one mail address; `is_fallback` if no user of the customer wrote to the handset lately."""

    action: Action
    address: str
    is_fallback: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerEffect:
    """An SMS goes back to the handset, in `language`; `past_stop` if a stop entry doesn't hold it back."""

    action: Action | None
    kind: ActionKind
    text: str
    language: str
    past_stop: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StopEffect:
    """The handset gets no more SMS of the customer's `service`, of all its services where that is empty."""

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
class SmppEffect:
    """The SMS goes to the binds of a login."""

    action: Action


@dataclass(frozen=True, slots=True, kw_only=True)
class ListEffect:
    """The SMS stands in the next list of an action."""

    action: Action


class Untold(StrEnum):
    """Why an SMS reaches nobody, which the operator is told."""

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


class Left(StrEnum):
    """Why an action that was chosen is not done."""

    NOT_CONTRACTED = "not-contracted"
    SUSPENDED = "suspended"
    STOPPED = "stopped"
    TOO_MANY_ANSWERS = "too-many-answers"
    NO_TEXT = "no-text"
    NO_RECIPIENT = "no-recipient"
    ALREADY_STOPPED = "already-stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """An action is not done, and `inbound show` says why; `action` is None for a built-in one."""

    kind: ActionKind
    reason: Left
    action: Action | None = None


Effect = (
    MailEffect | AnswerEffect | StopEffect | StartEffect | PushEffect | SmppEffect | ListEffect | TellOperator | LeftOut
)


class EffectKind(StrEnum):
    """What an effect is called where it is stored and shown; an answer is called as its action."""

    MAIL = "mail"
    REPLY = "reply"
    STOP = "stop"
    START = "start"
    HELP = "help"
    LIST = "list"
    PUSH = "push"
    SMPP = "smpp"
    STOP_ENTRY = "stop-entry"
    STOP_ENDED = "stop-ended"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectFacts:
    """An effect as it is shown: to what it goes, and what was decided."""

    kind: EffectKind
    target: str = ""
    note: str = ""
    action: Action | None = None


def describe(effect: Effect) -> EffectFacts:  # noqa: PLR0911 - a line for each
    """Return an effect as it is stored and shown."""
    match effect:
        case MailEffect(action=action, address=address, is_fallback=is_fallback):
            note = "fallback" if is_fallback else ""
            return EffectFacts(kind=EffectKind.MAIL, target=address, note=note, action=action)
        case AnswerEffect(action=action, kind=kind, language=language):
            return EffectFacts(kind=EffectKind(kind.value), note=language, action=action)
        case StopEffect(service=service, word=word):
            return EffectFacts(kind=EffectKind.STOP_ENTRY, target=service, note=word)
        case StartEffect(service=service, word=word):
            return EffectFacts(kind=EffectKind.STOP_ENDED, target=service, note=word)
        case PushEffect(action=action):
            assert isinstance(action.settings, PushAction)
            return EffectFacts(kind=EffectKind.PUSH, target=action.settings.url, action=action)
        case SmppEffect(action=action):
            assert isinstance(action.settings, SmppAction)
            return EffectFacts(kind=EffectKind.SMPP, target=action.settings.login, action=action)
        case ListEffect(action=action):
            return EffectFacts(kind=EffectKind.LIST, target=action.name, action=action)
        case TellOperator(reason=reason):
            return EffectFacts(kind=EffectKind.OPERATOR, note=reason.value)
        case LeftOut(kind=kind, reason=left, action=action):
            return EffectFacts(kind=EffectKind(kind.value), note=left.value, action=action)
