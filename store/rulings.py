"""What rules of countries did to messages, each sum of it kept once: many messages share one.

Not here: the rules and what they do (countries).
"""

from collections.abc import Iterable
from hashlib import sha256

import peewee
from msgspec import Struct, json

from sms.report import Findings
from store.engine.database import Transaction
from store.engine.rows import query
from store.engine.statements import Insert, Row
from store.tables import StoredRow


class RulingRow(StoredRow):
    """What the rules of a country did to the messages that name its `digest`; `findings` is JSON."""

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


_READ = query(Ruling, "FROM ruling WHERE digest IN (??) ORDER BY digest")


def ruling_row(country: str, findings: Findings, made_at: int) -> Row:
    """Return the row of what was found; its first column is the digest."""
    content = json.encode(findings).decode()
    digest = sha256(f"{country} {content}".encode()).hexdigest()[:16]
    return RULINGS.row(digest=digest, country=country, findings=content, made_at=made_at)


def read_findings(tx: Transaction, digests: Iterable[str]) -> dict[str, tuple[str, Findings]]:
    """Return the country and what was found, by digest; an empty digest, and one that is not there, says nothing."""
    wanted = {digest for digest in digests if digest}
    if not wanted:
        return {}
    found = tx.select_in(Ruling, _READ, wanted)
    return {ruling.digest: (ruling.country, json.decode(ruling.findings, type=Findings)) for ruling in found}
