"""Limits of callers by HTTP: RateLimit headers, turns of a login, and logins that do not slow others."""

import asyncio
from dataclasses import replace

import pytest

from gateway.caller_limits import LoginTurns
from gateway.limits import Rate
from sms.outcome import Refusal, Refused
from tests.kit.rest_site import RestSite, basic, rest_site
from tests.kit.testbed import make_house, open_core

JOB = {"messages": [{"text": "Hello", "recipients": [{"to": "+447700900101"}]}]}


async def a_key(site, name, *options):
    file = site.core.folder / f"{name}.key"
    await site.administer(f"login add-key erp {name} --key-file {file} {' '.join(options)}")
    return f"Bearer {file.read_text('utf-8').strip()}"


@pytest.fixture
async def site(tmp_path, gateway_database):
    core = open_core(make_house(tmp_path / "house", gateway_database))
    async with rest_site(core) as site:
        yield site
    core.database.close()


@pytest.fixture
async def bounded(tmp_path, gateway_database):
    """A site that answers two requests of a login at once, and takes three jobs a minute from a customer."""
    core = open_core(make_house(tmp_path / "house", gateway_database))
    limits = replace(core.config.limits, http_requests_at_once=2, mails_per_minute=3)
    core.config = replace(core.config, limits=limits)
    async with rest_site(core) as site:
        yield site
    core.database.close()


def items(header):
    """Return the items of a list of strings with integer or string parameters (RFC 9651), by name."""
    found = {}
    for item in header.split(", "):
        name, *parameters = item.split(";")
        found[name.strip('"')] = dict(part.split("=") for part in parameters)
    return found


async def test_every_answer_tells_the_limits_in_force_and_what_is_left_of_them(site):
    await site.administer(
        "customer limit acme --usage sms/day=500 --usage parts/minute=30", "people limit --usage sms/month=9000"
    )
    before = await site.ask("GET", "/api/v2/jobs")
    policy = items(before.headers["ratelimit-policy"])
    assert policy["at-once"] == {"q": "20", "qu": '"concurrent-requests"'}
    assert policy["customer-sms/day"] == {"q": "500", "qu": '"sms"', "w": "86400"}
    assert policy["customer-parts/minute"] == {"q": "30", "qu": '"parts"', "w": "60"}
    assert policy["system-sms/month"]["q"] == "9000"
    assert policy.keys() == items(before.headers["ratelimit"]).keys()
    kept = items((await site.ask("POST", "/api/v2/jobs", JOB)).headers["ratelimit"])
    assert (kept["customer-sms/day"]["r"], kept["customer-parts/minute"]["r"]) == ("499", "29")
    assert 0 < int(kept["customer-sms/day"]["t"]) <= 25 * 3600
    assert kept["at-once"] == {"r": "19"}


async def test_a_refusal_by_a_limit_says_when_to_come_again_and_not_before_more_is_left(site):
    await site.administer("customer limit acme --usage sms/day=1")
    await site.ask("POST", "/api/v2/jobs", JOB)
    refused = await site.ask("POST", "/api/v2/jobs", JOB)
    assert (refused.status, refused.json["type"]) == (429, "/api/v2/problems/limit-reached")
    left = items(refused.headers["ratelimit"])["customer-sms/day"]
    assert left["r"] == "0"
    assert int(refused.headers["retry-after"]) >= int(left["t"]) > 0
    job = {"messages": [{"text": "x", "recipients": [{"dst": "+447700900101"}]}]}
    first_version = await site.ask("POST", "/rest/v1/jobs", job)
    assert first_version.status == 429
    assert 0 < int(first_version.headers["retry-after"]) <= 25 * 3600


async def test_the_rate_of_a_customer_is_told_and_counts_for_every_login(bounded):
    key = await a_key(bounded, "other")
    seen = [
        items((await bounded.ask("POST", "/api/v2/jobs", JOB, authorization=who)).headers["ratelimit"])["jobs"]["r"]
        for who in (None, key, None)
    ]
    assert seen == ["2", "1", "0"]
    refused = await bounded.ask("POST", "/api/v2/jobs", JOB, authorization=key)
    assert (refused.status, refused.json["type"]) == (429, "/api/v2/problems/rate-limited")
    left = items(refused.headers["ratelimit"])["jobs"]
    assert int(refused.headers["retry-after"]) >= int(left["t"]) > 0
    assert int(refused.headers["retry-after"]) <= 20


async def test_a_sandbox_key_takes_nothing_from_the_rate_of_its_customer(bounded):
    key = await a_key(bounded, "play", "--sandbox")
    played = [await bounded.ask("POST", "/api/v2/jobs", JOB, authorization=key) for _ in range(4)]
    assert {(answer.status, *items(answer.headers["ratelimit"])) for answer in played} == {(201, "at-once")}
    assert (await bounded.ask("POST", "/api/v2/jobs", JOB)).status == 201


async def _stall(site: RestSite, authorization):
    """Send the head of a request, whose body never comes."""
    _, writer = await asyncio.open_connection("127.0.0.1", site.port)
    head = f"POST /api/v2/jobs HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\nAuthorization: {authorization}\r\n"
    writer.write(f"{head}Content-Length: 100\r\n\r\n".encode())
    await writer.drain()
    return writer


async def test_a_login_that_floods_waits_for_itself_and_others_are_answered(bounded):
    key = await a_key(bounded, "flood")
    stalled = [await _stall(bounded, key) for _ in range(2)]
    tasks = set[asyncio.Task]()
    refused = None
    while refused is None:
        tasks.add(asyncio.create_task(bounded.ask("GET", "/api/v2/jobs", authorization=key)))
        done, _ = await asyncio.wait(tasks, timeout=0.05)
        refused = next((task.result() for task in done if task.result().status == 429), None)
    assert refused.headers["retry-after"] == "1"
    assert items(refused.headers["ratelimit"])["at-once"]["r"] == "0"
    assert (await bounded.ask("GET", "/api/v2/jobs", authorization=basic())).status == 200
    for writer in stalled:
        writer.close()
    answers = await asyncio.gather(*tasks)
    assert {answer.status for answer in answers} == {200, 429}


async def test_requests_of_a_login_per_minute_are_bounded():
    turns = LoginTurns(at_once=0, rate=Rate(2))
    assert [await turns.take("erp"), await turns.take("erp")] == [None, None]
    refused = await turns.take("erp")
    assert isinstance(refused, Refused)
    assert (refused.refusal, refused.wait is not None) == (Refusal.RATE_LIMITED, True)
    assert await turns.take("shop") is None
    assert [state.left for state in turns.states("erp")] == [0]


async def test_a_turn_that_nobody_waits_for_any_more_goes_to_the_next():
    turns = LoginTurns(at_once=1, rate=Rate(0))
    await turns.take("erp")
    gone, next_one = (asyncio.create_task(turns.take("erp")) for _ in range(2))
    await asyncio.wait([gone], timeout=0)
    gone.cancel()
    turns.leave("erp")
    assert await next_one is None
    turns.leave("erp")
    assert [state.left for state in turns.states("erp")] == [1]
