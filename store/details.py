"""Details: every message of a customer with what it is searched by, newest first, however many there are.

A narrow row stands beside each message, in the order of a customer's acceptances: a filter that nothing fits reads a
million of them in a fraction of a second. A number goes through the index of messages instead. Not here: jobs as they
are searched by people (job_search), all of one job (views).
"""

# ruff: noqa: D106 - peewee's Meta is configuration, the docstring is its model's

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import peewee
from msgspec import Struct

from sms.lifecycle import OPEN, MessageState
from sms.route import SANDBOX_ROUTE
from store.engine.database import Transaction
from store.engine.rows import query
from store.engine.statements import Insert, Row, Update
from store.tables import StoredRow


class DetailRow(StoredRow):
    """What a message is searched by; it is written with the message, and again when that has ended.

    `sender` is that of its job, `sender_id` what the handset shows. `state` is empty until the message has ended, which
    was at `ended_at`; `carrier` had it last, `sent_at` is when a carrier had the first part. `reference` is the job's,
    `customer_ref` the message's. In SQLite it is WITHOUT ROWID.
    """

    customer_key = peewee.BigIntegerField()
    accepted_at = peewee.BigIntegerField()
    key = peewee.BigIntegerField()
    service = peewee.TextField()
    sender = peewee.TextField()
    sender_id = peewee.TextField()
    cost_centre = peewee.TextField()
    reference = peewee.TextField()
    customer_ref = peewee.TextField()
    country = peewee.TextField()
    state = peewee.TextField()
    carrier = peewee.TextField(default="")
    sent_at = peewee.BigIntegerField(null=True)
    ended_at = peewee.BigIntegerField(null=True)

    class Meta:
        table_name = "detail"
        primary_key = peewee.CompositeKey("customer_key", "accepted_at", "key")


DETAILS = Insert(DetailRow)


def detail_row(job: Any, message: Any, cost_centre: str, country: str) -> Row:
    """Return the row beside a new message, made of its own row and that of its job."""
    return DETAILS.row(
        customer_key=job.customer_key,
        accepted_at=job.accepted_at,
        key=message.key,
        service=job.service,
        sender=job.sender,
        sender_id=message.sender,
        cost_centre=cost_centre,
        reference=job.reference,
        customer_ref=message.customer_ref,
        country=country,
        state=message.state if message.ended else "",
        ended_at=job.accepted_at if message.ended else None,
    )


ENDED_DETAILS = Update(DetailRow, "state", "carrier", "sent_at", "ended_at", key=("customer_key", "accepted_at", "key"))


class DetailPlace(NamedTuple):
    """Where a message stands in its customer's order: when it was accepted (microseconds), and its key."""

    accepted_at: int
    key: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailFilter:
    """Which messages of a customer are wanted; what is empty or None asks for nothing.

    `number` is E.164 without the plus; `sender` an address in small letters, or `@` and a domain; `reference` a part
    of the job's or the message's, in capital or small letters (SQLite knows these of ASCII alone). Instants are
    microseconds, `until` is not within.
    """

    customer_key: int
    number: str = ""
    services: frozenset[str] = frozenset()
    states: frozenset[MessageState] = frozenset()
    sender: str = ""
    sender_id: str = ""
    cost_centre: str = ""
    reference: str = ""
    country: str = ""
    since: int | None = None
    until: int | None = None


class FoundDetail(Struct, frozen=True, array_like=True):
    """One message as a report has it. Instants are microseconds; `billed` counts parts that a carrier took.

    `reported_at` is the network's last word; `number` is E.164 without the plus, empty for a recipient that is none.
    """

    key: int
    accepted_at: int
    job_id: str
    public_id: str
    customer: str
    profile: str
    service: str
    login: str
    sender: str
    sender_id: str
    given: str
    number: str
    country: str
    state: MessageState
    reason: str
    alphabet: str
    parts: int
    billed: int
    delivered: int
    carrier: str
    flash: bool
    priority: int
    receipt_wanted: bool
    from_network: bool
    cost_centre: str
    reference: str
    customer_ref: str
    due_at: int
    sent_at: int | None
    reported_at: int | None
    ended_at: int | None

    @property
    def place(self) -> DetailPlace:
        """Where it stands; what is older begins behind it."""
        return DetailPlace(self.accepted_at, self.key)


