"""Life among several nodes with one database: this process's lease, and which of them holds the link to each carrier.

A lease is renewed three times within its life; whoever loses it must stop, since another node may have declared this
one dead and settled what it was sending. Carriers whose link another node holds are asked for at every renewal, so that
a node takes over within a lease's life. Not here: the rows (store.leases). With SQLite there is one process and none of
this runs.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from gateway.handed import HandedMessages
from gateway.worker import Worker
from sms.retry import Ladder
from store.engine.database import Database, StorageError
from store.leases import CarrierLeaseRequest, Leases, NodeLeaseRequest

log = structlog.get_logger()

_RENEW_EVERY = 5.0
_LONGEST_WAIT = 20.0


class NodeTakenError(StorageError):
    """Another living process has this node's number."""


class NodeLeaseKeeper:
    """One process's life. `hold` starts the link to a carrier that is ours; `recover` settles what dead nodes left."""

    def __init__(  # noqa: PLR0913 - the use case names everything it needs, once
        self,
        *,
        database: Database,
        owner: str,
        node: int,
        carriers: Sequence[str],
        handed: HandedMessages,
        hold: Callable[[str], Awaitable[None]],
        recover: Callable[[], Awaitable[object]],
        lost: Callable[[], None],
    ) -> None:
        self._database = database
        self._leases = Leases()
        self._owner = owner
        self._node = node
        self._carriers = tuple(carriers)
        self._handed = handed
        self._hold = hold
        self._recover = recover
        self._lost = lost
        self._held: set[str] = set()
        self._worker = Worker("lease", self._step, look_every=_RENEW_EVERY, pauses=Ladder.of_seconds(1))

    async def acquire(self) -> None:
        """Begin to live, at once where the process before is known to have ended.

        Raises NodeTakenError where another process keeps the node's number.
        """
        deadline = asyncio.get_running_loop().time() + _LONGEST_WAIT
        earlier = self._handed.earlier
        request = NodeLeaseRequest(owner=self._owner, node=self._node, ended=earlier.owner if earlier else "")
        while not await self._database.write(self._leases.acquire, request):
            if asyncio.get_running_loop().time() > deadline:
                raise NodeTakenError(f"another process lives as node {self._node}: give each a number of its own")
            await asyncio.sleep(1)

    async def begin(self) -> None:
        """Ask for every carrier's link, and renew from now on."""
        await self._ask_for_carriers()
        self._worker.start()

    async def stop(self) -> None:
        """Renew no more and give everything back, so that another node can take over at once."""
        await self._worker.stop()
        await self._database.write(self._leases.release, self._owner)

    async def _step(self) -> bool:
        held = await self._database.write(self._leases.renew, self._owner)
        if not held.alive or not self._held <= held.carriers:
            log.error("lease_lost", node=self._node, carriers=sorted(self._held - held.carriers))
            self._lost()
            return False
        await self._ask_for_carriers()
        await self._recover()
        return False

    async def _ask_for_carriers(self) -> None:
        for carrier in self._carriers:
            request = CarrierLeaseRequest(owner=self._owner, carrier=carrier)
            if carrier not in self._held and await self._database.write(self._leases.acquire_carrier, request):
                self._held.add(carrier)
                log.info("carrier_held", carrier=carrier)
                await self._hold(carrier)
