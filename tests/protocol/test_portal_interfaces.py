"""The room «interfaces» of the portal: what applications log in with, each secret shown once, and never a foreign one."""

import html
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from addressbook.rights import Role
from addressbook.senders import Principal
from config.model import Config, load_config
from gateway.admin.binds import list_binds
from gateway.esme import BoundEsme
from process.contexts import ListenerContexts
from process.doors import Doors
from process.services import running
from process.smpp_server import SmppServer
from smpp.server.courier import Courier
from sms.report import Channel
from store.engine.keys import to_stored
from store.outbox import OUTBOX, NewRow, new_row
from tests.kit.application import Application
from tests.kit.esme import RECEIVER, TRANSMITTER, esme
from tests.kit.fakes import until
from tests.kit.portal_site import portal_site, text_of
from tests.kit.ports import free_port
from tests.kit.testbed import make_house, open_core
from web.portal.rooms.interface_tabs import LOGINS


@pytest.fixture
async def site(tmp_path, gateway_database):
    file = make_house(tmp_path / "house", gateway_database).file
    allowed = '\n[[push.allow]]\ncustomer = "acme"\nnetworks = ["127.0.0.0/8"]\n'
    file.write_text(file.read_text("utf-8") + allowed, "utf-8")
    config = load_config(file)
    assert isinstance(config, Config)
    core = open_core(config)
    try:
        async with portal_site(core) as found:
            yield found
    finally:
        core.database.close()


def secret_of(answer):
    """Return the secret that a page shows."""
    (secret,) = re.findall(r'<code class="copy">([^<]+)</code>', answer.text)
    return html.unescape(secret)


@pytest.fixture
def doors(site):
    doors = Doors(site.core.config, site.core, site.core.acceptance)
    yield doors
    doors.authenticator.close()


async def proves(doors, login, password):
    """Return whether a password proves a login."""
    return isinstance(await doors.authenticator.prove(login, password, "127.0.0.1"), Principal)


async def opens(doors, key):
    """Return whether an API key is good."""
    return isinstance(await doors.api_keys.prove(key), Principal)


async def test_a_new_login_has_a_password_that_is_shown_once_and_rotated_and_its_application_has_the_profile(
    site, doors
):
    await site.administer("profile add crew --customer acme")
    visitor, at = await site.signed_in(Role.DEVELOPER), f"/c/{site.customer()}/interfaces"
    made = await visitor.post(f"{at}/logins", {"login": "CRM", "profile": "crew"})
    assert (made.status_code, made.headers["cache-control"]) == (200, "no-store")
    assert "set-cookie" not in made.headers
    first = secret_of(made)
    assert await proves(doors, "crm", first)

    page = await visitor.get(f"{at}/login?login=crm")
    assert first not in page.text
    directory = site.core.book.current.directory
    assert f"/settings/user/{directory.user('crm').key}" in page.text
    assert "Profile crew" in text_of(page)
    assert "crm Password crm active" in text_of(await visitor.get(at))

    second = secret_of(await visitor.post(f"{at}/login/rotate", {"login": "crm"}))
    assert not await proves(doors, "crm", first)
    assert await proves(doors, "crm", second)
    await visitor.post(f"{at}/login/active", {"login": "crm", "active": "no"})
    assert not await proves(doors, "crm", second)
    await visitor.post(f"{at}/login/active", {"login": "crm", "active": "yes"})
    assert await proves(doors, "crm", second)
    await visitor.post(f"{at}/login/remove", {"login": "crm"})
    assert (await visitor.get(f"{at}/login?login=crm")).status_code == 404


async def test_a_login_that_there_is_keeps_its_password_when_one_of_its_name_is_added(site, doors):
    visitor, at = await site.signed_in(), f"/c/{site.customer()}/interfaces"
    password = secret_of(await visitor.post(f"{at}/logins", {"login": "crm"}))
    for fields in ({"login": "CRM"}, {"login": "crm", "user": "crm"}):
        refused = await visitor.post(f"{at}/logins", fields)
        assert refused.status_code == 422
        assert re.search("is taken|is a user already", text_of(refused))
        assert 'href="#f-login"' in refused.text
    assert await proves(doors, "crm", password)


