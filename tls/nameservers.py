"""Queries to name servers: a deadline, a cache, and whether DNSSEC proved the answer.

The only user of dnspython. It does not validate DNSSEC itself: it trusts the AD bit only from a validating resolver on
loopback that the operator named as such (RFC 4035 §4.9.3, RFC 7672 §2.1). Not here: the kinds of queries and answers
(tls.resolver).
"""

import asyncio
from collections.abc import Sequence
from ipaddress import ip_address

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.name
import dns.rdatatype
import dns.resolver
from dns.nameserver import Do53Nameserver
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.TLSA import TLSA
from dns.rdtypes.ANY.TXT import TXT

from tls.policy import Tlsa
from tls.resolver import Address, DnsAnswer, Lookup, MxRecord, Value

# A size that passes any path without fragments; larger answers come by TCP (DNS flag day 2020).
_EDNS_PAYLOAD = 1232


class DnsResolver:
    """A resolver over the network.

    `nameservers` are addresses with ports; without any the system's are used. `validating` says that they validate
    DNSSEC; it counts only for loopback addresses. `deadline_seconds` bounds one query with all its repetitions.
    """

    def __init__(
        self,
        nameservers: Sequence[tuple[str, int]] = (),
        *,
        validating: bool = False,
        deadline_seconds: float = 10.0,
        cache_size: int = 10_000,
    ) -> None:
        self._dns = dns.asyncresolver.Resolver(configure=not nameservers)
        if nameservers:
            self._dns.nameservers = [Do53Nameserver(*server) for server in nameservers]
        self._dns.lifetime = deadline_seconds
        self._dns.timeout = max(deadline_seconds / 3, 0.1)
        self._dns.flags = dns.flags.RD | dns.flags.AD  # RFC 6840 §5.7: AD in the query asks for AD in the answer
        self._dns.use_edns(0, 0, _EDNS_PAYLOAD)
        self._dns.cache = dns.resolver.LRUCache(cache_size)
        self._dns.search = []
        used = [address for address, _ in nameservers] or [str(server) for server in self._dns.nameservers]
        self.trusted = validating and bool(used) and all(_is_loopback(server) for server in used)

    async def mx(self, domain: str) -> DnsAnswer[MxRecord]:
        """Ask for the mail hosts of a domain."""
        answer, records = await self._ask(domain, dns.rdatatype.MX)
        found = tuple(
            MxRecord(preference=record.preference, host=_text(record.exchange))
            for record in records
            if isinstance(record, MX)
        )
        return _with_values(answer, found)

    async def addresses(self, host: str) -> DnsAnswer[Address]:
        """Ask for A and AAAA together."""
        (six, six_records), (four, four_records) = await asyncio.gather(
            self._ask(host, dns.rdatatype.AAAA), self._ask(host, dns.rdatatype.A)
        )
        found = tuple(ip_address(record.to_text()) for record in (*six_records, *four_records))
        if not found:
            # A failed query of one kind may hide an address.
            return _with_values(six if six.lookup is Lookup.FAILED else four, ())
        parts = [answer for answer in (six, four) if answer.lookup is Lookup.FOUND]
        return DnsAnswer(
            lookup=Lookup.FOUND,
            values=found,
            authentic=all(answer.authentic for answer in parts),
            name=parts[0].name,
        )

    async def tlsa(self, name: str) -> DnsAnswer[Tlsa]:
        """Ask for TLSA records at a full name."""
        answer, records = await self._ask(name, dns.rdatatype.TLSA)
        found = tuple(
            Tlsa(usage=record.usage, selector=record.selector, matching=record.mtype, data=record.cert)
            for record in records
            if isinstance(record, TLSA)
        )
        return _with_values(answer, found)

    async def txt(self, name: str) -> DnsAnswer[str]:
        """Ask for TXT records, the strings of each joined."""
        answer, records = await self._ask(name, dns.rdatatype.TXT)
        found = tuple(
            b"".join(record.strings).decode("utf-8", "replace") for record in records if isinstance(record, TXT)
        )
        return _with_values(answer, found)

    async def _ask(
        self, name: str, kind: dns.rdatatype.RdataType
    ) -> tuple[DnsAnswer[object], Sequence[MX | TLSA | TXT | dns.rdata.Rdata]]:
        try:
            reply = await self._dns.resolve(dns.name.from_text(name), kind, raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN:
            return DnsAnswer(lookup=Lookup.NO_DOMAIN, cause=f"{name} does not exist"), ()
        except dns.resolver.LifetimeTimeout:
            return DnsAnswer(lookup=Lookup.FAILED, cause=f"no answer to {kind.name} {name} in time"), ()
        except dns.resolver.NoNameservers:
            return DnsAnswer(lookup=Lookup.FAILED, cause=f"name servers failed for {kind.name} {name}"), ()
        except (dns.exception.DNSException, OSError, ValueError) as error:
            return DnsAnswer(lookup=Lookup.FAILED, cause=f"{kind.name} {name}: {type(error).__name__}"), ()
        authentic = self.trusted and bool(reply.response.flags & dns.flags.AD)
        records = list(reply.rrset) if reply.rrset is not None else []
        lookup = Lookup.FOUND if records else Lookup.NO_DATA
        return DnsAnswer(lookup=lookup, authentic=authentic, name=_text(reply.canonical_name)), records


def _with_values(answer: DnsAnswer[object], values: tuple[Value, ...]) -> DnsAnswer[Value]:
    return DnsAnswer(
        lookup=answer.lookup, values=values, authentic=answer.authentic, name=answer.name, cause=answer.cause
    )


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower() if name != dns.name.root else ""


def _is_loopback(server: str) -> bool:
    try:
        return ip_address(server.partition("%")[0]).is_loopback
    except ValueError:
        return False
