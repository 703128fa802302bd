"""Reads which of our numbers a handset converses with; for answers by mail. Not here: writing them (store.inbound)."""

import json
from collections.abc import Collection
from collections.abc import Set as AbstractSet

from msgspec import Struct

from inbound.thread import Thread
from store.engine.database import Transaction
from store.engine.rows import query


class _Conversation(Struct, frozen=True, array_like=True):
    key: int
    phone: str
    own_number: str
    used_at: int


_OF_PHONES = query(_Conversation, "FROM conversation WHERE phone IN (??) AND customer_key = ?")
_THREAD = "SELECT about FROM outbox WHERE public_id IN (??)"


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
