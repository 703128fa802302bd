"""Whose session it is: by its login, else by the client's address.

Not here: how a login is proven (gateway.auth), the exchange on the wire (mta.smtp.engine.sasl).
"""

from collections.abc import Awaitable, Callable
from typing import cast

from addressbook.senders import Principal
from addressbook.snapshot import Snapshot
from gateway.auth.authenticator import Authenticator
from mta.smtp.engine import replies
from mta.smtp.server.hooks import AuthResult, LoginPassword, MailSession
from sms.outcome import Refusal

LoginHook = Callable[[object, MailSession, object, str, LoginPassword], Awaitable[AuthResult]]


def login_hook(authenticator: Authenticator) -> LoginHook:
    """Return aiosmtpd's authenticator, whose `auth_data` is a `Principal`."""

    async def authenticate(
        _server: object, session: MailSession, _envelope: object, _mechanism: str, given: LoginPassword
    ) -> AuthResult:
        try:
            login, password = given.login.decode(), given.password.decode()
        except UnicodeDecodeError:  # RFC 4616 §2 has UTF-8
            return AuthResult(success=False, handled=False)
        proven = await authenticator.prove(login, password, session.client_address)
        if isinstance(proven, Principal):
            return AuthResult(success=True, auth_data=proven)
        later = proven.refusal is not Refusal.AUTHENTICATION_FAILED
        return AuthResult(
            success=False, handled=False, message=str(replies.AUTH_LATER if later else replies.AUTH_INVALID)
        )

    return authenticate


def identify(session: MailSession, snapshot: Snapshot, *, by_login_only: bool) -> Principal | None:
    """Return whose session it is; None for nobody's."""
    proven = cast("object", session.auth_data)  # aiosmtpd's class declares that nobody ever is
    if session.authenticated and isinstance(proven, Principal):
        return proven
    return None if by_login_only else snapshot.prove_by_address(session.client_address)