async def test_logins_and_keys_of_another_customer_are_not_there(site, doors):
    await site.administer("customer add foreign")
    owner, stranger = await site.signed_in(customer="foreign"), await site.signed_in()
    theirs, ours = f"/c/{site.customer('foreign')}/interfaces", f"/c/{site.customer()}/interfaces"
    password = secret_of(await owner.post(f"{theirs}/logins", {"login": "crm"}))
    for path in ("rotate", "active", "remove", "key"):
        answer = await stranger.post(f"{ours}/login/{path}", {"login": "crm", "name": "own", "scope": "send"})
        assert answer.status_code == 404
    assert (await stranger.get(f"{ours}/login?login=crm")).status_code == 404
    refused = await stranger.post(f"{ours}/logins", {"login": "mine", "user": "crm"})
    assert "There is no user «crm» here." in text_of(refused)
    assert await proves(doors, "crm", password)


async def test_an_api_key_is_shown_once_has_its_scopes_and_end_and_the_one_before_lasts_as_long_as_asked(site, doors):
    visitor, at = await site.signed_in(Role.DEVELOPER), f"/c/{site.customer()}/interfaces"
    await visitor.post(f"{at}/logins", {"login": "crm"})
    asked = {"login": "crm", "name": "crm/key", "expires": "30", "sandbox": "yes"}
    refused = await visitor.post(f"{at}/login/key", asked)
    assert "Choose at least one thing" in text_of(refused)
    earliest = site.core.clock.now()
    made = await visitor.post(f"{at}/login/key", {**asked, "scope": ["send", "inbound"]})
    first = secret_of(made)
    directory = site.core.book.current.directory
    key = directory.credential("crm/key")
    assert ({*key.scopes}, key.sandbox) == ({"send", "inbound"}, True)
    assert earliest <= key.expires_at - timedelta(days=30) <= site.core.clock.now()
    listed = text_of(await visitor.get(f"{at}/login?login=crm"))
    assert "crm/key Sandbox API key inbound, send active never" in listed

    second = secret_of(await visitor.post(f"{at}/login/rotate", {"login": "crm/key", "keep": "24"}))
    assert [await opens(doors, key) for key in (first, second)] == [True, True]
    third = secret_of(await visitor.post(f"{at}/login/rotate", {"login": "crm/key", "keep": "0"}))
    assert [await opens(doors, key) for key in (first, second, third)] == [False, False, True]
    assert first not in (await visitor.get(f"{at}/login?login=crm%2Fkey")).text
    done = await visitor.post(f"{at}/login/remove", {"login": "crm/key"})
    assert done.headers["location"] == f"/portal{at}"
    assert "crm/key" not in text_of(await visitor.get(f"{at}/login?login=crm"))


async def test_who_may_only_see_is_shown_no_form_and_a_customer_has_the_pages_of_what_it_contracted(site):
    visitor, at = await site.signed_in(Role.READ_ONLY), f"/c/{site.customer()}/interfaces"
    assert "/interfaces/" not in "".join(re.findall(r'action="([^"]+)"', (await visitor.get(at)).text))
    await site.administer(f"customer option acme {' '.join(f'--remove {item}' for item in LOGINS)}")
    assert (await visitor.get(f"{at}/login?login=app")).status_code == 404


async def test_the_page_of_smpp_tells_what_is_bound_now_of_the_customer_alone(site):
    visitor, at = await site.signed_in(), f"/c/{site.customer()}/interfaces"
    await visitor.post(f"{at}/logins", {"login": "crm"})
    mine = BoundEsme(
        door="smpp",
        customer_key=site.customer(),
        login="crm",
        kind="transceiver",
        client="192.0.2.7",
        bound_at=site.core.clock.now(),
    )
    rows = await site.desk.look(
        lambda tx: list_binds(
            tx, site.desk.snapshot, site.customer(), [mine, replace(mine, customer_key=1, login="theirs")]
        )
    )
    assert [(row.login, row.binds, row.waits) for row in rows if row.login in {"crm", "theirs"}] == [
        ("crm", (mine,), 0)
    ]
    assert "crm not bound 0" in text_of(await visitor.get(f"{at}/smpp"))


