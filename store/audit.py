"""Who changed what: lines written with each change, and read by customer, time and target.

Not here: the lines of a directory's run, which are staged with it (directory_runs) and count once it is applied.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from msgspec import Struct

from store.directory_tables import AuditRow
from store.engine.database import Transaction
from store.engine.keys import Keys
from store.engine.rows import query
from store.engine.statements import Insert
from store.versions import COUNTS

_AUDIT = Insert(AuditRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """What was done to whom: of one value, `field`, what it was and is. `customer_key` is None for everybody's."""

    action: str
    target: str
    detail: str = ""
    customer_key: int | None = None
    field: str = ""
    before: str = ""
    after: str = ""


class AuditEntry(Struct, frozen=True, array_like=True):
    """One line as stored; `at` is in microseconds."""

    at: int
    who: str
    action: str
    target: str
    detail: str
    customer_key: int | None
    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSearch:
    """Which lines are wanted, the newest `most` of them: of a customer, since an instant (µs), about some targets."""

    most: int = 100
    customer_key: int | None = None
    since: int | None = None
    about: tuple[str, ...] = ()


def write_audit(tx: Transaction, keys: Keys, who: str, now: int, lines: Iterable[AuditLine]) -> None:
    """Record what `who` did at `now` (microseconds)."""
    tx.insert(
        _AUDIT,
        [
            _AUDIT.row(
                key=keys.take(),
                at=now,
                who=who,
                action=line.action,
                target=line.target,
                detail=line.detail,
                customer_key=line.customer_key,
                field=line.field,
                before=line.before,
                after=line.after,
            )
            for line in lines
        ],
    )


def read_audit(tx: Transaction, wanted: AuditSearch) -> list[AuditEntry]:
    """Return the newest lines that are wanted, newest first."""
    conditions, values = [COUNTS], list[object]()
    if wanted.customer_key is not None:
        conditions.append("customer_key = ?")
        values.append(wanted.customer_key)
    if wanted.since is not None:
        conditions.append("at >= ?")
        values.append(wanted.since)
    if wanted.about:
        conditions.append(f"target IN ({', '.join('?' * len(wanted.about))})")
        values += wanted.about
    found = query(AuditEntry, f"FROM audit WHERE {' AND '.join(conditions)} ORDER BY key DESC LIMIT ?")
    return tx.select(AuditEntry, found, (*values, wanted.most))
