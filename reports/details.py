"""Details: every SMS of a customer with what it was sent with and what became of it, searched and written as a table.

One customer's at a time, whoever asks. Not here: how it is searched fast (store.details), everything of one of them
(gateway.admin.trace), how a table becomes a file (tables).
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from time import monotonic, sleep
from typing import Final

from gateway.admin.jobs import read_number, read_sender, read_sender_id
from gateway.admin.trace import find_trace
from reports.tables import Cell
from sms.lifecycle import MessageState
from store.application_views import find_job_of, find_message_of
from store.details import DetailFilter, DetailPlace, FoundDetail, search_details
from store.engine.database import Database, Transaction
from store.engine.keys import to_instant, to_instant_if_set, to_stored
from store.queue_views import when_due
from store.views import Trace

__all__ = [
    "COLUMNS",
    "PORTION",
    "REST",
    "Detail",
    "DetailFilter",
    "DetailPage",
    "DetailQuery",
    "RowPortion",
    "SentDetails",
    "name_place",
    "read_place",
    "read_portion",
    "read_query",
    "trace_details",
    "unhurried",
]

Detail = Mapping[str, Cell]
"""One SMS by the names of `COLUMNS`; instants are aware."""

COLUMNS: Final = (
    *("accepted", "job", "sms", "state", "reason", "to", "sender_id", "country", "parts", "billed", "delivered"),
    *("service", "user", "login", "profile", "customer", "cost_centre", "reference", "recipient_reference"),
    *("receipt_wanted", "receipt_came", "flash", "express", "alphabet", "due", "sent", "reported", "ended"),
)
"""The columns of a table of details, in their order."""

PORTION: Final = 50
"""So many rows of a table are read at once."""

REST: Final = 4.0
"""So many times as long as a portion took is the rest after it."""

_LONGEST_REST: Final = 0.1

_LARGEST_KEY: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailQuery:
    """Which SMS are wanted, as people type it; what is empty asks for nothing. `until` is not within."""

    number: str = ""
    user: str = ""
    sender_id: str = ""
    services: Collection[str] = ()
    states: Collection[str] = ()
    cost_centre: str = ""
    reference: str = ""
    country: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailPage:
    """Some SMS, the newest first; `after` is where the next ones begin, empty where there are none."""

    details: tuple[Detail, ...]
    after: str


def read_query(customer_key: int, query: DetailQuery, country: str = "") -> DetailFilter:
    """Return what is to be searched for; `country` is that of national numbers.

    Raises AdminFault for a number or a user that can't be read.
    """
    return DetailFilter(
        customer_key=customer_key,
        number=read_number(query.number, country),
        services=frozenset(query.services),
        states=frozenset(map(MessageState, query.states)),
        sender=read_sender(query.user),
        sender_id=read_sender_id(query.sender_id),
        cost_centre=query.cost_centre,
        reference=query.reference,
        country=query.country.upper(),
        since=None if query.since is None else to_stored(query.since),
        until=None if query.until is None else to_stored(query.until),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RowPortion:
    """Some rows of a table; the next ones are behind `place`, where there are `more`."""

    rows: Sequence[Sequence[Cell]] = ()
    place: DetailPlace | None = None
    more: bool = True


def read_portion(tx: Transaction, wanted: DetailFilter, after: DetailPlace | None) -> RowPortion:
    """Return the rows of a table that come after a place."""
    found = search_details(tx, wanted, PORTION, after)
    rows = [tuple(_detail(one).values()) for one in found]
    return RowPortion(rows=rows, place=found[-1].place if found else after, more=len(found) == PORTION)


def unhurried(read: Callable[[DetailPlace | None], RowPortion]) -> Iterator[Sequence[Cell]]:
    """Yield the rows of a table, of which `read` returns the portion behind a place; for a thread of its own.

    After each portion it rests, so that a mail that comes meanwhile waits for one portion at most.
    """
    portion = RowPortion()
    while portion.more:
        began = monotonic()
        portion = read(portion.place)
        yield from portion.rows
        if portion.more:
            sleep(min((monotonic() - began) * REST, _LONGEST_REST))


class SentDetails:
    """The use case; a long question of it holds up no short one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, wanted: DetailFilter, most: int, after: str = "") -> DetailPage:
        """Return a page of what fits; an `after` that is no place begins at the newest."""
        place = read_place(after)
        found = await self._database.read_long(partial(search_details, wanted=wanted, most=most + 1, after=place))
        shown = found[:most]
        more = len(found) > most
        return DetailPage(
            details=tuple(map(_detail, shown)), after=name_place(shown[-1].place) if more and shown else ""
        )

    def rows(self, wanted: DetailFilter) -> Iterator[Sequence[Cell]]:
        """Return all that fits as cells of a table, read in portions: no transaction lasts as long as the table."""
        return unhurried(lambda place: self._database.read_long_now(partial(read_portion, wanted=wanted, after=place)))


def trace_details(tx: Transaction, customer_key: int, name: str) -> Trace | None:
    """Return all that is known of a customer's job, or of one SMS of it with its job; None for anybody else's."""
    message = find_message_of(tx, customer_key, name)
    if message is None and find_job_of(tx, customer_key, name) is None:
        return None
    trace = find_trace(tx, name)
    assert isinstance(trace, Trace)
    if message is None:
        return trace
    (one,) = [found for found in trace.report.messages if found.public_id == message.public_id]
    return replace(trace, report=replace(trace.report, messages=(one,)))


def _detail(found: FoundDetail) -> Detail:
    return dict(
        zip(
            COLUMNS,
            (
                *(to_instant(found.accepted_at), found.job_id, found.public_id, found.state.value, found.reason),
                *(f"+{found.number}" if found.number else found.given, found.sender_id, found.country, found.parts),
                *(found.billed, found.delivered, found.service, found.sender, found.login, found.profile),
                *(found.customer, found.cost_centre, found.reference, found.customer_ref, found.receipt_wanted),
                *(found.from_network, found.flash, found.priority == 0, found.alphabet),
                *(
                    to_instant(when_due(found.due_at)),
                    to_instant_if_set(found.sent_at),
                    to_instant_if_set(found.reported_at),
                ),
                to_instant_if_set(found.ended_at),
            ),
            strict=True,
        )
    )


def name_place(place: DetailPlace) -> str:
    """Return a place as an address has it."""
    return f"{place.accepted_at}-{place.key}"


def read_place(name: str) -> DetailPlace | None:
    """Return the place that `name_place` names, None for anything else."""
    found = re.fullmatch(r"([0-9]{1,18})-([0-9]{1,19})", name, re.ASCII)
    return DetailPlace(int(found[1]), int(found[2])) if found is not None and int(found[2]) <= _LARGEST_KEY else None
