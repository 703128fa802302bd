"""One account with several links and hosts: spread over them, moved when a host is away, moved back when it is there."""

from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from smpp.client.account import CarrierAccount, CarrierHost
from smpp.dialect.binds import BindMode
from smpp.session.limits import SessionLimits
from smpp.simulator.script import Script, Treatment
from smpp.wire.bodies import SubmitSmResp
from sms.outcome import Done
from tests.kit.mute_server import mute_server
from tests.kit.ports import free_port
from tests.kit.smpp import (
    FAST,
    Listener,
    account_of,
    carrier,
    client_of,
    logbook,
    parts_of,
    single_parts,
    submit_all,
)


def at(simulator):
    return CarrierHost("127.0.0.1", simulator.port)


@asynccontextmanager
async def account_at_two_hosts(*scripts, **changes):
    """Run two hosts of one account, and a client with two links, once both are up."""
    async with AsyncExitStack() as stack:
        hosts = [
            await stack.enter_async_context(carrier(script, port=free_port())) for script in scripts or (None, None)
        ]
        listener = Listener()
        account = account_of(hosts[0], **{"links": 2, "hosts": tuple(map(at, hosts)), **changes})
        client = await stack.enter_async_context(client_of(account, listener))
        await listener.until(lambda: up(listener) == {"1": str(at(hosts[0])), "2": str(at(hosts[1]))})
        yield hosts, client, listener


def up(listener):
    """Return where each link that is up is."""
    return {link: state.host for link, state in listener.links.items() if state.is_up}


def texts_of(simulator):
    return Counter(taken.submitted.text for taken in simulator.record.taken)


def test_each_link_prefers_another_host_and_then_those_behind_it():
    hosts = tuple(CarrierHost(name, 2775) for name in "abc")
    account = CarrierAccount(name="alpha", hosts=hosts, links=4, system_id="s", password="p")
    orders = ["".join(host.host for host in slot.hosts) for slot in account.slots]
    assert orders == ["abc", "bca", "cab", "abc"]
    pair = CarrierAccount(name="alpha", hosts=hosts, links=2, system_id="s", password="p", bind=BindMode.PAIR)
    assert [(slot.name, slot.hosts[0].host) for slot in pair.slots] == [
        ("transmitter 1", "a"),
        ("receiver 1", "a"),
        ("transmitter 2", "b"),
        ("receiver 2", "b"),
    ]


async def test_parts_go_by_all_links_and_receipts_come_by_any():
    async with account_at_two_hosts() as (hosts, client, listener):
        assert client.free_window() == 2 * FAST.window
        await submit_all(client, listener, single_parts(100))
        await listener.until(lambda: len(listener.receipts) == 100)
        taken = [len(host.record.taken) for host in hosts]
        assert sum(taken) == 100
        assert min(taken) >= 20


async def test_the_parts_of_a_text_go_by_one_link():
    async with account_at_two_hosts() as (hosts, client, listener):
        texts = [parts_of(f"{digit} " * 300, first_key=10 * digit) for digit in range(1, 5)]
        client.submit([part for text in texts for part in text])
        await listener.until(lambda: len(listener.answers) == sum(map(len, texts)))
        assert all(shown.missing == () for host in hosts for shown in host.record.shown())
        assert [len(host.record.shown()) for host in hosts] == [2, 2]


async def test_throughput_is_of_the_account():
    async with account_at_two_hosts(throughput=0.1) as (_hosts, client, listener):
        assert client.free_window() == 1
        client.submit(single_parts(1))
        await listener.until(lambda: len(listener.answers) == 1)
        assert client.free_window() == 0


async def test_a_throttle_pauses_all_links_and_halves_the_window_of_the_one():
    throttling = Script(throttle_until=1)
    async with account_at_two_hosts(throttling, Script()) as (_hosts, client, listener):
        client.submit(single_parts(2))
        await listener.until(lambda: len(listener.answers) == 2)
        assert client.free_window() == 0
        await listener.until(lambda: client.free_window() > 0)
        assert client.free_window() == FAST.window + FAST.window // 2


async def test_a_link_that_is_bound_and_never_answers_costs_one_window_and_the_other_goes_on():
    dead = Script(treat=lambda _: Treatment(answered=False))
    limits = SessionLimits(window=4, response_seconds=3)
    async with account_at_two_hosts(dead, Script(), limits=limits) as (hosts, client, listener):
        await submit_all(client, listener, single_parts(60))
        done = sum(isinstance(outcome, Done) for outcome in listener.answers.values())
        assert len(hosts[0].record.taken) == 60 - done
        assert len(hosts[1].record.taken) == done >= 40


