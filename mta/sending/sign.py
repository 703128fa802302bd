"""DKIM signatures on our mail: relaxed/relaxed canonical form and the signing itself (RFC 6376, RFC 8463).

Not here: verification of incoming signatures (mta.identify), which domain signs with which key (config.model). We make
the canonical form ourselves, which is cheap for a mail composed here; `cryptography` signs.
"""

import hashlib
import re
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

# Every instance of these is signed, and one more than exist, so that nobody can add one (RFC 6376 §5.4, §8.15).
OVERSIGNED = (
    "from",
    "to",
    "cc",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "reply-to",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
)
# These are signed if they are present.
SIGNED = (
    "sender",
    "auto-submitted",
    "content-language",
    "x-auto-response-suppress",
    "x-mail2sms-notice",
    "tls-report-domain",
    "tls-report-submitter",
    "tls-required",
)

_BLANKS = re.compile(rb"[ \t]+")
_SMALLEST_RSA = 1024  # RFC 8301 §3.2
_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?)*")


class KeyKind(StrEnum):
    """The two kinds of key that verifiers support (RFC 6376 §3.3, RFC 8463 §3)."""

    RSA = "rsa"
    ED25519 = "ed25519"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A fresh key: its PEM (PKCS #8, unencrypted) and the TXT record to publish under `record_name`."""

    private_pem: bytes
    record_name: str
    record_text: str

    @property
    def zone_line(self) -> str:
        """Return the record in zone file form, in strings of at most 255 octets (RFC 6376 §3.6.2.2)."""
        pieces = [f'"{self.record_text[start : start + 250]}"' for start in range(0, len(self.record_text), 250)]
        return f"{self.record_name}. IN TXT ( {' '.join(pieces)} )"


def new_key(domain: str, selector: str, kind: KeyKind) -> NewKey:
    """Make a key pair and its DNS record; RSA keys have 2048 bits. Raises ValueError for names invalid in DNS."""
    _check_names(domain, selector)
    key: RSAPrivateKey | Ed25519PrivateKey
    if kind is KeyKind.RSA:
        key = generate_private_key(public_exponent=65537, key_size=2048)
    else:
        key = Ed25519PrivateKey.generate()
    return NewKey(
        private_pem=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        record_name=f"{selector}._domainkey.{domain}",
        record_text=_record_of(key),
    )


def _record_of(key: RSAPrivateKey | Ed25519PrivateKey) -> str:
    if isinstance(key, RSAPrivateKey):
        kind = KeyKind.RSA
        public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    else:
        kind = KeyKind.ED25519
        public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)  # RFC 8463 §4: no ASN.1 around it
    return f"v=DKIM1; k={kind}; p={b64encode(public).decode()}"


def _check_names(domain: str, selector: str) -> None:
    for name in (domain, selector):
        if len(name) > 253 or _NAME.fullmatch(name) is None:
            raise ValueError(f"{name!r} is not a name that DNS can hold")


