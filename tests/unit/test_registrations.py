"""Registrations of sender IDs: asked for as their country wants, approved until a day, reminded of, ended, dropped."""

import asyncio
from datetime import date, timedelta
from functools import partial
from itertools import pairwise

import pytest

from addressbook.registrations import RegistrationState
from countries.book import Mode, OperatorRule
from countries.judge import Registration
from countries.rules import RuleName
from gateway.admin import customers, numbers, registration_papers, registration_views, registrations
from gateway.admin.countries import judge_by
from gateway.admin.edit import Administration, AuditAction
from gateway.admin.faults import FaultCode
from gateway.admin.registration_letters import Registrar
from gateway.admin.requested_registration import RequestedRegistration
from gateway.admin.support import SupportDesk
from gateway.care_watch import CareWatch
from sms.number import parse_sender_id
from sms.settings import UseCase
from store.directory_lookup import find_customer
from store.engine.keys import Keys, to_stored
from store.registrations import find_registration, load_registrations
from tests.kit.admin_harness import NOW, AdminHarness
from tests.kit.clock import Clock

DAY = timedelta(days=1)
ADMIN, ASKER, DESK = "admin@example.com", "anna@example.com", "desk@example.net"
SAMPLES = ("Your parcel comes at noon.",)
PDF = b"%PDF-1.7\n%%EOF\n"
TODAY = NOW.date()


def requested(country="ES", value="Acme", **given):
    return RequestedRegistration(
        **{"country": country, "value": value, "company": "Acme plc", "samples": SAMPLES, **given}
    )


class Register(AdminHarness):
    """An office with two customers, watched by a clock that the test moves; `ask` is by an account of the portal."""

    def __init__(self, url, rulings=()):
        super().__init__(url)
        self.clock = Clock(NOW)
        self.kicks = 0
        for name in ("acme", "zeta"):
            self.do(customers.add_customer, name)
        self.do(customers.set_admin_address, "acme", ADMIN)
        self.keys = keys = Keys(2, lambda: self.clock.now().timestamp())
        self.account = Administration(self.database, keys, ASKER, self.clock.now)
        self.admin = Administration(self.database, keys, "operator", self.clock.now)
        self.follow(rulings)

    def follow(self, rulings=()):
        """Go on with decisions of the operator about rules of countries."""
        self.registrar = Registrar(
            judge=judge_by(rulings),
            carriers=("telco",),
            desk=SupportDesk(address=DESK),
            portal="https://sms.example.net",
        )
        self.watch = CareWatch(
            database=self.database,
            keys=self.keys,
            clock=self.clock,
            registrar=self.registrar,
            written=self.kicked,
        )

    def kicked(self):
        self.kicks += 1

    def ask(self, customer="acme", **given):
        """Make a draft and return its id."""
        change = partial(
            registrations.request_registration,
            customer=customer,
            requested=requested(**given),
            registrar=self.registrar,
        )
        (done,) = self.account.change_now(change)
        return done.facts["registration"]

    def step(self, use_case, registration, **given):
        return self.do(use_case, registration, self.registrar, **given)

    def submitted(self, **given):
        found = self.ask(**given)
        self.step(registrations.submit_registration, found)
        return found

    def approved(self, *, until=None, also=False, **given):
        found = self.submitted(**given)
        self.step(registrations.approve_registration, found, until=until, also=also)
        return found

    def row(self, registration):
        return self.look(find_registration, registration)

    def state(self, registration):
        return self.row(registration).state

    def counts(self, name="Acme", country="ES", customer="acme", use_case=UseCase.TRANSACTIONAL, carrier=""):
        """Return whether a name is registered today as a plan sees it."""
        owner = self.look(find_customer, customer)
        book = self.look(load_registrations)
        return book.find(owner.key, parse_sender_id(name), country, use_case, self.clock.now().date(), carrier)

    def letters(self):
        told = [(recipient, about["words"]) for recipient, about in self.tables.letters()]
        return [(recipient, words.removeprefix("senderid-")) for recipient, words in told if "senderid" in words]

    def send(self, count, country="ID", name="Acme"):
        """Write down that so many SMS of acme had a name as their sender, now."""
        owner = self.look(find_customer, "acme").key
        begun = int(self.look(lambda tx: tx.value("SELECT count(*) FROM detail")))
        at = to_stored(self.clock.now())
        for number in range(begun, begun + count):
            self.execute(
                "INSERT INTO detail (customer_key, accepted_at, key, service, sender, sender_id, cost_centre,"
                f" reference, customer_ref, country, state, carrier) VALUES ({owner}, {at}, {number}, 'mail', '',"
                f" '{name}', '', '', '', '{country}', 'delivered', '')"
            )

    def pass_days(self, days):
        """Return the letters of each of some days on which there were some, by how many days were over."""
        told, known = {}, len(self.letters())
        for day in range(1, days + 1):
            self.clock.move(DAY)
            asyncio.run(self.watch.step())
            fresh = self.letters()[known:]
            known += len(fresh)
            if fresh:
                told[day] = fresh
        return told


