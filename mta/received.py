"""The trace field of a mail that came in. RFC 5321 §4.4, with the protocol's name of RFC 3848 and RFC 6531 §4.3.

It says what this end saw: nothing in it is the client's word but the name of its HELO, cut to what a host's name may
hold, so that no content of a field can be forged by it.
"""

import re
from datetime import datetime
from typing import Final

from mta.sending.fields import date
from mta.smtp.server.hooks import MailSession

_NO_HOST: Final = re.compile(r"[^A-Za-z0-9.:_\[\]-]+")


def received_field(session: MailSession, *, hostname: str, smtp_utf8: bool, now: datetime) -> bytes:
    """Return the field with its line end, folded."""
    name = _NO_HOST.sub("", session.host_name or "")[:255] or "unknown"
    client = session.client_address.partition("%")[0]
    literal = f"IPv6:{client}" if ":" in client else client
    version, _, cipher = session.tls.partition(" ")
    lines = (
        f"Received: from {name} ([{literal}])",
        *([f"(using {version} with cipher {cipher})"] if version else []),
        f"by {hostname} with {_protocol(session, smtp_utf8=smtp_utf8)};",
        date(now),
    )
    return "\r\n\t".join(lines).encode("ascii", "replace") + b"\r\n"


def _protocol(session: MailSession, *, smtp_utf8: bool) -> str:
    if not session.extended_smtp:
        return "SMTP"
    return (
        ("UTF8SMTP" if smtp_utf8 else "ESMTP") + ("S" if session.tls else "") + ("A" if session.authenticated else "")
    )
