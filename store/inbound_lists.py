"""The daily lists of inbound SMS: which are due, what stands in them, and that one was written.

Not here: how a list looks and when it is due next (gateway.inbound_lists).
"""

from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from store.engine.database import Transaction
from store.engine.keys import Keys
from store.engine.rows import query
from store.outbox import NewRow, Outbox

MOST_LINES: Final = 50_000
"""A list has no more lines."""
_DUE_AT_ONCE = 20


class DueList(Struct, frozen=True, array_like=True):
    """A list that is due, or new where `next_at` is None; instants are microseconds, `settings` is JSON."""

    key: int
    customer_key: int
    name: str
    settings: str
    next_at: int | None
    listed_key: int


class ListLine(Struct, frozen=True, array_like=True):
    """An SMS of a list."""

    key: int
    public_id: str
    received_at: int
    phone: str
    own_number: str
    keyword: str
    text: str
    missing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListWritten:
    """A due list with its mails: it is due again at `next_at`, and had SMS up to `listed_key`."""

    due: DueList
    next_at: int
    listed_key: int
    rows: tuple[NewRow, ...] = ()


_DUE = query(
    DueList,
    "FROM inbound_action WHERE kind = 'list' AND active AND (next_at IS NULL OR next_at <= ?) ORDER BY key LIMIT ?",
)
_LINES = query(
    ListLine,
    "FROM inbound_effect e JOIN inbound_sms s ON s.key = e.sms_key"
    " WHERE e.action_key = ? AND e.kind = 'list' AND e.note = '' AND e.sms_key > ? AND s.handled_at <= ?"
    " ORDER BY e.sms_key",
    "s",
    own_number="ltrim(s.destination, '+')",
    text="s.shown",
)
_WRITTEN = (
    "UPDATE inbound_action SET next_at = ?, listed_key = ?"
    " WHERE key = ? AND listed_key = ? AND coalesce(next_at, 0) = ?"
)


def find_due_lists(tx: Transaction, now: int) -> list[DueList]:
    """Return lists that are due, some at a time; `now` is in microseconds."""
    return tx.select(DueList, _DUE, (now, _DUE_AT_ONCE))


def read_lines(tx: Transaction, due: DueList, *, until: int, only_new: bool) -> list[ListLine]:
    """Return the SMS of a list, oldest first: those after its last one, or the newest of all; nothing if none is new.

    What was handled after `until` stands in the next one.
    """
    new = tx.select(ListLine, _LINES + " LIMIT ?", (due.key, due.listed_key, until, MOST_LINES))
    if only_new or not new:
        return new
    return tx.select(ListLine, _LINES + " DESC LIMIT ?", (due.key, 0, until, MOST_LINES))[::-1]


class ListStore:
    """Writes lists; a batch function for `Database.write`."""

    def __init__(self, keys: Keys) -> None:
        self._outbox = Outbox(keys)

    def write(self, tx: Transaction, lists: list[ListWritten]) -> list[bool]:
        """Queue the mails of lists; returns of each whether it was still due, else nothing was written."""
        written = []
        for item in lists:
            due = item.due
            values = (item.next_at, item.listed_key, due.key, due.listed_key, due.next_at or 0)
            is_due = tx.execute(_WRITTEN, values) == 1
            if is_due:
                self._outbox.add(tx, list(item.rows))
            written.append(is_due)
        return written
