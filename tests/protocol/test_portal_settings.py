"""The settings in the portal: each level says what is in force and from where, and a change says whom it reaches."""

import re

import pytest

from sms.settings import FIELDS
from templates.portal_pages import PortalPages
from tests.kit.portal_site import portal_site, text_of
from tests.kit.testbed import make_house, open_core
from web.portal.rooms.settings import GROUPS


@pytest.fixture
async def site(tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    try:
        async with portal_site(core) as running:
            yield running
    finally:
        core.database.close()


def row_of(answer, name):
    """Return the words of a setting's row."""
    (row,) = [row for row in re.findall(r"(?s)<tr>.*?</tr>", answer.text) if f">{name}<" in row]
    return " ".join(re.sub(r"<[^>]+>", " ", row).split())


def test_every_setting_stands_in_one_group_and_has_words_in_every_language():
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(FIELDS)
    look = PortalPages()
    for name in FIELDS:
        for language in look.languages:
            assert look.say(language, f"settings.names.{name}")
            assert look.say(language, f"settings.hints.{name}")


async def test_a_change_says_first_whom_it_reaches_and_then_each_level_shows_its_origin(site):
    await site.administer(
        "profile add crew --customer acme",
        "user add b@acme.example.com --customer acme --profile crew",
        "user set b@acme.example.com validity=1h",
    )
    visitor, at = await site.signed_in(), f"/c/{site.customer()}/settings"
    assert row_of(await visitor.get(at), "Validity") == "Validity 2d the product"

    asked = text_of(await visitor.post(f"{at}/-/validity", {"say": "value", "value": "12h"}))
    others = len(site.core.book.current.directory.users(site.customer())) - 1
    assert f"Now Then Users 2d 12h {others} 1 user keeps the value that it has." in asked
    assert row_of(await visitor.get(at), "Validity") == "Validity 2d the product"
    done = await visitor.post(f"{at}/-/validity", {"say": "value", "value": "12h", "seen": "yes"})
    assert (done.status_code, done.headers["location"]) == (303, f"/portal{at}")
    assert row_of(await visitor.get(at), "Validity") == "Validity 12h the customer acme set here"

    directory = site.core.book.current.directory
    user = directory.user("b@acme.example.com")
    profile = directory.profile_named(site.customer(), "crew")
    assert row_of(await visitor.get(f"{at}/user/{user.key}"), "Validity").startswith("Validity 1h the user")
    assert row_of(await visitor.get(f"{at}/profile/{profile.key}"), "Validity") == "Validity 12h the customer acme"
    shown = text_of(await visitor.get(f"{at}/user/{user.key}/validity"))
    assert "What it outweighs Value From 12h the customer acme 2d the product" in shown
    assert "by administrator.acme@example.com" in text_of(await visitor.get(f"{at}/-/validity"))


async def test_what_is_no_value_is_told_with_what_is_expected_and_nothing_is_changed(site):
    visitor, at = await site.signed_in(), f"/c/{site.customer()}/settings"
    answer = await visitor.post(f"{at}/-/max_parts", {"say": "value", "value": "<many>", "seen": "yes"})
    assert answer.status_code == 422
    assert "Expected: Each part is billed as an SMS. A number from 1 to 20." in text_of(answer)
    assert 'value="&lt;many&gt;"' in answer.text
    assert "the product" in row_of(await visitor.get(at), "Parts at most")


async def test_who_types_a_value_means_it_and_an_own_one_is_given_up_by_inheriting(site):
    visitor, at = await site.signed_in(), f"/c/{site.customer()}/settings"
    await visitor.post(f"{at}/-/end_marker", {"say": "inherit", "value": "##", "seen": "yes"})
    assert row_of(await visitor.get(at), "End mark").startswith("End mark ## the customer")
    await visitor.post(f"{at}/-/end_marker", {"say": "inherit", "value": "##", "seen": "yes"})
    assert row_of(await visitor.get(at), "End mark") == "End mark nothing the product"


async def test_a_lock_of_the_customer_binds_the_levels_below(site):
    await site.administer("user add c@acme.example.com --customer acme")
    visitor, at = await site.signed_in(), f"/c/{site.customer()}/settings"
    user = site.core.book.current.directory.user("c@acme.example.com")
    assert (await visitor.post(f"{at}/-/flash/lock", {"lock": "yes"})).status_code == 303
    shown = await visitor.get(f"{at}/user/{user.key}/flash")
    assert "the customer decides this setting" in text_of(shown)
    refused = await visitor.post(f"{at}/user/{user.key}/flash", {"say": "on", "seen": "yes"})
    assert refused.status_code == 422
    assert "decided above" in text_of(refused)
    assert (await visitor.post(f"{at}/-/flash/lock", {"lock": ""})).status_code == 303
    assert (await visitor.post(f"{at}/user/{user.key}/flash", {"say": "on", "seen": "yes"})).status_code == 303


async def test_levels_and_users_of_another_customer_are_not_there(site):
    await site.administer(
        "customer add foreign --domain f.example",
        "profile add theirs --customer foreign",
        "user add x@f.example --customer foreign",
    )
    directory, at = site.core.book.current.directory, f"/c/{site.customer()}/settings"
    visitor = await site.signed_in()
    theirs = directory.profile_named(site.customer("foreign"), "theirs")
    for path in (
        f"profile/{theirs.key}",
        f"user/{directory.user('x@f.example').key}",
        "service/none",
        "list/9",
        "user/x",
    ):
        assert (await visitor.get(f"{at}/{path}")).status_code == 404, path
        assert (await visitor.post(f"{at}/{path}/flash", {"say": "on", "seen": "yes"})).status_code == 404, path


async def test_a_user_is_found_by_a_part_of_the_address(site):
    await site.administer("user add find.me@acme.example.com --customer acme")
    visitor, at = await site.signed_in(), f"/c/{site.customer()}/settings"
    assert "find.me@acme.example.com" in (await visitor.get(f"{at}?user=FIND.")).text
    assert "No user has «nobody»" in text_of(await visitor.get(f"{at}?user=nobody"))
