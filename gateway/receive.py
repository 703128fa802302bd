"""What handsets send us: kept before the carrier is answered. Nothing reads it yet but the log."""

from collections.abc import Sequence

import structlog

from gateway.ports import Clock
from sms.message import InboundFragment
from sms.number import mask_number
from store.batches import in_lists
from store.engine.database import Database
from store.engine.keys import to_stored
from store.inbox import ArrivedFragment, Inbox

log = structlog.get_logger()


class Receive:
    """Takes fragments of inbound SMS."""

    def __init__(self, *, database: Database, inbox: Inbox, clock: Clock) -> None:
        self._database = database
        self._add = in_lists(inbox.add)
        self._clock = clock

    async def arrived(self, fragments: Sequence[InboundFragment]) -> None:
        """Keep fragments; returns after the commit. All are kept, or none."""
        at = to_stored(self._clock.now())
        await self._database.write(self._add, [ArrivedFragment(fragment=fragment, at=at) for fragment in fragments])
        for fragment in fragments:
            log.info(
                "inbound_kept",
                carrier=fragment.carrier,
                source=mask_number(fragment.source),
                index=fragment.index,
                total=fragment.total,
            )
