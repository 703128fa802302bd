"""A letter as a mail: its words in the language of its customer. Not here: who gets one (gateway.letters)."""

from datetime import datetime

from gateway.ports import Letter
from mta.sending.compose import ComposedMail, MailIdentity, alternatives, boundary_of, notice_message_id, with_files
from mta.sending.fields import attached_csv, attached_workbook, date, mailbox, unstructured
from templates.render import Rendered, Renderer


def compose_letter(
    letter: Letter, language: str, *, identity: MailIdentity, renderer: Renderer, now: datetime
) -> ComposedMail:
    """Return the mail of a letter; an answer to it goes to `reply_to`, where it has one."""
    words = renderer.words(language)
    subject = words.say(f"letter.{letter.words}-subject", **letter.fields)
    text = words.say(f"letter.{letter.words}-text", **letter.fields)
    message_id = notice_message_id("le", letter.identity, identity.message_id_domain)
    boundary = boundary_of(letter.identity)
    header = "".join(
        (
            mailbox("From", identity.from_name, identity.from_address),
            mailbox("To", "", letter.recipient),
            mailbox("Reply-To", "", letter.reply_to) if letter.reply_to else "",
            f"Date: {date(now)}\r\n",
            f"Message-ID: {message_id}\r\n",
            unstructured("Subject", subject),
            "Auto-Submitted: auto-generated\r\n",  # RFC 3834 §5.1
            "X-Auto-Response-Suppress: All\r\n",
            unstructured("X-Mail2SMS-Notice", letter.identity),
            "MIME-Version: 1.0\r\n",
            f"Content-Language: {words.language}\r\n",
        )
    )
    html = renderer.render_letter(subject, text, words, answered=bool(letter.reply_to))
    files = [attached_csv(letter.attached, now, letter.table)] if letter.table else []
    if letter.workbook:
        files.append(attached_workbook(letter.attached, now, letter.workbook))
    rendered = Rendered(subject=subject, html=html, text=text, language=words.language)
    return ComposedMail(
        recipient=letter.recipient,
        message=header.encode() + with_files(alternatives(rendered, {}, boundary, message_id), boundary, files),
        message_id=message_id,
        smtputf8=not (letter.recipient.isascii() and identity.from_address.isascii()),
    )
