"""One mail, judged: whose it is, whether it may be sent, and what would be sent to whom; for server and «explain».

Nothing is stored and nothing is sent here; a judgement to send holds the plan that `Acceptance.keep` stores. Not here:
the SMTP dialogue (dialogue, server) and how the pieces of a mail are read (mime, automatic, options, body).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

from addressbook.hierarchy import Layer, LayerKind, Resolved, layer_of
from addressbook.people import Customer, Directory
from gateway.accept import Acceptance, Plan, Sender, Submission, Wanted
from mta.addresses import RecipientKind, read_recipient
from mta.automatic import DropReason, classify
from mta.body import ExtractedText, extract_text
from mta.headers import field_text
from mta.intake import mail_digest, resubmission_key
from mta.mime import Mail, MailLimits, read_mail
from mta.options import SubjectOptions, read_options
from sms.message import MailOrigin, Origin, Priority
from sms.number import MobileNumber
from sms.outcome import Refusal, Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeRecipient:
    """One RCPT: the address as given, with NOTIFY and ORCPT decoded (RFC 3461 §4.1, §4.2)."""

    address: str
    notify: str = ""
    orcpt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailEnvelope:
    """What the dialogue learned. `reverse_path` is empty for `<>`; ENVID and RET are decoded; `helo` is the peer's name."""

    reverse_path: str
    recipients: tuple[EnvelopeRecipient, ...]
    envid: str = ""
    ret: str = ""
    helo: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """Whose mail it is, as proven: by login, certificate or address range. `user_id` binds the login to one user."""

    customer_id: int
    user_id: int | None = None


_NOT_AT_ONCE = Refused(
    refusal=Refusal.SETTING_NOT_PERMITTED,
    detail="[DRYRUN], [JOBPERIOD] and [BLACKOUTPERIODS] are not available; nothing was sent.",
)


