"""What came of reading a customer's directory → the bytes of a mail to its administrator, with the whole as CSV.

Not here: the words (templates.directory_view), what is told when (gateway.directory_mails). RFC 5322, RFC 2046, RFC
3834, RFC 4180.
"""

from gateway.directory_mails import faults_as_csv, lines_as_csv
from gateway.ports import DirectoryMail
from mta.reading.automatic import NOTICE_HEADER
from mta.sending.compose import ComposedMail, MailIdentity, alternatives, boundary_of, notice_message_id, with_files
from mta.sending.fields import attached_csv, date, mailbox, unstructured
from templates.directory_view import DirectoryNews
from templates.render import Renderer


def compose_directory(
    mail: DirectoryMail, news: DirectoryNews, *, identity: MailIdentity, renderer: Renderer
) -> ComposedMail:
    """Return the mail about one run; the same at every attempt."""
    rendered = renderer.render_directory(news)
    message_id = notice_message_id("di", mail.identity, identity.message_id_domain)
    boundary = boundary_of(mail.identity)
    header = "".join(
        (
            mailbox("From", identity.from_name, identity.from_address),
            mailbox("To", "", mail.recipient),
            f"Date: {date(mail.created_at)}\r\n",
            f"Message-ID: {message_id}\r\n",
            unstructured("Subject", rendered.subject),
            "Auto-Submitted: auto-generated\r\n",  # RFC 3834 §5.1
            "X-Auto-Response-Suppress: All\r\n",  # honoured by Exchange (MS-OXCMAIL §2.1.3.2.20)
            unstructured(NOTICE_HEADER, mail.identity),
            f"Content-Language: {rendered.language}\r\n",
            "MIME-Version: 1.0\r\n",
        )
    )
    files: dict[str, bytes] = {}
    if news.lines:
        files["changes"] = lines_as_csv(news.lines)
    if news.faults:
        files["faults"] = faults_as_csv(news.faults, renderer.words(rendered.language))
    body = alternatives(rendered, {}, boundary, message_id)
    attached = [attached_csv(f"{news.directory}-{what}", mail.created_at, content) for what, content in files.items()]
    return ComposedMail(
        recipient=mail.recipient,
        message=header.encode() + with_files(body, boundary, attached),
        message_id=message_id,
        smtputf8=not (mail.recipient.isascii() and identity.from_address.isascii()),
    )
