"""Jobs that take long, told to their senders: once per job, when it has been open for the operator's time.

Not here: which jobs those are (store.delays), whether a machine wants to know (mta.sending.dsn).
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import structlog

from gateway.ports import Clock
from gateway.worker import Worker
from store.delays import DelayCursor, DelayStore, TellLate, find_late
from store.engine.database import Database
from store.engine.keys import Keys, to_stored

log = structlog.get_logger()

_LOOK_EVERY = 1.0
# A job stands in the database within this time of its acceptance, even where the disk stalls. Each is examined once, so
# none is examined before: one that is stored after a younger one was seen would never be.
_STORED_WITHIN = timedelta(seconds=10)


class Delays:
    """Writes the notices of delay; `notices_written` is called when there are any.

    An `after` of less than 10 s counts as 10 s.
    """

    def __init__(
        self,
        *,
        database: Database,
        keys: Keys,
        after: timedelta,
        clock: Clock,
        notices_written: Callable[[], None],
    ) -> None:
        self._database = database
        self._store = DelayStore(keys)
        self._after = max(after, _STORED_WITHIN)
        self._clock = clock
        self._notices_written = notices_written
        self._since = DelayCursor()
        self.worker = Worker("delays", self.step, look_every=_LOOK_EVERY)

    async def step(self) -> bool:
        """Tell of the next jobs that take long; returns whether there may be more."""
        now = self._clock.now()
        until = to_stored(now - self._after)
        late = await self._database.read(partial(find_late, since=self._since, until=until))
        if late is None:
            self._since = max(self._since, DelayCursor(accepted_at=until), key=lambda place: place.accepted_at)
            return False
        told = await self._database.write(self._store.tell, TellLate(since=late, until=until, now=to_stored(now)))
        self._since = told.place
        if told.notices:
            log.info("delays_told", notices=told.notices)
            self._notices_written()
        return told.more
