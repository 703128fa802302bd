"""Changes to TLS rules, each audited, and what is in force where; weakening a rule is an act of its own.

A rule of the database never weakens the operator's file, and a customer's never the system's. Not here: what a level
demands (tls.policy), how rules are kept (store.mail_rules).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from gateway.admin.customers import Answer, Change, Edit, Fault, no_customer
from gateway.mail_rules import join_rules
from store.directory import find_customer
from store.engine.database import StorageError, Transaction
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
from tls.policy import PolicyEntry, PolicyTable, StsMode, TlsLevel, TlsPolicy, TlsVersion, find_faults

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


def enforce_tls(rule: Rule, operator: Lines, *, lower: bool = False) -> Change:
    """Set a rule beside the lines of the operator's file; `lower` allows less than what is in force for its domain."""

    def run(edit: Edit) -> Answer:
        named = _with_known_customer(edit.tx, rule)
        if isinstance(named, Fault):
            return named
        faults = find_faults(_bare_policy(named))
        if faults:
            return Fault(sentence=f"{faults[0][0].upper()}{faults[0][1:]}.")
        stronger = _find_stronger_line(named, operator)
        if stronger is not None:
            return Fault(
                sentence=f"The operator's file demands {stronger.policy.level} for {_spoken(named)}; "
                "what it demands is lowered there only."
            )
        try:
            present = read_tls_rules(edit.tx)
            before = join_rules(operator, present)
            stored = replace(named, set_at=edit.tx.now(), set_by=edit.who)
            put_tls_rule(edit.tx, stored)
            after = join_rules(operator, read_tls_rules(edit.tx))
        except RulesDamagedError as error:
            return _damaged(error)
        replaced = (item.level for item in present if (item.customer, item.domain) == (named.customer, named.domain))
        weakened = any(level.strength > named.level.strength for level in replaced)
        return _judge_change(edit, named, before, after, weakened=weakened, lower=lower)

    return run


def withdraw_tls(customer: str, domain: str, operator: Lines, *, lower: bool = False) -> Change:
    """Take a rule away, so that the scope's next line decides; `lower` allows that to demand less."""

    def run(edit: Edit) -> Answer:
        named = _with_known_customer(edit.tx, Rule(customer=customer, domain=domain, level=TlsLevel.MAY), gone=True)
        if isinstance(named, Fault):
            return named
        try:
            before = join_rules(operator, read_tls_rules(edit.tx))
            if not remove_tls_rule(edit.tx, named.customer, domain):
                return Fault(sentence=f"There is no rule for {_spoken(named)}; «tls list» names all.")
            after = join_rules(operator, read_tls_rules(edit.tx))
        except RulesDamagedError as error:
            return _damaged(error)
        return _judge_change(edit, named, before, after, weakened=False, lower=lower)

    return run


def accept_tls_rules() -> Change:
    """Take damaged rules as they stand now, so that mail goes out again under them."""

    def run(edit: Edit) -> Answer:
        try:
            read_tls_rules(edit.tx)
        except RulesDamagedError:
            pass
        else:
            return Fault(sentence="The TLS rules are as they were set; there is nothing to accept.")
        try:
            kept = read_damaged_rules(edit.tx)
        except RulesDamagedError as error:
            return Fault(sentence=f"{error}: restore the table tls_rule from a backup first.")
        seal_tls_rules(edit.tx)
        count = f"{len(kept)} rule" if len(kept) == 1 else f"{len(kept)} rules"
        return edit.done("tls.accept", "rules", f"The TLS rules are taken as they stand: {count}.", count)

    return run


def _damaged(error: StorageError) -> Fault:
    return Fault(sentence=f"{str(error)[0].upper()}{str(error)[1:]}: all mail waits. «tls accept» takes what is left.")


def _with_known_customer(tx: Transaction, rule: Rule, *, gone: bool = False) -> Rule | Fault:
    """Return the rule under its customer's own spelling; `gone` lets a customer be named that is no more."""
    if not rule.customer:
        return rule
    customer = find_customer(tx, rule.customer)
    if customer is None:
        return rule if gone else no_customer(rule.customer)
    return replace(rule, customer=customer.name)


def _bare_policy(rule: Rule) -> TlsPolicy:
    return TlsPolicy(level=rule.level, names=rule.names, pins=rule.pins, ca_file="given" if rule.authorities else "")


