"""Memory: a job that has ended leaves nothing behind. Counted in objects, in a gateway of the test's own process."""

import asyncio
import gc
import heapq
import smtplib
import sys
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from statistics import median
from typing import Any
from weakref import ReferenceType

import pytest

from cli.context import database_of, read_config
from cli.setup import CONFIG_NAME
from process.gateway import running_gateway
from sms.message import Receipt
from tests.benchmarks.gateway import RECIPIENT, SENDER, set_up
from tests.benchmarks.load import plain_mail
from tests.kit.forked_program import ForkedProgram
from tests.kit.patience import PATIENCE
from tests.kit.readers import DatabaseReaders

_JOBS = 200
_LEAST_ROUNDS, _MOST_ROUNDS = 3, 8


@asynccontextmanager
async def peer(*words: str):
    """Run a program that prints its port, outside of the process that is measured."""
    program = ForkedProgram(*words, outputs=(1,))
    lines = program.lines()
    try:
        yield int(await anext(lines))
    finally:
        program.send_signal(9)
        async for _ in lines:
            pass
        await program.wait()


def _forget_cancelled_timers() -> None:
    """Take from the loop what it keeps until its time though it was cancelled: how much that is depends on the load."""
    loop: Any = asyncio.get_running_loop()
    timers = loop._scheduled
    for timer in timers:
        timer._scheduled = not timer.cancelled()
    timers[:] = [timer for timer in timers if not timer.cancelled()]
    heapq.heapify(timers)
    loop._timer_cancelled_count = 0


class Held(DatabaseReaders):
    """What the process holds, while jobs go the whole way from a mail to its status mail."""

    def __init__(self, database, port: int) -> None:
        self.database = database
        self._port = port
        self._sent = 0

    async def grow(self) -> tuple[int, dict[str, int]]:
        """Carry some jobs to their end; return how much more is allocated then, and of which types there are more."""
        before, allocated = self._count()
        await asyncio.to_thread(self._send)
        async with asyncio.timeout(PATIENCE):
            while await asyncio.to_thread(self.unfinished):
                await asyncio.sleep(0.02)
            while self._count()[0][Receipt]:  # one that came before its answer is looked at again seconds later
                await asyncio.sleep(0.1)
        after, now = self._count()
        # sqlite3 keeps weak references to cursors that are gone, and drops them after every two hundredth.
        weak = after[ReferenceType] - before[ReferenceType]
        return now - allocated - weak, {kind.__name__: count for kind, count in (after - before).most_common(5)}

    def _send(self) -> None:
        with smtplib.SMTP("127.0.0.1", self._port, timeout=PATIENCE) as client:
            for _ in range(_JOBS):
                self._sent += 1
                client.sendmail(SENDER, [RECIPIENT], plain_mail(f"<{self._sent}@example.com>", f"Pump {self._sent}"))

    def _count(self) -> tuple[Counter[type], int]:
        _forget_cancelled_timers()
        gc.collect()
        return Counter(type(one) for one in gc.get_objects()), sys.getallocatedblocks()


@pytest.mark.slow
async def test_a_job_that_has_ended_leaves_no_object_in_memory(tmp_path, gateway_database):
    """A leak of one object per job grows with every round; what is made once, in any of them, does not."""
    async with AsyncExitStack() as stack:
        carrier = await stack.enter_async_context(peer("smpp.simulator", "--port", "0", "--system-id", "gateway"))
        mailbox = await stack.enter_async_context(peer("tests.benchmarks.stock_server"))
        told = {"status_report": "always", "delivery_receipt": "on"}
        port = set_up(tmp_path, carrier_port=carrier, mail_port=mailbox, settings=told, database=gateway_database)
        config = read_config(tmp_path / CONFIG_NAME)
        database = database_of(config.server)
        database.open(serving=True)
        stack.callback(database.close)
        await stack.enter_async_context(running_gateway(config, database))
        held = Held(database, port)
        await held.grow()  # what is made once, at the first of everything
        grown = [await held.grow() for _ in range(_LEAST_ROUNDS)]
        while median(count for count, _ in grown) > _JOBS / 2:
            assert len(grown) < _MOST_ROUNDS, f"allocations that stay after {_JOBS} jobs, and of what types: {grown}"
            grown.append(await held.grow())
        assert held.states() == {"delivered": len(held.jobs())}
