"""The stop lists: entries added and ended, what is in force, and the messages that an entry ends.

An entry is never deleted but with its customer: an ended one is evidence. The functions run inside the caller's
transaction. Not here: whose stop an SMS is (inbound), whether a change is allowed and its audit (gateway.admin).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from msgspec import Struct

from inbound.stop_list import StopEntry, StopList, StopOrigin
from sms.lifecycle import Event
from sms.outcome import Problem, ProblemCode
from store.directory_changes import DirectoryChanges
from store.engine.database import Transaction
from store.engine.keys import Keys, to_instant, to_instant_if_set, to_stored
from store.engine.rows import query
from store.engine.statements import Insert, Update
from store.inbound_tables import StopEntryRow
from store.message_update import MessageWriter, load_messages

_ENTRIES = Insert(StopEntryRow, if_new=True)
_ENDED = Update(StopEntryRow, "ended_at", "ended_by")
STOPPED = Problem(
    code=ProblemCode.STOP_LIST, text="The recipient is on the stop list, so the message was not sent (BLOCKED)."
)


class _Entry(Struct, frozen=True, array_like=True):
    key: int
    customer_key: int
    number: str
    service: str
    origin: StopOrigin
    evidence: str
    word: str
    added_at: int
    ended_at: int | None
    ended_by: str


class _Queued(Struct, frozen=True, array_like=True):
    """A message that waits, and what an entry must be of to block it."""

    key: int
    number: str
    customer_key: int
    service: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """What new entries did: how many there were not before, and the messages, jobs and notices that followed."""

    added: int
    messages: int
    settled_jobs: tuple[str, ...]
    notices: int


_IN_FORCE = query(_Entry, "FROM stop_entry WHERE number IN (??) AND ended_at IS NULL")
_OF_CUSTOMER = query(_Entry, "FROM stop_entry WHERE customer_key = ?")
_QUEUED = query(
    _Queued,
    "FROM message m JOIN job j ON j.key = m.job_key WHERE m.number IN (??) AND m.state = 'queued' AND NOT j.past_stop",
    "m",
    customer_key="j.customer_key",
    service="j.service",
)
_QUEUED_OF = _QUEUED.replace("m.number IN (??)", "m.key IN (??)")


def stops_in_force(tx: Transaction, numbers: Iterable[str]) -> list[StopEntry]:
    """Return all customers' entries in force for these numbers."""
    return [_entry(row) for row in tx.select_in(_Entry, _IN_FORCE, set(numbers))]


def read_stops(tx: Transaction, customer_key: int, *, number: str = "", with_ended: bool = False) -> list[StopEntry]:
    """Return a customer's entries, of one number if given, by number and age."""
    sql, values = _OF_CUSTOMER, [customer_key, *([number] if number else [])]
    sql += " AND number = ?" if number else ""
    sql += "" if with_ended else " AND ended_at IS NULL"
    return [_entry(row) for row in tx.select(_Entry, sql + " ORDER BY number, added_at, key", values)]


def read_stops_after(
    tx: Transaction, customer_key: int, after: str, *, with_ended: bool = False, limit: int
) -> list[StopEntry]:
    """Return a customer's entries of at most `limit` numbers behind one (digits), by number and age."""
    ended = "" if with_ended else " AND ended_at IS NULL"
    numbers = f"SELECT DISTINCT number FROM stop_entry WHERE customer_key = ? AND number > ?{ended}"  # noqa: S608 - ours
    chosen = f" AND number IN ({numbers} ORDER BY number LIMIT ?){ended} ORDER BY number, added_at, key"
    values = (customer_key, customer_key, after, limit)
    return [_entry(row) for row in tx.select(_Entry, _OF_CUSTOMER + chosen, values)]


def add_stops(tx: Transaction, keys: Keys, entries: Sequence[StopEntry], now: int) -> Stopped:
    """Store entries that are not in force yet, and end what is queued for their numbers; `now` is in microseconds."""
    _say_stop_listed(tx, keys, {entry.customer_key for entry in entries}, now)
    numbers = {entry.number for entry in entries}
    known = {(row.customer_key, row.number, row.service) for row in tx.select_in(_Entry, _IN_FORCE, numbers)}
    new: dict[tuple[int, str, str], StopEntry] = {}
    for entry in entries:
        place = (entry.customer_key, entry.number, entry.service)
        if place not in known:
            new.setdefault(place, entry)
    tx.insert(_ENTRIES, [_row(keys.take(), entry) for entry in new.values()])
    stops = StopList(entries)
    queued = [
        row.key
        for row in tx.select_in(_Queued, _QUEUED, numbers)
        if stops.blocks(row.number, row.customer_key, row.service)
    ]
    settled, notices = stop_messages(tx, keys, queued, now)
    return Stopped(added=len(new), messages=len(queued), settled_jobs=settled, notices=notices)


def end_stops(  # noqa: PLR0913 - whose entries, which, and who ended them
    tx: Transaction,
    customer_key: int,
    numbers: Iterable[str],
    *,
    now: int,
    by: str,
    chosen: Callable[[StopEntry], bool] = lambda _: True,
) -> list[StopEntry]:
    """End a customer's entries for these numbers, those that are `chosen`; returns them as they were."""
    found = [
        (row.key, entry)
        for row in tx.select_in(_Entry, _IN_FORCE, set(numbers))
        if row.customer_key == customer_key and chosen(entry := _entry(row))
    ]
    tx.update(_ENDED, [_ENDED.row(ended_at=now, ended_by=by, key=key) for key, _ in found])
    return [entry for _, entry in found]


def find_blocked(tx: Transaction, message_keys: Iterable[int]) -> set[int]:
    """Return which of these queued messages an entry blocks."""
    queued = tx.select_in(_Queued, _QUEUED_OF, message_keys)
    stops = StopList(stops_in_force(tx, {row.number for row in queued}))
    return {row.key for row in queued if stops.blocks(row.number, row.customer_key, row.service)}


def stop_messages(tx: Transaction, keys: Keys, message_keys: Iterable[int], now: int) -> tuple[tuple[str, ...], int]:
    """End what waits of these messages; returns the public ids of jobs that settled, and how many notices follow."""
    messages = load_messages(tx, message_keys)
    for message in messages.values():
        for part in message.parts:
            message.end_waiting(part, Event.STOP, STOPPED)
    notices = MessageWriter(keys, {}).save(tx, messages.values(), now)
    return tuple(message.settled_job for message in messages.values() if message.settled_job), notices


def _say_stop_listed(tx: Transaction, keys: Keys, customer_keys: set[int], now: int) -> None:
    """Have readers of the address book know that these customers have entries, where this is their first."""
    first = tx.rows_in("SELECT key FROM customer WHERE key IN (??) AND NOT stop_listed", customer_keys)
    if not first:
        return
    changes = DirectoryChanges(tx, keys, "", now)
    for (key,) in first:
        changes.say_stop_listed(key)
    changes.finish()


def _row(key: int, entry: StopEntry) -> tuple[object, ...]:
    return _ENTRIES.row(
        key=key,
        customer_key=entry.customer_key,
        service=entry.service,
        number=entry.number,
        added_at=to_stored(entry.added_at),
        origin=entry.origin.value,
        evidence=entry.evidence,
        word=entry.word,
    )


def _entry(row: _Entry) -> StopEntry:
    return StopEntry(
        customer_key=row.customer_key,
        number=row.number,
        service=row.service,
        origin=row.origin,
        evidence=row.evidence,
        word=row.word,
        added_at=to_instant(row.added_at),
        ended_at=to_instant_if_set(row.ended_at),
        ended_by=row.ended_by,
    )
