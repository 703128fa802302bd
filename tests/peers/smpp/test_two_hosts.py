"""Accounts with two links at two hosts each, at node's smpp and at Kannel's message centre: one host of each dies.

Both links are used before; after the death everything goes by the host that is left, and of what the dead one had only
that is unknown which it had not answered.
"""

import re
import socket
from collections import Counter
from contextlib import AsyncExitStack, suppress

from tests.kit.installation import Installation
from tests.peers.smpp.node import Facts, centres
from tests.peers.smpp.test_kannel_as_carrier import BEARERBOX_PORT, centre, submits

BATCH = 40
WINDOW = 5


def numbers(first: int) -> tuple[str, ...]:
    """Return numbers that end in 0 to 4: those that end in 5 are reported undelivered by node's centre."""
    return tuple(f"4477009{first + place // 5 * 10 + place % 5:05}" for place in range(BATCH))


def bound_hosts(site: Installation, carrier: str) -> set[str]:
    lines = [line for line in site.log if "event=smpp_bound" in line and f"carrier={carrier} " in line]
    return {found[1] for line in lines if (found := re.search(r"host=(\S+)", line))}


async def send(site: Installation, first: int) -> str:
    return await site.send("Pump 7 has stopped", to=tuple(f"+{number}" for number in numbers(first)))


def taken_by(facts: Facts) -> Counter[str]:
    return Counter(fact["destination"][2].lstrip("+") for fact in facts.those("submitted"))


async def test_of_two_hosts_at_nodes_smpp_one_dies_and_nothing_is_lost_or_doubled(tmp_path, gateway_database):
    async with (
        centres({"name": "one", "delay": "20"}) as (one, first),
        centres({"name": "two", "delay": "20", "first": "9000"}) as (two, second),
    ):
        hosts = [f"127.0.0.1:{first['one']}", f"127.0.0.1:{second['two']}"]
        site = Installation(tmp_path / "site", gateway_database)
        await site.open(hosts=hosts, links=2, window=WINDOW)
        try:
            await site.start()
            await site.until(lambda: bound_hosts(site, "alpha") == set(hosts))
            before = await send(site, 100)
            await site.until(lambda: set(site.state(before).values()) == {"delivered"})
            shares = [len(taken_by(facts)) for facts in (one, two)]
            assert sum(shares) == BATCH
            assert min(shares) >= BATCH // 4
            under = await send(site, 1000)
            await one.until(lambda: len(one.those("submitted")) > shares[0] + 2)
            one.kill()
            after = await send(site, 2000)
            await site.until(lambda: set(site.state(after).values()) == {"delivered"})
            await site.until(lambda: set(site.state(under).values()) <= {"delivered", "unknown"})
            taken = taken_by(one) + taken_by(two)
            assert max(taken.values()) == 1
            states = site.state(under)
            lost = {number for number, state in states.items() if state == "unknown"}
            assert len(lost) <= WINDOW
            assert {number for number, state in states.items() if state == "delivered"} <= set(taken)
            await two.until(
                lambda: set(numbers(2000)) <= set(taken_by(two))
            )  # what node printed is read a moment later
        finally:
            await site.close()


async def test_of_two_hosts_at_kannels_centre_one_dies_and_nothing_is_lost_or_doubled(tmp_path, gateway_database):
    async with AsyncExitStack() as stack, AsyncExitStack() as doomed:
        with suppress(OSError):  # another listener there does as well
            stack.enter_context(socket.create_server(("127.0.0.1", BEARERBOX_PORT), backlog=100, reuse_port=True))
        hosts, logs = [], []
        for name, owner in (("one", doomed), ("two", stack)):
            (tmp_path / name).mkdir()
            port, log = await owner.enter_async_context(centre(tmp_path / name))
            hosts.append(f"127.0.0.1:{port}")
            logs.append(log)
        site = Installation(tmp_path / "site", gateway_database)
        stack.push_async_callback(site.close)
        await site.open(hosts=hosts, links=2, window=WINDOW, bind="transmitter", receipts=False)
        await site.start()
        await site.until(lambda: bound_hosts(site, "alpha") == set(hosts))
        before = await send(site, 100)
        await site.until(lambda: set(site.state(before).values()) == {"submitted"})
        shares = [len(submits(log)) for log in logs]
        assert sum(shares) == BATCH
        assert min(shares) >= BATCH // 4
        await doomed.aclose()
        await site.until(lambda: any("event=smpp_ended" in line and hosts[0] in line for line in site.log))
        after = await send(site, 2000)
        await site.until(lambda: set(site.state(after).values()) == {"submitted"})
        assert [len(submits(log)) for log in logs] == [shares[0], shares[1] + BATCH]
