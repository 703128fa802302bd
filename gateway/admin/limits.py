"""Limits of use as they stand: how much, what is used and what is left. Not here: changing them (constraints)."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from addressbook.hierarchy import Constraints, LayerKind
from addressbook.people import Directory
from addressbook.snapshot import Snapshot
from gateway.usage_claims import claim_of
from sms.usage import UsageClaim
from store.engine.database import Transaction
from store.usage import read_usage


def list_limits(tx: Transaction, snapshot: Snapshot, customer: str, now: datetime) -> list[Mapping[str, object]]:
    """Return all limits of use, or those that bind a customer's senders, as rows: the system's first."""
    directory = snapshot.directory
    wanted = directory.customer_named(customer) if customer else None
    found = [
        (owner.name if (owner := directory.customer(customer_id)) is not None else "", rules, claim)
        for customer_id, rules, claim in _claims(snapshot, now)
        if wanted is None or customer_id in (0, wanted.key)
    ]
    used = read_usage(tx, [claim for _, _, claim in found], now)
    order = sorted(found, key=lambda item: (item[0], list(LayerKind).index(item[1].kind), item[1].owner))
    return [{"customer": name, **limit_row(claim, used[claim.counter])} for name, _, claim in order]


def _claims(snapshot: Snapshot, now: datetime) -> Iterator[tuple[int, Constraints, UsageClaim]]:
    for owner, rules in snapshot.layers.all_constraints().items():
        customer_id = _customer_of(snapshot.directory, owner, rules)
        for limit in rules.usage:
            yield customer_id, rules, claim_of(snapshot, owner, rules, limit, customer_id, now)


def _customer_of(directory: Directory, owner: int, rules: Constraints) -> int:
    if rules.kind is LayerKind.PROFILE and (profile := directory.profile(owner)) is not None:
        return profile.customer_id
    if rules.kind is LayerKind.USER and (user := directory.user_with_id(owner)) is not None:
        return user.customer_id
    return owner


def limit_row(claim: UsageClaim, used: int) -> Mapping[str, object]:
    """Return a limit as a row: whose it is, how much, what is used and left, and when it begins anew."""
    most = claim.limit.most
    ends_at = claim.ends_at.astimezone(ZoneInfo(claim.zone)).strftime("%Y-%m-%d %H:%M") if claim.ends_at else ""
    return {
        "of": claim.owner,
        "limit": claim.limit.name,
        "most": most,
        "used": used,
        "left": max(most - used, 0),
        "begins_anew": ends_at and f"{ends_at} {claim.zone}",
    }
