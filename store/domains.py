"""Sender domains: who owns one or what is above it, whose users are below it, and claims that wait for their proof.

Not here: giving a domain to a customer (directory_changes), what proves a claim (gateway.admin.domains).
"""

from collections.abc import Iterable

from msgspec import Struct

from addressbook.canonical import domains_above
from addressbook.people import Customer
from store.directory_lookup import find_customer_by_key
from store.directory_tables import DomainClaimRow
from store.engine.database import Transaction
from store.engine.rows import query
from store.engine.statements import Insert
from store.versions import AWAITED

_CLAIM = Insert(DomainClaimRow)


class DomainClaim(Struct, frozen=True, array_like=True):
    """A canonical domain that a customer says is its own; `claimed_at` is in microseconds."""

    domain: str
    token: str
    claimed_at: int


_CLAIMS = query(DomainClaim, "FROM domain_claim WHERE customer_key = ? ORDER BY domain")
_BELOW = (
    f"SELECT address, customer_key FROM mail_user WHERE {AWAITED}"  # noqa: S608 - a condition of ours
    " AND (address LIKE ? ESCAPE '!' OR address LIKE ? ESCAPE '!')"
)


def find_domain_owner(tx: Transaction, domain: str) -> Customer | None:
    """Return the customer that has exactly this canonical domain."""
    rows = tx.rows("SELECT customer_key FROM customer_domain WHERE domain = ?", (domain,))
    return find_customer_by_key(tx, rows[0][0]) if rows else None


def find_domain_owners(tx: Transaction, domains: Iterable[str], *, below: str = "") -> dict[str, int]:
    """Return the owner of each of these canonical domains, or of the nearest above it; nobody's are left out.

    With `below` only domains below that one count.
    """
    wanted = set(domains)
    above = {item for domain in wanted for item in domains_above(domain) if len(item) > len(below)}
    owners: dict[str, int] = dict(
        tx.rows_in("SELECT domain, customer_key FROM customer_domain WHERE domain IN (??)", above)
    )
    found = {domain: next((item for item in domains_above(domain) if item in owners), "") for domain in wanted}
    return {domain: owners[nearest] for domain, nearest in found.items() if nearest}


def users_below(tx: Transaction, domain: str) -> dict[int, list[str]]:
    """Return the addresses of users, and of those awaited, in a canonical domain or below it, by customer."""
    pattern = domain.replace("_", "!_")
    found: dict[int, list[str]] = {}
    for address, customer_key in tx.rows(_BELOW, (f"%@{pattern}", f"%@%.{pattern}")):
        found.setdefault(customer_key, []).append(address)
    return found


def claims_of(tx: Transaction, customer_key: int) -> list[DomainClaim]:
    """Return the claims of a customer by domain."""
    return tx.select(DomainClaim, _CLAIMS, (customer_key,))


def add_claim(tx: Transaction, customer_key: int, domain: str, token: str, now: int) -> None:
    """Store a new claim."""
    tx.insert(_CLAIM, [_CLAIM.row(customer_key=customer_key, domain=domain, token=token, claimed_at=now)])


def remove_claim(tx: Transaction, customer_key: int, domain: str) -> None:
    """Delete a claim, if there is one."""
    tx.execute("DELETE FROM domain_claim WHERE customer_key = ? AND domain = ?", (customer_key, domain))
