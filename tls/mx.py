"""Which hosts take the mail of a domain, in which order, and to which addresses we connect.

RFC 5321 §5.1, RFC 7505 (null MX). The shuffle is an argument. Not here: asking DNS (tls.resolver), TLS (tls.policy).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from tls.names import parse_domain
from tls.resolver import Address, Lookup, MxRecord, Resolver

# The most hosts of one attempt; for a domain with a hundred MX records the best ones are enough.
_MAX_HOSTS = 10

_NAT64 = IPv6Network("64:ff9b::/96")


class HostsProblem(StrEnum):
    """Why a domain has no hosts to try."""

    NO_SUCH_DOMAIN = "no-such-domain"
    TAKES_NO_MAIL = "takes-no-mail"
    NO_USABLE_HOST = "no-usable-host"
    DNS_FAILED = "dns-failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """The hosts of a domain in the order to try, or the problem. `authentic`: DNSSEC proves them."""

    names: tuple[str, ...] = ()
    authentic: bool = False
    problem: HostsProblem | None = None
    cause: str = ""


def order_hosts(records: tuple[MxRecord, ...], shuffle: Callable[[list[str]], None]) -> tuple[str, ...]:
    """Return host names by preference, each once, at random among equals (RFC 5321 §5.1), without malformed ones."""
    by_preference: dict[int, list[str]] = {}
    for record in records:
        name = parse_domain(record.host)
        if name is not None:
            by_preference.setdefault(record.preference, []).append(name)
    ordered: list[str] = []
    for preference in sorted(by_preference):
        equals = sorted(set(by_preference[preference]) - set(ordered))
        shuffle(equals)
        ordered += equals
    return tuple(ordered[:_MAX_HOSTS])


async def find_hosts(domain: str, resolver: Resolver, shuffle: Callable[[list[str]], None]) -> Hosts:
    """Ask DNS which hosts take mail for a domain; its own address counts only if it has no MX at all."""
    answer = await resolver.mx(domain)
    if answer.lookup is Lookup.FAILED:
        return Hosts(problem=HostsProblem.DNS_FAILED, cause=answer.cause)
    if answer.lookup is Lookup.NO_DOMAIN:
        return Hosts(problem=HostsProblem.NO_SUCH_DOMAIN, cause=f"{domain} does not exist")
    if answer.lookup is Lookup.NO_DATA:
        # RFC 5321 §5.1: the implicit MX. Only without MX, never because the MX hosts failed.
        return Hosts(names=(domain,), authentic=answer.authentic)
    if all(not record.host for record in answer.values):
        # RFC 7505 §4
        return Hosts(problem=HostsProblem.TAKES_NO_MAIL, cause=f"{domain} takes no mail (null MX)")
    names = order_hosts(answer.values, shuffle)
    if not names:
        return Hosts(problem=HostsProblem.NO_USABLE_HOST, cause=f"no MX record of {domain} names a host")
    return Hosts(names=names, authentic=answer.authentic)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressGuard:
    """Keeps mail to names that others control out of our own network.

    `allowed` are permitted networks that are not public; `own` are our own listeners' addresses.
    """

    allowed: tuple[str, ...] = ()
    own: frozenset[str] = frozenset()

    def find_fault(self, address: Address) -> str:
        """Return why this address is forbidden, empty if it is allowed."""
        real = _unwrap(address)
        if str(real) in self.own or str(address) in self.own:
            return f"{address} is our own address"
        if self.is_allowed(address):
            return ""
        if real.is_multicast or not real.is_global:
            return f"{address} is not a public address"
        return ""

    def is_allowed(self, address: Address) -> bool:
        """Return whether this address is in a network that is allowed."""
        real = _unwrap(address)
        return any(real in network for network in map(ip_network, self.allowed) if network.version == real.version)


def _unwrap(address: Address) -> Address:
    """Return the IPv4 address inside a mapped or translated IPv6 address: the packet would go there."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def parse_literal(domain: str) -> Address | None:
    """Return the address of a literal such as `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3), else None."""
    if not (domain.startswith("[") and domain.endswith("]")):
        return None
    inner = domain[1:-1]
    try:
        return IPv6Address(inner[5:]) if inner.lower().startswith("ipv6:") else IPv4Address(inner)
    except ValueError:
        return None


def parse_address(text: str) -> Address | None:
    """Return an IP address, None for a name."""
    try:
        return ip_address(text)
    except ValueError:
        return None
