"""Whose session it is: by its login, else by the client's certificate, else by its address.

Not here: how a login is proven (gateway.auth), the exchange on the wire (mta.smtp.engine.sasl).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import cast

from addressbook.senders import Principal
from addressbook.snapshot import Snapshot
from gateway.auth.authenticator import Authenticator
from mta.mechanisms import SessionProofs, refused_login
from mta.smtp.server.hooks import AuthResult, LoginPassword, MailSession
from sms.message import Origin

LoginHook = Callable[[object, MailSession, object, str, object], Awaitable[AuthResult]]


def login_hook(authenticator: Authenticator, sessions: SessionProofs) -> LoginHook:
    """Return aiosmtpd's authenticator, whose `auth_data` is a `Principal`."""

    async def authenticate(
        _server: object, session: MailSession, _envelope: object, _mechanism: str, given: object
    ) -> AuthResult:
        if not isinstance(given, LoginPassword):
            return await sessions.prove(session, given)
        try:
            login, password = given.login.decode(), given.password.decode()
        except UnicodeDecodeError:  # RFC 4616 §2 has UTF-8
            return AuthResult(success=False, handled=False)
        proven = await authenticator.prove(login, password, session.client_address)
        if isinstance(proven, Principal):
            return AuthResult(success=True, auth_data=proven)
        return refused_login(proven)

    return authenticate


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerTerms:
    """What a listener says of its sessions: whether logins are taken, only they prove, and whose service mails are."""

    name: str = ""
    takes_logins: bool = True
    by_login_only: bool = False
    service: Origin | None = None


def identify(
    session: MailSession, snapshot: Snapshot, terms: ListenerTerms, sessions: SessionProofs
) -> Principal | None:
    """Return whose session it is; None for nobody's.

    A certificate that is nobody's proves nothing, and the address does not help it.
    """
    if session.authenticated:
        proven = cast("object", session.auth_data)  # aiosmtpd's class declares that nobody ever is
        if isinstance(proven, Principal):
            return bind(proven, session, snapshot, terms)
    if terms.by_login_only:
        return None
    if session.client_certificate_der is not None:
        owner = sessions.owner(session)
        return None if owner is None else bind(owner, session, snapshot, terms)
    found = snapshot.prove_by_address(session.client_address)
    if found is None or terms.service is None:
        return found  # the range that proves it has bound it
    return bind(found, session, snapshot, terms)


def bind(proven: Principal, session: MailSession, snapshot: Snapshot, terms: ListenerTerms) -> Principal:
    """Return a principal with the service that the listener, its proof or its customer's address range names."""
    if terms.service is not None:
        proven = replace(proven, service=terms.service, service_by=f"listener {terms.name}")
    return snapshot.bind_to_range(proven, session.client_address)
