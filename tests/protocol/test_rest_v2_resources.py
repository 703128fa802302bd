"""REST version 2 on real connections: every call with every scope, inbound SMS, the stop list, users and settings."""

import re
from functools import partial
from typing import Any

import pytest

from addressbook.api_keys import LOGIN_SCOPES, OF_ALL, Scope
from store.engine.keys import to_stored
from store.engine.statements import Insert
from store.inbound_tables import InboundSmsRow
from tests.kit.rest_site import basic, rest_site
from tests.kit.rest_v2 import ONE, THREE, TWO, V2
from tests.kit.testbed import ANNA, make_house, open_core
from web.api_v2.operations import OPERATIONS

JOB = {"messages": [{"text": "Hello", "recipients": [{"to": ONE}]}]}
# What each call is sent; a call that has a body and is not here fails the walk.
BODIES = {
    "sendJob": JOB,
    "explainJob": JOB,
    "addStops": {"numbers": [THREE]},
    "endStops": {"numbers": [THREE]},
    "changeUserSettings": {"settings": {"max_parts": 2}},
    "changeProfileSettings": {"settings": {"max_parts": 2}},
    "createWebhook": {"url": "https://app.example.com/sms"},
    "rotateWebhookSecret": {},
}
SECRET = "a long password"


@pytest.fixture
async def v2(tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    async with rest_site(core) as site:
        yield V2(site)
    core.database.close()


def path_of(call):
    return re.sub(r"\{\w+\}", "none", call.path).removeprefix("/api/v2")


async def walk(v2, authorization):
    """Return the status and the problem of every call."""
    told = {}
    for call in OPERATIONS:
        body = BODIES[call.name] if call.body is not None else None
        answer = await v2.ask(call.method, path_of(call), body, authorization=authorization)
        told[call.name] = (answer.status, answer.json.get("type", "").rpartition("/")[2])
    return told


def wanted_of(call, scopes):
    """Return what a call is answered to these scopes: what it names is none of the customer's."""
    if call.scope not in scopes:
        return 403, "insufficient-scope"
    return (404, "not-found") if "{" in call.path else (call.status, "")


async def test_every_call_is_answered_to_keys_with_its_scope_alone(v2):
    for scope in Scope:
        told = await walk(v2, await v2.key(f"{scope}-key", f"--scope {scope}"))
        assert told == {call.name: wanted_of(call, {scope}) for call in OPERATIONS}, scope
    assert {call.scope for call in OPERATIONS} >= OF_ALL


async def test_a_login_with_its_password_may_do_what_the_description_says(v2):
    assert await walk(v2, basic()) == {call.name: wanted_of(call, LOGIN_SCOPES) for call in OPERATIONS}


async def test_what_concerns_the_whole_customer_is_no_persons_to_ask(v2):
    secret = v2.core.folder / "anna.password"
    secret.write_text(f"{SECRET}\n", "utf-8")
    await v2.site.administer(f"login add anna --customer acme --user {ANNA} --password-file {secret}")
    told = await walk(v2, basic("anna", SECRET))
    assert {name for name, answered in told.items() if answered == (403, "insufficient-scope")} == {
        call.name for call in OPERATIONS if call.scope in OF_ALL
    }


def keep_inbound(core, *texts, customer="acme", **more):
    (owner,) = [item for item in core.customers() if item.name == customer]
    insert = Insert(InboundSmsRow)
    now = to_stored(core.clock.now())
    rows = [
        insert.row(
            key=core.keys.take(),
            public_id=f"I.{customer}-{index}",
            carrier="alpha",
            source=ONE,
            destination=TWO,
            phone=ONE[1:],
            body=text,
            shown=text,
            customer_key=owner.key,
            customer=customer,
            received_at=now,
            handled_at=now,
            **more,
        )
        for index, text in enumerate(texts)
    ]
    core.database.write_now(lambda tx, calls: [tx.insert(insert, rows) for _ in calls], None)


async def test_inbound_sms_are_listed_page_by_page_and_never_another_customers(v2):
    await v2.site.administer("customer add Elsewhere")
    keep_inbound(v2.core, "One", "Two", "Three", keyword="INFO", total=3, missing="2")
    keep_inbound(v2.core, "Secret", customer="Elsewhere")
    first = (await v2.ask("GET", "/inbound?limit=2")).json
    second = (await v2.ask("GET", f"/inbound?limit=2&cursor={first['next']}")).json
    found = [*first["messages"], *second["messages"]]
    assert [sms["text"] for sms in found] == ["One", "Two", "Three"]
    assert second["next"] is None
    assert {"from": ONE, "to": TWO, "keyword": "INFO", "parts": 3, "missing": [2], "late_of": ""}.items() <= found[
        0
    ].items()
    assert (await v2.ask("GET", f"/inbound/{found[0]['id']}")).json == found[0]
    for other in ("I.Elsewhere-0", "I.none", "%00"):
        assert (await v2.ask("GET", f"/inbound/{other}")).status == 404
    assert (await v2.ask("GET", "/inbound?cursor=x")).json["errors"][0]["field"] == "cursor"


async def test_the_stop_list_is_read_extended_and_ended_with_what_shows_it(v2):
    ask = partial(v2.ask, authorization=await v2.key("care", "--scope stop-list"))
    assert (await v2.send("Hello", ONE)).status == 201
    added = await ask("POST", "/stop-list", {"numbers": [ONE, "07700 900102"]})
    assert added.json == {"added": 2, "ended_messages": 1}
    assert (await ask("POST", "/stop-list", {"numbers": [ONE, THREE], "service": "rest"})).json["added"] == 2
    assert (await v2.send("Hello", TWO)).json["type"] == "/api/v2/problems/stop-list"
    entries: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await ask("GET", f"/stop-list?limit=1&cursor={cursor}")).json
        entries += page["entries"]
        cursor = page["next"]
    assert [(entry["number"], entry["service"]) for entry in entries] == [
        (ONE, ""),
        (ONE, "rest"),
        (TWO, ""),
        (THREE, "rest"),
    ]
    assert {(entry["origin"], entry["evidence"], entry["ended_at"]) for entry in entries} == {("admin", "care", None)}
    assert (await ask("POST", "/stop-list/end", {"numbers": [ONE], "service": "rest"})).json == {"ended": 1}
    assert (await ask("POST", "/stop-list/end", {"numbers": [TWO]})).json == {"ended": 1}
    assert (await ask("POST", "/stop-list/end", {"numbers": [TWO]})).status == 404
    assert len((await ask("GET", "/stop-list")).json["entries"]) == 2
    ended = [entry for entry in (await ask("GET", "/stop-list?ended=true")).json["entries"] if entry["ended_at"]]
    assert [(entry["number"], entry["ended_by"]) for entry in ended] == [(ONE, "admin: care"), (TWO, "admin: care")]
    for body, field in (
        ({"numbers": ["12"]}, "numbers"),
        ({"numbers": [ONE], "service": "fax"}, "service"),
        ({"numbers": []}, "numbers"),
        ({"numbers": [ONE], "why": "x"}, "the body"),
    ):
        answer = await ask("POST", "/stop-list", body)
        assert (answer.status, answer.json["errors"][0]["field"]) == (400, field)


