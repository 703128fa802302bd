"""In which time zone the portal shows times: the account's own, else its customer's; the account page says which."""

import re
from datetime import datetime

import pytest

from addressbook.rights import Role
from templates.portal_words import portal_words
from tests.kit.portal_site import portal_site, text_of
from tests.kit.testbed import make_house, open_core


@pytest.fixture
async def site(tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    async with portal_site(core) as running:
        await running.administer("customer set acme time_zone=Asia/Tokyo")
        yield running
    core.database.close()


async def zone_of(visitor, path):
    """Return which of some zones the times of a page are in, all of them."""
    times = re.findall(r'<time datetime="([^"]+)">([^<]+)<', (await visitor.get(path)).text)
    assert times, path
    words = portal_words("en")
    zones = ["UTC", "Asia/Tokyo", "America/Lima", "Australia/Perth"]
    (zone,) = [one for one in zones if all(words.time(datetime.fromisoformat(at), one) == said for at, said in times)]
    return zone


async def test_times_are_in_the_zone_of_the_only_customer_until_somebody_chooses_another(site):
    visitor = await site.signed_in()
    log = f"/c/{site.customer()}/accounts/log"
    assert await zone_of(visitor, log) == await zone_of(visitor, "/account") == "Asia/Tokyo"
    said = text_of(await visitor.get("/account"))
    assert "You have chosen none, so times are shown in Asia/Tokyo: the setting «Time zone» in force for acme." in said
    assert (await visitor.post("/account", {"name": "", "language": "", "zone": "America/Lima"})).status_code == 303
    assert await zone_of(visitor, log) == await zone_of(visitor, "/account") == "America/Lima"
    assert "Times are shown in America/Lima, which you have chosen" in text_of(await visitor.get("/account"))
    assert (await visitor.post("/account", {"name": "", "language": "", "zone": ""})).status_code == 303
    assert await zone_of(visitor, log) == "Asia/Tokyo"


async def test_who_belongs_to_several_customers_sees_each_in_its_own_zone(site):
    await site.signed_in(address="both@example.com")
    visitor = await site.signed_in(customer="rival", address="both@example.com")
    assert await zone_of(visitor, f"/c/{site.customer()}/accounts/log") == "Asia/Tokyo"
    assert await zone_of(visitor, f"/c/{site.customer('rival')}/accounts/log") == "UTC"
    assert await zone_of(visitor, "/account") == "UTC"
    assert "and in UTC on pages such as this one" in text_of(await visitor.get("/account"))


async def test_a_customer_without_a_zone_has_that_of_all_and_so_has_the_operator(site):
    await site.administer("people set time_zone=Australia/Perth")
    visitor, operator = await site.signed_in(customer="rival"), await site.signed_in(Role.OPERATOR)
    assert await zone_of(visitor, "/account") == "Australia/Perth"
    assert await zone_of(operator, "/account") == "Australia/Perth"
    assert await zone_of(operator, f"/c/{site.customer()}/accounts/log") == "Asia/Tokyo"


@pytest.mark.parametrize("language", ["en", "de", "fr", "es"])
async def test_the_account_page_says_it_in_every_language(site, language):
    visitor, operator = await site.signed_in(), await site.signed_in(Role.OPERATOR)
    for who, zone in ((visitor, "Asia/Tokyo"), (operator, "UTC")):
        answer = await who.get("/account", Accept_Language=language)
        assert (answer.status_code, f'<html lang="{language}">' in answer.text) == (200, True)
        (hint,) = re.findall(r'<p class="hint" id="h-zone">([^<]+)<', answer.text)
        assert zone in hint
