"""Inbound SMS as a report has them: searched, shown page by page, written as a table.

Not here: how they are searched (store.inbound_search), one of them with all that followed (gateway.admin.trace).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from gateway.admin.faults import AdminFault
from gateway.admin.jobs import read_number, read_sender
from gateway.admin.lookup import get_customer
from gateway.phone_names import find_names
from reports.details import PORTION, DetailPage, RowPortion, name_place, read_place, unhurried
from reports.tables import Cell
from sms.typed_numbers import clean_number
from store.details import DetailPlace
from store.directory_lookup import find_customer
from store.engine.database import Database, Transaction
from store.engine.keys import to_stored
from store.inbound_search import Handed, InboundFilter, ListedSms, find_inbound_of, search_inbound
from store.inbound_views import InboundTrace, load_inbound_trace

__all__ = [
    "INBOUND_COLUMNS",
    "InboundDetails",
    "InboundFilter",
    "InboundQuery",
    "list_inbound",
    "read_inbound_portion",
    "read_inbound_query",
    "trace_inbound_details",
]

INBOUND_COLUMNS: Final = (
    *("sms", "received_at", "from", "name", "to", "customer", "keyword", "parts", "missing", "handed_over", "reason"),
)
"""The columns of a table of inbound SMS, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundQuery:
    """Which inbound SMS are wanted, as people type it; what is empty asks for nothing. `until` is not within.

    `number` is ours, `phone` the handset's, `user` a mailbox that got it; `handed` are values of Handed.
    """

    number: str = ""
    phone: str = ""
    user: str = ""
    keyword: str = ""
    handed: Collection[str] = ()
    since: datetime | None = None
    until: datetime | None = None


def read_inbound_query(customer_key: int | None, query: InboundQuery, country: str = "") -> InboundFilter:
    """Return what is to be searched for; `country` is that of national numbers.

    Raises AdminFault for a phone or a user that can't be read.
    """
    return InboundFilter(
        customer_key=customer_key,
        number=_own_number(query.number, country),
        phone=read_number(query.phone, country),
        user=read_sender(query.user),
        keyword=query.keyword,
        handed=frozenset(map(Handed, query.handed)),
        since=None if query.since is None else to_stored(query.since),
        until=None if query.until is None else to_stored(query.until),
    )


def _own_number(text: str, country: str) -> str:
    """Return the digits of a number of ours as it is searched for; a short code is no number of a handset."""
    try:
        return read_number(text, country)
    except AdminFault:
        return clean_number(text).removeprefix("+").replace(" ", "")


def read_inbound_portion(tx: Transaction, wanted: InboundFilter, after: DetailPlace | None) -> RowPortion:
    """Return the rows of a table that come after a place."""
    found, rows = _portion(tx, wanted, PORTION, after)
    place = found[-1].place if found else after
    return RowPortion(rows=[tuple(row.values()) for row in rows], place=place, more=len(found) == PORTION)


class InboundDetails:
    """The use case; it reads as Details does."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, wanted: InboundFilter, most: int, after: str = "") -> DetailPage:
        """Return a page of what fits; an `after` that is no place begins at the newest."""
        place = read_place(after)
        found, rows = await self._database.read_long(partial(_portion, wanted=wanted, most=most + 1, after=place))
        more = len(found) > most
        return DetailPage(details=tuple(rows[:most]), after=name_place(found[most - 1].place) if more else "")

    def rows(self, wanted: InboundFilter) -> Iterator[Sequence[Cell]]:
        """Return all that fits as cells of a table, read in portions: no transaction lasts as long as the table."""
        return unhurried(
            lambda place: self._database.read_long_now(partial(read_inbound_portion, wanted=wanted, after=place))
        )


def list_inbound(  # noqa: PLR0913 - every filter by name
    tx: Transaction,
    *,
    customer: str = "",
    number: str = "",
    phone: str = "",
    user: str = "",
    states: Collection[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    not_handed_over: bool = False,
    limit: int = 100,
) -> list[Mapping[str, object]]:
    """Return the newest inbound SMS that fit all of this, newest first, as rows. Raises AdminFault."""
    unhanded = {Handed.NO, Handed.NOBODY} if not_handed_over else ()
    query = InboundQuery(number=number, phone=phone, user=user, handed={*states, *unhanded}, since=since, until=until)
    wanted = read_inbound_query(get_customer(tx, customer).key if customer else None, query)
    _, rows = _portion(tx, wanted, limit, None)
    return [{**row, "received_at": str(row["received_at"])[:19]} for row in rows]


def trace_inbound_details(tx: Transaction, customer_key: int, name: str) -> InboundTrace | None:
    """Return a customer's inbound SMS with all that followed from it; None for anybody else's."""
    key = find_inbound_of(tx, customer_key, name)
    return None if key is None else load_inbound_trace(tx, key)


def _portion(
    tx: Transaction, wanted: InboundFilter, most: int, after: DetailPlace | None
) -> tuple[list[ListedSms], list[Mapping[str, Cell]]]:
    found = search_inbound(tx, wanted, most, after)
    names = _names(tx, found)
    return found, [_row(sms, names.get((sms.customer, sms.source.removeprefix("+")), "")) for sms in found]


def _row(sms: ListedSms, name: str) -> Mapping[str, Cell]:
    cells: tuple[Cell, ...] = (
        *(sms.public_id, sms.received_at, sms.source, name, sms.destination, sms.customer, sms.keyword),
        *(sms.total - len(sms.missing), len(sms.missing), sms.handed.value if sms.handed is not None else ""),
        sms.reason,
    )
    return dict(zip(INBOUND_COLUMNS, cells, strict=True))


def _names(tx: Transaction, found: Iterable[ListedSms]) -> dict[tuple[str, str], str]:
    """Return the names of the phones that wrote, by customer and digits."""
    phones: dict[str, set[str]] = {}
    for sms in found:
        phones.setdefault(sms.customer, set()).add(sms.source.removeprefix("+"))
    return {
        (customer, number): name
        for customer, numbers in phones.items()
        if (owner := find_customer(tx, customer)) is not None
        for number, name in find_names(tx, owner.key, numbers).items()
    }
