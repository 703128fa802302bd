"""Lists of inbound SMS, mailed as CSV once a day, only if something came.

A cell that a spreadsheet would take for a formula begins with an apostrophe. Not here: which SMS stand in a list
(inbound.planning), the mail around it (mta.sending).
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import msgspec
import structlog

from addressbook.exchange import SPREADSHEET, write_csv
from addressbook.options import Option
from gateway.directory import DirectoryFollower
from gateway.ports import Clock
from gateway.postmaster import pack
from gateway.worker import Worker
from inbound.actions import ListAction, ListMode
from store.engine.database import Database
from store.engine.keys import Keys, to_instant, to_stored
from store.inbound_lists import DueList, ListLine, ListStore, ListWritten, find_due_lists, read_lines
from store.inbound_mail import INBOUND_LIST
from store.outbox import NewRow

log = structlog.get_logger()

COLUMNS: Final = ("id", "received_at", "from", "to", "keyword", "text", "missing_parts")
_LOOK_EVERY: Final = 5.0
# What another node has not committed yet stands in the next list.
_SETTLED_AFTER: Final = timedelta(minutes=1)


class InboundLists:
    """The worker; `written` is called when there are mails to send."""

    def __init__(
        self, *, database: Database, keys: Keys, book: DirectoryFollower, clock: Clock, written: Callable[[], None]
    ) -> None:
        self._database = database
        self._store = ListStore(keys)
        self._book = book
        self._clock = clock
        self._written = written
        self.worker = Worker("inbound-lists", self.step, look_every=_LOOK_EVERY)

    async def step(self) -> bool:
        """Write the lists that are due; returns whether there were any."""
        now = self._clock.now()
        due = await self._database.read(partial(find_due_lists, now=to_stored(now)))
        for item in due:
            written = await self._compose(item, now)
            if await self._database.write(self._store.write, written) and written.rows:
                self._written()
                log.info("inbound_list_written", action=item.key, customer=item.customer_key, mails=len(written.rows))
        return bool(due)

    async def _compose(self, due: DueList, now: datetime) -> ListWritten:
        action = msgspec.json.decode(due.settings, type=ListAction)
        next_at = to_stored(next_instant(action, now))
        customer = self._book.current.directory.customer(due.customer_key)
        is_wanted = customer is not None and customer.active
        if due.next_at is None or customer is None or not is_wanted:
            return ListWritten(due=due, next_at=next_at, listed_key=due.listed_key)
        if self._book.current.refuse_option(customer, Option.LIST) is not None:
            return ListWritten(due=due, next_at=next_at, listed_key=due.listed_key)
        only_new = action.mode is ListMode.CHANGES
        until = to_stored(now - _SETTLED_AFTER)
        lines = await self._database.read(partial(read_lines, due=due, until=until, only_new=only_new))
        if not lines:
            return ListWritten(due=due, next_at=next_at, listed_key=due.listed_key)
        content = await asyncio.to_thread(lambda: pack(write_csv(COLUMNS, map(_cells, lines)).encode(SPREADSHEET)))
        rows = tuple(
            NewRow(
                kind=INBOUND_LIST,
                prefix="IL",
                recipient=address,
                now=to_stored(now),
                about={
                    "action": due.key,
                    "name": due.name,
                    "customer": customer.name,
                    "mode": action.mode.value,
                    "lines": len(lines),
                },
                content=content,
                customer_key=customer.key,
            )
            for address in dict.fromkeys(action.addresses)
        )
        return ListWritten(due=due, next_at=next_at, listed_key=lines[-1].key, rows=rows)


def next_instant(action: ListAction, now: datetime) -> datetime:
    """Return the next time of an action's list after now."""
    today = datetime.combine(now.astimezone(UTC).date(), action.at.replace(tzinfo=None), UTC)
    return today if today > now else today + timedelta(days=1)


def _cells(line: ListLine) -> tuple[str, ...]:
    received = to_instant(line.received_at).strftime("%Y-%m-%d %H:%M:%S")
    return (line.public_id, received, line.phone, line.own_number, line.keyword, line.text, line.missing)
