"""A resolver that answers from tables, without a network."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from tls.policy import Tlsa
from tls.resolver import Address, DnsAnswer, Lookup, MxRecord, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class TableResolver:
    """Answers from tables. Names not listed do not exist.

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
