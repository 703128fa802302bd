"""What handsets send us: kept before the carrier is answered. Not here: what follows from it (gateway.inbound)."""

from collections.abc import Callable, Sequence

import structlog

from gateway.ports import Clock
from sms.message import InboundFragment
from sms.number import mask_number
from store.batches import in_lists
from store.engine.database import Database
from store.engine.keys import to_stored
from store.inbound import ArrivedFragment, InboundStore

log = structlog.get_logger()


class Receive:
    """Takes fragments of inbound SMS; `kept` is called when some were committed."""

    def __init__(self, *, database: Database, store: InboundStore, clock: Clock, kept: Callable[[], None]) -> None:
        self._database = database
        self._add = in_lists(store.add_fragments)
        self._clock = clock
        self._kept = kept

    async def arrived(self, fragments: Sequence[InboundFragment]) -> None:
        """Keep fragments; returns after the commit. All are kept, or none."""
        at = to_stored(self._clock.now())
        await self._database.write(self._add, [ArrivedFragment(fragment=fragment, at=at) for fragment in fragments])
        self._kept()
        for fragment in fragments:
            log.info(
                "inbound_kept",
                carrier=fragment.carrier,
                source=mask_number(fragment.source),
                index=fragment.index,
                total=fragment.total,
            )
