"""The room of reports: lists that filter by their address, one SMS with all that is known of it, files; a customer's own."""

import csv
import io
import re
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from addressbook.rights import Role
from reports.details import COLUMNS
from reports.summing import Summing
from sms.message import ReceiptState
from sms.outcome import Done, Failed
from store.answers import Rules
from store.directory import read_version
from tests.kit.portal_site import portal_site, text_of
from tests.kit.store_harness import SECOND, WRONG, StoreHarness
from tests.kit.testbed import make_house, open_core
from web.portal.sign_in import own_path

ANNA, BEN = "447700900123", "447700900456"


@pytest.fixture
async def site(tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    async with portal_site(core) as running:
        yield running
    core.database.close()


@pytest.fixture
async def world(site):
    """Return a harness of the house's database with an SMS that was delivered, one that failed, one of a rival."""
    made = StoreHarness("", Rules(), database=site.core.database)
    made.now = int(site.core.clock.now().timestamp() * 1_000_000)
    own = {"customer_key": site.customer(), "customer": "acme", "directory_version": None}
    for number, more in ((ANNA, {"reference": "=1+1"}), (BEN, {"cost_centre": "<b>4711</b>"})):
        add(made, number, **own, **more)
    parts = {part.number.digits: part for part in made.take()}
    made.settle((parts[ANNA].part_key, Done(reference="id-1")), (parts[BEN].part_key, Failed(problem=WRONG)))
    made.receipt("id-1", ReceiptState.DELIVERED, ANNA)
    add(made, "447700900789", customer_key=site.customer("rival"), customer="rival", user_address="eve@example.org")
    return made


def add(made, number, **changes):
    version = made.database.read_now(read_version)
    added = made.add(number, **{**changes, "directory_version": version})
    assert added.public_id
    return added


async def sum_all(site):
    summing = Summing(database=site.core.database, book=site.core.book, clock=site.core.clock)
    while await summing.step():
        pass


async def test_the_list_shows_what_was_sent_with_its_state_and_nothing_of_another_customer(site, world):
    answer = await (await site.signed_in(Role.REPORTS)).get(f"/c/{site.customer()}/reports")
    shown = text_of(answer)
    assert answer.status_code == 200
    assert f"+{ANNA}" in shown
    assert "delivered" in shown
    assert "447700900789" not in shown
    assert "&lt;b&gt;4711&lt;/b&gt;" in answer.text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("state=failed", [BEN]),
        ("number=07700+900123", [ANNA]),
        ("number=%2B447700900123&state=failed", []),
        ("service=mail&user=anna@example.com", [BEN, ANNA]),
        ("since=&until=2020-01-01", []),
        ("state=nonsense&since=nonsense&after=nonsense", [BEN, ANNA]),
    ],
)
async def test_the_address_of_a_list_is_its_filter(site, world, query, expected):
    await site.administer("customer set acme default_country=GB")
    answer = await (await site.signed_in(Role.READ_ONLY)).get(f"/c/{site.customer()}/reports?{query}")
    assert re.findall(r"\+(4477009\d+)", text_of(answer)) == expected


async def test_the_id_of_a_job_or_of_an_sms_leads_there_from_either_field(site, world):
    visitor, path = await site.signed_in(Role.READ_ONLY), f"/c/{site.customer()}/reports"
    rows = "SELECT j.public_id, m.public_id FROM job j JOIN message m ON m.job_key = j.key WHERE m.number = ?"
    ((job, sms),) = world.database.read_now(lambda tx: list(tx.rows(rows, (ANNA,))))
    for field, name in (("reference", job), ("reference", f" {sms} "), ("number", sms)):
        answer = await visitor.get(f"{path}?{urlencode({field: name})}")
        found = await visitor.get(answer.headers["location"].removeprefix("/portal"))
        assert found.headers["location"] == f"/portal{path}/job/{name.strip()}"


async def test_what_is_not_found_this_week_is_looked_for_in_all_time_by_one_press(site, world):
    await site.administer("customer set acme default_country=GB")
    world.now -= 20 * 24 * 3600 * SECOND
    add(world, "447700900124", customer_key=site.customer(), customer="acme")
    visitor, path = await site.signed_in(), f"/c/{site.customer()}/reports"
    answer = await visitor.get(f"{path}?number=07700+900124&state=queued")
    assert "Nothing fits this filter in this time" in text_of(answer)
    (further,) = re.findall(r'<a class="button" href="/portal([^"]+)"', answer.text)
    found = await visitor.get(unescape(further))
    assert "+447700900124" in text_of(found)
    assert 'value="07700 900124"' in found.text
    nowhere = await visitor.get(f"{path}?number=07700+900999&since=")
    assert "Show all of this week" in text_of(nowhere)


