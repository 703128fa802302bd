"""The local part of the Reply-To of an inbound SMS's mail: it names the conversation and can't be guessed.

It proves nobody: who answers is proven as for any mail. It needs no look-up, so it survives forwarding, and works as
long as its key does. Not here: the key (store.secrets), what an answer becomes (mta.recipients).
"""

import base64
import hmac
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

_PREFIX: Final = "r."
_LOCAL: Final = re.compile(r"r\.[a-z2-7]{20,62}")
_MAC_OCTETS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A customer's exchange with a handset by one of our numbers or another sender ID; both are digits or a name."""

    customer_key: int
    phone: str
    own_number: str


def write_reply_token(secret: bytes, conversation: Conversation) -> str:
    """Return the local part, up to 64 octets (RFC 5321 §4.5.3.1.1), lower-case letters, digits and one dot."""
    named = (
        conversation.customer_key.to_bytes(8, "big") + _packed(conversation.phone) + _packed(conversation.own_number)
    )
    octets = named + _mac(secret, named)
    return _PREFIX + base64.b32encode(octets).decode("ascii").rstrip("=").lower()


def read_reply_token(secret: bytes, local_part: str) -> Conversation | None:
    """Return the conversation that a local part of any case names, None where it is no token of ours."""
    text = local_part.lower()
    if not _LOCAL.fullmatch(text):
        return None
    encoded = text.removeprefix(_PREFIX).upper()
    try:
        octets = base64.b32decode(encoded + "=" * (-len(encoded) % 8))
    except ValueError:
        return None
    named, mac = octets[:-_MAC_OCTETS], octets[-_MAC_OCTETS:]
    if not hmac.compare_digest(mac, _mac(secret, named)):
        return None
    phone, rest = _unpacked(named[8:])
    own_number, _ = _unpacked(rest)
    return Conversation(customer_key=int.from_bytes(named[:8], "big"), phone=phone, own_number=own_number)


def is_reply_token(local_part: str) -> bool:
    """Return whether a local part has the form of a token, whoever made it."""
    return _LOCAL.fullmatch(local_part.lower()) is not None


def _mac(secret: bytes, named: bytes) -> bytes:
    return hmac.new(secret, b"reply " + named, sha256).digest()[:_MAC_OCTETS]


def _packed(address: str) -> bytes:
    """Return an address behind its length: digits two to the octet, another text as it is."""
    if address.isdecimal() and address.isascii() and len(address) <= 20:
        nibbles = address + "f" * (len(address) % 2)
        return bytes([len(nibbles) // 2]) + bytes.fromhex(nibbles)
    octets = address.encode("utf-8")[:20]
    return bytes([0x80 | len(octets)]) + octets


def _unpacked(octets: bytes) -> tuple[str, bytes]:
    length = octets[0]
    if length & 0x80:
        end = 1 + (length & 0x7F)
        return octets[1:end].decode("utf-8", "replace"), octets[end:]
    return octets[1 : 1 + length].hex().rstrip("f"), octets[1 + length :]
