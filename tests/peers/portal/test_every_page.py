"""Every page in Chromium: at each width and in each colour, as axe-core and the window's edge judge it."""

import re

import pytest

from addressbook.rights import Role
from tests.kit.browser import NARROW, WIDE, open_browser, open_portal, overflow, press, serious_findings
from tests.kit.portal_site import portal_site
from tests.kit.testbed import judge, make_house, open_core
from web.portal.page import CUSTOMER
from web.portal.pages import PAGES

LONG = "A-very-long-name-that-somebody-has-given-without-any-blank-in-it-" * 3
QUERIES = {"/inbound/rules/action": "?kind=mail", "/interfaces/login": "?login=shop"}
LOOKS = pytest.mark.parametrize(
    ("size", "colours"), [(WIDE, "light"), (NARROW, "dark")], ids=["wide light", "narrow dark"]
)


@pytest.fixture
async def site(tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    async with portal_site(core) as running:
        yield running
    core.database.close()


async def judged(page, path):
    """Return what is wrong with a page as it is shown now."""
    found = [(path, text) for text in await serious_findings(page)]
    return found + [(path, f"{wide} px too wide") for wide in [await overflow(page)] if wide > 0]


@LOOKS
@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.OPERATOR])
async def test_axe_finds_nothing_serious_and_no_page_is_wider_than_its_window(site, tmp_path, role, size, colours):
    administrator = await site.signed_in()
    at = f"/c/{site.customer()}"
    await site.core.acceptance.keep(judge(site.core, "acme", f"Hello {LONG}", subject=LONG).plan)
    await administrator.post(f"{at}/accounts", {"address": "eve@example.com", "name": LONG[:100], "role": "reports"})
    await administrator.post(f"{at}/support/new", {"subject": LONG[:150], "text": LONG})
    await administrator.post(f"{at}/directory/users", {"address": "eve@acme.example.com", "name": LONG[:100]})
    await administrator.post(f"{at}/interfaces/logins", {"login": "shop"})
    visitor, found = await site.signed_in(role), []
    async with (
        open_browser(tmp_path) as browser,
        open_portal(browser, site, visitor, size=size, colours=colours) as page,
    ):
        operator = role is Role.OPERATOR
        for item in PAGES:
            if item.methods != ("GET",) or "{" in item.path.replace(CUSTOMER, "") or "file" in item.path:
                continue
            if item.is_customers == operator and item.right is not None:
                continue
            path = item.path.replace(CUSTOMER, at) + QUERIES.get(item.path.removeprefix(CUSTOMER), "")
            answer = await page.goto(f"/portal{path}")
            assert answer is not None
            assert answer.status == 200, path
            found += await judged(page, path)
        for path in () if operator else await inner_paths(administrator, at):
            await page.goto(path)
            found += await judged(page, path)
    assert found == []


async def inner_paths(visitor, at):
    """Return the first page behind each list."""
    paths = []
    for room in ("/reports", "/directory", "/support", "/accounts", "/settings", "/templates", "/interfaces"):
        page = (await visitor.get(f"{at}{room}")).text
        links = re.findall(rf'<t[hd][^>]*>(?:<[^a][^>]*>)*<a href="(/portal{at}{room}/[^"?]+(?:\?[^"]*)?)"', page)
        assert links, room
        paths.append(links[0].replace("&amp;", "&"))
    return paths


@LOOKS
async def test_a_form_with_errors_has_nothing_serious(site, tmp_path, size, colours):
    visitor, at = await site.signed_in(), f"/portal/c/{site.customer()}"
    async with (
        open_browser(tmp_path) as browser,
        open_portal(browser, site, visitor, size=size, colours=colours) as page,
    ):
        found = []
        for path in ("/accounts", "/send", "/directory/users", "/support/new", "/interfaces", "/settings/-/max_parts"):
            await page.goto(f"{at}{path}")
            if path.endswith("max_parts"):
                await page.fill("#f-value", "many")
            await press(
                page, "main form[method=post] >> nth=-1 >> button" if path != "/settings/-/max_parts" else "text=Save"
            )
            assert await page.locator(".errors").count() == 1, path
            found += await judged(page, path)
            first = page.locator(".errors a")
            if await first.count():
                await first.first.click()
                assert await page.evaluate("document.activeElement.id.startsWith('f-')"), path
        for path in ("/reports", "/reports/received", "/inbound/stops"):
            unbroken = LONG.replace("-", "")
            await page.goto(f"{at}{path}?number={unbroken}&phone={unbroken}")
            assert await page.locator(".errors").count() == 1, path
            found += await judged(page, path)
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
            await press(page, "main button")
            assert await page.inner_text(".errors a") == "The address or the password is wrong."
