"""Declarations: asked by version and language, reminded of, confirmed by somebody; who does not can be suspended."""

from datetime import timedelta
from functools import partial

import pytest

from addressbook.rights import Role
from countries.judge import Judge
from gateway.admin import accounts, customers, declarations
from gateway.admin.edit import AuditAction
from gateway.admin.faults import FaultCode
from gateway.admin.registration_letters import Registrar
from gateway.care_watch import CareWatch
from store.declarations import find_declaration
from store.directory_lookup import find_customer
from store.engine.keys import Keys
from tests.kit.admin_harness import NOW, AdminHarness
from tests.kit.clock import Clock

DAY = timedelta(days=1)
TEXTS = {"en": "# Consent of staff\n\nThe works council agrees.", "de": "Zustimmung\n\nDer Betriebsrat stimmt zu."}
ADMIN = "anna@example.com"


class Asked(AdminHarness):
    """An office with two customers, watched by a clock that the test moves."""

    def __init__(self, url):
        super().__init__(url)
        self.clock = Clock(NOW)
        self.kicks = 0
        for name in ("acme", "zeta"):
            self.do(customers.add_customer, name)
        self.do(customers.set_admin_address, "acme", ADMIN)
        self.watch = CareWatch(
            database=self.database,
            keys=Keys(2, NOW.timestamp),
            clock=self.clock,
            registrar=Registrar(judge=Judge(), portal="https://sms.example.net"),
            written=self.kicked,
        )

    def kicked(self):
        self.kicks += 1

    def ask(self, name="consent", **given):
        return self.do(declarations.add_declaration, name, **{"texts": TEXTS, "customers": ["acme"], **given})

    def letters(self):
        told = [(recipient, about["words"]) for recipient, about in self.tables.letters()]
        return [(recipient, words) for recipient, words in told if words.startswith("declaration")]

    def suspended(self, name="acme"):
        return [item.reason for item in self.look(find_customer, name).suspensions]

    def rows(self, name=""):
        return self.look(partial(declarations.list_declarations, customer=name))


@pytest.fixture
def office(database_url):
    made = Asked(database_url)
    yield made
    made.close()


def test_a_customer_is_asked_once_by_mail_and_the_list_says_until_when(office):
    done = office.ask(due=NOW + 10 * DAY)
    assert done.facts["customers"] == ("acme",)
    assert office.letters() == [(ADMIN, "declaration-asked")]
    (row,) = office.rows()
    assert (row["customer"], row["name"], row["version"], row["due"]) == ("acme", "consent", 1, "2026-12-03 16:00 UTC")
    assert (row["confirmed"], row["by"]) == ("", "")


def test_without_an_administrators_address_the_administrators_of_the_portal_are_asked(office):
    for address, role in (("cleo@example.com", Role.ADMINISTRATOR), ("dan@example.com", Role.REPORTS)):
        office.do(accounts.invite_account, address, customer="zeta", role=role.value, portal="https://sms.example.net")
    office.ask(customers=["zeta"])
    assert office.letters() == [("cleo@example.com", "declaration-asked")]


def test_a_confirmation_says_who_confirmed_which_version_and_is_audited(office):
    office.ask()
    done = office.do(declarations.confirm_declaration, "consent", "acme", "Cleo Marsh")
    assert done.facts == {"name": "consent", "version": 1, "customer": "acme", "by": "Cleo Marsh"}
    (row,) = office.rows("acme")
    assert (row["confirmed"], row["by"]) == ("2026-11-23 16:00 UTC", "Cleo Marsh")
    assert office.audit(1, about="acme")[0]["action"] == AuditAction.CONFIRM_DECLARATION
    assert office.refuse(declarations.confirm_declaration, "consent", "acme")[0] is FaultCode.NOTHING_TO_CONFIRM


def test_a_new_version_is_asked_anew_and_ends_what_was_not_confirmed_of_the_one_before(office):
    office.ask()
    office.ask(texts={"en": "Consent\n\nOther words."})
    assert [(row["version"], row["confirmed"]) for row in office.rows()] == [(2, "")]
    office.do(declarations.confirm_declaration, "consent", "acme")
    office.ask(texts={"en": "Consent\n\nYet other words."})
    assert [(row["version"], bool(row["confirmed"])) for row in office.rows()] == [(3, False), (2, True)]


def test_without_texts_the_newest_version_is_asked_of_others_and_who_confirmed_it_is_left_alone(office):
    office.ask()
    office.do(declarations.confirm_declaration, "consent", "acme")
    office.ask(texts=None, customers=(), everybody=True)
    assert sorted((row["customer"], bool(row["confirmed"])) for row in office.rows()) == [
        ("acme", True),
        ("zeta", False),
    ]


def test_a_reader_gets_the_text_of_its_language_else_the_english_one(office):
    office.ask()
    found = office.look(find_declaration, "consent")
    assert found.title_in("de-AT") == "Zustimmung"
    assert found.title_in("fr") == "Consent of staff"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"name": "No Name"}, FaultCode.BAD_DECLARATION_NAME),
        ({"texts": {"english": "Title"}}, FaultCode.BAD_DECLARATION),
        ({"texts": {"en": " \n\n"}}, FaultCode.BAD_DECLARATION),
        ({"texts": {"en": "x" * 101}}, FaultCode.BAD_DECLARATION),
        ({"texts": None}, FaultCode.NO_DECLARATION),
        ({"customers": ["nobody"]}, FaultCode.NO_CUSTOMER),
        ({"due": NOW}, FaultCode.DUE_IS_PAST),
    ],
)
def test_what_cannot_be_asked_is_refused_and_changes_nothing(office, given, code):
    asked = {"name": "consent", "texts": TEXTS, "customers": ["acme"], **given}
    assert office.refuse(declarations.add_declaration, **asked)[0] is code
    assert office.letters() == []


async def test_who_does_not_confirm_is_reminded_twice_then_suspended_until_it_confirms(office):
    office.ask(due=NOW + 10 * DAY, suspends=True)
    told = []
    for _ in range(14):
        await office.watch.step()
        told.append((len(office.letters()), len(office.suspended())))
        office.clock.move(DAY)
    assert told == [(1, 0)] * 3 + [(2, 0)] * 6 + [(3, 0)] + [(4, 1)] * 4
    assert [words for _, words in office.letters()] == [
        "declaration-asked",
        "declaration-reminder",
        "declaration-reminder",
        "declaration-overdue",
    ]
    assert office.suspended() == ["the declaration «Consent of staff» was not confirmed in time"]
    assert office.kicks == 3
    office.do(declarations.confirm_declaration, "consent", "acme")
    assert office.suspended() == []


async def test_one_that_does_not_suspend_only_reminds_and_the_operators_own_suspension_stays(office):
    office.ask(due=NOW + 2 * DAY)
    office.clock.move(5 * DAY)
    await office.watch.step()
    assert office.suspended() == []
    assert [words for _, words in office.letters()] == ["declaration-asked"]
