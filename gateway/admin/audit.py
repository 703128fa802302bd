"""Who changed what, as rows. Not here: writing it (edit)."""

from collections.abc import Mapping
from datetime import datetime

from addressbook.canonical import canonical_address
from gateway.admin.lookup import get_customer
from store.audit import AuditSearch, read_audit
from store.directory_lookup import all_customers
from store.engine.database import Transaction
from store.engine.keys import to_instant, to_stored

_COLUMNS = ("at", "who", "action", "customer", "target", "field", "before", "after", "detail")


def list_audit(
    tx: Transaction, customer: str = "", since: datetime | None = None, about: str = "", limit: int = 50
) -> list[Mapping[str, object]]:
    """Return the newest changes, newest first: of a customer, since an instant, about one thing of this name."""
    owner = get_customer(tx, customer) if customer else None
    # A profile, list, keyword or action stands behind its customer's name.
    names = (about, canonical_address(about), f"{owner.name}/{about}" if owner is not None else None) if about else ()
    wanted = AuditSearch(
        most=limit,
        customer_key=owner.id if owner is not None else None,
        since=to_stored(since) if since is not None else None,
        about=tuple(dict.fromkeys(filter(None, names))),
    )
    customers = {item.id: item.name for item in all_customers(tx)}
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
