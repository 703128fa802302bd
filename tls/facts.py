"""What a certificate says, in words for people who inspect a connection.

Not here: judging it (tls.policy), reading it from a connection (tls.contexts).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from tls.contexts import describe_certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    """One certificate of a chain; `names` are its dNSNames, `pins` are its pins for level fingerprint."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    key: str
    pins: tuple[str, ...]


def read_facts(chain: Sequence[bytes]) -> tuple[CertificateFacts, ...]:
    """Return what the certificates of a chain say (DER, the host's own first); unreadable ones are left out."""
    found = (_facts(der) for der in chain)
    return tuple(facts for facts in found if facts is not None)


def _facts(der: bytes) -> CertificateFacts | None:
    described = describe_certificate(der)
    try:
        parsed = x509.load_der_x509_certificate(der)
        return CertificateFacts(
            subject=parsed.subject.rfc4514_string(),
            issuer=parsed.issuer.rfc4514_string(),
            names=described.names,
            not_before=parsed.not_valid_before_utc,
            not_after=parsed.not_valid_after_utc,
            key=_key(parsed),
            pins=(f"cert:{described.certificate}", f"spki:{described.public_key}"),
        )
    except ValueError:
        return None


def _key(certificate: x509.Certificate) -> str:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return "a key of an unknown kind"
    if isinstance(key, RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, EllipticCurvePublicKey):
        return f"EC {key.curve.name}"
    return type(key).__name__.removesuffix("PublicKey").lstrip("_")


def find_date_fault(facts: CertificateFacts, now: datetime) -> str:
    """Return `expired` or `not yet valid`, empty for a certificate in its time."""
    if now > facts.not_after:
        return "expired"
    return "not yet valid" if now < facts.not_before else ""
