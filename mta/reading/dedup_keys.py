"""Identifies repeated mails: the key of one recipient's resubmission, the key of a repeated text.

The steps of intake are elsewhere: read_mail (mta.reading.mime), classify (mta.reading.automatic), read_options
(mta.reading.options), extract_text (mta.reading.body), read_recipient (mta.reading.addresses). Not here: how long keys
are stored (store).
"""

import re
from hashlib import blake2b
from typing import Final

from mta.reading.mime import ParsedMail

_RECEIVED: Final = re.compile(rb"^Received[ \t]*:.*(?:\n[ \t].*)*\n?", re.MULTILINE | re.IGNORECASE)
_KEY_OCTETS: Final = 16
_ALIKE_OCTETS: Final = 4


def mail_digest(mail: ParsedMail, raw: bytes, client: str) -> bytes:
    """Return the digest that identifies a mail among resubmissions: Message-ID, From, Date and body.

    Without an id: all but Received, and the client (its login or address), since others may send the same. Relays add
    Received on every attempt, so it never counts.
    """
    digest = blake2b(digest_size=_KEY_OCTETS)
    if mail.message_id:
        for text in (mail.message_id, mail.author, mail.date):
            octets = text.encode("utf-8", "replace")
            digest.update(len(octets).to_bytes(4, "big") + octets)
    else:
        octets = client.encode("utf-8", "replace")
        digest.update(len(octets).to_bytes(4, "big") + octets)
        digest.update(_RECEIVED.sub(b"", mail.header))
    digest.update(memoryview(raw)[len(mail.header) :])
    return digest.digest()


def resubmission_key(digest: bytes, customer: str, recipient_e164: str) -> bytes:
    """Return the key that lets one recipient of a mail be accepted only once; `digest` is its `mail_digest`.

    Keys of one mail begin alike, so that they are neighbours in the store. Only the rest tells them apart: among 10^9
    keys two are the same in less than one case of 10^20 (n²/2^129).
    """
    return digest[:_ALIKE_OCTETS] + _keyed(b"resubmission", digest, customer.encode(), recipient_e164.encode())


def duplicate_key(customer: str, recipient_e164: str, text: str) -> bytes:
    """Return the key of a text to a number for duplicate detection, whatever mail it came in."""
    return _keyed(b"duplicate", customer.encode(), recipient_e164.encode(), text.encode("utf-8", "replace"))


def _keyed(*fields: bytes) -> bytes:
    digest = blake2b(digest_size=_KEY_OCTETS)
    for octets in fields:
        digest.update(len(octets).to_bytes(4, "big") + octets)
    return digest.digest()
