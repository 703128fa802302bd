"""Accounts of the portal: who signs in there, and as what at which customer.

Not here: what a role may do (rights), how somebody signs in (gateway.portal).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from addressbook.rights import RIGHTS, Right, Role


class AccountState(StrEnum):
    """`INVITED`: has no password yet. `DISABLED`: may not sign in."""

    INVITED = "invited"
    ACTIVE = "active"
    DISABLED = "disabled"


class LinkKind(StrEnum):
    """What a link does that is used once: gives the first password, a new one, or signs in by itself."""

    INVITATION = "invitation"
    RESET = "reset"
    SIGN_IN = "sign-in"


class SessionStage(StrEnum):
    """How far somebody has signed in: `CODE` has a password behind it and waits for the code of the authenticator.

    `AT_ISSUER` is open too, by the word of a customer's own identity provider.
    """

    CODE = "code"
    OPEN = "open"
    AT_ISSUER = "issuer"

    @property
    def is_open(self) -> bool:
        """Whether pages are shown."""
        return self is not SessionStage.CODE


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """A role at a customer; `customer_key` 0 is the operator's, above all customers."""

    customer_key: int
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Somebody who signs in to the portal. `address` is canonical, `zone` an IANA name; empty: the reader's default."""

    key: int
    address: str
    name: str
    language: str
    zone: str
    state: AccountState
    memberships: Sequence[Membership]
    has_password: bool = False
    has_totp: bool = False
    signed_in_at: datetime | None = None

    @property
    def is_operator(self) -> bool:
        """Whether it is above all customers."""
        return any(item.role is Role.OPERATOR for item in self.memberships)

    def belongs_to(self, customer_key: int) -> bool:
        """Return whether it has a role at this customer, and nowhere else."""
        return [item.customer_key for item in self.memberships] == [customer_key]

    def role_at(self, customer_key: int) -> Role | None:
        """Return its role at a customer, None for a stranger."""
        if self.is_operator:
            return Role.OPERATOR
        return next((item.role for item in self.memberships if item.customer_key == customer_key), None)

    def holds(self, right: Right, customer_key: int) -> bool:
        """Return whether it may do this at a customer."""
        role = self.role_at(customer_key)
        return role is not None and right in RIGHTS[role]
