"""The whole way to a domain's mail servers, walked as a mail would and told step by step; no mail is sent.

The walk is mail out's own (mta.sending.deliver) up to the point before MAIL. Where a host fails before its certificate
was seen, it is called once more without demanding anything of it, only to say what it shows. Not here: the command
(tls).
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.ports import Clock
from mta.sending.outgoing import HostCheck
from mta.sending.routes import Route, RouteTable
from process.mail_out import MailTransport, build_deliverer
from sms.outcome import Done
from tls.dane import find_tlsa
from tls.facts import CertificateFacts, find_date_fault, read_facts
from tls.mtasts import StsCache, StsPolicy, parse_sts_policy, parse_sts_record
from tls.mx import AddressGuard
from tls.policy import (
    DaneResult,
    HostProof,
    Pin,
    PinKind,
    PolicyEntry,
    PolicyTable,
    Tlsa,
    TlsLevel,
    TlsPolicy,
)
from tls.report import parse_destinations
from tls.resolver import Address, DnsAnswer, Lookup, MxRecord, Resolver
from tls.verdict import expected_names


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """What was found on the way: each step as lines, and whether mail could go."""

    steps: tuple[tuple[str, tuple[str, ...]], ...]
    granted: bool


class OneHost:
    """A resolver that names one host for every domain and asks another for everything else."""

    def __init__(self, inner: Resolver, host: str) -> None:
        self._inner = inner
        self._host = host

    async def mx(self, domain: str) -> DnsAnswer[MxRecord]:  # noqa: ARG002 - the protocol's
        """Return the one host, which nothing proves."""
        return DnsAnswer(lookup=Lookup.FOUND, values=(MxRecord(preference=0, host=self._host),))

    async def addresses(self, host: str) -> DnsAnswer[Address]:
        """Ask for addresses."""
        return await self._inner.addresses(host)

    async def tlsa(self, name: str) -> DnsAnswer[Tlsa]:
        """Ask for TLSA records."""
        return await self._inner.tlsa(name)

    async def txt(self, name: str) -> DnsAnswer[str]:
        """Ask for TXT records."""
        return await self._inner.txt(name)


def towards(ways: MailTransport, host: str, port: int) -> MailTransport:
    """Return the same ways, but every domain's mail goes to one host, wherever that stands."""
    return replace(
        ways,
        settings=replace(ways.settings, port=port),
        resolver=OneHost(ways.resolver, host),
        guard=AddressGuard(allowed=("0.0.0.0/0", "::/0")),
        routes=RouteTable(),
    )


async def walk_domain(  # noqa: PLR0913 - what is walked, for whom, under which rules
    domain: str, customer: str, *, ways: MailTransport, table: PolicyTable, cache: StsCache, clock: Clock
) -> Walk:
    """Walk to all hosts of a domain and say what is demanded of them and what they show."""
    entry = table.find(domain, customer)
    route = ways.routes.find(domain)
    steps: list[tuple[str, tuple[str, ...]]] = [("policy", tuple(_policy_lines(entry)))]
    if route is None:
        steps += await asyncio.gather(
            _sts_step(domain, ways, cache, clock), _reports_step(domain, ways), _mx_step(domain, ways)
        )
    else:
        steps.append(("route", (_route_line(route),)))
    deliverer = build_deliverer(ways, lambda: table, clock, cache=cache)
    bare = build_deliverer(ways, lambda: _anything(domain), clock, cache=cache)
    try:
        checks = await deliverer.check(domain, customer)
        if not isinstance(checks, tuple):
            cause = "nothing was found" if isinstance(checks, Done) else checks.problem.text
            steps.append(("verdict", (f"mail would not go out: {cause}",)))
            return Walk(steps=tuple(steps), granted=False)
        unseen = any(check.fault and check.address and not check.chain for check in checks)
        shown = await bare.check(domain, customer) if unseen else ()
        chains = {check.host: check.chain for check in shown} if isinstance(shown, tuple) else {}
    finally:
        await deliverer.close()
        await bare.close()
    port = route.port if route is not None else ways.settings.port
    for check in checks:
        proven = check.demand.proof is not HostProof.UNPROVEN
        tlsa = await find_tlsa(check.host, port, ways.resolver) if proven else DaneResult()
        chain = check.chain or chains.get(check.host, ())
        lines = _host_lines(check, tlsa, read_facts(chain), clock.now())
        steps.append((f"host {check.host}:{port}", tuple(lines)))
    good = [check.host for check in checks if not check.fault]
    verdict = f"mail goes to {good[0]}" if good else "mail waits: no host shows what is demanded"
    steps.append(("verdict", (verdict,)))
    return Walk(steps=tuple(steps), granted=bool(good))


def _anything(domain: str) -> PolicyTable:
    """Return a table under which any certificate is seen and then refused: pins leave the handshake unverified."""
    nobody = Pin(kind=PinKind.CERTIFICATE, digest="0" * 64)
    return PolicyTable((PolicyEntry(policy=TlsPolicy(level=TlsLevel.FINGERPRINT, pins=(nobody,)), domain=domain),))


