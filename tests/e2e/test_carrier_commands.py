"""`mail2sms carrier list|show|test` and `mail2sms route`, as an administrator types them, wrong words included."""

import json

import pytest
import pytest_asyncio

from process.clock import SystemClock
from smpp.simulator.script import Script
from smpp.simulator.simulator import Simulator
from smpp.wire.statuses import Status
from tests.kit.installation import Installation

pytestmark = pytest.mark.asyncio(loop_scope="module")

NUMBER = "+447700900123"
REFUSED = "447700900199"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(tmp_path_factory, module_database):
    site = Installation(tmp_path_factory.mktemp("carriers") / "site", module_database)
    strict = Simulator(accounts={"gateway": "another secret"}, clock=SystemClock())
    await strict.start()
    site.more_carriers = [
        {"name": "beta", "prefixes": ["1"], "priority": 20, "cost": "far", "dialect": {"service_type": "CMT"}},
        {"name": "strict", "port": strict.port, "customers": ["DEMO"], "response_timeout": "1s"},
        {"name": "played", "kind": "sandbox", "prefixes": ["34"]},
    ]
    await site.open(Script(refusals={REFUSED: Status.RINVDSTADR}), receipt_grace="2h")
    yield site
    await strict.stop()
    await site.close()


async def test_carriers_are_listed_best_first_and_one_is_shown_whole(site):
    rows = json.loads(await site.command("carrier", "list", "--json"))
    assert [row["name"] for row in rows] == ["alpha", "strict", "played", "beta"]
    listed = await site.command("carrier", "list")
    assert "name beta" in listed
    assert "prefixes 1" in listed
    shown = await site.command("carrier", "show", "beta")
    assert "cost: far\n" in shown
    assert "receipts: on, grace 2:00:00" in shown
    assert "dialect service type: CMT" in shown
    assert "secret" not in shown
    said = await site.command("carrier", "show", "gamma", code=1)
    assert "there is no carrier 'gamma' in the operator's file, which has alpha, beta, strict, played" in said


async def test_a_test_sends_one_sms_and_shows_answer_and_receipt(site):
    said = await site.command("carrier", "test", "--carrier", "alpha", "--from", "Shop", "--wait", "10", NUMBER)
    (taken,) = [one for one in site.carrier.record.taken if f"+{one.submitted.number}" == NUMBER]
    assert taken.submitted.sender == "Shop"
    bound, took, receipt = said.splitlines()
    assert bound == f"Bound to 127.0.0.1:{site.carrier.port} as gateway."
    assert took.startswith("Taken under id ")
    assert receipt.startswith("Receipt: delivered for id ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--carrier", "alpha", f"+{REFUSED}"), "Refused: The carrier refuses this number. (ESME_RINVDSTADR (0x0B))"),
        (("--carrier", "strict", NUMBER), "No bind to 127.0.0.1:"),
        (("+34600000000",), "played is the sandbox carrier: it lives inside the gateway"),
        (("--carrier", "gamma", NUMBER), "there is no carrier 'gamma'"),
        (("--carrier", "alpha", "--from", "MuchTooLongForASender", NUMBER), "up to 11 letters, digits and blanks"),
        (("--carrier", "alpha", "--text", "x" * 161, NUMBER), "longer than one SMS"),
        (("--carrier", "alpha", "07700900123"), "write it with + and country code first"),
    ],
)
async def test_a_test_that_cannot_succeed_says_why_and_exits_with_1(site, words, said):
    before = len(site.carrier.record.taken)
    assert said in await site.command("carrier", "test", *words, code=1)
    assert len(site.carrier.record.taken) == before


async def test_a_route_says_which_carrier_and_why(site):
    assert (await site.command("route", "+12025550123")).splitlines() == [
        "+12025550123: prefix 1",
        "  1. beta (priority 20, cost far)",
    ]
    everybody = (await site.command("route", NUMBER)).splitlines()
    assert everybody[1:] == ["  1. alpha (priority 10, cost -)"]
    own = (await site.command("route", "--customer", "demo", NUMBER)).splitlines()
    assert "carriers of customer demo first" in own[0]
    assert own[1:] == ["  1. strict (priority 10, cost -)", "  2. alpha (priority 10, cost -)"]


async def test_a_national_number_is_of_the_named_country_or_of_the_customers(site):
    assert NUMBER in await site.command("route", "--country", "gb", "07700900123")
    await site.command("customer", "set", "demo", "default_country=GB")
    assert NUMBER in await site.command("route", "--customer", "demo", "07700900123")
    assert "'UK' is not an ISO country code" in await site.command("route", "--country", "UK", "07700900123", code=1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--customer", "nobody", NUMBER), "There is no customer «nobody»"),
        (("07700900123",), "write it with + and country code first"),
        (("tel",), "U+0074"),
    ],
)
async def test_a_wrong_question_for_a_route_is_told_what_is_wrong(site, words, said):
    assert said in await site.command("route", *words, code=1)
