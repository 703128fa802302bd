"""What rules of countries did to messages, each sum of it kept once a month: many messages share one.

No job names a ruling of another month than that in which it was accepted, so those of months before the oldest job go.

Not here: the rules and what they do (countries).
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256

import peewee
from msgspec import Struct, json

from sms.report import Findings
from store.engine.database import Transaction
from store.engine.keys import to_instant, to_stored
from store.engine.rows import query
from store.engine.statements import Insert, Row
from store.tables import StoredRow


class RulingRow(StoredRow):
    """What the rules of a country did to the messages that name its `digest`; `findings` is JSON.

    `made_at` is when the first job of its month was accepted that names it.
    """

    digest = peewee.TextField(primary_key=True)
    country = peewee.TextField()
    findings = peewee.TextField()
    made_at = peewee.BigIntegerField()

    class Meta:  # noqa: D106 - peewee's configuration
        table_name = "ruling"


RULINGS = Insert(RulingRow, if_new=True)


class Ruling(Struct, frozen=True, array_like=True):
    """What the rules of a country did; `findings` is JSON."""

    digest: str
    country: str
    findings: str


_FORGET = "DELETE FROM ruling WHERE digest IN (SELECT digest FROM ruling WHERE made_at < ? LIMIT ?)"
_READ = query(Ruling, "FROM ruling WHERE digest IN (??) ORDER BY digest")


def ruling_row(country: str, findings: Findings, accepted_at: datetime) -> tuple[str, Row]:
    """Return the digest and the row of what was found for a job accepted then."""
    content = json.encode(findings).decode()
    month = _month_of(accepted_at)
    digest = sha256(f"{month:%Y-%m} {country} {content}".encode()).hexdigest()[:16]
    return digest, RULINGS.row(digest=digest, country=country, findings=content, made_at=to_stored(accepted_at))


def forget_rulings(tx: Transaction, until: int, most: int) -> int:
    """Delete so many rulings of months before `until`, in microseconds, and before the oldest job; returns how many.

    A job that is being accepted names one of the present month, which stays.
    """
    oldest = tx.value("SELECT min(accepted_at) FROM job")
    month = _month_of(to_instant(until if oldest is None else min(until, oldest)))
    return tx.execute(_FORGET, (to_stored(month), most))


def _month_of(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def read_findings(tx: Transaction, digests: Iterable[str]) -> dict[str, tuple[str, Findings]]:
    """Return the country and what was found, by digest; an empty digest, and one that is not there, says nothing."""
    wanted = {digest for digest in digests if digest}
    if not wanted:
        return {}
    found = tx.select_in(Ruling, _READ, wanted)
    return {ruling.digest: (ruling.country, json.decode(ruling.findings, type=Findings)) for ruling in found}