async def test_a_time_that_ends_before_it_begins_is_told_at_its_field(site, world):
    visitor = await site.signed_in()
    for path in ("/reports", "/reports/received"):
        answer = await visitor.get(f"/c/{site.customer()}{path}?since=2026-11-30&until=2026-11-29")
        assert answer.status_code == 422
        assert 'href="#f-until"' in answer.text
        assert "lies before" in text_of(answer)


async def test_who_follows_a_shared_address_signs_in_first_and_then_sees_what_it_asks_for(site):
    path = f"/c/{site.customer()}/reports?state=failed&since=2026-11-01"
    answer = await site.guest.get(path)
    assert answer.status_code == 303
    back = parse_qs(urlsplit(answer.headers["location"]).query)["next"][0]
    assert own_path(back) == f"/portal{path}"


async def test_a_number_that_cannot_be_read_is_told_at_its_field(site, world):
    answer = await (await site.signed_in()).get(f"/c/{site.customer()}/reports?number=pump")
    assert answer.status_code == 422
    assert 'href="#f-number"' in answer.text
    assert 'value="pump"' in answer.text


async def test_a_file_has_what_the_list_finds_and_no_formula(site, world):
    visitor = await site.signed_in()
    answer = await visitor.get(f"/c/{site.customer()}/reports/sent/csv?state=delivered")
    assert answer.headers["content-disposition"].startswith('attachment; filename="sms-sent-')
    heads, line = csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))
    assert line[heads.index("To")] == f"'+{ANNA}"
    assert line[heads.index("Reference")] == "'=1+1"
    book = await visitor.get(f"/c/{site.customer()}/reports/sent/xlsx")
    assert book.content.startswith(b"PK")
    assert (await visitor.get(f"/c/{site.customer()}/reports/sent/exe")).status_code == 404


@pytest.mark.parametrize(("language", "separator"), [("en", ","), ("de-AT", ";"), ("fr", ";"), ("es", ";")])
async def test_a_csv_has_the_separator_at_which_excel_splits_in_its_language(site, world, language, separator):
    visitor = await site.signed_in()
    answer = await visitor.get(f"/c/{site.customer()}/reports/sent/csv", Accept_Language=language)
    heads = answer.content.decode("utf-8-sig").partition("\r\n")[0]
    assert heads.count(separator) == len(COLUMNS) - 1


async def test_one_sms_is_shown_with_what_its_network_said_and_without_what_is_the_operators(site, world):
    visitor = await site.signed_in(Role.REPORTS)
    job = world.messages(number=ANNA)[0].public_id
    shown = text_of(await visitor.get(f"/c/{site.customer()}/reports/job/{job}"))
    assert f"+{ANNA}" in shown
    assert "Hello" in shown
    assert "alpha" not in shown
    operator = await site.signed_in(Role.OPERATOR)
    assert "alpha" in text_of(await operator.get(f"/c/{site.customer()}/reports/job/{job}"))


@pytest.mark.parametrize("table", ["job", "message"])
async def test_nobody_sees_another_customers_job_by_its_id(site, world, table):
    sql = f"SELECT public_id FROM {table} ORDER BY key DESC LIMIT 1"
    of_rival = world.database.read_now(lambda tx: tx.value(sql))
    visitor = await site.signed_in()
    assert (await visitor.get(f"/c/{site.customer()}/reports/job/{of_rival}")).status_code == 404
    eve = await site.signed_in(customer="rival", address="admin@example.org")
    assert (await eve.get(f"/c/{site.customer('rival')}/reports/job/{of_rival}")).status_code == 200


async def test_an_empty_list_says_what_to_do_first(site):
    visitor = await site.signed_in()
    assert "as soon as it is accepted" in text_of(await visitor.get(f"/c/{site.customer()}/reports"))
    assert "you need a number" in text_of(await visitor.get(f"/c/{site.customer()}/reports/received"))
    assert "Nothing fits" in text_of(await visitor.get(f"/c/{site.customer()}/reports?state=failed"))


async def test_charts_tell_each_bar_in_figures_too_and_show_carriers_to_the_operator_alone(site, world):
    shown = await (await site.signed_in()).get(f"/c/{site.customer()}/reports/charts")
    assert re.findall(r"<title id=\"([\w-]+)-title\">", shown.text) == ["by-sender", "times"]
    assert "delivered or accepted by the carrier" in text_of(shown)
    assert "style=" not in shown.text
    await sum_all(site)
    shown = await (await site.signed_in(Role.OPERATOR)).get(f"/c/{site.customer()}/reports/charts")
    assert {"days", "by-country", "by-carrier"} < set(re.findall(r"<title id=\"([\w-]+)-title\">", shown.text))