class Verdict(StrEnum):
    """What becomes of a mail."""

    SEND = "send"
    DROP = "drop"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict with everything it rests on; `plan` is there unless the sender or the mail itself was refused."""

    verdict: Verdict
    dropped: DropReason | None = None
    refused: Refused | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    resolved: Resolved | None = None
    extracted: ExtractedText | None = None
    plan: Plan | None = None


_SENDERS_REMEMBERED = 10_000
_RECIPIENTS_REMEMBERED = 10_000


class MailJudge:
    """Judges mails with the address book in force; `directory` is asked anew for each mail.

    Who an address stands for is remembered as long as the directory is the same one, since MAIL, each RCPT and DATA ask
    for it; so is what a recipient's address says.
    """

    def __init__(
        self,
        *,
        acceptance: Acceptance,
        directory: Callable[[], Directory],
        domains: tuple[str, ...],
        own_message_id: Callable[[str], bool],
        limits: MailLimits,
    ) -> None:
        self._acceptance = acceptance
        self._directory = directory
        self._domains = frozenset(domains)
        self._own_message_id = own_message_id
        self._limits = limits
        self._senders: dict[tuple[Proven, str], Sender | Refused] = {}
        self._senders_of = Directory()
        self._read_recipient = lru_cache(_RECIPIENTS_REMEMBERED)(self._read_recipient_anew)

    def judge_reverse_path(self, proven: Proven, address: str) -> Refused | None:
        """Return why a proven customer may not use this reverse-path; its reports will go there."""
        if not address:
            return None
        sender = self.choose_sender(proven, address)
        return sender if isinstance(sender, Refused) else None

    def choose_sender(self, proven: Proven, author: str) -> Sender | Refused:
        """Return the customer, user and profile that a From address stands for; it must be the proven customer's."""
        directory = self._directory()
        if directory is not self._senders_of or len(self._senders) >= _SENDERS_REMEMBERED:
            self._senders, self._senders_of = {}, directory
        key = (proven, author)
        found = self._senders.get(key)
        if found is None:
            found = self._senders[key] = _choose_sender(directory, proven, author)
        return found

    def judge_recipient(self, proven: Proven | None, reverse_path: str, address: str) -> MobileNumber | Refused | None:
        """Judge one RCPT: its number where the sender is proven; None where only its form could be judged."""
        if proven is None:
            read = self._read_recipient(address, ("SMS",))
            return read if isinstance(read, Refused) else None
        sender = self.choose_sender(proven, reverse_path) if reverse_path else self._customer_alone(proven)
        if isinstance(sender, Refused):
            read = self._read_recipient(address, ())
            return read if isinstance(read, Refused) else sender
        resolved = self._acceptance.resolve(sender, Origin.MAIL)
        read = self._read_recipient(address, resolved.settings.address_prefixes)
        return read if isinstance(read, Refused) else self._acceptance.judge_number(sender, read, resolved)

    def _customer_alone(self, proven: Proven) -> Sender | Refused:
        customer = self._directory().customer(proven.customer_id)
        if customer is None or not customer.active:
            return Refused(refusal=Refusal.SENDER_NOT_AUTHORISED, detail="This customer is not active.")
        return Sender(customer=customer)

    def _read_recipient_anew(self, address: str, prefixes: tuple[str, ...]) -> str | Refused:
        """Return the text of the number that an address of our domains names."""
        domain = address.rpartition("@")[2].removesuffix(".").lower()
        if "@" in address and domain not in self._domains:
            return Refused(refusal=Refusal.RELAY_DENIED, detail=f"{domain} is not a domain of this gateway.")
        recipient = read_recipient(address, prefixes=prefixes)
        if isinstance(recipient, Refused):
            return recipient
        if recipient.kind is not RecipientKind.NUMBER:
            return Refused(refusal=Refusal.ADDRESS_UNKNOWN, detail="There is no list or service of this name.")
        return recipient.number

    def judge_envelope(self, envelope: MailEnvelope, proven: Proven | None) -> Judgement | None:
        """Judge what is known before the content, as the dialogue does at MAIL; None where nothing is wrong with it."""
        if proven is None:
            return _refuse(Refused(refusal=Refusal.AUTHENTICATION_REQUIRED, detail="The sender is not proven."))
        refused = self.judge_reverse_path(proven, envelope.reverse_path)
        return None if refused is None else _refuse(refused)

    def judge(
        self, raw: bytes, envelope: MailEnvelope, proven: Proven | None, trial: Sequence[Layer] = ()
    ) -> Judgement:
        """Judge one whole mail; `trial` lies on top of its settings, for «explain» only."""
        mail = read_mail(raw, self._limits)
        if isinstance(mail, Refused):
            return Judgement(verdict=Verdict.REFUSE, refused=mail)
        if proven is None:
            return _refuse(Refused(refusal=Refusal.AUTHENTICATION_REQUIRED, detail="The sender is not proven."))
        # Automatic mail is told apart before its sender is judged: a bounce has none, and is never answered.
        dropped = self._classify(mail, envelope, automatic_mail=True)
        if dropped is not None:
            return Judgement(verdict=Verdict.DROP, dropped=dropped)
        if mail.author_problem:
            return _refuse(Refused(refusal=Refusal.MAIL_MALFORMED, detail=mail.author_problem))
        sender = self.choose_sender(proven, mail.author)
        if isinstance(sender, Refused):
            return _refuse(sender)
        return self._judge_proven(mail, raw, envelope, sender, trial)

    def _classify(self, mail: Mail, envelope: MailEnvelope, *, automatic_mail: bool) -> DropReason | None:
        return classify(
            mail,
            envelope.reverse_path,
            own_message_id=self._own_message_id,
            own_domains=self._domains,
            automatic_mail=automatic_mail,
        )

    def _judge_proven(
        self, mail: Mail, raw: bytes, envelope: MailEnvelope, sender: Sender, trial: Sequence[Layer]
    ) -> Judgement:
        service = Origin.SAP if field_text(mail.fields, "x-mailer").upper().startswith("SAP") else Origin.MAIL
        resolved = self._acceptance.resolve(sender, service, trial)
        if not resolved.settings.automatic_mail:
            dropped = self._classify(mail, envelope, automatic_mail=False)
            if dropped is not None:
                return Judgement(verdict=Verdict.DROP, dropped=dropped, resolved=resolved)
        options = SubjectOptions(subject=mail.subject)
        if resolved.settings.subject_options:
            read = read_options(mail.subject, zone=_zone(resolved.settings.time_zone))
            if isinstance(read, Refused):
                return _refuse(read, resolved=resolved)
            if read.dry_run or read.start_at is not None or read.blackouts:
                # Sending at once what was to wait, or not to be sent, would be the worst answer.
                return _refuse(_NOT_AT_ONCE, options=read.given, resolved=resolved)
            options = read
        asked = _asked_by(mail, options)
        if asked:
            resolved = self._acceptance.resolve(sender, service, (*asked, *trial))
        extracted = extract_text(mail, resolved.settings, subject=options.subject)
        if isinstance(extracted, Refused):
            plan = self._plan(mail, raw, envelope, sender, service, resolved, options, "")
            return _refuse(extracted, options=options.given, resolved=resolved, plan=plan)
        plan = self._plan(mail, raw, envelope, sender, service, resolved, options, extracted.text)
        return Judgement(
            verdict=Verdict.SEND if plan.refused is None else Verdict.REFUSE,
            refused=plan.refused,
            options=options.given,
            resolved=resolved,
            extracted=extracted,
            plan=plan,
        )

    def _plan(  # noqa: PLR0913, PLR0917 - one private step of `_judge_proven`, split for reading
        self,
        mail: Mail,
        raw: bytes,
        envelope: MailEnvelope,
        sender: Sender,
        service: Origin,
        resolved: Resolved,
        options: SubjectOptions,
        text: str,
    ) -> Plan:
        digest = mail_digest(mail, raw)
        return self._acceptance.plan(
            Submission(
                sender=sender,
                service=service,
                wanted=tuple(self._wanted(item, resolved) for item in envelope.recipients),
                text=text,
                resolved=resolved,
                mail=_mail_origin(mail, raw, envelope),
                reference=options.reference,
                digest=lambda number: resubmission_key(digest, sender.customer.name, number),
            )
        )

    def _wanted(self, recipient: EnvelopeRecipient, resolved: Resolved) -> Wanted:
        read = self._read_recipient(recipient.address, resolved.settings.address_prefixes)
        return Wanted(
            given=recipient.address,
            number="" if isinstance(read, Refused) else read,
            refused=read if isinstance(read, Refused) else None,
            notify=recipient.notify,
            orcpt=recipient.orcpt,
        )


