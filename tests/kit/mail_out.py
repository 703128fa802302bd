"""Which certificate is good enough for which level of mail out: one table, tested against every server.

d = delivered, w = waits. docs/tls.md shows the same table.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from tests.kit.mail_servers import HOST, Identity, issue, make_authority, make_intermediate
from tls.policy import Pin, PinKind, Tlsa, TlsLevel, TlsPolicy


@dataclass(frozen=True)
class World:
    """The certificates of this test run; `roots` are the system's authorities, `private` another authority's file."""

    peers: dict[str, Identity]
    roots: Path
    private: Path
    folder: Path


def revocation_list(issuer: Identity, *revoked: Identity) -> bytes:
    start, end = issuer.certificate.not_valid_before_utc, issuer.certificate.not_valid_after_utc
    builder = x509.CertificateRevocationListBuilder(issuer.certificate.subject, start, end)
    for each in revoked:
        serial = each.certificate.serial_number
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(start).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(Encoding.PEM)


def make_world(folder: Path) -> World:
    root, stranger = make_authority("Trusted root"), make_authority("Private root")
    below = make_intermediate(root)
    revoked = issue(root)
    peers = {
        "good": issue(root),
        "good wildcard": issue(root, names=("*.example.com",)),
        "good by intermediate": issue(below),
        "self-signed": issue(),
        "expired": issue(root, start=timedelta(days=-9), end=timedelta(days=-1)),
        "not yet valid": issue(root, start=timedelta(days=5), end=timedelta(days=9)),
        "wrong name": issue(root, names=("mx.example.org",)),
        "name in CN only": issue(root, names=(), common_name=HOST),
        "address only": issue(root, names=(), addresses=("127.0.0.1",)),
        "wildcard two levels": issue(root, names=("*.*.com",)),
        "wildcard of com": issue(root, names=("*.com",)),
        "name with NUL": issue(root, names=("mx.example.com\0.example.org",)),
        "wrong CA": issue(stranger),
        "missing intermediate": issue(below, send_issuer=False),
        "revoked": revoked,
        "RSA of 1024 bits": issue(root, rsa_bits=1024),
    }
    roots, private = folder / "roots.pem", folder / "private.pem"
    roots.write_bytes(root.pem + revocation_list(root, revoked) + revocation_list(below))
    private.write_bytes(stranger.pem)
    return World(peers=peers, roots=roots, private=private, folder=folder)


def tlsa_of(identity: Identity) -> Tlsa:
    return Tlsa(usage=3, selector=1, matching=1, data=hashlib.sha256(identity.spki).digest())


def policies_of(world: World) -> dict[str, TlsPolicy]:
    good = world.peers["good"]
    return {
        "none": TlsPolicy(level=TlsLevel.NONE),
        "may": TlsPolicy(level=TlsLevel.MAY),
        "encrypt": TlsPolicy(level=TlsLevel.ENCRYPT),
        "dane": TlsPolicy(level=TlsLevel.DANE),
        "verify": TlsPolicy(level=TlsLevel.VERIFY),
        "secure": TlsPolicy(level=TlsLevel.SECURE),
        "private-ca": TlsPolicy(level=TlsLevel.PRIVATE_CA, ca_file=str(world.private)),
        "fingerprint": TlsPolicy(
            level=TlsLevel.FINGERPRINT,
            pins=(
                Pin(kind=PinKind.CERTIFICATE, digest="0" * 64),
                Pin(kind=PinKind.PUBLIC_KEY, digest=hashlib.sha256(good.spki).hexdigest()),
            ),
        ),
        "dane-only": TlsPolicy(level=TlsLevel.DANE_ONLY),
    }


# DNSSEC proves the MX in this table, since level verify needs that; there are no TLSA records.
LEVELS = ("none", "may", "encrypt", "dane", "verify", "secure", "private-ca", "fingerprint")
NO_TLSA = {
    # certificate            none may  encr dane veri secu priv fing
    "good":                  "d    d    d    d    d    d    w    d",
    "good wildcard":         "d    d    d    d    d    d    w    w",
    "good by intermediate":  "d    d    d    d    d    d    w    w",
    "self-signed":           "d    d    d    d    w    w    w    w",
    "expired":               "d    d    d    d    w    w    w    w",
    "not yet valid":         "d    d    d    d    w    w    w    w",
    "wrong name":            "d    d    d    d    w    w    w    w",
    "name in CN only":       "d    d    d    d    w    w    w    w",
    "address only":          "d    d    d    d    w    w    w    w",
    "wildcard two levels":   "d    d    d    d    w    w    w    w",
    "wildcard of com":       "d    d    d    d    w    w    w    w",
    "name with NUL":         "d    d    d    d    w    w    w    w",
    "wrong CA":              "d    d    d    d    w    w    d    w",
    "missing intermediate":  "d    d    d    d    w    w    w    w",
    "revoked":               "d    d    d    d    w    w    w    w",
    "RSA of 1024 bits":      "d    d    d    d    w    w    w    w",
}  # fmt: skip
REASONS = {
    "self-signed": "self-signed certificate",
    "expired": "certificate has expired",
    "not yet valid": "certificate is not yet valid",
    "wrong name": "certificate name mismatch: it shows mx.example.org, expected",
    "name in CN only": "certificate name mismatch: it shows no DNS name",
    "address only": "certificate name mismatch: it shows no DNS name",
    "wildcard two levels": "certificate name mismatch: it shows *.*.com",
    "wildcard of com": "certificate name mismatch: it shows *.com",
    "name with NUL": "certificate name mismatch: it shows mx.example.com\0.example.org",
    "wrong CA": "unable to get local issuer certificate",
    "missing intermediate": "unable to get local issuer certificate",
    "revoked": "certificate revoked",
    "RSA of 1024 bits": "certificate key too weak",
}
