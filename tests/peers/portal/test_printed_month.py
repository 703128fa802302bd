"""A month of the archive on paper: A4, page by page, dark words on white, without what only a screen needs."""

import re

from store.engine.statements import Insert
from store.sums_tables import TrafficSumRow
from tests.kit.browser import open_browser, open_portal
from tests.kit.portal_site import portal_site
from tests.kit.testbed import make_house, open_core

_SUMS = Insert(TrafficSumRow)


async def test_a_month_is_printed_on_a4_with_its_customer_month_and_zone_and_without_menus(tmp_path):
    core = open_core(make_house(tmp_path / "house"))
    async with portal_site(core) as site, open_browser(tmp_path) as browser:

        def add(tx, items):
            facts = {"customer_key": site.customer(), "day": "2026-11-23", "direction": "sent", "service": "mail"}
            facts |= {"cost_centre": "", "country": "GB", "carrier": "alpha", "state": "delivered", "corrected_on": ""}
            facts |= {"zone": "Europe/Berlin", "messages": 1, "parts": 2, "billed": 2, "unanswered": 0}
            users = [f"user{n}@example.com" for n in range(100)]
            tx.insert(_SUMS, [_SUMS.row(**facts, user_address=user) for user in users])
            return items

        core.database.write_now(add, None)
        visitor = await site.signed_in()
        async with open_portal(browser, site, visitor, colours="dark") as page:
            await page.goto(f"/portal/c/{site.customer()}/reports/archive/2026-11")
            sheets = await page.pdf(prefer_css_page_size=True)
            await page.emulate_media(media="print", color_scheme="dark")
            shown = await page.inner_text("body")
            colour = await page.evaluate("getComputedStyle(document.body).color")
    core.database.close()
    sizes = {tuple(map(float, size.split())) for size in re.findall(rb"/MediaBox \[0 0 ([0-9. ]+)\]", sheets)}
    assert {(round(width), round(height)) for width, height in sizes} == {(595, 842)}  # ISO 216 A4 in points
    assert len(re.findall(rb"/Type /Page\b", sheets)) >= 3
    assert all(word in shown for word in ("acme", "2026-11", "Europe/Berlin", "user99@example.com"))
    assert "Sign out" not in shown
    assert "XLSX" not in shown
    assert colour == "rgb(29, 39, 51)"
