"""Who changed what, as rows. Not here: writing it (edit)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from addressbook.canonical import canonical_address
from gateway.admin.lookup import get_customer
from store.audit import AuditSearch, read_audit
from store.directory_lookup import all_customers
from store.engine.database import Transaction
from store.engine.keys import to_instant, to_stored

_COLUMNS = ("at", "who", "action", "customer", "target", "field", "before", "after", "detail")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditView:
    """One line: who did what to whom, and one value from what to what."""

    at: datetime
    who: str
    action: str
    target: str
    detail: str
    field: str
    before: str
    after: str


def audit_lines(
    tx: Transaction, *, customer_key: int | None = None, target: str = "", most: int = 50
) -> list[AuditView]:
    """Return the newest lines, newest first: of a customer, about one target."""
    wanted = AuditSearch(most=most, customer_key=customer_key, about=(target,) if target else ())
    return [
        AuditView(
            at=to_instant(entry.at),
            who=entry.who,
            action=entry.action,
            target=entry.target,
            detail=entry.detail,
            field=entry.field,
            before=entry.before,
            after=entry.after,
        )
        for entry in read_audit(tx, wanted)
    ]


def list_audit(
    tx: Transaction, customer: str = "", since: datetime | None = None, about: str = "", limit: int = 50
) -> list[Mapping[str, object]]:
    """Return the newest changes, newest first: of a customer, since an instant, about one thing of this name."""
    owner = get_customer(tx, customer) if customer else None
    # A profile, list, keyword or action stands behind its customer's name.
    names = (about, canonical_address(about), f"{owner.name}/{about}" if owner is not None else None) if about else ()
    wanted = AuditSearch(
        most=limit,
        customer_key=owner.key if owner is not None else None,
        since=to_stored(since) if since is not None else None,
        about=tuple(dict.fromkeys(filter(None, names))),
    )
    customers = {item.key: item.name for item in all_customers(tx)}
    return [
        dict(
            zip(
                _COLUMNS,
                (
                    to_instant(entry.at).isoformat(timespec="seconds"),
                    entry.who,
                    entry.action,
                    customers.get(entry.customer_key or 0, ""),
                    entry.target,
                    entry.field,
                    entry.before,
                    entry.after,
                    entry.detail,
                ),
                strict=True,
            )
        )
        for entry in read_audit(tx, wanted)
    ]
