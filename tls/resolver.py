"""The DNS queries about mail, and their answers.

Not here: name servers (tls.nameservers), which hosts to use and in which order (tls.mx), what TLSA and MTA-STS records
mean (tls.dane, tls.mtasts).
"""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
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
