"""A session that ends while somebody writes: what was typed is not lost, and nothing of it happens by itself."""

import re
from html import unescape

import pytest

from tests.kit.portal_site import portal_site, text_of
from tests.kit.testbed import make_house, open_core


@pytest.fixture
async def site(tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    async with portal_site(core) as running:
        yield running
    core.database.close()


def kept_in(page):
    """Return the fields that a page has hidden in its form for sending again."""
    form = page.text.rpartition('<form method="post" action="/portal/c/')[2]
    return {name: unescape(value) for name, value in re.findall(r'name="([^"]*)" value="([^"]*)"', form)}


async def test_what_was_typed_when_the_session_had_ended_is_sent_after_the_next_sign_in(site):
    before = await site.signed_in()
    path = f"/c/{site.customer()}/accounts"
    await before.post("/sign-out")
    typed = {"address": "eve@example.com", "name": 'Eve <"&>\nof the desk', "role": "reports"}
    page = await before.post(path, typed)
    assert page.status_code == 401
    assert "You were signed out" in text_of(page)
    after = await site.signed_in()
    page = await after.post(path, {**kept_in(page)})
    assert page.status_code == 403
    assert "eve@example.com" not in (await after.get(path)).text, "somebody looks before it is sent"
    assert kept_in(page) == {**typed, "csrf": after.csrf}
    assert (await after.post(path, kept_in(page))).status_code == 303
    assert "eve@example.com" in (await after.get(path)).text


async def test_a_form_of_another_site_is_not_given_back(site):
    path, fields = f"/c/{site.customer()}/accounts", {"address": "eve@example.com", "role": "reports"}
    visitor = await site.signed_in()
    for somebody in (site.guest, visitor):
        answer = await somebody.post(path, {**fields, "csrf": "wrong"}, Sec_Fetch_Site="cross-site")
        assert "eve@example.com" not in answer.text


async def test_no_password_is_given_back(site):
    for path, fields in (
        ("/account/password", {"password": "seven green ladders", "new": "eight green ladders"}),
        (f"/c/{site.customer()}/inbound/rules/action", {"password": "seven green ladders", "url": "https://a.example"}),
    ):
        answer = await site.guest.post(path, fields)
        assert "green ladders" not in answer.text


async def test_a_part_of_a_page_never_becomes_the_sign_in(site):
    state, count = f"/c/{site.customer()}/send/jobs/J.1/state", f"/c/{site.customer()}/send/count"
    followed = await site.guest.get(state, HX_Request="true")
    assert (followed.status_code, followed.headers["hx-refresh"], followed.content) == (204, "true", b"")
    counted = await site.guest.post(count, {"text": "Hello"}, HX_Request="true")
    assert (counted.status_code, "hx-refresh" in counted.headers) == (204, False), "what is being written stays"
