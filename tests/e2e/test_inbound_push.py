"""A phone writes, and an application takes it: the whole gateway, with a receiver that fails and a process that dies."""

import json

import pytest

from smpp.wire.bodies import DeliverSm
from tests.kit.application import Application
from tests.kit.inbound_harness import OWN, PHONE
from tests.kit.installation import Installation


@pytest.fixture
async def application():
    application = await Application().start()
    yield application
    await application.stop()


@pytest.fixture
async def pushing(site: Installation, application, tmp_path):
    """Return the key of a customer whose application takes every SMS as JSON, with a BASIC login."""
    (tmp_path / "password").write_text("geheim 12\n", "utf-8")
    site.tables["push"] = {"allow": [{"customer": "demo", "networks": ["127.0.0.0/8"]}]}
    site.tables["mail"] = {**site.tables.get("mail", {}), "admin_address": "admin@example.com"}
    await site.open()
    await site.command("number", "add", OWN, "--country", "GB", "--customer", "demo")
    facts = ("form=json", "login=basic", "user=anna", f"password_file={tmp_path / 'password'}", "header.X-Shop=7")
    url = f"url=http://127.0.0.1:{application.port}/sms"
    await site.command("action", "add", "App", "--customer", "demo", "--kind", "push", url, *facts)
    secret = (await site.command("push", "key", "demo")).splitlines()[-1]
    await site.start()
    return secret


async def came(site, *texts: str) -> None:
    for text in texts:
        sms = DeliverSm(
            source_addr_ton=1,
            source_addr=PHONE[1:],
            dest_addr_ton=1,
            destination_addr=OWN[1:],
            short_message=text.encode(),
        )
        assert await site.carrier.deliver_raw(sms) == 0


def states(site) -> list[str]:
    return [row.state for row in site.outbox_rows(kind="inbound-push")]


async def test_each_sms_is_pushed_in_order_with_one_id_though_the_receiver_fails_and_the_process_is_killed(
    site, application, pushing
):
    application.answers = [503, None]
    await came(site, "one", "two")
    await site.until(lambda: states(site) == ["queued", "queued"])
    await application.has(1)
    await site.until(lambda: bool(site.outbox_attempts()))
    await site.command("queue", "flush")
    await application.has(2)
    await site.kill()  # while the application still thinks
    await site.start()
    await site.until(lambda: states(site) == ["sent", "sent"])
    pushes = application.pushes
    assert [push.report["text"] for push in pushes] == ["one", "one", "one", "two"]
    assert len({push.headers["webhook-id"] for push in pushes}) == 2
    assert all(push.is_verified_with(pushing) for push in pushes)
    assert all(push.headers["authorization"] == "Basic YW5uYTpnZWhlaW0gMTI=" for push in pushes)
    assert all(push.headers["x-shop"] == "7" for push in pushes)
    assert pushes[0].report["src"] == PHONE
    assert not any("geheim" in line for line in site.log)
    assert "geheim" not in await site.command("action", "list")
    sms = site.inbound_sms()[0].public_id
    assert "push" in await site.command("status", sms)


async def test_an_application_that_is_gone_is_told_to_the_operator_and_gets_later_what_it_missed(
    site, application, pushing
):
    application.answers = [410]
    await came(site, "one", "two")
    await site.until(lambda: states(site) == ["failed", "failed"])
    (listed,) = [row for row in json.loads(await site.command("action", "list", "--json")) if row["action"] == "App"]
    assert listed["active"] is False
    assert "It answered with status 410." in listed["problem"]
    await site.until(lambda: any("is gone" in row.about for row in site.outbox_rows(kind="alert")))
    await site.command("action", "set", "App", "--customer", "demo", "--enable")
    await site.command("push", "replay", "--failed", "--since", "1h", "--customer", "demo")
    await site.until(lambda: states(site) == ["sent", "sent"])
    assert [push.report["text"] for push in application.pushes] == ["one", "one", "two"]
    assert application.pushes[0].headers["webhook-id"] == application.pushes[1].headers["webhook-id"]


async def test_a_target_that_is_not_allowed_to_the_customer_is_refused_when_it_is_set(site):
    await site.open()
    words = ("action", "add", "App", "--customer", "demo", "--kind", "push")
    for url in ("http://app.example.com/", "https://10.1.2.3/", "https://localhost/"):
        assert "[[push.allow]]" in await site.command(*words, f"url={url}", code=1)
    await site.command(*words, "url=https://app.example.com/")