@pytest.fixture
async def smpp_site(tmp_path, gateway_database):
    """Yield a portal beside an SMPP server of the same house, as one process has them."""
    file, port = make_house(tmp_path / "house", gateway_database).file, free_port()
    door = f'\n[[smpp_server]]\nname = "esmes"\naddress = "127.0.0.1:{port}"\n'
    file.write_text(file.read_text("utf-8") + door, "utf-8")
    config = load_config(file)
    assert isinstance(config, Config)
    core = open_core(config)
    doors = Doors(config, core, core.acceptance)
    server = SmppServer(config, core, doors, Courier(), ListenerContexts(config), lambda: None)
    async with running([server.services], 1), portal_site(core, bound=server.bound) as site:
        yield site, server, port
    doors.authenticator.close()
    core.database.close()


async def test_an_esme_that_binds_stands_on_the_page_and_is_gone_from_it_when_it_has_unbound(smpp_site):
    site, server, port = smpp_site
    visitor, at = await site.signed_in(Role.DEVELOPER), f"/c/{site.customer()}/interfaces"
    rival = await site.signed_in(customer="rival")
    password = secret_of(await visitor.post(f"{at}/logins", {"login": "crm"}))
    assert re.search(rf"<code>{port}</code>", (await visitor.get(f"{at}/smpp")).text)
    assert "crm not bound 0" in text_of(await visitor.get(f"{at}/smpp"))
    async with (
        esme(port, "crm", password, TRANSMITTER) as transmitter,
        esme(port, "crm", password, RECEIVER) as receiver,
    ):
        page = await visitor.get(f"{at}/smpp")
        since = {bind.kind: bind.bound_at for bind in server.bound()}
        times = re.findall(r'<time datetime="([^"]+)"', page.text)
        assert times == [since[kind].isoformat() for kind in ("transmitter", "receiver")]
        assert re.search(r"crm transmitter 127\.0\.0\.1 \d.* receiver 127\.0\.0\.1 \d", text_of(page))
        assert "crm" not in text_of(await rival.get(f"/c/{site.customer('rival')}/interfaces/smpp"))
        await transmitter.unbind()
        await until(lambda: len(server.bound()) == 1)
        page = text_of(await visitor.get(f"{at}/smpp"))
        assert "crm receiver 127.0.0.1" in page
        assert "transmitter 127.0.0.1" not in page
        await receiver.unbind()
        await until(lambda: not server.bound())
        assert "crm not bound 0" in text_of(await visitor.get(f"{at}/smpp"))


async def test_limits_are_shown_with_what_is_used_of_them_and_those_of_all_customers_together_are_not(site):
    visitor, at = await site.signed_in(Role.READ_ONLY), f"/c/{site.customer()}/limits"
    assert "No limit is set" in text_of(await visitor.get(at))
    await site.administer("customer limit acme --usage sms/day=500")
    assert "sms/day 500 0 500" in text_of(await visitor.get(at))


async def test_a_webhook_is_tried_at_once_with_its_key_and_its_answer_and_only_where_the_customer_has_set_it(site):
    visitor, at = await site.signed_in(Role.DEVELOPER), f"/c/{site.customer()}/interfaces/webhooks"
    assert "No webhook is set" in text_of(await visitor.get(at))
    application = await Application(answers=[200, 503]).start()
    url = f"http://127.0.0.1:{application.port}/hook"
    await site.administer(f"customer push acme {url}")
    page = await visitor.get(at)
    assert f"Customer acme {url}" in text_of(page)
    assert f"/c/{site.customer()}/settings/-/push_url" in page.text

    old = secret_of(await visitor.post(f"{at}/key", {"keep": "0"}))
    new = secret_of(await visitor.post(f"{at}/key", {"keep": "24"}))
    assert new not in (await visitor.get(at)).text
    assert "It was taken." in text_of(await visitor.post(f"{at}/test", {"url": url}))
    assert "It was not taken." in text_of(await visitor.post(f"{at}/test", {"url": url}))
    assert (await visitor.post(f"{at}/test", {"url": f"{url}/else"})).status_code == 404
    first, _ = await application.has(2)
    assert first.is_signed_with(new)
    assert first.is_signed_with(old)
    await application.stop()


