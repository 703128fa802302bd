"""What the command line says of accounts of the portal: rows of the tables in cli.words."""

from collections.abc import Callable, Mapping
from typing import Final

from addressbook.rights import Role
from gateway.admin.edit import AuditAction
from gateway.admin.faults import FaultCode

Words = str | Callable[..., str]

PORTAL_FAULTS: Final[Mapping[FaultCode, Words]] = {
    FaultCode.NO_ACCOUNT: lambda address, customer: (
        f"{address} has no role {_where(customer)}; «portal list» shows who has."
    ),
    FaultCode.NO_ROLE: f"There is no role «{{name}}»; the roles are {', '.join(Role)}.",
    FaultCode.ROLE_ELSEWHERE: lambda role, customer: (
        f"The role «{role}» is the operator's, not one at «{customer}»; leave out --customer."
        if customer
        else f"The role «{role}» is one at a customer: --customer says at which."
    ),
    FaultCode.LAST_ADMINISTRATOR: (
        "{address} is the last administrator of «{customer}»; give somebody else that role first."
    ),
}


def _where(customer: str) -> str:
    return f"at «{customer}»" if customer else "as the operator"


PORTAL_DONE: Final[Mapping[AuditAction, Words]] = {
    AuditAction.INVITE_ACCOUNT: lambda address, customer, role, link: (
        f"{address} is {role} {_where(customer)}."
        + (f" The link by which the account gets its password, good for seven days:\n{link}" if link else "")
    ),
    AuditAction.SET_ROLE: lambda address, customer, role: f"{address} is {role} {_where(customer)}.",
    AuditAction.REMOVE_ROLE: lambda address, customer: f"{address} has no role {_where(customer)} any more.",
}
