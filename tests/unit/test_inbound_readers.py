"""For whom the mail of an inbound SMS is, and who gets the SMS where that mail can't be delivered; on both databases."""

import json
from datetime import timedelta
from email import message_from_bytes, policy
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gateway.admin.customers import add_customer
from gateway.admin.lists import import_members, make_list
from gateway.admin.mail_templates import TemplateOwner, set_template
from gateway.admin.profiles import add_profile, set_default_profile
from gateway.admin.settings import CustomerScope, ProfileScope, UserScope, set_settings
from gateway.admin.users import add_user, remove_user, set_user_active, set_user_name, set_user_phone
from gateway.alert_texts import mail_given_up
from gateway.conversations import Conversations
from gateway.directory import DirectoryFollower
from gateway.directory_mails import DirectoryMails
from gateway.inbound_mail import InboundMailReaders
from gateway.mail_rules import MailRules
from gateway.outbox import ChannelRules, OutboxLoop
from gateway.phone_names import PhoneNames
from gateway.ports import InboundList, InboundMail, MailAttempt
from gateway.report_pool import LargeReports
from inbound.actions import MailAction
from inbound.reply_token import Conversation, read_reply_token
from mta.sending.compose import ComposedMail, MailIdentity
from mta.sending.mail_notifier import MailNotifier
from sms.outbox import OutboxEvent
from sms.outcome import Done, Failed, Problem, ProblemCode, Retry
from sms.personalise import Table, TableRow
from sms.report import Channel
from sms.retry import Ladder
from store.answers import Rules
from store.engine.database import Transaction
from store.engine.statements import Insert
from store.inbound_mail import INBOUND_MAIL
from store.inbound_rules import write_settings
from store.inbound_search import Handed, InboundFilter, search_inbound
from store.inbound_tables import ActionRow, InboundSmsRow
from store.outbox import NewRow
from store.secrets import secret_named
from templates.confined import ConfinedTemplates
from templates.forms import MailForm
from templates.render import Renderer
from tests.kit.admin_harness import AdminHarness
from tests.kit.clock import Clock
from tests.kit.fakes import FakeMailbox, until
from tests.kit.inbound_samples import RECEIVED_AT, inbound, went
from tests.kit.store_harness import StoreHarness

ANNA, BERT, SHARED = "anna@example.com", "bert@example.com", "info@example.com"
REFUSED = Problem(code=ProblemCode.MAIL_REFUSED, text="550 5.1.1 No such mailbox.")
BUSY = Problem(code=ProblemCode.MAIL_DEFERRED, text="450 4.2.2 Full.")


class Office(AdminHarness):
    """The customer demo with two users, two profiles and a list; and what knows them."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.do(add_customer, "demo")
        for profile, language in (("standard", "de"), ("sales", "es")):
            self.do(add_profile, "demo", profile)
            self.do(set_settings, ProfileScope("demo", profile), {"language": language})
        self.do(add_user, "demo", ANNA, profile="sales", name="Anna Keller")
        self.do(add_user, "demo", BERT)
        self.book = DirectoryFollower(self.database, {})
        self.conversations = Conversations(self.database, "sms.example.net")
        self.names = PhoneNames(self.book, self.database)
        self.readers = InboundMailReaders(
            book=self.book, names=self.names, conversations=self.conversations, domain="sms.example.net"
        )

    @property
    def customer_key(self) -> int:
        found = self.book.current.directory.customer_named("demo")
        assert found is not None
        return found.key

    def profile_key(self, name: str) -> int:
        found = self.book.current.directory.profile_named(self.customer_key, name)
        assert found is not None
        return found.key

    async def address(self, recipient: str = ANNA, *, profile: str = "", **changes: Any):
        """Return what the mail of an SMS to this recipient needs; a user's unless told otherwise."""
        await self.book.load()
        await self.conversations.load()
        report = {name: changes.pop(name) for name in list(changes) if name not in InboundMail.__dataclass_fields__}
        fields: dict[str, Any] = {
            "identity": "IN.1",
            "recipient": recipient,
            "user": recipient if recipient in {ANNA, BERT} else "",
            "profile_key": self.profile_key(profile) if profile else 0,
            "report": inbound(customer_key=self.customer_key, **report),
            "created_at": RECEIVED_AT,
        }
        return await self.readers.address(InboundMail(**(fields | changes)))


