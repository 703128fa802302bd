"""What a client's certificate says of itself: its key's digest, its names, when it is valid, which authority signed it.

A binding is kept as a text: `spki:` and the SHA-256 of the public key (RFC 7469 §2.4), or `ca:`, the authority's
certificate as DER in base64, a colon, and a name. Not here: whose a certificate is (gateway.auth.certificates).
"""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_MOST_READ = 1_000


class CertificateFault(Exception):  # noqa: N818 - a refusal, not a defect
    """A text or file is no certificate or pin; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificateFacts:
    """`pin` is its binding by key, `names` are its subject (RFC 4514), dNSNames and mail addresses in lower case."""

    pin: str
    names: tuple[str, ...]
    valid_from: datetime
    valid_until: datetime


@lru_cache(_MOST_READ)
def read_certificate(der: bytes) -> ClientCertificateFacts | None:
    """Return what a certificate in DER says, None if it cannot be read."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        names = tuple(name.lower() for name in _names(certificate))
    except (ValueError, TypeError, x509.UnsupportedGeneralNameType):
        return None
    return ClientCertificateFacts(
        pin=f"spki:{hashlib.sha256(key).hexdigest()}",
        names=names,
        valid_from=certificate.not_valid_before_utc,
        valid_until=certificate.not_valid_after_utc,
    )


@lru_cache(_MOST_READ)
def is_signed_by(der: bytes, authority: str) -> bool:
    """Return whether an authority (DER in base64) signed a certificate itself, and not through another one."""
    try:
        x509.load_der_x509_certificate(der).verify_directly_issued_by(
            x509.load_der_x509_certificate(base64.b64decode(authority))
        )
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _names(certificate: x509.Certificate) -> Iterator[str]:
    if certificate.subject.rdns:
        yield certificate.subject.rfc4514_string()
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    yield from alternatives.get_values_for_type(x509.DNSName)
    yield from alternatives.get_values_for_type(x509.RFC822Name)


def bind_key(text: bytes) -> str:
    """Return the binding to the key of a certificate in PEM; the first counts. Raises CertificateFault."""
    facts = read_certificate(_der(text))
    if facts is None:
        raise CertificateFault("its key or names can't be read")
    return facts.pin


def bind_pin(text: str) -> str:
    """Return the binding to a pin in hex, colons and blanks allowed. Raises CertificateFault."""
    digits = text.replace(":", "").replace(" ", "").lower()
    if len(digits) != 64 or not set(digits) <= set("0123456789abcdef"):
        raise CertificateFault("a SHA-256 of the public key is 64 hexadecimal digits")
    return f"spki:{digits}"


def bind_name(authority: bytes, name: str) -> str:
    """Return the binding to a name in certificates that an authority (PEM) signs. Raises CertificateFault."""
    der = _der(authority)
    wanted = name.strip().lower()
    if not wanted or not wanted.isprintable():
        raise CertificateFault("a name is a subject such as CN=erp,O=Example, a host name or a mail address")
    return f"ca:{base64.b64encode(der).decode('ascii')}:{wanted}"


def _der(text: bytes) -> bytes:
    try:
        return x509.load_pem_x509_certificates(text)[0].public_bytes(Encoding.DER)
    except ValueError:
        raise CertificateFault("it holds no certificate in PEM") from None
