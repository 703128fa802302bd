"""Signing in, inviting and the authenticator in Chromium: by keyboard, without scripts, and from a mail's link."""

import json
import re

import pyotp
import pytest

from tests.kit.browser import open_browser, open_portal, press, serious_findings
from tests.kit.portal_site import portal_site
from tests.kit.testbed import make_house, open_core

ANNA, BEN = "anna.portal@example.com", "ben.portal@example.com"
PASSWORD = "seven green ladders"


@pytest.fixture
async def site(tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    async with portal_site(core) as running:
        yield running
    core.database.close()


def link_to(site, address):
    """Return the path of the link in the newest letter to an address."""
    _, about = site.core.letters(recipient=address)[-1]
    link = json.loads(about["fields"])["link"]
    return re.sub(r"^https?://[^/]+", "", link)


async def test_an_administrator_sets_up_an_authenticator_signs_in_with_it_and_invites_a_colleague(site, tmp_path):
    await site.administer(f"portal invite {ANNA} --customer acme --role administrator")
    async with open_browser(tmp_path) as browser:
        async with open_portal(browser, site) as page:
            await page.goto(link_to(site, ANNA))
            assert await serious_findings(page) == []
            await page.fill("#f-password", "short")
            await press(page, "main button")
            assert "too short" in await page.inner_text(".errors")
            await page.fill("#f-password", PASSWORD)
            await press(page, "main button")
            await page.goto("/portal/account/authenticator")
            assert await serious_findings(page) == []
            assert await page.locator("svg.qr path").count() == 1
            secret = await page.input_value("input[name=secret]")
            await page.fill("#f-code", pyotp.TOTP(secret).at(site.core.clock.now()))
            await page.fill("#f-password", PASSWORD)
            await press(page, "main button")
            codes = (await page.inner_text("pre.codes")).split()
            assert len(codes) == 10
            await press(page, "text=Sign out")
            assert await page.inner_text(".said") == "You have signed out."

        async with open_portal(browser, site) as page:  # by keyboard alone
            await page.goto("/portal/sign-in")
            await page.focus("#f-address")
            await page.keyboard.type(ANNA)
            await page.keyboard.press("Tab")
            await page.keyboard.type(PASSWORD)
            await page.keyboard.press("Enter")
            await page.wait_for_url("**/sign-in/code**")
            assert await serious_findings(page) == []
            await page.focus("#f-code")
            await page.keyboard.type(codes[0])
            await page.keyboard.press("Enter")
            await page.wait_for_selector("nav.rooms")
            await press(page, "text=Accounts")
            await page.fill("#f-address", BEN)
            await page.check("input[value=reports]")
            await press(page, "text=Invite >> nth=-1")
            assert await page.inner_text(".said") == f"{BEN} was invited."
            await page.goto("/portal/account")
            assert await serious_findings(page) == []

        async with open_portal(browser, site, scripts=False, language="de") as page:
            await page.goto(link_to(site, BEN))
            await page.fill("#f-password", "quiet purple teapots")
            await press(page, "main button")
            menu = await page.inner_text("nav.rooms")
            assert "Übersicht" in menu
            assert "Konten" not in menu, "his role has no accounts"


async def test_a_page_that_was_asked_for_is_shown_after_the_sign_in(site, tmp_path):
    visitor = await site.signed_in()
    path = f"/portal/c/{site.customer()}/accounts"
    async with open_browser(tmp_path) as browser, open_portal(browser, site) as page:
        await page.goto(path)
        assert await page.input_value("input[name=next]") == path
    assert (await visitor.get(f"/c/{site.customer()}/accounts")).status_code == 200