@pytest.fixture
def office(database_url):
    made = Register(database_url)
    yield made
    made.close()


def test_a_name_counts_from_its_approval_on_for_its_customer_and_no_other(office):
    found = office.submitted()
    assert office.counts() is Registration.NONE
    office.step(registrations.approve_registration, found, until=TODAY + 365 * DAY)
    assert office.counts() is Registration.OWN
    assert office.counts(customer="zeta") is Registration.NONE
    assert office.counts(country="SG") is Registration.NONE
    assert office.letters() == [(DESK, "submitted"), (ASKER, "approved")]


def test_each_step_makes_a_new_version_of_the_address_book_only_where_it_changes_what_counts(office):
    versions = [office.version]
    found = office.submitted()
    versions.append(office.version)
    office.step(registrations.approve_registration, found)
    versions.append(office.version)
    office.step(registrations.withdraw_registration, found)
    versions.append(office.version)
    assert [later - earlier for earlier, later in pairwise(versions)] == [0, 1, 1]
    assert office.counts() is Registration.NONE


def test_the_case_of_a_name_is_kept_and_counts(office):
    office.approved(value="ACME")
    assert office.counts("ACME") is Registration.OWN
    assert office.counts("Acme") is Registration.NONE


def test_one_for_a_use_case_or_a_carrier_counts_for_nothing_else(office):
    office.approved(use_case="marketing", carrier="telco")
    assert office.counts(use_case=UseCase.MARKETING, carrier="telco") is Registration.OWN
    assert office.counts(use_case=UseCase.MARKETING, carrier="other") is Registration.NONE
    assert office.counts(carrier="telco") is Registration.NONE


def test_the_same_name_is_registered_in_two_countries_by_two_registrations(office):
    office.approved()
    assert office.counts(country="SG") is Registration.NONE
    office.approved(country="SG")
    assert office.counts(country="SG") is Registration.OWN


def test_a_name_of_the_operator_is_everybodys(office):
    found = office.ask(customer="", value="Parcels")
    office.step(registrations.submit_registration, found)
    office.step(registrations.approve_registration, found)
    assert office.counts("Parcels", customer="zeta") is Registration.SHARED
    assert office.letters() == [(DESK, "submitted")]


def test_two_customers_have_one_name_only_where_the_operator_says_so(office):
    office.approved()
    second = office.submitted(customer="zeta", value="ACME")
    code, facts = office.refuse(registrations.approve_registration, second, office.registrar)
    assert (code, facts["customers"]) == (FaultCode.REGISTERED_BY_OTHERS, ("acme",))
    office.step(registrations.approve_registration, second, also=True)
    assert office.counts("ACME", customer="zeta") is Registration.OWN


def test_the_same_is_not_asked_for_twice_but_again_after_it_was_refused_or_has_ended(office):
    first = office.submitted()
    code, facts = office.refuse(registrations.request_registration, "acme", requested(), office.registrar)
    assert (code, facts["registration"]) == (FaultCode.REGISTRATION_EXISTS, first)
    office.step(registrations.refuse_registration, first, reason="the company is not known there")
    second = office.submitted()
    assert office.refuse(registrations.submit_registration, first, office.registrar)[0] is FaultCode.REGISTRATION_EXISTS
    office.step(registrations.withdraw_registration, second)
    office.step(registrations.submit_registration, first)
    assert office.state(first) is RegistrationState.SUBMITTED


