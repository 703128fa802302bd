"""What handsets send us: kept before the carrier is answered. Nothing reads it yet but the log."""

import structlog

from gateway.ports import Clock
from sms.message import InboundFragment
from sms.number import mask_number
from store.database import Database
from store.inbox import ArrivedFragment, Inbox
from store.keys import to_stored

log = structlog.get_logger()


class Receive:
    """Takes fragments of inbound SMS."""

    def __init__(self, *, database: Database, inbox: Inbox, clock: Clock) -> None:
        self._database = database
        self._inbox = inbox
        self._clock = clock

    async def inbound(self, fragment: InboundFragment) -> None:
        """Keep a fragment; returns after the commit."""
        at = to_stored(self._clock.now())
        await self._database.write(self._inbox.add, ArrivedFragment(fragment=fragment, at=at))
        log.info(
            "inbound_kept",
            carrier=fragment.carrier,
            source=mask_number(fragment.source),
            index=fragment.index,
            total=fragment.total,
        )
