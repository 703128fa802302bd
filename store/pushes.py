"""All pushes, of jobs and of inbound SMS, as an administrator sees them and has them sent again.

Not here: how they wait and are sent (outbox), other rows of the outbox (outbox_views).
"""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from msgspec import Struct

from sms.outbox import OutboxEvent, OutboxState
from store.engine.database import Transaction
from store.engine.rows import query
from store.message_pushes import MESSAGE_PUSH
from store.outbox import change
from store.tables import FAR


class ListedPush(Struct, frozen=True, array_like=True):
    """One push. `subject` is the id of its job or inbound SMS; instants are microseconds, `ended_at` None: it waits."""

    key: int
    public_id: str
    customer_key: int
    customer: str
    kind: str
    subject: str
    recipient: str
    state: OutboxState
    attempts: int
    created_at: int
    due_at: int
    ended_at: int | None
    reason: str
    problem: str
    about: str

    @property
    def message_key(self) -> int | None:
        """The key of the message that it tells of alone, None for a push of a whole job and of an inbound SMS."""
        return int(json.loads(self.about)["message_key"]) if self.kind == MESSAGE_PUSH else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PushFilter:
    """Which pushes: of one customer (0: of all), in one state (empty: in any), written since (microseconds).

    Of jobs of one `user` alone, where one is named; older than the one with the key `before`.
    """

    customer_key: int = 0
    state: str = ""
    since: int = 0
    user: str = ""
    before: int = FAR


def list_pushes(tx: Transaction, wanted: PushFilter, limit: int) -> Sequence[ListedPush]:
    """Return pushes, the newest first."""
    return tx.select(ListedPush, _LISTED, (*_values(wanted), limit))


def find_push(tx: Transaction, name: str) -> ListedPush | None:
    """Return the push of this id."""
    return next(iter(tx.select(ListedPush, _NAMED, (name,))), None)


def message_ids(tx: Transaction, pushes: Iterable[ListedPush]) -> dict[int, str]:
    """Return the public ids of the messages that pushes tell of, by their keys."""
    keys = {push.message_key for push in pushes} - {None}
    return dict(tx.rows_in("SELECT key, public_id FROM message WHERE key IN (??)", keys))


def failed_pushes(tx: Transaction, wanted: PushFilter) -> list[int]:
    """Return the keys of the pushes that failed since."""
    return [key for (key,) in tx.rows(_FAILED, (wanted.customer_key, wanted.customer_key, wanted.since))]


def replay(tx: Transaction, keys: Collection[int], now: int) -> int:
    """Send pushes that have ended again, the same events with the same ids; returns how many.

    Each has its time and all its attempts anew.
    """
    replayed = change(tx, OutboxEvent.REPLAY, keys, due_at=now)
    tx.execute_many(_ANEW, [(now, key) for key in sorted(keys)])
    return replayed


def _values(wanted: PushFilter) -> tuple[object, ...]:
    owner, state, user = wanted.customer_key, wanted.state, wanted.user
    return owner, owner, state, state, user, user, wanted.since, wanted.before


_JOINED = (
    "FROM outbox o LEFT JOIN job j ON j.key = o.job_key LEFT JOIN inbound_sms s ON s.key = o.sms_key"
    " WHERE o.channel = 'push'"
)
_CUSTOMER_KEY = "coalesce(j.customer_key, o.customer_key, s.customer_key, 0)"
_PUSH = {
    "customer_key": _CUSTOMER_KEY,
    "customer": "coalesce(j.customer, s.customer, '')",
    "subject": "coalesce(j.public_id, s.public_id, '')",
}
_OF_CUSTOMER = f"(? = 0 OR {_CUSTOMER_KEY} = ?)"
_LISTED = query(
    ListedPush,
    f"{_JOINED} AND {_OF_CUSTOMER} AND (? = '' OR o.state = ?) AND (? = '' OR j.user_address = ?)"
    " AND o.created_at >= ? AND o.key < ? ORDER BY o.key DESC LIMIT ?",
    "o",
    **_PUSH,
)
_NAMED = query(ListedPush, f"{_JOINED} AND o.public_id = ?", "o", **_PUSH)
_FAILED = f"SELECT o.key {_JOINED} AND {_OF_CUSTOMER} AND o.state = 'failed' AND o.ended_at >= ?"
_ANEW = (
    "UPDATE outbox SET attempts = 0, replayed_at = ?, reason = '', problem = ''"
    " WHERE key = ? AND state = 'queued' AND attempts > 0"
)