@pytest.fixture
def office(database_url):
    made = Office(database_url)
    yield made
    made.database.close()


async def test_a_users_own_profile_decides_its_mail(office):
    found = await office.address(ANNA, profile="standard")
    assert (found.reader.profile, found.reader.settings.language) == ("sales", "es")
    office.do(set_settings, UserScope(ANNA), {"language": "fr", "inbound_history": "0"})
    settings = (await office.address(ANNA)).reader.settings
    assert (settings.language, settings.inbound_history) == ("fr", 0)


async def test_an_address_that_is_no_user_has_the_actions_profile_else_the_customers_default_one(office):
    office.do(set_default_profile, "demo", "sales")
    assert (await office.address(SHARED, profile="standard")).reader.settings.language == "de"
    assert (await office.address(SHARED)).reader.settings.language == "es"
    office.do(set_default_profile, "demo")
    office.do(set_settings, CustomerScope("demo"), {"time_zone": "Europe/Madrid"})
    found = (await office.address(SHARED)).reader
    assert (found.profile, found.settings.language, found.settings.time_zone) == ("", "en", "Europe/Madrid")


async def test_settings_of_inbound_sms_are_those_of_their_service(office):
    office.do(set_settings, CustomerScope("demo", "inbound"), {"inbound_preview": "off"})
    assert (await office.address(SHARED)).reader.settings.inbound_preview is False


@pytest.mark.parametrize("gone", [partial(set_user_active, active=False), remove_user])
async def test_a_user_who_was_disabled_or_removed_gets_nothing(gone, office):
    office.do(gone, ANNA)
    assert await office.address(ANNA) is None
    assert await office.address(BERT) is not None


async def test_an_address_of_an_action_that_is_a_disabled_user_gets_nothing_either(office):
    office.do(set_user_active, ANNA, active=False)
    assert await office.address(ANNA, user="") is None


async def test_a_user_whom_another_process_added_just_now_is_asked_for_before_the_mail_is_given_up(office):
    await office.address(BERT)
    office.do(add_user, "demo", "dora@example.com")
    report = inbound(customer_key=office.customer_key)
    mail = InboundMail(
        identity="IN.1", recipient="dora@example.com", user="dora@example.com", report=report, created_at=RECEIVED_AT
    )
    assert office.book.current.directory.user("dora@example.com") is None
    assert await office.readers.address(mail) is not None


async def test_a_user_of_another_customer_is_none_of_this_one(office):
    office.do(add_customer, "other")
    office.do(add_user, "other", "carl@other.example")
    assert await office.address("carl@other.example", user="carl@other.example") is None
    found = await office.address("carl@other.example")
    assert (found.reader.profile, found.reader.settings.language) == ("", "en")


async def test_the_reply_address_names_the_conversation(office):
    found = await office.address()
    local, _, domain = found.reply_to.rpartition("@")
    (secret,) = office.database.write_now(lambda tx, names: [[secret_named(tx, name) for name in names]], "reply")
    named = read_reply_token(secret, local)
    wanted = Conversation(customer_key=office.customer_key, phone="447700900123", own_number="447700900999")
    assert (named, domain) == (wanted, "sms.example.net")
    assert found.reader.answerable


@pytest.mark.parametrize("phone", ["INFO", "12345", ""])
async def test_what_is_no_number_can_not_be_answered(phone, office):
    found = await office.address(phone=phone)
    assert (found.reply_to, found.reader.answerable) == ("", False)


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        ({"name": "Jonas Weber"}, "Jonas Weber"),
        ({"vorname": "Jonas", "nachname": "Weber"}, "Jonas Weber"),
        ({"first_name": "Jonas", "last_name": ""}, "Jonas"),
        ({"city": "Bonn"}, ""),
    ],
)
async def test_a_list_of_the_customer_knows_the_phones_name(columns, name, office):
    office.do(make_list, "demo", "pumps", ["*"])
    row = TableRow(line=2, number="+447700900123", values=columns)
    table = Table(columns=("number", *columns), rows=(row,))
    office.do(import_members, "demo", "pumps", table, country="", strict=False)
    assert (await office.address()).reader.name == name
    assert (await office.address(phone="447700900124")).reader.name == ""


