"""Rules for inbound SMS in the portal: keywords, actions, and what would follow from a text."""

import pytest

from addressbook.rights import Role
from tests.kit.portal_site import portal_site, text_of
from tests.kit.testbed import make_house, open_core

PHONE, OWN = "+447700900123", "+447700900999"


@pytest.fixture
async def site(tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    async with portal_site(core) as running:
        await running.administer(f"number add {OWN} --customer acme")
        yield running
    core.database.close()


def rules(site):
    return f"/c/{site.customer()}/inbound/rules"


async def test_a_keyword_and_its_action_are_made_tried_changed_and_removed(site):
    visitor, path = await site.signed_in(Role.INBOUND), rules(site)
    assert (await visitor.post(f"{path}/keywords", {"word": "menu", "number": "all"})).status_code == 303
    fields = {"kind": "mail", "name": "kitchen", "to": "static", "addresses": "cook@example.com", "keyword": "menu"}
    assert (await visitor.post(f"{path}/action", {**fields, "number": OWN})).status_code == 303
    shown = text_of(await visitor.get(path))
    assert "addresses=cook@example.com" in shown
    assert OWN in shown
    tried = text_of(await visitor.get(f"{path}/simulate?from=%2B447700900123&to=%2B447700900999&text=Menu+please"))
    assert "cook@example.com" in tried
    changed = {"before": "kitchen", "addresses": "chef@example.com", "number": "all", "keyword": "menu"}
    assert (await visitor.post(f"{path}/action", changed)).status_code == 303
    shown = text_of(await visitor.get(path))
    assert "chef@example.com" in shown
    assert "not active" in shown
    for alone in ("yes", "no"):
        asked = {"word": "menu", "number": "all", "alone": alone}
        assert (await visitor.post(f"{path}/keywords/alone", asked)).status_code == 303
        assert ("menu only the word alone" in text_of(await visitor.get(path))) is (alone == "yes")
    assert (await visitor.post(f"{path}/keywords/alone", {"word": "food", "alone": "yes"})).status_code == 422
    assert (await visitor.post(f"{path}/keywords/remove", {"word": "menu", "number": "all"})).status_code == 422
    assert (await visitor.post(f"{path}/action/remove", {"name": "kitchen"})).status_code == 303
    assert (await visitor.post(f"{path}/keywords/remove", {"word": "menu", "number": "all"})).status_code == 303
    assert "menu" not in text_of(await visitor.get(path))


async def test_what_every_customer_has_gets_a_text_of_its_own(site):
    visitor, path = await site.signed_in(Role.INBOUND), rules(site)
    assert (await visitor.get(f"{path}/action?name=Stop")).status_code == 200
    answer = await visitor.post(f"{path}/action", {"before": "Stop", "text": "Bye <b>", "scope": "customer"})
    assert answer.status_code == 303
    assert "text=Bye &lt;b&gt;" in (await visitor.get(path)).text
    assert "Bye" in text_of(await visitor.get(f"{path}/simulate?from=%2B447700900123&to=%2B447700900999&text=STOP"))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"kind": "mail", "name": "m", "to": "static", "addresses": "nobody"}, "addresses"),
        ({"kind": "mail", "name": "m", "to": "static", "addresses": ""}, "addresses"),
        ({"kind": "mail", "name": "stop", "addresses": "a@example.com"}, "name"),
        ({"kind": "list", "name": "m", "addresses": "a@example.com", "at": "noon"}, "at"),
        ({"kind": "push", "name": "m", "url": "http://127.0.0.1/x"}, "url"),
        ({"kind": "smpp", "name": "m", "login": "of-nobody"}, "login"),
    ],
)
async def test_what_cannot_be_is_told_at_its_field(site, fields, field):
    visitor = await site.signed_in()
    answer = await visitor.post(f"{rules(site)}/action", {**fields, "number": "all", "keyword": ""})
    assert answer.status_code == 422
    assert f'href="#f-{field}"' in answer.text


async def test_a_push_that_brings_a_secret_of_the_operator_goes_where_the_operator_says(site):
    secret = site.core.folder / "token"
    secret.write_text("hush")
    secret.chmod(0o600)
    push = f"url=https://app.example.com/ login=bearer password_file={secret}"
    line = f"action add --customer acme --kind push app {push}"
    await site.administer(line)
    visitor, path = await site.signed_in(), rules(site)
    form = (await visitor.get(f"{path}/action?name=app")).text
    assert 'name="url"' not in form
    assert "password_file" not in (await visitor.get(path)).text
    changed = {"before": "app", "url": "https://evil.example.com/", "form": "json", "number": "all", "keyword": ""}
    assert (await visitor.post(f"{path}/action", changed)).status_code == 303
    shown = text_of(await visitor.get(path))
    assert "https://app.example.com/" in shown
    assert "evil" not in shown


async def test_what_is_not_contracted_and_numbers_of_others_are_not_there(site):
    await site.administer("customer option acme --remove list", "number add +447700900888 --customer rival")
    visitor, path = await site.signed_in(), rules(site)
    assert (await visitor.get(f"{path}/action?kind=list")).status_code == 404
    assert "+447700900888" not in text_of(await visitor.get(path))
    assert (await visitor.get(f"{path}/simulate?from=%2B447700900123&to=%2B447700900888&text=Hi")).status_code == 422
