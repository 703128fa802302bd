"""The SASL mechanisms that can work in one session, and who they prove; those with passwords are the engine's own.

EXTERNAL (RFC 4422 Appendix A) is offered where the client's certificate is somebody's. Not here: the exchange on the
wire (mta.smtp.engine.sasl), whose a login is (gateway.auth).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from addressbook.canonical import canonical_login
from addressbook.people import Directory
from addressbook.senders import Principal
from gateway.auth.certificates import prove_certificate
from gateway.ports import Clock
from mta.smtp.engine.sasl import MECHANISMS, Challenge, Claim, MakeMechanism
from mta.smtp.server.hooks import MailSession


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


class SessionProofs:
    """What the certificate of a session proves, and which mechanisms can work in it."""

    def __init__(self, directory: Callable[[], Directory], clock: Clock) -> None:
        self._directory = directory
        self._clock = clock

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
        if self.owner(session) is not None:
            offered["EXTERNAL"] = External
        return offered
