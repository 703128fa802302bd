"""Changes to TLS rules, each audited, and what is in force where; weakening a rule is an act of its own.

A rule of the database never weakens the operator's file, and a customer's never the system's. Not here: what a level
demands (tls.policy), how rules are kept (store.mail_rules).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from gateway.admin.edit import AuditAction, Changed, Edit, Subject, ValueChange
from gateway.admin.faults import AdminFault, FaultCode
from gateway.admin.lookup import get_customer
from gateway.mail_rules import join_rules
from sms.facts import Fact
from store.directory_lookup import find_customer
from store.engine.database import Transaction
from store.mail_rules import (
    RulesDamagedError,
    ToldDomain,
    put_tls_rule,
    read_damaged_rules,
    read_sts_policy,
    read_tls_rules,
    remove_tls_rule,
    seal_tls_rules,
    told_domains,
)
from store.mail_rules import TlsRule as Rule
from tls.names import parse_domain
from tls.policy import PolicyEntry, PolicyTable, StsMode, TlsPolicy, TlsVersion, find_faults

TlsRule = Rule
# A name that nobody can have a line for: it stands for all domains that have none.
_ANY = "any-other--name"


Lines = Sequence[PolicyEntry]


def parse_rule_domain(text: str) -> str | None:
    """Return a domain as rules name it: "" for `*`, `.example.com` for all below, or a name; None for anything else."""
    if text == "*":
        return ""
    name = parse_domain(text.removeprefix("."))
    if name is None or ("." not in name and not text.startswith(".")):
        return None
    return f".{name}" if text.startswith(".") else name


def enforce_tls(edit: Edit, rule: Rule, operator: Lines, *, lower: bool = False) -> Changed:
    """Set a rule beside the lines of the operator's file; `lower` allows less than what is in force for its domain."""
    customer = get_customer(edit.tx, rule.customer).name if rule.customer else ""
    named = replace(rule, customer=customer)
    faults = find_faults(_bare_policy(named))
    if faults:
        fault, name = faults[0]
        raise AdminFault(FaultCode.TLS_RULE_UNUSABLE, fault=fault.value, level=named.level.value, name=name)
    stronger = _find_stronger_line(named, operator)
    if stronger is not None:
        level = stronger.policy.level.value
        raise AdminFault(FaultCode.TLS_BELOW_OPERATOR, level=level, domain=named.domain, customer=customer)
    with _damage_as_fault():
        present = read_tls_rules(edit.tx)
        before = join_rules(operator, present)
        put_tls_rule(edit.tx, replace(named, set_at=edit.tx.now(), set_by=edit.who))
        after = join_rules(operator, read_tls_rules(edit.tx))
    replaced = (item for item in present if (item.customer, item.domain) == (customer, named.domain))
    weakened = any(
        item.level.strength > named.level.strength or (item.require_tls and not named.require_tls) for item in replaced
    )
    return _judge_change(edit, (named.domain, customer), before, after, weakened=weakened, lower=lower)


def withdraw_tls(edit: Edit, customer: str, domain: str, operator: Lines, *, lower: bool = False) -> Changed:
    """Take a rule away, so that the scope's next line decides; `lower` allows that to demand less.

    A rule outlives its customer, so that may be one that is no more.
    """
    found = find_customer(edit.tx, customer) if customer else None
    customer = found.name if found is not None else customer
    with _damage_as_fault():
        before = join_rules(operator, read_tls_rules(edit.tx))
        if not remove_tls_rule(edit.tx, customer, domain):
            raise AdminFault(FaultCode.NO_TLS_RULE, domain=domain, customer=customer)
        after = join_rules(operator, read_tls_rules(edit.tx))
    return _judge_change(edit, (domain, customer), before, after, weakened=False, lower=lower)


def accept_tls_rules(edit: Edit) -> Changed:
    """Take damaged rules as they stand now, so that mail goes out again under them."""
    with suppress(RulesDamagedError):
        read_tls_rules(edit.tx)
        raise AdminFault(FaultCode.TLS_RULES_INTACT)
    try:
        kept = read_damaged_rules(edit.tx)
    except RulesDamagedError as error:
        raise _fault_of(error) from None
    seal_tls_rules(edit.tx)
    return edit.done(AuditAction.ACCEPT_TLS_RULES, Subject("rules", None, f"rules: {len(kept)}"), rules=len(kept))


@contextmanager
def _damage_as_fault() -> Iterator[None]:
    try:
        yield
    except RulesDamagedError as error:
        raise _fault_of(error) from None


def _fault_of(error: RulesDamagedError) -> AdminFault:
    if error.domain is None:
        return AdminFault(FaultCode.TLS_RULES_DAMAGED)
    return AdminFault(FaultCode.TLS_RULES_LOST, domain=error.domain)


def _bare_policy(rule: Rule) -> TlsPolicy:
    return TlsPolicy(
        level=rule.level,
        names=rule.names,
        pins=rule.pins,
        ca_file="given" if rule.authorities else "",
        require_tls=rule.require_tls,
    )


