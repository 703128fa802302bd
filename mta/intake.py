"""One mail, judged: whose it is, whether it may be sent, and what would be sent to whom; for server and «explain».

Nothing is stored and nothing is sent here; a decision to send holds the plan that `Acceptance.keep` stores, one to drop
the trace that `DroppedMails.keep` does. Not here: the SMTP dialogue (mta.smtp), how the pieces of a mail are read
(mta.reading), what becomes of a submission (gateway.plan).
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from zoneinfo import ZoneInfo

from msgspec import Struct, field
from msgspec.structs import replace

from addressbook.canonical import canonical_address
from addressbook.hierarchy import Layer, LayerKind, Resolved, layer_of
from addressbook.proof import Proof
from addressbook.senders import Principal, Sender, find_customer
from addressbook.snapshot import Snapshot
from addressbook.table_file import is_table_file
from gateway.conversations import Conversations
from gateway.directory import DirectoryFollower
from gateway.dropped import DroppedMail
from gateway.plan import judge_number, plan
from gateway.planned import JobPlan
from gateway.ports import Clock
from gateway.routing import CarrierRoutes
from gateway.submission import RecipientRequest, Submission
from gateway.taking_back import CancelMail
from gateway.usage_claims import SpentLimits, refuse
from mta.answering import AnsweredSms, Answering, continues_thread
from mta.envelope import EnvelopeRecipient, ReceivedEnvelope
from mta.reading.automatic import Dropped, classify, find_automatic
from mta.reading.body import ExtractedText
from mta.reading.dedup_keys import mail_digest
from mta.reading.headers import field_text, find_tls_tag, read_addresses
from mta.reading.mime import MailLimits, ParsedMail
from mta.reading.options import SubjectOptions, leave_options, read_options
from mta.reading.reader import DirectReader, MailReader
from mta.recipients import (
    OF_A_NUMBER,
    ParsedRecipients,
    Recipients,
    RecipientTarget,
    TargetKind,
    open_lists,
    open_table,
    read_target,
    refuse_unfilled,
)
from mta.taking_back import judge_cancel
from sms.message import MailOrigin, Origin, Priority
from sms.number import MobileNumber
from sms.outcome import Refusal, Refused
from sms.settings import Settings


class Disposition(StrEnum):
    """What becomes of a mail."""

    SEND = "send"
    DROP = "drop"
    REFUSE = "refuse"
    CANCEL = "cancel"


class Decision(Struct, frozen=True, kw_only=True):
    """The verdict with everything it rests on; `plan` is there unless the sender or the mail itself was refused.

    `dropped` is the trace that a dropped mail leaves, `cancel` the job that a mail takes back; None for any other.
    """

    verdict: Disposition
    dropped: DroppedMail | None = None
    cancel: CancelMail | None = None
    refused: Refused | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    resolved: Resolved | None = None
    extracted: ExtractedText | None = None
    plan: JobPlan | None = None
    lists: tuple[str, ...] = ()


class _Case(Struct, frozen=True, kw_only=True):
    """One mail under judgement, with what is known of it from the beginning."""

    mail: ParsedMail
    raw: bytes
    envelope: ReceivedEnvelope
    sender: Sender
    service: Origin
    service_by: str
    proof: Proof | None
    trial: Sequence[Layer]
    reader: MailReader
    snapshot: Snapshot


_UNPROVEN = Refused(refusal=Refusal.AUTHENTICATION_REQUIRED, detail="The sender is not proven.")
_FEW_RECIPIENTS = 50


class MailIntake:
    """Judges mails, each with one snapshot of the address book: the one in force, or the one that is given.

    `judge` may be called in any thread; where a mail goes to a list it waits for the database.
    """

    def __init__(  # noqa: PLR0913 - every collaborator by name
        self,
        *,
        book: DirectoryFollower,
        conversations: Conversations,
        routes: CarrierRoutes,
        spent: SpentLimits,
        clock: Clock,
        domains: tuple[str, ...],
        own_message_id: Callable[[str], bool],
        limits: MailLimits,
    ) -> None:
        self._book = book
        self._answering = Answering(book, conversations)
        self._routes = routes
        self._spent = spent
        self._clock = clock
        self._reader = DirectReader()
        self._domains = frozenset(domains)
        self._own_message_id = own_message_id
        self._limits = limits

    def judge_reverse_path(self, principal: Principal, address: str) -> Refused | None:
        """Return why a proven customer may not use this reverse-path now; its reports will go there."""
        if not address:
            return None
        snapshot = self._book.current
        sender = snapshot.choose_sender(principal, address)
        if isinstance(sender, Refused):
            return sender
        reached = self._spent.find(snapshot, sender, self._clock.now())
        return None if reached is None else refuse(reached, self._clock.now())

    def judge_recipient(
        self, principal: Principal | None, reverse_path: str, address: str
    ) -> MobileNumber | Refused | None:
        """Judge one RCPT: its number where the sender is proven; None for lists, and where only the form was judged."""
        snapshot = self._book.current
        if principal is None:
            read = self._read_recipient(address, ("SMS",))
            return read if isinstance(read, Refused) else None
        if not reverse_path and self._is_service_address(address):
            return None  # a bounce or read receipt for a mail of ours: taken, and dropped when its content is here
        if reverse_path:
            sender = snapshot.choose_sender(principal, reverse_path)
        else:
            customer = find_customer(snapshot.directory, principal)
            sender = customer if isinstance(customer, Refused) else Sender(customer=customer)
        if isinstance(sender, Refused):
            read = self._read_recipient(address, ())
            return read if isinstance(read, Refused) else sender
        services = snapshot.services_of_mail(sender.customer, principal.service)
        if not services:
            return snapshot.refuse_service(sender.customer, principal.service or Origin.MAIL)
        resolved = snapshot.resolve(sender, services[0])
        judged = self._judge_address(snapshot, sender, address, resolved.settings, reverse_path)
        if isinstance(judged, Refused) and len(services) > 1:
            # Only the content tells SAP's mail from people's, and SAP's may have prefixes and a country of its own.
            as_sap = snapshot.resolve(sender, Origin.SAP)
            if as_sap.settings != resolved.settings:
                again = self._judge_address(snapshot, sender, address, as_sap.settings, reverse_path)
                return judged if isinstance(again, Refused) else again
        return judged

    def _is_service_address(self, address: str) -> bool:
        """Return whether an address of our domains names this gateway and no recipient: status@ and postmaster@."""
        local, _, domain = address.rpartition("@")
        return domain.removesuffix(".").lower() in self._domains and local.isascii() and local.isalpha()

    def _judge_address(
        self, snapshot: Snapshot, sender: Sender, address: str, settings: Settings, author: str
    ) -> MobileNumber | Refused | None:
        read = self._read_recipient(address, settings.address_prefixes)
        if isinstance(read, Refused):
            return read
        number, own = read.name, None
        if read.kind is not TargetKind.NUMBER:
            if read.kind is TargetKind.LIST:
                # Who may write to it is judged with the content, whose From names the author.
                found = snapshot.lists.permitted(sender.customer.key, read.name, author)
                return found if isinstance(found, Refused) and found.refusal is Refusal.ADDRESS_UNKNOWN else None
            answered = self._answering.read(snapshot, sender.customer.key, read)
            if not isinstance(answered, AnsweredSms):
                return answered  # a table and a job to cancel are judged with the content
            number, own = answered.phone, answered.own.sender_id
        judged = judge_number(sender, number, settings, snapshot, self._routes, own)
        return judged if isinstance(judged, Refused) else judged[0]

    def _read_recipient(self, address: str, prefixes: tuple[str, ...]) -> RecipientTarget | Refused:
        """Return what an address of our domains stands for."""
        domain = address.rpartition("@")[2]
        if domain not in self._domains and "@" in address:
            domain = domain.removesuffix(".").lower()
            if domain not in self._domains:
                return Refused(refusal=Refusal.RELAY_DENIED, detail=f"{domain} is not a domain of this gateway.")
        return read_target(address, prefixes)

    def judge_envelope(self, envelope: ReceivedEnvelope, principal: Principal | None) -> Decision | None:
        """Judge what is known before the content, as the dialogue does at MAIL; None where nothing is wrong with it."""
        if principal is None:
            return _refuse(_UNPROVEN)
        refused = self.judge_reverse_path(principal, envelope.reverse_path)
        return None if refused is None else _refuse(refused)

    def is_large(self, envelope: ReceivedEnvelope, principal: Principal | None) -> bool:
        """Return whether the addresses alone make much work, or wait for the database.

        So do many of them, a list, a table, and all of a customer that may have conversations.
        """
        if len(envelope.recipients) > _FEW_RECIPIENTS:
            return True
        if principal is not None and self._book.current.numbers.may_answer(principal.customer_id):
            return True
        targets = self._targets(envelope)
        return bool(targets) and any(target.kind in {TargetKind.LIST, TargetKind.TABLE} for target in targets)

    def brings_table(self, envelope: ReceivedEnvelope) -> bool:
        """Return whether an attached table is to be read, which may be much larger than its mail."""
        return any(target.kind is TargetKind.TABLE for target in self._targets(envelope))

    def _targets(self, envelope: ReceivedEnvelope) -> Sequence[RecipientTarget]:
        """Return what the addresses that are no bare numbers stand for."""
        targets = []
        for item in envelope.recipients:
            if item.address[:1] in OF_A_NUMBER:
                continue
            target = self._read_recipient(item.address, ())
            if isinstance(target, RecipientTarget):
                targets.append(target)
        return targets

    def judge(
        self,
        raw: bytes,
        envelope: ReceivedEnvelope,
        principal: Principal | None,
        trial: Sequence[Layer] = (),
        reader: MailReader | None = None,
    ) -> Decision:
        """Judge one whole mail; `trial` lies on top of its settings, for «explain» only.

        `reader` looks into the content in place of this process; it may raise what it does for being unable to.
        """
        snapshot = self._book.current
        reader = reader or self._reader
        mail = reader.read(raw, self._limits)
        if isinstance(mail, Refused) or principal is None:
            return _refuse(mail if isinstance(mail, Refused) else _UNPROVEN)
        # Automatic mail is told apart before its sender is judged: a bounce has none, and is never answered.
        targets = self._targets(envelope)
        kinds = [target.kind for target in targets]
        cancels = TargetKind.CANCEL in kinds
        found = classify(
            mail,
            envelope.reverse_path,
            own_message_id=self._own_message_id,
            own_domains=self._domains,
            answers=cancels or TargetKind.REPLY in kinds or self._answering.names_sms(mail),
        )
        if isinstance(found, Dropped):
            customer = snapshot.directory.customer(principal.customer_id)
            trace = _trace_of(found, mail, envelope, customer.name if customer is not None else "")
            return Decision(verdict=Disposition.DROP, dropped=trace)
        if found is None and mail.author_problem:
            found = Refused(refusal=Refusal.MAIL_MALFORMED, detail=mail.author_problem)
        sender = found or snapshot.choose_sender(principal, mail.author)
        if isinstance(sender, Refused):
            return _refuse(sender)
        service, service_by = _choose_service(principal, mail)
        in_clear = None if envelope.tls else snapshot.refuse_clear(principal, "")
        if (barred := in_clear or snapshot.refuse_service(sender.customer, service)) is not None:
            return _refuse(barred)
        if cancels:
            job = targets[0].name if len(envelope.recipients) == 1 else ""
            return _decide_cancel(judge_cancel(job, mail, envelope.reverse_path, sender, snapshot))
        return self._judge_proven(
            _Case(
                mail=mail,
                raw=raw,
                envelope=envelope,
                sender=sender,
                service=service,
                service_by=service_by,
                proof=principal.proof,
                trial=trial,
                reader=reader,
                snapshot=snapshot,
            )
        )

    def _judge_proven(self, case: _Case) -> Decision:
        mail = case.mail
        resolved = case.snapshot.resolve(case.sender, case.service, case.trial)
        if not resolved.settings.automatic_mail and (mark := find_automatic(mail, case.envelope.reverse_path)):
            detail = f"automatic_mail is off for this sender, and the mail has {mark}"
            return _refuse(Refused(refusal=Refusal.AUTOMATIC_MAIL, detail=detail), resolved=resolved)
        addressed = ParsedRecipients(
            pairs=tuple(self._address(case, item, resolved.settings) for item in case.envelope.recipients)
        )
        answers = self._answering.find(case.snapshot, case.sender, mail, addressed, resolved.settings)
        if answers.sender is not case.sender:
            case = replace(case, sender=answers.sender)
            resolved = case.snapshot.resolve(case.sender, case.service, case.trial)
        options = _subject_options(mail, resolved.settings, answers=answers.by_mail)
        if isinstance(options, Refused):
            return _refuse(options, resolved=resolved)
        is_machines = case.service is Origin.SAP or find_automatic(mail, case.envelope.reverse_path)
        if answers.by_mail or not (is_machines or "sender_id" in options.patch):
            addressed = answers.recipients
        further = (*self._list_layer(case, addressed), *_asked_by(mail, options))
        if further:
            resolved = case.snapshot.resolve(case.sender, case.service, (*further, *case.trial))
        dry_run = addressed.judge_dry_run(options.dry_run)
        if isinstance(dry_run, Refused):
            return _refuse(dry_run, options=options.given, resolved=resolved)
        reached = self._reach(case, addressed)
        if isinstance(reached, Refused):
            return _refuse(reached, options=options.given, resolved=resolved)
        extracted = case.reader.extract(mail, resolved.settings, options.subject, answers=answers.by_mail)
        extracted = extracted if is_machines else refuse_unfilled(extracted, reached)
        text = "" if isinstance(extracted, Refused) else extracted.text
        submission = _submission(case, options, resolved, reached, text, dry_run=dry_run)
        planned = plan(submission, case.snapshot, self._routes, self._clock.now())
        if isinstance(extracted, Refused):
            return _refuse(extracted, options=options.given, resolved=resolved, plan=planned, lists=reached.lists)
        return Decision(
            verdict=Disposition.SEND if planned.refused is None else Disposition.REFUSE,
            refused=planned.refused,
            options=options.given,
            resolved=resolved,
            extracted=extracted,
            plan=planned,
            lists=reached.lists,
        )

    def _address(
        self, case: _Case, recipient: EnvelopeRecipient, settings: Settings
    ) -> tuple[RecipientRequest, RecipientTarget | None]:
        read = self._read_recipient(recipient.address, settings.address_prefixes)
        given, notify, orcpt = recipient.address, recipient.notify, recipient.orcpt
        if isinstance(read, Refused):
            return RecipientRequest(given=given, number="", refused=read, notify=notify, orcpt=orcpt), None
        is_number = read.kind is TargetKind.NUMBER
        wanted = RecipientRequest(given=given, number=read.name if is_number else "", notify=notify, orcpt=orcpt)
        if is_number:
            return wanted, read
        answered = self._answering.read(case.snapshot, case.sender.customer.key, read)
        if isinstance(answered, Refused):
            return replace(wanted, refused=answered), read
        if answered is not None:
            wanted = replace(wanted, number=answered.phone, sender_id=answered.own.sender_id)
        return wanted, read

    def _list_layer(self, case: _Case, addressed: ParsedRecipients) -> tuple[Layer, ...]:
        """Return the settings of the list that a mail goes to, where it goes to that list alone."""
        name = addressed.only_list()
        if not name:
            return ()
        snapshot = case.snapshot
        found = snapshot.lists.permitted(case.sender.customer.key, name, case.mail.author)
        if isinstance(found, Refused):
            return ()
        layer = snapshot.layer_of_list(found)
        return () if layer is None else (layer,)

    def _reach(self, case: _Case, addressed: ParsedRecipients) -> Recipients | Refused:
        if not addressed.has(TargetKind.TABLE):
            lists, customer_id = case.snapshot.lists, case.sender.customer.key
            return open_lists(addressed, lists, self._book.members_now, customer_id, case.mail.author)
        if len(addressed.pairs) > 1:
            return Refused(
                refusal=Refusal.ADDRESS_MALFORMED, detail="A table brings its own recipients: write to bulk@ alone."
            )
        tables = [item for item in case.mail.attachments if is_table_file(item.name, item.media_type)]
        if len(tables) != 1:
            detail = "attach one CSV or XLSX file with a row per recipient" + (
                f", not {len(tables)}" if tables else ", the first row naming the columns"
            )
            return Refused(refusal=Refusal.TEMPLATE_INCOMPLETE, detail=detail)
        table = case.reader.table(case.raw, tables[0])
        return table if isinstance(table, Refused) else open_table(addressed.pairs[0][0], table)


def _submission(  # noqa: PLR0913 - one step of the judgement, each argument found by another
    case: _Case, options: SubjectOptions, resolved: Resolved, reached: Recipients, text: str, *, dry_run: bool
) -> Submission:
    mail, envelope = case.mail, case.envelope
    return Submission(
        sender=case.sender,
        service=case.service,
        wanted=reached.wanted,
        text=text,
        resolved=resolved,
        mail=_mail_origin(case),
        reference=options.reference,
        ignored_options=options.ignored,
        digest=envelope.identity or mail_digest(mail, case.raw, envelope.client),
        identified=bool(envelope.identity or mail.message_id),
        first_use=envelope.first_use,
        start_at=options.start_at,
        blackouts=options.blackouts,
        personalised=reached.personalised,
        dry_run=dry_run,
        proof=case.proof,
        service_by=case.service_by,
    )


def _refuse(refused: Refused, **known: object) -> Decision:
    return Decision(verdict=Disposition.REFUSE, refused=refused, **known)  # type: ignore[arg-type]  # fields by name


def _choose_service(principal: Principal, mail: ParsedMail) -> tuple[Origin, str]:
    """Return the service of a mail and what named it: listener, login or range of its sender, else the mail itself."""
    if principal.service is not None:
        return principal.service, principal.service_by
    sap = field_text(mail.fields, "x-mailer").upper().startswith("SAP")
    return (Origin.SAP, "X-Mailer of the mail") if sap else (Origin.MAIL, "nothing else: it is a mail")


def _decide_cancel(asked: CancelMail | Refused) -> Decision:
    return _refuse(asked) if isinstance(asked, Refused) else Decision(verdict=Disposition.CANCEL, cancel=asked)


def _subject_options(mail: ParsedMail, settings: Settings, *, answers: bool) -> SubjectOptions | Refused:
    """Return what a mail's subject asks for: that of an answer asks for nothing."""
    if answers or continues_thread(mail):
        return SubjectOptions(subject=mail.subject)
    if not settings.subject_options:
        return leave_options(mail.subject)
    return read_options(mail.subject, zone=ZoneInfo(settings.time_zone))


