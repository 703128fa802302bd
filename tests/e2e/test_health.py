"""`mail2sms health` beside the real process: quiet while all is well, and each thing that needs a hand in a line."""

import json
from datetime import timedelta

import pytest

from tests.kit.installation import Installation
from tests.kit.mail_servers import issue


@pytest.fixture
async def site(tmp_path, gateway_database):
    made = Installation(tmp_path / "site", gateway_database)
    await made.open()
    yield made
    await made.close()


async def test_a_gateway_that_serves_needs_no_hand_and_one_that_does_not_is_told(site):
    await site.start()
    job = await site.send("Pump 7 has stopped")
    await site.until(lambda: set(site.state(job).values()) == {"delivered"})
    await site.until(lambda: all(row.ended_at for row in site.outbox_rows()))
    said = await site.command("health")
    assert "Nothing needs a hand." in said
    assert "SMS wait     none" in said
    await site.stop()
    said = await site.command("health", code=1)
    assert "LOOK         no process serves: «mail2sms serve»" in said


async def test_what_waits_too_long_is_named_by_carrier_and_domain_with_the_command_that_says_why(site):
    await site.start()
    await site.send("Pump 7 has stopped")
    await site.until(lambda: any(row.ended_at for row in site.outbox_rows()))
    await site.stop()
    site.execute("UPDATE message SET state = 'queued', due_at = updated_at - 1200000000")
    site.execute("UPDATE outbox SET state = 'queued', ended_at = NULL, due_at = created_at - 1200000000")
    report = json.loads(await site.command("health", "--json", code=1))
    assert [item["code"] for item in report["concerns"]] == ["not-serving", "messages-late", "notices-late"]
    (late,) = (item for item in report["concerns"] if item["code"] == "messages-late")
    assert late["late"] == 1
    assert "«mail2sms queue list» which" in late["text"]
    assert [(item["waiting"], item["late"]) for item in report["messages"] + report["notices"]] == [(1, 1), (1, 1)]


async def test_a_certificate_that_ends_soon_is_told(site):
    chain, key = issue(end=timedelta(days=5)).write(site.folder, "short")
    with site.file.open("a") as file:
        file.write(
            '\n[[listener]]\nname = "short"\naddress = "127.0.0.1:0"\ntls = "offer"\n'
            f'certificate_file = "{chain}"\nkey_file = "{key}"\n'
        )
    report = json.loads(await site.command("health", "--json", code=1))
    (ends,) = (item for item in report["concerns"] if item["code"] == "certificate-ends")
    assert ends["name"] == "short"