async def test_the_user_of_a_phone_is_named_before_a_list_and_nobody_of_another_customer_is(office):
    office.do(set_user_phone, BERT, "447700900123")
    office.do(set_user_name, BERT, "Bert Maier")
    office.do(add_customer, "rival")
    office.do(add_user, "rival", "x@example.net", name="Rival", phone="447700900124")
    assert (await office.address()).reader.name == "Bert Maier"
    assert (await office.address(phone="447700900124")).reader.name == ""


async def test_the_profile_of_an_action_that_is_gone_never_becomes_the_default_one(office):
    office.do(set_default_profile, "demo", "standard")
    found = await office.address(SHARED, profile_key=4711)
    assert (found.reader.profile, found.reader.settings.language) == ("", "en")


async def test_who_answered_stands_with_the_name_of_the_user(office):
    found = await office.address(earlier=(went(by=ANNA), went(by=BERT), went(by="carl@example.org"), went(by="")))
    assert [each.by for each in found.report.earlier] == ["Anna Keller", BERT, "carl@example.org", ""]


# Sent


class Delivery:
    def __init__(self) -> None:
        self.mails: list[ComposedMail] = []
        self.customers: list[str] = []

    async def deliver(self, mail: ComposedMail, *, customer: str) -> MailAttempt:
        self.mails.append(mail)
        self.customers.append(customer)
        return MailAttempt(outcome=Done())


@pytest.fixture
def confined():
    templates = ConfinedTemplates(seconds=1.0)
    yield templates
    templates.close()


@pytest.fixture
def delivery():
    return Delivery()


@pytest.fixture
async def teller(office, confined, delivery):
    await office.book.load()
    await office.conversations.load()
    made = MailNotifier(
        large=LargeReports(),
        identity=MailIdentity(
            from_name="SMS Gateway",
            from_address="status@sms.example.net",
            hostname="mx1.sms.example.net",
            message_id_domain="sms.example.net",
        ),
        renderer=Renderer(confinement=confined),
        signers=(),
        delivery=delivery,
        clock=Clock(),
        rules=MailRules(office.database, (), Path("unused")),
        alert=lambda _: None,
        readers=office.readers,
        names=office.names,
        directories=DirectoryMails(book=office.book, database=office.database, config_file=""),
    )
    yield made
    made.close()


def mail_to(office: Office, user: str) -> InboundMail:
    report = inbound(customer_key=office.customer_key)
    return InboundMail(identity="IN.1", recipient=user, user=user, report=report, created_at=RECEIVED_AT)


async def test_a_mail_goes_out_under_the_tls_that_its_customer_demands(office, teller, delivery):
    assert (await teller.send(mail_to(office, ANNA))).outcome == Done()
    assert delivery.customers == ["demo"]
    mail = message_from_bytes(delivery.mails[0].message, policy=policy.default)
    assert mail["Subject"] == "SMS de +44 7700 900123"


async def test_a_user_who_is_gone_is_told_nothing_and_the_mail_is_given_up(office, teller, delivery):
    office.do(set_user_active, ANNA, active=False)
    await office.book.refresh()
    attempt = await teller.send(mail_to(office, ANNA))
    assert isinstance(attempt.outcome, Failed)
    assert attempt.outcome.problem.code is ProblemCode.USER_INACTIVE
    assert delivery.mails == []


