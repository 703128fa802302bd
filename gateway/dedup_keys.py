"""The key of one recipient's resubmission, and the key of a text that goes to a number again.

Not here: what identifies a mail (mta.reading.dedup_keys), how long keys are kept (gateway.plan, store).
"""

from hashlib import blake2b
from typing import Final

from sms.job import FirstUse

_KEY_OCTETS: Final = 16
_ALIKE_OCTETS: Final = 4


def resubmission_key(digest: bytes, customer: str, recipient_e164: str) -> bytes:
    """Return the key under which one recipient of a mail is accepted once; `digest` is `mail_digest` of the mail.

    Keys of one mail begin alike, so that they stand side by side in the store. The rest alone tells them apart: among
    a thousand million keys two are the same in less than one case of 10^20 (n²/2^129).
    """
    return digest[:_ALIKE_OCTETS] + _keyed(
        b"resubmission", digest, customer.encode(), recipient_e164.encode("utf-8", "replace")
    )


def duplicate_key(customer: str, recipient_e164: str, text: str) -> bytes:
    """Return the key under which duplicate detection knows a text to a number, whatever mail it came in."""
    return _keyed(b"duplicate", customer.encode(), recipient_e164.encode(), text.encode("utf-8", "replace"))


def bound_key(identity: bytes, recipient: str) -> bytes:
    """Return the key of one recipient to whom the first use of a signed mail binds it; without one, of that use."""
    return identity[:_ALIKE_OCTETS] + _keyed(b"bound", identity, recipient.encode("utf-8", "replace"))


def request_use(login: str, name: str, content: bytes) -> FirstUse:
    """Return the keys by which a request that its client named is sent once, and known if its content is another."""
    identity = _keyed(b"request", login.encode(), name.encode())
    return FirstUse(marker=identity, recipients=(_keyed(b"content", identity, content),), once=True)


def _keyed(*fields: bytes) -> bytes:
    digest = blake2b(digest_size=_KEY_OCTETS)
    for octets in fields:
        digest.update(len(octets).to_bytes(4, "big") + octets)
    return digest.digest()
