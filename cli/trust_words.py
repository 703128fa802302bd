"""What the command line says of who may send: ranges, logins, certificates, proofs: rows of the tables in cli.words."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from addressbook.api_keys import Scope
from addressbook.proof import ProofKind
from gateway.admin.edit import AuditAction
from gateway.admin.faults import FaultCode
from sms.message import MAIL_SERVICES

Words = str | Callable[..., str]

TRUST_FAULTS: Final[Mapping[FaultCode, Words]] = {
    FaultCode.NO_LOGIN: "There is no login «{login}».",
    FaultCode.NO_MAIL_SERVICE: f"A mail is of the service {' or '.join(MAIL_SERVICES)}, not of «{{service}}».",
    FaultCode.NO_PROOF: f"There is no proof «{{given}}»; the proofs are {', '.join(ProofKind)}.",
    FaultCode.BAD_RANGE: "«{range}» is not an address range such as 192.0.2.0/24: {cause}.",
    FaultCode.RANGE_TOO_WIDE: "{range} is everybody; a range that proves a customer must be narrower.",
    FaultCode.RANGE_TAKEN: (
        "The address range {range} is of the customer «{owner}»; several customers can have one only where it is "
        "--shared for each of them."
    ),
    FaultCode.RANGE_NOT_OWNED: "The customer «{customer}» does not have the address range {range}.",
    FaultCode.PROFILE_IS_BOUND: (
        "The profile «{name}» is that of mails by {bound}; «customer set-login» and «set-range» give another one."
    ),
    FaultCode.BAD_ISSUER: "«{issuer}» is no issuer: an address such as https://login.example.com/tenant is expected.",
    FaultCode.NO_AUDIENCE: "Tokens of {issuer} need an audience, so that those for other services are no logins here.",
    FaultCode.BAD_APPLICATION_NAME: (
        "«{name}» cannot be the name of an application: up to 64 letters, digits, «.», «_» and «-» are expected;"
        " --user names whose login it is otherwise."
    ),
    FaultCode.LOGIN_OF_NO_USER: "The login «{login}» belongs to no user, so that it has no settings of its own.",
    FaultCode.LOGIN_IS_NO_KEY: "«{login}» is no API key; «login rotate» gives a login a new password.",
    FaultCode.NO_SCOPE: f"An API key needs a scope at least: {', '.join(Scope)}.",
    FaultCode.BAD_LOGIN: "«{login}» cannot be a login: 1 to 200 visible characters are expected.",
    FaultCode.PASSWORD_TOO_SHORT: "The password is too short: {least} characters at least.",
    FaultCode.LOGIN_TAKEN: "The login «{login}» already belongs to somebody else.",
    FaultCode.LOGIN_IS_CERTIFICATE: "«{login}» names a certificate; give the password another login.",
    FaultCode.CERTIFICATE_TAKEN: "This is already the certificate of «{login}»; «customer remove-login» frees it.",
}


def _range(customer: str, range: str, shared: bool, tls_required: bool) -> str:  # noqa: A002, FBT001 - names of facts
    told = f"Clients in {range} are taken for «{customer}»"
    told += ", where its domain is proved as well: others share the range." if shared else "."
    return told + (" Their mail is taken under TLS only." if tls_required else "")


def _listed(names: Sequence[str]) -> str:
    return " or ".join(names)


TRUST_DONE: Final[Mapping[AuditAction, Words]] = {
    AuditAction.ADD_RANGE: _range,
    AuditAction.SET_RANGE: _range,
    AuditAction.REMOVE_RANGE: "Clients in {range} are no longer taken for «{customer}».",
    AuditAction.REQUIRE_TLS: "Mail of «{customer}» is taken {required:with and without TLS|under TLS only}.",
    AuditAction.SET_PROOFS: "Mail of «{customer}» is let through by {proofs}.",
    AuditAction.SET_SEALERS: lambda customer, sealers: (
        f"What {_listed(sealers)} sealed and saw proven is let through for «{customer}»."
        if sealers
        else f"No sealer is trusted for «{customer}»."
    ),
    AuditAction.ADD_KEY: "The API key «{login}» of {address} is shown this once.",
    AuditAction.ROTATE_KEY: lambda login, until: (
        f"The API key «{login}» is a new one; the one before ends "
        + (f"at {until}" if until else "now")
        + ". It is shown this once."
    ),
    AuditAction.SET_OIDC: lambda customer, issuer, audience, claim: (
        f"Tokens of {issuer} for {audience} are logins of «{customer}»; {claim} says whose."
        if issuer
        else f"No token is a login of «{customer}»."
    ),
    AuditAction.SET_LOGIN: lambda login, customer, address, new: (
        f"The login «{login}» of {address or f'«{customer}»'} {'was added' if new else 'has a new password'}."
    ),
    AuditAction.ADD_APPLICATION: (
        "The application «{name}» of «{customer}» was added{profile:| with the profile «{profile}»}."
    ),
    AuditAction.ENABLE_LOGIN: "The login «{login}» was enabled.",
    AuditAction.DISABLE_LOGIN: "The login «{login}» was disabled: who uses it is refused.",
    AuditAction.REMOVE_LOGIN: "The login «{login}» was removed.",
    AuditAction.SET_CERTIFICATE: lambda login, customer, address, new: (
        f"The certificate «{login}» of {address or f'«{customer}»'} was {'added' if new else 'changed'}."
    ),
    AuditAction.BIND_LOGIN: (
        "Mail of the login «{login}» is {service:of the service that it names itself|of the service }{service};"
        " who is no user gets {profile:the customer's default profile|the profile «}{profile}{profile:|»}."
    ),
}
