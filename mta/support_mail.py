"""An answer about a support request as it comes by mail: its author's own words, or that no person wrote it.

Not here: whose answer it is and what follows (gateway.support_mails).
"""

import asyncio
from collections.abc import Callable
from hashlib import sha256
from typing import Final

import structlog

from gateway.support_mails import SupportMails
from mta.reading.automatic import Dropped, classify
from mta.reading.body import extract_text
from mta.reading.mime import MailLimits, read_mail
from sms.outcome import Refused
from sms.settings import Settings

log = structlog.get_logger()

_LIMITS: Final = MailLimits(parts=50, depth=5, text_octets=200_000)


class SupportDoor:
    """Reads such mails and hands them on; one that a machine wrote is taken and ends here, so that no loop begins."""

    def __init__(self, mails: SupportMails, *, own_message_id: Callable[[str], bool]) -> None:
        self._mails = mails
        self._own_message_id = own_message_id

    async def take(self, raw: bytes, reverse_path: str, local_part: str) -> Refused | None:
        """Keep an answer, or return why it is not kept."""
        read = await asyncio.to_thread(self._read, raw, reverse_path)
        if isinstance(read, Refused):
            return read
        if isinstance(read, Dropped):
            log.info("support_mail_dropped", reason=read.reason.value, mark=read.mark)
            return None
        author, text = read
        kept = await self._mails.take(local_part, author, text, sha256(raw.partition(b"\r\n\r\n")[2]).hexdigest())
        return kept if isinstance(kept, Refused) else None

    def _read(self, raw: bytes, reverse_path: str) -> tuple[str, str] | Dropped | Refused:
        mail = read_mail(raw, _LIMITS)
        if isinstance(mail, Refused):
            return mail
        found = classify(mail, reverse_path, own_message_id=self._own_message_id)
        if found is not None:
            return found
        extracted = extract_text(mail, Settings(), subject="", answers=True)
        return extracted if isinstance(extracted, Refused) else (mail.author or reverse_path, extracted.text)
