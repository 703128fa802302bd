"""Reads a mail for the intake: its parts, its text, its table; here in the calling process.

`mta.reading.confined_reader` does the same in a process with a deadline, for mails that may take long.
"""

from typing import Protocol

from addressbook.table_file import FILE_LIMIT, MAIL_ROWS_LIMIT, read_table
from mta.reading.body import ExtractedText, extract_text
from mta.reading.mime import Attachment, MailLimits, ParsedMail, read_attachment, read_mail
from sms.outcome import Refused
from sms.personalise import Table
from sms.settings import Settings


class MailReader(Protocol):
    """The three steps that read a mail's content; all are pure and never raise for any content."""

    def read(self, raw: bytes, limits: MailLimits) -> ParsedMail | Refused:
        """Return the mail's facts and parts."""

    def extract(
        self, mail: ParsedMail, settings: Settings, subject: str, *, answers: bool = False
    ) -> ExtractedText | Refused:
        """Return the text of its sender; `subject` is without options, `answers` says that it goes to who wrote."""

    def table(self, raw: bytes, attachment: Attachment) -> Table | Refused:
        """Return the rows of an attached table."""


class DirectReader:
    """Reads in the calling process."""

    def read(self, raw: bytes, limits: MailLimits) -> ParsedMail | Refused:
        """Return the mail's facts and parts."""
        return read_mail(raw, limits)

    def extract(
        self, mail: ParsedMail, settings: Settings, subject: str, *, answers: bool = False
    ) -> ExtractedText | Refused:
        """Return the text of its sender."""
        return extract_text(mail, settings, subject=subject, answers=answers)

    def table(self, raw: bytes, attachment: Attachment) -> Table | Refused:
        """Return the rows of an attached table."""
        content = read_attachment(raw, attachment, FILE_LIMIT)
        return content if isinstance(content, Refused) else read_table(content, rows_limit=MAIL_ROWS_LIMIT)
