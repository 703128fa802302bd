"""The pages of a registration in Chromium: the choice of a country, the request, and what either side sees of it."""

import pytest

from addressbook.rights import Role
from tests.kit.browser import NARROW, WIDE, open_browser, open_portal, overflow, press, serious_findings
from tests.kit.portal_site import portal_site
from tests.kit.testbed import make_house, open_core


@pytest.fixture
async def site(tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    async with portal_site(core) as running:
        yield running
    core.database.close()


@pytest.mark.parametrize(("size", "colours"), [(WIDE, "light"), (NARROW, "dark")], ids=["wide light", "narrow dark"])
async def test_a_name_is_asked_for_and_approved_on_pages_that_axe_finds_nothing_serious_on(
    site, tmp_path, size, colours
):
    customer, desk = await site.signed_in(), await site.signed_in(Role.OPERATOR)
    paper = tmp_path / "letter.pdf"
    paper.write_bytes(b"%PDF-1.7\n%%EOF\n")

    async def look(page):
        assert await serious_findings(page) == []
        assert await overflow(page) <= 0

    async with open_browser(tmp_path) as browser:
        async with open_portal(browser, site, customer, size=size, colours=colours) as page:
            await page.goto(f"/portal/c/{site.customer()}/sender-ids")
            await press(page, "main a.button")
            await look(page)
            await page.select_option("#f-country", "QA")
            await press(page, "main button")
            await look(page)
            await page.fill("#f-value", "Acme")
            await page.fill("#f-company", "Acme plc")
            await page.fill("#f-samples", "Your parcel comes at noon.")
            await press(page, "main form[method=post] button")
            await look(page)
            await page.set_input_files("#f-paper", paper)
            await page.check("#f-letter")
            await press(page, "form[enctype] button")
            await press(page, "form:has(input[value=submit]) button")
            await look(page)
            one = page.url.rpartition("/")[2]
        async with open_portal(browser, site, desk, size=size, colours=colours) as page:
            await page.goto("/portal/operator/sender-ids")
            await look(page)
            await page.goto(f"/portal/operator/sender-ids/{one}")
            await look(page)
            await page.fill("#f-until", "2099-12-31")
            await press(page, "form:has(input[value=approve]) button")
            assert "approved" in await page.inner_text("main .badge")
