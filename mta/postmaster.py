"""The door for what anybody may write to at our domains: postmaster, abuse and tlsrpt, and what passes.

RFC 5321 §4.5.1 and §4.1.1.3 demand postmaster of whoever takes mail, also without a domain and in any case; RFC 2142 §4
and §5 ask for abuse and postmaster. Everybody may write to them, so such a mail goes to nobody else besides. TLS
reports of others come to tlsrpt, and answers about support requests to signed addresses, within the same bounds (RFC
8460 §5). Not here: the bounds and where the mail goes
(gateway.postmaster), what is kept of a report (gateway.received_reports).
"""

from typing import Final

import structlog

from gateway.log_lines import for_log
from gateway.ports import Clock
from gateway.postmaster import NewPostmasterMail, Postmaster
from gateway.support_address import PREFIX
from mta.reading.automatic import HOP_LIMIT, NOTICE_HEADER
from mta.reading.headers import MOST_FIELDS, read_fields, split_header
from mta.received import received_field
from mta.recipients import OF_A_NUMBER
from mta.sending.forward import HEADER_OCTETS
from mta.smtp.engine.replies import OK, Reply, reply_to
from mta.smtp.server.hooks import MailEnvelope, MailSession
from mta.support_mail import SupportDoor
from mta.tls_report_mail import ReportMails
from sms.message import TlsTag
from sms.outcome import Refusal, Refused

log = structlog.get_logger()

_NAMES: Final = frozenset({"postmaster", "abuse"})
REPORTS: Final = "tlsrpt"
"""The mailbox for TLS reports of others, at each of our domains."""

APART: Final = Reply(code=452, enhanced="4.5.3", text="Mail to the postmaster goes to nobody else: send it by itself")


class PostmasterDoor:
    """Takes mail to the postmaster from a dialogue."""

    def __init__(  # noqa: PLR0913 - each mailbox by name
        self,
        postmaster: Postmaster,
        *,
        domains: tuple[str, ...],
        hostname: str,
        clock: Clock,
        reports: ReportMails | None = None,
        support: SupportDoor | None = None,
    ) -> None:
        self._postmaster = postmaster
        self._reports = reports
        self._support = support
        self._domains = frozenset(domains)
        self._hostname = hostname
        self._clock = clock

    def is_for(self, address: str) -> bool:
        """Return whether an address of RCPT is one of these."""
        if address[:1] in OF_A_NUMBER:
            return False
        mailbox = self._mailbox(address)
        of_support = self._support is not None and mailbox.startswith(PREFIX)
        return mailbox in _NAMES or of_support or (self._reports is not None and mailbox == REPORTS)

    def _mailbox(self, address: str) -> str:
        """Return the local part of an address of ours, empty for any other."""
        local, at, domain = address.rpartition("@")
        if not at:
            return domain.lower() if domain.lower() == "postmaster" else ""
        # RFC 5321 §4.1.2: quoted or not, it is the same mailbox
        return local.strip('"').lower() if domain.removesuffix(".").lower() in self._domains else ""

    def refuse_recipient(self, session: MailSession, envelope: MailEnvelope) -> Refused | None:
        """Return why the postmaster takes no mail from this client now, or not one of the size that MAIL declared."""
        most = self._postmaster.bounds.octets
        if (envelope.size or 0) > most:
            return Refused(refusal=Refusal.MAIL_TOO_LARGE, detail=f"the postmaster takes at most {most} octets")
        envelope.content_limit = most
        return self._postmaster.refuse(session.client_address)

    def admit(self, session: MailSession) -> Refused | None:
        """Count a mail before its content comes, so that strangers fill no memory; or return why none is taken."""
        return self._postmaster.admit(session.client_address)

    async def take(self, session: MailSession, envelope: MailEnvelope) -> Reply:
        """Keep a mail and say so after the commit, or refuse it."""
        raw = envelope.content if isinstance(envelope.content, bytes) else b""
        recipients = {self._mailbox(str(address)) for address in envelope.rcpt_tos}
        if self._reports is not None and recipients == {REPORTS}:
            return await self._take_report(self._reports, session, raw)
        answered = {mailbox for mailbox in recipients if mailbox.startswith(PREFIX)}
        if self._support is not None and answered:
            return await self._take_answer(self._support, session, envelope.reverse_path, raw, answered)
        received = received_field(session, hostname=self._hostname, smtp_utf8=envelope.smtp_utf8, now=self._clock.now())
        kept = _judge_header(raw) or await self._postmaster.keep(
            NewPostmasterMail(
                sender=envelope.reverse_path,
                recipients=tuple(str(address) for address in envelope.rcpt_tos),
                client=session.client_address,
                helo=for_log(session.host_name or ""),
                content=received + raw,
                # No stranger says that mail to the operator needs no TLS: only what asks for more is heeded.
                tls_tag=TlsTag.REQUIRED if envelope.require_tls else TlsTag.NONE,
            )
        )
        if isinstance(kept, Refused):
            log.info("mail_refused", reason=kept.refusal.value, peer=session.client_address, recipient="postmaster")
            return reply_to(kept)
        return Reply(code=OK.code, enhanced=OK.enhanced, text=f"{kept} kept")

    async def _take_answer(
        self, support: SupportDoor, session: MailSession, reverse_path: str, raw: bytes, answered: set[str]
    ) -> Reply:
        """Keep an answer about one support request, or refuse it; nothing is forwarded."""
        if len(answered) > 1:
            return APART
        kept = _judge_header(raw) or await support.take(raw, reverse_path, answered.pop())
        if kept is not None:
            log.info("mail_refused", reason=kept.refusal.value, peer=session.client_address, recipient="support")
            return reply_to(kept)
        return Reply(code=OK.code, enhanced=OK.enhanced, text="Answer kept")

    async def _take_report(self, reports: ReportMails, session: MailSession, raw: bytes) -> Reply:
        """Keep what a TLS report says of our domains, or refuse it; nothing is forwarded."""
        kept = _judge_header(raw) or await reports.take(raw, session.client_address)
        if isinstance(kept, Refused):
            log.info("mail_refused", reason=kept.refusal.value, peer=session.client_address, recipient=REPORTS)
            return reply_to(kept)
        return Reply(code=OK.code, enhanced=OK.enhanced, text="Report kept")


def _judge_header(raw: bytes) -> Refused | None:
    """Return why a mail is not kept: it is ours, it goes round (RFC 5321 §6.3), or its header can't be read."""
    cut = split_header(raw, 0, len(raw), HEADER_OCTETS)
    fields = read_fields(raw[: cut[0]], MOST_FIELDS) if cut is not None else None
    if fields is None:
        return Refused(refusal=Refusal.MAIL_MALFORMED, detail="The header is too long.")
    if NOTICE_HEADER.lower() in fields:
        return Refused(refusal=Refusal.MAIL_LOOP, detail="This mail was written by this gateway and came back to it.")
    if len(fields.get("received", ())) > HOP_LIMIT:
        return Refused(refusal=Refusal.MAIL_LOOP, detail=f"The mail has more than {HOP_LIMIT} Received fields.")
    return None