async def test_the_archive_has_the_months_and_each_of_them_as_a_table(site, world):
    visitor = await site.signed_in(Role.REPORTS)
    assert "There is no month yet" in text_of(await visitor.get(f"/c/{site.customer()}/reports/archive"))
    await sum_all(site)
    month = f"{site.core.clock.now():%Y-%m}"
    assert month in text_of(await visitor.get(f"/c/{site.customer()}/reports/archive"))
    shown = text_of(await visitor.get(f"/c/{site.customer()}/reports/archive/{month}"))
    assert "By cost centre" in shown
    answer = await visitor.get(f"/c/{site.customer()}/reports/archive/{month}/csv")
    assert answer.content.decode("utf-8-sig").splitlines()[0].startswith("month,direction,service")
    assert (await visitor.get(f"/c/{site.customer()}/reports/archive/2026-13")).status_code == 404


DELAYED, CHANGED = ("quiet_hours", "delayed", "Mo-Su 20:00-09:00"), ("=1+1", "changed", "GB")
NOTED, REFUSED = ("alpha", "noted", "dynamic"), ("urls", "refused", "forbidden: a link (example.com)")


@pytest.fixture
async def ruled(site):
    """Return the path of the charts after rules of countries did something to SMS of acme, and of its rival."""
    made = StoreHarness("", Rules(), database=site.core.database)
    made.now = int(site.core.clock.now().timestamp() * 1_000_000)
    for customer, number, findings in (
        ("acme", ANNA, (DELAYED, NOTED)),
        ("acme", BEN, (DELAYED, CHANGED)),
        ("rival", "447700900789", (REFUSED,)),
    ):
        add(made, number, customer_key=site.customer(customer), customer=customer, findings=findings)
    for part in made.take():
        made.settle((part.part_key, Done(reference=f"id-{part.part_key}")))
        made.receipt(f"id-{part.part_key}", ReceiptState.DELIVERED, part.number.digits)
    await sum_all(site)
    return f"/c/{site.customer()}/reports/charts"


def rows_of(answer):
    """Return the table of what rules did, each row as the texts of its cells."""
    table = answer.text.partition('id="rules"')[2].partition("</table>")[0]
    return [
        [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)]
        for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
    ]


async def test_what_rules_of_countries_did_stands_beside_the_charts_and_what_is_a_note_does_not(site, ruled):
    shown = await (await site.signed_in(Role.REPORTS)).get(ruled)
    assert rows_of(shown) == [
        ["Country", "Rule", "What it did", "SMS"],
        ["United Kingdom", "quiet_hours", "sent later", "2"],
        ["United Kingdom", "=1+1", "another text", "1"],
    ]
    assert "rules/csv?since=" in shown.text
    assert "downloads/new" not in shown.text


async def test_the_file_of_what_rules_did_has_its_columns_and_no_formula(site, ruled):
    answer = await (await site.signed_in(Role.REPORTS)).get(f"{ruled}/rules/csv")
    today = site.core.clock.now().date()
    name = f"sms-rules-{site.customer()}-{today.replace(day=1)}-{today}.csv"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))) == [
        ["Country", "Rule", "What it did", "SMS"],
        ["GB", "quiet_hours", "delayed", "2"],
        ["GB", "'=1+1", "changed", "1"],
    ]


async def test_the_days_that_are_asked_for_count_for_the_table_and_its_file(site, ruled):
    visitor, past = await site.signed_in(Role.REPORTS), "since=2026-01-01&until=2026-01-31"
    assert rows_of(await visitor.get(f"{ruled}?{past}")) == []
    answer = await visitor.get(f"{ruled}/rules/csv?{past}")
    assert len(answer.content.decode("utf-8-sig").splitlines()) == 1
    assert (await visitor.get(f"{ruled}/rules/exe")).status_code == 404


async def test_what_rules_did_is_shown_to_nobody_of_another_customer(site, ruled):
    eve = await site.signed_in(customer="rival", address="admin@example.org")
    own = f"/c/{site.customer('rival')}/reports/charts"
    assert [row[1] for row in rows_of(await eve.get(own))] == ["Rule", "urls"]
    for path in (ruled, f"{ruled}/rules/csv"):
        refused = await eve.get(path)
        assert refused.status_code in {403, 404}
        assert "quiet_hours" not in refused.text
    assert (await site.guest.get(f"{ruled}/rules/csv")).status_code == 303
