"""Identifies repeated mails.

The steps of intake are elsewhere: read_mail (mta.reading.mime), classify (mta.reading.automatic), read_options
(mta.reading.options), extract_text (mta.reading.body), read_recipient (mta.reading.addresses). Not here: the keys of a
mail's recipients (gateway.dedup_keys).
"""

import re
from hashlib import blake2b
from typing import Final

from mta.reading.mime import ParsedMail

_RECEIVED: Final = re.compile(rb"^Received[ \t]*:.*(?:\n[ \t].*)*\n?", re.MULTILINE | re.IGNORECASE)
_KEY_OCTETS: Final = 16


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
