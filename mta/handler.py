"""The aiosmtpd handler of the product: MAIL, RCPT and DATA of a proven sender become a job that is kept, or a reply.

Everybody may write to the postmaster (RFC 5321 §4.5.1): where no login is demanded, what is wrong with a sender who has
not logged in is said at RCPT. Not here: the dialogue itself (server, dialogue), who somebody is (identify), what a mail
says (judge), the postmaster's mail (postmaster), storing (gateway).
"""

import shutil
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import structlog

from addressbook.people import Directory
from gateway.accept import Accepted, SnapshotChanged
from gateway.directory import DirectoryFollower
from gateway.dropped import DroppedMails
from mta.identify import Identity
from mta.intake import Decision, Disposition, EnvelopeRecipient, MailIntake, Proven, ReceivedEnvelope
from mta.intake_pool import IntakePool
from mta.postmaster import APART, PostmasterDoor
from mta.reading.confined_reader import ReaderUnavailableError
from mta.repeats import Repeats
from mta.smtp.engine.replies import OK, RECIPIENT_OK, SENDER_OK, TEXT_LIMIT, Reply, is_permanent, printable, reply_to
from mta.smtp.server.hooks import eager_hook
from sms.outcome import Refusal, Refused

log = structlog.get_logger()

T = TypeVar("T")

