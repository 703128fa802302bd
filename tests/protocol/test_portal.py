"""The portal by HTTP: who gets in, what each role may see, and what a stranger is told."""

import asyncio
import re
from dataclasses import replace
from string import Formatter

import pytest
from starlette.responses import PlainTextResponse

from addressbook.options import ALL_OPTIONS
from addressbook.rights import RIGHTS, Right, Role
from process.doors import Doors
from process.portal import portal_desk
from templates.portal_pages import PortalPages
from templates.portal_words import read_words
from tests.kit.portal_site import portal_site, text_of
from tests.kit.testbed import make_house, open_core
from web.portal.gate import Gate
from web.portal.pages import PAGES


@pytest.fixture
def core(tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    yield core
    core.database.close()


@pytest.fixture
async def site(core):
    async with portal_site(core) as running:
        yield running


def path_of(page, customer):
    """Return the path of a page with something in the place of each of its names."""
    path = page.path.replace("{customer:int}", str(customer))
    while "{" in path:
        before, _, rest = path.partition("{")
        name, _, after = rest.partition("}")
        path = before + ("1" if name.endswith((":int", ":uuid")) else "x") + after
    return path


def fields_of(text):
    return {name for _, name, _, _ in Formatter().parse(text) if name}


async def reached(_):
    """Answer in the place of a page: the gate has let somebody through."""
    return PlainTextResponse("reached")


def expected(page, role, *, foreign):
    if page.right is None:
        return 200
    if not page.is_customers:
        return 200 if role is Role.OPERATOR else 404
    if foreign and role is not Role.OPERATOR:
        return 404
    return 200 if page.right in RIGHTS[role] else 403


async def test_each_page_is_for_the_roles_that_hold_its_right_and_for_nobody_of_another_customer(core):
    doors = Doors(core.config, core, core.acceptance)
    pages = [replace(page, handler=reached) for page in PAGES]
    gate = Gate(pages, [], desk=portal_desk(core.config, core, doors), look=PortalPages())
    async with portal_site(core, gate.routes()) as site:
        await site.administer("customer add foreign")
        wrong = []
        for role in Role:
            visitor = await site.signed_in(role)
            for page in PAGES:
                for name in ("acme", "foreign"):
                    path, method = path_of(page, site.customer(name)), page.methods[0]
                    answer = await (visitor.get(path) if method == "GET" else visitor.post(path))
                    wanted = expected(page, role, foreign=name == "foreign")
                    if answer.status_code != wanted:
                        wrong.append((role, method, page.path, name, answer.status_code, wanted))
        assert wrong == []
        for page in PAGES:
            path = path_of(page, site.customer())
            answer = await (site.guest.get(path) if page.methods == ("GET",) else site.guest.post(path))
            assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/portal/sign-in"), page.path
        administrator = await site.signed_in()
        await site.administer(f"customer option acme {' '.join(f'--remove {item}' for item in ALL_OPTIONS)}")
        for page in PAGES:
            if page.options:
                path = path_of(page, site.customer())
                answer = await (administrator.get(path) if page.methods == ("GET",) else administrator.post(path))
                assert answer.status_code == 404, page.path
    doors.authenticator.close()


def test_every_right_is_somebodys_and_only_the_operator_operates():
    held = {right for role in Role for right in RIGHTS[role]}
    assert held == set(Right)
    for role in Role:
        assert (Right.CHANGE_OPERATE in RIGHTS[role]) == (role is Role.OPERATOR)
        for right in RIGHTS[role]:
            room, _, access = right.partition(".")
            assert access == "see" or Right(f"{room}.see") in RIGHTS[role]


def test_all_languages_have_the_same_words_with_the_same_fields():
    english = read_words("en")
    for language in PortalPages().languages:
        words = read_words(language)
        assert set(words) == set(english), language
        for key, text in words.items():
            forms, same = [text] if isinstance(text, str) else list(text.values()), english[key]
            for form in forms:
                assert fields_of(form) == fields_of(same if isinstance(same, str) else same["other"]), (language, key)


async def test_every_page_of_the_menu_is_shown_to_an_administrator_in_every_language(site):
    visitor = await site.signed_in()
    for language in PortalPages().languages:
        for page in PAGES:
            if page.menu and page.is_customers:
                answer = await visitor.get(path_of(page, site.customer()), Accept_Language=language)
                assert answer.status_code == 200, (page.path, answer.text[:500])
                assert f'<html lang="{language}">' in answer.text


async def test_a_form_without_the_token_of_the_session_or_from_another_site_changes_nothing(site):
    visitor = await site.signed_in()
    path, fields = f"/c/{site.customer()}/accounts", {"address": "eve@example.com", "role": "administrator"}
    assert (await visitor.post(path, {**fields, "csrf": "wrong"})).status_code == 403
    assert (await visitor.post(path, fields, Sec_Fetch_Site="cross-site")).status_code == 403
    assert (await visitor.post(path, fields, Sec_Fetch_Site="same-site")).status_code == 403
    assert "eve@example.com" not in (await visitor.get(path)).text
    assert (await visitor.post(path, fields)).status_code == 303
    assert "eve@example.com" in (await visitor.get(path)).text


async def test_each_form_of_a_page_carries_the_token_of_the_session(site):
    visitor = await site.signed_in()
    page = (await visitor.get(f"/c/{site.customer()}/accounts")).text
    assert page.count('method="post"') == page.count(f'name="csrf" value="{visitor.csrf}"') == 2


async def test_what_was_typed_is_kept_beside_the_error_that_names_it(site):
    visitor = await site.signed_in()
    answer = await visitor.post(f"/c/{site.customer()}/accounts", {"address": "<b>nobody", "role": "reports"})
    assert answer.status_code == 422
    assert 'href="#f-address"' in answer.text
    assert 'value="&lt;b&gt;nobody"' in answer.text
    assert "is no e-mail address" in text_of(answer)


async def test_the_last_administrator_of_a_customer_stays_one(site):
    visitor = await site.signed_in()
    path = f"/c/{site.customer()}/accounts"
    listed = await visitor.get(path)
    (own,) = set(re.findall(rf"{path}/(\d+)\"", listed.text))
    assert "last administrator" in text_of(await visitor.post(f"{path}/{own}", {"role": "reports"}))
    assert "last administrator" in text_of(await visitor.post(f"{path}/{own}/remove"))


async def test_an_account_is_disabled_enabled_and_signed_out_by_its_customer_alone(site):
    visitor, reader = await site.signed_in(), await site.signed_in(Role.REPORTS)
    await site.signed_in(Role.REPORTS, address="both@example.com")
    await site.administer("customer add other")
    await site.signed_in(Role.REPORTS, "other", "both@example.com")
    path = f"/c/{site.customer()}/accounts"
    edit = await _account_page(visitor, path, "reports.acme@example.com")
    assert "Nobody is signed in with this account." not in text_of(await visitor.get(edit))
    assert (await visitor.post(f"{edit}/sessions")).status_code == 303
    assert (await reader.get(f"/c/{site.customer()}")).status_code == 303
    assert "Nobody is signed in with this account." in text_of(await visitor.get(edit))
    assert (await visitor.post(f"{edit}/active", {"active": "no"})).status_code == 303
    assert "disabled" in text_of(await visitor.get(path))
    assert (await visitor.post(f"{edit}/active", {"active": "yes"})).status_code == 303
    assert "disabled" not in text_of(await visitor.get(path))
    both = await _account_page(visitor, path, "both@example.com")
    assert "The account has roles elsewhere too" in text_of(await visitor.get(both))
    answer = await visitor.post(f"{both}/active", {"active": "no"})
    assert (answer.status_code, "has roles elsewhere than at acme too" in text_of(answer)) == (422, True)


async def test_a_page_says_that_an_account_is_the_last_administrator_and_a_disabled_one_does_not_count(site):
    visitor = await site.signed_in()
    await site.signed_in(address="second@example.com")
    path = f"/c/{site.customer()}/accounts"
    own = await _account_page(visitor, path, "administrator.acme@example.com")
    assert "last administrator" not in text_of(await visitor.get(own))
    second = await _account_page(visitor, path, "second@example.com")
    assert (await visitor.post(f"{second}/active", {"active": "no"})).status_code == 303
    assert "This is the last administrator of acme." in text_of(await visitor.get(own))
    for act in ("remove", "active"):
        answer = await visitor.post(f"{own}/{act}", {"active": "no"})
        assert (answer.status_code, "last administrator" in text_of(answer)) == (422, True)


async def _account_page(visitor, path, address):
    """Return the path of the page that edits an account."""
    page = (await visitor.get(path)).text
    row = next(row for row in page.split("<tr>")[1:] if address in row)
    (found,) = re.findall(rf'href="/portal({path}/[0-9]+)"', row)
    return found


async def test_a_customer_without_an_account_there_is_no_different_from_one_that_there_is_not(site):
    await site.administer("customer add foreign")
    visitor = await site.signed_in()
    foreign, nobody = await asyncio.gather(visitor.get(f"/c/{site.customer('foreign')}"), visitor.get("/c/1"))
    assert foreign.status_code == nobody.status_code == 404
    assert text_of(foreign) == text_of(nobody)


async def test_the_first_page_says_what_to_do_first_and_where(site):
    administrator, reader = await site.signed_in(), await site.signed_in(Role.READ_ONLY)
    home = f"/c/{site.customer()}"
    for visitor, may in ((administrator, True), (reader, False)):
        page = await visitor.get(home)
        hrefs = re.findall(r'class="button" href="/portal([^"]+)"', page.text)
        assert len(hrefs) == (1 if may else 0)
        for href in hrefs:
            assert (await visitor.get(href)).status_code == 200
    await site.administer("customer add empty")
    visitor = await site.signed_in(customer="empty")
    page = await visitor.get(f"/c/{site.customer('empty')}")
    (href,) = re.findall(r'class="button" href="/portal([^"]+)"', page.text)
    assert "Nobody may send yet" in text_of(page)
    assert (await visitor.get(href)).status_code == 200
