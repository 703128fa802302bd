"""Suspensions: who is refused and reads why, from when until when, at each door; what was accepted is sent."""

from datetime import timedelta

import pytest

from addressbook.options import SERVICE_OPTIONS, Option
from gateway.admin import customers, suspensions
from gateway.admin.edit import AuditAction
from gateway.admin.faults import FaultCode
from gateway.admin.views import list_customers, show_customer
from gateway.care_watch import CareWatch
from gateway.config_lint import Contradicts
from process.routes import contradictions_of
from sms.message import Origin, Priority
from sms.outcome import Refusal
from store.directory import load_directory
from store.directory_lookup import find_customer
from store.engine.keys import Keys
from store.suspensions import SuspensionRow
from tests.kit.admin_harness import NOW, AdminHarness
from tests.kit.clock import Clock
from tests.kit.installation import mail
from tests.kit.testbed import ANNA, administer, judge, open_core
from tests.unit.test_contracts import SAP
from tests.unit.test_handler import converse, handler, session

DAY = timedelta(days=1)


@pytest.fixture
def core(house):
    core = open_core(house)
    yield core
    core.database.close()


@pytest.fixture
def office(database_url):
    made = AdminHarness(database_url)
    made.do(customers.add_customer, "acme")
    yield made
    made.close()


async def change(core, line):
    administer(core.folder, line)
    await core.book.refresh()


def in_force(office):
    return [(item.option, item.reason) for item in office.look(find_customer, "acme").suspensions]


async def test_a_suspended_customer_is_refused_by_smtp_with_the_reason_until_it_is_resumed(core):
    await change(core, "customer suspend acme --reason unpaid")
    reply = await converse(handler(core), await session(core))
    assert reply == "550 5.7.1 Suspended: acme is suspended: unpaid"
    await change(core, "customer resume acme")
    assert (await converse(handler(core), await session(core))).startswith("250")


async def test_a_suspended_service_refuses_its_own_mails_alone(core):
    await change(core, "customer suspend acme --only sap --reason migration")
    assert judge(core, "acme").refused is None
    refused = judge(core, "acme", raw=SAP + mail("Hello", sender=ANNA)).refused
    assert (refused.refusal, refused.detail) == (Refusal.SUSPENDED, "sap of acme is suspended: migration")


async def test_a_setting_of_a_suspended_option_is_without_effect_and_says_why(core):
    await change(core, "customer set acme priority=express")
    await change(core, "customer suspend acme --only express --reason abuse")
    resolved = judge(core, "acme").resolved
    assert resolved.settings.priority is Priority.NORMAL
    assert [str(item.why) for item in resolved.clamped] == [
        "the contract of customer acme (express is suspended: abuse) does not allow express"
    ]


async def test_a_check_names_who_is_suspended_and_why(core):
    await change(core, "customer suspend acme --only rest --reason abuse")
    found = [item.facts for item in contradictions_of([], core.book) if item.code is Contradicts.SUSPENDED]
    assert found == [{"cause": "rest of acme is suspended: abuse"}]


def test_a_service_is_named_as_the_option_that_it_needs(office):
    assert office.do(suspensions.suspend, "acme", "abuse", "Mail").facts["option"] == "mail2sms"
    assert in_force(office) == [(Option.MAIL2SMS, "abuse")]
    customer = office.look(find_customer, "acme")
    assert customer.suspension_of(Option.MAIL2SMS) is not None
    assert customer.suspension_of(Option.REST) is None
    assert customer.suspension_of() is None


def test_another_reason_stands_in_place_of_the_one_before_and_other_options_stay(office):
    office.do(suspensions.suspend, "acme", "abuse", "rest")
    office.do(suspensions.suspend, "acme", "the bill of May is open")
    office.do(suspensions.suspend, "acme", "the bill of June is open")
    assert in_force(office) == [(Option.REST, "abuse"), (None, "the bill of June is open")]
    assert office.look(show_customer, "acme")["suspensions"] == [
        "rest since 2026-11-23 16:00 UTC: abuse",
        "everything since 2026-11-23 16:00 UTC: the bill of June is open",
    ]
    assert office.look(list_customers)[0]["suspended"] == [Option.REST, "everything"]


def test_resuming_ends_one_option_or_all_and_is_audited(office):
    for only in ("rest", "push", ""):
        office.do(suspensions.suspend, "acme", "abuse", only)
    assert office.do(suspensions.resume, "acme", "rest").facts["options"] == ("rest",)
    assert office.do(suspensions.resume, "acme").facts["options"] == ("everything", "push")
    assert in_force(office) == []
    assert office.refuse(suspensions.resume, "acme") == (
        FaultCode.NOT_SUSPENDED,
        {"customer": "acme", "option": ""},
    )
    actions = [entry["action"] for entry in office.audit(5, about="acme")]
    assert actions == [AuditAction.RESUME] * 2 + [AuditAction.SUSPEND] * 3


@pytest.mark.parametrize("reason", ["", " abuse", "two\nlines", "\x07", "x" * 201])
def test_a_reason_that_no_refusal_could_hold_is_refused(office, reason):
    assert office.refuse(suspensions.suspend, "acme", reason)[0] is FaultCode.BAD_REASON


def test_what_ends_before_it_begins_or_now_is_refused_and_so_is_what_there_is_not(office):
    span = {"since": NOW + 2 * DAY, "until": NOW + DAY}
    assert office.refuse(suspensions.suspend, "acme", "abuse", **span)[0] is FaultCode.ENDS_BEFORE
    assert office.refuse(suspensions.suspend, "acme", "abuse", until=NOW)[0] is FaultCode.ENDS_BEFORE
    assert office.refuse(suspensions.suspend, "acme", "abuse", "fax")[0] is FaultCode.NO_OPTION
    assert office.refuse(suspensions.suspend, "nobody", "abuse")[0] is FaultCode.NO_CUSTOMER


async def test_a_planned_suspension_begins_and_ends_by_itself(office):
    office.do(suspensions.suspend, "acme", "moving house", since=NOW + DAY, until=NOW + 2 * DAY)
    clock = Clock(NOW)
    watch = CareWatch(database=office.database, keys=Keys(2, NOW.timestamp), clock=clock)
    seen = []
    for _ in range(3):
        await watch.step()
        seen.append(len(in_force(office)))
        clock.move(DAY)
    assert seen == [0, 1, 0]
    assert [entry["who"] for entry in office.audit(3, about="acme")] == ["mail2sms", "mail2sms", "anna"]


async def test_a_process_that_follows_the_directory_sees_a_suspension_begin(office):
    before, _ = office.load()
    office.do(suspensions.suspend, "acme", "abuse")
    after, _ = office.load()
    assert after.version == before.version + 1
    assert office.look(load_directory)[0].customer_named("acme").suspensions


def test_a_removed_customer_leaves_no_suspension(office):
    office.do(suspensions.suspend, "acme", "abuse")
    office.do(customers.remove_customer, "acme")
    office.do(customers.add_customer, "acme")
    assert in_force(office) == []
    assert office.tables.stored(SuspensionRow) == []


def test_every_service_that_needs_an_option_can_be_suspended_by_its_own_name(office):
    for service in Origin:
        if service in SERVICE_OPTIONS:
            office.do(suspensions.suspend, "acme", "abuse", service.value)
        else:
            assert office.refuse(suspensions.suspend, "acme", "abuse", service.value)[0] is FaultCode.NO_OPTION
    assert {option for option, _ in in_force(office)} == set(SERVICE_OPTIONS.values())
