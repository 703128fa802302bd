"""What the command line says of accounts of the portal: rows of the tables in cli.words."""

from collections.abc import Callable, Mapping
from typing import Final

from addressbook.rights import Role
from gateway.admin.edit import AuditAction
from gateway.admin.faults import FaultCode

Words = str | Callable[..., str]

PORTAL_FAULTS: Final[Mapping[FaultCode, Words]] = {
    FaultCode.NO_ACCOUNT: lambda address, customer: (
        f"{address} has no {f'role at «{customer}»' if customer else 'account'}; «portal list» shows who has."
    ),
    FaultCode.NO_ISSUER: (
        "«{customer}» has no identity provider yet; «customer oidc {customer} --issuer URL --audience TEXT» names it."
    ),
    FaultCode.LINK_USED: "The link was used before.",
    FaultCode.NO_ZONE: "There is no time zone «{name}»; one is named such as Europe/Berlin.",
    FaultCode.NO_ROLE: f"There is no role «{{name}}»; the roles are {', '.join(Role)}.",
    FaultCode.ROLE_ELSEWHERE: lambda role, customer: (
        f"The role «{role}» is the operator's, not one at «{customer}»; leave out --customer."
        if customer
        else f"The role «{role}» is one at a customer: --customer says at which."
    ),
    FaultCode.ACCOUNT_ELSEWHERE: (
        "{address} has roles elsewhere than at «{customer}» too; take its role there away in place of disabling it."
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
    AuditAction.RESET_ACCOUNT: lambda address, link: (
        f"The link for {address}, good for one hour:\n{link}" if link else f"{address} got a link a moment ago."
    ),
    AuditAction.ENABLE_ACCOUNT: "{address} may sign in.",
    AuditAction.DISABLE_ACCOUNT: "{address} may not sign in any more; its sessions have ended.",
    AuditAction.SIGN_IN: "{address} signed in.",
    AuditAction.SET_ACCOUNT_PASSWORD: "{address} has a new password.",
    AuditAction.SET_AUTHENTICATOR: "{address} has {has_one:no authenticator|an authenticator}.",
    AuditAction.SET_ACCOUNT: "{address} changed its name, language or time zone.",
    AuditAction.END_SESSIONS: "Sessions of {address} were ended.",
    AuditAction.SET_PORTAL_RULE: lambda customer, totp_required: (
        f"Accounts {_where(customer)} {'must' if totp_required else 'need not'} have an authenticator."
    ),
    AuditAction.SET_PORTAL_ISSUER: lambda customer, issuer, client, role, redirect: (
        f"Accounts of «{customer}» sign in at {issuer} too, where the portal is {client}. "
        + (f"Who has none yet gets one there as {role}." if role else "Who has none there gets none by that.")
        + f" The address to register as redirect URI:\n{redirect}"
        if client
        else f"Accounts of «{customer}» sign in by password alone."
    ),
    AuditAction.JOIN_ACCOUNT: "{address} is {role} at «{customer}», by the word of its identity provider.",
    AuditAction.REMOVE_ROLE: lambda address, customer: f"{address} has no role {_where(customer)} any more.",
}
