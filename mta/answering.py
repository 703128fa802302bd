"""Which recipients of a mail are handsets that wrote, by which number of ours they are answered, and as whom.

A reply address names the conversation. A number alone has that of the mail that is answered, else its newest one. Not
here: whether who answers is proven (mta.intake), the conversations themselves (gateway.conversations).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from msgspec import Struct, structs

from addressbook.canonical import canonical_address
from addressbook.numbers import OwnNumber, OwnNumbers
from addressbook.senders import Sender
from addressbook.snapshot import Snapshot
from gateway.conversations import Conversations
from gateway.directory import DirectoryFollower
from inbound.actions import MailAction
from inbound.reply_token import Conversation
from mta.reading.client_phrases import strip_subject
from mta.reading.mime import ParsedMail
from mta.recipients import ParsedRecipients, RecipientTarget, TargetKind
from sms.number import MobileNumber, parse_number
from sms.outcome import Refusal, Refused
from sms.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredSms:
    """A handset that wrote, and the number of ours that it wrote to."""

    phone: str
    own: OwnNumber


class Answers(Struct, frozen=True, kw_only=True):
    """What a mail answers: `recipients` with the number of ours that each wrote to, `sender` who answers.

    With `by_mail` it answers a mail of ours, so that its text is new words of the body and its subject has no options.
    """

    recipients: ParsedRecipients
    sender: Sender
    by_mail: bool = False


def continues_thread(mail: ParsedMail) -> bool:
    """Return whether a mail's subject is that of the mail which it answers."""
    return bool(mail.in_reply_to or mail.references) and strip_subject(mail.subject)[1] == "reply"


def judge_conversation(found: Conversation | None, numbers: OwnNumbers, customer_id: int) -> AnsweredSms | Refused:
    """Return what a reply address names for a customer; that of another is refused as one that nobody made."""
    if found is None or found.customer_key != customer_id:
        detail = "This reply address is not valid: answer the mail of the SMS itself, or write to number@domain."
        return Refused(refusal=Refusal.ADDRESS_UNKNOWN, detail=detail)
    if not found.phone.isdecimal():
        detail = f"The SMS came from {found.phone}, which is no number, so that nobody can answer it."
        return Refused(refusal=Refusal.NUMBER_CANNOT_RECEIVE, detail=detail)
    own = numbers.answered_by(found.own_number, customer_id)
    if own is None:
        detail = (
            f"The number {found.own_number} that the SMS came to does not serve this customer any more:"
            f" write to +{found.phone}@domain, and another sender ID answers."
        )
        return Refused(refusal=Refusal.SENDER_ID_NOT_PERMITTED, detail=detail)
    return AnsweredSms(phone=f"+{found.phone}", own=own)


class Answering:
    """Finds what is answered; `find` may wait for the database."""

    def __init__(self, book: DirectoryFollower, conversations: Conversations) -> None:
        self._book = book
        self._conversations = conversations

    def names_sms(self, mail: ParsedMail) -> bool:
        """Return whether a mail's fields say that it answers the mail of an inbound SMS."""
        named = (*mail.in_reply_to, *mail.references)
        return bool(named) and self._conversations.names_ours(named)

    def read(self, snapshot: Snapshot, customer_id: int, target: RecipientTarget) -> AnsweredSms | Refused | None:
        """Return what a customer's reply address names, None where it is none."""
        if target.kind is not TargetKind.REPLY:
            return None
        return judge_conversation(self._conversations.named_by(target.name), snapshot.numbers, customer_id)

    def find(
        self, snapshot: Snapshot, sender: Sender, mail: ParsedMail, addressed: ParsedRecipients, settings: Settings
    ) -> Answers:
        """Return what a mail of a proven sender answers; its reply addresses have been read."""
        by_mail = addressed.has(TargetKind.REPLY)
        if snapshot.numbers.may_answer(sender.customer.key):
            alone = dict(_numbers_alone(addressed, settings))
            named = (*mail.in_reply_to, *mail.references)
            digits = {number.digits for number in alone.values()}
            found = self._conversations.own_numbers_now(sender.customer.key, digits, named) if digits else {}
            own = {
                wanted: number
                for wanted, phone in alone.items()
                if (number := snapshot.numbers.answered_by(found.get(phone.digits, ""), sender.customer.key))
            }
            by_mail = by_mail or (bool(own) and self.names_sms(mail))
            addressed = structs.replace(
                addressed,
                pairs=tuple(
                    (structs.replace(one, sender_id=own[index].sender_id) if index in own else one, target)
                    for index, (one, target) in enumerate(addressed.pairs)
                ),
            )
        return Answers(
            recipients=addressed,
            sender=self._as_action_says(snapshot, sender, mail, addressed) if by_mail else sender,
            by_mail=by_mail,
        )

    def _as_action_says(
        self, snapshot: Snapshot, sender: Sender, mail: ParsedMail, addressed: ParsedRecipients
    ) -> Sender:
        """Return who answers: an address that is no user has the profile of the action that mails to it."""
        if sender.user is not None:
            return sender
        author = canonical_address(mail.author)
        answering = (one.sender_id for one, _ in addressed.pairs)
        keys = [number.key for own in answering if own is not None for number in snapshot.numbers.named(own.value)]
        for key in keys:
            for action in self._book.rules.actions(sender.customer.key, key):
                settings = action.settings
                if not isinstance(settings, MailAction) or settings.profile_key is None:
                    continue
                if author in map(canonical_address, settings.addresses):
                    return replace(sender, profile=snapshot.directory.profile(settings.profile_key))
        return sender


def _numbers_alone(addressed: ParsedRecipients, settings: Settings) -> Iterator[tuple[int, MobileNumber]]:
    for index, (wanted, target) in enumerate(addressed.pairs):
        if target is not None and target.kind is TargetKind.NUMBER and wanted.refused is None:
            number = parse_number(wanted.number, settings.default_country, strict=settings.strict_numbers)
            if isinstance(number, MobileNumber):
                yield index, number