def test_what_the_country_asks_for_and_is_missing_is_named(office):
    found = office.ask(country="QA", company="", samples=())
    code, facts = office.refuse(registrations.submit_registration, found, office.registrar)
    assert (code, facts) == (
        FaultCode.REGISTRATION_INCOMPLETE,
        {"country": "QA", "missing": ("company", "samples", "letter")},
    )
    office.do(registrations.edit_registration, found, requested(country="QA"), office.registrar)
    office.do(registration_papers.put_paper, found, name="letter.pdf", content=PDF)
    assert office.refuse(registrations.submit_registration, found, office.registrar)[1]["missing"] == ("letter",)
    office.do(registration_papers.put_paper, found, name="letter.pdf", content=PDF, is_letter=True)
    office.step(registrations.submit_registration, found)


def test_the_operator_can_ask_for_more_and_a_country_for_a_company_of_its_own(office):
    ruling = OperatorRule(
        country="ES", name=RuleName.REGISTRATION_NEEDS, mode=Mode.APPLY, value="use-case,volume,local-entity"
    )
    office.follow([ruling])
    found = office.ask()
    missing = office.refuse(registrations.submit_registration, found, office.registrar)[1]["missing"]
    assert missing == ("use-case", "volume", "local-entity")
    local = office.ask(country="AM")
    assert office.refuse(registrations.submit_registration, local, office.registrar)[1]["missing"] == ("local-entity",)


def test_a_name_that_no_registration_helps_is_not_submitted(office):
    found = office.ask(country="ES", value="Acme")
    office.follow([OperatorRule(country="ES", name=RuleName.ALPHA, mode=Mode.APPLY, value="none")])
    code, facts = office.refuse(registrations.submit_registration, found, office.registrar)
    assert code is FaultCode.SENDER_ID_HAS_NO_WAY
    assert "can't be the sender there" in facts["why"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"value": ""}, FaultCode.BAD_REGISTERED_NAME),
        ({"value": "12345"}, FaultCode.BAD_REGISTERED_NAME),
        ({"value": "TwelveLetter"}, FaultCode.BAD_REGISTERED_NAME),
        ({"kind": "short-code", "value": "12345"}, FaultCode.BAD_REGISTERED_NAME),
        ({"country": "XX"}, FaultCode.BAD_COUNTRY),
        ({"use_case": "spam"}, FaultCode.NO_USE_CASE),
        ({"carrier": "nobody"}, FaultCode.NO_CARRIER),
        ({"samples": ["x" * 1001]}, FaultCode.BAD_REGISTRATION_TEXT),
        ({"company": "x" * 201}, FaultCode.BAD_REGISTRATION_TEXT),
        ({"volume": -1}, FaultCode.BAD_REGISTRATION_TEXT),
    ],
)
def test_what_nothing_can_be_made_of_is_refused_and_changes_nothing(office, given, code):
    asked = requested(**given)
    assert office.refuse(registrations.request_registration, "acme", asked, office.registrar)[0] is code


def test_who_asked_reads_why_it_was_refused_and_submits_it_again(office):
    found = office.submitted()
    office.step(registrations.refuse_registration, found, reason="the letter is not signed")
    assert (office.state(found), office.row(found).reason) == (RegistrationState.REFUSED, "the letter is not signed")
    office.step(registrations.submit_registration, found)
    assert office.row(found).reason == ""
    assert [words for _, words in office.letters()] == ["submitted", "refused", "submitted"]


def test_a_step_that_does_not_fit_the_state_is_refused(office):
    found = office.ask()
    for use_case, given in (
        (registrations.approve_registration, {}),
        (registrations.refuse_registration, {"reason": "no"}),
        (registrations.renew_registration, {}),
        (registrations.ask_renewal, {}),
        (registrations.drop_registration, {"reason": "idle"}),
    ):
        code, facts = office.refuse(use_case, found, office.registrar, **given)
        assert (code, facts["state"]) == (FaultCode.REGISTRATION_NOT_SO, "draft")
    office.step(registrations.submit_registration, found)
    assert (
        office.refuse(registrations.edit_registration, found, requested(), office.registrar)[0]
        is FaultCode.REGISTRATION_NOT_SO
    )
    yesterday = TODAY - DAY
    code = office.refuse(registrations.approve_registration, found, office.registrar, until=yesterday)[0]
    assert code is FaultCode.DUE_IS_PAST


def test_a_customer_reaches_only_its_own(office):
    found = office.ask()
    for customer, use_case in (
        ("zeta", registrations.submit_registration),
        ("zeta", registrations.withdraw_registration),
    ):
        code = office.refuse(use_case, found, office.registrar, customer=customer)[0]
        assert code is FaultCode.NO_REGISTRATION
    code = office.refuse(registration_papers.put_paper, found, name="a.pdf", content=PDF, customer="zeta")[0]
    assert code is FaultCode.NO_REGISTRATION


