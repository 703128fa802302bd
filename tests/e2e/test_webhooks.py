"""Webhooks of a login with a running gateway: pushed, signed, tried, paused, sent again and ended over REST version 2."""

import json
from functools import partial
from types import SimpleNamespace

import pytest

from smpp.simulator.script import Script
from tests.kit.application import Application
from tests.kit.installation import Installation
from tests.kit.ports import free_port
from tests.kit.rest_site import RestSite, basic

PASSWORD = "a long password"


@pytest.fixture
async def application():
    application = await Application().start()
    yield application
    await application.stop()


@pytest.fixture
async def site(tmp_path, gateway_database):
    port = free_port()
    http = [{"name": "local", "address": f"127.0.0.1:{port}", "serves": ["api"]}]
    made = Installation(tmp_path / "site", gateway_database, http=http)
    made.ports["http"] = port
    made.tables["push"] = {"allow": [{"customer": "demo", "networks": ["127.0.0.0/8"]}]}
    await made.open(Script(receipt_delay=0.0))
    yield made
    await made.close()


@pytest.fixture
async def client(site, application):
    """Return what asks as an application with a webhook, what sends its jobs, and the key of the webhook."""
    password, key = site.folder / "erp.password", site.folder / "erp.key"
    password.write_text(f"{PASSWORD}\n", "utf-8")
    await site.command("login", "add", "erp", "--customer", "demo", "--password-file", str(password))
    scopes = ("--scope", "send", "--scope", "webhooks")
    await site.command("login", "add-key", "erp", "erp-key", *scopes, "--key-file", str(key))
    await site.start()
    rest = RestSite(site, site.ports["http"])
    ask = partial(rest.ask, authorization=f"Bearer {key.read_text('utf-8').strip()}")

    async def call(method, path, body=None, status=200):
        answer = await ask(method, f"/api/v2{path}", body)
        assert answer.status == status, answer.body
        return answer.json

    async def send(text="Hello", **settings):
        body = {"messages": [{"text": text, "recipients": [{"to": "+447700900101"}]}], "settings": settings}
        return (await call("POST", "/jobs", body, 201))["id"]

    url = f"http://127.0.0.1:{application.port}/own"
    made = await call("POST", "/webhooks", {"url": url}, 201)
    return SimpleNamespace(call=call, send=send, secret=made["secret"], url=url)


async def test_a_job_is_pushed_to_the_webhook_of_its_login_signed_with_its_key(site, application, client):
    shown = await site.command("customer", "push", "demo", f"http://127.0.0.1:{application.port}/all")
    job = await client.send(delivery_receipt=True)
    (push,) = await application.has(1)
    assert (push.line, push.report["jobId"]) == ("POST /own HTTP/1.1", job)
    assert push.is_verified_with(client.secret)
    assert not push.is_signed_with(shown.splitlines()[-1])
    await site.command("customer", "set", "demo", "status_channel=push")
    mailed = await site.send("By mail")
    pushes = await application.has(2)
    (others,) = [push for push in pushes if push.report["jobId"] == mailed]
    assert others.line == "POST /all HTTP/1.1"
    assert others.is_verified_with(shown.splitlines()[-1])


async def test_a_test_pushes_a_signed_sample_and_tells_what_was_answered(application, client):
    told = await client.call("POST", "/webhooks/erp/test")
    assert (told["taken"], told["reply"], told["address"], told["problem"]) == (True, "200 Answer", "127.0.0.1", "")
    (push,) = application.pushes
    assert push.is_verified_with(client.secret)
    assert push.report["jobId"] == "J.test"
    application.answers = [503]
    told = await client.call("POST", "/webhooks/erp/test")
    assert (told["taken"], told["problem"]) == (False, "It answered with status 503.")
    assert (await client.call("GET", "/pushes"))["pushes"] == []


