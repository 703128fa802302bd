"""`python -m tests.benchmarks.inbound_load PORT COUNT`: a message centre with inbound SMS for whoever binds.

Prints a line once somebody is bound, then as JSON how long it took until the last one was acknowledged.
"""

import asyncio
import json
import sys
import time
from datetime import UTC, datetime

import structlog

from smpp.simulator.script import Script
from smpp.simulator.simulator import Simulator
from smpp.wire.bodies import DeliverSm
from smpp.wire.statuses import Status

OWN_NUMBER = "447700900999"
_WINDOW = 100
_PHONES = 1_000


class _SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


def _sms(index: int) -> DeliverSm:
    return DeliverSm(
        source_addr_ton=1,
        source_addr_npi=1,
        source_addr=f"4477009{index % _PHONES:05}",
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr=OWN_NUMBER,
        short_message=f"Pump {index} in hall 2 runs again, thank you.".encode("ascii"),
    )


async def _play(port: int, count: int) -> None:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # what is printed is read
    simulator = Simulator(accounts={"gateway": "secret"}, clock=_SystemClock(), script=Script())
    await simulator.start("127.0.0.1", port)
    await simulator.until(lambda: simulator.bound > 0)
    print("bound", flush=True)
    began = time.monotonic()
    places = asyncio.Semaphore(_WINDOW)

    async def deliver(index: int) -> None:
        async with places:
            assert await simulator.deliver_raw(_sms(index)) == Status.ROK

    await asyncio.gather(*(deliver(index) for index in range(count)))
    print(json.dumps({"seconds": time.monotonic() - began}), flush=True)
    await simulator.stop()


if __name__ == "__main__":
    asyncio.run(_play(int(sys.argv[1]), int(sys.argv[2])))