@pytest.mark.usefixtures("patient")
async def test_the_profiles_own_template_is_in_the_mail(office, teller, delivery):
    source = "<!DOCTYPE html><html><head><title>x</title></head><body><p>Own: {{ m.text }}</p></body></html>"
    office.do(set_template, TemplateOwner("demo", "sales"), MailForm.INBOUND, source, {})
    for user in (ANNA, BERT):
        await teller.send(mail_to(office, user))
    htmls = [
        part.get_content()
        for mail in delivery.mails
        for part in message_from_bytes(mail.message, policy=policy.default).walk()
        if part.get_content_type() == "text/html"
    ]
    assert ["Own: Danke!" in html for html in htmls] == [True, False]


async def test_a_list_speaks_the_language_of_the_customers_default_profile(office, teller, delivery):
    office.do(set_default_profile, "demo", "standard")
    await office.book.refresh()
    listed = InboundList(
        identity="IL.1",
        recipient=SHARED,
        customer_key=office.customer_key,
        name="Umfrage",
        count=1,
        whole=False,
        content=b"id",
        created_at=RECEIVED_AT,
    )
    await teller.send(listed)
    mail = message_from_bytes(delivery.mails[0].message, policy=policy.default)
    assert mail["Subject"] == "SMS-Liste Umfrage, 23.11.2026"
    assert delivery.customers == ["demo"]


# Refused

_ACTIONS, _SMS = Insert(ActionRow), Insert(InboundSmsRow)


class World(StoreHarness):
    """A store with an SMS whose action has these addresses."""

    SMS, ACTION = 501, 601

    def set_up(self, *addresses: str) -> None:
        action = _ACTIONS.row(
            key=self.ACTION,
            customer_key=3,
            name="in",
            canonical="in",
            kind="mail",
            settings=write_settings(MailAction(addresses=addresses)),
        )
        sms = _SMS.row(
            key=self.SMS,
            public_id="I.1",
            carrier="smsc1",
            source="+447700900123",
            destination="+447700900999",
            phone="447700900123",
            body="Ja",
            shown="Ja",
            customer_key=3,
            customer="demo",
            received_at=self.now,
            handled_at=self.now,
        )

        def store(tx: Transaction, items: list[None]) -> list[None]:
            tx.insert(_ACTIONS, [action])
            tx.insert(_SMS, [sms])
            return items

        self.database.write_now(store, None)

    def owe(self, *recipients: str) -> None:
        """Write the mails of the SMS as they are written when it comes."""
        for recipient in recipients:
            about: dict[str, str | int] = {
                "user": recipient,
                "profile": 0,
                "action": self.ACTION,
                "fallback": False,
                "thread": 7,
            }
            row = NewRow(
                kind=INBOUND_MAIL,
                prefix="IN",
                recipient=recipient,
                now=self.now,
                about={**about, "previous": "in.IN.9"},
                sms_key=self.SMS,
                customer_key=3,
            )
            self.database.write_now(self.outbox.add, row)

    def mails(self) -> list[tuple[str, str]]:
        return [(row.recipient, row.state) for row in self.outbox_rows(kind=INBOUND_MAIL)]

    def is_handed_over(self) -> bool:
        wanted = InboundFilter(handed=frozenset({Handed.NO, Handed.NOBODY}))
        return not self.database.read_now(partial(search_inbound, wanted=wanted, most=9))


@pytest.fixture
def world(database_url):
    made = World(database_url, Rules())
    yield made
    made.database.close()


def test_a_mail_that_is_given_up_goes_to_the_addresses_of_its_action_in_the_same_transaction(world):
    world.set_up(SHARED, "second@example.com")
    world.owe(ANNA)
    (row,) = world.notices()
    world.end_notice(row, OutboxEvent.FAIL, reason="mail-refused")
    assert world.mails() == [(ANNA, "failed"), (SHARED, "queued"), ("second@example.com", "queued")]
    fallbacks = world.notices()
    assert {json.loads(each.about)["fallback"] for each in fallbacks} == {True}
    assert {json.loads(each.about)["user"] for each in fallbacks} == {""}
    assert {(json.loads(each.about)["previous"], each.sms_key) for each in fallbacks} == {("in.IN.9", world.SMS)}
    assert world.is_handed_over()


