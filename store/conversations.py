"""Reads conversations: a customer's, newest first; what was said in one; which number of ours a handset converses with.

Not here: writing them (store.inbound).
"""

import json
from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from msgspec import Struct

from inbound.report import Exchanged, TurnDirection
from inbound.thread import Thread
from store.engine.database import Transaction
from store.engine.keys import to_instant
from store.engine.rows import query

# Of a handset that others text too: so many of its last SMS are looked at.
_LOOKED_AT = 200


class _Conversation(Struct, frozen=True, array_like=True):
    key: int
    phone: str
    own_number: str
    used_at: int


class _Line(Struct, frozen=True, array_like=True):
    key: int
    phone: str
    own_number: str
    used_at: int
    text: str
    answered: bool


class _Exchanged(Struct, frozen=True, array_like=True):
    key: int
    name: str
    at: int
    text: str
    by: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationLine:
    """A conversation in a list: the last SMS that came, and whether somebody answered it (no automatic answer counts).

    `phone` and `own_number` are digits, or a name.
    """

    key: int
    phone: str
    own_number: str
    used_at: datetime
    text: str = ""
    answered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationPage:
    """Conversations, the one whose SMS came last first, and the place of the next page, empty at the end."""

    lines: Sequence[ConversationLine]
    after: str


_OF_PHONES = query(_Conversation, "FROM conversation WHERE phone IN (??) AND customer_key = ?")
_THREAD = "SELECT about FROM outbox WHERE public_id IN (??)"
_LAST = (
    "(SELECT s.key FROM inbound_sms s WHERE s.phone = c.phone AND s.conversation_key = c.key"
    " ORDER BY s.key DESC LIMIT 1)"
)
_LINES = query(
    _Line,
    f"FROM (SELECT c.*, {_LAST} AS last_key FROM conversation c WHERE c.customer_key = ?{{chosen}}"  # noqa: S608 - ours
    " ORDER BY c.used_at DESC, c.key DESC LIMIT ?) AS l LEFT JOIN inbound_sms s ON s.key = l.last_key"
    " ORDER BY l.used_at DESC, l.key DESC",
    "l",
    text="coalesce(s.shown, '')",
    answered="EXISTS (SELECT 1 FROM message m JOIN job j ON j.key = m.job_key WHERE m.number = l.phone"
    " AND m.key > l.last_key AND ltrim(m.sender, '+') = l.own_number AND j.customer_key = l.customer_key"
    " AND j.service <> 'inbound' AND m.state NOT IN ('rejected', 'cancelled'))",
)
_CAME = query(
    _Exchanged,
    "FROM (SELECT * FROM inbound_sms WHERE phone = ? AND key < ? ORDER BY key DESC LIMIT ?) AS s"
    " WHERE s.conversation_key = ? ORDER BY s.key DESC LIMIT ?",
    "s",
    name="s.public_id",
    at="s.received_at",
    text="s.shown",
    by="''",
    state="''",
)
_WENT = query(
    _Exchanged,
    "FROM (SELECT * FROM message WHERE number = ? AND key < ? ORDER BY key DESC LIMIT ?) AS m"
    " JOIN job j ON j.key = m.job_key WHERE j.customer_key = ? AND ltrim(m.sender, '+') = ?{chosen}"
    " ORDER BY m.key DESC LIMIT ?",
    "m",
    name="j.public_id",
    at="j.accepted_at",
    text="m.body",
    by="CASE WHEN j.header_sender <> '' THEN j.header_sender WHEN j.user_address <> '' THEN j.user_address"
    " ELSE j.header_from END",
)
# What a carrier took, or will: neither a dry run nor what was refused or cancelled.
_CARRIED = " AND m.state NOT IN ('rejected', 'cancelled')"


def list_conversations(
    tx: Transaction, customer_key: int, *, phone: str = "", after: str = "", limit: int
) -> ConversationPage:
    """Return a customer's conversations behind a place (`after` of the page before), with one handset if given."""
    chosen, values = "", list[object]()
    place = [int(word) for word in after.split("-") if word.isdecimal() and len(word) <= 18]
    if phone:
        chosen, values = " AND c.phone = ?", [phone]
    if len(place) == 2:
        chosen, values = f"{chosen} AND (c.used_at, c.key) < (?, ?)", [*values, *place]
    found = tx.select(_Line, _LINES.format(chosen=chosen), (customer_key, *values, limit + 1))
    shown = found[:limit]
    lines = [
        ConversationLine(
            key=row.key,
            phone=row.phone,
            own_number=row.own_number,
            used_at=to_instant(row.used_at),
            text=row.text,
            answered=row.answered,
        )
        for row in shown
    ]
    return ConversationPage(lines=lines, after=f"{shown[-1].used_at}-{shown[-1].key}" if len(found) > limit else "")


def find_conversation(tx: Transaction, customer_key: int, key: int) -> ConversationLine | None:
    """Return a customer's conversation, without its texts."""
    sql = query(_Conversation, "FROM conversation WHERE key = ? AND customer_key = ?")
    for row in tx.select(_Conversation, sql, (key, customer_key)):
        return ConversationLine(
            key=row.key, phone=row.phone, own_number=row.own_number, used_at=to_instant(row.used_at)
        )
    return None


def read_exchanged(  # noqa: PLR0913 - a conversation, and how much of it
    tx: Transaction,
    customer_key: int,
    conversation_key: int,
    phone: str,
    own_number: str,
    *,
    before: int,
    limit: int,
    carried: bool = True,
) -> tuple[Exchanged, ...]:
    """Return what was exchanged before a key, newest first; `carried`: only what carriers took, or will."""
    window = (phone, before, _LOOKED_AT)
    came = tx.select(_Exchanged, _CAME, (*window, conversation_key, limit))
    sql = _WENT.format(chosen=_CARRIED if carried else "")
    went = tx.select(_Exchanged, sql, (*window, customer_key, own_number, limit))
    both = [(TurnDirection.IN, item) for item in came] + [(TurnDirection.OUT, item) for item in went]
    both.sort(key=lambda one: (one[1].at, one[1].key), reverse=True)
    return tuple(
        Exchanged(
            direction=direction,
            at=to_instant(item.at),
            text=item.text,
            by=item.by,
            state=item.state,
            key=item.key,
            name=item.name,
        )
        for direction, item in both[:limit]
    )


def own_numbers_of(tx: Transaction, customer_key: int, phones: Collection[str], thread: Thread) -> dict[str, str]:
    """Return the number of ours in a customer's conversation with each handset that has one.

    That is the conversation that the thread is of, else the one used last.
    """
    found = tx.select_in(_Conversation, _OF_PHONES, phones, (customer_key,))
    roots: AbstractSet[int] = thread.roots
    if len(found) > len({row.phone for row in found}) and not roots:
        roots = {_read_root(about) for (about,) in tx.rows_in(_THREAD, thread.mails)}
    found.sort(key=lambda row: (row.key in roots, row.used_at))
    return {row.phone: row.own_number for row in found}


def _read_root(about: str) -> int:
    key = json.loads(about or "{}").get("thread", 0)
    return key if isinstance(key, int) else 0
