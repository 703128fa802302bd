"""The aiosmtpd handler of the product: MAIL, RCPT and DATA of a proven sender become a job that is kept, or a reply.

Not here: the dialogue itself (server, dialogue), who somebody is (identify), what a mail says (judge), storing
(gateway).
"""

import shutil
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from time import monotonic
from typing import Any

import structlog

from addressbook.people import Directory
from gateway.accept import Acceptance, Kept, Stale
from gateway.book import AddressBook
from mta.identify import Identity
from mta.judge import EnvelopeRecipient, Judgement, MailEnvelope, MailJudge, Proven, Verdict
from mta.reading import Reading
from mta.smtp.replies import OK, RECIPIENT_OK, SENDER_OK, Reply, reply_to
from mta.words.confined_reader import ReaderUnavailableError
from sms.outcome import Refusal, Refused

log = structlog.get_logger()

_MOST_STALE = 5


class DiskReserve:
    """Tells whether a folder's disk still has its reserve; asks the system once a second at most."""

    def __init__(self, folder: Path, octets: int) -> None:
        self._folder = folder
        self._octets = octets
        self._asked_at = -1.0
        self._enough = True

    def enough(self) -> bool:
        """Return whether mail may be taken."""
        now = monotonic()
        if now - self._asked_at >= 1:
            self._asked_at = now
            free = shutil.disk_usage(self._folder).free
            if (free >= self._octets) != self._enough:
                log.warning("disk_reserve", free=free, reserve=self._octets)
            self._enough = free >= self._octets
        return self._enough


class MailRate:
    """Mails per minute of each customer, as a bucket that refills steadily; 0 means any number."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._buckets: dict[int, tuple[float, float]] = {}

    def take(self, customer_id: int, now: float) -> bool:
        """Take one mail's worth for a customer at a monotonic instant in seconds; False where there is none."""
        if not self._per_minute:
            return True
        level, since = self._buckets.get(customer_id, (float(self._per_minute), now))
        level = min(self._per_minute, level + (now - since) * self._per_minute / 60)
        self._buckets[customer_id] = (level - 1 if level >= 1 else level, now)
        return level >= 1


class MailHandler:
    """Fulfils aiosmtpd's hooks; session and envelope are those of mta.smtp.hooks, with the DSN parameters."""

    def __init__(  # noqa: PLR0913 - every collaborator by name
        self,
        *,
        judge: MailJudge,
        reading: Reading,
        acceptance: Acceptance,
        book: AddressBook,
        disk: DiskReserve,
        rate: MailRate,
        authentication_required: bool,
    ) -> None:
        self._judge = judge
        self._reading = reading
        self._acceptance = acceptance
        self._book = book
        self._disk = disk
        self._rate = rate
        self._authentication_required = authentication_required

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's hook
        self, _server: Any, session: Any, envelope: Any, address: str, mail_options: list[str]
    ) -> str:
        """Take the reverse-path of a proven sender; of others where the listener does not ask for a login first."""
        if not self._disk.enough():
            return str(reply_to(Refused(refusal=Refusal.NO_STORAGE)))
        proven = self.proven(session)
        if proven is None:
            return str(reply_to(Refused(refusal=Refusal.AUTHENTICATION_REQUIRED)))
        reverse_path = _plain_address(address)
        refused = self._judge.judge_reverse_path(proven, reverse_path)
        if refused is None and not self._rate.take(proven.customer_id, monotonic()):
            refused = Refused(refusal=Refusal.RATE_LIMITED)
        if refused is not None:
            log.info(
                "sender_refused", customer_id=proven.customer_id, reason=refused.refusal.value, peer=_peer(session)
            )
            return str(reply_to(refused))
        envelope.mail_from = address
        envelope.mail_options.extend(mail_options)
        return str(SENDER_OK)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's hook
        self, _server: Any, session: Any, envelope: Any, address: str, rcpt_options: list[str]
    ) -> str:
        """Take a recipient whose number this sender may write to."""
        judged = self._judge.judge_recipient(self.proven(session), _plain_address(envelope.mail_from), address)
        if isinstance(judged, Refused):
            log.info("recipient_refused", reason=judged.refusal.value, peer=_peer(session))
            return str(reply_to(judged))
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(rcpt_options)
        return str(RECIPIENT_OK)

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's hook
        """Judge the mail and keep it; «250» is said after the commit and never before."""
        proven = self.proven(session)
        facts = _mail_envelope(session, envelope)
        for _ in range(_MOST_STALE):
            try:
                judgement = await self._reading.judge(envelope.content, facts, proven)
            except ReaderUnavailableError as error:
                log.error("mail_reader_unavailable", cause=str(error)[:300])
                break
            if judgement.verdict is not Verdict.SEND or judgement.plan is None:
                return str(self._reply_unsent(judgement, session))
            kept = await self._acceptance.keep(judgement.plan)
            if isinstance(kept, Kept):
                return str(Reply(code=OK.code, enhanced=OK.enhanced, text=f"{kept.job_id} kept"))
            if isinstance(kept, Refused):
                return str(reply_to(kept))
            assert isinstance(kept, Stale)
            await self._book.refresh()
        return str(reply_to(Refused(refusal=Refusal.INTERNAL)))

    def _reply_unsent(self, judgement: Judgement, session: Any) -> Reply:
        if judgement.verdict is Verdict.DROP and judgement.dropped is not None:
            log.info("mail_dropped", reason=judgement.dropped.value, peer=_peer(session))
            return Reply(code=OK.code, enhanced=OK.enhanced, text=f"Taken and dropped ({judgement.dropped.value})")
        refused = judgement.refused or Refused(refusal=Refusal.INTERNAL)
        log.info("mail_refused", reason=refused.refusal.value, peer=_peer(session))
        return reply_to(refused)

    def proven(self, session: Any) -> Proven | None:
        """Return whose session it is: by its login, else by the client's address; None for nobody's."""
        identity = session.auth_data
        if session.authenticated and isinstance(identity, Identity):
            return Proven(customer_id=identity.customer_id, user_id=identity.user_id)
        if self._authentication_required or not session.peer:
            return None
        return prove_by_address(self._book.directory, session.peer[0])


def prove_by_address(directory: Directory, client: str) -> Proven | None:
    """Return the customer whose address range holds a client's address."""
    address = _parse_client(client)
    customer = directory.customer_of_client(address) if address is not None else None
    return Proven(customer_id=customer.id) if customer is not None and customer.active else None


@lru_cache(maxsize=1024)  # each command of a session asks
def _parse_client(client: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(client.partition("%")[0])
    except ValueError:
        return None


def _plain_address(address: str | None) -> str:
    """Return an address without brackets; empty for the null sender, which aiosmtpd gives as `<>`."""
    return "" if address in (None, "<>") else str(address)


def _peer(session: Any) -> str:
    return str(session.peer[0]) if session.peer else ""


def _mail_envelope(session: Any, envelope: Any) -> MailEnvelope:
    return MailEnvelope(
        reverse_path=_plain_address(envelope.mail_from),
        recipients=tuple(
            EnvelopeRecipient(address=address, notify=dsn.notify, orcpt=dsn.orcpt)
            for address, dsn in zip(envelope.rcpt_tos, envelope.rcpt_dsn, strict=True)
        ),
        envid=envelope.dsn.envid,
        ret=envelope.dsn.ret,
        helo=session.host_name or "",
    )