async def test_users_are_listed_and_their_settings_are_told_with_where_they_come_from(v2):
    await v2.site.administer(
        "customer set acme cost_centre=A", f"user set {ANNA} cost_centre=B", "customer limit acme --lock language"
    )
    ask = partial(v2.ask, authorization=await v2.key("book", "--scope users"))
    users: list[dict[str, Any]] = []
    path: str | None = "/users?limit=1"
    while path is not None:
        page = (await ask("GET", path)).json
        users += page["users"]
        path = page["next"] and f"/users?limit=1&cursor={page['next']}"
    addresses = [user["address"] for user in users]
    assert ANNA in addresses
    assert addresses == sorted(set(addresses))
    told = (await ask("GET", f"/users/{ANNA}/settings?service=rest")).json
    assert (told["address"], told["customer"], told["service"]) == (ANNA, "acme", "rest")
    centre = told["settings"]["cost_centre"]
    assert (centre["value"], centre["layer"], centre["locked_by"]) == ("B", "pinned", "")
    assert [(cell["value"], cell["layer"]) for cell in centre["shadowed"]] == [("A", "customer"), ("", "built-in")]
    assert centre["set_by"]
    assert told["settings"]["language"]["locked_by"] == "customer acme"


async def test_settings_of_users_and_profiles_are_changed_as_a_whole_or_not_at_all(v2):
    await v2.site.administer(
        "profile add Shift --customer acme", "customer limit acme --lock language --sender-ids ACME"
    )
    ask = partial(v2.ask, authorization=await v2.key("book", "--scope users"))
    for path in (f"/users/{ANNA}/settings", "/profiles/Shift/settings"):
        done = await ask("PATCH", path, {"settings": {"max_parts": 2, "flash": True, "sender_id": "ACME"}})
        assert done.json["settings"] == {"max_parts": "2", "flash": "on", "sender_id": "ACME"}
        done = await ask("PATCH", path, {"settings": {"flash": None, "cost_centre": "<none>"}})
        assert done.json["settings"] == {"flash": "", "cost_centre": "<none>"}
        for settings, status, slug in (
            ({"cost_centre": "x", "max_parts": "many"}, 400, "invalid-request"),
            ({"cost_centre": "x", "nonsense": 1}, 400, "invalid-request"),
            ({"cost_centre": "x\0"}, 400, "invalid-request"),
            ({"cost_centre": "x", "language": "de"}, 403, "setting-not-permitted"),
            ({"cost_centre": "x", "sender_id": "OTHER"}, 403, "sender-id-not-permitted"),
        ):
            refused = await ask("PATCH", path, {"settings": settings})
            assert (refused.status, refused.json["type"]) == (status, f"/api/v2/problems/{slug}"), refused.body
    profile = (await ask("GET", "/profiles/Shift")).json
    assert {name: (cell["value"], cell["set_by"]) for name, cell in profile["settings"].items()} == {
        "max_parts": ("2", "book"),
        "sender_id": ("ACME", "book"),
        "cost_centre": ("<none>", "book"),
    }
    assert "Shift" in [item["name"] for item in (await ask("GET", "/profiles")).json["profiles"]]
    assert {line.who for line in v2.core.audit(action="settings.set") if line.field == "flash"} == {"book"}


async def test_nobody_reads_or_changes_the_users_of_another_customer(v2):
    await v2.site.administer(
        "customer add Elsewhere --domain elsewhere.example",
        "user add eve@elsewhere.example --customer Elsewhere",
        "profile add Night --customer Elsewhere",
    )
    ask = partial(v2.ask, authorization=await v2.key("book", "--scope users"))
    change = {"settings": {"max_parts": 1}}
    for path in (
        "/users/eve@elsewhere.example/settings",
        "/users/%00/settings",
        "/profiles/Night/settings",
        "/profiles/%00/settings",
    ):
        assert (await ask("PATCH", path, change)).status == 404, path
    for path in ("/users/eve@elsewhere.example/settings", "/users/x/settings", "/profiles/Night", "/profiles/%00"):
        assert (await ask("GET", path)).status == 404, path
    assert all("elsewhere" not in user["address"] for user in (await ask("GET", "/users")).json["users"])
