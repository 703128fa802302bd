"""Registrations as they are shown: lists, and one with its papers, its history and what its country asks for.

Not here: their changes (registrations).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from addressbook.registrations import RegistrationKind, RegistrationState
from countries.judge import Judge
from countries.registering import Demands, Need
from gateway.admin.audit import AuditView, audit_lines
from gateway.admin.lookup import get_customer
from gateway.admin.registration_letters import what_of
from gateway.admin.registrations import demands_on, get_registration, missing_of
from gateway.admin.suspensions import spoken
from store.directory_lookup import all_customers
from store.engine.database import Transaction
from store.engine.keys import to_instant
from store.registrations import PaperEntry, StoredRegistration, find_registrations, papers_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRegistration:
    """A registration; `customer` is empty for everybody's, `what` how people name it, `until` the last day."""

    registration: str
    customer: str
    kind: RegistrationKind
    value: str
    what: str
    country: str
    carrier: str
    use_case: str
    company: str
    local_entity: str
    volume: int
    samples: tuple[str, ...]
    state: RegistrationState
    reason: str
    asked_by: str
    changed_at: datetime
    until: date | None
    renewing: bool
    is_warned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeRegistration:
    """A registration with its papers, its history (newest first), what its country asks for and what is missing."""

    one: ShownRegistration
    papers: tuple[PaperEntry, ...]
    history: tuple[AuditView, ...]
    demands: Demands
    missing: tuple[Need, ...]


def shown_registrations(
    tx: Transaction, customer_key: int | None = None, *, ended: bool = True
) -> list[ShownRegistration]:
    """Return the registrations of a customer, or of all, the last changed first; withdrawn ones only where wanted."""
    names = {item.key: item.name for item in all_customers(tx)}
    return [
        _shown(row, names.get(row.customer_key, ""))
        for row in find_registrations(tx, customer_key)
        if ended or row.state is not RegistrationState.WITHDRAWN
    ]


def whole_registration(
    tx: Transaction, registration: str, judge: Judge, now: datetime, customer: str = ""
) -> WholeRegistration:
    """Return one registration (of a customer) with all that is known of it. Raises AdminFault."""
    row = get_registration(tx, registration, customer)
    names = {item.key: item.name for item in all_customers(tx)}
    demands = demands_on(tx, row, judge, now)
    return WholeRegistration(
        one=_shown(row, names.get(row.customer_key, "")),
        papers=tuple(papers_of(tx, row.key)),
        history=tuple(audit_lines(tx, customer_key=row.customer_key or None, target=row.public_id)),
        demands=demands,
        missing=tuple(missing_of(tx, row, demands)),
    )


def list_registrations(tx: Transaction, customer: str = "", *, ended: bool = False) -> list[Mapping[str, object]]:
    """Return registrations as rows, the last changed first; withdrawn ones only where wanted."""
    key = get_customer(tx, customer).key if customer else None
    return [
        {
            "registration": one.registration,
            "customer": one.customer or "everybody",
            "what": one.what,
            "country": one.country,
            "carrier": one.carrier or "each",
            "use_case": one.use_case or "each",
            "state": one.state.value,
            "until": one.until.isoformat() if one.until is not None else "",
            "reason": one.reason,
            "changed": spoken(one.changed_at),
        }
        for one in shown_registrations(tx, key, ended=ended)
    ]


def show_registration(tx: Transaction, registration: str, judge: Judge, now: datetime) -> Mapping[str, object]:
    """Return a registration with its papers, history, and what its country asks for."""
    whole = whole_registration(tx, registration, judge, now)
    one = whole.one
    return {
        "registration": one.registration,
        "customer": one.customer or "everybody",
        "kind": one.kind.value,
        "value": one.value,
        "country": one.country,
        "carrier": one.carrier,
        "use_case": one.use_case,
        "company": one.company,
        "local_entity": one.local_entity,
        "volume": one.volume,
        "samples": list(one.samples),
        "state": one.state.value,
        "until": one.until.isoformat() if one.until is not None else "",
        "reason": one.reason,
        "renewal_asked": one.renewing,
        "asked_by": one.asked_by,
        "needs": sorted(map(str, whole.demands.needs)),
        "missing": list(map(str, whole.missing)),
        "obstacle": whole.demands.obstacle.detail if whole.demands.obstacle is not None else "",
        "rules": {rule.name.value: f"{rule.value} ({rule.mode})" for rule in whole.demands.rules},
        "papers": {paper.name: f"{paper.kind}, {paper.media_type}, {paper.size} octets" for paper in whole.papers},
        "history": [f"{spoken(line.at)} {line.who}: {line.action} {line.detail}" for line in whole.history],
    }


def _shown(row: StoredRegistration, customer: str) -> ShownRegistration:
    return ShownRegistration(
        registration=row.public_id,
        customer=customer,
        kind=row.kind,
        value=row.value,
        what=what_of(row),
        country=row.country,
        carrier=row.carrier,
        use_case=row.use_case,
        company=row.company,
        local_entity=row.local_entity,
        volume=row.volume,
        samples=tuple(json.loads(row.samples)),
        state=row.state,
        reason=row.reason,
        asked_by=row.asked_by,
        changed_at=to_instant(row.changed_at),
        until=row.until,
        renewing=row.renewing,
        is_warned=row.warned_at is not None,
    )