def _find_stronger_line(rule: Rule, operator: Lines) -> PolicyEntry | None:
    if rule.customer:
        return None
    lines = [entry for entry in operator if entry.domain.removeprefix("*") == rule.domain]
    return next((entry for entry in lines if entry.policy.level.strength > rule.level.strength), None)


def _spoken(rule: Rule) -> str:
    where = {"": "all other domains", ".": f"all domains below {rule.domain[1:]}"}.get(rule.domain[:1], rule.domain)
    return where + (f" of the customer «{rule.customer}»" if rule.customer else "")


def _probe(domain: str) -> str:
    """Return a domain for which a line of this name decides, unless a more exact one does."""
    if not domain:
        return f"{_ANY}.invalid"
    return _ANY + domain if domain.startswith(".") else domain


def _judge_change(  # noqa: PLR0913 - what was, what is, and what was allowed
    edit: Edit, rule: Rule, before: PolicyTable, after: PolicyTable, *, weakened: bool, lower: bool
) -> Answer:
    """Audit the change or refuse it; `weakened` says that the line itself demands less, whatever else is in force."""
    probe = _probe(rule.domain)
    old, new = before.find(probe, rule.customer), after.find(probe, rule.customer)
    lowers = weakened or new.policy.level.strength < old.policy.level.strength
    lowers = lowers or (
        old.policy.level.enforced
        and _AGE[new.policy.minimum_version] < _AGE[old.policy.minimum_version]
        and new.policy.level.strength <= old.policy.level.strength
    )
    if lowers and not lower:
        return Fault(
            sentence=f"That lowers {_spoken(rule)} from {_told(old)} to {_told(new)}; --lower does it all the same."
        )
    sentence = _sentence(rule, old, new)
    detail = f"{_told(old)} -> {_told(new)}" + (f"; {_material(new.policy)}" if _material(new.policy) else "")
    return edit.done("tls.lower" if lowers else "tls.enforce", _target(rule), sentence, detail)


_AGE = {version: age for age, version in enumerate(TlsVersion)}


def _target(rule: Rule) -> str:
    return f"{rule.customer}/{rule.domain or '*'}" if rule.customer else rule.domain or "*"


def _told(entry: PolicyEntry) -> str:
    return f"{entry.policy.level} ({entry.origin})"


def _material(policy: TlsPolicy) -> str:
    told = [*map(str, policy.pins), *(f"name {name}" for name in policy.names)]
    if policy.ca_file:
        told.append(f"authorities {Path(policy.ca_file).stem[:16]}…")
    if policy.minimum_version is not TlsVersion.TLS_1_2:
        told.append(f"TLS {policy.minimum_version} at least")
    return ", ".join(told)


def _sentence(rule: Rule, old: PolicyEntry, new: PolicyEntry) -> str:
    level = new.policy.level
    if old == new:
        return f"For {_spoken(rule)} nothing changes: {_told(new)} stays in force."
    effect = (
        "Mail waits where that cannot be had; waiting mail too is sent under it from its next attempt on."
        if level.enforced
        else "Mail may travel in clear."
    )
    return f"For {_spoken(rule)}: {_told(old)} became {_told(new)}. {effect}"


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
        """Tell whether mail waits rather than travels in clear."""
        return self.entry.policy.level.enforced or self.sts_enforced

    def view(self) -> dict[str, object]:
        """Return it as plain values."""
        return {
            "domain": self.domain or "*",
            "customer": self.customer,
            "level": self.entry.policy.level.value,
            "enforced": self.enforced,
            "decided_by": f"{self.entry.origin}, MTA-STS" if self.sts_enforced else self.entry.origin,
            "delivered": self.delivered,
            "in_clear": self.in_clear,
            "waiting": self.waiting,
        }


def list_domains(tx: Transaction, customer: str, operator: Lines, now: datetime) -> list[DomainState] | Fault:
    """Return every domain that mail went to or that a rule names, of one customer or of all, with what is in force."""
    if customer:
        found = find_customer(tx, customer)
        if found is None:
            return no_customer(customer)
        customer = found.name
    try:
        stored = read_tls_rules(tx)
        table = join_rules(operator, stored)
    except RulesDamagedError as error:
        return _damaged(error)
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
