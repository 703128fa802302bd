"""For whom the mail of an inbound SMS is: the settings that decide its words, and what only the address book knows.

It is asked before each attempt, so a change of an administrator acts at the next one. Not here: who is to get it
(inbound.planning), how it looks (templates, mta.sending.inbound).
"""

from dataclasses import dataclass, replace

from addressbook.people import Customer, Directory, User
from addressbook.senders import Sender
from gateway.conversations import Conversations
from gateway.directory import DirectoryFollower
from gateway.phone_names import PhoneNames
from gateway.ports import InboundList, InboundMail, Letter
from inbound.reply_token import Conversation, write_reply_token
from inbound.report import InboundReport
from sms.message import Origin
from sms.number import MobileNumber, parse_number
from sms.settings import Settings
from templates.inbound_view import InboundReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressed:
    """An inbound SMS with its reader. `reply_to` is an address, empty where no reply can become an SMS."""

    report: InboundReport
    reader: InboundReader
    reply_to: str = ""


class InboundMailReaders:
    """Finds readers in the address book in force. `domain` is that of reply addresses."""

    def __init__(
        self, *, book: DirectoryFollower, names: PhoneNames, conversations: Conversations, domain: str
    ) -> None:
        self._book = book
        self._names = names
        self._conversations = conversations
        self._domain = domain

    async def address(self, mail: InboundMail) -> Addressed | None:
        """Return what a mail needs to be written; None where the user it is for is not one of the customer any more."""
        report = mail.report
        found = self._find(mail)
        if found is None:
            await self._book.refresh()  # it is for good: another process may know more
            found = self._find(mail)
        if found is None:
            return None
        customer, user = found
        directory = self._book.current.directory
        sender = _sender(directory, customer, user, mail.profile_key)
        names = await self._names.find(report.customer_key, [report.phone])
        reply_to = self._reply_to(report)
        reader = InboundReader(
            settings=self._settings(sender),
            profile=sender.profile.name if sender.profile is not None else "",
            name=names.get(report.phone, ""),
            fallback=mail.is_fallback,
            answerable=bool(reply_to),
        )
        return Addressed(report=with_names(report, directory), reader=reader, reply_to=reply_to)

    def _find(self, mail: InboundMail) -> tuple[Customer, User | None] | None:
        """Return the customer, and the user that gets the mail if it is one; None where that one may not get it."""
        directory = self._book.current.directory
        customer = directory.customer(mail.report.customer_key)
        if customer is None:
            return None
        user = directory.user(mail.user or mail.recipient)
        if user is None or user.customer_id != customer.key:
            return None if mail.user else (customer, None)
        return (customer, user) if user.may_send else None

    def _reply_to(self, report: InboundReport) -> str:
        """Return the address by which a reply becomes an SMS; empty where the handset has no number."""
        secret = self._conversations.secret
        assert secret is not None
        if not can_answer(report):
            return ""
        conversation = Conversation(customer_key=report.customer_key, phone=report.phone, own_number=report.own_number)
        return f"{write_reply_token(secret, conversation)}@{self._domain}"

    def settings_of(self, mail: InboundList | Letter) -> tuple[str, Settings]:
        """Return the name of a mail's customer, and the settings of its default profile; built-in ones without."""
        directory = self._book.current.directory
        customer = directory.customer(mail.customer_key)
        if customer is None:
            return "", Settings()
        return customer.name, self._settings(_sender(directory, customer, None, 0))

    def _settings(self, sender: Sender) -> Settings:
        return self._book.current.resolve(sender, Origin.INBOUND.value).settings


def _sender(directory: Directory, customer: Customer, user: User | None, profile_key: int) -> Sender:
    """Return whose settings hold: the user's, else the action's profile's, else those of the customer's default one."""
    of_action = user is None and profile_key != 0
    profile = directory.profile(profile_key) if of_action else directory.profile_in_force(customer.key, user)
    return Sender(customer=customer, user=user, profile=profile)


def can_answer(report: InboundReport) -> bool:
    """Return whether the handset has a number to which an answer can go."""
    return isinstance(parse_number(f"+{report.phone}", ""), MobileNumber)


def with_names(report: InboundReport, directory: Directory) -> InboundReport:
    """Return a report in which those who answered stand with the names of users, as far as they have one."""
    named = {each.by: user.name for each in report.earlier if each.by and (user := directory.user(each.by)) is not None}
    earlier = tuple(replace(each, by=named.get(each.by) or each.by) for each in report.earlier)
    return replace(report, earlier=earlier)
