"""The SASL mechanisms that can work in one session, and who they prove; those with passwords are the engine's own.

EXTERNAL (RFC 4422 Appendix A) is offered where the client's certificate is somebody's. SCRAM-SHA-256 (RFC 7677) is
where every password has a verifier for it, since a client that fails at the best mechanism does not try another; only
under TLS, since who listens could search for the password (RFC 5802 §9). OAUTHBEARER (RFC 7628) and XOAUTH2 are offered
where a customer has an issuer of tokens. Not here: the exchange on the wire
(mta.smtp.engine.sasl), whose a login is (gateway.auth).
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from addressbook.canonical import canonical_login
from addressbook.people import Directory
from addressbook.senders import Principal
from gateway.auth.authenticator import Authenticator
from gateway.auth.certificates import prove_certificate
from gateway.auth.scram import MECHANISM, ScramExchange
from gateway.auth.tokens import TokenClaim, Tokens
from gateway.ports import Clock
from mta.smtp.engine import replies
from mta.smtp.engine.replies import Reply
from mta.smtp.engine.sasl import MECHANISMS, Challenge, Claim, MakeMechanism
from mta.smtp.server.hooks import AuthAnswer, AuthResult, MailSession
from sms.outcome import Refusal, Refused

_NO_TOKEN: Final = b'{"status":"invalid_token","schemes":"bearer","scope":""}'  # RFC 7628 §3.2.2


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


class OAuthBearer:
    """OAUTHBEARER (RFC 7628 §3.1)."""

    def begin(self) -> Challenge:
        """Return an empty challenge."""
        return Challenge(octets=b"")

    def take(self, response: bytes) -> Claim | Reply:
        """Take the header of GS2 (RFC 5801 §4) and the pairs after it."""
        header, *pairs = response.decode("utf-8", "replace").split("\x01")
        binding, _, identity = header.partition(",")
        if binding not in {"n", "y"} or not identity.endswith(","):
            return replies.AUTH_NOT_BASE64
        identity = identity[:-1].removeprefix("a=").replace("=2C", ",").replace("=3D", "=")
        return _bearer(identity, pairs)


class XOAuth2:
    """XOAUTH2, which Google and Microsoft have described, and SAP and older clients speak."""

    def begin(self) -> Challenge:
        """Return an empty challenge."""
        return Challenge(octets=b"")

    def take(self, response: bytes) -> Claim | Reply:
        """Take the user and the token."""
        user, *pairs = response.decode("utf-8", "replace").split("\x01")
        return _bearer(user.removeprefix("user="), pairs) if user.startswith("user=") else replies.AUTH_NOT_BASE64


def _bearer(identity: str, pairs: Sequence[str]) -> Claim | Reply:
    """Return the claim of a bearer token (RFC 6750 §2.1) among pairs such as `auth=Bearer …`."""
    given = next((pair.removeprefix("auth=") for pair in pairs if pair.startswith("auth=")), "")
    scheme, _, token = given.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        return replies.AUTH_NOT_BASE64
    return Claim(login=identity.encode(), content=TokenClaim(identity, token.strip()))


class SessionProofs:
    """What the certificate of a session proves, and which mechanisms can work in it."""

    def __init__(
        self,
        directory: Callable[[], Directory],
        clock: Clock,
        authenticator: Authenticator,
        tokens: Tokens | None = None,
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._authenticator = authenticator
        self._tokens = tokens

    async def prove(self, session: MailSession, claim: object) -> AuthResult:
        """Return the result of an AUTH that ended in something else than a password."""
        if isinstance(claim, ScramExchange):
            proven = await self._authenticator.prove_scram(claim, session.client_address)
            if isinstance(proven, Refused):
                return refused_login(proven)
            return AuthAnswer(success=True, last=proven[1], auth_data=proven[0])
        if isinstance(claim, TokenClaim) and self._tokens is not None:
            token = await self._authenticator.prove_token(claim, session.client_address, self._tokens.prove)
            if isinstance(token, Principal):
                return AuthResult(success=True, handled=False, auth_data=token)
            result = refused_login(token)
            if token.refusal is not Refusal.AUTHENTICATION_FAILED:
                return result
            return AuthAnswer(success=False, last=_NO_TOKEN, message=result.message)
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
        if self._tokens is not None and self._tokens.is_offered:
            offered |= {"OAUTHBEARER": OAuthBearer, "XOAUTH2": XOAuth2}
        return offered

    def _begin_scram(self) -> Scram:
        return Scram(ScramExchange(self._authenticator.scram_verifier_of, secrets.token_urlsafe(18)))


def refused_login(refused: Refused) -> AuthResult:
    """Return the result of a login that proved nothing, for good or for now."""
    later = refused.refusal is not Refusal.AUTHENTICATION_FAILED
    message = str(replies.AUTH_LATER if later else replies.AUTH_INVALID)
    return AuthResult(success=False, handled=False, message=message)
