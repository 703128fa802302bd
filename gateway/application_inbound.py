"""The SMS that came in for a customer, as its applications may ask for them. Not here: how an interface words them."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from addressbook.senders import Sender
from store.application_views import AskedInbound, find_inbound_of, inbound_after
from store.engine.database import Database
from store.engine.keys import to_instant


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedSms:
    """One inbound SMS; `source` and `destination` as the carrier wrote them, `text` without a shared number's word.

    `missing` are the places of parts that did not come in time; `late_of` is the id of the SMS of which it is one.
    `place` is where it stands in the order of all.
    """

    public_id: str
    source: str
    destination: str
    text: str
    keyword: str
    received_at: datetime
    parts: int
    missing: tuple[int, ...]
    late_of: str
    place: int


class ApplicationInbound:
    """The use case; one object serves all interfaces."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def after(self, sender: Sender, place: int, limit: int) -> list[ReceivedSms]:
        """Return inbound SMS behind a place in their order, oldest first."""
        wanted = partial(inbound_after, customer_key=sender.customer.key, after=place, limit=limit)
        return [_received(row) for row in await self._database.read(wanted)]

    async def find(self, sender: Sender, public_id: str) -> ReceivedSms | None:
        """Return one; None for one that there is not, or that is not theirs to see."""
        if "\0" in public_id:
            return None
        found = await self._database.read(
            partial(find_inbound_of, customer_key=sender.customer.key, public_id=public_id)
        )
        return None if found is None else _received(found)


def _received(row: AskedInbound) -> ReceivedSms:
    return ReceivedSms(
        public_id=row.public_id,
        source=row.source,
        destination=row.destination,
        text=row.shown,
        keyword=row.keyword,
        received_at=to_instant(row.received_at),
        parts=row.total,
        missing=tuple(int(place) for place in row.missing.split(",") if place),
        late_of=row.late_of,
        place=row.key,
    )
