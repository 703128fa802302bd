"""The hosts for one mail: a configured route, or the hosts of the domain in order, each with its TLS demand.

Not here: the dialogue with a host (mta.sending.deliver), the rules of MX (tls.mx) and of demands (tls.policy).
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from mta.sending.answers import DeliveryFault, Stage
from mta.sending.routes import Route, RouteTable
from sms.message import TlsTag
from sms.outcome import Failed, Outcome, Problem, ProblemCode, Retry
from tls.dane import find_tlsa
from tls.mtasts import StsLookup
from tls.mx import AddressGuard, Hosts, HostsProblem, find_hosts, parse_address, parse_literal
from tls.names import parse_domain
from tls.policy import (
    Demand,
    HostProof,
    PolicyTable,
    StsResult,
    TlsLevel,
    decide_policy,
)
from tls.resolver import Address, Lookup, Resolver

# One host may have several addresses, but an attempt must end.
_MAX_ADDRESSES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class MailTarget:
    """One host to try. `host` is a name or an IP address in text."""

    host: str
    port: int
    proof: HostProof = HostProof.UNPROVEN
    route: Route | None = None
    source_address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPlan:
    """The hosts to try in order for one domain and customer, under the policies at its creation.

    `tag` is what the mail's sender asks of TLS.
    """

    domain: str
    customer: str
    table: PolicyTable
    targets: tuple[MailTarget, ...] = ()
    sts: StsResult = field(default_factory=StsResult)
    tag: TlsTag = TlsTag.NONE


def split_recipient(recipient: str) -> tuple[str, str] | None:
    """Return local part and normalised domain; an address literal stays unchanged. None for anything else."""
    local, at, given = recipient.rpartition("@")
    if not at or not local:
        return None
    domain = given.lower() if parse_literal(given) is not None else parse_domain(given)
    return (local, domain) if domain else None


def to_ascii_domain(address: str) -> str:
    """Return the address for the envelope: an internationalised domain in ASCII, everything else unchanged."""
    parts = None if address.isascii() else split_recipient(address)
    return "@".join(parts) if parts else address


class Planner:
    """Makes plans and their demands. `shuffle` is the only randomness: it orders hosts of equal preference.

    `own_name` is our name in EHLO: an MX of that name would be a loop.
    """

    def __init__(  # noqa: PLR0913 - one argument per source of facts
        self,
        *,
        resolver: Resolver,
        routes: RouteTable,
        guard: AddressGuard,
        sts: StsLookup | None,
        shuffle: Callable[[list[str]], None],
        port: int,
        own_name: str,
        source_address: str = "",
    ) -> None:
        self._resolver = resolver
        self._routes = routes
        self._guard = guard
        self._sts = sts
        self._shuffle = shuffle
        self._port = port
        self._own_name = own_name.lower()
        self._source_address = source_address

    async def plan(
        self, domain: str, customer: str, table: PolicyTable, tag: TlsTag = TlsTag.NONE
    ) -> DeliveryPlan | Outcome:
        """Return the hosts to try, or the outcome of the mail if there are none."""
        route = self._routes.find(domain)
        if route is not None:
            target = MailTarget(
                host=route.host_name,
                port=route.port,
                proof=HostProof.CONFIGURED,
                route=route,
                source_address=route.source_address or self._source_address,
            )
            return DeliveryPlan(domain=domain, customer=customer, table=table, targets=(target,), tag=tag)
        literal = parse_literal(domain)
        if literal is not None:
            hosts = Hosts(names=(str(literal),))
        else:
            hosts = await find_hosts(domain, self._resolver, self._shuffle)
        if hosts.problem is not None:
            return _explain_hosts(hosts.problem, hosts.cause, domain)
        proof = HostProof.DNSSEC if hosts.authentic else HostProof.UNPROVEN
        targets = tuple(
            MailTarget(host=name, port=self._port, proof=proof, source_address=self._source_address)
            for name in hosts.names
        )
        sts = StsResult()
        level = table.find(domain, customer).policy.level
        if self._sts is not None and level.discovers and literal is None and not ignores_published(tag, level):
            sts = await self._sts.find(domain)
        return DeliveryPlan(domain=domain, customer=customer, table=table, targets=targets, sts=sts, tag=tag)

    async def demand(self, plan: DeliveryPlan, target: MailTarget, *, tls_only: bool = False) -> Demand:
        """Return what the target must show; `tls_only` if TLS failed at another host: the next must have it."""
        demand = decide_policy(
            plan.domain,
            plan.customer,
            plan.table,
            host=target.host,
            proof=target.proof,
            route=target.route.demanded if target.route is not None else None,
            sts_result=plan.sts,
            require_tls=plan.tag is TlsTag.REQUIRED,
        )
        if self._seeks_dane(demand) and not ignores_published(plan.tag, demand.level):
            demand = demand.with_dane(await find_tlsa(target.host, target.port, self._resolver))
        if tls_only and not demand.tls_required:
            policy = replace(demand.policy, level=TlsLevel.ENCRYPT)
            return replace(demand, policy=policy, origin="TLS failed at another host")
        return demand

    @staticmethod
    def _seeks_dane(demand: Demand) -> bool:
        if demand.proof is HostProof.CONFIGURED:
            return demand.level in {TlsLevel.DANE, TlsLevel.DANE_ONLY}
        return demand.proof is HostProof.DNSSEC and demand.level.discovers

    async def find_addresses(self, target: MailTarget) -> tuple[str, ...] | DeliveryFault:
        """Return the addresses to call, in order, or why there are none."""
        if target.route is None and target.host == self._own_name:
            return DeliveryFault(
                stage=Stage.CONNECT, cause=f"{target.host} is our own name: the mail would come back to us"
            )
        literal = parse_address(target.host)
        if literal is not None:
            found, fault = [literal], ""
        else:
            answer = await self._resolver.addresses(target.host)
            found, fault = list(answer.values), answer.cause or f"{target.host} has no address"
            if answer.lookup is not Lookup.FOUND and target.route is not None:
                found = await _ask_system(target.host)
        if target.route is None:
            faults = {address: self._guard.find_fault(address) for address in found}
            refused = [text for text in faults.values() if text]
            found = [address for address in found if not faults[address]]
            fault = refused[0] if refused and not found else fault
        source = parse_address(target.source_address)
        if source is not None:
            fault = fault if not found else f"{target.host} has no address of the family of {source}"
            found = [address for address in found if address.version == source.version]
        if not found:
            return DeliveryFault(stage=Stage.CONNECT, cause=fault)
        return tuple(str(address) for address in take_turns(found)[:_MAX_ADDRESSES])


def ignores_published(tag: TlsTag, level: TlsLevel) -> bool:
    """Return whether DANE and MTA-STS of the domain do not count; what the rules enforce does (RFC 8689 §4.2.2)."""
    return tag is TlsTag.OPTIONAL and not level.enforced


def take_turns(addresses: Sequence[Address]) -> list[Address]:
    """Return the addresses with alternating families, IPv6 first, so that a limit never cuts off a whole family.

    RFC 8305 §4 with one address of the first family: if IPv6 does not work, IPv4 comes second.
    """
    families = [[address for address in addresses if address.version == version] for version in (6, 4)]
    return [address for turn in zip_longest(*families) for address in turn if address is not None]


async def _ask_system(host: str) -> list[Address]:
    """Resolve with the system's resolver, which includes the hosts file: routes often name such hosts."""
    try:
        entries = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    found = [parse_address(str(entry[4][0])) for entry in entries]
    return list(dict.fromkeys(address for address in found if address is not None))


def _explain_hosts(problem: HostsProblem, cause: str, domain: str) -> Outcome:
    if problem is HostsProblem.DNS_FAILED:
        return Retry(
            problem=Problem(code=ProblemCode.DNS_FAILED, text=f"DNS gave no answer about {domain}.", cause=cause)
        )
    if problem is HostsProblem.NO_SUCH_DOMAIN:
        text = f"The domain {domain} does not exist."  # RFC 3463 5.1.2
        return Failed(problem=Problem(code=ProblemCode.NO_SUCH_DOMAIN, text=text, cause=f"5.1.2 {cause}"))
    if problem is HostsProblem.TAKES_NO_MAIL:
        text = f"The domain {domain} takes no mail."  # RFC 7505 §4.1
        return Failed(problem=Problem(code=ProblemCode.NO_SUCH_DOMAIN, text=text, cause=f"5.1.10 {cause}"))
    text = f"The domain {domain} names no usable mail server."
    return Retry(problem=Problem(code=ProblemCode.HOST_UNREACHABLE, text=text, cause=f"4.4.4 {cause}"))
