"""What an account of the portal may do: its role at a customer (the operator's: at all), and what each role holds.

An account is a person who signs in to the portal; a user is who sends. Not here: the accounts themselves (accounts),
what a customer has contracted (options).
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Role(StrEnum):
    """What somebody is to a customer; `OPERATOR` is above all customers."""

    ADMINISTRATOR = "administrator"
    SETTINGS = "settings"
    REPORTS = "reports"
    DIRECTORY = "directory"
    INBOUND = "inbound"
    DEVELOPER = "developer"
    READ_ONLY = "read-only"
    OPERATOR = "operator"


class Right(StrEnum):
    """What a page of the portal needs: to see a room, or to change what is there."""

    SEE_HOME = "home.see"
    SEE_SETTINGS = "settings.see"
    CHANGE_SETTINGS = "settings.change"
    SEE_DIRECTORY = "directory.see"
    CHANGE_DIRECTORY = "directory.change"
    SEE_REPORTS = "reports.see"
    CHANGE_REPORTS = "reports.change"
    SEE_SEND = "send.see"
    CHANGE_SEND = "send.change"
    SEE_INBOUND = "inbound.see"
    CHANGE_INBOUND = "inbound.change"
    SEE_INTERFACES = "interfaces.see"
    CHANGE_INTERFACES = "interfaces.change"
    SEE_TEMPLATES = "templates.see"
    CHANGE_TEMPLATES = "templates.change"
    SEE_SUPPORT = "support.see"
    CHANGE_SUPPORT = "support.change"
    SEE_DECLARATIONS = "declarations.see"
    CHANGE_DECLARATIONS = "declarations.change"
    SEE_SENDER_IDS = "sender-ids.see"
    CHANGE_SENDER_IDS = "sender-ids.change"
    SEE_ACCOUNTS = "accounts.see"
    CHANGE_ACCOUNTS = "accounts.change"
    SEE_OPERATE = "operate.see"
    CHANGE_OPERATE = "operate.change"


_OF_OPERATOR = frozenset({Right.SEE_OPERATE, Right.CHANGE_OPERATE})
_OF_ALL = frozenset({Right.SEE_HOME, Right.SEE_SUPPORT, Right.CHANGE_SUPPORT})

RIGHTS: Final[Mapping[Role, frozenset[Right]]] = MappingProxyType(
    {
        Role.OPERATOR: frozenset(Right),
        Role.ADMINISTRATOR: frozenset(Right) - _OF_OPERATOR,
        Role.SETTINGS: _OF_ALL
        | {
            Right.SEE_SETTINGS,
            Right.CHANGE_SETTINGS,
            Right.SEE_DIRECTORY,
            Right.SEE_TEMPLATES,
            Right.CHANGE_TEMPLATES,
            Right.SEE_SENDER_IDS,
            Right.CHANGE_SENDER_IDS,
            Right.SEE_SEND,
            Right.CHANGE_SEND,
        },
        Role.REPORTS: _OF_ALL | {Right.SEE_REPORTS, Right.CHANGE_REPORTS},
        Role.DIRECTORY: _OF_ALL | {Right.SEE_DIRECTORY, Right.CHANGE_DIRECTORY, Right.SEE_SETTINGS},
        Role.INBOUND: _OF_ALL | {Right.SEE_INBOUND, Right.CHANGE_INBOUND, Right.SEE_SEND, Right.CHANGE_SEND},
        Role.DEVELOPER: _OF_ALL
        | {
            Right.SEE_INTERFACES,
            Right.CHANGE_INTERFACES,
            Right.SEE_SETTINGS,
            Right.SEE_SEND,
            Right.CHANGE_SEND,
            Right.SEE_REPORTS,
            Right.SEE_INBOUND,
        },
        Role.READ_ONLY: _OF_ALL - {Right.CHANGE_SUPPORT}
        | {
            Right.SEE_SETTINGS,
            Right.SEE_DIRECTORY,
            Right.SEE_REPORTS,
            Right.SEE_SEND,
            Right.SEE_INBOUND,
            Right.SEE_INTERFACES,
            Right.SEE_TEMPLATES,
            Right.SEE_SENDER_IDS,
        },
    }
)
"""What each role holds. Who may change accounts can give every role at its customer, and only the operator its own."""


def roles_of_customers() -> tuple[Role, ...]:
    """Return the roles that an account can have at a customer."""
    return tuple(role for role in Role if role is not Role.OPERATOR)
