"""Support requests of customers and what was written about them, with the trace of the job as it was then."""

import peewee
from msgspec import Struct

from addressbook.support import RequestState, Side
from store.engine.database import Transaction
from store.engine.rows import query
from store.engine.statements import Insert
from store.tables import KeyedRow


class SupportRequestRow(KeyedRow):
    """One request. `opened_by` is the address that answers go to; `trace` are lines about the job `job_id`."""

    public_id = peewee.TextField(unique=True)
    customer_key = peewee.BigIntegerField(index=True)
    opened_by = peewee.TextField()
    subject = peewee.TextField()
    job_id = peewee.TextField(default="")
    trace = peewee.TextField(default="")
    state = peewee.TextField()
    opened_at = peewee.BigIntegerField()
    changed_at = peewee.BigIntegerField()

    class Meta:  # noqa: D106 - peewee's configuration
        table_name = "support_request"
        indexes = ((("state", "changed_at"), False),)


class SupportPostRow(KeyedRow):
    """What one side wrote. `digest` is that of a mail, so that one that comes twice is one; else empty."""

    request_key = peewee.BigIntegerField(index=True)
    customer_key = peewee.BigIntegerField(index=True)
    at = peewee.BigIntegerField()
    side = peewee.TextField()
    author = peewee.TextField()
    text = peewee.TextField()
    digest = peewee.TextField(default="")

    class Meta:  # noqa: D106 - peewee's configuration
        table_name = "support_post"


class SupportRequest(Struct, frozen=True, array_like=True):
    """A request as stored; instants in microseconds."""

    key: int
    public_id: str
    customer_key: int
    opened_by: str
    subject: str
    job_id: str
    trace: str
    state: RequestState
    opened_at: int
    changed_at: int


class SupportPost(Struct, frozen=True, array_like=True):
    """One post as stored; `at` in microseconds."""

    key: int
    request_key: int
    customer_key: int
    at: int
    side: Side
    author: str
    text: str
    digest: str


_PUT_REQUEST = Insert(SupportRequestRow)
_PUT_POST = Insert(SupportPostRow)
_REQUESTS = query(SupportRequest, "FROM support_request")
_POSTS = query(SupportPost, "FROM support_post WHERE request_key = ? ORDER BY key")


def add_request(tx: Transaction, request: SupportRequest) -> None:
    """Store a new request."""
    row = _PUT_REQUEST.row(**{name: getattr(request, name) for name in SupportRequest.__struct_fields__})
    tx.insert(_PUT_REQUEST, [row])


def add_post(tx: Transaction, post: SupportPost) -> None:
    """Store what somebody wrote."""
    tx.insert(_PUT_POST, [_PUT_POST.row(**{name: getattr(post, name) for name in SupportPost.__struct_fields__})])


def set_state(tx: Transaction, key: int, state: RequestState, now: int) -> None:
    """Store the state of a request since now (microseconds)."""
    tx.execute("UPDATE support_request SET state = ?, changed_at = ? WHERE key = ?", (state.value, now, key))


def find_request(tx: Transaction, public_id: str) -> SupportRequest | None:
    """Return the request of an id."""
    return next(iter(tx.select(SupportRequest, _REQUESTS + " WHERE public_id = ?", (public_id,))), None)


def find_request_by_key(tx: Transaction, key: int) -> SupportRequest | None:
    """Return the request of a key."""
    return next(iter(tx.select(SupportRequest, _REQUESTS + " WHERE key = ?", (key,))), None)


def find_requests(
    tx: Transaction, *, customer_key: int | None = None, with_ended: bool = True, most: int = 100
) -> list[SupportRequest]:
    """Return the requests of a customer, or of all, the last changed first; those that ended only where asked for."""
    conditions, values = ["1 = 1"], list[object]()
    if customer_key is not None:
        conditions.append("customer_key = ?")
        values.append(customer_key)
    if not with_ended:
        conditions.append("state IN ('open', 'waiting')")
    condition = f" WHERE {' AND '.join(conditions)} ORDER BY changed_at DESC, key DESC LIMIT ?"
    return tx.select(SupportRequest, _REQUESTS + condition, (*values, most))


def posts_of(tx: Transaction, request_key: int) -> list[SupportPost]:
    """Return what was written about a request, oldest first."""
    return tx.select(SupportPost, _POSTS, (request_key,))
