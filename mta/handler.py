"""The aiosmtpd handler of the product: MAIL, RCPT and DATA of a proven sender become a job that is kept, or a reply.

Whom neither login nor address proves may be proven by the mail itself, after DATA (mta.verify): until then only the
form of recipients is judged.
Everybody may write to the postmaster (RFC 5321 §4.5.1): where no login is demanded, what is wrong with a sender who has
not logged in is said at RCPT. Not here: the dialogue itself (server, dialogue), who somebody is (identify), what a mail
says (judge), the postmaster's mail (postmaster), storing (gateway).
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import structlog
from msgspec.structs import replace

from addressbook.senders import Principal
from gateway.accept import Accepted, SnapshotChanged
from gateway.directory import DirectoryFollower
from gateway.dropped import DroppedMails
from gateway.judging import judge_and_do
from gateway.limits import DiskReserve
from gateway.metrics import Metric, Metrics
from gateway.plan import stopped
from gateway.taking_back import TakenBack, TakingBack
from mta.envelope import EnvelopeRecipient, ReceivedEnvelope
from mta.identify import ListenerTerms, bind, identify
from mta.intake import Decision, MailIntake
from mta.intake_pool import IntakePool
from mta.mechanisms import SessionProofs
from mta.postmaster import APART, PostmasterDoor
from mta.reading.confined_reader import ReaderUnavailableError
from mta.repeats import Repeats
from mta.smtp.engine.replies import OK, RECIPIENT_OK, SENDER_OK, TEXT_LIMIT, Reply, is_permanent, printable, reply_to
from mta.smtp.server.hooks import MailEnvelope, MailSession, eager_hook
from mta.verify.prover import ProofRequest, Prover, Verdict
from sms.message import Origin
from sms.number import MobileNumber
from sms.outcome import Refusal, Refused

log = structlog.get_logger()

P = ParamSpec("P")
T = TypeVar("T")
Judged = tuple[Principal | None, T]
"""Whose session it is, and what is said of what it asks."""

_SENDER_TAKEN, _RECIPIENT_TAKEN = str(SENDER_OK), str(RECIPIENT_OK)


class MailHandler:
    """Fulfils aiosmtpd's hooks."""

    def __init__(  # noqa: PLR0913 - every collaborator by name
        self,
        *,
        judge: MailIntake,
        reading: IntakePool,
        repeats: Repeats,
        taking_back: TakingBack,
        dropped: DroppedMails,
        book: DirectoryFollower,
        disk: DiskReserve,
        terms: ListenerTerms,
        sessions: SessionProofs,
        prover: Prover | None = None,
        postmaster: PostmasterDoor | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._metrics = metrics or Metrics()
        self._judge = judge
        self._reading = reading
        self._repeats = repeats
        self._taking_back = taking_back
        self._dropped = dropped
        self._book = book
        self._disk = disk
        self._terms = terms
        self._sessions = sessions
        self._prover = None if terms.by_login_only else prover
        self._postmaster = postmaster

    @eager_hook
    async def handle_MAIL(  # noqa: N802 - aiosmtpd's hook
        self, _server: object, session: MailSession, envelope: MailEnvelope, address: str, mail_options: list[str]
    ) -> str:
        """Take the reverse-path of a proven sender; of others where they may write to the postmaster."""
        if not self._disk.enough():
            return str(self._refuse(Refused(refusal=Refusal.NO_STORAGE)))
        principal, refused = await self._certain(self._judge_mail, session, address)
        customer = principal.customer_id if principal is not None else None
        if refused is not None:
            if customer is not None:
                reason = refused.refusal.value
                log.info("sender_refused", customer_id=customer, reason=reason, peer=session.client_address)
            return str(self._refuse(refused))
        limited = session.quota.begin_mail(customer)
        if limited is not None:
            log.info("sender_limited", customer_id=customer, peer=session.client_address)
            return str(self._refuse(limited) if isinstance(limited, Refused) else limited)
        envelope.mail_from = address
        envelope.mail_options.extend(mail_options)
        return _SENDER_TAKEN

    @eager_hook
    async def handle_RCPT(  # noqa: N802 - aiosmtpd's hook
        self, _server: object, session: MailSession, envelope: MailEnvelope, address: str, rcpt_options: list[str]
    ) -> str:
        """Take a recipient whose number this sender may write to, or the postmaster."""
        door = self._postmaster
        refused: Refused | None
        if door is not None and door.is_for(address):
            if envelope.rcpt_tos and not envelope.for_postmaster:
                return str(APART)
            refused = door.refuse_recipient(session, envelope)
            envelope.for_postmaster = envelope.for_postmaster or refused is None
        else:
            principal: Principal | None = None
            judged: MobileNumber | Refused | Reply | None = session.quota.take_recipient(len(envelope.rcpt_tos))
            if judged is None:
                principal, judged = await self._certain(self._judge_recipient, session, envelope, address)
            if isinstance(judged, Reply):
                return str(judged)
            refused = judged if isinstance(judged, Refused) else await self._refuse_stopped(principal, judged)
        if refused is not None:
            log.info("recipient_refused", reason=refused.refusal.value, peer=session.client_address)
            return str(self._refuse(refused))
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(rcpt_options)
        return _RECIPIENT_TAKEN

    @eager_hook
    async def handle_CONTENT(  # noqa: N802 - a hook
        self, _server: object, session: MailSession, envelope: MailEnvelope
    ) -> str | None:
        """Let the content come; that of a stranger is counted first."""
        if self._postmaster is not None and envelope.for_postmaster:
            refused = self._postmaster.admit(session)
        else:
            refused = session.quota.take_content()
        return None if refused is None else str(self._refuse(refused))

    async def handle_DATA(  # noqa: N802 - aiosmtpd's hook
        self, _server: object, session: MailSession, envelope: MailEnvelope
    ) -> str:
        """Judge the mail and keep it; «250» is said after the commit and never before."""
        if self._postmaster is not None and envelope.for_postmaster:
            return str(await self._postmaster.take(session, envelope))
        principal = self.principal(session)
        raw = envelope.content if isinstance(envelope.content, bytes) else b""
        facts = _received(session, envelope, principal)
        if principal is None and self._prover is not None:
            verdict = await self._prove(self._prover, session, facts, raw)
            if isinstance(verdict, Refused):
                return str(self._refuse(verdict))
            principal = verdict.principal and bind(verdict.principal, session, self._book.current, self._terms)
            facts = replace(facts, identity=verdict.identity, first_use=verdict.first_use)
        return str(await self._keep(session, facts, raw, principal))

    async def _keep(
        self, session: MailSession, facts: ReceivedEnvelope, raw: bytes, principal: Principal | None
    ) -> Reply:
        """Judge a mail as often as the address book changes meanwhile, keep what may be sent, and return the reply."""
        try:
            replied = await judge_and_do(
                self._book,
                lambda: self._reading.judge(raw, facts, principal),
                lambda decision: self._carry_out(decision, session),
                is_no=lambda decision: decision.refused is not None and is_permanent(decision.refused),
            )
        except ReaderUnavailableError as error:
            log.error("mail_reader_unavailable", cause=str(error)[:300])
            replied = Refused(refusal=Refusal.INTERNAL)
        return self._refuse(replied) if isinstance(replied, Refused) else replied

    async def _prove(
        self, prover: Prover, session: MailSession, facts: ReceivedEnvelope, raw: bytes
    ) -> Verdict | Refused:
        """Prove by what a mail says of itself whose it is; it counts from then on as a mail of this customer's."""
        asked = ProofRequest(
            raw=raw,
            reverse_path=facts.reverse_path,
            recipients=tuple(item.address for item in facts.recipients),
            client=session.client_address,
            helo=facts.helo,
        )
        verdict = await prover.prove(asked, self._book.current)
        refused, principal = verdict.refused, verdict.principal
        if principal is not None:
            limited = session.quota.prove_content(principal.customer_id)
            _, refused = await self._certain(
                lambda: (principal, self._judge.judge_reverse_path(principal, facts.reverse_path))
            )
            refused = refused or limited
        if refused is None:
            return verdict
        peer, why = session.client_address, printable(refused.detail, TEXT_LIMIT)
        log.info("sender_unproven", reason=refused.refusal.value, domain=verdict.domain, why=why, peer=peer)
        return refused

    async def _carry_out(self, decision: Decision, session: MailSession) -> Reply | SnapshotChanged:
        """Do what was decided and return the reply."""
        done: Accepted | TakenBack | SnapshotChanged | Refused
        if decision.cancel is not None:
            done = await self._taking_back.take(decision.cancel)
        elif decision.refused is not None or decision.plan is None:
            return await self._reply_unsent(decision, session)
        else:
            done = await self._repeats.keep(decision.plan, session.delivered_replies)
        if isinstance(done, SnapshotChanged):
            return done
        if isinstance(done, Refused):
            return self._refuse(done)
        text = f"{done.job_id} kept" if isinstance(done, Accepted) else str(done)
        return Reply(code=OK.code, enhanced=OK.enhanced, text=text)

    async def _reply_unsent(self, decision: Decision, session: MailSession) -> Reply:
        """Return the reply to a mail that becomes no job; of one that is dropped the trace is kept before."""
        if decision.dropped is not None:
            traced = await self._dropped.keep(decision.dropped, session.client_address)
            if isinstance(traced, Refused):
                return self._refuse(traced)
            told = f"{traced} taken, not sent: {decision.dropped.reason} by {decision.dropped.mark}"
            return Reply(code=OK.code, enhanced=OK.enhanced, text=printable(told, TEXT_LIMIT))
        refused = decision.refused or Refused(refusal=Refusal.INTERNAL)
        log.info("mail_refused", reason=refused.refusal.value, peer=session.client_address)
        return self._refuse(refused)

    def _refuse(self, refused: Refused) -> Reply:
        """Count a refusal and return its reply."""
        self._metrics.count(Metric.REFUSED, self._terms.service or Origin.MAIL, refused.refusal)
        return reply_to(refused)

    async def _certain(self, judge: Callable[P, Judged[T]], *given: P.args, **named: P.kwargs) -> Judged[T | Refused]:
        """Return what `judge` says; a «no» for good is asked for again with what the database holds now."""
        principal, judged = judge(*given, **named)
        if not isinstance(judged, Refused) or not is_permanent(judged):
            return principal, judged
        if not await self._book.confirm():
            return principal, Refused(refusal=Refusal.INTERNAL)
        return judge(*given, **named)

    async def _refuse_stopped(self, principal: Principal | None, number: MobileNumber | None) -> Refused | None:
        """Return why a stop list refuses a number, whatever service the content will turn out to be of."""
        if principal is None or number is None:
            return None
        customer = self._book.current.directory.customer(principal.customer_id)
        if customer is None:
            return None
        return stopped() if await self._book.is_stopped(customer, principal.service, number.digits) else None

    def _judge_mail(self, session: MailSession, address: str) -> Judged[Refused | None]:
        principal = self.principal(session)
        refused = None if session.tls else self._book.current.refuse_clear(principal, session.client_address)
        if refused is None and not self._is_heard_at_rcpt(session):
            refused = self._judge_sender(session, principal, _plain_address(address))
        return principal, refused

    def _judge_recipient(
        self, session: MailSession, envelope: MailEnvelope, address: str
    ) -> Judged[MobileNumber | Refused | Reply | None]:
        principal, reverse_path = self.principal(session), envelope.reverse_path
        refused = self._judge_sender(session, principal, reverse_path) if self._is_heard_at_rcpt(session) else None
        if refused is None and envelope.for_postmaster:
            return principal, APART
        return principal, refused or self._judge.judge_recipient(principal, reverse_path, address)

    def _judge_sender(self, session: MailSession, principal: Principal | None, reverse_path: str) -> Refused | None:
        if principal is None:
            if session.client_certificate_der is not None:
                detail = "The client certificate is nobody's here."
                return Refused(refusal=Refusal.AUTHENTICATION_REQUIRED, detail=detail)
            if self._prover is None:
                return self._refuse_stranger(session)
            return self._prover.refuse_envelope(reverse_path, self._book.current)
        return self._judge.judge_reverse_path(principal, reverse_path)

    def _refuse_stranger(self, session: MailSession) -> Refused:
        """Refuse a client that no mail of its own could prove."""
        if self._terms.takes_logins:
            return Refused(refusal=Refusal.AUTHENTICATION_REQUIRED)
        told = f"{session.client_address} is in no customer's address range, and no logins are taken here."
        return Refused(refusal=Refusal.SENDER_NOT_AUTHORISED, detail=told)

    def _is_heard_at_rcpt(self, session: MailSession) -> bool:
        """Return whether MAIL is answered 250 whoever it is: not on a port for submission (RFC 6409 §4.3)."""
        return self._postmaster is not None and not (self._terms.by_login_only or session.authenticated)

    def principal(self, session: MailSession) -> Principal | None:
        """Return whose session it is; None for nobody's."""
        return identify(session, self._book.current, self._terms, self._sessions)


def _plain_address(address: str) -> str:
    """Return an address of MAIL; empty for the null sender, which aiosmtpd gives as `<>`."""
    return "" if address == "<>" else address


def _received(session: MailSession, envelope: MailEnvelope, principal: Principal | None) -> ReceivedEnvelope:
    return ReceivedEnvelope(
        reverse_path=envelope.reverse_path,
        recipients=tuple(
            EnvelopeRecipient(address=str(address), notify=dsn.notify, orcpt=dsn.orcpt)
            for address, dsn in zip(envelope.rcpt_tos, envelope.rcpt_dsn, strict=True)
        ),
        envid=envelope.dsn.envid,
        ret="HDRS" if envelope.require_tls else envelope.dsn.ret,  # RFC 8689 §5: RET=FULL is disregarded
        helo=session.host_name or "",
        client=(principal.login if principal is not None else "") or session.client_address,
        tls=bool(session.tls),
        require_tls=envelope.require_tls,
    )