def test_its_history_says_who_did_what_and_when(office):
    found = office.approved(until=date(2027, 11, 30))
    judge = office.registrar.judge
    whole = office.look(partial(registration_views.whole_registration, registration=found, judge=judge, now=NOW))
    assert [(line.who, line.action) for line in whole.history] == [
        ("operator", AuditAction.APPROVE_REGISTRATION),
        ("operator", AuditAction.SUBMIT_REGISTRATION),
        (ASKER, AuditAction.REQUEST_REGISTRATION),
    ]
    (row,) = office.look(registration_views.list_registrations, "acme")
    assert (row["what"], row["state"], row["until"]) == ("Acme", "approved", "2027-11-30")


def test_a_code_that_is_assigned_is_the_customers_number(office):
    found = office.submitted(kind="long-code", value="", country="GB")
    code, _ = office.refuse(registrations.approve_registration, found, office.registrar)
    assert code is FaultCode.CODE_MISSING
    code, _ = office.refuse(registrations.approve_registration, found, office.registrar, code="12345")
    assert code in {FaultCode.CODE_OF_OTHER_KIND, FaultCode.NUMBER_WITHOUT_COUNTRY}
    office.step(registrations.approve_registration, found, code="+447700900123")
    (number,) = office.look(numbers.list_numbers, "acme")
    assert (number["number"], number["state"], number["customer"]) == ("+447700900123", "active", "acme")
    assert office.row(found).value == "447700900123"


def test_a_number_that_was_requested_becomes_active_and_one_of_others_is_not_given_away(office):
    make = partial(numbers.make_number, known_carriers=(), country="GB")
    office.do(make, "77111", state="requested", customer="acme")
    office.do(make, "77222", customer="zeta")
    found = office.submitted(kind="short-code", value="", country="GB")
    assert (
        office.refuse(registrations.approve_registration, found, office.registrar, code="77222")[0]
        is FaultCode.CODE_TAKEN
    )
    office.step(registrations.approve_registration, found, code="77111")
    (number,) = office.look(numbers.list_numbers, "acme")
    assert (number["number"], number["state"]) == ("77111", "active")


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("letter.pdf", b"MZ\x90\x00", FaultCode.BAD_PAPER),
        ("letter.pdf", b"<html>", FaultCode.BAD_PAPER),
        ("", PDF, FaultCode.BAD_PAPER),
        ("letter.pdf", PDF + b" " * 5_000_000, FaultCode.PAPER_TOO_LARGE),
    ],
)
def test_a_paper_is_what_its_octets_say_and_of_bounded_size(office, name, content, code):
    found = office.ask()
    assert office.refuse(registration_papers.put_paper, found, name=name, content=content)[0] is code


def test_papers_of_a_registration_are_bounded_and_have_names_without_folders(office):
    found = office.ask()
    office.do(registration_papers.put_paper, found, name='C:\\x\\..\\"a";.pdf', content=PDF)
    for number in range(9):
        office.do(registration_papers.put_paper, found, name=f"{number}.pdf", content=PDF)
    code = office.refuse(registration_papers.put_paper, found, name="10.pdf", content=PDF)[0]
    assert code is FaultCode.TOO_MANY_PAPERS
    judge = office.registrar.judge
    whole = office.look(partial(registration_views.whole_registration, registration=found, judge=judge, now=NOW))
    assert whole.papers[0].name == "_a__.pdf"
    assert office.look(registration_papers.open_paper, found, "_a__.pdf").content == PDF
    office.do(registration_papers.drop_paper, found, name="_a__.pdf")
    assert office.refuse(registration_papers.drop_paper, found, name="_a__.pdf")[0] is FaultCode.NO_PAPER


def test_registrations_and_papers_go_with_their_customer(office):
    found = office.ask()
    office.do(registration_papers.put_paper, found, name="letter.pdf", content=PDF)
    office.do(customers.remove_customer, "acme")
    for table in ("registration", "registration_paper"):
        assert office.look(lambda tx, name=table: tx.value(f"SELECT count(*) FROM {name}")) == 0


