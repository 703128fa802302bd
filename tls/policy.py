"""TLS per recipient domain: what is demanded of a host.

A demand is chosen once per domain and customer, before any connection: system, then customer, then domain, each can
only raise it; then the results of DANE and MTA-STS are added. Not here: what a connection achieved (tls.verdict),
contexts, DNS, fetching policies; nothing in this file waits or reads a clock.
Model: levels as Postfix names them; demanded and achieved kept apart as maddy does. RFC 7672, RFC 8461, RFC 8689.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from tls.names import matches_name, parse_domain
from tls.result_types import ResultType

_SHA256_HEX = 64


class TlsLevel(StrEnum):
    """Levels of safety, weakest first: the order of definition is the order of strength."""

    NONE = "none"
    MAY = "may"
    ENCRYPT = "encrypt"
    DANE = "dane"
    VERIFY = "verify"
    MTA_STS = "mta-sts"
    SECURE = "secure"
    DANE_ONLY = "dane-only"
    PRIVATE_CA = "private-ca"
    FINGERPRINT = "fingerprint"

    @property
    def strength(self) -> int:
        """Return the rank among all levels, 0 for none."""
        return _STRENGTH[self]

    @property
    def enforced(self) -> bool:
        """Whether mail waits rather than travel in clear."""
        return self.strength >= _STRENGTH[TlsLevel.ENCRYPT]

    @property
    def discovers(self) -> bool:
        """Whether DANE and MTA-STS of the domain are looked up; explicit pins and no TLS at all need neither."""
        return self not in {TlsLevel.NONE, TlsLevel.PRIVATE_CA, TlsLevel.FINGERPRINT}


_STRENGTH: Mapping[TlsLevel, int] = {level: rank for rank, level in enumerate(TlsLevel)}


class TlsVersion(StrEnum):
    """The oldest protocol version allowed; TLS_1_0 is the explicit exception for one old domain."""

    TLS_1_0 = "1.0"
    TLS_1_2 = "1.2"
    TLS_1_3 = "1.3"


class PinKind(StrEnum):
    """What a pin's digest is of."""

    CERTIFICATE = "cert"
    PUBLIC_KEY = "spki"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """SHA-256 of a certificate or of its SubjectPublicKeyInfo, lower-case hex."""

    kind: PinKind
    digest: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.digest}"


def parse_pin(text: str) -> Pin | None:
    """Return a pin from `cert:HEX` or `spki:HEX` (colons inside the hex allowed), None for anything else."""
    kind, _, digits = text.strip().partition(":")
    digest = digits.replace(":", "").lower()
    if len(digest) != _SHA256_HEX or set(digest) - set("0123456789abcdef"):
        return None
    try:
        return Pin(kind=PinKind(kind.lower()), digest=digest)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsPolicy:
    """A level with what it needs: `names` for secure and private-ca, `pins` for fingerprint, `ca_file` for private-ca.

    A name is a host name or `.example.com` for everything below; no names means the domain and what is below it, or
    the configured host of a route. `ciphers` is an OpenSSL list for TLS 1.2, empty for the built-in choice.
    `require_tls`: only over verified TLS, to servers that offer REQUIRETLS (RFC 8689 §4.2.1).
    """

    level: TlsLevel
    names: tuple[str, ...] = ()
    pins: tuple[Pin, ...] = ()
    ca_file: str = ""
    minimum_version: TlsVersion = TlsVersion.TLS_1_2
    ciphers: str = ""
    require_tls: bool = False

    @property
    def enforced(self) -> bool:
        """Whether mail waits rather than travel in clear."""
        return self.level.enforced or self.require_tls

    @property
    def label(self) -> str:
        """The level, and whether REQUIRETLS is demanded beside it."""
        return f"{self.level} + REQUIRETLS" if self.require_tls else self.level.value