class Signer:
    """Signs mails for one domain with one key; loaded once, used for every mail."""

    def __init__(self, domain: str, selector: str, private_key_pem: bytes) -> None:
        """Load the key. Raises ValueError, with a sentence for the operator, for an unusable key or name."""
        _check_names(domain, selector)
        try:
            key = load_pem_private_key(private_key_pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ValueError("the DKIM key is not an unencrypted PEM private key") from error
        if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
            raise ValueError("the DKIM key is neither RSA nor Ed25519")  # noqa: TRY004  (operator's file, not a caller's type)
        if isinstance(key, RSAPrivateKey) and key.key_size < _SMALLEST_RSA:
            raise ValueError(f"the DKIM key has {key.key_size} bits; verifiers want at least {_SMALLEST_RSA}")
        self.domain = domain.lower()
        self.selector = selector
        self._key = key
        kind = KeyKind.RSA if isinstance(key, RSAPrivateKey) else KeyKind.ED25519
        # Our mails repeat the same few headers.
        self._folded = lru_cache(maxsize=64)(_fold_names)
        # The line breaks are folds: the canonical form has one space instead.
        self._opening = f"v=1; a={kind}-sha256; c=relaxed/relaxed; d={self.domain};\r\n s={selector};".encode()

    @property
    def record_text(self) -> str:
        """Return the TXT record of this key."""
        return _record_of(self._key)

    def sign(self, message: bytes, *, signed_at: datetime | None = None) -> bytes:
        """Return the mail, which must have only CRLF line ends, with its DKIM-Signature in front.

        The result must be sent unchanged: any later change of line ends breaks the signature (RFC 6376 §5.3), so a mail
        not composed here needs mta.sending.fields.with_crlf before.
        """
        header, found, body = message.partition(b"\r\n\r\n")
        if message.startswith(b"\r\n"):
            header, body = b"", message[2:]
        elif not found:
            header = message.removesuffix(b"\r\n")
        names, canonical = _signed_fields(header)
        body_hash = b64encode(hashlib.sha256(canonical_body(body)).digest())
        stamp = b"" if signed_at is None else b" t=%d;" % int(signed_at.timestamp())
        # RFC 6376 §3.7: our own field is hashed with an empty b= and without its final CRLF.
        value = b"".join((self._opening, stamp, b"\r\n h=", self._folded(names), b";\r\n bh=", body_hash, b";\r\n b="))
        canonical.append(b"dkim-signature:" + value.replace(b"\r\n ", b" "))
        signature = b64encode(self._operate(b"\r\n".join(canonical)))
        lines = [signature[start : start + 72] for start in range(0, len(signature), 72)]
        return b"".join((b"DKIM-Signature: ", value, b"\r\n ".join(lines), b"\r\n", message))

    def _operate(self, data: bytes) -> bytes:
        if isinstance(self._key, RSAPrivateKey):
            return self._key.sign(data, PKCS1v15(), SHA256())
        return self._key.sign(hashlib.sha256(data).digest())  # RFC 8463 §3: PureEdDSA over the SHA-256


def _signed_fields(header: bytes) -> tuple[tuple[bytes, ...], list[bytes]]:
    """Return the names for h= and the canonical fields they stand for, the last instance of a name first (§5.4.2)."""
    names: list[bytes] = []
    canonical: list[bytes] = []
    unusual = b"\x0b" in header or b"\x0c" in header
    unfolded = header.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
    for field in reversed(unfolded.split(b"\r\n")):
        raw_name, _, value = field.partition(b":")
        name = raw_name.rstrip(b" \t").lower()
        if name in _WANTED:
            # RFC 6376 §3.4.2. bytes.split treats a vertical tab as a blank; here it is none.
            value = _BLANKS.sub(b" ", value).strip(b" ") if unusual else b" ".join(value.split())
            names.append(name)
            canonical.append(name + b":" + value)
    return tuple(names), canonical


_OVERSIGNED = tuple(name.encode() for name in OVERSIGNED)
_WANTED = frozenset(name.encode() for name in OVERSIGNED + SIGNED)


def _fold_names(names: tuple[bytes, ...]) -> bytes:
    names += _OVERSIGNED
    return b":\r\n ".join(b":".join(names[start : start + 6]) for start in range(0, len(names), 6))


def canonical_body(body: bytes) -> bytes:
    """Return the relaxed canonical form of a body whose line ends are CRLF (RFC 6376 §3.4.4)."""
    if b"\t" in body:
        body = body.replace(b"\t", b" ")
    last_blank = body.rfind(b" ")
    if last_blank >= 0:
        # The rest after the last blank, often much base64, needs no search.
        front, body = body[: last_blank + 3], body[last_blank + 3 :]
        while b"  " in front:
            front = front.replace(b"  ", b" ")
        if b" \r\n" in front:
            front = front.replace(b" \r\n", b"\r\n")
        body = front + body if body else front.removesuffix(b" ")
    end = len(body)
    while body.endswith(b"\r\n", 0, end):
        end -= 2
    if end == 0:
        return b""
    return body if end == len(body) - 2 else body[:end] + b"\r\n"
