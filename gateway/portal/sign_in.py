"""Who signs in to the portal, by address and password or by a link that is used once.

A stranger, a wrong password and an account that may not sign in are refused alike, after the same work. Not here:
sessions (sessions), what guesses cost (gateway.auth), pages (web.portal).
"""

from functools import partial

import structlog

from addressbook.accounts import Account, SessionStage
from addressbook.canonical import canonical_address
from gateway.auth.authenticator import Authenticator
from gateway.log_lines import log_login
from gateway.portal.sessions import Sessions
from sms.outcome import Refusal
from store.engine.database import Database
from store.portal_accounts import find_account, find_verifier

log = structlog.get_logger()


class SignIn:
    """Proves who somebody is."""

    def __init__(self, *, database: Database, authenticator: Authenticator, sessions: Sessions) -> None:
        self._database = database
        self._authenticator = authenticator
        self._sessions = sessions

    async def by_password(self, address: str, password: str, client: str, agent: str) -> str | Refusal:
        """Return the token of a new session, or why there is none."""
        canonical = canonical_address(address) or ""
        verifier = await self._database.read(partial(find_verifier, address=canonical))
        # The name of the portal keeps these guesses apart from those of a login that looks like an address.
        refusal = await self._authenticator.prove_password(f"portal {canonical}", verifier or None, password, client)
        log_login(log, succeeded=refusal is None, login=address, client=client, mechanism="PORTAL")
        if refusal is not None:
            return refusal
        account = await self._database.read(partial(find_account, address=canonical))
        if account is None:
            return Refusal.AUTHENTICATION_FAILED
        return await self._sessions.begin(account.key, _stage_of(account), client, agent)


def _stage_of(account: Account) -> SessionStage:
    return SessionStage.CODE if account.has_totp else SessionStage.OPEN
