"""The key that a domain publishes for a selector, and whether a signature was made with it (RFC 6376 §3.6.1).

RFC 8301: no SHA-1, at least 1024 bits of RSA; RFC 8463: Ed25519. Not here: what is signed (mta.verify.signatures).
"""

import binascii
import hashlib
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from dkim.util import InvalidTagValueList, parse_tag_value

from mta.sending.sign import KeyKind

ALGORITHMS: Final[Mapping[bytes, KeyKind]] = {b"rsa-sha256": KeyKind.RSA, b"ed25519-sha256": KeyKind.ED25519}
"""RFC 8301 §3.1: rsa-sha1 must not be verified."""

_SMALLEST_RSA: Final = 1024  # RFC 8301 §3.2
_LARGEST_RSA: Final = 4096  # RFC 8301 §3.2 wants these; what is larger only costs time
_LONGEST_RECORD: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class NoProof:
    """Why something proves nobody, as half a sentence. `later`: it is not known now, since DNS did not answer."""

    why: str
    later: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainKey:
    """A published key. `strict`: the domain of `i=` must be that of `d=` (flag s)."""

    public: RSAPublicKey | Ed25519PublicKey
    strict: bool = False

    @property
    def kind(self) -> KeyKind:
        """Which algorithm it is for."""
        return KeyKind.RSA if isinstance(self.public, RSAPublicKey) else KeyKind.ED25519

    def verifies(self, signature: bytes, signed: bytes) -> bool:
        """Return whether this key made a signature over these octets."""
        try:
            if isinstance(self.public, RSAPublicKey):
                self.public.verify(signature, signed, PKCS1v15(), SHA256())
            else:
                self.public.verify(signature, hashlib.sha256(signed).digest())  # RFC 8463 §3
        except InvalidSignature:
            return False
        return True


def read_key(records: Sequence[str], service: bytes = b"email") -> DomainKey | NoProof:
    """Return the key of the TXT records at SELECTOR._domainkey.DOMAIN; there must be one (RFC 6376 §3.6.2.2).

    It is for all mail or for this `service`; mail of another one may be signed with a key for all (RFC 8460 §3).
    """
    found = [tags for record in records if b"p" in (tags := _tags(record))]
    if len(found) != 1:
        return NoProof(why="there is no key record" if not found else "there is more than one key record")
    tags = found[0]
    flags = _words(tags.get(b"t", b""))
    wrong = {
        "the key record is of an unknown version": tags.get(b"v", b"DKIM1") != b"DKIM1",
        "the key is not for SHA-256": b"sha256" not in _words(tags.get(b"h", b"sha256")),
        "the key is not for mail": not _words(tags.get(b"s", b"*")) & {b"*", b"email", service},
        "the domain only tests this key (t=y)": b"y" in flags,  # RFC 6376 §3.6.1: as if unsigned
        "the key is revoked (empty p=)": not tags[b"p"],
    }
    for why, holds in wrong.items():
        if holds:
            return NoProof(why=why)
    public = _load(tags.get(b"k", b"rsa"), tags[b"p"])
    return public if isinstance(public, NoProof) else DomainKey(public=public, strict=b"s" in flags)


def _tags(record: str) -> dict[bytes, bytes]:
    if len(record) > _LONGEST_RECORD:
        return {}
    try:
        found: dict[bytes, bytes] = parse_tag_value(record.encode("utf-8", "replace"))
    except InvalidTagValueList:
        return {}
    return found


def _words(value: bytes) -> set[bytes]:
    return {word.strip() for word in value.split(b":")}


def _load(kind: bytes, text: bytes) -> RSAPublicKey | Ed25519PublicKey | NoProof:
    try:
        octets = b64decode(b"".join(text.split()), validate=True)
        if kind == b"ed25519":
            return Ed25519PublicKey.from_public_bytes(octets)  # RFC 8463 §4: no ASN.1 around it
        public = load_der_public_key(octets) if kind == b"rsa" else None
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        return NoProof(why="the key can't be read, or has too few bits")
    if not isinstance(public, RSAPublicKey):
        return NoProof(why="the key is of an unknown kind")
    if not _SMALLEST_RSA <= public.key_size <= _LARGEST_RSA:
        return NoProof(why=f"the key has {public.key_size} bits")
    return public
