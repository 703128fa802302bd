"""Months are closed early on the first day of the next one, by whichever node is first, once all of it is summed.

A month ends in its customer's time zone. Its summary is mailed as a letter where the customer wants it, in the
transaction that closes it. Not here: what a summary says (archive), how a letter looks (mta.sending.letter).
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import Final

import structlog

from gateway.directory import DirectoryFollower
from gateway.letters import letter_row
from gateway.ports import Clock
from gateway.worker import Worker
from reports.archive import COLUMNS, MONTHS_KEPT, Month, MonthSummary, summarise_month
from reports.counting import Direction
from reports.summing import zone_of
from reports.tables import TableForm, write_table
from sms.lifecycle import MessageState
from store.archive import ArchiveStore, ClosedMonth, Closing, find_open_months, is_summed
from store.engine.database import Database
from store.engine.keys import Keys, to_stored
from store.outbox import NewRow

log = structlog.get_logger()

_LOOK_EVERY: Final = 300.0
_SETTLED_AFTER: Final = timedelta(minutes=5)
"""What another node had not committed when the month ended is there after so long."""


class Monthly:
    """The worker; `written` is called when there are mails to send."""

    def __init__(
        self, *, database: Database, keys: Keys, book: DirectoryFollower, clock: Clock, written: Callable[[], None]
    ) -> None:
        self._database = database
        self._store = ArchiveStore(keys)
        self._book = book
        self._clock = clock
        self._written = written
        self.worker = Worker("months", self.step, look_every=_LOOK_EVERY)

    async def step(self) -> bool:
        """Close the months of customers that have ended, and those that ended while nobody looked."""
        now = self._clock.now()
        this = Month.of(now.astimezone(UTC).date())
        months = {str(month): month for month in (this.moved(-ago) for ago in range(MONTHS_KEPT + 1))}
        days = {name: month.days for name, month in months.items()}
        for key, name in await self._database.read_long(partial(find_open_months, months=days)):
            await self._close(key, months[name], now)
        return False

    async def _close(self, customer_key: int, month: Month, now: datetime) -> None:
        zone = zone_of(self._book, customer_key)
        ended_at = datetime.combine(month.moved(1).first, time(), zone)
        if now < ended_at + _SETTLED_AFTER:
            return
        if not await self._database.read_long(partial(is_summed, customer_key=customer_key, until=to_stored(ended_at))):
            return
        closing = Closing(
            month=ClosedMonth(customer_key=customer_key, month=str(month), zone=zone.key, closed_at=to_stored(now)),
            rows=await self._letters(customer_key, month, now),
        )
        if await self._database.write(self._store.close, closing):
            log.info("month_closed", customer=customer_key, month=str(month), zone=zone.key, mails=len(closing.rows))
            self._written()

    async def _letters(self, customer_key: int, month: Month, now: datetime) -> tuple[NewRow, ...]:
        addresses = self._book.current.layers.resolve(customer_key, "").settings.summary_addresses
        customer = self._book.current.directory.customer(customer_key)
        if not addresses or customer is None or not customer.active:
            return ()
        found = await self._database.read_long(
            partial(summarise_month, customer_key=customer_key, customer=customer.name, month=month)
        )
        table, workbook = await asyncio.to_thread(lambda: [_file(found, form) for form in TableForm])
        return tuple(
            letter_row(
                address,
                "month",
                _fields(found),
                now=to_stored(now),
                customer_key=customer_key,
                attached=f"{customer.name}-{month}",
                table=table,
                workbook=workbook,
            )
            for address in dict.fromkeys(addresses)
        )


def _file(found: MonthSummary, form: TableForm) -> bytes:
    return b"".join(write_table(form, COLUMNS, found.rows()))


def _fields(found: MonthSummary) -> dict[str, str]:
    sent, received = found.total(Direction.SENT), found.total(Direction.RECEIVED)
    states = {line.name: line.figures.messages for line in found.by("state") if line.direction is Direction.SENT}
    delivered, submitted, unknown = (
        states.get(state, 0) for state in (MessageState.DELIVERED, MessageState.SUBMITTED, MessageState.UNKNOWN)
    )
    counts = {
        "sent": sent.messages,
        "parts": sent.parts,
        "billed": sent.billed,
        "delivered": delivered,
        "submitted": submitted,
        "unknown": unknown,
        "failed": sent.messages - delivered - submitted - unknown,
        "received": received.messages,
        "received_parts": received.parts,
    }
    named = {"customer": found.customer, "month": str(found.month), "zone": ", ".join(found.zones)}
    return {**named, **{name: str(count) for name, count in counts.items()}}
