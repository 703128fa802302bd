"""What a customer has contracted: what else can't be set up or used, and says so."""

from dataclasses import replace

import pytest

from addressbook.options import ALL_OPTIONS, Option
from config.contracts import ContractOptions
from config.model import Config, load_config
from gateway.admin import customers, options, settings
from gateway.admin.faults import FaultCode
from gateway.admin.settings import CustomerScope
from sms.message import Priority
from sms.outcome import Refusal
from store.directory_lookup import find_customer
from tests.kit.admin_harness import AdminHarness
from tests.kit.installation import mail
from tests.kit.testbed import ANNA, administer, judge, open_core, proven
from tests.unit.test_handler import converse, handler, session

SAP = b"X-Mailer: SAP Web Application Server 7.01\r\n"


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
    administer(core.folder, f"customer option acme {line}")
    await core.book.refresh()


def stored(office):
    return office.look(find_customer, "acme").options


def test_a_customer_has_the_operators_options_until_its_own_are_set(office):
    assert stored(office) is None
    done = office.do(options.set_options, "acme", remove=["SAP", "express"])
    assert set(done.facts["options"]) == ALL_OPTIONS - {Option.SAP, Option.EXPRESS}
    assert stored(office) == ALL_OPTIONS - {Option.SAP, Option.EXPRESS}
    office.do(options.set_options, "acme", add=["sap"])
    assert stored(office) == ALL_OPTIONS - {Option.EXPRESS}
    assert [entry["action"] for entry in office.audit(2, about="acme")] == ["customer.options"] * 2


def test_an_option_that_there_is_not_is_refused_and_asking_changes_nothing(office):
    assert office.refuse(options.set_options, "acme", add=["fax"]) == (FaultCode.NO_OPTION, {"name": "fax"})
    version = office.version
    assert set(office.do(options.set_options, "acme").facts["options"]) == ALL_OPTIONS
    assert (office.version, stored(office)) == (version, None)


@pytest.mark.parametrize(
    ("field", "value", "option"),
    [
        ("priority", "express", "express"),
        ("push_url", "https://app.example.com/sms", "push"),
    ],
)
def test_a_setting_of_what_is_not_contracted_is_refused(office, field, value, option):
    office.do(options.set_options, "acme", remove=[option])
    fault = office.refuse(settings.set_settings, CustomerScope("acme"), {field: value})
    assert fault == (FaultCode.NOT_CONTRACTED, {"customer": "acme", "option": option})
    office.do(settings.set_settings, CustomerScope("acme"), {field: ""})


async def test_what_was_set_before_is_without_effect_and_says_why(core):
    administer(core.folder, "customer set acme priority=express push_url=https://app.example.com/sms")
    await core.book.refresh()
    assert judge(core, "acme").resolved.settings.priority is Priority.EXPRESS
    await change(core, "--remove express --remove push")
    resolved = judge(core, "acme").resolved
    assert (resolved.settings.priority, resolved.settings.push_url) == (Priority.NORMAL, "")
    assert {(item.field, str(item.why)) for item in resolved.clamped} == {
        ("priority", "the contract of customer acme does not allow express"),
        ("push_url", "the contract of customer acme does not include push"),
    }


async def test_a_mail_of_a_service_that_is_not_contracted_is_refused_with_its_own_code(core):
    await change(core, "--remove sap")
    assert judge(core, "acme").refused is None
    refused = judge(core, "acme", raw=SAP + mail("Hello", sender=ANNA)).refused
    assert (refused.refusal, refused.detail) == (
        Refusal.NOT_CONTRACTED,
        "acme has not contracted the option sap",
    )


async def test_without_any_service_of_mail_each_recipient_is_refused(core):
    await change(core, "--remove mail2sms")
    assert (await converse(handler(core), await session(core))).startswith("550 5.7.1 Option not contracted")
    found = core.judge.judge_recipient(proven(core, "acme"), "anna@acme.example.com", "+447700900101@sms.example.net")
    assert not hasattr(found, "refusal")
    await change(core, "--remove sap")
    reply = await converse(handler(core), await session(core))
    assert reply == "550 5.7.1 Option not contracted: acme has not contracted the option mail2sms"
    await change(core, "--add mail2sms")
    assert (await converse(handler(core), await session(core))).startswith("250")


def test_the_operators_file_says_what_customers_have_by_default(house):
    file = house.server.data_dir / "mail2sms.toml"
    file.write_text(file.read_text("utf-8").replace("#default_options = [", 'default_options = ["sap"] #', 1), "utf-8")
    config = load_config(file)
    assert isinstance(config, Config)
    assert frozenset(config.contracts.default_options) == {Option.SAP}
    core = open_core(config)
    try:
        assert judge(core, "acme").refused.refusal is Refusal.NOT_CONTRACTED
    finally:
        core.database.close()


def test_an_option_that_stands_twice_is_said_to_the_operator():
    twice = replace(ContractOptions(), default_options=(Option.SAP, Option.SAP))
    assert [issue.message for issue in twice.complaints()] == ["expected each option once"]