def _choose_sender(directory: Directory, proven: Proven, author: str) -> Sender | Refused:
    customer = directory.customer(proven.customer_id)
    if customer is None or not customer.active:
        return Refused(refusal=Refusal.SENDER_NOT_AUTHORISED, detail="This customer is not active.")
    user = directory.user(author)
    if user is not None and user.customer_id == customer.id:
        if not user.active:
            return Refused(refusal=Refusal.SENDER_NOT_AUTHORISED, detail="This sender is not active.")
        if proven.user_id not in (None, user.id):
            return Refused(refusal=Refusal.SENDER_NOT_AUTHORISED, detail="This login may send as its own user only.")
        return Sender(customer=customer, user=user, profile=directory.profile_in_force(customer.id, user))
    if user is not None or proven.user_id is not None or not _may_speak_for(directory, customer, author):
        return Refused(
            refusal=Refusal.SENDER_NOT_AUTHORISED,
            detail="The sender address is neither a user nor of a domain of the authenticated customer.",
        )
    return Sender(customer=customer, profile=directory.profile_in_force(customer.id, None))


def _may_speak_for(directory: Directory, customer: Customer, address: str) -> bool:
    """Tell whether a customer may use an address that is no user's: of its domains, or of nobody's if it has none."""
    domain = address.rpartition("@")[2]
    owner = directory.customer_of_domain(domain)
    if owner is not None:
        return owner.id == customer.id
    return not customer.domains


def _refuse(refused: Refused, **known: object) -> Judgement:
    return Judgement(verdict=Verdict.REFUSE, refused=refused, **known)  # type: ignore[arg-type]  # fields by name


def _zone(name: str) -> tzinfo:
    return ZoneInfo(name)


def _asked_by(mail: Mail, options: SubjectOptions) -> tuple[Layer, ...]:
    """Return what the mail itself asks for, as layers: the client's priority flag, then the subject's options."""
    layers = []
    if mail.priority is Priority.EXPRESS:
        layers.append(layer_of(LayerKind.MESSAGE, {"priority": Priority.EXPRESS}, "header of the mail client"))
    if options.patch:
        layers.append(layer_of(LayerKind.MESSAGE, options.patch, "subject"))
    return tuple(layers)


def _mail_origin(mail: Mail, raw: bytes, envelope: MailEnvelope) -> MailOrigin:
    return MailOrigin(
        reverse_path=envelope.reverse_path,
        header_from=mail.author,
        message_id=mail.message_id,
        references=" ".join(mail.references[-10:]),
        subject=mail.subject[:255],
        envid=envelope.envid,
        ret=envelope.ret,
        helo=envelope.helo,
        header=mail.header,
        body=raw[len(mail.header) :] if envelope.ret == "FULL" else None,
    )
