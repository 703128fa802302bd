"""Mails signed as other software signs them, and as nobody should: every tag can be chosen."""

import hashlib
import time
from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from dkim import rfc822_parse
from dkim.canonicalization import Relaxed, Simple

PrivateKey = RSAPrivateKey | Ed25519PrivateKey
FORMS = {"relaxed": Relaxed, "simple": Simple}
COVERED = ("from", "to", "cc", "subject", "date", "message-id", "mime-version", "content-type")


@cache
def rsa_key(name: str = "", bits: int = 2048) -> RSAPrivateKey:
    """Return a key that is made once in each test process."""
    return generate_private_key(public_exponent=65537, key_size=bits)


def key_record(key: PrivateKey, more: str = "") -> str:
    """Return the TXT record of a key."""
    if isinstance(key, Ed25519PrivateKey):
        octets = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return f"v=DKIM1; k=ed25519; {more}p={b64encode(octets).decode()}"
    octets = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa; {more}p={b64encode(octets).decode()}"


def _operate(key: PrivateKey, octets: bytes) -> str:
    if isinstance(key, Ed25519PrivateKey):
        return b64encode(key.sign(hashlib.sha256(octets).digest())).decode()
    return b64encode(key.sign(octets, padding.PKCS1v15(), SHA256())).decode()


def _covered(fields: Sequence[tuple[bytes, bytes]], names: Sequence[str], form) -> bytes:
    left = [(name.lower().rstrip(), (name, value)) for name, value in fields]
    found = []
    for wanted in names:
        index = next((at for at in reversed(range(len(left))) if left[at][0] == wanted.encode()), None)
        if index is not None:
            found.append(left.pop(index)[1])
    return b"".join(name + b":" + value for name, value in form.canonicalize_headers(found))


def _field(raw: bytes, name: str, tags: dict[str, str], key: PrivateKey, covered: tuple[Sequence[str], Any]) -> bytes:
    names, form = covered
    value = " " + "; ".join(f"{tag}={text}" for tag, text in tags.items()) + "; b="
    own = form.canonicalize_headers([(name.encode(), value.encode() + b"\r\n")])[0]
    octets = _covered(rfc822_parse(raw)[0], names, form) + own[0] + b":" + own[1].removesuffix(b"\r\n")
    return f"{name}:{value}{_operate(key, octets)}\r\n".encode()


def dkim_signed(
    raw: bytes,
    key: PrivateKey,
    *,
    domain: str,
    selector: str = "s1",
    covered: Sequence[str] = COVERED,
    forms: str = "relaxed/relaxed",
    body: bytes | None = None,
    **tags: str,
) -> bytes:
    """Return a mail with a DKIM signature on top. Further `tags` replace ours, or take them away if empty."""
    header_form, body_form = (FORMS[name] for name in forms.split("/"))
    hashed = body if body is not None else body_form.canonicalize_body(rfc822_parse(raw)[1])
    chosen = {
        "v": "1",
        "a": "ed25519-sha256" if isinstance(key, Ed25519PrivateKey) else "rsa-sha256",
        "c": forms,
        "d": domain,
        "s": selector,
        "t": str(int(time.time())),
        "h": ":".join(covered),
        "bh": b64encode(hashlib.sha256(hashed).digest()).decode(),
    } | tags
    kept = {name: text for name, text in chosen.items() if text}
    return _field(raw, "DKIM-Signature", kept, key, (covered, header_form)) + raw


def arc_sealed(
    raw: bytes,
    key: PrivateKey,
    *,
    domain: str,
    instance: int,
    results: str,
    selector: str = "arc",
    covered: Sequence[str] = COVERED,
    cv: str = "",
) -> bytes:
    """Return a mail with one more ARC set on top (RFC 8617 §5.1)."""
    now = str(int(time.time()))
    common = {"i": str(instance), "a": "rsa-sha256", "d": domain, "s": selector, "t": now}
    body_hash = b64encode(hashlib.sha256(Relaxed.canonicalize_body(rfc822_parse(raw)[1])).digest()).decode()
    reported = f"ARC-Authentication-Results: i={instance}; mx.{domain}; {results}\r\n".encode()
    tags = common | {"c": "relaxed/relaxed", "h": ":".join(covered), "bh": body_hash}
    message = _field(raw, "ARC-Message-Signature", tags, key, (covered, Relaxed))
    sets = message + reported + raw
    arc = ("arc-authentication-results", "arc-message-signature", "arc-seal")
    names = [name for _ in range(instance) for name in arc][:-1]
    seal_tags = common | {"cv": cv or ("none" if instance == 1 else "pass")}
    return _field(sets, "ARC-Seal", seal_tags, key, (names, Relaxed)) + sets