_MOST_STALE = 5
_CLIENTS_REMEMBERED = 1_000
_SENDER_TAKEN, _RECIPIENT_TAKEN = str(SENDER_OK), str(RECIPIENT_OK)


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
    """Fulfils aiosmtpd's hooks; session and envelope are those of mta.smtp.server.hooks, with the DSN parameters."""

    def __init__(  # noqa: PLR0913 - every collaborator by name
        self,
        *,
        judge: MailIntake,
        reading: IntakePool,
        repeats: Repeats,
        dropped: DroppedMails,
        book: DirectoryFollower,
        disk: DiskReserve,
        rate: MailRate,
        authentication_required: bool,
        postmaster: PostmasterDoor | None = None,
    ) -> None:
        self._judge = judge
        self._reading = reading
        self._repeats = repeats
        self._dropped = dropped
        self._book = book
        self._disk = disk
        self._rate = rate
        self._authentication_required = authentication_required
        self._postmaster = postmaster
        # Of one directory: MAIL, each RCPT and DATA ask whose client it is.
        self._proven: tuple[Directory, dict[str, Proven | None]] = (book.directory, {})

    @eager_hook
    async def handle_MAIL(  # noqa: N802 - aiosmtpd's hook
        self, _server: Any, session: Any, envelope: Any, address: str, mail_options: list[str]
    ) -> str:
        """Take the reverse-path of a proven sender; of others where they may write to the postmaster."""
        if not self._disk.enough():
            return str(reply_to(Refused(refusal=Refusal.NO_STORAGE)))
        if self._is_heard_at_rcpt(session):
            refused = None
        else:
            refused = await self._certain(lambda: self._judge_sender(self.proven(session), address))
        proven = self.proven(session)
        if refused is None and proven is not None and not self._rate.take(proven.customer_id, monotonic()):
            refused = Refused(refusal=Refusal.RATE_LIMITED)
        if refused is not None:
            if proven is not None:
                log.info(
                    "sender_refused", customer_id=proven.customer_id, reason=refused.refusal.value, peer=_peer(session)
                )
            return str(reply_to(refused))
        envelope.mail_from = address
        envelope.mail_options.extend(mail_options)
        return _SENDER_TAKEN

    @eager_hook
    async def handle_RCPT(  # noqa: N802 - aiosmtpd's hook
        self, _server: Any, session: Any, envelope: Any, address: str, rcpt_options: list[str]
    ) -> str:
        """Take a recipient whose number this sender may write to, or the postmaster."""
        door = self._postmaster
        if door is not None and door.is_for(address):
            if envelope.rcpt_tos and not door.is_for(envelope.rcpt_tos[0]):
                return str(APART)
            judged: object = door.refuse_recipient(session, envelope)
        else:
            judged = await self._certain(lambda: self._judge_recipient(session, envelope, address))
        if isinstance(judged, Reply):
            return str(judged)
        if isinstance(judged, Refused):
            log.info("recipient_refused", reason=judged.refusal.value, peer=_peer(session))
            return str(reply_to(judged))
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(rcpt_options)
        return _RECIPIENT_TAKEN

    @eager_hook
    async def handle_CONTENT(self, _server: Any, session: Any, envelope: Any) -> str | None:  # noqa: N802 - a hook
        """Let the content come; a stranger's to the postmaster is counted first."""
        if self._postmaster is None or not self._is_for_postmaster(envelope):
            return None
        refused = self._postmaster.admit(session)
        return None if refused is None else str(reply_to(refused))

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's hook
        """Judge the mail and keep it; «250» is said after the commit and never before."""
        if self._postmaster is not None and self._is_for_postmaster(envelope):
            return str(await self._postmaster.take(session, envelope))
        proven = self.proven(session)
        facts = _mail_envelope(session, envelope)
        for _ in range(_MOST_STALE):
            version = self._book.version
            try:
                judgement = await self._reading.judge(envelope.content, facts, proven)
            except ReaderUnavailableError as error:
                log.error("mail_reader_unavailable", cause=str(error)[:300])
                break
            if judgement.refused is not None and is_permanent(judgement.refused):
                if not await self._book.confirm():
                    break
                if self._book.version != version:
                    continue
            if judgement.verdict is not Disposition.SEND or judgement.plan is None:
                return str(await self._reply_unsent(judgement, session))
            kept = await self._repeats.keep(judgement.plan, session.delivered_replies)
            if isinstance(kept, Accepted):
                return str(Reply(code=OK.code, enhanced=OK.enhanced, text=f"{kept.job_id} kept"))
            if isinstance(kept, Refused):
                return str(reply_to(kept))
            assert isinstance(kept, SnapshotChanged)
            await self._book.refresh()
        return str(reply_to(Refused(refusal=Refusal.INTERNAL)))

    async def _reply_unsent(self, judgement: Decision, session: Any) -> Reply:
        """Return the reply to a mail that becomes no job; of one that is dropped the trace is kept before."""
        if judgement.dropped is not None:
            traced = await self._dropped.keep(judgement.dropped, _peer(session))
            if isinstance(traced, Refused):
                return reply_to(traced)
            told = f"{traced} taken, not sent: {judgement.dropped.reason} by {judgement.dropped.mark}"
            return Reply(code=OK.code, enhanced=OK.enhanced, text=printable(told, TEXT_LIMIT))
        refused = judgement.refused or Refused(refusal=Refusal.INTERNAL)
        log.info("mail_refused", reason=refused.refusal.value, peer=_peer(session))
        return reply_to(refused)

    async def _certain(self, judge: Callable[[], T]) -> T | Refused:
        """Return what `judge` says; a «no» for good is asked for again with what the database holds now."""
        judged = judge()
        if not isinstance(judged, Refused) or not is_permanent(judged):
            return judged
        return judge() if await self._book.confirm() else Refused(refusal=Refusal.INTERNAL)

    def _judge_recipient(self, session: Any, envelope: Any, address: str) -> object:
        proven = self.proven(session)
        refused = self._judge_sender(proven, envelope.mail_from) if self._is_heard_at_rcpt(session) else None
        if refused is None and self._is_for_postmaster(envelope):
            return APART
        return refused or self._judge.judge_recipient(proven, _plain_address(envelope.mail_from), address)

    def _judge_sender(self, proven: Proven | None, address: str | None) -> Refused | None:
        if proven is None:
            return Refused(refusal=Refusal.AUTHENTICATION_REQUIRED)
        return self._judge.judge_reverse_path(proven, _plain_address(address))

    def _is_heard_at_rcpt(self, session: Any) -> bool:
        """Tell whether MAIL is answered 250 whoever it is: not on a port for submission (RFC 6409 §4.3)."""
        return self._postmaster is not None and not (self._authentication_required or session.authenticated)

    def _is_for_postmaster(self, envelope: Any) -> bool:
        door = self._postmaster
        return door is not None and bool(envelope.rcpt_tos) and door.is_for(envelope.rcpt_tos[0])

    def proven(self, session: Any) -> Proven | None:
        """Return whose session it is: by its login, else by the client's address; None for nobody's."""
        identity = session.auth_data
        if session.authenticated and isinstance(identity, Identity):
            return Proven(customer_id=identity.customer_id, user_id=identity.user_id)
        if self._authentication_required or not session.peer:
            return None
        directory = self._book.directory
        proven_by, proven = self._proven
        if directory is not proven_by or len(proven) >= _CLIENTS_REMEMBERED:
            proven = {}
            self._proven = (directory, proven)
        client = session.peer[0]
        if client not in proven:
            proven[client] = prove_by_address(directory, client)
        return proven[client]


def prove_by_address(directory: Directory, client: str) -> Proven | None:
    """Return the customer whose address range holds a client's address."""
    try:
        address = ip_address(client.partition("%")[0])
    except ValueError:
        return None
    customer = directory.customer_of_client(address)
    return Proven(customer_id=customer.id) if customer is not None and customer.active else None


def _plain_address(address: str | None) -> str:
    """Return an address without brackets; empty for the null sender, which aiosmtpd gives as `<>`."""
    return "" if address in (None, "<>") else str(address)


def _peer(session: Any) -> str:
    return str(session.peer[0]) if session.peer else ""


def _mail_envelope(session: Any, envelope: Any) -> ReceivedEnvelope:
    return ReceivedEnvelope(
        reverse_path=_plain_address(envelope.mail_from),
        recipients=tuple(
            EnvelopeRecipient(address=address, notify=dsn.notify, orcpt=dsn.orcpt)
            for address, dsn in zip(envelope.rcpt_tos, envelope.rcpt_dsn, strict=True)
        ),
        envid=envelope.dsn.envid,
        ret=envelope.dsn.ret,
        helo=session.host_name or "",
        client=session.auth_data.login if isinstance(session.auth_data, Identity) else _peer(session),
    )