def test_nobody_is_told_twice(world):
    world.set_up("Info@Example.com", ANNA)
    world.owe(ANNA, BERT, SHARED)
    for row in world.notices():
        world.end_notice(row, OutboxEvent.FAIL)
    assert sorted(world.mails()) == [(ANNA, "failed"), (BERT, "failed"), (SHARED, "failed")]
    assert not world.is_handed_over()


def test_two_mails_of_an_sms_that_fail_have_one_fallback(world):
    world.set_up(SHARED)
    world.owe(ANNA, BERT)
    for row in world.notices():
        world.end_notice(row, OutboxEvent.FAIL)
    assert [each for each in world.mails() if each[0] == SHARED] == [(SHARED, "queued")]


@pytest.mark.parametrize("event", [OutboxEvent.SEND, OutboxEvent.DEFER])
def test_a_mail_that_was_sent_or_waits_has_no_fallback(event, world):
    world.set_up(SHARED)
    world.owe(ANNA)
    world.end_notice(world.notices()[0], event)
    assert [recipient for recipient, _ in world.mails()] == [ANNA]
    assert world.is_handed_over()


def test_where_the_fallback_fails_too_the_sms_is_listed_as_not_handed_over(world):
    world.set_up(SHARED)
    world.owe(ANNA)
    for _ in range(2):
        assert world.is_handed_over()
        (row,) = world.notices()
        world.end_notice(row, OutboxEvent.FAIL)
    assert world.mails() == [(ANNA, "failed"), (SHARED, "failed")]
    assert not world.is_handed_over()


def test_without_its_action_a_mail_has_no_fallback(world):
    world.set_up(SHARED)
    world.owe(ANNA)
    world.execute("DELETE FROM inbound_action")
    world.end_notice(world.notices()[0], OutboxEvent.FAIL)
    assert world.mails() == [(ANNA, "failed")]


def test_what_a_process_says_whose_mail_another_one_took_makes_no_fallback(world):
    world.set_up(SHARED)
    world.owe(ANNA)
    (row,) = world.notices()
    world.execute("UPDATE outbox SET owner = 'other', attempts = 2")
    world.end_notice(row, OutboxEvent.FAIL)
    assert world.mails() == [(ANNA, "sending")]


def test_the_mails_of_an_sms_are_kept_as_long_as_it_is(world):
    world.set_up()
    world.owe(ANNA)
    world.end_notice(world.notices()[0], OutboxEvent.FAIL)
    a_year_later = world.now + 365 * 86_400 * 1_000_000
    assert world.database.write_now(world.outbox.forget, a_year_later) == 0
    assert not world.is_handed_over()


@pytest.mark.parametrize(
    ("addresses", "outcome", "sent", "alerts"),
    [
        ((SHARED,), Failed(problem=REFUSED), [SHARED], 0),
        ((), Failed(problem=REFUSED), [], 1),
        ((SHARED,), Retry(problem=BUSY), [SHARED], 0),
    ],
)
async def test_the_administrator_is_told_only_where_nobody_else_gets_the_sms(addresses, outcome, sent, alerts, world):
    world.set_up(*addresses)
    world.owe(ANNA)
    box, told = FakeMailbox(), []
    box.answer = lambda item: MailAttempt(outcome=outcome if item.recipient == ANNA else Done())
    loop = OutboxLoop(
        database=world.database,
        outbox=world.outbox,
        channels={
            Channel.MAIL: ChannelRules(
                sender=box,
                ladder=Ladder(waits=[timedelta(minutes=1)], expire_after=timedelta(0)),
                given_up=lambda taken, end: told.append(mail_given_up(taken, end)),
            )
        },
        clock=Clock(),
        owner="me",
        chance=lambda: 0.0,
    )
    loop.start()
    await until(lambda: sorted(world.mails()) == sorted([(ANNA, "failed"), *((each, "sent") for each in sent)]))
    await loop.stop(5)
    assert len(told) == alerts
    assert all(alert.subject == "A mail of a received SMS to example.com was given up" for alert in told)
