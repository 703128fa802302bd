"""The links of our carriers as the database says where they are, for commands that run beside the gateway.

Not here: keeping links up (smpp.client), what is given to them (dispatch).
"""

from gateway.ports import Clock, LinkState
from gateway.worker import Worker
from store.carrier_links import LINKS, begin_links, save_links
from store.engine.database import Database
from store.engine.keys import to_stored

_LOOK_EVERY = 60.0


class Links:
    """Writes what links tell; `owner` is this process."""

    def __init__(self, *, database: Database, clock: Clock, owner: str) -> None:
        self._database = database
        self._clock = clock
        self._owner = owner
        self._states: dict[tuple[str, str], LinkState] = {}
        self._since: dict[tuple[str, str], int] = {}
        self._unwritten: set[tuple[str, str]] = set()
        self._worker = Worker("links", self._write, look_every=_LOOK_EVERY)

    def start(self) -> None:
        """Begin to write."""
        self._worker.start()

    async def stop(self) -> None:
        """Write the last news and end."""
        await self._worker.stop()
        await self._write()

    async def begin(self, carrier: str) -> None:
        """Forget what an earlier process wrote of a carrier's links."""
        await self._database.write(begin_links, carrier)

    def changed(self, state: LinkState) -> None:
        """Take where a link is now; since when counts from its last going up or down, or to another host."""
        key = (state.carrier, state.link)
        before = self._states.get(key)
        if before == state:
            return
        if before is None or before.is_up != state.is_up or (state.is_up and before.host != state.host):
            self._since[key] = to_stored(self._clock.now())
        self._states[key] = state
        self._unwritten.add(key)
        self._worker.kick()

    async def _write(self) -> bool:
        keys, self._unwritten = self._unwritten, set()
        if not keys:
            return False
        rows = []
        for key in sorted(keys):
            state = self._states[key]
            rows.append(
                LINKS.row(
                    carrier=state.carrier,
                    link=state.link,
                    owner=self._owner,
                    host=state.host,
                    is_up=state.is_up,
                    trouble=state.trouble,
                    since_at=self._since[key],
                )
            )
        try:
            await self._database.write(save_links, rows)
        except Exception:
            self._unwritten |= keys
            raise
        return False
