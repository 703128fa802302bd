"""The DNS queries about mail, and their answers; a resolver over tables for tests and demonstrations.

Not here: name servers (tls.nameservers), which hosts to use and in which order (tls.mx), what TLSA and MTA-STS records
mean (tls.dane, tls.mtasts).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Generic, Protocol, TypeVar

from tls.policy import Tlsa

Value = TypeVar("Value")
Address = IPv4Address | IPv6Address


class Lookup(StrEnum):
    """The result of a query. FAILED covers SERVFAIL, bogus signatures, timeouts: the answer is unknown."""

    FOUND = "found"
    NO_DATA = "no-data"
    NO_DOMAIN = "no-domain"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsAnswer(Generic[Value]):
    """Values in the order received; `authentic`: DNSSEC proves the whole answer, aliases included.

    `name` is the target of the aliases (CNAME), `cause` why a look-up failed.
    """

    lookup: Lookup
    values: tuple[Value, ...] = ()
    authentic: bool = False
    name: str = ""
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MxRecord:
    """One MX record; an empty host is the null MX (RFC 7505)."""

    preference: int
    host: str


class Resolver(Protocol):
    """The DNS queries of mail. None of them raises for faults of DNS."""

    async def mx(self, domain: str) -> DnsAnswer[MxRecord]:
        """Ask for the mail hosts of a domain, in no particular order."""

    async def addresses(self, host: str) -> DnsAnswer[Address]:
        """Ask for A and AAAA together, IPv6 first; FAILED only if neither kind was found and one query failed."""

    async def tlsa(self, name: str) -> DnsAnswer[Tlsa]:
        """Ask for TLSA records at a full name such as `_25._tcp.mx.example.com`."""

    async def txt(self, name: str) -> DnsAnswer[str]:
        """Ask for TXT records, the strings of each joined (RFC 8461 §3.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableResolver:
    """Answers from tables, for tests and demonstrations: same contract, no network. Names not listed do not exist.

    `failing` names answer FAILED to every query; DNSSEC proves `authentic` names.
    """

    mx_records: Mapping[str, Iterable[tuple[int, str]]] | None = None
    hosts: Mapping[str, Iterable[str]] | None = None
    tlsa_records: Mapping[str, Iterable[Tlsa]] | None = None
    texts: Mapping[str, Iterable[str]] | None = None
    failing: frozenset[str] = frozenset()
    authentic: frozenset[str] = frozenset()

    async def mx(self, domain: str) -> DnsAnswer[MxRecord]:
        """Answer from `mx_records`."""
        table = {
            name: tuple(MxRecord(preference=preference, host=host.removesuffix(".")) for preference, host in records)
            for name, records in (self.mx_records or {}).items()
        }
        return self._look_up(domain, table)

    async def addresses(self, host: str) -> DnsAnswer[Address]:
        """Answer from `hosts`."""
        table = {name: tuple(ip_address(text) for text in texts) for name, texts in (self.hosts or {}).items()}
        return self._look_up(host, table)

    async def tlsa(self, name: str) -> DnsAnswer[Tlsa]:
        """Answer from `tlsa_records`."""
        return self._look_up(name, {key: tuple(records) for key, records in (self.tlsa_records or {}).items()})

    async def txt(self, name: str) -> DnsAnswer[str]:
        """Answer from `texts`."""
        return self._look_up(name, {key: tuple(texts) for key, texts in (self.texts or {}).items()})

    def _look_up(self, name: str, table: Mapping[str, tuple[Value, ...]]) -> DnsAnswer[Value]:
        authentic = name in self.authentic
        if name in self.failing:
            return DnsAnswer(lookup=Lookup.FAILED, cause=f"name servers failed for {name}")
        if values := table.get(name):
            return DnsAnswer(lookup=Lookup.FOUND, values=values, authentic=authentic, name=name)
        tables = (self.mx_records, self.hosts, self.tlsa_records, self.texts)
        known = any(name in entries for entries in tables if entries)
        lookup = Lookup.NO_DATA if known else Lookup.NO_DOMAIN
        return DnsAnswer(lookup=lookup, authentic=authentic, name=name)