def _asked_by(mail: ParsedMail, options: SubjectOptions) -> tuple[Layer, ...]:
    """Return what the mail itself asks for, as layers: the client's priority flag, then the subject's options."""
    layers = []
    if mail.priority is Priority.EXPRESS:
        layers.append(layer_of(LayerKind.MESSAGE, {"priority": Priority.EXPRESS}, "header of the mail client"))
    if options.patch:
        layers.append(layer_of(LayerKind.MESSAGE, options.patch, "subject"))
    return tuple(layers)


def _trace_of(found: Dropped, mail: ParsedMail, envelope: ReceivedEnvelope, customer: str) -> DroppedMail:
    return DroppedMail(
        customer=customer,
        reverse_path=envelope.reverse_path,
        author=mail.author,
        message_id=mail.message_id,
        reason=found.reason.value,
        mark=found.mark,
    )


def _on_behalf(case: _Case) -> str:
    """Return who of the customer wrote in the name of the mailbox in From (RFC 5322 §3.6.2), empty for its author."""
    given = case.mail.fields.get("sender")
    if not given:
        return ""
    found = read_addresses(given[0])
    address = canonical_address(found[-1].address) if found else None
    if address is None or address == canonical_address(case.mail.author):
        return ""
    principal = Principal(customer_id=case.sender.customer.key)
    return "" if isinstance(case.snapshot.choose_sender(principal, address), Refused) else address


def _mail_origin(case: _Case) -> MailOrigin:
    mail, raw, envelope = case.mail, case.raw, case.envelope
    return MailOrigin(
        reverse_path=envelope.reverse_path,
        header_from=mail.author,
        header_sender=_on_behalf(case),
        message_id=mail.message_id,
        references=" ".join(mail.references[-10:]),
        subject=mail.subject[:255],
        envid=envelope.envid,
        ret=envelope.ret,
        helo=envelope.helo,
        tls_tag=find_tls_tag(mail.fields, required=envelope.require_tls),
        header=mail.header,
        body=raw[len(mail.header) :] if envelope.ret == "FULL" else None,
    )
