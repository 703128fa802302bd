"""What an application asks of its customer: its jobs, their messages, and the SMS that came in.

Read-only, and never anything of another customer. Not here: whole reports (views), searches of people (job_search).
"""

from msgspec import Struct

from sms.job import FirstUse
from sms.lifecycle import MessageState
from store.engine.database import Transaction
from store.engine.rows import query


class AskedJob(Struct, frozen=True, array_like=True):
    """One job; `settings` are JSON, instants microseconds."""

    key: int
    public_id: str
    service: str
    reference: str
    user_address: str
    settings: str
    accepted_at: int
    settled_at: int | None
    sandbox: bool


class AskedMessage(Struct, frozen=True, array_like=True):
    """One message with the customer's own word for it; `sent_at` is when a carrier first had a part of it."""

    job_key: int
    public_id: str
    given: str
    number: str
    customer_ref: str
    state: MessageState
    reason: str
    problem: str
    from_network: bool
    ended: bool
    attempts: int
    receipt_wanted: bool
    part_count: int
    updated_at: int
    ruling: str
    sender: str
    sent_at: int | None


class AskedInbound(Struct, frozen=True, array_like=True):
    """One inbound SMS of a customer; `missing` are places of fragments that did not come, comma-separated.

    `late_of` is the id of the SMS that went out without it.
    """

    key: int
    public_id: str
    source: str
    destination: str
    shown: str
    keyword: str
    received_at: int
    total: int
    missing: str
    late_of: str


# Whose it is stands in each question: `owner` is empty where all of a customer's jobs may be seen.
_OWNED = "customer_key = ? AND (? = '' OR user_address = ?)"
_JOB = query(AskedJob, f"FROM job WHERE public_id = ? AND {_OWNED}")
_SENT_AT = "(SELECT MIN(p.submitted_at) FROM part p WHERE p.message_key = m.key)"
_MESSAGES = query(AskedMessage, "FROM message m WHERE m.job_key = ? ORDER BY m.seq", "m", sent_at=_SENT_AT)
_MESSAGE = query(
    AskedMessage,
    "FROM message m JOIN job j ON j.key = m.job_key WHERE m.public_id = ?"
    " AND j.customer_key = ? AND (? = '' OR j.user_address = ?)",
    "m",
    sent_at=_SENT_AT,
)
_JOBS_AFTER = query(AskedJob, f"FROM job WHERE (accepted_at, key) > (?, ?) AND {_OWNED}")
_USED = (
    "SELECT s.digest, j.public_id FROM seen s JOIN job j ON j.key = s.job_key WHERE s.digest IN (??) AND s.until > ?"
)
# CROSS JOIN: SQLite then begins with the messages, whose index bounds the work.
_ALIKE = (
    "SELECT j.public_id, j.accepted_at FROM message m CROSS JOIN job j WHERE m.number = ? AND j.key = m.job_key"
    " AND j.customer_key = ? AND j.service = ? AND j.accepted_at >= ? AND m.body = ?"
    " ORDER BY j.accepted_at DESC LIMIT 1"
)
_INBOUND = query(
    AskedInbound,
    "FROM inbound_sms s WHERE s.customer_key = ?",
    "s",
    late_of="coalesce((SELECT o.public_id FROM inbound_sms o WHERE o.key = s.late_of), '')",
)
_JOB_IDS = f"SELECT public_id FROM job WHERE accepted_at >= ? AND accepted_at < ? AND {_OWNED}"  # noqa: S608 - a condition of ours


def find_job_of(tx: Transaction, customer_key: int, public_id: str, owner: str = "") -> AskedJob | None:
    """Return a customer's job; with an `owner` (the address of a user) only one of that user's."""
    return next(iter(tx.select(AskedJob, _JOB, (public_id, customer_key, owner, owner))), None)


def find_alike(  # noqa: PLR0913, PLR0917 - what is asked for
    tx: Transaction, customer_key: int, service: str, number: str, text: str, since: int
) -> tuple[str, int] | None:
    """Return the newest job by which a customer sent this text to a number since an instant, and when it was accepted.

    The number is E.164 without the plus, instants are microseconds.
    """
    rows = tx.rows(_ALIKE, (number, customer_key, service, since, text))
    return next(((public_id, accepted_at) for public_id, accepted_at in rows), None)


def messages_of_job(tx: Transaction, job_key: int) -> list[AskedMessage]:
    """Return the messages of a job in their order."""
    return tx.select(AskedMessage, _MESSAGES, (job_key,))


def find_message_of(tx: Transaction, customer_key: int, public_id: str, owner: str = "") -> AskedMessage | None:
    """Return a customer's message."""
    return next(iter(tx.select(AskedMessage, _MESSAGE, (public_id, customer_key, owner, owner))), None)


def job_ids_of(  # noqa: PLR0913 - what is asked for
    tx: Transaction,
    customer_key: int,
    since: int,
    until: int,
    owner: str = "",
    *,
    only_open: bool = False,
    offset: int = 0,
    limit: int,
) -> list[str]:
    """Return the ids of a customer's jobs that were accepted between two instants (microseconds), oldest first."""
    condition = " AND settled_at IS NULL" if only_open else ""
    found = f"{_JOB_IDS}{condition} ORDER BY accepted_at, key LIMIT ? OFFSET ?"
    return [public_id for (public_id,) in tx.rows(found, (since, until, customer_key, owner, owner, limit, offset))]


def jobs_after(  # noqa: PLR0913 - what is asked for
    tx: Transaction,
    customer_key: int,
    after: tuple[int, int],
    owner: str = "",
    *,
    only_open: bool = False,
    limit: int,
) -> list[AskedJob]:
    """Return a customer's jobs behind a place in their order, which is an instant (microseconds) and a key."""
    condition = " AND settled_at IS NULL" if only_open else ""
    found = f"{_JOBS_AFTER}{condition} ORDER BY accepted_at, key LIMIT ?"
    return tx.select(AskedJob, found, (*after, customer_key, owner, owner, limit))


def inbound_after(tx: Transaction, customer_key: int, after: int, limit: int) -> list[AskedInbound]:
    """Return a customer's inbound SMS behind a key, oldest first."""
    return tx.select(AskedInbound, f"{_INBOUND} AND s.key > ? ORDER BY s.key LIMIT ?", (customer_key, after, limit))


def find_inbound_of(tx: Transaction, customer_key: int, public_id: str) -> AskedInbound | None:
    """Return a customer's inbound SMS."""
    return next(iter(tx.select(AskedInbound, f"{_INBOUND} AND s.public_id = ?", (customer_key, public_id))), None)


def find_use(tx: Transaction, use: FirstUse, now: int) -> tuple[str, bool] | None:
    """Return the job of a request that came under this name before, and whether its content was the same."""
    rows = tx.rows_in(_USED, (use.marker, *use.recipients), (now,))
    seen = {bytes(digest): public_id for digest, public_id in rows}
    if use.marker not in seen:
        return None
    return seen[use.marker], all(key in seen for key in use.recipients)
