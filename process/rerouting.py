"""What gives waiting messages other routes, put together for the command and for the portal. Not here: what it does."""

from gateway.admin.edit import Administration
from gateway.admin.rerouting import Rerouting
from process.accept_path import AcceptPath


def rerouting_of(core: AcceptPath, who: str) -> Rerouting:
    """Return what does so in the name of `who`."""
    return Rerouting(
        database=core.database,
        keys=core.keys,
        administration=Administration(core.database, core.keys, who, core.clock.now),
        routes=core.routes,
        numbers=lambda: core.book.current.numbers,
        now=core.clock.now,
    )
