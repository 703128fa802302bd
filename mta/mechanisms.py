"""The SASL mechanisms that can work in one session, and who they prove; those with passwords are the engine's own.

EXTERNAL (RFC 4422 Appendix A) is offered where the client's certificate is somebody's. SCRAM-SHA-256 (RFC 7677) is
where every password has a verifier for it, since a client that fails at the best mechanism does not try another; only
under TLS, since who listens could search for the password (RFC 5802 §9). Not here: the exchange on the wire
(mta.smtp.engine.sasl), whose a login is (gateway.auth).
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from addressbook.canonical import canonical_login
from addressbook.people import Directory
from addressbook.senders import Principal
from gateway.auth.authenticator import Authenticator
from gateway.auth.certificates import prove_certificate
from gateway.auth.scram import MECHANISM, ScramExchange
from gateway.ports import Clock
from mta.smtp.engine import replies
from mta.smtp.engine.replies import Reply
from mta.smtp.engine.sasl import MECHANISMS, Challenge, Claim, MakeMechanism
from mta.smtp.server.hooks import AuthAnswer, AuthResult, MailSession
from sms.outcome import Refusal, Refused


@dataclass(frozen=True, slots=True)
class ExternalClaim:
    """As whom the owner of a certificate wants to act; empty for itself."""

    identity: bytes


class External:
    """RFC 4422 Appendix A."""

    def begin(self) -> Challenge:
        """Return an empty challenge."""
        return Challenge(octets=b"")

    def take(self, response: bytes) -> Claim:
        """Take the authorisation identity."""
        return Claim(login=response, content=ExternalClaim(response))


class Scram:
    """SCRAM-SHA-256 (RFC 7677): the last answer of the server comes with the verdict."""

    def __init__(self, exchange: ScramExchange) -> None:
        self._exchange = exchange

    def begin(self) -> Challenge:
        """Return an empty challenge."""
        return Challenge(octets=b"")

    def take(self, response: bytes) -> Challenge | Claim | Reply:
        """Take the client's first message, then its proof."""
        if self._exchange.login:
            self._exchange.keep_final(response)
            return Claim(login=self._exchange.login.encode(), content=self._exchange)
        first = self._exchange.answer_first(response)
        return replies.AUTH_NOT_BASE64 if first is None else Challenge(octets=first)


class SessionProofs:
    """What the certificate of a session proves, and which mechanisms can work in it."""

    def __init__(self, directory: Callable[[], Directory], clock: Clock, authenticator: Authenticator) -> None:
        self._directory = directory
        self._clock = clock
        self._authenticator = authenticator

    async def prove(self, session: MailSession, claim: object) -> AuthResult:
        """Return the result of an AUTH that ended in something else than a password."""
        if isinstance(claim, ScramExchange):
            proven = await self._authenticator.prove_scram(claim, session.client_address)
            if isinstance(proven, Refused):
                return refused_login(proven)
            return AuthAnswer(success=True, last=proven[1], auth_data=proven[0])
        assert isinstance(claim, ExternalClaim)
        owner = self.act_as(session, claim)
        return AuthResult(success=owner is not None, handled=False, auth_data=owner)

    def owner(self, session: MailSession) -> Principal | None:
        """Return whose certificate the client has shown; None for nobody's and for none."""
        der = session.client_certificate_der
        return None if der is None else prove_certificate(self._directory(), der, self._clock)

    def act_as(self, session: MailSession, claim: ExternalClaim) -> Principal | None:
        """Return the owner of the client's certificate, who may act for nobody else (RFC 4422 §3.4.1)."""
        owner = self.owner(session)
        if owner is None or not claim.identity:
            return owner
        try:
            wanted = canonical_login(claim.identity.decode())
        except UnicodeDecodeError:
            return None
        user = self._directory().user_with_id(owner.user_id) if owner.user_id is not None else None
        return owner if wanted in {owner.login, user.address if user is not None else owner.login} else None

    def mechanisms(self, session: MailSession) -> Mapping[str, MakeMechanism]:
        """Return the mechanisms that can work in a session."""
        offered: dict[str, MakeMechanism] = dict(MECHANISMS)
        if self._directory().scram_for_all:
            offered[MECHANISM] = self._begin_scram
        if self.owner(session) is not None:
            offered["EXTERNAL"] = External
        return offered

    def _begin_scram(self) -> Scram:
        return Scram(ScramExchange(self._authenticator.scram_verifier_of, secrets.token_urlsafe(18)))


def refused_login(refused: Refused) -> AuthResult:
    """Return the result of a login that proved nothing, for good or for now."""
    later = refused.refusal is not Refusal.AUTHENTICATION_FAILED
    message = str(replies.AUTH_LATER if later else replies.AUTH_INVALID)
    return AuthResult(success=False, handled=False, message=message)