async def test_what_came_while_the_webhook_was_paused_is_pushed_when_it_is_resumed(site, application, client):
    await client.call("POST", "/webhooks/erp/pause")
    await client.send()
    await site.until(lambda: [row.problem for row in site.outbox_rows()] == ["The webhook of erp is paused."])
    (waiting,) = (await client.call("GET", "/pushes?state=queued"))["pushes"]
    assert waiting["problem"] == "The webhook of erp is paused."
    assert application.pushes == []
    await client.call("POST", "/webhooks/erp/resume")
    (push,) = await application.has(1)
    assert push.headers["webhook-id"] == waiting["id"].replace(".", "_")
    assert push.is_verified_with(client.secret)


async def test_what_waits_for_a_deleted_webhook_is_not_pushed_and_mails_nobody(site, application, client):
    await client.call("POST", "/webhooks/erp/pause")
    await client.send()
    await site.until(lambda: [row.problem for row in site.outbox_rows()] == ["The webhook of erp is paused."])
    await client.call("DELETE", "/webhooks/erp")
    await site.until(lambda: [row.state for row in site.outbox_rows()] == ["skipped"])
    assert application.pushes == []
    assert site.box.mails == ()
    (skipped,) = (await client.call("GET", "/pushes?state=skipped"))["pushes"]
    refused = await client.call("POST", f"/pushes/{skipped['id']}/replay", status=409)
    assert refused["type"] == "/api/v2/problems/push-not-over"


async def test_a_push_is_shown_with_its_attempts_and_sent_again_with_the_same_id(site, application, client):
    application.answers = [422]
    job = await client.send()
    await application.has(1)
    await site.until(lambda: [row.state for row in site.outbox_rows(channel="push")] == ["failed"])
    (failed,) = (await client.call("GET", "/pushes?state=failed&user=erp"))["pushes"]
    assert (failed["of"], failed["event"], failed["url"]) == (job, "result", client.url)
    seen = application.pushes[0].headers["webhook-id"]
    shown = await client.call("GET", f"/pushes/{seen}")
    assert [(each["outcome"], each["reply"]) for each in shown["attempts"]] == [("failed", "422 Answer")]
    await client.call("POST", f"/pushes/{failed['id']}/replay")
    again = (await application.has(2))[1]
    assert (again.headers["webhook-id"], json.loads(again.body)) == (seen, json.loads(application.pushes[0].body))
    await site.until(lambda: [row.state for row in site.outbox_rows(channel="push")] == ["sent"])
    assert [line.who for line in site.audit(action="push.replay")] == ["erp-key"]


async def test_nobody_sees_or_repeats_the_pushes_of_another_customer(site, application, client):
    await client.send()
    await application.has(1)
    (push,) = (await client.call("GET", "/pushes"))["pushes"]
    await site.command("customer", "add", "Elsewhere")
    key = site.folder / "other.key"
    password = site.folder / "erp.password"
    await site.command("login", "add", "crm", "--customer", "Elsewhere", "--password-file", str(password))
    await site.command("login", "add-key", "crm", "crm-key", "--scope", "webhooks", "--key-file", str(key))
    rest = RestSite(site, site.ports["http"])
    ask = partial(rest.ask, authorization=f"Bearer {key.read_text('utf-8').strip()}")
    assert (await ask("GET", "/api/v2/pushes")).json["pushes"] == []
    assert (await ask("GET", f"/api/v2/pushes/{push['id']}")).status == 404
    assert (await ask("POST", f"/api/v2/pushes/{push['id']}/replay")).status == 404
    assert (await rest.ask("GET", "/api/v2/pushes", authorization=basic("crm", PASSWORD))).status == 403
    waiting = await client.call("GET", f"/pushes/{push['id']}")
    if waiting["state"] == "sent":
        await client.call("POST", "/webhooks/erp/pause")
        await client.call("POST", f"/pushes/{push['id']}/replay")
        refused = await client.call("POST", f"/pushes/{push['id']}/replay", status=409)
        assert refused["type"] == "/api/v2/problems/push-not-over"
