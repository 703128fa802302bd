"""Long tables in the portal: offered where a file would be too long, shown while they are written, taken by who may."""

import re
from urllib.parse import urlsplit

import pytest

from addressbook.rights import Role
from process.reports import downloads_of
from store.answers import Rules
from store.directory import read_version
from tests.kit.portal_site import portal_site, text_of
from tests.kit.store_harness import StoreHarness
from tests.kit.testbed import make_house, open_core
from web.portal.rooms import reports

NUMBERS = ("447700900123", "447700900456")


@pytest.fixture
async def site(tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    async with portal_site(core) as running:
        world = StoreHarness("", Rules(), database=core.database)
        world.now = int(core.clock.now().timestamp() * 1_000_000)
        version = core.database.read_now(read_version)
        for number in NUMBERS:
            world.add(number, customer_key=running.customer(), customer="acme", directory_version=version)
        yield running
    core.database.close()


@pytest.fixture
def here(site):
    return f"/c/{site.customer()}/reports"


async def write_all(site):
    writer = downloads_of(site.core.config, site.core, lambda: None)
    while await writer.step():
        pass


def names_in(answer):
    return re.findall(r"downloads/(T\.[a-z0-9.-]+)\"", answer.text)


async def test_a_filter_is_written_on_demand_and_its_file_is_for_the_accounts_of_the_customer_that_see_reports(
    site, here
):
    anna = await site.signed_in(Role.REPORTS)
    offer = await anna.get(f"{here}/downloads/new?direction=sent&number=%2B{NUMBERS[0]}&since=")
    assert "It has 1 line." in text_of(offer)
    (action,) = re.findall(r'action="/portal([^"]+)" novalidate', offer.text)
    asked = await anna.post(action.replace("&amp;", "&"), {"form": "csv"})
    assert asked.status_code == 303
    waiting = await anna.get(f"{here}/downloads")
    assert "waits" in text_of(waiting)
    assert 'hx-trigger="every 2s"' in waiting.text
    (name,) = names_in(waiting)
    assert (await anna.get(f"{here}/downloads/{name}/file")).status_code == 200  # the page, without a file
    await write_all(site)
    ready = await anna.get(f"{here}/downloads")
    assert "hx-trigger" not in ready.text
    file = await anna.get(f"{here}/downloads/{name}/file")
    assert re.search(r'filename="sms-sent-\d+-[0-9-]+\.csv"', file.headers["content-disposition"])
    assert file.headers["cache-control"] == "no-store"
    assert (NUMBERS[0] in file.text, NUMBERS[1] in file.text) == (True, False)
    colleague = await site.signed_in(Role.ADMINISTRATOR)
    assert (await colleague.get(f"{here}/downloads/{name}/file")).content == file.content
    assert names_in(await colleague.get(f"{here}/downloads")) == []
    assert (await colleague.post(f"{here}/downloads/{name}/delete")).status_code == 404
    rival = await site.signed_in(Role.ADMINISTRATOR, "rival")
    assert (await rival.get(f"{here}/downloads/{name}/file")).status_code == 404
    assert (await rival.get(f"/c/{site.customer('rival')}/reports/downloads/{name}/file")).status_code == 404
    writer = await site.signed_in(Role.INBOUND)
    assert (await writer.get(f"{here}/downloads/{name}/file")).status_code == 403
    guest = await site.guest.get(f"{here}/downloads/{name}")
    assert guest.headers["location"].startswith("/portal/sign-in?next=")
    assert (await anna.post(f"{here}/downloads/{name}/delete")).status_code == 303
    gone = await anna.get(f"{here}/downloads/{name}")
    assert gone.status_code == 404
    assert "has expired or was deleted" in text_of(gone)


@pytest.mark.parametrize("path", ["sent/xlsx", "received/file/csv"])
async def test_a_file_that_would_be_too_long_leads_to_the_offer_to_write_it(site, here, monkeypatch, path):
    monkeypatch.setattr(reports, "DIRECT_MOST", -1)
    anna = await site.signed_in()
    answer = await anna.get(f"{here}/{path}?since=&user=anna%40example.com")
    assert answer.status_code == 303
    there = urlsplit(answer.headers["location"])
    offer = await anna.get(f"{there.path.removeprefix('/portal')}?{there.query}")
    assert offer.status_code == 200
    direction, _, form = path.partition("/")
    assert f'value="{form.removeprefix("file/")}" checked' in offer.text
    assert f"direction={direction}" in there.query
    assert "user=anna%40example.com" in there.query


async def test_what_is_asked_for_without_a_file_that_there_is_or_beyond_the_bound_is_refused_with_words(site, here):
    anna = await site.signed_in()
    address = f"{here}/downloads/new?direction=sent&since="
    assert (await anna.post(address, {"form": "exe"})).status_code == 404
    assert (await anna.get(f"{here}/downloads/new?number=pump")).status_code == 404
    for _ in range(5):
        assert (await anna.post(address, {"form": "xlsx"})).status_code == 303
    refused = await anna.post(address, {"form": "xlsx"})
    assert refused.status_code == 422
    assert "5 tables of yours are still being written" in text_of(refused)


async def test_a_file_that_lies_at_another_node_is_told_as_that(site, here):
    anna = await site.signed_in()
    await anna.post(f"{here}/downloads/new?direction=sent&since=", {"form": "csv"})
    await write_all(site)
    (name,) = names_in(await anna.get(f"{here}/downloads"))
    for path in (site.core.config.server.data_dir / "downloads").glob("*/sms.csv"):
        path.unlink()
    answer = await anna.get(f"{here}/downloads/{name}/file")
    assert answer.status_code == 404
    assert "another node" in text_of(answer)
