"""What was used of limits, counted in the transaction that accepts a job: exact for any number of nodes, through kills.

A day or month has a count of its own; it begins at 0 when the first job of a later period comes. A minute is kept as
the instant at which its use will have drained (the generic cell rate algorithm, ITU-T I.371 annex A): one number, and
no two minutes' worth at the border of two minutes. The rate of a sender ID is kept likewise: a message gets the instant
at which it may go. Not here: which limits and rates bind whom (gateway.plan).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import peewee
from msgspec import Struct

from sms.job import NewJob, NewMessage
from sms.route import first_carrier
from sms.schedule import Schedule
from sms.sender_rate import SenderRate, take_turn
from sms.usage import LimitReached, UsageClaim
from store.engine.database import Transaction
from store.engine.keys import to_instant, to_stored
from store.engine.rows import query
from store.engine.statements import Insert
from store.tables import StoredRow

_MINUTE = 60_000_000


class UsageRow(StoredRow):
    """What was used of one limit since `begins_at`; of a minute, `amount` is the instant at which it will be free."""

    counter = peewee.TextField(primary_key=True)
    begins_at = peewee.BigIntegerField()
    amount = peewee.BigIntegerField()

    class Meta:  # noqa: D106 - peewee's configuration
        table_name = "usage"


class _Used(Struct, frozen=True, array_like=True):
    counter: str
    begins_at: int
    amount: int


_NEW = Insert(UsageRow, if_new=True)
_PUT = Insert(UsageRow, replace=True)
# In one order, so that two nodes never wait for each other.
_READ = query(_Used, "FROM usage WHERE counter IN (??) ORDER BY counter")
_LOCK = _READ + " FOR UPDATE"


@dataclass(frozen=True, slots=True)
class UsageNews:
    """What a job did to a limit: used so much before, and so much with it."""

    claim: UsageClaim
    before: int
    after: int


class UsageLedger:
    """The counters of a batch of jobs, or of `rates` alone, locked; `write` stores what they come to."""

    def __init__(self, tx: Transaction, jobs: Iterable[NewJob], rates: Iterable[SenderRate] = ()) -> None:
        self._tx = tx
        jobs = list(jobs)
        counters = {claim.counter for job in jobs if not job.dry_run for claim in job.usage}
        counters |= {message.rate.counter for job in jobs for message in job.messages if message.rate is not None}
        counters |= {rate.counter for rate in rates}
        self._used: dict[str, tuple[int, int]] = {}
        self._changed: set[str] = set()
        if counters:
            # A row that is not there can't be locked: two nodes would both begin with it.
            tx.insert(_NEW, [_NEW.row(counter=counter, begins_at=0, amount=0) for counter in sorted(counters)])
            self._used = {row.counter: (row.begins_at, row.amount) for row in tx.select_in(_Used, _LOCK, counters)}

    def take(self, job: NewJob, fresh: Sequence[NewMessage]) -> LimitReached | list[UsageNews]:
        """Count a job's messages; nothing is counted where one limit does not have the room."""
        if job.dry_run or not job.usage:
            return []
        now = to_stored(job.accepted_at)
        sent = [
            (message.country, first_carrier(message.route), len(message.encoded.lengths))
            for message in fresh
            if message.encoded is not None
        ]
        news, taken = list[UsageNews](), dict[str, tuple[int, int]]()
        for claim in job.usage:
            wanted = claim.amount(sent)
            if not wanted:
                continue
            before, after, row = _count(claim, self._used[claim.counter], wanted, now)
            reached = find_reached(claim, before, wanted, to_instant(now))
            if reached is not None:
                return reached
            news.append(UsageNews(claim, before, after))
            taken[claim.counter] = row
        self._used |= taken
        self._changed |= taken.keys()
        return news

    def take_turn(self, rate: SenderRate, parts: int, schedule: Schedule) -> Schedule:
        """Return when a message goes, so that its sender ID keeps to the rate, and count its parts."""
        turn, drained_at = take_turn(rate, parts, schedule, to_instant(self._used[rate.counter][1]))
        self._used[rate.counter] = (0, to_stored(drained_at))
        self._changed.add(rate.counter)
        return turn

    def write(self) -> None:
        """Store the counters that moved."""
        rows = [
            _PUT.row(counter=name, begins_at=self._used[name][0], amount=self._used[name][1])
            for name in sorted(self._changed)
        ]
        self._tx.insert(_PUT, rows)


def _count(claim: UsageClaim, row: tuple[int, int], wanted: int, now: int) -> tuple[int, int, tuple[int, int]]:
    """Return what was used of a claim, what is with `wanted` more, and the row that says so."""
    begins_at, amount = row
    if claim.begins_at is not None:
        begun = to_stored(claim.begins_at)
        used = amount if begins_at >= begun else 0
        return used, used + wanted, (max(begins_at, begun), used + wanted)
    most = claim.limit.most
    drained = max(amount - now, 0)
    used = -(-drained * most // _MINUTE)
    return used, used + wanted, (0, now + drained + wanted * _MINUTE // max(most, 1))


def find_reached(claim: UsageClaim, used: int, wanted: int, now: datetime) -> LimitReached | None:
    """Return that a limit has no room for `wanted` beside what is used; None where it has, or is only agreed."""
    over = used + wanted - claim.limit.most
    if not wanted or over <= 0 or claim.limit.agreed:
        return None
    free_at = claim.ends_at or now + timedelta(minutes=over / max(claim.limit.most, 1))
    return LimitReached(claim=claim, used=used, wanted=wanted, free_at=free_at)


def read_usage(tx: Transaction, claims: Sequence[UsageClaim], now: datetime) -> dict[str, int]:
    """Return what is used now of each claim, by its counter."""
    rows = {
        row.counter: (row.begins_at, row.amount)
        for row in tx.select_in(_Used, _READ, [claim.counter for claim in claims])
    }
    return {claim.counter: _count(claim, rows.get(claim.counter, (0, 0)), 0, to_stored(now))[0] for claim in claims}


def forget_usage(tx: Transaction, owner: int) -> None:
    """Delete the counters of an owner that is removed."""
    tx.execute("DELETE FROM usage WHERE counter >= ? AND counter < ?", (f"{owner}:", f"{owner};"))


def read_free(tx: Transaction, counters: Sequence[str]) -> dict[str, datetime]:
    """Return when what is under way of rates will have drained, by counter; one that nobody used is left out."""
    if not counters:
        return {}
    return {row.counter: to_instant(row.amount) for row in tx.select_in(_Used, _READ, set(counters))}
