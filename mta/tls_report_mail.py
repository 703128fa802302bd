"""A mail with a TLS report about our domains: where in it the report is, and whose signatures prove it.

Not here: the report itself (tls.received_report, gateway.received_reports), who may send it when (mta.postmaster). RFC
8460 §5.3.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

from gateway.received_reports import ReceivedReports
from mta.reading.mime import Attachment, MailLimits, read_attachment, read_mail
from mta.verify.keys import NoProof, read_key
from mta.verify.signatures import check_signature, read_signature, read_signed
from sms.outcome import Refusal, Refused
from tls.received_report import MOST_OCTETS
from tls.resolver import Resolver

_LIMITS: Final = MailLimits(parts=50, depth=5, text_octets=100_000)
_TYPES: Final = frozenset({"application/tlsrpt+gzip", "application/tlsrpt+json"})
_OTHER_TYPES: Final = frozenset(
    {"application/gzip", "application/x-gzip", "application/json", "application/octet-stream"}
)
_ENDINGS: Final = (".json", ".json.gz")
_MOST_SIGNATURES: Final = 3
_PATIENCE: Final = 10.0


def find_report(raw: bytes) -> tuple[bytes, str] | Refused:
    """Return the octets of a mail's report and the domain that its header names, or why there is none."""
    mail = read_mail(raw, _LIMITS)
    if isinstance(mail, Refused):
        return mail
    found = next(filter(_is_report, mail.attachments), None)
    if found is None:
        detail = "The mail has no TLS report: application/tlsrpt+gzip or application/tlsrpt+json."
        return Refused(refusal=Refusal.MAIL_MALFORMED, detail=detail)
    content = read_attachment(raw, found, MOST_OCTETS)
    return content if isinstance(content, Refused) else (content, mail.text("tls-report-domain"))


def _is_report(attachment: Attachment) -> bool:
    kind = attachment.media_type
    return kind in _TYPES or (kind in _OTHER_TYPES and attachment.name.lower().endswith(_ENDINGS))


class ReportMails:
    """Takes mails with reports; `resolver` finds the keys that they are signed with."""

    def __init__(self, reports: ReceivedReports, resolver: Resolver, *, now: Callable[[], datetime]) -> None:
        self._reports = reports
        self._resolver = resolver
        self._now = now

    async def take(self, raw: bytes, client: str) -> int | Refused:
        """Keep the report of a mail, and return of how many domains it was; or why it is not kept."""
        found = await asyncio.to_thread(find_report, raw)
        if isinstance(found, Refused):
            return found
        content, domain = found
        signed_by = " ".join(await self.find_signers(raw))
        return await self._reports.keep(content, source=client, signed_by=signed_by, domain=domain)

    async def find_signers(self, raw: bytes) -> tuple[str, ...]:
        """Return the domains whose DKIM signature a mail bears truly; DNS that does not answer proves nothing."""
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._find_signers(raw)
        except TimeoutError:
            return ()

    async def _find_signers(self, raw: bytes) -> tuple[str, ...]:
        mail = await asyncio.to_thread(read_signed, raw)
        if isinstance(mail, NoProof):
            return ()
        domains = set()
        for field in mail.named(b"dkim-signature")[:_MOST_SIGNATURES]:
            signature = read_signature(mail, field, self._now())
            if isinstance(signature, NoProof):
                continue
            answer = await self._resolver.txt(signature.key_name)
            key = read_key(answer.values, b"tlsrpt")
            if not isinstance(key, NoProof) and await asyncio.to_thread(check_signature, mail, signature, key) is None:
                domains.add(signature.domain)
        return tuple(sorted(domains))