def _policy_lines(entry: PolicyEntry) -> Iterator[str]:
    policy = entry.policy
    wait = "mail waits where it can't be had" if policy.enforced else "not enforced: mail may travel in clear"
    yield f"level {policy.label}, from {entry.origin}; {wait}"
    if policy.names:
        yield f"names: {', '.join(policy.names)}"
    yield from (f"pin {pin}" for pin in policy.pins)
    if policy.ca_file:
        yield f"authorities: {policy.ca_file}"
    yield f"TLS {policy.minimum_version} at least"


def _route_line(route: Route) -> str:
    own = f"; demands {route.demanded.level}" if route.demanded is not None else ""
    return f"{route.domain} goes to {route.host}:{route.port}, never by MX{own}"


async def _sts_step(domain: str, ways: MailTransport, cache: StsCache, clock: Clock) -> tuple[str, tuple[str, ...]]:
    lines: list[str] = []
    answer = await ways.resolver.txt(f"_mta-sts.{domain}")
    policy_id = parse_sts_record(answer.values)
    if policy_id is not None:
        lines.append(f"record: id {policy_id}")
        fetched = await ways.fetcher.fetch(domain)
        policy = parse_sts_policy(fetched.body) if not fetched.fault else None
        lines.append(_sts_line(policy) if policy else f"policy: {fetched.fault or 'the file is malformed'}")
    else:
        failed = answer.lookup is Lookup.FAILED
        lines.append(f"record: {answer.cause}" if failed else "record: none")
    kept = await cache.get(domain)
    if kept is not None:
        live = "in force" if kept.is_live(clock.now()) else "over"
        fetched_at = kept.fetched_at.isoformat(timespec="seconds")
        lines.append(f"kept: id {kept.policy_id}, mode {kept.policy.mode}, fetched {fetched_at}, {live}")
    return "MTA-STS", tuple(lines)


def _sts_line(policy: StsPolicy) -> str:
    seconds = int(policy.max_age.total_seconds())
    return f"policy: mode {policy.mode}, mx {', '.join(policy.mx) or 'none'}, max_age {seconds} s"


async def _reports_step(domain: str, ways: MailTransport) -> tuple[str, tuple[str, ...]]:
    answer = await ways.resolver.txt(f"_smtp._tls.{domain}")
    if answer.lookup is Lookup.FAILED:
        return "TLS reports", (f"record: {answer.cause}",)
    wanted = parse_destinations(answer.values)
    if wanted and not ways.settings.counts_sessions:
        return "TLS reports", (*wanted, "none goes out: [mail] tls_reports or every [[mail.dkim]] is missing")
    return "TLS reports", wanted or ("nobody asks for any",)


async def _mx_step(domain: str, ways: MailTransport) -> tuple[str, tuple[str, ...]]:
    answer = await ways.resolver.mx(domain)
    proof = "DNSSEC proves it (AD)" if answer.authentic else "not proven by DNSSEC"
    if answer.lookup is not Lookup.FOUND:
        return "MX", (f"{answer.lookup}{': ' if answer.cause else ''}{answer.cause}, {proof}",)
    records = sorted(answer.values, key=lambda record: record.preference)
    return "MX", (*(f"{record.preference} {record.host or '. (takes no mail)'}" for record in records), proof)


def _host_lines(
    check: HostCheck, tlsa: DaneResult, facts: tuple[CertificateFacts, ...], now: datetime
) -> Iterator[str]:
    yield f"demanded: {check.demand}"
    if check.demand.needs_authority:
        yield f"names wanted: {' or '.join(expected_names(check.demand))}"
    yield f"address: {check.address or 'none reached'}; host {check.demand.proof}"
    yield _tlsa_line(check.demand.dane if check.demand.dane_in_force else tlsa)
    yield f"TLS: {check.tls or 'none'}"
    for place, fact in enumerate(facts):
        yield from _certificate_lines("certificate" if place == 0 else f"issuer {place}", fact, now)
    yield f"verdict: {check.fault}" if check.fault else "verdict: good"


def _tlsa_line(dane: DaneResult) -> str:
    records = ", ".join(
        f"{record.usage} {record.selector} {record.matching} {record.data.hex()[:16]}…" for record in dane.records
    )
    cause = f" ({dane.cause})" if dane.cause else ""
    return f"TLSA: {dane.state}{': ' + records if records else ''}{cause}"


def _certificate_lines(title: str, fact: CertificateFacts, now: datetime) -> Iterator[str]:
    fault = find_date_fault(fact, now)
    yield f"{title}: {fact.subject or 'no subject'}, issued by {fact.issuer or 'nobody named'}, {fact.key}"
    if title == "certificate":
        yield f"  names: {', '.join(fact.names) or 'none'}"
    begins, ends = fact.not_before.date().isoformat(), fact.not_after.date().isoformat()
    yield f"  valid from {begins} to {ends}{': ' + fault if fault else ''}"
    yield from (f"  {pin}" for pin in fact.pins)
