"""Webhooks over REST version 2: made, shown, signed with keys of their own, paused, tried and ended."""

import base64
from functools import partial

import pytest

from store.push_keys import find_push_terms
from tests.kit.rest_site import rest_site
from tests.kit.rest_v2 import ONE, V2
from tests.kit.testbed import ANNA, make_house, open_core

URL = "https://app.example.com/sms"


@pytest.fixture
async def v2(tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    async with rest_site(core) as site:
        yield V2(site)
    core.database.close()


@pytest.fixture
async def ask(v2):
    return partial(v2.ask, authorization=await v2.key("hooks", "--scope webhooks"))


async def terms(v2, user):
    return await v2.core.database.read(partial(find_push_terms, customer="acme", user=user))


def key_of(secret):
    return base64.b64decode(secret.removeprefix("whsec_"))


async def test_a_webhook_is_made_for_the_login_that_asks_and_its_key_is_shown_once(v2, ask):
    made = await ask("POST", "/webhooks", {"url": URL, "states": ["delivered", "failed"]})
    assert (made.status, made.headers["location"]) == (201, "/api/v2/webhooks/erp")
    shown = {name: value for name, value in made.json.items() if name != "secret"}
    assert (shown["user"], shown["url"], shown["states"]) == ("erp", URL, ["delivered", "failed"])
    assert (shown["channel"], shown["paused"], shown["secret_made_by"]) == ("push", False, "hooks")
    assert (await ask("GET", "/webhooks/erp")).json == shown
    assert (await ask("GET", "/webhooks")).json == {"webhooks": [shown], "next": None}
    assert (await terms(v2, "erp")).keys == (key_of(made.json["secret"]),)
    refused = await ask("POST", "/webhooks", {"url": URL})
    assert (refused.status, refused.json["type"]) == (409, "/api/v2/problems/webhook-exists")
    assert (await v2.send("Hello", ONE)).status == 201
    assert [(job.push_url, job.channel) for job in v2.core.jobs()] == [(URL, "push")]
    assert {line.who for line in v2.core.audit(action="push.key")} == {"hooks"}


async def test_webhooks_of_others_are_made_beside_and_listed_page_by_page(v2, ask):
    for user in (ANNA, "erp"):
        assert (await ask("POST", "/webhooks", {"url": f"{URL}/{user}", "user": user, "channel": "both"})).status == 201
    first = (await ask("GET", "/webhooks?limit=1")).json
    second = (await ask("GET", f"/webhooks?limit=1&cursor={first['next']}")).json
    found = [*first["webhooks"], *second["webhooks"]]
    assert [(hook["user"], hook["url"], hook["states"], hook["channel"]) for hook in found] == [
        (ANNA, f"{URL}/{ANNA}", [], "both"),
        ("erp", f"{URL}/erp", [], "both"),
    ]
    assert second["next"] is None
    assert (await terms(v2, ANNA)).keys != (await terms(v2, "erp")).keys


async def test_a_new_key_signs_at_once_and_the_one_before_for_as_long_as_is_asked(v2, ask):
    first = (await ask("POST", "/webhooks", {"url": URL})).json["secret"]
    second = (await ask("POST", "/webhooks/erp/rotate-secret", {})).json
    assert (await terms(v2, "erp")).keys == (key_of(second["secret"]), key_of(first))
    assert second["previous_until"] > second["secret_made_at"]
    third = (await ask("POST", "/webhooks/erp/rotate-secret", {"overlap_seconds": 0})).json["secret"]
    assert (await terms(v2, "erp")).keys == (key_of(third),)
    assert (await ask("POST", "/webhooks/erp/rotate-secret", {"overlap_seconds": -1})).status == 400
    assert (await ask("POST", f"/webhooks/{ANNA}/rotate-secret", {})).status == 404


async def test_the_key_of_a_user_signs_for_its_url_alone_and_the_customers_for_all_others(v2, ask):
    await v2.site.administer(f"customer push acme {URL}")
    customers = (await terms(v2, "")).keys
    secret = (await ask("POST", "/webhooks", {"url": f"{URL}/own"})).json["secret"]
    assert (await terms(v2, "erp")).keys == (key_of(secret),)
    assert (await terms(v2, "")).keys == customers == (await terms(v2, ANNA)).keys
    assert (await terms(v2, ANNA)).url is None
    await v2.site.administer(f"user set {ANNA} push_url={URL}/anna", f"push key acme --user {ANNA}")
    (anna,) = (await terms(v2, ANNA)).keys
    assert anna not in {*customers, key_of(secret)}


async def test_a_webhook_waits_while_it_is_paused(v2, ask):
    await ask("POST", "/webhooks", {"url": URL})
    assert (await ask("POST", "/webhooks/erp/pause")).json["paused"] is True
    assert (await terms(v2, "erp")).paused
    assert (await ask("POST", "/webhooks/erp/rotate-secret", {})).json["paused"] is True
    assert (await ask("POST", "/webhooks/erp/resume")).json["paused"] is False
    assert not (await terms(v2, "erp")).paused
    await v2.site.administer(f"user set {ANNA} push_url={URL}")
    assert (await ask("GET", f"/webhooks/{ANNA}")).json["secret_made_at"] is None
    assert (await ask("POST", f"/webhooks/{ANNA}/pause")).status == 404  # nothing that could be paused: it has no key


async def test_a_deleted_webhook_leaves_no_secret_and_can_be_made_anew(v2, ask):
    first = (await ask("POST", "/webhooks", {"url": URL})).json["secret"]
    assert (await ask("DELETE", "/webhooks/erp")).json["url"] == URL
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/test")):
        assert (await ask(method, f"/webhooks/erp{path}")).status == 404
    assert (await terms(v2, "erp")).url == ""
    assert [(row.secret, row.previous) for row in v2.core.push_keys()] == [("", "")]
    assert (await v2.send("Hello", ONE)).status == 201
    assert [job.push_url for job in v2.core.jobs()] == [""]
    second = (await ask("POST", "/webhooks", {"url": f"{URL}/2"})).json["secret"]
    assert (await terms(v2, "erp")).keys == (key_of(second),)
    assert first != second
    await v2.site.administer("user remove erp")
    assert v2.core.push_keys() == []


@pytest.mark.parametrize(
    "url",
    [
        "http://app.example.com/",
        "https://10.0.0.1/",
        "https://a:b@app.example.com/",
        "ftp://x/",
        "",
        "<none>",
        "https://",
    ],
)
async def test_a_url_that_is_not_safe_is_refused_and_nothing_is_kept(v2, ask, url):
    refused = await ask("POST", "/webhooks", {"url": url})
    assert (refused.status, refused.json["errors"][0]["field"]) == (400, "url")
    assert v2.core.push_keys() == []
    assert (await ask("GET", "/webhooks")).json["webhooks"] == []


async def test_what_a_limit_or_the_contract_forbids_makes_no_webhook(v2, ask):
    await v2.site.administer("customer limit acme --lock push_url")
    refused = await ask("POST", "/webhooks", {"url": URL})
    assert (refused.status, refused.json["type"]) == (403, "/api/v2/problems/setting-not-permitted")
    await v2.site.administer("customer option acme --remove push")
    refused = await ask("POST", "/webhooks", {"url": URL})
    assert refused.status == 403
    assert v2.core.push_keys() == []


async def test_nobody_reaches_the_webhooks_of_another_customer(v2, ask):
    await v2.site.administer(
        "customer add Elsewhere --domain elsewhere.example",
        "user add eve@elsewhere.example --customer Elsewhere",
        f"user set eve@elsewhere.example push_url={URL}",
        "push key Elsewhere --user eve@elsewhere.example",
    )
    assert (await ask("GET", "/webhooks")).json["webhooks"] == []
    assert (await ask("POST", "/webhooks", {"url": URL, "user": "eve@elsewhere.example"})).status == 404
    for method, path, body in (
        ("GET", "", None),
        ("DELETE", "", None),
        ("POST", "/rotate-secret", {}),
        ("POST", "/pause", None),
        ("POST", "/resume", None),
        ("POST", "/test", None),
    ):
        for user in ("eve@elsewhere.example", "nobody", "%00"):
            assert (await ask(method, f"/webhooks/{user}{path}", body)).status == 404, (method, path, user)
