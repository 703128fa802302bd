"""TLS rules and MTA-STS policies in the database: read whole, changed one by one, and sealed.

The seal is a digest over all rules that each change renews. Rules that do not fit it were lost or damaged outside of
the commands, and then nobody may guess what they said: reading raises, and mail waits. Not here: whether a change is
allowed (gateway.admin.tls_rules), what a rule demands (tls.policy).
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from msgspec import Struct

from store.engine.database import Row, StorageError, Transaction
from store.engine.keys import to_instant, to_stored
from store.engine.rows import query
from store.engine.statements import Insert
from store.mail_rules_tables import StsPolicyRow, TlsRuleRow
from store.meta import put_meta, read_meta
from tls.mtasts import CachedPolicy, StsPolicy
from tls.policy import Pin, StsMode, TlsLevel, TlsVersion, parse_pin

_VERSION = "mail_rules_version"
_SEAL = "tls_rules_seal"
_PUT_RULE = Insert(TlsRuleRow, replace=True)
_PUT_POLICY = Insert(StsPolicyRow, replace=True)
_FORGET_STS = int(timedelta(days=60).total_seconds()) * 1_000_000


class RulesDamagedError(StorageError):
    """The stored TLS rules are not those that were last set, or the one of a `domain` cannot be understood."""

    def __init__(self, domain: str | None = None) -> None:
        what = "rules are not those that were last set" if domain is None else f"rule for {domain!r} is not understood"
        super().__init__(f"the TLS {what}")
        self.domain = domain


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsRule:
    """One rule as stored; `set_at` in microseconds. `authorities` is PEM, for level private-ca."""

    customer: str
    domain: str
    level: TlsLevel
    names: tuple[str, ...] = ()
    pins: tuple[Pin, ...] = ()
    authorities: str = ""
    minimum_version: TlsVersion = TlsVersion.TLS_1_2
    set_at: int = 0
    set_by: str = ""
    require_tls: bool = False


class _Rule(Struct, frozen=True, array_like=True):
    """The same as it is stored."""

    customer: str
    domain: str
    level: str
    names: str
    pins: str
    authorities: str
    minimum_version: str
    set_at: int
    set_by: str
    require_tls: bool


class _Policy(Struct, frozen=True, array_like=True):
    policy_id: str
    mode: str
    mx: str
    max_age: int
    fetched_at: int


_RULES = query(_Rule, "FROM tls_rule ORDER BY customer, domain")
_POLICY = query(_Policy, "FROM sts_policy WHERE domain = ?")


def read_rules_version(tx: Transaction) -> int:
    """Return the version of all rules and templates: it grows with each change of any of them."""
    return int(read_meta(tx, _VERSION) or 0)


def touch_rules(tx: Transaction) -> None:
    """Say that rules or templates are different from now on."""
    put_meta(tx, _VERSION, str(read_rules_version(tx) + 1))


def read_tls_rules(tx: Transaction) -> tuple[TlsRule, ...]:
    """Return all rules. Raises RulesDamagedError where they do not fit their seal, or cannot be understood."""
    rows, seal = tx.rows(_RULES), read_meta(tx, _SEAL)
    if (rows or seal is not None) and seal != _seal_of(rows):
        raise RulesDamagedError
    return read_damaged_rules(tx)


def read_damaged_rules(tx: Transaction) -> tuple[TlsRule, ...]:
    """Return all rules, whether they fit their seal or not; for those who look after them."""
    return tuple(map(_rule, tx.select(_Rule, _RULES)))


def _seal_of(rows: Iterable[Row]) -> str:
    """Return the seal; a rule without REQUIRETLS is sealed as it was before there was such a column."""
    sealed = [[*row] if row[-1] else [*row[:-1]] for row in rows]
    return hashlib.sha256(json.dumps(sealed, ensure_ascii=True).encode()).hexdigest()


def _rule(row: _Rule) -> TlsRule:
    parsed = [parse_pin(text) for text in row.pins.split(",") if text]
    try:
        if None in parsed:
            raise ValueError  # noqa: TRY301 - both faults are one to the reader
        return TlsRule(
            customer=row.customer,
            domain=row.domain,
            level=TlsLevel(row.level),
            names=tuple(name for name in row.names.split(",") if name),
            pins=tuple(pin for pin in parsed if pin is not None),
            authorities=row.authorities,
            minimum_version=TlsVersion(row.minimum_version),
            set_at=row.set_at,
            set_by=row.set_by,
            require_tls=bool(row.require_tls),
        )
    except ValueError as error:
        raise RulesDamagedError(row.domain) from error


def seal_tls_rules(tx: Transaction) -> None:
    """Take the rules as they stand now for those that were set."""
    put_meta(tx, _SEAL, _seal_of(tx.rows(_RULES)))
    touch_rules(tx)


def put_tls_rule(tx: Transaction, rule: TlsRule) -> None:
    """Store a rule in place of the one before it. Raises RulesDamagedError rather than seal what nobody set."""
    read_tls_rules(tx)
    row = _PUT_RULE.row(
        customer=rule.customer,
        domain=rule.domain,
        level=rule.level.value,
        names=",".join(rule.names),
        pins=",".join(map(str, rule.pins)),
        authorities=rule.authorities,
        minimum_version=rule.minimum_version.value,
        set_at=rule.set_at,
        set_by=rule.set_by,
        require_tls=rule.require_tls,
    )
    tx.insert(_PUT_RULE, [row])
    seal_tls_rules(tx)


def remove_tls_rule(tx: Transaction, customer: str, domain: str) -> bool:
    """Delete a rule; False if there is none. Raises RulesDamagedError as `put_tls_rule` does."""
    read_tls_rules(tx)
    if not tx.execute("DELETE FROM tls_rule WHERE customer = ? AND domain = ?", (customer, domain)):
        return False
    seal_tls_rules(tx)
    return True


def read_sts_policy(tx: Transaction, domain: str) -> CachedPolicy | None:
    """Return the MTA-STS policy last stored for a domain, however old; None where it is not one that we know."""
    return next((_cached(row) for row in tx.select(_Policy, _POLICY, (domain,))), None)


def _cached(row: _Policy) -> CachedPolicy:
    policy = StsPolicy(
        mode=StsMode(row.mode),
        mx=tuple(host for host in row.mx.split(",") if host),
        max_age=timedelta(seconds=row.max_age),
    )
    return CachedPolicy(policy=policy, policy_id=row.policy_id, fetched_at=to_instant(row.fetched_at))


@dataclass(frozen=True, slots=True, kw_only=True)
class StsToStore:
    """A policy for a domain."""

    domain: str
    cached: CachedPolicy


def put_sts_policies(tx: Transaction, items: list[StsToStore]) -> list[None]:
    """Store policies; a batch function. What has been over for two months is forgotten."""
    for item in items:
        policy, fetched_at = item.cached.policy, to_stored(item.cached.fetched_at)
        row = _PUT_POLICY.row(
            domain=item.domain,
            policy_id=item.cached.policy_id,
            mode=policy.mode.value,
            mx=",".join(policy.mx),
            max_age=int(policy.max_age.total_seconds()),
            fetched_at=fetched_at,
        )
        tx.insert(_PUT_POLICY, [row])
        tx.execute("DELETE FROM sts_policy WHERE fetched_at + max_age * 1000000 < ?", (fetched_at - _FORGET_STS,))
    return [None] * len(items)


class ToldDomain(Struct, frozen=True, array_like=True):
    """What went to one domain for one customer: mails delivered, how many of them in clear, and how many wait."""

    domain: str
    customer: str
    delivered: int
    in_clear: int
    waiting: int


_TOLD = query(
    ToldDomain,
    "FROM outbox n JOIN job j ON j.key = n.job_key WHERE n.state <> 'skipped' AND n.channel = 'mail'"
    " GROUP BY 1, 2 ORDER BY 1, 2",
    domain="n.destination",
    customer="j.customer",
    delivered="sum(CASE WHEN n.state = 'sent' THEN 1 ELSE 0 END)",
    in_clear="sum(CASE WHEN n.state = 'sent' AND EXISTS (SELECT 1 FROM outbox_attempt a"
    " WHERE a.outbox_key = n.key AND a.outcome = 'sent' AND a.tls = '') THEN 1 ELSE 0 END)",
    waiting="sum(CASE WHEN n.state IN ('queued', 'sending') THEN 1 ELSE 0 END)",
)


def told_domains(tx: Transaction) -> list[ToldDomain]:
    """Return every domain to which something was or is to be told, per customer."""
    return tx.select(ToldDomain, _TOLD)