def test_its_end_is_told_60_30_and_7_days_before_and_once_when_it_is_there(office):
    found = office.approved(until=TODAY + 69 * DAY)
    told = office.pass_days(80)
    both = [(ASKER, "reminder"), (DESK, "reminder")]
    # The last day is over at midnight; the watch looks at 16:00.
    assert told == {10: both, 40: both, 63: both, 70: [(ASKER, "expired"), (DESK, "expired")]}
    assert office.state(found) is RegistrationState.EXPIRED
    assert office.counts() is Registration.NONE


def test_a_name_does_not_count_after_its_last_day_even_before_anybody_looked(office):
    office.approved(until=TODAY + 5 * DAY)
    office.clock.move(5 * DAY)
    assert office.counts() is Registration.OWN
    office.clock.move(DAY)
    assert office.counts() is Registration.NONE


def test_a_renewal_that_is_asked_for_leaves_no_gap(office):
    found = office.approved(until=TODAY + 20 * DAY)
    for _ in range(2):
        office.step(registrations.ask_renewal, found, customer="acme")
    assert office.counts() is Registration.OWN
    assert office.letters()[2:] == [(DESK, "renewal")]
    office.step(registrations.renew_registration, found, until=TODAY + 385 * DAY)
    assert (office.row(found).until_day, office.row(found).renewing) == ("2027-12-13", False)
    assert office.pass_days(30) == {}
    assert office.counts() is Registration.OWN


def test_one_that_has_ended_is_submitted_again_or_renewed(office):
    found = office.approved(until=TODAY)
    office.pass_days(1)
    office.step(registrations.renew_registration, found, until=TODAY + 30 * DAY)
    assert office.counts() is Registration.OWN
    office.step(registrations.drop_registration, found, reason="the register says so")
    assert office.counts() is Registration.NONE
    office.step(registrations.submit_registration, found)
    assert office.state(found) is RegistrationState.SUBMITTED


def test_one_that_has_ended_is_not_renewed_past_another_customer_that_has_the_name_by_now(office):
    first = office.approved(until=TODAY)
    office.pass_days(1)
    office.approved(customer="zeta")
    code, facts = office.refuse(registrations.renew_registration, first, office.registrar)
    assert (code, facts["customers"]) == (FaultCode.REGISTERED_BY_OTHERS, ("zeta",))
    office.step(registrations.renew_registration, first, also=True)
    assert office.counts() is Registration.OWN


def test_where_it_is_not_certain_a_name_that_is_used_too_little_is_warned_of_once_and_stays(office):
    office.approved(country="ID")
    office.send(5)
    assert office.pass_days(120) == {84: [(ASKER, "idle"), (DESK, "idle")]}
    assert office.counts(country="ID") is Registration.OWN


def test_where_the_operator_knows_it_is_dropped_after_a_warning(office):
    office.follow([OperatorRule(country="ID", name=RuleName.REGISTRATION_IDLE, mode=Mode.APPLY)])
    found = office.approved(country="ID")
    assert office.pass_days(120) == {
        84: [(ASKER, "idle"), (DESK, "idle")],
        98: [(ASKER, "dropped"), (DESK, "dropped")],
    }
    assert office.state(found) is RegistrationState.IDLE_DROPPED
    assert office.counts(country="ID") is Registration.NONE


def test_a_name_that_is_used_again_after_the_warning_stays(office):
    office.follow([OperatorRule(country="TH", name=RuleName.REGISTRATION_IDLE, mode=Mode.APPLY, value="3/30d")])
    found = office.approved(country="TH")
    assert list(office.pass_days(28)) == [28]
    office.send(3, country="TH")
    assert office.pass_days(14) == {}
    assert office.state(found) is RegistrationState.APPROVED


def test_a_refusal_can_say_what_of_a_registration_does_not_fit(office):
    office.approved(value="Acme", use_case="marketing", until=TODAY)
    office.approved(value="Parcels", carrier="telco")
    owner = office.look(find_customer, "acme").key
    book = office.look(load_registrations)

    def why(name, use_case=UseCase.TRANSACTIONAL, day=TODAY, key=owner):
        return book.near_miss(key, parse_sender_id(name), "ES", use_case, day)

    assert why("ACME") == "«Acme» is registered, and small and capital letters count"
    assert why("Acme") == "it is registered for marketing only"
    assert why("Acme", UseCase.MARKETING, TODAY + DAY) == f"its registration ended after {TODAY}"
    assert why("Parcels") == "it is registered for the carrier telco only"
    assert why("Other") == why("Acme", key=owner + 1) == ""