class PolicyFault(StrEnum):
    """What makes a policy unusable."""

    PINS_MISSING = "pins-missing"
    CA_FILE_MISSING = "ca-file-missing"
    PINS_OF_ANOTHER_LEVEL = "pins-of-another-level"
    CA_FILE_OF_ANOTHER_LEVEL = "ca-file-of-another-level"
    BAD_HOST_NAME = "bad-host-name"
    REQUIRETLS_WITHOUT_TLS = "requiretls-without-tls"


def find_faults(policy: TlsPolicy) -> tuple[tuple[PolicyFault, str], ...]:
    """Return what makes the policy unusable, each with the name at fault, if it is one; empty if it can be used."""
    is_pinned, has_authority = policy.level is TlsLevel.FINGERPRINT, policy.level is TlsLevel.PRIVATE_CA
    found = {
        PolicyFault.PINS_MISSING: is_pinned and not policy.pins,
        PolicyFault.CA_FILE_MISSING: has_authority and not policy.ca_file,
        PolicyFault.PINS_OF_ANOTHER_LEVEL: policy.pins and not is_pinned,
        PolicyFault.CA_FILE_OF_ANOTHER_LEVEL: policy.ca_file and not has_authority,
        PolicyFault.REQUIRETLS_WITHOUT_TLS: policy.require_tls and policy.level is TlsLevel.NONE,
    }
    bad = (name for name in policy.names if parse_domain(name.removeprefix(".")) is None)
    return (
        *((fault, "") for fault, is_so in found.items() if is_so),
        *((PolicyFault.BAD_HOST_NAME, name) for name in bad),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyEntry:
    """One line of the table.

    `domain` is a name, `.example.com` for all below it, or empty for the scope's default; `customer` is empty for the
    system's own lines. A customer's default at encrypt or above is «enforce or defer» for all its domains.
    """

    policy: TlsPolicy
    domain: str = ""
    customer: str = ""

    @property
    def origin(self) -> str:
        """Name the source of the line, for logs and reasons."""
        owner = f"customer {self.customer}" if self.customer else "system"
        if not self.domain.removeprefix("*"):
            return owner
        return f"domain {self.domain}" + (f" of {owner}" if self.customer else "")


BUILT_IN = PolicyEntry(policy=TlsPolicy(level=TlsLevel.MAY))


class PolicyUnavailableError(Exception):
    """The policy table cannot be read: all mail waits."""


@dataclass(frozen=True, slots=True)
class PolicyTable:
    """All lines; at most one per customer and domain, later ones replace earlier ones. `*` reads as no domain."""

    entries: tuple[PolicyEntry, ...] = ()
    _by_key: Mapping[tuple[str, str], PolicyEntry] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        keyed = {(entry.customer, entry.domain.removeprefix("*")): entry for entry in self.entries}
        object.__setattr__(self, "_by_key", keyed)

    def find(self, domain: str, customer: str = "") -> PolicyEntry:
        """Return the line in force: the system's, raised by the customer's; within each the most specific line.

        A later scope replaces an earlier one if it is stronger, or as strong while the earlier named no domain; its
        REQUIRETLS stays all the same.
        """
        chosen = self._by_key.get(("", ""), BUILT_IN)
        required = chosen.policy.require_tls
        steps = [self._most_specific("", domain)]
        if customer:
            steps += [self._by_key.get((customer, "")), self._most_specific(customer, domain)]
        for rank, entry in enumerate(steps):
            if entry is None:
                continue
            required = entry.policy.require_tls or (required and rank > 0)
            gained = entry.policy.level.strength - chosen.policy.level.strength
            # The system's own line for a domain may also lower the system's default: it is the same owner's exception.
            if gained > 0 or rank == 0 or (gained == 0 and not chosen.domain.removeprefix("*")):
                chosen = entry
        return _requiring(chosen) if required else chosen

    def _most_specific(self, customer: str, domain: str) -> PolicyEntry | None:
        exact = self._by_key.get((customer, domain)) if domain else None
        if exact is not None:
            return exact
        _, dot, parent = domain.partition(".")
        while dot:
            below = self._by_key.get((customer, f".{parent}"))
            if below is not None:
                return below
            _, dot, parent = parent.partition(".")
        return None


def _requiring(entry: PolicyEntry) -> PolicyEntry:
    return replace(entry, policy=replace(entry.policy, require_tls=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tlsa:
    """One TLSA record, RFC 6698 §2.1."""

    usage: int
    selector: int
    matching: int
    data: bytes


class DaneState(StrEnum):
    """The result of the look-up of TLSA records for one host (RFC 7672 §2.1, §2.2)."""

    NOT_SOUGHT = "not-sought"
    ABSENT = "absent"
    UNUSABLE = "unusable"
    USABLE = "usable"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DaneResult:
    """TLSA of one host. `base` is the TLSA base domain, used as SNI; `host_secure`: DNSSEC proves the host."""

    state: DaneState = DaneState.NOT_SOUGHT
    records: tuple[Tlsa, ...] = ()
    base: str = ""
    cause: str = ""


class StsMode(StrEnum):
    """The mode of an MTA-STS policy, RFC 8461 §3.2; ABSENT if there is none, FAILED if the look-up failed."""

    ABSENT = "absent"
    NONE = "none"
    TESTING = "testing"
    ENFORCE = "enforce"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class StsResult:
    """The MTA-STS policy in force for a domain; `mx` holds its patterns, `max_age` is in seconds.

    `fault` is what a TLS report calls the failure to get it.
    """

    mode: StsMode = StsMode.ABSENT
    mx: tuple[str, ...] = ()
    cause: str = ""
    max_age: int = 0
    fault: ResultType | None = None


class HostProof(StrEnum):
    """How sure we are that the host really serves the domain."""

    UNPROVEN = "unproven"
    DNSSEC = "dnssec"
    CONFIGURED = "configured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What one host must show for one domain. `blocked` says why the host can never satisfy it."""

    domain: str
    host: str
    policy: TlsPolicy
    origin: str
    proof: HostProof = HostProof.UNPROVEN
    dane: DaneResult = DaneResult()
    sts: StsResult = StsResult()
    blocked: str = ""

    @property
    def level(self) -> TlsLevel:
        """Return the level as configured; DANE and MTA-STS add to it."""
        return self.policy.level

    @property
    def dane_in_force(self) -> bool:
        """Whether usable TLSA records must match."""
        return self.dane.state is DaneState.USABLE

    @property
    def sts_in_force(self) -> bool:
        """Whether an MTA-STS policy must be met; DANE comes first (RFC 8461 §2)."""
        return self.sts.mode is StsMode.ENFORCE and not self.dane_in_force

    @property
    def tls_required(self) -> bool:
        """Whether no MAIL command may be sent in clear."""
        published = self.dane.state in {DaneState.USABLE, DaneState.UNUSABLE} or self.sts_in_force
        return self.policy.enforced or published

    @property
    def needs_authority(self) -> bool:
        """Whether the handshake must verify the chain up to a certificate authority."""
        if self.level in {TlsLevel.SECURE, TlsLevel.PRIVATE_CA, TlsLevel.VERIFY}:
            return True
        required = self.policy.require_tls and self.level is not TlsLevel.FINGERPRINT
        return not self.dane_in_force and (self.sts_in_force or self.level is TlsLevel.MTA_STS or required)

    @property
    def sni(self) -> str:
        """Return the name to send in the handshake (RFC 7672 §8.1, RFC 8461 §4.1)."""
        return self.dane.base if self.dane_in_force and self.dane.base else self.host

    def with_dane(self, dane: DaneResult) -> "Demand":
        """Return the same demand with the result for the host's TLSA records."""
        bare = replace(self, dane=dane, blocked="")
        return replace(bare, blocked=_find_block(bare))

    def __str__(self) -> str:
        added = " + DANE" if self.dane_in_force else " + MTA-STS" if self.sts_in_force else ""
        added += " + REQUIRETLS" if self.policy.require_tls else ""
        return f"{self.level}{added} ({self.origin})"


def decide_policy(  # noqa: PLR0913 - one argument per thing that has a say
    domain: str,
    customer: str,
    table: PolicyTable,
    *,
    host: str,
    proof: HostProof = HostProof.UNPROVEN,
    route: TlsPolicy | None = None,
    dane_result: DaneResult | None = None,
    sts_result: StsResult | None = None,
    require_tls: bool = False,
) -> Demand:
    """Return what `host` must show before mail for `domain` goes to it, with its origin.

    `route` is a demand beside the table's lines: that of a configured host, or of this attempt so far. `require_tls`
    is the mail's own REQUIRETLS.
    """
    entry = table.find(domain, customer)
    policy, origin = entry.policy, entry.origin
    if route is not None and _replaces(route, policy):
        policy, origin = replace(route, require_tls=policy.require_tls), f"route of {domain}"
    if require_tls and not policy.require_tls:
        policy, origin = replace(policy, require_tls=True), f"{origin}; REQUIRETLS of the mail"
    dane = dane_result or DaneResult()
    sts = sts_result or StsResult()
    if not policy.level.discovers:
        dane, sts = DaneResult(), StsResult()
    demand = Demand(domain=domain, host=host, policy=policy, origin=origin, proof=proof, dane=dane, sts=sts)
    return replace(demand, blocked=_find_block(demand))


def _replaces(route: TlsPolicy, policy: TlsPolicy) -> bool:
    """Return whether a route's own level wins: if as strong, and `none` on a route also against `may`."""
    if route.level is TlsLevel.NONE:
        return policy.level is TlsLevel.MAY
    return route.level.strength >= policy.level.strength


def _find_block(demand: Demand) -> str:
    faults = find_faults(demand.policy)
    if faults:
        fault, name = faults[0]
        return f"the rule can't be used: {fault}" + (f" {name!r}" if name else "")
    if demand.dane.state is DaneState.FAILED:
        # RFC 7672 §2.1.2: never continue without records that could not be read
        return f"the TLSA records of {demand.host} could not be read: {demand.dane.cause}"
    if demand.dane_in_force:
        return ""
    if demand.sts_in_force and not any(matches_name(pattern, demand.host) for pattern in demand.sts.mx):
        return f"{demand.host} is not among the hosts of the MTA-STS policy"  # RFC 8461 §4.1
    return _find_level_block(demand)


def _find_level_block(demand: Demand) -> str:
    if demand.policy.require_tls and _names_unproven_host(demand):
        return f"{demand.host} comes from unsigned DNS, so REQUIRETLS can't be kept"  # RFC 8689 §4.2.1
    if demand.level is TlsLevel.DANE_ONLY:
        return f"{demand.host} has no usable TLSA records" + (f": {demand.dane.cause}" if demand.dane.cause else "")
    if demand.sts_in_force or demand.proof is HostProof.CONFIGURED:
        return ""
    if demand.level is TlsLevel.MTA_STS:
        cause = f": {demand.sts.cause}" if demand.sts.cause else f" (mode {demand.sts.mode})"
        return f"the domain has no MTA-STS policy in mode enforce{cause}"
    if demand.level is TlsLevel.VERIFY and demand.proof is HostProof.UNPROVEN:
        return f"{demand.host} comes from unsigned DNS, so its own name proves nothing; level secure names the domain"
    return ""


def _names_unproven_host(demand: Demand) -> bool:
    """Return whether nothing proves the host: neither DNSSEC nor MTA-STS, nor names or pins of the rule itself."""
    own = demand.level in {TlsLevel.SECURE, TlsLevel.PRIVATE_CA, TlsLevel.FINGERPRINT}
    return demand.proof is HostProof.UNPROVEN and not (demand.sts_in_force or own)
