"""Sandbox keys through a gateway: every outcome by number, in time, and nobody gets anything or pays."""

import asyncio
import json
import urllib.request

import pytest

from smpp.simulator.sandbox_numbers import SANDBOX_NUMBERS
from smpp.simulator.script import Script
from store.usage import UsageRow
from tests.e2e.test_sandbox_numbers import ENDS
from tests.kit.application import Application
from tests.kit.patience import PATIENCE
from tests.kit.ports import free_port
from tests.kit.rest_site import basic

SLOW = {"447700900992", "447700900993", "447700900994"}  # silence, a minute, two more attempts
NUMBERS = [number for number in ENDS if number not in SLOW]


class _Playing:
    """A gateway with a carrier, whose application `shop` has a sandbox key."""

    def __init__(self, site):
        self.site = site

    async def open(self):
        port = free_port()
        self.site.tables["http"] = [{"name": "api", "address": f"127.0.0.1:{port}", "serves": ["api"]}]
        await self.site.open(Script())
        await self.site.add_login()
        key = self.site.folder / "play.key"
        await self.site.command("login", "add-key", "shop", "play", "--sandbox", "--key-file", str(key))
        self._base, self._bearer = f"http://127.0.0.1:{port}", f"Bearer {key.read_text().strip()}"
        await self.site.start()

    async def ask(self, path, body=None, authorization=""):
        """Return the JSON of an answer."""
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + path, content, {"Authorization": authorization or self._bearer})

        def read():
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return json.load(answer)

        return await asyncio.to_thread(read)

    async def send(self, *numbers):
        recipients = [{"to": f"+{number}"} for number in numbers]
        body = {"messages": [{"text": "Hello", "recipients": recipients}], "settings": {"validity": "2h"}}
        return (await self.ask("/api/v2/jobs", body))["id"]


@pytest.fixture
def playing(site):
    return _Playing(site)


@pytest.mark.slow
async def test_a_sandbox_key_plays_every_outcome_by_number_and_its_job_is_marked_wherever_it_is_shown(playing):
    site = playing.site
    assert ENDS.keys() >= {one.number.removeprefix("+") for one in SANDBOX_NUMBERS}
    await playing.open()
    await site.command("customer", "limit", "demo", "--usage", "sms/day=3")
    job = await playing.send(*ENDS)
    wanted = {number: ENDS[number] for number in NUMBERS}

    def seen():
        return {message.number: (message.state, message.reason) for message in site.messages(job)}

    await site.until(lambda: {number: seen()[number] for number in NUMBERS} == wanted)
    assert site.carrier.record.taken == []
    assert site.stored(UsageRow) == []
    assert (await playing.ask(f"/api/v2/jobs/{job}"))["sandbox"] is True
    assert (await playing.ask("/api/v2/jobs"))["jobs"][0]["sandbox"] is True
    status = await site.command("status", job)
    assert "sandbox: sent with a sandbox key" in status
    assert "sandbox key" in status
    first_version = await playing.ask(f"/rest/v1/jobs/{job}", authorization=basic("shop", "secret08"))
    assert first_version["sandbox"] is True


@pytest.mark.slow
async def test_what_a_sandbox_key_sends_is_pushed_in_time_and_the_push_says_so(playing):
    application = await Application().start()
    playing.site.tables["push"] = {"allow": [{"customer": "demo", "networks": ["127.0.0.0/8"]}]}
    await playing.open()
    try:
        await playing.site.command("customer", "push", "demo", f"http://127.0.0.1:{application.port}/sms")
        await playing.site.command("customer", "set", "demo", "status_channel=push")
        await playing.send("447700900995")
        (push,) = await application.has(1)
    finally:
        await application.stop()
    assert push.report["sandbox"] is True
    assert [each["reasonCode"] for each in push.report["recipients"]] == ["number-refused"]


@pytest.mark.slow
async def test_receipts_of_the_sandbox_come_after_a_kill_too(playing):
    site = playing.site
    await playing.open()
    job = await playing.send("447700900123", "447700900990")
    await site.until(lambda: set(site.state(job).values()) == {"submitted"})
    await site.kill()
    assert set(site.state(job).values()) == {"submitted"}
    await site.start()
    await site.until(lambda: set(site.state(job).values()) == {"delivered", "undelivered"})
