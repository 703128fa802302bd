"""Inbound SMS → the bytes of a mail that reads as if the handset had written it, and lists of them.

From shows the handset, Reply-To names the conversation, and all mails of a conversation are one thread, also to a
reader that knows none of the earlier ones: References begins with an id of the conversation. The envelope's sender is
null, so that nothing comes back; what the next hop says at once decides (gateway.outbox). Not here: the words
(templates), whose settings hold (gateway.inbound_mail), DKIM (mta.sending.sign). RFC 5322, RFC 3834.
"""

from datetime import UTC, datetime
from typing import Final

from gateway.inbound_mail import Addressed
from gateway.ports import InboundList, InboundMail
from inbound.thread import mail_id, root_id
from mta.reading.automatic import NOTICE_HEADER
from mta.sending.compose import ComposedMail, CustomerTemplate, MailIdentity, alternatives, boundary_of, graphics_of
from mta.sending.fields import attached_csv, date, mailbox, multipart, part, quoted_printable, thread, unstructured
from mta.sending.outlook_thread import first_index, index_of_answer
from sms.number import show_number
from sms.settings import Settings
from templates.graphics import Graphic
from templates.render import Renderer
from templates.shown_text import show_line
from templates.words import Words

_THREADS_BEGAN: Final = datetime(2020, 1, 1, tzinfo=UTC)
_LONGEST_NAME: Final = 60


def compose_inbound(  # noqa: PLR0913 - what a mail is made of, by name
    mail: InboundMail,
    addressed: Addressed,
    *,
    identity: MailIdentity,
    renderer: Renderer,
    template: CustomerTemplate | None = None,
    logo: Graphic | None = None,
) -> ComposedMail:
    """Return the mail of an inbound SMS; the same at every attempt, as long as the settings are."""
    report = addressed.report
    rendered = renderer.render_inbound(
        report, addressed.reader, override=template.source if template else None, logo=logo
    )
    shown = f"SMS {show_line(show_number(report.phone))}"
    if addressed.reader.name:
        shown = f"{show_line(addressed.reader.name)[:_LONGEST_NAME]} ({shown})"
    number = f"{report.phone}@{identity.number_domain or identity.message_id_domain}"
    author = number if addressed.reply_to else identity.from_address
    message_id = mail_id(mail.identity, identity.message_id_domain)
    boundary = boundary_of(mail.identity)
    header = "".join(
        (
            mailbox("From", shown, author),
            mailbox("Reply-To", shown, addressed.reply_to) if addressed.reply_to else "",
            mailbox("To", "", mail.recipient),
            f"Date: {date(report.received_at)}\r\n",
            f"Message-ID: {message_id}\r\n",
            _thread(mail, identity.message_id_domain, rendered.subject),
            unstructured("Subject", rendered.subject),
            *_automatic(mail.identity),
            f"Content-Language: {rendered.language}\r\n",
            "MIME-Version: 1.0\r\n",
            f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n',
        )
    )
    return ComposedMail(
        recipient=mail.recipient,
        message=header.encode() + alternatives(rendered, graphics_of(template, logo), boundary, message_id),
        message_id=message_id,
        smtputf8=not (mail.recipient.isascii() and author.isascii()),
        fallback=rendered.fallback,
        author_domain=author.rpartition("@")[2],
    )


def _automatic(identity: str) -> tuple[str, str, str]:
    """Return the fields that keep machines quiet, and the mark of our own mails."""
    return (
        "Auto-Submitted: auto-generated\r\n",  # RFC 3834 §5.1
        "X-Auto-Response-Suppress: All\r\n",  # honoured by Exchange (MS-OXCMAIL §2.1.3.2.20)
        unstructured(NOTICE_HEADER, identity),
    )


def _thread(mail: InboundMail, domain: str, subject: str) -> str:
    conversation = mail.report.conversation_key
    if conversation is None:
        return ""
    root = root_id(conversation, domain)
    previous = f"<{mail.previous}@{domain}>" if mail.previous else root
    return "".join(
        (
            thread(previous, root),
            unstructured("Thread-Topic", subject),
            f"Thread-Index: {thread_index(root, mail.identity, mail.report.received_at)}\r\n",
        )
    )


def thread_index(root: str, identity: str, at: datetime) -> str:
    """Return what Outlook keeps a conversation together by: an answer to its root, for each mail."""
    return index_of_answer(first_index(root, _THREADS_BEGAN), at, identity)


def compose_list(listed: InboundList, settings: Settings, words: Words, *, identity: MailIdentity) -> ComposedMail:
    """Return a short mail with a list of inbound SMS attached; the same at every attempt."""
    message_id = mail_id(listed.identity, identity.message_id_domain)
    boundary = boundary_of(listed.identity)
    name, day = show_line(listed.name), words.date(listed.created_at, settings.time_zone)
    count = words.count("list.full" if listed.whole else "list.changes", listed.count)
    text = f"{count}\n\n{words.say('list.times')}\n{words.say('inbound.footer')}\n"
    header = "".join(
        (
            mailbox("From", identity.from_name, identity.from_address),
            mailbox("To", "", listed.recipient),
            f"Date: {date(listed.created_at)}\r\n",
            f"Message-ID: {message_id}\r\n",
            unstructured("Subject", words.say("list.subject", name=name, date=day)),
            *_automatic(listed.identity),
            f"Content-Language: {words.language}\r\n",
            "MIME-Version: 1.0\r\n",
            f'Content-Type: multipart/mixed; boundary="{boundary}"\r\n\r\n',
        )
    )
    words_part = part("text/plain; charset=utf-8", "quoted-printable", quoted_printable(text))
    attached = attached_csv(name, listed.created_at, listed.content)
    return ComposedMail(
        recipient=listed.recipient,
        message=header.encode() + multipart(boundary, (words_part, attached)),
        message_id=message_id,
        smtputf8=not (listed.recipient.isascii() and identity.from_address.isascii()),
    )
