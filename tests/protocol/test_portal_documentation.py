"""The documentation in the portal: for what is contracted, without anything inline, and countries as information."""

import re
from pathlib import Path

import pytest

from addressbook.options import Option
from countries.rules import RuleName
from gateway.admin.countries import known_countries
from templates.documents import render_document
from templates.portal_pages import PortalPages
from tests.kit.portal_site import portal_site, text_of
from tests.kit.testbed import make_house, open_core
from web.portal.rooms.documentation import DOCUMENTS

ROOT = Path(__file__).parents[2]
HREFS = {name: f"/portal/{name}" for name in DOCUMENTS}


@pytest.fixture
def core(tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    yield core
    core.database.close()


@pytest.fixture
async def site(core):
    async with portal_site(core) as running:
        yield running


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_page_has_a_title_no_inline_style_and_links_that_lead_somewhere(name):
    page = render_document(name, HREFS)
    assert page.title in (ROOT / f"docs/{name}.md").read_text("utf-8").partition("\n")[0]
    assert page.lead
    assert not re.search(
        r"<(?!/?(?:a|p|h[2-6]|ul|ol|li|pre|code|em|strong|table|thead|tbody|tr|th|td|div|hr|br|blockquote)\b)",
        page.html,
    )
    assert not re.search(r"\s(style|on\w+)=", page.html)
    anchors = set(re.findall(r' id="([^"]*)"', page.html))
    for href in re.findall(r'<a href="([^"]*)"', page.html):
        assert href.startswith(("https://", "/portal/")) or href[1:] in anchors, href


def test_a_link_to_a_page_that_is_not_shown_is_its_words_alone():
    assert "<a " not in "".join(re.findall(r"One page for employees.{20}", render_document("sending", {}).html))
    assert "One page for employees" in render_document("sending", {}).html
    assert 'href="/portal/employees"' in render_document("sending", HREFS).html


def test_a_guide_has_its_words_without_its_pictures_and_without_what_is_the_operators():
    guide = render_document("portal", HREFS)
    assert "The first hour" in guide.html
    assert "Signing in" not in guide.html, "the caption of a picture"
    assert guide.html.count("<table") == 1, "that of attacks; two others show pictures alone"
    assert HREFS["reports"] in guide.html
    assert ("settings", "Settings") in guide.sections
    operators = "For the operator"
    assert operators not in guide.html
    assert operators not in dict(guide.sections).values()
    names = render_document("sender-ids", HREFS)
    assert "A renewal leaves no gap" in names.html
    assert "senderid approve" not in names.html


async def test_sender_ids_are_explained_to_whoever_may_send(site):
    visitor, path = await site.signed_in(), f"/c/{site.customer()}/documentation"
    assert (await visitor.get(f"{path}/sender-ids")).status_code == 200
    senders = ("mail2sms", "sap", "rest", "soap", "http", "smpp", "sms-to-smpp")
    await site.administer(f"customer option acme {' '.join(f'--remove {one}' for one in senders)}")
    assert (await visitor.get(f"{path}/sender-ids")).status_code == 404
    assert (await visitor.get(f"{path}/portal")).status_code == 200


async def test_only_pages_of_what_is_contracted_are_shown(site):
    visitor = await site.signed_in()
    path = f"/c/{site.customer()}/documentation"
    assert "SMPP server" in (await visitor.get(path)).text
    assert (await visitor.get(f"{path}/smpp-server")).status_code == 200
    await site.administer(f"customer option acme --remove {Option.SMPP} --remove {Option.SMS_TO_SMPP}")
    assert "SMPP server" not in (await visitor.get(path)).text
    assert (await visitor.get(f"{path}/smpp-server")).status_code == 404
    assert "documentation/smpp-server" not in (await visitor.get(f"{path}/api-v2")).text


@pytest.mark.parametrize("name", ["operations", "architecture", "..%2fREADME", "%2e%2e/README", "nothing"])
async def test_what_is_no_page_for_customers_is_not_there(site, name):
    visitor = await site.signed_in()
    assert (await visitor.get(f"/c/{site.customer()}/documentation/{name}")).status_code == 404


async def test_each_rule_of_each_country_has_words_in_each_language(site):
    for language in PortalPages().languages:
        for name in RuleName:
            assert PortalPages().has(f"documentation.rules.{name}")
        for letters in known_countries():
            assert PortalPages().territory(language, letters), letters


async def test_countries_are_searched_and_shown_as_information_not_yet_applied(site):
    visitor = await site.signed_in()
    path = f"/c/{site.customer()}/documentation/countries"
    listed = await visitor.get(path, Accept_Language="de")
    assert listed.text.count(f"{path}/") == 220
    assert "Frankreich" in listed.text
    assert listed.text.index("Österreich") < listed.text.index("Zypern")
    found = await visitor.get(f"{path}?q=%2B34")
    assert re.findall(rf"{path}/(\w+)", found.text) == ["ES"]
    nothing = await visitor.get(f"{path}?q=<script>")
    assert "Nothing is known of “&lt;script&gt;”" in nothing.text
    spain = await visitor.get(f"{path}/es")
    assert "applied" in text_of(spain)
    assert "2026-09-15" in spain.text
    assert "CNMC, register of aliases" in text_of(spain)
    assert (await visitor.get(f"{path}/QQ")).status_code == 404
