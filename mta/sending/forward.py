"""Forwards a mail for the postmaster to the operator's mailbox: attached to a small mail of ours, which we sign.

It is attached, not relayed: with our envelope its SPF fails, and its DKIM passes only by chance, so that the DMARC
policy of its author's domain would refuse it. The attachment is the mail as received, octet by octet, behind our
Received line. The envelope's sender is null, so that nothing comes back (RFC 5321 §4.5.5); if it still does, the mark
of our own mails identifies it.
"""

import hashlib
import re
from typing import Final

from gateway.ports import PostmasterMail
from mta.reading.automatic import NOTICE_HEADER
from mta.reading.headers import MOST_FIELDS, decoded_text, read_fields, split_header
from mta.sending.compose import ComposedMail, MailIdentity, notice_message_id
from mta.sending.fields import base64_lines, date, mailbox, multipart, part, quoted_printable, scrub, unstructured

HEADER_OCTETS: Final = 100_000
_SUBJECT: Final = 200
_LONG_LINE: Final = re.compile(rb"[^\r\n]{999}")


def compose_forward(mail: PostmasterMail, *, identity: MailIdentity) -> ComposedMail:
    """Return the mail that brings a mail to the operator; the same at every attempt."""
    message_id = notice_message_id("pm", mail.identity, identity.message_id_domain)
    # An attachment cannot contain its own digest.
    boundary = f"=_{hashlib.sha256(mail.content).hexdigest()[:40]}"
    header = "".join(
        (
            mailbox("From", identity.from_name, identity.from_address),
            mailbox("To", "", mail.recipient),
            f"Date: {date(mail.received_at)}\r\n",
            f"Message-ID: {message_id}\r\n",
            unstructured("Subject", f"Mail to the postmaster: {_subject(mail.content)}"),
            "Auto-Submitted: auto-generated\r\n",  # RFC 3834 §5.1
            "X-Auto-Response-Suppress: All\r\n",
            unstructured(NOTICE_HEADER, mail.identity),
            unstructured("X-Loop", f"postmaster@{identity.hostname}"),
            "MIME-Version: 1.0\r\n",
            f'Content-Type: multipart/mixed;\r\n boundary="{boundary}"\r\n\r\n',
        )
    )
    words = part("text/plain; charset=utf-8", "quoted-printable", quoted_printable(_words(mail)))
    return ComposedMail(
        recipient=mail.recipient,
        message=header.encode() + multipart(boundary, (words, _attached(mail.content))),
        message_id=message_id,
        smtputf8=not (mail.recipient.isascii() and identity.from_address.isascii()),
        tls_tag=mail.tls_tag,
    )


def _subject(content: bytes) -> str:
    cut = split_header(content, 0, len(content), HEADER_OCTETS)
    fields = read_fields(content[: cut[0]], MOST_FIELDS) if cut is not None else None
    values = (fields or {}).get("subject")
    if not values:
        return "(no subject)"
    return decoded_text({"subject": [values[0][: 4 * _SUBJECT]]}, "subject")[:_SUBJECT]


def _words(mail: PostmasterMail) -> str:
    return (
        "Somebody wrote to the postmaster of this gateway; the mail is attached as it came.\n\n"
        f"Sender:   <{scrub(mail.sender)}>\n"
        f"For:      {scrub(mail.recipients)}\n"
        f"Client:   {scrub(mail.client)}, which called itself {scrub(mail.helo) or 'nothing'}\n"
        f"Received: {mail.received_at:%Y-%m-%d %H:%M:%S} UTC as {mail.identity}\n\n"
        "Nobody proved who he is. The gateway answers nothing to this mail: the sender hears from you, or not at all.\n"
    )


def _attached(content: bytes) -> bytes:
    """Return the part with the mail.

    message/rfc822 must not be encoded (RFC 2046 §5.2.1), and relays may change a mail that is not 7-bit, which breaks
    the signature (RFC 6376 §5.3): such a mail is attached as a file.
    """
    if content.isascii() and b"\0" not in content and _LONG_LINE.search(content) is None:
        disposition = 'Content-Disposition: attachment; filename="mail.eml"'
        ended = content if content.endswith(b"\r\n") else content + b"\r\n"
        return part("message/rfc822", "7bit", ended, disposition)
    file = 'application/octet-stream;\r\n name="mail.eml"'
    return part(file, "base64", base64_lines(content), 'Content-Disposition: attachment;\r\n filename="mail.eml"')
