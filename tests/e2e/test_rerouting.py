"""`mail2sms queue reroute` beside a running gateway: killed between two transactions, asked again, and nothing twice."""

import signal
from collections import Counter

import pytest

from process.clock import SystemClock
from smpp.simulator.simulator import Simulator
from tests.kit.forked_program import ForkedProgram

NUMBERS = [f"+447700900{n:03}" for n in range(600)]
ASKED = ("queue", "reroute", "--from", "alpha", "--to", "beta")


@pytest.fixture
async def backup():
    simulator = Simulator(accounts={"gateway": "secret"}, clock=SystemClock())
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
async def waiting(site, backup):
    """A gateway whose carrier of these numbers is away, while another one that takes them too is not asked."""
    site.more_carriers = [{"name": "beta", "port": backup.port, "prefixes": ["44"]}]
    await site.open(prefixes=["4477"])
    await site.carrier.stop()
    members = site.folder / "members.csv"
    members.write_text("\n".join(["number", *NUMBERS]) + "\n")
    await site.command("list", "add", "night", "--customer", "demo", "--author", "anna@example.com")
    await site.command("list", "import", "night", "--customer", "demo", str(members))
    await site.start()
    return site


async def test_a_command_killed_half_way_has_moved_whole_portions_and_its_repeat_moves_the_rest_and_nothing_twice(
    waiting, backup
):
    for text in ("First", "Second"):
        await waiting.send(text, to=("lista+night",))
    assert waiting.states() == {"queued": 1200}
    looked = await waiting.command(*ASKED, "--dry-run")
    assert looked == "1200 messages of alpha would go to beta.\n"
    killed = ForkedProgram("tests.kit.killed_at", "store.rerouting:move@2", *ASKED, "--config", str(waiting.file))
    assert await killed.wait() == -signal.SIGKILL
    await waiting.until(lambda: len(backup.record.taken) == 1000)
    assert await waiting.command(*ASKED) == "200 messages of alpha went to beta.\n"
    await waiting.until_all_told()
    assert waiting.states() == {"delivered": 1200}
    taken = Counter((one.submitted.number, one.submitted.text) for one in backup.record.taken)
    assert set(taken.values()) == {1}
    assert len(taken) == 1200
    assert await waiting.command(*ASKED) == "No such message waits.\n"
    audit = await waiting.command("people", "audit")
    assert [line.count("to beta, from alpha: ") for line in audit.splitlines()].count(1) == 2


async def test_the_trace_says_where_a_message_was_given_and_a_wrong_carrier_changes_nothing(waiting, backup):
    job = await waiting.send("Pump 7 has stopped", to=(NUMBERS[0],))
    refused = await waiting.command("queue", "reroute", job, "--to", "delta", code=1)
    assert "There is no carrier «delta» in the operator's file; there are: alpha, beta." in refused
    assert await waiting.command("queue", "reroute", job, "--to", "beta") == "1 message of alpha went to beta.\n"
    await waiting.until_all_told()
    assert ": from alpha to beta by " in await waiting.command("status", job)