_ACCEPTED = "FROM detail WHERE customer_key = ? AND accepted_at >= ? AND accepted_at < ?"
_PARTS = "FROM part p WHERE p.message_key = m.key"
_DETAILS = query(
    FoundDetail,
    "FROM message m JOIN job j ON j.key = m.job_key"
    " JOIN detail d ON d.customer_key = j.customer_key AND d.accepted_at = j.accepted_at AND d.key = m.key"
    " WHERE m.key IN (??)",
    "m",
    accepted_at="j.accepted_at",
    job_id="j.public_id",
    customer="j.customer",
    profile="j.profile",
    service="j.service",
    login="j.login",
    sender="j.sender",
    sender_id="m.sender",
    country="d.country",
    parts="m.part_count",
    billed=f"(SELECT COUNT(*) {_PARTS} AND p.submitted_at IS NOT NULL AND p.carrier <> '{SANDBOX_ROUTE}')",
    delivered=f"(SELECT COUNT(*) {_PARTS} AND p.state = 'delivered')",
    carrier=f"COALESCE((SELECT MAX(p.carrier) {_PARTS}), '')",
    cost_centre="d.cost_centre",
    reference="j.reference",
    sent_at=f"(SELECT MIN(p.submitted_at) {_PARTS})",
    reported_at=f"(SELECT MAX(p.reported_at) {_PARTS})",
    ended_at="d.ended_at",
)


def search_details(
    tx: Transaction, wanted: DetailFilter, most: int, after: DetailPlace | None = None
) -> list[FoundDetail]:
    """Return the newest messages that fit, at most so many; those `after` a place are older than what stands there."""
    places = find_places(tx, wanted, most, after)
    found = {one.key: one for one in tx.select_in(FoundDetail, _DETAILS, [place.key for place in places])}
    return [found[place.key] for place in places if place.key in found]


def find_places(
    tx: Transaction, wanted: DetailFilter, most: int, after: DetailPlace | None = None
) -> list[DetailPlace]:
    """Return where such messages stand."""
    places: set[DetailPlace] = set()
    for source, conditions, values in _questions(wanted):
        if after is not None:
            conditions.append("(d.accepted_at, d.key) < (?, ?)")
            values.extend(after)
        sql = (
            f"SELECT d.accepted_at, d.key FROM {source} WHERE {' AND '.join(conditions)}"  # noqa: S608 - ours
            " ORDER BY d.accepted_at DESC, d.key DESC LIMIT ?"
        )
        places |= {DetailPlace(*row) for row in tx.rows(sql, (*values, most))}
    return sorted(places, reverse=True)[:most]


def count_details(tx: Transaction, wanted: DetailFilter, most: int) -> int:
    """Return how many messages fit, `most` where there are more."""
    total = 0
    for source, conditions, values in _questions(wanted):
        fitting = f"SELECT 1 FROM {source} WHERE {' AND '.join(conditions)} LIMIT ?"  # noqa: S608 - ours
        total += int(tx.value(f"SELECT count(*) FROM ({fitting}) c", (*values, most)))  # noqa: S608 - ours
    return min(total, most)


def _questions(wanted: DetailFilter) -> Iterator[tuple[str, list[str], list[Any]]]:
    """Yield what is asked together: a source, conditions, and their values.

    Through the messages' own indexes goes a number, and what has not ended, of which there is never much.
    """
    if wanted.number:
        yield _through_messages(wanted, ["m.number = ?"], [wanted.number], wanted.states)
        return
    conditions, values = _conditions(wanted)
    ended = sorted(wanted.states - OPEN)
    if ended:
        conditions.append(f"d.state IN ({_marks(ended)})")
    if ended or not wanted.states:
        yield "detail d", conditions, [*values, *ended]
    going = wanted.states & (OPEN | {MessageState.SUBMITTED})
    if going:
        yield _through_messages(wanted, ["NOT m.ended"], [], going)


