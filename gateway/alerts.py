"""What the administrator must know: logged at once, and a row of the outbox where the operator's file names an address.

Each topic is told once and then quiet for a while. Not here: who raises alerts, how the mail looks
(mta.sending.compose) and when it is sent (gateway.outbox).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from gateway.ports import Clock
from store.engine.database import Database
from store.engine.keys import to_stored
from store.outbox import NewRow, Outbox

log = structlog.get_logger()

ALERT: Final = "alert"
_QUIET = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert as it is raised: its topic, which is quiet for a while afterwards, and what the mail says.

    `address` is who is told; empty: the operator. `over` tells that an earlier one counts no longer, and `stage` how
    far what lasts has come (gateway.health_watch).
    """

    topic: str
    subject: str
    text: str
    quiet: timedelta = _QUIET
    address: str = ""
    over: bool = False
    stage: int = 0


class Alerts:
    """Takes alerts from the event loop's thread and writes them; without an address they are only logged.

    `written` is called when there is one to send.
    """

    def __init__(
        self, *, database: Database, outbox: Outbox, address: str, clock: Clock, written: Callable[[], None]
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._address = address
        self._clock = clock
        self._written = written
        self._writing: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        """Return when what is being written is."""
        if self._writing:
            await asyncio.gather(*self._writing, return_exceptions=True)

    def raise_alert(self, alert: Alert) -> None:
        """Log an alert and queue its mail, unless its topic is quiet."""
        log_alert(alert)
        row = self.row_of(alert)
        if row is None:
            return
        task = asyncio.get_running_loop().create_task(self._write(alert, row))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    def row_of(self, alert: Alert) -> NewRow | None:
        """Return an alert as a row for the transaction in which it arises, None where nobody is told."""
        address = alert.address or self._address
        if not address:
            return None
        return NewRow(
            kind=ALERT,
            prefix="A",
            recipient=address,
            now=to_stored(self._clock.now()),
            about={"subject": alert.subject, "text": alert.text, "over": alert.over, "stage": alert.stage},
            topic=alert.topic,
            quiet=int(alert.quiet.total_seconds()) * 1_000_000,
        )

    async def _write(self, alert: Alert, row: NewRow) -> None:
        try:
            identity = await self._database.write(self._outbox.add, row)
        except Exception as error:  # noqa: BLE001 - an alert that can't be kept was logged, and must break nothing
            log.error("alert_not_kept", topic=alert.topic, cause=str(error)[:300])
            return
        if identity is not None:
            self._written()


def log_alert(alert: Alert) -> None:
    """Write an alert to the log, where there is somebody to tell or not."""
    say = log.info if alert.over else log.error
    say("alert", topic=alert.topic, subject=alert.subject)
