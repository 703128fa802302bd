"""Every page of the menu in Chromium: at each width and in each colour, as axe-core and the window's edge judge it."""

import pytest

from tests.kit.browser import NARROW, WIDE, open_browser, open_portal, overflow, serious_findings
from tests.kit.portal_site import portal_site
from tests.kit.testbed import make_house, open_core
from web.portal.page import CUSTOMER
from web.portal.pages import PAGES


@pytest.fixture
async def site(tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    async with portal_site(core) as running:
        yield running
    core.database.close()


@pytest.mark.parametrize(("size", "colours"), [(WIDE, "light"), (NARROW, "dark")], ids=["wide light", "narrow dark"])
async def test_axe_finds_nothing_serious_and_no_page_is_wider_than_its_window(site, tmp_path, size, colours):
    visitor = await site.signed_in()
    found = []
    async with (
        open_browser(tmp_path) as browser,
        open_portal(browser, site, visitor, size=size, colours=colours) as page,
    ):
        for item in PAGES:
            if item.menu and item.is_customers:
                await page.goto(f"/portal{item.path.replace(CUSTOMER, f'/c/{site.customer()}')}")
                found += [(item.path, text) for text in await serious_findings(page)]
                found += [(item.path, f"{wide} px too wide") for wide in [await overflow(page)] if wide > 0]
    assert found == []


async def test_the_sign_in_has_nothing_serious_and_works_without_scripts(site, tmp_path):
    async with open_browser(tmp_path) as browser:
        async with open_portal(browser, site) as page:
            await page.goto("/portal/sign-in")
            assert await serious_findings(page) == []
        async with open_portal(browser, site, scripts=False) as page:
            await page.goto("/portal/sign-in")
            await page.fill("#f-address", "nobody@example.com")
            await page.fill("#f-password", "wrong horse")
            await page.click("main button")
            assert await page.inner_text(".errors a") == "The address or the password is wrong."
