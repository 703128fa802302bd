"""What a customer wants done with an inbound SMS: actions, and the keywords that replace the default ones.

Not here: choosing them (routing), what they cause (effects), how a push looks (templates.push).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import time
from enum import StrEnum

from addressbook.options import Option


class ActionKind(StrEnum):
    """What an action does. `REPLY`, `STOP`, `START` and `HELP` every customer has, the others are contracted."""

    MAIL = "mail"
    REPLY = "reply"
    STOP = "stop"
    START = "start"
    HELP = "help"
    LIST = "list"
    PUSH = "push"
    SMPP = "smpp"

    @property
    def option(self) -> Option | None:
        """The option that it needs."""
        return _OPTIONS.get(self)


_OPTIONS = {
    ActionKind.MAIL: Option.SMS2MAIL,
    ActionKind.LIST: Option.LIST,
    ActionKind.PUSH: Option.APPLICATION,
    ActionKind.SMPP: Option.SMS_TO_SMPP,
}


class StopScope(StrEnum):
    """What a stop ends: SMS of the service that wrote last, or all of the customer's."""

    SERVICE = "service"
    CUSTOMER = "customer"


class MailTo(StrEnum):
    """Who gets an inbound SMS as mail.

    `STATIC`: the addresses; `NEWEST`: the user who last texted the handset, within seven days; `ALL`: all who did; the
    addresses are the fallback of both.
    """

    STATIC = "static"
    NEWEST = "newest"
    ALL = "all"


class ListMode(StrEnum):
    """What a list has each day: `CHANGES` since the last one, or everything that is kept."""

    CHANGES = "changes"
    FULL = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailAction:
    """SMS2Mail. `profile_key` decides template and settings for an address that is no user; None: the default one."""

    to: MailTo = MailTo.STATIC
    addresses: tuple[str, ...] = ()
    profile_key: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerAction:
    """An automatic answer; `texts` by service and language, `service/language`, either may be empty: `/`, `mail/de`.

    The texts of a stop are its confirmation, of a start its welcome; no text: the standard one of stop, start and help,
    no answer for a reply. `scope` is a stop's or start's alone.
    """

    texts: dict[str, str] = field(default_factory=dict)
    scope: StopScope = StopScope.CUSTOMER


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAction:
    """A list of the SMS that came, mailed as CSV once a day at `at` (UTC), only if it changed."""

    addresses: tuple[str, ...]
    at: time = time(10, 0)
    mode: ListMode = ListMode.CHANGES


class PushForm(StrEnum):
    """How a push is written where it has no template of its own."""

    XML = "xml"
    JSON = "json"
    KEY_VALUE = "key-value"
    SOAP = "soap"


class PushLogin(StrEnum):
    """How a push proves who sends it, beside its signature; what a bearer's password file holds is its token."""

    NONE = "none"
    BASIC = "basic"
    DIGEST = "digest"
    BEARER = "bearer"


@dataclass(frozen=True, slots=True, kw_only=True)
class PushAction:
    """A push to an application. `template` is Jinja for its body, empty for the standard one of its form.

    `password_file` names a file of the operator, so that no secret stands in a row. `headers` are constant ones.
    """

    url: str
    method: str = "POST"
    form: PushForm = PushForm.XML
    login: PushLogin = PushLogin.NONE
    user: str = ""
    password_file: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    template: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmppAction:
    """A deliver_sm over the binds of a login of the customer."""

    login: str


ActionSettings = MailAction | AnswerAction | ListAction | PushAction | SmppAction
SETTINGS_OF: dict[ActionKind, type[ActionSettings]] = {
    ActionKind.MAIL: MailAction,
    ActionKind.REPLY: AnswerAction,
    ActionKind.STOP: AnswerAction,
    ActionKind.START: AnswerAction,
    ActionKind.HELP: AnswerAction,
    ActionKind.LIST: ListAction,
    ActionKind.PUSH: PushAction,
    ActionKind.SMPP: SmppAction,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One action of a customer: for one number, or for all of its numbers (None).

    With a `keyword_key` it is done for texts that begin with the keyword, else by default. A receiver that said that it
    is gone (HTTP 410) made it inactive.
    """

    key: int
    customer_key: int
    name: str
    kind: ActionKind
    settings: ActionSettings
    number_key: int | None = None
    keyword_key: int | None = None
    active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyword:
    """A word that opens a text. `folded` is its compared form (inbound.words).

    `trailing`: any words may follow; else only the word itself, and courtesy, counts.
    """

    key: int
    customer_key: int
    word: str
    folded: str
    number_key: int | None = None
    trailing: bool = True


class InboundRules:
    """All actions and keywords, as of one version of the address book."""

    __slots__ = ("_actions", "_by_key", "_keywords")

    def __init__(self, actions: Iterable[Action] = (), keywords: Iterable[Keyword] = ()) -> None:
        self._by_key = {action.key: action for action in actions}
        self._actions: dict[int, list[Action]] = defaultdict(list)
        for action in self._by_key.values():
            self._actions[action.customer_key].append(action)
        self._keywords: dict[int, list[Keyword]] = defaultdict(list)
        for keyword in keywords:
            self._keywords[keyword.customer_key].append(keyword)

    def with_key(self, key: int) -> Action | None:
        """Return the action with this key, active or not."""
        return self._by_key.get(key)

    def actions(self, customer_key: int, number_key: int) -> Sequence[Action]:
        """Return a customer's active actions for one of our numbers, default ones and those of keywords."""
        return [
            action
            for action in self._actions.get(customer_key, ())
            if action.active and action.number_key in {None, number_key}
        ]

    def keywords(self, customer_key: int, number_key: int) -> Sequence[Keyword]:
        """Return a customer's keywords for one of our numbers, longest first."""
        found = [item for item in self._keywords.get(customer_key, ()) if item.number_key in {None, number_key}]
        return sorted(found, key=lambda item: (-len(item.folded), item.number_key is None))