async def test_the_webhook_of_a_user_is_paused_and_resumed_on_its_page_as_by_command(site):
    visitor, at = await site.signed_in(Role.DEVELOPER), f"/c/{site.customer()}/interfaces/webhooks"
    await site.administer("user set anna@acme.example.com push_url=http://127.0.0.1:9/hook status_channel=push")
    await site.administer("push key acme --user anna@acme.example.com")
    asked = {"address": "anna@acme.example.com", "paused": "yes"}
    assert "anna@acme.example.com sent Pause" in text_of(await visitor.get(at))
    assert (await visitor.post(f"{at}/pause", asked)).status_code == 303
    assert "anna@acme.example.com paused Resume" in text_of(await visitor.get(at))
    await site.administer("push resume --customer acme anna@acme.example.com")
    assert "anna@acme.example.com sent Pause" in text_of(await visitor.get(at))
    await site.administer("push pause --customer acme anna@acme.example.com")
    assert (await visitor.post(f"{at}/pause", {**asked, "paused": "no"})).status_code == 303
    assert "anna@acme.example.com sent Pause" in text_of(await visitor.get(at))
    answer = await visitor.post(f"{at}/pause", {"address": "zoe@acme.example.com", "paused": "yes"})
    assert (answer.status_code, "no webhook of zoe@acme.example.com" in text_of(answer)) == (422, True)
    assert (await visitor.post(f"{at}/pause", {"address": "bob@rival.example.com"})).status_code == 422


async def test_a_customer_with_nothing_but_pushes_comes_to_its_webhooks(site):
    visitor, at = await site.signed_in(Role.READ_ONLY), f"/c/{site.customer()}/interfaces"
    await site.administer(f"customer option acme {' '.join(f'--remove {item}' for item in LOGINS)}")
    assert (await visitor.get(at)).headers["location"] == f"/portal{at}/webhooks"
    assert 'method="post" action="/portal' not in (await visitor.get(f"{at}/webhooks")).text.split("<main")[1]
    assert (await visitor.get(f"{at}/webhooks/N.nobody")).status_code == 404


async def test_the_log_has_the_customers_own_pushes_and_one_that_failed_is_sent_again(site):
    await site.administer("customer add foreign")
    url, now = "https://crm.example.com/hook", to_stored(site.core.clock.now())

    def write(tx, owners):
        for owner in owners:
            new = NewRow(
                kind="test", prefix="N", recipient=url, now=now, about={}, channel=Channel.PUSH, customer_key=owner
            )
            tx.insert(OUTBOX, [new_row(site.core.keys.take(), new)])
        tx.execute("UPDATE outbox SET state = 'failed', ended_at = ?, problem = 'it was refused'", (now,))
        return [tx.value("SELECT public_id FROM outbox WHERE customer_key = ?", (owner,)) for owner in owners]

    theirs = await site.core.database.write(write, site.customer("foreign"))
    own = await site.core.database.write(write, site.customer())
    visitor, at = await site.signed_in(), f"/c/{site.customer()}/interfaces/webhooks"
    listed = await visitor.get(f"{at}?state=failed")
    assert (own in listed.text, theirs in listed.text) == (True, False)
    assert "it was refused" in text_of(await visitor.get(f"{at}/{own}"))
    assert (await visitor.get(f"{at}/{theirs}")).status_code == 404
    assert (await visitor.post(f"{at}/{theirs}/replay")).status_code == 404
    assert (await visitor.post(f"{at}/{own}/replay")).status_code == 303
    assert own not in (await visitor.get(f"{at}?state=failed")).text
    assert "tried again by itself" in text_of(await visitor.post(f"{at}/{own}/replay"))
