"""What proved who sends a mail: the kind of the proof, its evidence in words, and who may issue tokens for it.

Not here: how a proof is made (gateway.auth, mta), whose it is (senders).
"""

from dataclasses import dataclass
from enum import StrEnum

from msgspec import Struct


class ProofKind(StrEnum):
    """Every proof, in the order in which they are asked for.

    LOGIN: SMTP AUTH, or the login of an interface for applications. KEY: an API key. CERTIFICATE: a client certificate.
    RANGE: the client's address. DKIM, SPF: the domain of the header From, aligned strictly. ARC: what a sealer whom the
    customer trusts has seen.
    """

    LOGIN = "login"
    KEY = "api-key"
    CERTIFICATE = "certificate"
    RANGE = "range"
    DKIM = "dkim"
    SPF = "spf"
    ARC = "arc"


class Proof(Struct, frozen=True, kw_only=True):
    """A proof that held. `evidence` names the facts: a login and its mechanism, a network, `d=` with the selector."""

    kind: ProofKind
    evidence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityProvider:
    """A customer's OpenID Connect issuer, whose tokens for `audience` are logins; `claim` names the user or login."""

    issuer: str
    audience: str
    claim: str = "email"