def _find_stronger_line(rule: Rule, operator: Lines) -> PolicyEntry | None:
    if rule.customer:
        return None
    lines = [entry for entry in operator if entry.domain.removeprefix("*") == rule.domain]
    return next((entry for entry in lines if entry.policy.level.strength > rule.level.strength), None)


def _probe(domain: str) -> str:
    """Return a domain for which a line of this name decides, unless a more exact one does."""
    if not domain:
        return f"{_ANY}.invalid"
    return _ANY + domain if domain.startswith(".") else domain


def _judge_change(  # noqa: PLR0913 - what was, what is, and what was allowed
    edit: Edit, place: tuple[str, str], before: PolicyTable, after: PolicyTable, *, weakened: bool, lower: bool
) -> Changed:
    """Audit the change or refuse it; `weakened` says that the line itself demands less, whatever else is in force."""
    domain, customer = place
    probe = _probe(domain)
    old, new = before.find(probe, customer), after.find(probe, customer)
    lowers = weakened or new.policy.level.strength < old.policy.level.strength
    lowers = lowers or (old.policy.require_tls and not new.policy.require_tls)
    lowers = lowers or (
        old.policy.enforced
        and _AGE[new.policy.minimum_version] < _AGE[old.policy.minimum_version]
        and new.policy.level.strength <= old.policy.level.strength
    )
    facts: dict[str, Fact] = {"domain": domain, "customer": customer, "before": _told(old), "after": _told(new)}
    if lowers and not lower:
        raise AdminFault(FaultCode.TLS_LOWERED, **facts)
    owner = find_customer(edit.tx, customer) if customer else None
    facts |= {"changes": old != new, "enforced": new.policy.enforced}
    return edit.done(
        AuditAction.LOWER_TLS if lowers else AuditAction.ENFORCE_TLS,
        Subject(
            f"{customer}/{domain or '*'}" if customer else domain or "*",
            owner.key if owner is not None else None,
            _material(new.policy),
            values=[ValueChange("level", _told(old), _told(new))],
        ),
        **facts,
    )


_AGE = {version: age for age, version in enumerate(TlsVersion)}


def _told(entry: PolicyEntry) -> str:
    return f"{entry.policy.label} ({entry.origin})"


def _material(policy: TlsPolicy) -> str:
    told = [*map(str, policy.pins), *(f"name {name}" for name in policy.names)]
    if policy.ca_file:
        told.append(f"authorities {Path(policy.ca_file).stem[:16]}…")
    if policy.minimum_version is not TlsVersion.TLS_1_2:
        told.append(f"TLS {policy.minimum_version} at least")
    return ", ".join(told)


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainState:
    """One domain of one customer: what is in force and since where, and what went out to it so far.

    `sts_enforced` tells that its owner demands TLS by an MTA-STS policy that is known and live (RFC 8461 §5).
    """

    domain: str
    customer: str
    entry: PolicyEntry
    delivered: int = 0
    in_clear: int = 0
    waiting: int = 0
    sts_enforced: bool = False

    @property
    def enforced(self) -> bool:
        """Whether mail waits rather than travels in clear."""
        return self.entry.policy.enforced or self.sts_enforced

    def view(self) -> dict[str, object]:
        """Return it as plain values."""
        return {
            "domain": self.domain or "*",
            "customer": self.customer,
            "level": self.entry.policy.label,
            "enforced": self.enforced,
            "decided_by": f"{self.entry.origin}, MTA-STS" if self.sts_enforced else self.entry.origin,
            "delivered": self.delivered,
            "in_clear": self.in_clear,
            "waiting": self.waiting,
        }


def list_domains(tx: Transaction, customer: str, operator: Lines, now: datetime) -> list[DomainState]:
    """Return every domain that mail went to or that a rule names, of one customer or of all, with what is in force."""
    if customer:
        customer = get_customer(tx, customer).name
    with _damage_as_fault():
        stored = read_tls_rules(tx)
        table = join_rules(operator, stored)
    told = {(parse_domain(item.domain) or item.domain, item.customer): item for item in told_domains(tx)}
    ruled = {(rule.domain, rule.customer) for rule in stored}
    ruled |= {(entry.domain.removeprefix("*"), "") for entry in operator}
    known = {*told, *ruled}
    return [
        replace(_state(domain, owner, table, told.get((domain, owner))), sts_enforced=_is_sts_enforced(tx, domain, now))
        for domain, owner in sorted(known, key=lambda place: (place[0].lstrip("."), place[0], place[1]))
        if not customer or owner == customer
    ]


def _is_sts_enforced(tx: Transaction, domain: str, now: datetime) -> bool:
    cached = read_sts_policy(tx, domain)
    return cached is not None and cached.policy.mode is StsMode.ENFORCE and cached.is_live(now)


def _state(domain: str, customer: str, table: PolicyTable, told: ToldDomain | None) -> DomainState:
    entry = table.find(_probe(domain), customer)
    if told is None:
        return DomainState(domain=domain, customer=customer, entry=entry)
    return DomainState(
        domain=domain,
        customer=customer,
        entry=entry,
        delivered=told.delivered,
        in_clear=told.in_clear,
        waiting=told.waiting,
    )
