"""REST version 2 on real connections: keys and scopes, jobs and states, named requests, problems, its description."""

import asyncio
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from process.api import api_routes
from process.doors import Doors
from sms.outcome import Done, Refusal
from store.answers import Rules
from store.engine.keys import to_stored
from tests.kit.rest_site import RestSite, basic, rest_site
from tests.kit.rest_v2 import ONE, THREE, TWO, V2
from tests.kit.store_harness import StoreHarness
from tests.kit.testbed import ANNA, make_house, open_core
from web.api_v2.description import describe
from web.api_v2.operations import OPERATIONS
from web.api_v2.problem_types import PROBLEM_TYPES
from web.server import HttpServer

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def v2(tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    async with rest_site(core) as site:
        yield V2(site)
    core.database.close()


async def test_a_job_is_kept_with_an_api_key_and_its_sms_can_be_asked_for(v2):
    key = await v2.key("erp-key")
    body = {
        "messages": [{"text": "Hello", "recipients": [{"to": "07700 900101", "reference": "Anna"}, {"to": TWO}]}],
        "settings": {"sender_id": "ACME", "max_parts": 2, "flash": True, "validity": "90m"},
        "reference": "order 7",
    }
    answer = await v2.ask("POST", "/jobs", body, authorization=key)
    assert answer.status == 201
    job_id = answer.json["id"]
    assert answer.headers["location"] == f"/api/v2/jobs/{job_id}"
    (stored,) = v2.core.jobs()
    assert (stored.public_id, stored.login, stored.service, stored.proof) == (job_id, "erp-key", "rest", "api-key")
    assert [(message.sender, message.flash) for message in v2.core.messages()] == [("ACME", True)] * 2
    job = (await v2.ask("GET", f"/jobs/{job_id}", authorization=key)).json
    assert (job["reference"], job["service"], job["settled_at"]) == ("order 7", "rest", None)
    assert [(sms["to"], sms["given"], sms["reference"], sms["state"], sms["parts"]) for sms in job["messages"]] == [
        (ONE, "07700 900101", "Anna", "queued", 1),
        (TWO, TWO, "", "queued", 1),
    ]
    assert (await v2.ask("GET", f"/messages/{job['messages'][0]['id']}")).json == job["messages"][0]


async def test_a_text_is_filled_with_the_values_of_each_recipient(v2):
    recipients = [{"to": ONE, "values": {"name": "Anna"}}, {"to": TWO, "values": {"name": "Bob"}}]
    body = {"messages": [{"text": "Dear {{ name }}", "recipients": recipients}]}
    assert (await v2.ask("POST", "/jobs", body)).status == 201
    assert [message.body for message in v2.core.messages()] == ["Dear Anna", "Dear Bob"]
    recipients[1]["values"] = {"other": "Bob"}
    missing = await v2.ask("POST", "/jobs", body)
    assert (missing.status, missing.json["type"]) == (422, "/api/v2/problems/template-incomplete")
    assert "messages[0].recipients[1]" in missing.json["detail"]
    assert len(v2.core.jobs()) == 1


async def test_without_a_good_key_or_login_nothing_is_told(v2):
    for wrong in ("Bearer m2s_nobody", "Bearer x", "Bearer", basic("erp", "wrong"), "Digest x", ""):
        answer = await v2.ask("GET", "/jobs", authorization=wrong or " ")
        assert answer.status == 401, wrong
        assert answer.headers["www-authenticate"] == 'Basic realm="mail2sms", charset="UTF-8", Bearer realm="mail2sms"'


async def test_what_a_sandbox_key_sends_is_a_job_that_no_carrier_takes_and_no_limit_counts(v2):
    key = await v2.key("play", "--sandbox")
    await v2.site.administer("customer limit acme --usage sms/day=1")
    body = {"messages": [{"text": "Hello", "recipients": [{"to": ONE}]}]}
    for _ in range(2):
        job_id = (await v2.ask("POST", "/jobs", body, authorization=key)).json["id"]
    job = (await v2.ask("GET", f"/jobs/{job_id}", authorization=key)).json
    assert (job["sandbox"], [sms["state"] for sms in job["messages"]]) == (True, ["queued"])
    assert {message.route for message in v2.core.messages()} == {"sandbox key"}
    real = (await v2.send()).json["id"]
    assert (await v2.ask("GET", f"/jobs/{real}")).json["sandbox"] is False


async def test_a_named_request_is_sent_once_however_often_it_comes(v2):
    first = await v2.send("Hello", ONE, TWO, name='"8e03"')
    again = await v2.send("Hello", ONE, TWO, name="8e03")
    assert (first.status, again.status, again.body) == (201, 201, first.body)
    assert (first.headers.get("idempotent-replayed"), again.headers["idempotent-replayed"]) == (None, "true")
    assert len(v2.core.messages()) == 2
    assert (await v2.send("Hello", ONE, TWO, name="8e04")).json != first.json


async def test_a_named_request_is_answered_as_the_first_whatever_has_changed_since(v2):
    first = await v2.send(name="a")
    await v2.site.administer("customer limit acme --countries DE", "customer limit acme --usage sms/day=1")
    assert (await v2.send()).status == 403
    assert (await v2.send(name="a")).body == first.body


async def test_a_named_request_is_known_to_a_gateway_that_starts_later(v2):
    first = await v2.send(name="a")
    later = open_core(v2.core.config)
    doors = Doors(later.config, later, later.acceptance)
    server = HttpServer(api_routes(later, doors))
    await server.start()
    try:
        again = await V2(RestSite(later, server.port)).send(name="a")
    finally:
        await server.stop(5)
        doors.authenticator.close()
        later.database.close()
    assert (again.status, again.body) == (201, first.body)
    assert len(v2.core.jobs()) == 1


async def test_a_name_of_a_request_is_refused_for_another_content(v2):
    await v2.send("Hello", name="a")
    for other in (await v2.send("Hello!", name="a"), await v2.send("Hello", TWO, name="a")):
        assert (other.status, other.json["type"]) == (422, "/api/v2/problems/key-reused")
    assert len(v2.core.jobs()) == 1


async def test_blanks_and_the_order_of_members_make_no_other_content(v2):
    first = await v2.send("Hello", reference="x", name="a")
    body = {"reference": "x", "messages": [{"recipients": [{"to": ONE}], "text": "Hello"}]}
    spaced = json.dumps(body, indent=4).encode()
    assert (await v2.ask("POST", "/jobs", spaced, Idempotency_Key="a")).body == first.body


async def test_the_same_name_of_two_logins_names_two_requests(v2):
    key = await v2.key("other")
    body = {"messages": [{"text": "Hello", "recipients": [{"to": ONE}]}]}
    first = await v2.ask("POST", "/jobs", body, Idempotency_Key="a")
    assert (await v2.ask("POST", "/jobs", body, Idempotency_Key="a", authorization=key)).json != first.json


async def test_a_refused_request_leaves_its_name_free(v2):
    assert (await v2.send("Hello", "12", name="a")).status == 422
    assert (await v2.send("Hello", ONE, name="a")).status == 201


async def test_of_requests_of_one_name_at_once_one_is_kept_and_no_other_is_sent(v2):
    answers = await asyncio.gather(*(v2.send(name="a") for _ in range(8)))
    assert {answer.status for answer in answers} <= {201, 409}
    assert len({answer.body for answer in answers if answer.status == 201}) == 1
    assert {answer.json["type"] for answer in answers if answer.status == 409} <= {"/api/v2/problems/request-running"}
    assert len(v2.core.jobs()) == 1


async def test_a_name_that_is_no_string_is_a_fault_of_its_header(v2):
    for name in ('"', '""', '"a', "a b", "é", '"a\\b"', "x" * 256):
        answer = await v2.send(name=name)
        assert (answer.status, [error["field"] for error in answer.json["errors"]]) == (400, ["Idempotency-Key"]), name


UNREADABLE: list[tuple[dict[str, object], str]] = [
    ({"messages": []}, "messages"),
    ({"messages": [{"text": 1, "recipients": [{"to": ONE}]}]}, "messages[0].text"),
    ({"messages": [{"text": "x", "recipients": [{"to": ONE}, {"to": 7}]}]}, "messages[0].recipients[1].to"),
    ({"messages": [{"text": "x", "recipients": [{"to": ONE, "dst": ONE}]}]}, "messages[0].recipients[0]"),
    ({"messages": [{"text": "x", "recipients": [{"to": "a\nb"}]}]}, "messages[0].recipients[0].to"),
    ({"text": "x"}, "the body"),
    ({"reference": None}, "reference"),
    ({"reference": "x" * 193}, "reference"),
    ({"settings": {"nonsense": 1}}, "settings.nonsense"),
    ({"settings": {"max_parts": "many"}}, "settings.max_parts"),
    ({"settings": {"flash": {}}}, "settings[...]"),
    ({"send_at": "tomorrow"}, "send_at"),
    ({"blackouts": ["x"]}, "blackouts[0]"),
]


async def test_a_field_that_cannot_be_read_is_named_with_the_form_expected(v2):
    for change, field in UNREADABLE:
        body: dict[str, object] = {"messages": [{"text": "Hello", "recipients": [{"to": ONE}]}], **change}
        answer = await v2.ask("POST", "/jobs", body)
        assert (answer.status, answer.json["type"]) == (400, "/api/v2/problems/invalid-request"), change
        assert [error["field"] for error in answer.json["errors"]] == [field]
        assert answer.json["errors"][0]["expected"]
    assert v2.core.jobs() == []


async def test_a_body_that_is_no_job_is_a_bad_request(v2):
    for body in (b"", b"{", b"[]", b"\xff", b"null", b"[" * 100_000, b'"\\ud800"', b"1e999"):
        for path in ("/jobs", "/explain"):
            assert (await v2.ask("POST", path, body)).status == 400, body[:20]


async def test_refusals_are_problems_with_a_type_each(v2):
    await v2.site.administer("customer limit acme --sender-ids ACME --countries GB")
    for settings, number, status, slug in (
        ({"sender_id": "OTHER"}, ONE, 403, "sender-id-not-permitted"),
        ({"text_source": "subject"}, ONE, 403, "setting-not-permitted"),
        ({}, "+4915112345678", 403, "country-not-allowed"),
        ({}, "12", 422, "number-impossible"),
    ):
        answer = await v2.send("Hello", number, settings=settings)
        assert (answer.status, answer.json["type"]) == (status, f"/api/v2/problems/{slug}"), answer.body
        assert answer.headers["content-type"] == "application/problem+json"
    too_many = await v2.send("Hello", *(f"+4477009{number:05}" for number in range(3001)))
    assert too_many.json["type"] == "/api/v2/problems/job-too-large"
    assert v2.core.jobs() == []


async def test_an_explanation_says_what_sending_would_do_and_stores_nothing(v2):
    body = {
        "messages": [{"text": "a\u00a0b “c”", "recipients": [{"to": ONE}, {"to": "07700900101"}, {"to": "12"}]}],
        "settings": {"sender_id": "ACME"},
    }
    told = (await v2.ask("POST", "/explain", body)).json
    assert (told["verdict"], told["refusal"], told["customer"]) == ("send", None, "acme")
    first, second, third = told["recipients"]
    assert (first["number"], first["text"], first["coding"]) == (ONE, 'a b "c"', "gsm7")
    assert [part["text"] for part in first["parts"]] == ['a b "c"']
    assert {"index": 3 + 1, "from": "“", "to": '"', "kind": "relative"} in first["replaced"]
    assert second["duplicate_of"] == ONE
    assert third["refusal"]["reason"] == "number-impossible"
    assert third["refusal"]["type"] == "/api/v2/problems/number-impossible"
    assert told["settings"]["sender_id"] == {"value": "ACME", "layer": "message", "origin": "request by rest"}
    assert v2.core.jobs() == []
    assert (await v2.ask("POST", "/jobs", body)).status == 201
    assert [message.body for message in v2.core.messages() if message.number] == ['a b "c"']


async def test_what_waits_is_taken_back_and_what_is_too_late_is_named(v2):
    job = (await v2.send("Hello", ONE, TWO, THREE)).json["id"]
    first, second, third = (sms["id"] for sms in (await v2.ask("GET", f"/jobs/{job}")).json["messages"])
    one = await v2.ask("POST", f"/messages/{first}/cancel")
    assert one.json == {"job": job, "cancelled": [first], "asked": [], "before": [], "late": []}
    store = StoreHarness("", Rules(), database=v2.core.database)
    store.now = to_stored(v2.core.clock.now())
    (part,) = store.take(carrier="sandbox", route="sandbox", most=1)
    store.settle((part.part_key, Done(reference="c1")), carrier="sandbox")
    rest = await v2.ask("POST", f"/jobs/{job}/cancel")
    assert rest.json == {"job": job, "cancelled": [third], "asked": [], "before": [first], "late": [second]}
    again = await v2.ask("POST", f"/jobs/{job}/cancel")
    assert again.json == {"job": job, "cancelled": [], "asked": [], "before": [first, third], "late": [second]}
    states = [sms["state"] for sms in (await v2.ask("GET", f"/jobs/{job}")).json["messages"]]
    assert states == ["cancelled", "submitted", "cancelled"]
    late = await v2.ask("POST", f"/messages/{second}/cancel")
    assert (late.status, late.json["type"]) == (409, "/api/v2/problems/nothing-to-cancel")
    assert "retry-after" not in late.headers
    lines = [(line.action, line.who, line.target) for line in v2.core.audit(action="queue.cancel")]
    assert lines == [("queue.cancel", "erp", first), ("queue.cancel", "erp", job)]


async def test_nobody_elses_job_can_be_cancelled(v2):
    job = (await v2.send()).json["id"]
    sms = (await v2.ask("GET", f"/jobs/{job}")).json["messages"][0]["id"]
    secret = v2.core.folder / "other.password"
    secret.write_text("a long password\n", "utf-8")
    await v2.site.administer(
        "customer add other",
        f"login add far --customer other --password-file {secret}",
        f"login add near --customer acme --user {ANNA} --password-file {secret}",
    )
    for login in ("far", "near"):
        for path in (
            f"/jobs/{job}/cancel",
            f"/messages/{sms}/cancel",
            f"/jobs/{sms}/cancel",
            f"/messages/{job}/cancel",
        ):
            answer = await v2.ask("POST", path, authorization=basic(login, "a long password"))
            assert answer.status == 404, (login, path)
    assert [message.state for message in v2.core.messages()] == ["queued"]


async def test_a_cursor_leads_through_all_jobs_each_once_in_order(v2):
    sent = [(await v2.send(f"Text {number}")).json["id"] for number in range(5)]
    seen, path = [], "/jobs?limit=2"
    while True:
        page = (await v2.ask("GET", path)).json
        seen += [job["id"] for job in page["jobs"]]
        if page["next"] is None:
            break
        path = f"/jobs?limit=2&cursor={page['next']}"
    assert seen == sent
    assert len((await v2.ask("GET", "/jobs?open=true")).json["jobs"]) == 5


async def test_a_parameter_that_cannot_be_read_is_named(v2):
    for query in (
        "limit=0",
        "limit=1001",
        "limit=x",
        "cursor=x",
        "cursor=1-99999999999999999999",
        "open=1",
        "offset=3",
    ):
        answer = await v2.ask("GET", f"/jobs?{query}")
        assert (answer.status, answer.json["errors"][0]["field"]) == (400, query.partition("=")[0])


async def test_an_unknown_path_method_or_id_is_a_problem(v2):
    for method, path, status, slug in (
        ("GET", "/nothing", 404, "not-found"),
        ("GET", "/jobs/J.none", 404, "not-found"),
        ("GET", "/messages/x", 404, "not-found"),
        ("DELETE", "/jobs", 405, "method-not-allowed"),
        ("GET", "/explain", 405, "method-not-allowed"),
        ("POST", "/jobs/J.none", 405, "method-not-allowed"),
    ):
        answer = await v2.ask(method, path)
        assert (answer.status, answer.json["type"]) == (status, f"/api/v2/problems/{slug}"), path
    assert (await v2.ask("DELETE", "/jobs")).headers["allow"] == "POST, GET"


class _Page(HTMLParser):
    """A page's links and anchors; a script or a style of its own is a fault."""

    def __init__(self, body):
        super().__init__()
        self.links, self.anchors = [], set()
        self.feed(body.decode())

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        assert tag not in {"script", "style", "link", "img"}
        assert not {name for name in given if name == "style" or name.startswith("on")}
        if tag == "a":
            self.links.append(given["href"])
        self.anchors.add(given.get("id"))


async def test_the_page_of_each_problem_says_cause_and_remedy(v2):
    index = _Page((await v2.ask("GET", "/problems")).body)
    assert index.links == [kind.address for kind in PROBLEM_TYPES.values()]
    for kind in PROBLEM_TYPES.values():
        page = await v2.site.ask("GET", kind.address)
        assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert kind.cause.split("'")[0].encode() in page.body
        _Page(page.body)


async def test_the_page_of_the_description_leads_to_every_shape(v2):
    page = _Page((await v2.ask("GET", "")).body)
    assert {link[1:] for link in page.links if link.startswith("#")} <= page.anchors
    assert {call.name for call in OPERATIONS} <= page.anchors


async def test_the_description_is_served_and_is_the_committed_file(v2):
    served = (await v2.ask("GET", "/openapi.json")).json
    assert served == describe() == json.loads((ROOT / "docs/openapi.json").read_text("utf-8"))


def test_the_committed_description_is_what_the_code_prints():
    printed = subprocess.run(
        [sys.executable, "-m", "web.api_v2.description"], capture_output=True, check=True, cwd=ROOT
    )
    assert printed.stdout == (ROOT / "docs/openapi.json").read_bytes()


def test_every_refusal_has_a_type_with_a_cause_and_a_remedy():
    assert set(Refusal) <= set(PROBLEM_TYPES)
    slugs = [kind.slug for kind in PROBLEM_TYPES.values()]
    assert len(set(slugs)) == len(slugs)
    assert all(kind.cause.endswith(".") and kind.remedy.endswith(".") for kind in PROBLEM_TYPES.values())


def test_every_reference_of_the_description_leads_somewhere():
    schemas = describe()["components"]["schemas"]
    found = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(describe())))
    assert found <= set(schemas)
    for operation in OPERATIONS:
        names = {item.name for item in operation.parameters if item.place == "path"}
        assert names == set(re.findall(r"\{(\w+)\}", operation.path))
