"""A clock that is put back, noticed: what was queued before does not wait until the old time comes again.

At the start the newest job tells what time it has been already. Not here: what is done about it (store.clock_back).
"""

from datetime import timedelta

import structlog

from gateway.ports import Clock
from gateway.worker import Worker
from store.clock_back import ClockPutBack, bring_forward, last_known
from store.engine.database import Database
from store.engine.keys import to_stored

log = structlog.get_logger()

_LOOK_EVERY = 1.0
# Clocks of nodes differ a little, and small corrections do no harm.
_TOLERATED = int(timedelta(minutes=1).total_seconds()) * 1_000_000


class ClockWatch:
    """Looks at the clock once a second."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._latest: int | None = None
        self.worker = Worker("clock", self.step, look_every=_LOOK_EVERY)

    async def step(self) -> bool:
        """Look once."""
        if self._latest is None:
            self._latest = await self._database.read(last_known)
        now = to_stored(self._clock.now())
        if now < self._latest - _TOLERATED:
            rows = await self._database.write(bring_forward, ClockPutBack(was=self._latest, now=now))
            log.warning("clock_put_back", seconds=(self._latest - now) // 1_000_000, made_due=rows)
        self._latest = now
        return False