async def test_a_link_whose_host_goes_is_at_the_other_host_and_comes_back_when_its_own_is_there_again():
    async with account_at_two_hosts() as (hosts, client, listener):
        port = hosts[0].port
        await hosts[0].stop()
        both = {"1": str(at(hosts[1])), "2": str(at(hosts[1]))}
        await listener.until(lambda: up(listener) == both)
        await listener.until(lambda: "connection refused" in listener.links["1"].trouble)
        await submit_all(client, listener, single_parts(20))
        assert len(hosts[1].record.taken) == 20
        async with carrier(port=port) as again:
            await listener.until(lambda: up(listener)["1"] == f"127.0.0.1:{port}")
            await hosts[1].until(lambda: hosts[1].bound == 1)
            await again.until(lambda: again.bound == 1)
            await listener.until(lambda: listener.links["1"].trouble == "")
            await submit_all(client, listener, single_parts(20, first_key=100))
            assert again.record.taken
        assert all(isinstance(outcome, Done) for outcome in listener.answers.values())


async def test_the_link_that_gives_its_place_to_another_gets_the_answers_that_it_waits_for():
    async with carrier(Script(treat=lambda _: Treatment(answered=False))) as backup:
        listener, port = Listener(), free_port()
        account = account_of(backup, hosts=(CarrierHost("127.0.0.1", port), at(backup)))
        async with client_of(account, listener) as client:
            await listener.until(lambda: client.free_window() > 0)
            client.submit(single_parts(1))
            await backup.until(lambda: len(backup.record.taken) == 1)
            async with carrier(port=port) as preferred:
                await listener.until(lambda: up(listener) == {"1": f"127.0.0.1:{port}"})
                assert (backup.bound, listener.answers) == (1, {})
                (line,) = backup.lines
                line.session.respond(backup.record.taken[0].submitted.pdu, SubmitSmResp("77"))
                line.pump()
                await backup.until(lambda: backup.bound == 0)
                assert listener.answers == {1: Done(reference="77")}
                await submit_all(client, listener, single_parts(1, first_key=2))
                assert len(preferred.record.taken) == 1


async def test_a_host_that_never_answers_does_not_hold_up_the_others():
    async with mute_server() as port, carrier() as well:
        dead = CarrierHost("127.0.0.1", port)
        listener = Listener()
        account = account_of(well, links=2, hosts=(dead, at(well)))
        async with client_of(account, listener) as client:
            await listener.until(lambda: up(listener) == {"2": str(at(well))})
            assert client.free_window() == FAST.window
            await submit_all(client, listener, single_parts(30))
            assert len(well.record.taken) == 30


async def test_where_no_host_answers_each_is_named_with_its_cause():
    listener = Listener()
    ports = [free_port(), free_port()]
    async with carrier() as simulator:
        account = account_of(simulator, hosts=tuple(CarrierHost("127.0.0.1", port) for port in ports))
    async with client_of(account, listener):
        await listener.until(lambda: "; " in getattr(listener.links.get("1"), "trouble", ""))
    state = listener.links["1"]
    assert not state.is_up
    assert all(f"127.0.0.1:{port}: connection refused" in state.trouble for port in ports)


@pytest.mark.parametrize("event", ["smpp_bound", "smpp_ended", "smpp_connect_failed", "smpp_next_bind"])
async def test_the_log_names_the_host_of_a_link_that_dies_or_comes_back(event):
    with logbook() as book:
        async with carrier() as simulator, client_of(account_of(simulator), Listener()):
            await book.until("smpp_bound")
            await simulator.stop()
            line = await book.until(event)
            assert (line["carrier"], line["host"]) == ("alpha", str(at(simulator)))


async def test_the_binds_of_a_pair_come_in_as_many_links_of_each_kind():
    listener = Listener()
    async with (
        carrier() as simulator,
        client_of(account_of(simulator, links=2, bind=BindMode.PAIR), listener) as client,
    ):
        await listener.until(lambda: len(up(listener)) == 4)
        assert set(listener.links) == {"transmitter 1", "transmitter 2", "receiver 1", "receiver 2"}
        assert client.free_window() == 2 * FAST.window
        await submit_all(client, listener, single_parts(30))
        await listener.until(lambda: len(listener.receipts) == 30)