def _through_messages(
    wanted: DetailFilter, of_message: list[str], given: list[Any], states: Collection[MessageState]
) -> tuple[str, list[str], list[Any]]:
    conditions, values = _conditions(wanted)
    if states:
        conditions.append(f"m.state IN ({_marks(states)})")
        values += sorted(states)
    joined = "j.key = m.job_key AND d.customer_key = j.customer_key AND d.accepted_at = j.accepted_at AND d.key = m.key"
    # CROSS JOIN: SQLite then begins with the messages, whose index bounds the work.
    source = "message m CROSS JOIN job j CROSS JOIN detail d"
    return source, [*of_message, joined, *conditions], [*given, *values]


def count_senders(tx: Transaction, customer_key: int, since: int, until: int) -> list[tuple[str, str, int]]:
    """Return how many messages were accepted in a time (microseconds), by sender ID and state."""
    return [
        (sender_id, state, number)
        for sender_id, state, number in tx.rows(
            f"SELECT sender_id, state, COUNT(*) {_ACCEPTED} GROUP BY sender_id, state",
            (customer_key, since, until),
        )
    ]


def count_times(tx: Transaction, customer_key: int, since: int, until: int, bounds: Sequence[int]) -> list[int]:
    """Return how many of the messages accepted in a time were delivered within each bound (seconds), and later."""
    steps = " ".join(f"WHEN ended_at - sent_at <= {bound * 1_000_000} THEN {n}" for n, bound in enumerate(bounds))
    counted: dict[int, int] = dict(
        tx.rows(
            f"SELECT CASE {steps} ELSE {len(bounds)} END AS step, COUNT(*) {_ACCEPTED}"
            " AND state = 'delivered' AND sent_at IS NOT NULL GROUP BY step",
            (customer_key, since, until),
        )
    )
    return [counted.get(step, 0) for step in range(len(bounds) + 1)]


def _conditions(wanted: DetailFilter) -> tuple[list[str], list[Any]]:
    conditions, values = ["d.customer_key = ?"], list[Any]([wanted.customer_key])
    for column in ("sender_id", "cost_centre", "country"):
        if asked := getattr(wanted, column):
            conditions.append(f"d.{column} = ?")
            values.append(asked)
    if wanted.services:
        conditions.append(f"d.service IN ({_marks(wanted.services)})")
        values += sorted(wanted.services)
    if wanted.reference:
        part = f"%{escape_like(wanted.reference)}%"
        has_it = "{} ILIKE ? ESCAPE '!'"
        conditions.append(f"({has_it.format('d.reference')} OR {has_it.format('d.customer_ref')})")
        values += [part] * 2
    if wanted.sender:
        condition, value = of_sender("d.sender", wanted.sender)
        conditions.append(condition)
        values.append(value)
    for sign, instant in ((">=", wanted.since), ("<", wanted.until)):
        if instant is not None:
            conditions.append(f"d.accepted_at {sign} ?")
            values.append(instant)
    return conditions, values


def of_sender(column: str, sender: str) -> tuple[str, str]:
    """Return the condition that finds a sender, or with `@` all of a domain, and its value."""
    if not sender.startswith("@"):
        return f"{column} = ?", sender
    return f"{column} LIKE ? ESCAPE '!'", f"%{escape_like(sender)}"


def escape_like(text: str) -> str:
    """Return a text in which LIKE … ESCAPE '!' reads no sign as its own."""
    return text.replace("!", "!!").replace("_", "!_").replace("%", "!%")


def _marks(values: Collection[str]) -> str:
    return ", ".join("?" * len(values))
