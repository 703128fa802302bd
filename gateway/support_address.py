"""The address to which an answer about a support request goes: signed, so that nobody can make up one.

Not here: what becomes of the answer (gateway.support_mails).
"""

import base64
import hmac
from hashlib import sha256
from typing import Final

from addressbook.support import Side

SECRET: Final = "support-requests"  # noqa: S105 - the name of the secret
PREFIX: Final = "support+"
_MAC_OCTETS: Final = 10
_SIDES: Final = (Side.CUSTOMER, Side.DESK)


def write_address(secret: bytes, request_key: int, side: Side, domain: str) -> str:
    """Return the address by which one side answers: up to 64 octets before the @ (RFC 5321 §4.5.3.1.1)."""
    named = request_key.to_bytes(8, "big") + bytes([_SIDES.index(side)])
    token = base64.b32encode(named + _mac(secret, named)).decode("ascii").rstrip("=").lower()
    return f"{PREFIX}{token}@{domain}"


def read_address(secret: bytes, local_part: str) -> tuple[int, Side] | None:
    """Return the key of the request and who answers it, None for a local part (of any case) that we did not sign."""
    encoded = local_part.lower().removeprefix(PREFIX).upper()
    try:
        octets = base64.b32decode(encoded + "=" * (-len(encoded) % 8))
    except ValueError:
        return None
    named, mac = octets[:-_MAC_OCTETS], octets[-_MAC_OCTETS:]
    if len(named) != 9 or named[8] >= len(_SIDES) or not hmac.compare_digest(mac, _mac(secret, named)):
        return None
    return int.from_bytes(named[:8], "big"), _SIDES[named[8]]


def _mac(secret: bytes, named: bytes) -> bytes:
    return hmac.new(secret, b"support " + named, sha256).digest()[:_MAC_OCTETS]
